//! User data: what nft notes beside tables, chains, sets, elements, rules and objects, for its own later use.
//!
//! The kernel keeps these bytes and never reads them (`NFTA_*_USERDATA`, at most 256). They are type-length-value
//! triples of one byte each for type and length (libnftnl, `struct nftnl_udata_attr`); numbers in them are in the order
//! of the machine. [`set`] and [`parse_set`] and their siblings give and take byte for byte what nft 1.0.6 writes.
//! Without the user data of a set, nft itself fails to list it, so every set we make carries it.

mod comment;
mod set;
mod tlv;
mod typeof_expression;

pub use comment::{ElementUserdata, chain, element, object, parse_comment, parse_element, rule, table};
pub use set::{SetUserdata, parse_set, plain_key_type, set};

/// The most bytes of user data the kernel keeps for one thing (`NFT_USERDATA_MAXLEN`).
pub const MAX: usize = 256;
