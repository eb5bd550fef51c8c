//! `-j ECN` (extensions/libipt_ECN.c).

use super::super::extension::{Given, Only, extension};
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::ruleset::{Family, TableName};

extension! {
    /// Takes the congestion bits out of TCP packets.
    Ecn, "ECN", Only::ANYWHERE.family(Family::Ip).tables(&[TableName::Mangle]).protocols(&[Protocol::TCP]);
    /// Always so.
    tcp_remove: bool, "--ecn-tcp-remove";
    => Ecn::settle;
}

impl Ecn {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        given.exactly_one_of(&[0]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -j ECN --ecn-tcp-remove"]);
        is_refused(&["-p tcp -j ECN", "-j ECN --ecn-tcp-remove"]);
    }
}
