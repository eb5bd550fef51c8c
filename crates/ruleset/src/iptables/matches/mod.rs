//! Matches (`-m NAME …`): one file per extension, each with its options and their tests.

mod addrtype;
mod ah;
mod bpf;
mod cgroup;
mod cluster;
mod comment;
mod connbytes;
mod connlabel;
mod connlimit;
mod connmark;
mod conntrack;
mod cpu;
mod dccp;
mod devgroup;
mod dscp;
mod dst;
mod ecn;
mod esp;
mod eui64;
mod frag;
mod hashlimit;
mod hbh;
mod helper;
mod icmp;
mod icmp6;
mod ipcomp;
mod iprange;
mod ipv6header;
mod ipvs;
mod length;
mod limit;
mod mac;
mod mark;
mod mh;
mod multiport;
mod nfacct;
mod osf;
mod owner;
mod physdev;
mod pkttype;
mod policy;
mod quota;
mod realm;
mod recent;
mod rpfilter;
mod rt;
mod sctp;
mod set;
mod socket;
mod srh;
mod state;
mod statistic;
mod string;
mod tcp;
mod tcpmss;
mod time;
mod tos;
mod ttl;
mod u32;
mod udp;

pub use addrtype::{AddressType, AddressTypes, Addrtype};
pub use ah::{Ah, Ah6};
pub use bpf::{Bpf, BpfInstruction};
pub use cgroup::Cgroup;
pub use cluster::Cluster;
pub use comment::Comment;
pub use connbytes::{Connbytes, ConnbytesDirection, ConnbytesMode, CountRange};
pub use connlabel::{Connlabel, QuotedName};
pub use connlimit::Connlimit;
pub use connmark::Connmark;
pub use conntrack::{Conntrack, CtDirection, CtState, CtStates, CtStatus, CtStatuses, ProtocolNumber};
pub use cpu::Cpu;
pub use dccp::{Dccp, DccpType, DccpTypes};
pub use devgroup::{Devgroup, DeviceGroup};
pub use dscp::{Dscp, DscpValue};
pub use dst::{Dst, OptionTypes};
pub use ecn::Ecn;
pub use esp::Esp;
pub use eui64::Eui64;
pub use frag::Frag;
pub use hashlimit::{Hashlimit, HashlimitMode, HashlimitRate};
pub use hbh::Hbh;
pub use helper::Helper;
pub use icmp::{Icmp, IcmpType};
pub use icmp6::{Icmp6, Icmpv6Type};
pub use ipcomp::Ipcomp;
pub use iprange::{AddressRange, Iprange};
pub use ipv6header::{HeaderNames, Ipv6Header};
pub use ipvs::{Ipvs, IpvsMethod, PortNumber};
pub use length::Length;
pub use limit::Limit;
pub use mac::{Mac, MacAddress};
pub use mark::Mark;
pub use mh::{Mh, MhTypes};
pub use multiport::{Multiport, PortList, Side};
pub use nfacct::Nfacct;
pub use osf::Osf;
pub use owner::{Owner, OwnerRange};
pub use physdev::Physdev;
pub use pkttype::{PacketType, Pkttype};
pub use policy::{Policy, PolicyDirection, PolicyElement, PolicyKind, PolicyMode};
pub use quota::Quota;
pub use realm::{Realm, RealmValue};
pub use recent::{Recent, RecentAction};
pub use rpfilter::Rpfilter;
pub use rt::{RouteAddresses, Rt};
pub use sctp::{Chunk, ChunkScope, Chunks, Sctp};
pub use set::{CounterTest, Set, SetLookup};
pub use socket::Socket;
pub use srh::Srh;
pub use state::State;
pub use statistic::Statistic;
pub use string::{Pattern, SearchAlgorithm, StringMatch};
pub use tcp::{Tcp, TcpFlags};
pub use tcpmss::Tcpmss;
pub use time::Time;
pub use tos::{Tos, TosValue};
pub use ttl::{Hl, HopLimit, Ttl};
pub use u32::{U32, U32Step, U32Test, U32Tests};
pub use udp::Udp;

use super::extension::extensions;

extensions! {
    /// A match: what a packet must be for the rule to apply.
    ///
    /// [`Self::Opaque`] holds one that we do not know, from `-m` to its last option.
    Match {
        /// What the routing table says of a packet's addresses.
        Addrtype,
        /// What the authentication header of an IPv4 packet must be.
        Ah,
        /// What the authentication header of an IPv6 packet must be.
        Ah6,
        /// A program that decides.
        Bpf,
        /// The control group whose process sent or gets a packet.
        Cgroup,
        /// Which share of all connections this node of a cluster takes.
        Cluster,
        /// What people wrote about a rule.
        Comment,
        /// How much a connection carried so far.
        Connbytes,
        /// A label of the connection. The numbers behind the names are in a file of each machine.
        Connlabel,
        /// How many connections there are already, of addresses that share a prefix.
        Connlimit,
        /// What the mark of the connection must be under a mask.
        Connmark,
        /// What conntrack must know of the connection.
        Conntrack,
        /// The processor that handles a packet.
        Cpu,
        /// What a DCCP packet must be.
        Dccp,
        /// The groups of a packet's interfaces.
        Devgroup,
        /// The class of service in a packet's header.
        Dscp,
        /// What the header of destination options must be.
        Dst,
        /// What the congestion bits of a packet must be.
        Ecn,
        /// What an encrypted packet must be.
        Esp,
        /// The second half of the source address is made of the Ethernet address.
        Eui64,
        /// What the fragment header must be.
        Frag,
        /// A rate for each value of some fields.
        Hashlimit,
        /// What the header of hop-by-hop options must be.
        Hbh,
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
        /// Which headers a packet has.
        Ipv6Header,
        /// What IPVS knows of the connection.
        Ipvs,
        /// How long a packet must be.
        Length,
        /// At most so many packets in a time.
        Limit,
        /// Who sent a packet on an Ethernet.
        Mac,
        /// What the packet mark must be under a mask.
        Mark,
        /// What the mobility header must be.
        Mh,
        /// The ports one of which a packet must have.
        Multiport,
        /// Counts packets in an object of nfacct(8).
        Nfacct,
        /// Which system a TCP connection seems to come from.
        Osf,
        /// Whose program on this host sent a packet.
        Owner,
        /// The bridge ports a packet passes.
        Physdev,
        /// Whom a packet was sent to on its link.
        Pkttype,
        /// The IPsec policy of a packet.
        Policy,
        /// So many bytes, and no more.
        Quota,
        /// The realm of the route to where a packet came from or goes to.
        Realm,
        /// Addresses that were seen lately, in a list by name.
        Recent,
        /// Whether answers would leave by the interface that a packet came in by.
        Rpfilter,
        /// What the routing header must be.
        Rt,
        /// What a SCTP packet must be.
        Sctp,
        /// Whether a packet is in a set of ipset(8).
        Set,
        /// Whether a socket of this host waits for a packet.
        Socket,
        /// What the segment routing header must be.
        Srh,
        /// The state of the packet's connection; an older way to write [`Conntrack`].
        State,
        /// A part of the packets.
        Statistic,
        /// Text that a packet must hold.
        StringMatch,
        /// What a TCP packet must be.
        Tcp,
        /// The largest segment that a TCP packet announces.
        Tcpmss,
        /// When a packet comes.
        Time,
        /// The type of service in a packet's header.
        Tos,
        /// What the TTL of an IPv4 packet must be.
        Ttl,
        /// Bytes anywhere in a packet.
        U32,
        /// What a UDP packet must be.
        Udp,
    }
}
