//! `-m eui64` (extensions/libip6t_eui64.c).

use super::super::extension::{Only, extension};
use super::super::ruleset::Family;

extension! {
    /// The second half of the source address is made of the Ethernet address.
    Eui64, "eui64", Only::ANYWHERE.family(Family::Ip6).chains(&["PREROUTING", "INPUT", "FORWARD"]);
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-m eui64"]);
        is_refused(&["-m eui64 --odd"]);
    }
}
