//! `-j TTL` (extensions/libipt_TTL.c) and `-j HL` (extensions/libip6t_HL.c).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::{Family, TableName};

/// How a number of hops changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HopChange {
    /// It becomes that.
    Set(u8),
    /// It becomes so much less.
    Decrement(u8),
    /// It becomes so much more.
    Increment(u8),
}

impl HopChange {
    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1, 2])?;
        let value = option.read(given.context)?;
        Ok(match option.option {
            0 => Self::Set(value),
            _ if value == 0 => return Err(option.unexpected("a number from 1 to 255")),
            1 => Self::Decrement(value),
            _ => Self::Increment(value),
        })
    }

    fn print(self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        match self {
            Self::Set(value) => write!(f, " --{name}-set {value}"),
            Self::Decrement(value) => write!(f, " --{name}-dec {value}"),
            Self::Increment(value) => write!(f, " --{name}-inc {value}"),
        }
    }
}

/// Changes the TTL of an IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl {
    /// How.
    pub ttl: HopChange,
}

impl Extension for Ttl {
    const NAMES: &'static [&'static str] = &["TTL"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--ttl-set"]), Opt::word(&["--ttl-dec"]), Opt::word(&["--ttl-inc"])];
    const ONLY: Only = Only::ANYWHERE.family(Family::Ip).tables(&[TableName::Mangle]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        HopChange::build(given).map(|ttl| Self { ttl })
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ttl.print(f, "ttl")
    }
}

/// Changes the hop limit of an IPv6 packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hl {
    /// How.
    pub hl: HopChange,
}

impl Extension for Hl {
    const NAMES: &'static [&'static str] = &["HL"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--hl-set"]), Opt::word(&["--hl-dec"]), Opt::word(&["--hl-inc"])];
    const ONLY: Only = Only::ANYWHERE.family(Family::Ip6).tables(&[TableName::Mangle]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        HopChange::build(given).map(|hl| Self { hl })
    }
}

impl fmt::Display for Hl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hl.print(f, "hl")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j TTL --ttl-set 0", "-j TTL --ttl-dec 1", "-j TTL --ttl-inc 5"]);
        round_trips_6(&["-j HL --hl-set 42", "-j HL --hl-dec 1"]);
        is_refused(&["-j TTL", "-j TTL --ttl-dec 0", "-j HL --hl-set 256", "-j TTL --ttl-set 1 --ttl-inc 1"]);
    }
}
