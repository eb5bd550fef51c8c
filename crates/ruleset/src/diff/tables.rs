//! Tables side by side.

use std::collections::BTreeSet;

use super::chains::{self, Rebuilt};
use super::compare::{same_flowtable, same_object, same_set};
use super::elements::{self, carried_over};
use super::{ChainChange, ChainDiff, Change, SetDiff, TableChange, TableDiff};
use crate::expr::Reference;
use crate::ir::{AnySet, HasName, Named, Object, SetName};
use crate::live::{LiveSet, LiveTable};
use crate::lower::LoweredTable;

/// A table that is not there.
pub(super) fn added(table: &LoweredTable) -> TableDiff {
    TableDiff {
        id: table.id.clone(),
        table: TableChange::Added { flags: table.flags, comment: table.comment.clone() },
        objects: table.objects.iter().cloned().map(Change::Added).collect(),
        sets: table.sets.iter().cloned().map(Change::Added).map(SetDiff::Whole).collect(),
        flowtables: table.flowtables.iter().cloned().map(Change::Added).collect(),
        chains: table.chains.iter().map(chains::added).collect(),
        context: Vec::new(),
    }
}

/// A table that goes.
pub(super) fn removed(table: &LiveTable) -> TableDiff {
    TableDiff {
        id: table.id.clone(),
        table: TableChange::Removed { flags: table.flags, comment: table.comment.clone() },
        objects: table.objects.iter().map(|live| Change::Removed(live.object.clone())).collect(),
        sets: table.sets.iter().map(|live| SetDiff::Whole(Change::Removed(live.set.clone()))).collect(),
        flowtables: table.flowtables.iter().map(|live| Change::Removed(live.flowtable.clone())).collect(),
        chains: table.chains.iter().map(chains::removed).collect(),
        context: Vec::new(),
    }
}

/// A table that is there: nothing, one difference, or one to remove it and one to add it again.
pub(super) fn changed(live: &LiveTable, wanted: &LoweredTable) -> Vec<TableDiff> {
    let diff = inside(live, wanted);
    let is_moved = |chain: &ChainDiff| matches!(chain.chain, ChainChange::Whole(Change::Changed { .. }));
    if matches!(diff.table, TableChange::Flags { .. }) && diff.chains.iter().any(is_moved) {
        // No batch can do both: a base chain cannot come after the flags have changed, nor flags change after it has
        // gone (`nf_tables_addchain`, `nft_table_pending_update`).
        return vec![removed(live), added(wanted)];
    }
    if diff.is_empty() { Vec::new() } else { vec![diff] }
}

fn inside(live: &LiveTable, wanted: &LoweredTable) -> TableDiff {
    let mut diff = TableDiff::inside(wanted.id.clone());
    if live.flags != wanted.flags {
        diff.table = TableChange::Flags { from: live.flags, to: wanted.flags };
    }
    diff.objects = changes(&live.objects, &wanted.objects, |live| &live.object, same_object);
    diff.flowtables = changes(&live.flowtables, &wanted.flowtables, |live| &live.flowtable, same_flowtable);

    let mut rebuilt = chains::rebuilt(live, wanted);
    rebuilt.extend(diff.objects.iter().filter_map(Change::before).map(object_reference));
    rebuilt.extend(diff.flowtables.iter().filter_map(Change::before).map(|it| Reference::Flowtable(it.name.clone())));

    diff.sets = sets(&live.sets, &wanted.sets, &rebuilt);
    rebuilt.extend(diff.sets.iter().filter_map(|diff| match diff {
        SetDiff::Whole(change) => change.before().map(|set| Reference::Set(set.name().clone())),
        SetDiff::Elements { .. } => None,
    }));
    diff.chains = chains::diff(live, wanted, &rebuilt);
    diff.context = context(&diff, &live.sets);
    diff
}

/// The declarations of sets that stay and that changed rules look into.
fn context(diff: &TableDiff, live: &Named<LiveSet>) -> Vec<AnySet> {
    let edits = diff.chains.iter().flat_map(|chain| &chain.rules);
    let programs = edits.flat_map(|edit| [edit.rule.before(), edit.rule.after()]).flatten();
    let names: BTreeSet<_> = programs
        .flat_map(|program| program.references())
        .filter_map(|reference| match reference {
            Reference::Set(name) => Some(name),
            _ => None,
        })
        .collect();
    let stays = |name: &SetName| diff.sets.iter().all(|set| set.name() != name);
    let sets = names.iter().filter(|name| stays(name)).filter_map(|name| live.find(name));
    sets.map(|live| AnySet::new(live.set.spec().clone(), live.set.data_kind())).collect()
}

fn object_reference(object: &Object) -> Reference {
    Reference::Object(object.kind.object_type(), object.name.clone())
}

/// The changes between things of a kind: what goes in the live order, then what comes in the wanted order.
fn changes<L, T>(
    live: &Named<L>,
    wanted: &Named<T>,
    bare: impl Fn(&L) -> &T,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<Change<T>>
where
    T: HasName + Clone,
    L: HasName<Key = T::Key>,
{
    let gone = live.iter().filter(|it| !wanted.contains(&it.key())).map(|it| Change::Removed(bare(it).clone()));
    let rest = wanted.iter().filter_map(|it| match live.find(&it.key()).map(&bare) {
        None => Some(Change::Added(it.clone())),
        Some(there) if same(there, it) => None,
        Some(there) => Some(Change::Changed { from: there.clone(), to: it.clone() }),
    });
    gone.chain(rest).collect()
}

fn sets(live: &Named<LiveSet>, wanted: &Named<AnySet>, rebuilt: &Rebuilt) -> Vec<SetDiff> {
    let gone = live.iter().filter(|it| !wanted.contains(it.name()));
    let gone = gone.map(|it| SetDiff::Whole(Change::Removed(it.set.clone())));
    let rest = wanted.iter().filter_map(|wanted| match live.find(wanted.name()) {
        None => Some(SetDiff::Whole(Change::Added(wanted.clone()))),
        Some(live) => set(&live.set, wanted, rebuilt),
    });
    gone.chain(rest).collect()
}

fn set(live: &AnySet, wanted: &AnySet, rebuilt: &Rebuilt) -> Option<SetDiff> {
    if !same_set(live, wanted) {
        let to = wanted.clone().with_elements(carried_over(live, wanted));
        return Some(SetDiff::Whole(Change::Changed { from: live.clone(), to }));
    }
    if rebuilt.is_empty() && live.elements().shares_with(wanted.elements()) {
        return None;
    }
    let is_stale = |element: &_| {
        !rebuilt.is_empty() && live.reference(element).is_some_and(|reference| rebuilt.contains(&reference))
    };
    let diff = elements::diff(live, wanted, is_stale);
    if diff.is_empty() {
        return None;
    }
    if live.spec().flags.constant {
        // The kernel changes no element of a constant set that rules use (`nf_tables_newsetelem`, EBUSY).
        return Some(SetDiff::Whole(Change::Changed { from: live.clone(), to: wanted.clone() }));
    }
    let set = AnySet::new(wanted.spec().clone(), wanted.data_kind());
    Some(SetDiff::Elements { set, removed: diff.removed.into(), added: diff.added.into() })
}
