//! `-j TPROXY` (extensions/libxt_TPROXY.c, `tproxy_tg_save_v1`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::ruleset::{Family, TableName};
use super::super::value::MaskedMark;

/// Hands a packet to a local socket, whatever its destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tproxy {
    /// The port of the socket; 0 is that of the packet.
    pub port: u16,
    /// The address of the socket; that of the interface if it is all nought.
    pub address: IpAddr,
    /// The mark the packet gets, under a mask.
    pub mark: MaskedMark,
}

impl Extension for Tproxy {
    const NAMES: &'static [&'static str] = &["TPROXY"];
    const OPTIONS: &'static [Opt] =
        &[Opt::word(&["--on-port"]), Opt::word(&["--on-ip"]), Opt::word(&["--tproxy-mark"])];
    const ONLY: Only =
        Only::ANYWHERE.tables(&[TableName::Mangle]).chains(&["PREROUTING"]).protocols(&[Protocol::TCP, Protocol::UDP]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let any = match given.context.family {
            Family::Ip => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::Ip6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Ok(Self {
            port: given.value(0)?.ok_or_else(|| given.missing(&[0]))?,
            address: given.value(1)?.unwrap_or(any),
            mark: given.value(2)?.unwrap_or(MaskedMark { value: 0, mask: 0 }),
        })
    }
}

impl fmt::Display for Tproxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MaskedMark { value, mask } = self.mark;
        write!(f, " --on-port {} --on-ip {} --tproxy-mark {value:#x}/{mask:#x}", self.port, self.address)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -j TPROXY --on-port 12345 --on-ip 10.0.0.1 --tproxy-mark 0x23/0xff"]);
        round_trips_6(&["-p udp -j TPROXY --on-port 1 --on-ip :: --tproxy-mark 0x1/0x1"]);
        prints_as("-p tcp -j TPROXY --on-port 1", "-p tcp -j TPROXY --on-port 1 --on-ip 0.0.0.0 --tproxy-mark 0x0/0x0");
        is_refused(&["-p tcp -j TPROXY", "-j TPROXY --on-port 1", "-p tcp -j TPROXY --on-port 65536"]);
    }
}
