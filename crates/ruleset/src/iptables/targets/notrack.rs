//! `-j NOTRACK` (extensions/libxt_NOTRACK.c).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;

extension! {
    /// Leaves a packet out of conntrack.
    Notrack, "NOTRACK", Only::ANYWHERE.tables(&[TableName::Raw]);
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j NOTRACK"]);
        is_refused(&["-j NOTRACK --odd"]);
    }
}
