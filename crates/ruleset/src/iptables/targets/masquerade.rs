//! `-j MASQUERADE` (extensions/libxt_MASQUERADE.c).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;
use super::nat::ToPorts;

extension! {
    /// Makes the outgoing interface's address the source.
    Masquerade, "MASQUERADE", Only::ANYWHERE.tables(&[TableName::Nat]).chains(&["POSTROUTING"]);
    /// The ports to choose from.
    to_ports: Option<ToPorts>, "--to-ports";
    /// The port is chosen at random.
    random: bool, "--random";
    /// The port is chosen at random, without regard to the one it was.
    random_fully: bool, "--random-fully";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn masquerade_round_trips() {
        round_trips(&["-j MASQUERADE", "-j MASQUERADE --random-fully", "-p udp -j MASQUERADE --to-ports 1-9 --random"]);
        prints_as("-p tcp -j MASQUERADE --to-ports 9-9", "-p tcp -j MASQUERADE --to-ports 9");
        is_refused(&[
            "-j MASQUERADE --to-ports 1-9",
            "-p tcp -j MASQUERADE --to-ports 9-1",
            "-j MASQUERADE --persistent",
        ]);
    }
}
