//! `-j TRACE` (extensions/libxt_TRACE.c).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;

extension! {
    /// Tells of each rule that a packet meets.
    Trace, "TRACE", Only::ANYWHERE.tables(&[TableName::Raw]);
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j TRACE"]);
        is_refused(&["-j TRACE --odd"]);
    }
}
