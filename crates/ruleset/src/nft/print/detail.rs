//! How much of a ruleset is written.

use std::fmt;

use crate::ir::{ChainName, ObjectName, ObjectType, SetName, TableId};

/// What is written besides the rules, and how. The default is what another kernel can be given.
#[derive(Clone, Copy, Default)]
pub struct Detail<'a> {
    /// What counters have counted, and the like.
    pub state: State,
    /// The handle of a thing, written behind it (`nft -a`).
    pub handle: Option<&'a dyn Fn(Subject<'_>) -> Option<u64>>,
    /// Lines written as comments before a rule: by its table, its chain and its number there, from 0; those of one more
    /// than the last stand behind all.
    pub notes: Option<&'a dyn Fn(&TableId, &ChainName, usize) -> Vec<String>>,
    /// The name of the interface of an index.
    pub interface: Option<&'a dyn Fn(u32) -> Option<String>>,
    /// Protocols above IP as numbers, as `nft -p` writes them.
    pub numeric_protocols: bool,
}

/// Whether what packets and time have changed is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Where it is not nought: nothing is lost, and nothing said twice.
    #[default]
    Kept,
    /// All of it, as `nft list ruleset` does.
    All,
    /// None of it, as `nft -s list ruleset` does.
    Omitted,
}

/// A thing that has a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject<'a> {
    /// A table.
    Table(&'a TableId),
    /// A chain.
    Chain(&'a TableId, &'a ChainName),
    /// A rule, by its number in its chain, from 0.
    Rule(&'a TableId, &'a ChainName, usize),
    /// A set or map.
    Set(&'a TableId, &'a SetName),
    /// A stateful object.
    Object(&'a TableId, ObjectType, &'a ObjectName),
    /// A flowtable.
    Flowtable(&'a TableId, &'a ObjectName),
}

/// What takes text, and knows with how much detail.
pub(super) trait Text: fmt::Write {
    fn detail(&self) -> Detail<'_> {
        Detail::default()
    }
}

impl Text for String {}
impl Text for fmt::Formatter<'_> {}

/// Text with a detail of its own.
pub(super) struct Detailed<'a> {
    text: String,
    detail: Detail<'a>,
}

impl<'a> Detailed<'a> {
    pub(super) fn new(detail: Detail<'a>) -> Self {
        Self { text: String::new(), detail }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Detailed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.write_str(text)
    }
}

impl Text for Detailed<'_> {
    fn detail(&self) -> Detail<'_> {
        self.detail
    }
}

impl dyn Text + '_ {
    /// ` # handle 7`, if handles are asked for.
    pub(super) fn handle(&mut self, subject: Option<Subject<'_>>) -> fmt::Result {
        match subject.and_then(|subject| self.detail().handle?(subject)) {
            Some(handle) => write!(self, " # handle {handle}"),
            None => Ok(()),
        }
    }

    /// The lines before that rule, as comments, if there are any.
    pub(super) fn notes(&mut self, table: Option<&TableId>, chain: &ChainName, at: usize) -> Result<bool, fmt::Error> {
        let (Some(table), Some(notes)) = (table, self.detail().notes) else { return Ok(false) };
        let lines = notes(table, chain, at);
        lines.iter().try_for_each(|line| writeln!(self, "\t\t# {line}"))?;
        Ok(!lines.is_empty())
    }
}
