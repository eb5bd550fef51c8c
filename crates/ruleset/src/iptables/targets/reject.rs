//! `-j REJECT` (extensions/libipt_REJECT.c, extensions/libip6t_REJECT.c).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::ruleset::{Family, TableName};

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectWith {
    /// A TCP reset. Unlike ICMP errors, the kernel sends them at any rate.
    TcpReset,
    /// The port is unreachable, in the family's own words.
    PortUnreachable(Family),
    /// Nobody may go there, in the family's own words.
    AdminProhibited(Family),
    /// IPv4: the network is unreachable.
    NetUnreachable,
    /// IPv4: the host is unreachable.
    HostUnreachable,
    /// IPv4: the protocol is unreachable.
    ProtoUnreachable,
    /// IPv4: nobody may go to the network.
    NetProhibited,
    /// IPv4: nobody may go to the host.
    HostProhibited,
    /// IPv6: there is no route.
    NoRoute,
    /// IPv6: the address is unreachable.
    AddrUnreachable,
    /// IPv6: a policy refuses the source.
    PolicyFail,
    /// IPv6: the route refuses.
    RejectRoute,
}

impl RejectWith {
    const IP: [(Self, &'static str); 8] = [
        (Self::NetUnreachable, "net-unreach"),
        (Self::HostUnreachable, "host-unreach"),
        (Self::ProtoUnreachable, "proto-unreach"),
        (Self::PortUnreachable(Family::Ip), "port-unreach"),
        (Self::NetProhibited, "net-prohib"),
        (Self::HostProhibited, "host-prohib"),
        (Self::TcpReset, "tcp-rst"),
        (Self::AdminProhibited(Family::Ip), "admin-prohib"),
    ];
    const IP6: [(Self, &'static str); 7] = [
        (Self::NoRoute, "no-route"),
        (Self::AdminProhibited(Family::Ip6), "adm-prohibited"),
        (Self::AddrUnreachable, "addr-unreach"),
        (Self::PortUnreachable(Family::Ip6), "port-unreach"),
        (Self::TcpReset, "tcp-reset"),
        (Self::PolicyFail, "policy-fail"),
        (Self::RejectRoute, "reject-route"),
    ];

    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::TcpReset => "tcp-reset",
            Self::PortUnreachable(Family::Ip) => "icmp-port-unreachable",
            Self::PortUnreachable(Family::Ip6) => "icmp6-port-unreachable",
            Self::AdminProhibited(Family::Ip) => "icmp-admin-prohibited",
            Self::AdminProhibited(Family::Ip6) => "icmp6-adm-prohibited",
            Self::NetUnreachable => "icmp-net-unreachable",
            Self::HostUnreachable => "icmp-host-unreachable",
            Self::ProtoUnreachable => "icmp-proto-unreachable",
            Self::NetProhibited => "icmp-net-prohibited",
            Self::HostProhibited => "icmp-host-prohibited",
            Self::NoRoute => "icmp6-no-route",
            Self::AddrUnreachable => "icmp6-addr-unreachable",
            Self::PolicyFail => "icmp6-policy-fail",
            Self::RejectRoute => "icmp6-reject-route",
        }
    }

    /// A word, its short form, or the start of one of them.
    fn parse(word: &str, family: Family) -> Option<Self> {
        let known: &[(Self, &str)] = match family {
            Family::Ip => &Self::IP,
            Family::Ip6 => &Self::IP6,
        };
        let starts = |known: &str| known.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let find = known.iter().find(|(with, short)| starts(with.keyword()) || starts(short));
        find.filter(|_| !word.is_empty()).map(|(with, _)| *with)
    }
}

/// Tells the sender no, and drops the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reject {
    /// What it is told.
    pub with: RejectWith,
}

impl Extension for Reject {
    const NAMES: &'static [&'static str] = &["REJECT"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--reject-with"])];
    const ONLY: Only = Only::ANYWHERE.tables(&[TableName::Filter]).chains(&["INPUT", "FORWARD", "OUTPUT"]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let family = given.context.family;
        let Some(option) = given.single(0)? else {
            return Ok(Self { with: RejectWith::PortUnreachable(family) });
        };
        let expected = match family {
            Family::Ip => "an answer as `icmp-port-unreachable` or `tcp-reset`",
            Family::Ip6 => "an answer as `icmp6-port-unreachable` or `tcp-reset`",
        };
        let with = RejectWith::parse(option.value(), family).ok_or_else(|| option.unexpected(expected))?;
        let is_tcp = given.context.protocol.is_some_and(|p| !p.inverted && p.value.number() == Protocol::TCP);
        if with == RejectWith::TcpReset && !is_tcp {
            return Err(option.unexpected("`-p tcp` in the rule"));
        }
        Ok(Self { with })
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --reject-with {}", self.with.keyword())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, prints_as, round_trips, round_trips_6};

    #[test]
    fn rejections_round_trip() {
        round_trips(&["-p tcp -j REJECT --reject-with tcp-reset", "-j REJECT --reject-with icmp-admin-prohibited"]);
        round_trips_6(&["-j REJECT --reject-with icmp6-no-route", "-j REJECT --reject-with icmp6-reject-route"]);
        prints_as("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable");
        prints_as("-j REJECT --reject-with host-unreach", "-j REJECT --reject-with icmp-host-unreachable");
        prints("-j REJECT", "-j REJECT --reject-with icmp6-port-unreachable", Family::Ip6);
        is_refused(&["-j REJECT --reject-with odd", "-j REJECT --reject-with tcp-reset"]);
    }
}
