//! `-m mark` (extensions/libxt_mark.c, `mark_mt_save`).

use super::super::extension::extension;
use super::super::head::Criterion;
use super::super::value::MaskedMark;

extension! {
    /// What the packet mark must be under a mask.
    Mark, "mark";
    /// The value and its mask.
    mark: Criterion<MaskedMark>, "--mark";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn marks_round_trip() {
        round_trips(&["-m mark --mark 0x4000/0x4000", "-m mark ! --mark 0x0/0xff", "-m mark --mark 0x1"]);
        prints_as("-m mark --mark 16/0xff", "-m mark --mark 0x10/0xff");
        prints_as("-m mark --mark 1/0xffffffff", "-m mark --mark 0x1");
        is_refused(&["-m mark --mark x", "-m mark --mark 0x100000000", "-m mark"]);
    }
}
