//! `-j SNPT` (extensions/libip6t_SNPT.c).

use super::super::extension::{Given, Only, extension};
use super::super::problem::Problem;
use super::super::ruleset::{Family, TableName};
use super::PrefixV6;

extension! {
    /// Rewrites the prefix of the source (RFC 6296).
    Snpt, "SNPT", Only::ANYWHERE.family(Family::Ip6).tables(&[TableName::Mangle]).chains(&["INPUT", "POSTROUTING"]);
    /// The prefix that is replaced.
    source: PrefixV6, "--src-pfx";
    /// The prefix that replaces it.
    destination: PrefixV6, "--dst-pfx";
    => Snpt::settle;
}

impl Snpt {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        self.source.translates_to(self.destination, given)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-j SNPT --src-pfx fd00::/64 --dst-pfx 2001:db8::/64"]);
        is_refused(&["-j SNPT --src-pfx fd00::/64", "-j SNPT --src-pfx fd00::/65 --dst-pfx fd01::/65"]);
    }
}
