//! `-j REDIRECT` (extensions/libxt_NAT.c, `REDIRECT_save`).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;

use super::nat::ToPorts;

extension! {
    /// Makes this host the destination.
    Redirect, "REDIRECT", Only::ANYWHERE.tables(&[TableName::Nat]).chains(&["PREROUTING", "OUTPUT"]);
    /// The ports to choose from.
    to_ports: Option<ToPorts>, "--to-ports";
    /// The port is chosen at random.
    random: bool, "--random";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j REDIRECT",
            "-p tcp -j REDIRECT --to-ports 8080",
            "-p udp -j REDIRECT --to-ports 1-9 --random",
        ]);
        prints_as("-p tcp -j REDIRECT --to-port 80", "-p tcp -j REDIRECT --to-ports 80");
        is_refused(&["-j REDIRECT --to-ports 80", "-p tcp -j REDIRECT --to-ports 9-1"]);
    }
}
