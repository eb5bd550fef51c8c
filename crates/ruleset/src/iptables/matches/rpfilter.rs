//! `-m rpfilter` (extensions/libxt_rpfilter.c, `rpfilter_save`).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;

extension! {
    /// Whether answers would leave by the interface that a packet came in by.
    Rpfilter, "rpfilter", Only::ANYWHERE.tables(&[TableName::Raw, TableName::Mangle]).chains(&["PREROUTING"]);
    /// By any interface.
    loose: bool, "--loose";
    /// The packet's mark counts for the route.
    validmark: bool, "--validmark";
    /// Packets from this host's own addresses are fine.
    accept_local: bool, "--accept-local";
    /// Those that would not.
    invert: bool, "--invert";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m rpfilter", "-m rpfilter --loose --validmark --accept-local --invert"]);
        is_refused(&["-m rpfilter --odd"]);
    }
}
