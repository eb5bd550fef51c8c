//! `-j DNAT` (extensions/libxt_NAT.c, `DNAT_save`).

use std::net::SocketAddr;

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;
use super::nat::{DestinationRange, NatRange};

extension! {
    /// Rewrites the destination.
    Dnat, "DNAT", Only::ANYWHERE.tables(&[TableName::Nat]).chains(&["PREROUTING", "OUTPUT"]);
    /// The new destination.
    to: DestinationRange, "--to-destination";
    /// The port is chosen at random.
    random: bool, "--random";
    /// A client always gets the same address.
    persistent: bool, "--persistent";
}

impl Dnat {
    /// To one address and port.
    pub fn to(socket: SocketAddr) -> Self {
        Self { to: DestinationRange(NatRange::to(socket)), random: false, persistent: false }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, round_trips, round_trips_6};

    #[test]
    fn destinations_round_trip() {
        round_trips(&[
            "-j DNAT --to-destination 10.0.0.1",
            "-p tcp -j DNAT --to-destination 10.0.0.1:80",
            "-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90/8000 --random --persistent",
            "-p udp -j DNAT --to-destination :80",
        ]);
        round_trips_6(&[
            "-j DNAT --to-destination fd00::1-fd00::9",
            "-p tcp -j DNAT --to-destination [fd00::1]:80",
            "-p tcp -j DNAT --to-destination [fd00::1-fd00::9]:80-90",
        ]);
        let (written, printed) = ("[fd00::1]-[fd00::2]:80", "[fd00::1-fd00::2]:80");
        let rule = |to| format!("-p tcp -j DNAT --to-destination {to}");
        prints(&rule(written), &rule(printed), Family::Ip6);
        is_refused(&[
            "-j DNAT",
            "-j DNAT --to-destination 10.0.0.1:80",
            "-p tcp -j DNAT --to-destination 10.0.0.1:0",
            "-p tcp -j DNAT --to-destination 10.0.0.9-10.0.0.1",
            "-p tcp -j DNAT --to-destination 10.0.0.1 --to-destination 10.0.0.2",
            "-p tcp -j DNAT --to-destination host",
            "-p tcp -j DNAT --to-destination 10.0.0.1:1-ssh",
            "-p tcp -j DNAT --to-destination 10.0.0.1:1-2/0",
        ]);
    }
}
