//! Why things are made anew, and how much stays as it is.

use serde::Serialize;

use super::chains::Rebuilt;
use super::compare::same_hook;
use super::{ChainChange, ChainDiff, ChainHead, Change, Diff, SetDiff, TableChange};
use crate::expr::{Program, Reference};
use crate::ir::AnySet;
use crate::live::Live;

/// How many things a difference leaves as they are, with all their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Tables, chains, sets, objects and flowtables.
    pub declarations: usize,
    /// Rules.
    pub rules: usize,
    /// Elements.
    pub elements: usize,
}

impl Diff {
    /// How many things of those that were there when the difference was made it leaves as they are.
    pub fn kept(&self, live: &Live) -> Kept {
        let tables = live.tables.values();
        let mut kept = tables.fold(Kept::default(), |sum, table| Kept {
            declarations: sum.declarations
                + 1
                + table.chains.len()
                + table.sets.len()
                + table.objects.len()
                + table.flowtables.len(),
            rules: sum.rules + table.chains.iter().map(|chain| chain.rules.len()).sum::<usize>(),
            elements: sum.elements + table.sets.iter().map(|live| live.set.elements().len()).sum::<usize>(),
        });
        let mut touched = Kept::default();
        for table in &self.tables {
            touched.declarations += usize::from(matches!(table.table, TableChange::Removed { .. }))
                + usize::from(matches!(table.table, TableChange::Flags { .. }))
                + table.objects.iter().filter(|it| it.before().is_some()).count()
                + table.flowtables.iter().filter(|it| it.before().is_some()).count()
                + table.chains.iter().filter(|chain| is_touched(&chain.chain)).count();
            let edits = table.chains.iter().flat_map(|chain| &chain.rules);
            touched.rules += edits.filter(|edit| edit.rule.before().is_some()).count();
            for set in &table.sets {
                match set {
                    SetDiff::Whole(change) => {
                        touched.declarations += usize::from(change.before().is_some());
                        touched.elements += change.before().map_or(0, |set| set.elements().len());
                    }
                    SetDiff::Elements { removed, .. } => touched.elements += removed.len(),
                }
            }
        }
        kept.declarations = kept.declarations.saturating_sub(touched.declarations);
        kept.rules = kept.rules.saturating_sub(touched.rules);
        kept.elements = kept.elements.saturating_sub(touched.elements);
        kept
    }
}

fn is_touched(chain: &ChainChange) -> bool {
    match chain {
        ChainChange::Whole(change) => change.before().is_some(),
        ChainChange::Policy { .. } => true,
        ChainChange::Rules => false,
    }
}

/// Why a set is made anew: what of it the kernel cannot change in place.
pub(super) fn set(from: &AnySet, to: &AnySet) -> String {
    let (old, new) = (from.spec(), to.spec());
    let parts = [
        (old.key != new.key, "the type of its keys"),
        (from.data_kind() != to.data_kind(), "the type of its data"),
        (old.flags != new.flags, "its flags"),
        (old.timeout_ms != new.timeout_ms, "its timeout"),
        (old.gc_interval_ms != new.gc_interval_ms, "its gc-interval"),
        (old.size != new.size, "its size"),
        (old.policy != new.policy, "its policy"),
        (old.auto_merge != new.auto_merge, "auto-merge"),
        (old.statements != new.statements, "the statements of its elements"),
    ];
    let changed: Vec<_> = parts.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect();
    match changed.as_slice() {
        [] if new.flags.constant => "made anew: it is constant, so its elements cannot change".to_owned(),
        [] => "made anew: something it depends on is".to_owned(),
        changed => cannot_change(changed),
    }
}

/// Why a chain is made anew.
pub(super) fn chain(from: &ChainHead, to: &ChainHead) -> String {
    let (old, new) = match (&from.base, &to.base) {
        (Some(old), Some(new)) => (old, new),
        (None, Some(_)) => return "made anew: a chain cannot become a base chain".to_owned(),
        (Some(_), None) => return "made anew: a base chain cannot become a regular one".to_owned(),
        (None, None) => return "made anew: something it depends on is".to_owned(),
    };
    let parts = [
        (old.hook() != new.hook(), "its hook"),
        (old.chain_type() != new.chain_type(), "its type"),
        (old.priority() != new.priority(), "its priority"),
    ];
    let mut changed: Vec<_> = parts.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect();
    if changed.is_empty() && !same_hook(Some(old), Some(new)) {
        changed.push("its devices");
    }
    let stays = (old.hook(), old.priority()) == (new.hook(), new.priority());
    let moved = if stays { "; it will come after others of its priority" } else { "" };
    match changed.as_slice() {
        [] => "made anew: something it depends on is".to_owned(),
        changed => cannot_change(changed) + moved,
    }
}

fn cannot_change(parts: &[&str]) -> String {
    format!("made anew: the kernel cannot change {} in place", parts.join(", "))
}

/// What is made anew that rules of a chain refer to, which are so made anew as they are.
pub(super) fn dependents(chain: &ChainDiff, rebuilt: &Rebuilt) -> String {
    let programs = chain.rules.iter().filter(|edit| edit.dependent).filter_map(|edit| edit.rule.before());
    let mut causes: Vec<Reference> = Vec::new();
    for reference in programs.flat_map(Program::references).filter(|reference| rebuilt.contains(reference)) {
        if !causes.contains(&reference) {
            causes.push(reference);
        }
    }
    causes.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn name(reference: &Reference) -> String {
    match reference {
        Reference::Chain(name) => format!("chain {name}"),
        Reference::Set(name) => format!("set {name}"),
        Reference::Object(kind, name) => format!("{kind} {name}"),
        Reference::Flowtable(name) => format!("flowtable {name}"),
    }
}

/// Why an object or flowtable is made anew.
pub(super) fn replaced<T>(change: &Change<T>) -> Option<&'static str> {
    matches!(change, Change::Changed { .. }).then_some("made anew: the kernel cannot change it in place")
}
