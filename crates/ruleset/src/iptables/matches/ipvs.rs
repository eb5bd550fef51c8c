//! `-m ipvs` (extensions/libxt_ipvs.c, `ipvs_mt_save`).

use std::fmt;

use super::super::extension::{Context, Given, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{BareAddress, keywords, port};

use super::{CtDirection, ProtocolNumber};

keywords! {
    /// How IPVS sends packets on.
    IpvsMethod, "`GATE`, `IPIP` or `MASQ`";
    /// As they are.
    Gate = "GATE",
    /// In a tunnel.
    Ipip = "IPIP",
    /// Rewritten.
    Masq = "MASQ",
}

extension! {
    /// What IPVS knows of the connection.
    Ipvs, "ipvs";
    /// Whether it has one.
    ipvs: Option<bool>, "--ipvs";
    /// The protocol of the virtual service.
    protocol: Option<Criterion<ProtocolNumber>>, "--vproto";
    /// Its address.
    address: Option<Criterion<BareAddress>>, "--vaddr";
    /// Its port.
    port: Option<Criterion<PortNumber>>, "--vport";
    /// The direction of the packet.
    direction: Option<CtDirection>, "--vdir";
    /// How it is sent on.
    method: Option<Criterion<IpvsMethod>>, "--vmethod";
    /// The port of the connection that controls this one.
    controlling_port: Option<Criterion<PortNumber>>, "--vportctl";
    => Ipvs::settle;
}

/// A port by number or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(pub u16);

impl Value for PortNumber {
    const EXPECTED: &'static str = "a port by number or name";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        port(word).map(Self)
    }
}

impl fmt::Display for PortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Ipvs {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if given.all().next().is_none() {
            return Err(given.missing(&[0, 1, 2, 3, 4, 5, 6]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m ipvs --ipvs",
            "-m ipvs ! --ipvs",
            "-m ipvs --vproto 6 ! --vaddr 10.0.0.0/8 --vport 80 --vdir REPLY --vmethod MASQ --vportctl 21",
        ]);
        is_refused(&["-m ipvs", "-m ipvs --vmethod odd", "-m ipvs ! --vdir REPLY"]);
    }
}
