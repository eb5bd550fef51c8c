//! `-m ttl` (extensions/libipt_ttl.c, `ttl_save`) and `-m hl` (extensions/libip6t_hl.c), the same for IPv6.

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::Family;

/// What a number of hops must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HopLimit {
    /// Exactly so.
    Is(u8),
    /// Not so.
    IsNot(u8),
    /// Less.
    Below(u8),
    /// More.
    Above(u8),
}

impl HopLimit {
    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1, 2])?;
        let value = option.read(given.context)?;
        Ok(match (option.option, option.inverted) {
            (0, false) => Self::Is(value),
            (0, true) => Self::IsNot(value),
            (1, _) => Self::Below(value),
            _ => Self::Above(value),
        })
    }

    fn print(self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        match self {
            Self::Is(value) => write!(f, " --{name}-eq {value}"),
            Self::IsNot(value) => write!(f, " ! --{name}-eq {value}"),
            Self::Below(value) => write!(f, " --{name}-lt {value}"),
            Self::Above(value) => write!(f, " --{name}-gt {value}"),
        }
    }
}

/// What the TTL of an IPv4 packet must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl {
    /// The value.
    pub ttl: HopLimit,
}

impl Extension for Ttl {
    const NAMES: &'static [&'static str] = &["ttl"];
    const OPTIONS: &'static [Opt] =
        &[Opt::word(&["--ttl-eq", "--ttl"]).or_not(), Opt::word(&["--ttl-lt"]), Opt::word(&["--ttl-gt"])];
    const ONLY: Only = Only::ANYWHERE.family(Family::Ip);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        HopLimit::build(given).map(|ttl| Self { ttl })
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ttl.print(f, "ttl")
    }
}

/// What the hop limit of an IPv6 packet must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hl {
    /// The value.
    pub hl: HopLimit,
}

impl Extension for Hl {
    const NAMES: &'static [&'static str] = &["hl"];
    const OPTIONS: &'static [Opt] =
        &[Opt::word(&["--hl-eq", "--hl"]).or_not(), Opt::word(&["--hl-lt"]), Opt::word(&["--hl-gt"])];
    const ONLY: Only = Only::ANYWHERE.family(Family::Ip6);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        HopLimit::build(given).map(|hl| Self { hl })
    }
}

impl fmt::Display for Hl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hl.print(f, "hl")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, prints_as, round_trips, round_trips_6};

    #[test]
    fn numbers_of_hops_round_trip() {
        round_trips(&["-m ttl --ttl-eq 64", "-m ttl ! --ttl-eq 64", "-m ttl --ttl-lt 0", "-m ttl --ttl-gt 5"]);
        round_trips_6(&["-m hl ! --hl-eq 64", "-m hl --hl-gt 5"]);
        prints_as("-m ttl --ttl 1", "-m ttl --ttl-eq 1");
        prints("-m hl --hl 1", "-m hl --hl-eq 1", Family::Ip6);
        is_refused(&["-m ttl", "-m ttl --ttl 256", "-m hl --hl-eq 1 --hl-lt 2", "-m ttl ! --ttl-lt 1"]);
    }
}
