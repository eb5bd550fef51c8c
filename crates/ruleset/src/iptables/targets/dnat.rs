//! `-j DNAT` (extensions/libxt_DNAT.c). One address with a port is typed; anything else is opaque.

use std::fmt;
use std::net::SocketAddr;

use super::super::rule::{Extension, Options};

/// Rewrites the destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dnat {
    /// The new destination.
    pub to: SocketAddr,
}

impl Extension for Dnat {
    const NAME: &'static str = "DNAT";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        match options.option()? {
            (false, "--to-destination") => options.value()?.parse().ok().map(|to| Self { to }),
            _ => None,
        }
    }
}

impl fmt::Display for Dnat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --to-destination {}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, round_trips};

    #[test]
    fn destinations_round_trip() {
        round_trips(&["-j DNAT --to-destination 10.0.0.1:80", "-j DNAT --to-destination [fd00::1]:80"]);
        is_opaque(&[
            "-j DNAT --to-destination 10.0.0.1",
            "-j DNAT --to-destination 10.0.0.1-10.0.0.9:80",
            "-j DNAT --to-destination 10.0.0.1:80 --persistent",
        ]);
    }
}
