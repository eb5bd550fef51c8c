//! Targets (`-j NAME …`): one file per extension, each with its options and their tests.

mod audit;
mod checksum;
mod classify;
mod clusterip;
mod connmark;
mod connsecmark;
mod ct;
mod dnat;
mod dnpt;
mod dscp;
mod ecn;
mod hmark;
mod idletimer;
mod led;
mod log;
mod mark;
mod masquerade;
mod nat;
mod netmap;
mod nflog;
mod nfqueue;
mod notrack;
mod rateest;
mod redirect;
mod reject;
mod secmark;
mod set;
mod snat;
mod snpt;
mod synproxy;
mod tcpmss;
mod tcpoptstrip;
mod tee;
mod tos;
mod tproxy;
mod trace;
mod ttl;
mod ulog;

pub use audit::{Audit, AuditType};
pub use checksum::Checksum;
pub use classify::{ClassId, Classify};
pub use clusterip::{ClusterHash, Clusterip};
pub use connmark::{Connmark, Shift};
pub use connsecmark::Connsecmark;
pub use ct::{Ct, CtEvent, CtEvents, CtZone, ExpectEvents};
pub use dnat::Dnat;
pub use dnpt::{Dnpt, PrefixV6};
pub use dscp::Dscp;
pub use ecn::Ecn;
pub use hmark::{Hmark, PaddedHex};
pub use idletimer::Idletimer;
pub use led::{Led, LedDelay, QuotedName};
pub use log::{Log, LogLevel};
pub use mark::Mark;
pub use masquerade::Masquerade;
pub use nat::{DestinationRange, NatRange, ToPorts};
pub use netmap::{Netmap, NetmapNetwork};
pub use nflog::Nflog;
pub use nfqueue::Nfqueue;
pub use notrack::Notrack;
pub use rateest::{Duration, Rateest};
pub use redirect::Redirect;
pub use reject::{Reject, RejectWith};
pub use secmark::Secmark;
pub use set::Set;
pub use snat::Snat;
pub use snpt::Snpt;
pub use synproxy::Synproxy;
pub use tcpmss::Tcpmss;
pub use tcpoptstrip::{OptionKinds, Tcpoptstrip};
pub use tee::Tee;
pub use tos::Tos;
pub use tproxy::Tproxy;
pub use trace::Trace;
pub use ttl::{Hl, HopChange, Ttl};
pub use ulog::Ulog;

use super::extension::extensions;

extensions! {
    /// A target that is an extension: what becomes of a packet.
    ///
    /// [`Self::Opaque`] holds one that we do not know and that has options, from `-j` to its last one.
    Action {
        /// Records what becomes of a packet.
        Audit,
        /// Fills in a packet's checksum.
        Checksum,
        /// Puts a packet into a class of traffic control.
        Classify,
        /// Shares one address among several nodes.
        Clusterip,
        /// The mark of the connection.
        Connmark,
        /// The security context of the connection.
        Connsecmark,
        /// Says how conntrack treats a packet's connection, before it does.
        Ct,
        /// Rewrites the destination.
        Dnat,
        /// Rewrites the prefix of the destination (RFC 6296).
        Dnpt,
        /// Sets the class of service in a packet's header.
        Dscp,
        /// Takes the congestion bits out of TCP packets.
        Ecn,
        /// Changes the hop limit of an IPv6 packet.
        Hl,
        /// What is hashed for the packet mark.
        Hmark,
        /// Tells programs when no packet came for some time.
        Idletimer,
        /// Makes a light blink.
        Led,
        /// Writes about a packet into the kernel's log, and goes on.
        Log,
        /// Sets the packet mark: clears the bits of the mask, then flips those of the value.
        Mark,
        /// Makes the outgoing interface's address the source.
        Masquerade,
        /// Rewrites the network of an address, and keeps the rest of it.
        Netmap,
        /// Hands a packet to a program that logs, and goes on.
        Nflog,
        /// Hands a packet to a program that decides.
        Nfqueue,
        /// Leaves a packet out of conntrack.
        Notrack,
        /// Measures the rate of packets.
        Rateest,
        /// Makes this host the destination.
        Redirect,
        /// Tells the sender no, and drops the packet.
        Reject,
        /// Gives a packet a security context.
        Secmark,
        /// Adds to sets of ipset(8), and takes away.
        Set,
        /// Rewrites the source.
        Snat,
        /// Rewrites the prefix of the source (RFC 6296).
        Snpt,
        /// Answers the beginning of TCP connections itself.
        Synproxy,
        /// The largest segment a TCP connection is told to send.
        Tcpmss,
        /// Takes options out of TCP packets.
        Tcpoptstrip,
        /// Sends a copy of a packet elsewhere.
        Tee,
        /// Sets the type of service in a packet's header: clears the bits of the mask, then flips those of the value.
        Tos,
        /// Hands a packet to a local socket, whatever its destination.
        Tproxy,
        /// Tells of each rule that a packet meets.
        Trace,
        /// Changes the TTL of an IPv4 packet.
        Ttl,
        /// Hands a packet to a program that logs, as old kernels did.
        Ulog,
    }
}
