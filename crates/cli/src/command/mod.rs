//! One file a subcommand.

pub(crate) mod apply;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod fmt;
pub(crate) mod man;
pub(crate) mod parse;
pub(crate) mod show;
