//! The language of iptables-save(8) and iptables-restore(8), and the least change from one state to another.
//!
//! Two layers: [`SaveText`] is a text line by line, with its comments, counters and commands, and prints back what it
//! was read from; [`IptablesRuleset`] is what it means: tables, chains and rules. [`parse`] makes the first,
//! [`SaveText::ruleset`] the second, [`plan()`] the text that leads from one state to another.
//!
//! A rule is a head (addresses, interfaces, protocol), matches and a target. Each match and target is a type in a file
//! of its own, with its options and their tests: [mod@matches] and [`targets`]; `extension` says how one is declared.
//! An extension that we do not know stays verbatim as [`crate::ir::Opaque`]; what iptables would refuse is a located
//! problem.
//!
//! Printed is what iptables-save 1.8.9 prints, byte for byte, legacy and nf_tables alike. So a rule that was written in
//! another way, loaded and saved, is equal to itself.

mod canonical;
mod check;
pub mod diff;
mod extension;
mod head;
mod json;
#[cfg(test)]
mod laws;
pub mod matches;
mod name;
mod parse;
mod parse_rule;
mod parts;
mod plan;
mod probability;
mod problem;
mod protocol;
mod rule;
mod ruleset;
mod save;
pub mod targets;
pub mod translate;
mod value;
mod word;

pub use canonical::canonical;
pub use check::{CheckError, CheckErrorKind, check};
pub use diff::{IptablesDiff, Scope, diff, edit, merge};
pub use head::{Address, Criterion, Interface};
pub use json::json;
pub use name::ChainName;
pub use parse::{Parsed, parse};
pub use plan::{CHAIN_PREFIX, ChainChange, IptablesPlan, JumpChange, PlanConflict, TablePlan, delete, plan, remove};
pub use probability::Probability;
pub use protocol::Protocol;
pub use rule::{Rule, Target};
pub use ruleset::{Chain, Family, IptablesRuleset, Policy, RestoreError, Table, TableName};
pub use save::{Command, Counters, Line, SaveText};
pub use translate::{Note, Translation, translate};
pub use value::{BareAddress, Hex, MaskedMark, Name, NumberRange, PortRange, Rate, Text, Within};
