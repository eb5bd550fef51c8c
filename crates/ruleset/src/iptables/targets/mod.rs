//! Targets (`-j NAME …`): one file per extension, each with its options and their tests.

mod checksum;
mod ct;
mod dnat;
mod dscp;
mod log;
mod mark;
mod masquerade;
mod nat;
mod netmap;
mod nflog;
mod notrack;
mod redirect;
mod reject;
mod snat;
mod tcpmss;
mod tos;
mod trace;

pub use checksum::Checksum;
pub use ct::{Ct, CtEvent, CtEvents, CtZone, ExpectEvents};
pub use dnat::Dnat;
pub use dscp::Dscp;
pub use log::{Log, LogLevel};
pub use mark::Mark;
pub use masquerade::Masquerade;
pub use nat::{DestinationRange, NatRange, ToPorts};
pub use netmap::{Netmap, NetmapNetwork};
pub use nflog::Nflog;
pub use notrack::Notrack;
pub use redirect::Redirect;
pub use reject::{Reject, RejectWith};
pub use snat::Snat;
pub use tcpmss::Tcpmss;
pub use tos::Tos;
pub use trace::Trace;

use super::extension::extensions;

extensions! {
    /// A target that is an extension: what becomes of a packet.
    ///
    /// [`Self::Opaque`] holds one that we do not know and that has options, from `-j` to its last one.
    Action {
        /// Fills in a packet's checksum.
        Checksum,
        /// Says how conntrack treats a packet's connection, before it does.
        Ct,
        /// Rewrites the destination.
        Dnat,
        /// Sets the class of service in a packet's header.
        Dscp,
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
        /// Leaves a packet out of conntrack.
        Notrack,
        /// Makes this host the destination.
        Redirect,
        /// Tells the sender no, and drops the packet.
        Reject,
        /// Rewrites the source.
        Snat,
        /// The largest segment a TCP connection is told to send.
        Tcpmss,
        /// Sets the type of service in a packet's header: clears the bits of the mask, then flips those of the value.
        Tos,
        /// Tells of each rule that a packet meets.
        Trace,
    }
}
