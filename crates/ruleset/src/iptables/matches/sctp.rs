//! `-m sctp` (extensions/libxt_sctp.c). Ports are typed; a match with another option is opaque.

use std::fmt;

use super::super::rule::{Extension, Options};
use super::Ports;

/// What a SCTP packet must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sctp {
    /// Its ports.
    pub ports: Ports,
}

impl Extension for Sctp {
    const NAME: &'static str = "sctp";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        Ports::parse(options).map(|ports| Self { ports })
    }
}

impl fmt::Display for Sctp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ports.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn ports_round_trip() {
        round_trips(&["-m sctp --dport 80", "-m sctp --sport 1:1023 ! --dport 80", "-m sctp"]);
        prints_as("-m sctp --destination-port 1024: --sport :9", "-m sctp --sport 0:9 --dport 1024:65535");
        prints_as("-m sctp --dport :", "-m sctp");
    }

    #[test]
    fn what_is_not_typed_stays_as_it_is() {
        is_opaque(&[
            "-m sctp --dport http",
            "-m sctp --dport 9:1",
            "-m sctp --dport 1 --dport 2",
            "-m sctp --chunk-types all INIT",
        ]);
    }
}
