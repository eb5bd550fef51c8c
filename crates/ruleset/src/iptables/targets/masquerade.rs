//! `-j MASQUERADE` (extensions/libxt_MASQUERADE.c). `--random` and `--to-ports` are opaque.

use std::fmt;

use super::super::rule::{Extension, Options};

/// Makes the outgoing interface's address the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Masquerade {
    /// The port is chosen at random.
    pub random_fully: bool,
}

impl Extension for Masquerade {
    const NAME: &'static str = "MASQUERADE";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        match options.option() {
            None => Some(Self { random_fully: false }),
            Some((false, "--random-fully")) => Some(Self { random_fully: true }),
            Some(_) => None,
        }
    }
}

impl fmt::Display for Masquerade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.random_fully { " --random-fully" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, round_trips};

    #[test]
    fn masquerade_round_trips() {
        round_trips(&["-j MASQUERADE", "-j MASQUERADE --random-fully"]);
        is_opaque(&["-j MASQUERADE --random-fully --random", "-j MASQUERADE --to-ports 1-9"]);
    }
}
