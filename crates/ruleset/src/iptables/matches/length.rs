//! `-m length` (extensions/libxt_length.c).

use super::super::extension::extension;
use super::super::head::Criterion;
use super::super::value::NumberRange;

extension! {
    /// How long a packet must be.
    Length, "length";
    /// In bytes.
    length: Criterion<NumberRange<65535>>, "--length";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m length --length 1", "-m length ! --length 10:20"]);
        prints_as("-m length --length 5:", "-m length --length 5:65535");
        is_refused(&["-m length", "-m length --length 9:1", "-m length --length 65536", "-m length --length 1:x"]);
    }
}
