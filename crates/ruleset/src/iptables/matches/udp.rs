//! `-m udp` (extensions/libxt_udp.c). Ports are typed; a match with another option is opaque.

use std::fmt;

use super::super::rule::{Extension, Options};
use super::Ports;

/// What a UDP packet must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Udp {
    /// Its ports.
    pub ports: Ports,
}

impl Extension for Udp {
    const NAME: &'static str = "udp";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        Ports::parse(options).map(|ports| Self { ports })
    }
}

impl fmt::Display for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ports.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn ports_round_trip() {
        round_trips(&["-m udp --dport 80", "-m udp --sport 1:1023 ! --dport 80", "-m udp"]);
        prints_as("-m udp --destination-port 1024: --sport :9", "-m udp --sport 0:9 --dport 1024:65535");
        prints_as("-m udp --dport :", "-m udp");
    }

    #[test]
    fn what_is_not_typed_stays_as_it_is() {
        is_opaque(&["-m udp --dport http", "-m udp --dport 9:1", "-m udp --dport 1 --dport 2", "-m udp --odd"]);
    }
}
