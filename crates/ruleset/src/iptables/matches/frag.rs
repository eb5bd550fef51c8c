//! `-m frag` (extensions/libip6t_frag.c, `frag_save`).

use super::super::extension::{Given, Only, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{NumberRange, drop_every_number};

extension! {
    /// What the fragment header must be.
    Frag, "frag", Only::ANYWHERE.family(Family::Ip6);
    /// The identifier of the packet.
    id: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--fragid";
    /// How long it is.
    length: Option<Criterion<u32>>, "--fraglen";
    /// Its reserved fields are nought.
    reserved: bool, "--fragres";
    /// It is the first one.
    first: bool, "--fragfirst";
    /// It is not the last one.
    more: bool, "--fragmore";
    /// It is the last one.
    last: bool, "--fraglast";
    => Frag::settle;
}

impl Frag {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.id);
        given.one_of(&[4, 5]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&[
            "-m frag",
            "-m frag --fragid 1:42 --fraglen 42 --fragres --fragmore",
            "-m frag ! --fragid 1 --fragfirst --fraglast",
        ]);
        is_refused(&["-m frag --fragmore --fraglast", "-m frag --fragid 9:1"]);
    }
}
