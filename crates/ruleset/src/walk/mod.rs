//! What happens to a packet: the compiled programs, run in memory over the hooks it passes.
//!
//! ```text
//! from outside ─► prerouting ─► routing ─┬─► forward ─► postrouting ─► out
//!                                        └─► input ─► here
//! from here ────► output ─► routing ─────┬─► postrouting ─► out
//!                                        └─► postrouting ─► prerouting ─► input ─► here
//! ```
//!
//! A walk is about the first packet of a connection, unless it says otherwise ([`Packet::connection`]): that is the only
//! one nat chains see. Where chance decides (`numgen`, a hash with an unknown seed), or something that is not known, all
//! ways are taken: the result is the set of everything that may happen, and what it was not known for.
//!
//! As the kernel does it: base chains run by priority, but all nat chains of a hook run at one place, −100 before
//! routing and 100 after it, whatever their own priorities, which order them among themselves only
//! (`nf_nat_register_fn`, net/netfilter/nf_nat_core.c). The first of them that rewrites ends the others
//! (`nf_nat_inet_fn`). What a packet from here to here meets in prerouting and input is not rewritten again.

mod bits;
mod chain;
mod eval;
mod hash;
mod hooks;
mod load;
mod lookup;
mod packet;

pub use packet::{Connection, Fate, Memory, Outcome, Packet, Refusal, Surroundings, Walked};

use crate::lower::Lowered;

/// Walks a packet through all tables.
///
/// `memory` is what earlier packets left in sets that packets write to: [`Outcome::memory`] of one of them. It is empty
/// for the first packet.
pub fn walk(rules: &Lowered, surroundings: &Surroundings, packet: &Packet, memory: &Memory) -> Walked {
    hooks::Walk::new(rules, surroundings).run(packet, memory)
}

#[cfg(test)]
mod tests;
