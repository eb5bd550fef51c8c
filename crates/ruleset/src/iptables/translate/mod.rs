//! From iptables to nftables: the same rules in the IR, and so the same programs as rules of nft.
//!
//! As iptables-translate(8) does, and further: what it leaves out or gets wrong is translated where nft means exactly
//! the same, and is left out, with the reason, where it does not. A rule is never translated in part: one with a match
//! or target that nft has not stays in its place, holds that part as [`crate::ir::Opaque`], and is printed as a comment.
//!
//! [`mod@catalog`] is the table of all extensions; each group of them is a file.

mod asked;
pub mod catalog;
mod compare;
mod connection;
mod draft;
mod head;
mod icmp;
mod ipv6;
mod marks;
mod names;
mod nat;
mod packet;
mod ports;
mod rate;
mod recent;
mod report;
mod route;
mod rule;
mod shared;
mod table;
mod time;

use std::collections::HashMap;

use super::ruleset::Family;
use super::save::SaveText;
use crate::ir::{ChainName, Ruleset, TableId};

/// What iptables rules are in nftables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The rules. One that could not be translated holds the part in question as [`crate::ir::Statement::Opaque`].
    pub ruleset: Ruleset,
    /// What must be known beside them, in the order of the rules.
    pub notes: Vec<Note>,
}

/// What must be known about a rule beside what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The table.
    pub table: TableId,
    /// The chain.
    pub chain: ChainName,
    /// Which rule of the chain, from 0; one more than the last where it stands behind all of them.
    pub at: usize,
    /// Lines of text: the rule as iptables has it, and what is to be said of it.
    pub lines: Vec<String>,
    /// Whether the rule is not translated.
    pub untranslated: bool,
}

impl Translation {
    /// The notes on rules that are not translated.
    pub fn untranslated(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| note.untranslated)
    }

    /// What is to be said before each rule: by its table, its chain and its number there.
    pub fn lines(&self) -> impl Fn(&TableId, &ChainName, usize) -> Vec<String> + use<> {
        let mut lines: HashMap<_, Vec<String>> = HashMap::new();
        for note in &self.notes {
            let place = (note.table.clone(), note.chain.clone(), note.at);
            lines.entry(place).or_default().extend(note.lines.iter().cloned());
        }
        move |table, chain, at| lines.get(&(table.clone(), chain.clone(), at)).cloned().unwrap_or_default()
    }

    /// Adds the tables of another translation. Gives those that are there already, which are left out.
    pub fn add(&mut self, other: Self) -> Vec<TableId> {
        let mut twice = Vec::new();
        for table in other.ruleset.into_tables() {
            let id = table.id();
            if self.ruleset.find(&id).is_some() {
                twice.push(id);
            } else {
                self.notes.extend(other.notes.iter().filter(|note| note.table == id).cloned());
                self.ruleset.insert(table);
            }
        }
        twice
    }
}

/// Translates a text of iptables-save, or the state that a text for iptables-restore leads to.
///
/// Lines that were not understood are not in it: [`super::parse`] reports them.
pub fn translate(text: &SaveText, family: Family) -> Translation {
    table::ruleset(text, family)
}

/// Why a part of a rule has no translation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum No {
    /// It matches no packet, so its rule does nothing.
    Never,
    /// nft has nothing that means the same.
    Because(String),
}

impl No {
    fn because(reason: impl Into<String>) -> Self {
        Self::Because(reason.into())
    }
}

type Told<T> = Result<T, No>;

/// What every extension is made into: reads the options it knows, and adds statements.
type Translate = fn(&mut asked::Asked, &mut draft::Draft<'_>) -> Told<()>;

#[cfg(test)]
mod tests;
