//! A difference as text for `iptables-restore --noflush`.

use super::{ChainChange, ChainDiff, IptablesDiff, RuleEdit, TableDiff};
use crate::iptables::save::{Command, Line, SaveText};

/// The text that makes the difference, table by table; empty if there is none.
///
/// Rules that stay are not named in it, so their counters stay too. Chains are made before rules lead to them and go
/// after; a chain that goes is emptied first. Each table is one transaction.
pub fn edit(diff: &IptablesDiff) -> SaveText {
    SaveText { lines: diff.tables.iter().flat_map(table).collect() }
}

fn table(diff: &TableDiff) -> Vec<Line> {
    let of = |change| diff.chains.iter().filter(move |chain| chain.change == change);
    let mut lines = vec![Line::Table(diff.table)];
    lines.extend(of(ChainChange::Added).map(|added| Line::declare(&added.chain, None)));
    for chain in &diff.chains {
        if let ChainChange::Policy { to, .. } = chain.change {
            lines.push(Line::declare(&chain.chain, Some(to)));
        }
        if chain.change != ChainChange::Removed {
            lines.extend(rules(chain).map(Line::from));
        }
    }
    lines.extend(of(ChainChange::Removed).map(|gone| Command::Flush { chain: Some(gone.chain.clone()) }.into()));
    lines.extend(of(ChainChange::Removed).map(|gone| Command::DeleteChain { chain: Some(gone.chain.clone()) }.into()));
    lines.push(Line::Commit);
    lines
}

/// What goes, from the last, so that places before it stay as they are; then what comes, from the first, so that each is
/// put where it will be.
fn rules(diff: &ChainDiff) -> impl Iterator<Item = Command> {
    let mut goes: Vec<usize> = diff.rules.iter().filter_map(RuleEdit::from).collect();
    goes.sort_unstable_by(|a, b| b.cmp(a));
    let chain = || diff.chain.clone();
    let goes = goes.into_iter().map(move |at| Command::DeleteAt { chain: chain(), at });
    let appends = diff.change == ChainChange::Added;
    let comes = diff.rules.iter().filter_map(move |edit| {
        let (at, rule) = edit.to()?;
        let (chain, rule) = (diff.chain.clone(), rule.clone());
        Some(if appends { Command::Append { chain, rule } } else { Command::Insert { chain, at, rule } })
    });
    goes.chain(comes)
}

impl RuleEdit {
    /// Where the rule goes from, counted from 1.
    fn from(&self) -> Option<usize> {
        match self {
            Self::Added { .. } => None,
            Self::Removed { from, .. } | Self::Moved { from, .. } => Some(*from),
        }
    }

    /// Where it comes to, counted from 1.
    fn to(&self) -> Option<(usize, &crate::iptables::Rule)> {
        match self {
            Self::Removed { .. } => None,
            Self::Added { to, rule } | Self::Moved { to, rule, .. } => Some((*to, rule)),
        }
    }
}
