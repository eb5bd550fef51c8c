//! `-m hbh` (extensions/libip6t_hbh.c).

use super::super::extension::{Only, extension};
use super::super::head::Criterion;
use super::super::ruleset::Family;

use super::OptionTypes;

extension! {
    /// What the header of hop-by-hop options must be.
    Hbh, "hbh", Only::ANYWHERE.family(Family::Ip6);
    /// How long it is.
    length: Option<Criterion<u32>>, "--hbh-len";
    /// The options it must have.
    options: Option<OptionTypes>, "--hbh-opts";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-m hbh --hbh-len 8 --hbh-opts 149:92,12,1:0", "-m hbh ! --hbh-len 5", "-m hbh"]);
        is_refused(&["-m hbh --hbh-opts 256", "-m hbh --hbh-len x"]);
    }
}
