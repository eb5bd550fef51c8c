//! Targets (`-j NAME …`): one file per extension, each with its parser, its printer and their tests.

mod dnat;
mod mark;
mod masquerade;
mod reject;

pub use dnat::Dnat;
pub use mark::Mark;
pub use masquerade::Masquerade;
pub use reject::{Reject, RejectWith};

use super::rule::extensions;

extensions! {
    /// A target with options: what becomes of a packet.
    ///
    /// [`Self::Opaque`] holds one that we do not know, from `-j` to its last option.
    Action {
        /// Another destination.
        Dnat,
        /// Another packet mark.
        Mark,
        /// The outgoing interface's address as the source.
        Masquerade,
        /// The sender is told no.
        Reject,
    }
}
