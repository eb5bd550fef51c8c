//! `-m esp` (extensions/libxt_esp.c).

use super::super::extension::{Given, Only, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{NumberRange, drop_every_number};

extension! {
    /// What an encrypted packet must be.
    Esp, "esp", Only::ANYWHERE.protocols(&[50]);
    /// The parameter index.
    spi: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--espspi";
    => Esp::settle;
}

impl Esp {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.spi);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p esp -m esp --espspi 32", "-p esp -m esp ! --espspi 0:4294967295", "-p esp -m esp"]);
        prints_as("-p esp --espspi 0:", "-p esp -m esp");
        is_refused(&["-m esp --espspi 32", "-p esp --espspi 9:1", "-p esp --espspi 4294967296"]);
    }
}
