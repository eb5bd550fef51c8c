//! `-m ipcomp` (extensions/libxt_ipcomp.c).

use super::super::extension::{Only, extension};
use super::super::head::Criterion;
use super::super::value::NumberRange;

extension! {
    /// What the header of a compressed packet must be.
    Ipcomp, "ipcomp", Only::ANYWHERE.protocols(&[108]);
    /// The parameter index.
    spi: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--ipcompspi";
    /// The bits that must be nought are.
    reserved: bool, "--compres";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p ipcomp -m ipcomp --ipcompspi 18", "-p ipcomp -m ipcomp ! --ipcompspi 1:9"]);
        is_refused(&["-m ipcomp --ipcompspi 18", "-p ipcomp -m ipcomp --ipcompspi x"]);
    }
}
