//! `-j DNPT` (extensions/libip6t_DNPT.c).

use std::fmt;

use ipnet::Ipv6Net;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::problem::Problem;
use super::super::ruleset::{Family, TableName};

/// A prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixV6(pub Ipv6Net);

impl PrefixV6 {
    /// Whether a translation can replace the one by the other.
    pub(super) fn translates_to(self, other: Self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if self.0.prefix_len() > 64 || other.0.prefix_len() > 64 {
            return Err(given.problem("prefixes are at most 64 bits long"));
        }
        Ok(())
    }
}

impl Value for PrefixV6 {
    const EXPECTED: &'static str = "a prefix as `fd00::/64`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        word.parse().ok().map(Self)
    }
}

impl fmt::Display for PrefixV6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

extension! {
    /// Rewrites the prefix of the destination (RFC 6296).
    Dnpt, "DNPT", Only::ANYWHERE.family(Family::Ip6).tables(&[TableName::Mangle]).chains(&["PREROUTING", "OUTPUT"]);
    /// The prefix that is replaced.
    source: PrefixV6, "--src-pfx";
    /// The prefix that replaces it.
    destination: PrefixV6, "--dst-pfx";
    => Dnpt::settle;
}

impl Dnpt {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        self.source.translates_to(self.destination, given)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-j DNPT --src-pfx fd00::/64 --dst-pfx 2001:db8::/64"]);
        is_refused(&["-j DNPT --src-pfx fd00::/64", "-j DNPT --src-pfx fd00::/65 --dst-pfx fd01::/65"]);
    }
}
