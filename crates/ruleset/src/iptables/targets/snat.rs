//! `-j SNAT` (extensions/libxt_NAT.c, `SNAT_save`).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;
use super::nat::NatRange;

extension! {
    /// Rewrites the source.
    Snat, "SNAT", Only::ANYWHERE.tables(&[TableName::Nat]).chains(&["POSTROUTING", "INPUT"]);
    /// The new source.
    to: NatRange, "--to-source";
    /// The port is chosen at random.
    random: bool, "--random";
    /// The port is chosen at random, without regard to the one it was.
    random_fully: bool, "--random-fully";
    /// A client always gets the same address.
    persistent: bool, "--persistent";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn sources_round_trip() {
        round_trips(&[
            "-j SNAT --to-source 10.0.0.1",
            "-p tcp -j SNAT --to-source 10.0.0.1-10.0.0.9:1024-2048 --random --random-fully --persistent",
        ]);
        round_trips_6(&["-p tcp -j SNAT --to-source [fd00::1]:80"]);
        prints_as("-j SNAT --to 10.0.0.1", "-j SNAT --to-source 10.0.0.1");
        is_refused(&["-j SNAT", "-j SNAT --to-source 10.0.0.1:80", "-p tcp -j SNAT --to-source 10.0.0.1:1-2/3"]);
    }
}
