//! `-m ipcomp` (extensions/libxt_ipcomp.c).

use super::super::extension::{Given, Only, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{NumberRange, drop_every_number};

extension! {
    /// What the header of a compressed packet must be.
    Ipcomp, "ipcomp", Only::ANYWHERE.protocols(&[108]);
    /// The parameter index.
    spi: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--ipcompspi";
    /// The bits that must be nought are.
    reserved: bool, "--compres";
    => Ipcomp::settle;
}

impl Ipcomp {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.spi);
        Ok(())
    }
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
