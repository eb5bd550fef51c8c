//! `-j CHECKSUM` (extensions/libxt_CHECKSUM.c).

use super::super::extension::{Given, Only, extension};
use super::super::problem::Problem;
use super::super::ruleset::TableName;

extension! {
    /// Fills in a packet's checksum.
    Checksum, "CHECKSUM", Only::ANYWHERE.tables(&[TableName::Mangle]);
    /// Always so.
    fill: bool, "--checksum-fill";
    => Checksum::settle;
}

impl Checksum {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        given.exactly_one_of(&[0]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j CHECKSUM --checksum-fill"]);
        is_refused(&["-j CHECKSUM", "-j CHECKSUM --checksum-fill x"]);
    }
}
