//! `-m pkttype` (extensions/libxt_pkttype.c).

use super::super::extension::extension;
use super::super::head::Criterion;
use super::super::value::keywords;

keywords! {
    /// Whom a packet was sent to on its link.
    PacketType, "`unicast`, `broadcast` or `multicast`";
    /// This host.
    Unicast = "unicast" | "host",
    /// Everybody.
    Broadcast = "broadcast" | "bcast",
    /// A group.
    Multicast = "multicast" | "mcast",
}

extension! {
    /// Whom a packet was sent to on its link.
    Pkttype, "pkttype";
    /// To whom.
    kind: Criterion<PacketType>, "--pkt-type";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m pkttype --pkt-type unicast", "-m pkttype ! --pkt-type multicast"]);
        prints_as("-m pkttype --pkt-type bcast", "-m pkttype --pkt-type broadcast");
        is_refused(&["-m pkttype", "-m pkttype --pkt-type odd"]);
    }
}
