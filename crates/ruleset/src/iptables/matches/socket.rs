//! `-m socket` (extensions/libxt_socket.c, `socket_mt_save`).

use super::super::extension::{Only, extension};

extension! {
    /// Whether a socket of this host waits for a packet.
    Socket, "socket", Only::ANYWHERE.chains(&["PREROUTING", "INPUT"]);
    /// Only one that may take any address.
    transparent: bool, "--transparent";
    /// Also one that is bound to any address.
    nowildcard: bool, "--nowildcard";
    /// The packet gets its mark.
    restore_skmark: bool, "--restore-skmark";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m socket", "-m socket --transparent --nowildcard --restore-skmark"]);
        is_refused(&["-m socket --odd"]);
    }
}
