//! `-j REJECT` (extensions/libipt_REJECT.c, extensions/libip6t_REJECT.c).

use std::fmt;

use super::super::rule::{Extension, Options};
use super::super::ruleset::Family;

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectWith {
    /// A TCP reset. Unlike ICMP errors, the kernel sends them at any rate.
    TcpReset,
    /// The port is unreachable, in the family's own words.
    PortUnreachable(Family),
    /// Nobody may go there, in the family's own words.
    AdminProhibited(Family),
}

impl RejectWith {
    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::TcpReset => "tcp-reset",
            Self::PortUnreachable(Family::Ip) => "icmp-port-unreachable",
            Self::PortUnreachable(Family::Ip6) => "icmp6-port-unreachable",
            Self::AdminProhibited(Family::Ip) => "icmp-admin-prohibited",
            Self::AdminProhibited(Family::Ip6) => "icmp6-adm-prohibited",
        }
    }
}

/// Tells the sender no, and drops the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reject {
    /// What it is told.
    pub with: RejectWith,
}

impl Extension for Reject {
    const NAME: &'static str = "REJECT";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let family = options.family();
        let known = [RejectWith::TcpReset, RejectWith::PortUnreachable(family), RejectWith::AdminProhibited(family)];
        let with = match options.option() {
            None => RejectWith::PortUnreachable(family),
            Some((false, "--reject-with")) => {
                let word = options.value()?;
                known.into_iter().find(|with| with.keyword() == word)?
            }
            Some(_) => return None,
        };
        Some(Self { with })
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
    use crate::iptables::rule::tests::{is_opaque, parsed, prints_as, round_trips};

    #[test]
    fn rejections_round_trip() {
        round_trips(&["-j REJECT --reject-with tcp-reset", "-j REJECT --reject-with icmp-admin-prohibited"]);
        prints_as("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable");
        is_opaque(&["-j REJECT --reject-with icmp-host-unreachable", "-j REJECT --reject-with icmp6-port-unreachable"]);
    }

    #[test]
    fn ip6tables_has_words_of_its_own() {
        let rule = parsed("-j REJECT", Family::Ip6);
        assert_eq!(rule.to_string(), "-j REJECT --reject-with icmp6-port-unreachable");
    }
}
