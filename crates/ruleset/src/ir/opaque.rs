//! What is not understood, kept as it came.

use serde::{Deserialize, Serialize};

/// Where an opaque piece came from, and so where it can be printed back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dialect {
    /// nft text.
    Nft,
    /// JSON of `nft -j`.
    Json,
    /// iptables-save text.
    Iptables,
    /// Netlink attributes, in hexadecimal digits.
    Netlink,
}

/// A piece of a ruleset that no part of this crate understands: verbatim, in place, never executed, never rewritten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Opaque {
    /// The form `text` is in.
    pub dialect: Dialect,
    /// The piece as it came.
    pub text: String,
}
