//! One file a subcommand.

pub(crate) mod apply;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod confirm;
pub(crate) mod conntrack;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod fmt;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod monitor;
pub(crate) mod parse;
pub(crate) mod plan;
pub(crate) mod show;
pub(crate) mod translate;
pub(crate) mod undo;
