//! `-m connmark` (extensions/libxt_connmark.c).

use super::super::extension::extension;
use super::super::head::Criterion;
use super::super::value::MaskedMark;

extension! {
    /// What the mark of the connection must be under a mask.
    Connmark, "connmark";
    /// The value and its mask.
    mark: Criterion<MaskedMark>, "--mark";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m connmark --mark 0x1", "-m connmark ! --mark 0x1/0xf0"]);
        is_refused(&["-m connmark", "-m connmark --mark x"]);
    }
}
