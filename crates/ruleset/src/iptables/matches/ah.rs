//! `-m ah` (extensions/libipt_ah.c, extensions/libip6t_ah.c).

use super::super::extension::{Given, Only, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{NumberRange, drop_every_number};

extension! {
    /// What the authentication header of an IPv4 packet must be.
    Ah, "ah", Only::ANYWHERE.family(Family::Ip).protocols(&[51]);
    /// The parameter index.
    spi: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--ahspi";
    => Ah::settle;
}

impl Ah {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.spi);
        Ok(())
    }
}

extension! {
    /// What the authentication header of an IPv6 packet must be.
    Ah6, "ah", Only::ANYWHERE.family(Family::Ip6);
    /// The parameter index.
    spi: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--ahspi";
    /// How long it is.
    length: Option<Criterion<u32>>, "--ahlen";
    /// Its reserved field is nought.
    reserved: bool, "--ahres";
    => Ah6::settle;
}

impl Ah6 {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.spi);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p ah -m ah --ahspi 1:5", "-p ah -m ah ! --ahspi 7", "-p ah -m ah"]);
        round_trips_6(&["-m ah --ahspi 1:5 ! --ahlen 32 --ahres", "-m ah"]);
        is_refused(&["-p ah -m ah --ahspi 9:1"]);
    }
}
