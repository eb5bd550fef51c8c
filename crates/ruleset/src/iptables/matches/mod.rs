//! Matches (`-m NAME …`): one file per extension, each with its parser, its printer and their tests.

mod addrtype;
mod comment;
mod conntrack;
mod mark;
mod ports;
mod recent;
mod sctp;
mod statistic;
mod tcp;
mod udp;

pub use addrtype::{AddressType, Addrtype};
pub use comment::Comment;
pub use conntrack::{Conntrack, CtState, CtStates};
pub use mark::Mark;
pub use ports::{PortRange, Ports};
pub use recent::{Recent, RecentAction};
pub use sctp::Sctp;
pub use statistic::Statistic;
pub use tcp::Tcp;
pub use udp::Udp;

use super::rule::extensions;

extensions! {
    /// A match: what a packet must be for the rule to apply.
    ///
    /// [`Self::Opaque`] holds one that we do not know, from `-m` to its last option.
    Match {
        /// What the routing tables say of the addresses.
        Addrtype,
        /// What people wrote about the rule.
        Comment,
        /// What conntrack knows of the connection.
        Conntrack,
        /// The packet mark.
        Mark,
        /// Which addresses were seen before.
        Recent,
        /// SCTP ports.
        Sctp,
        /// A part of the packets.
        Statistic,
        /// TCP ports.
        Tcp,
        /// UDP ports.
        Udp,
    }
}
