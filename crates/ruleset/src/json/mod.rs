//! The JSON of `nft -j` (libnftables-json(5)), both ways.
//!
//! [`print()`] writes what `nft -j -f` reads: the objects of a listing, ordered so that each comes after what it names:
//! of every table its chains, objects, sets and maps, flowtables, then its rules. nft 1.1 lists in that order too;
//! nft 1.0.6 lists maps before chains and cannot read its own listing where a verdict map names a chain.
//!
//! [`parse()`] reads listings and commands. Raw and meaning are separate: the document is first any JSON, in which every
//! object is looked at by itself, then the IR. What is not known stays, with its place: see [`Parsed`].
//!
//! Releases of nft differ; [`Release`] says which one is written for, and what JSON cannot hold there.

mod literal;
mod parse;
mod print;

pub use parse::{Kept, Parsed, parse};
pub use print::{Release, print, print_for, to_value};

#[cfg(test)]
mod tests;
