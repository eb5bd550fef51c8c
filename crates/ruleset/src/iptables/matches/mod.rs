//! Matches (`-m NAME …`): one file per extension, each with its options and their tests.

mod addrtype;
mod comment;
mod connmark;
mod conntrack;
mod cpu;
mod dscp;
mod ecn;
mod esp;
mod helper;
mod icmp;
mod icmp6;
mod ipcomp;
mod iprange;
mod length;
mod limit;
mod mac;
mod mark;
mod multiport;
mod owner;
mod physdev;
mod pkttype;
mod quota;
mod recent;
mod sctp;
mod set;
mod state;
mod statistic;
mod string;
mod tcp;
mod tcpmss;
mod tos;
mod ttl;
mod udp;

pub use addrtype::{AddressType, AddressTypes, Addrtype};
pub use comment::Comment;
pub use connmark::Connmark;
pub use conntrack::{Conntrack, CtDirection, CtState, CtStates, CtStatus, CtStatuses, ProtocolNumber};
pub use cpu::Cpu;
pub use dscp::{Dscp, DscpValue};
pub use ecn::Ecn;
pub use esp::Esp;
pub use helper::Helper;
pub use icmp::{Icmp, IcmpType};
pub use icmp6::{Icmp6, Icmpv6Type};
pub use ipcomp::Ipcomp;
pub use iprange::{AddressRange, Iprange};
pub use length::Length;
pub use limit::Limit;
pub use mac::{Mac, MacAddress};
pub use mark::Mark;
pub use multiport::{Multiport, PortList, Side};
pub use owner::{Owner, OwnerRange};
pub use physdev::Physdev;
pub use pkttype::{PacketType, Pkttype};
pub use quota::Quota;
pub use recent::{Recent, RecentAction};
pub use sctp::{Chunk, ChunkScope, Chunks, Sctp};
pub use set::{CounterTest, Set, SetLookup};
pub use state::State;
pub use statistic::Statistic;
pub use string::{Pattern, SearchAlgorithm, StringMatch};
pub use tcp::{Tcp, TcpFlags};
pub use tcpmss::Tcpmss;
pub use tos::{Tos, TosValue};
pub use ttl::{Hl, HopLimit, Ttl};
pub use udp::Udp;

use super::extension::extensions;

extensions! {
    /// A match: what a packet must be for the rule to apply.
    ///
    /// [`Self::Opaque`] holds one that we do not know, from `-m` to its last option.
    Match {
        /// What the routing table says of a packet's addresses.
        Addrtype,
        /// What people wrote about a rule.
        Comment,
        /// What the mark of the connection must be under a mask.
        Connmark,
        /// What conntrack must know of the connection.
        Conntrack,
        /// The processor that handles a packet.
        Cpu,
        /// The class of service in a packet's header.
        Dscp,
        /// What the congestion bits of a packet must be.
        Ecn,
        /// What an encrypted packet must be.
        Esp,
        /// The conntrack helper of the connection.
        Helper,
        /// What the hop limit of an IPv6 packet must be.
        Hl,
        /// What an ICMP packet must be.
        Icmp,
        /// What an ICMPv6 packet must be.
        Icmp6,
        /// What the header of a compressed packet must be.
        Ipcomp,
        /// Ranges a packet's addresses must be in.
        Iprange,
        /// How long a packet must be.
        Length,
        /// At most so many packets in a time.
        Limit,
        /// Who sent a packet on an Ethernet.
        Mac,
        /// What the packet mark must be under a mask.
        Mark,
        /// The ports one of which a packet must have.
        Multiport,
        /// Whose program on this host sent a packet.
        Owner,
        /// The bridge ports a packet passes.
        Physdev,
        /// Whom a packet was sent to on its link.
        Pkttype,
        /// So many bytes, and no more.
        Quota,
        /// Addresses that were seen lately, in a list by name.
        Recent,
        /// What a SCTP packet must be.
        Sctp,
        /// Whether a packet is in a set of ipset(8).
        Set,
        /// The state of the packet's connection; an older way to write [`super::Conntrack`].
        State,
        /// A part of the packets.
        Statistic,
        /// Text that a packet must hold.
        StringMatch,
        /// What a TCP packet must be.
        Tcp,
        /// The largest segment that a TCP packet announces.
        Tcpmss,
        /// The type of service in a packet's header.
        Tos,
        /// What the TTL of an IPv4 packet must be.
        Ttl,
        /// What a UDP packet must be.
        Udp,
    }
}
