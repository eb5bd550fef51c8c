//! `-m tcp` (extensions/libxt_tcp.c). Ports are typed; a match with another option is opaque.

use std::fmt;

use super::super::rule::{Extension, Options};
use super::Ports;

/// What a TCP packet must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tcp {
    /// Its ports.
    pub ports: Ports,
}

impl Extension for Tcp {
    const NAME: &'static str = "tcp";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        Ports::parse(options).map(|ports| Self { ports })
    }
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ports.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn ports_round_trip() {
        round_trips(&["-m tcp --dport 80", "-m tcp --sport 1:1023 ! --dport 80", "-m tcp"]);
        prints_as("-m tcp --destination-port 1024: --sport :9", "-m tcp --sport 0:9 --dport 1024:65535");
        prints_as("-m tcp --dport :", "-m tcp");
    }

    #[test]
    fn what_is_not_typed_stays_as_it_is() {
        is_opaque(&[
            "-m tcp --dport http",
            "-m tcp --dport 9:1",
            "-m tcp --dport 1 --dport 2",
            "-m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
        ]);
    }
}
