//! Differences turned around.

use serde::{Deserialize, Serialize};

use super::chains::{Rebuilt, set_handles};
use super::compare::{as_told, has_statements, is_passing};
use super::{ChainChange, ChainDiff, Change, Diff, RuleEdit, SetDiff, TableChange, TableDiff};
use crate::expr::Reference;
use crate::ir::{AnySet, ChainName, Element, HasName, SetName, TableId};
use crate::live::Live;
use crate::nft::print_element;

/// What takes a difference back, known before it is applied. [`Inverse::locate`] finds the rules it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inverse(Diff);

/// Something that is not as the difference left it, so it cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Drift {
    /// The table is gone.
    #[error("table `{0}` is no longer there")]
    Table(TableId),
    /// The chain is gone.
    #[error("chain `{chain}` of table `{table}` is no longer there")]
    Chain {
        /// The table.
        table: TableId,
        /// The chain.
        chain: ChainName,
    },
    /// A rule is gone, or another is in its place.
    #[error("rule {} of chain `{chain}` in table `{table}` is not the one that was left there", index + 1)]
    Rule {
        /// The table.
        table: TableId,
        /// The chain.
        chain: ChainName,
        /// Which rule, from 0.
        index: usize,
    },
    /// An element is gone.
    #[error("element `{element}` of `{set}` in table `{table}` is no longer there")]
    Element {
        /// The table.
        table: TableId,
        /// The set or map.
        set: SetName,
        /// The element, as nft writes it.
        element: String,
    },
}

impl Inverse {
    pub(super) fn of(diff: &Diff) -> Self {
        Self(Diff { tables: diff.tables.iter().cloned().map(inverse_table).collect() })
    }

    /// The difference that takes the first one back, for the kernel as it is now.
    ///
    /// # Errors
    /// All that is not as it was left. Elements that are gone by themselves, because their time is over or because packets
    /// come and go with them, are no drift, and are left out.
    pub fn locate(self, live: &Live) -> Result<Diff, Vec<Drift>> {
        let mut diff = self.0;
        let mut drift = Vec::new();
        for table in &mut diff.tables {
            locate_table(table, live, &mut drift);
        }
        if drift.is_empty() { Ok(diff) } else { Err(drift) }
    }
}

fn inverse_table(table: TableDiff) -> TableDiff {
    let TableDiff { id, table, objects, sets, flowtables, chains, context } = table;
    let mut inverse = TableDiff {
        id,
        table: match table {
            TableChange::Added { flags, comment } => TableChange::Removed { flags, comment },
            TableChange::Removed { flags, comment } => TableChange::Added { flags, comment },
            TableChange::Flags { from, to } => TableChange::Flags { from: to, to: from },
            TableChange::Inside => TableChange::Inside,
        },
        objects: objects.into_iter().map(Change::inverse).collect(),
        sets: sets.into_iter().map(inverse_set).collect(),
        flowtables: flowtables.into_iter().map(Change::inverse).collect(),
        chains: chains.into_iter().map(inverse_chain).collect(),
        context,
    };
    let going = going(&inverse);
    for chain in &mut inverse.chains {
        chain.rules = std::mem::take(&mut chain.rules).into_iter().flat_map(|edit| apart(edit, &going)).collect();
    }
    inverse
}

/// What goes or is made anew in a table.
pub(super) fn going(diff: &TableDiff) -> Rebuilt {
    let objects = diff.objects.iter().filter_map(Change::before);
    let objects = objects.map(|it| Reference::Object(it.kind.object_type(), it.name.clone()));
    let flowtables = diff.flowtables.iter().filter_map(Change::before);
    let flowtables = flowtables.map(|it| Reference::Flowtable(it.name.clone()));
    let sets = diff.sets.iter().filter_map(|set| match set {
        SetDiff::Whole(change) => change.before().map(|set| Reference::Set(set.name().clone())),
        SetDiff::Elements { .. } => None,
    });
    let chains = diff.chains.iter().filter_map(|chain| match &chain.chain {
        ChainChange::Whole(change) => change.before().map(|_| Reference::Chain(chain.name.clone())),
        _ => None,
    });
    objects.chain(flowtables).chain(sets).chain(chains).collect()
}

/// A rule that is changed in place cannot hold on to what goes: it goes before that, and comes again after.
fn apart(edit: RuleEdit, going: &Rebuilt) -> Vec<RuleEdit> {
    match edit.rule {
        Change::Changed { from, to } if from.references().iter().any(|reference| going.contains(reference)) => vec![
            RuleEdit { rule: Change::Removed(from), ..edit },
            RuleEdit { old: edit.old + 1, rule: Change::Added(to), ..edit },
        ],
        rule => vec![RuleEdit { rule, ..edit }],
    }
}

fn inverse_set(set: SetDiff) -> SetDiff {
    match set {
        SetDiff::Whole(change) => SetDiff::Whole(change.inverse()),
        SetDiff::Elements { set, removed, added } => SetDiff::Elements { set, removed: added, added: removed },
    }
}

fn inverse_chain(chain: ChainDiff) -> ChainDiff {
    let ChainDiff { name, chain, old_len, new_len, rules } = chain;
    let inverse_rule = |edit: RuleEdit| RuleEdit {
        old: edit.new,
        new: edit.old,
        handle: None,
        rule: edit.rule.inverse(),
        dependent: edit.dependent,
    };
    ChainDiff {
        name,
        chain: match chain {
            ChainChange::Whole(change) => ChainChange::Whole(change.inverse()),
            ChainChange::Policy { from, to } => ChainChange::Policy { from: to, to: from },
            ChainChange::Rules => ChainChange::Rules,
        },
        old_len: new_len,
        new_len: old_len,
        rules: rules.into_iter().map(inverse_rule).collect(),
    }
}

/// Whether an element can go by itself.
fn may_be_gone(set: &AnySet, element: &Element) -> bool {
    let own = element.extra.as_ref().and_then(|extra| extra.timeout_ms);
    is_passing(set, element) || own.or(set.spec().timeout_ms).is_some()
}

fn locate_table(diff: &mut TableDiff, live: &Live, drift: &mut Vec<Drift>) {
    if matches!(diff.table, TableChange::Added { .. }) {
        return;
    }
    let Some(table) = live.tables.get(&diff.id) else {
        drift.push(Drift::Table(diff.id.clone()));
        return;
    };
    for set in &mut diff.sets {
        let SetDiff::Elements { set, removed, .. } = set else { continue };
        let there = table.sets.find(set.name()).map(|live| live.set.elements());
        let is_there = |element: &Element| there.is_some_and(|there| there.find(&element.key).is_some());
        let (left, gone): (Vec<_>, Vec<_>) = std::mem::take(removed).into_iter().partition(is_there);
        *removed = left.into();
        drift.extend(gone.iter().filter(|element| !may_be_gone(set, element)).map(|element| Drift::Element {
            table: diff.id.clone(),
            set: set.name().clone(),
            element: print_element(set, element),
        }));
    }
    for chain in &mut diff.chains {
        if matches!(chain.chain, ChainChange::Whole(Change::Added(_))) {
            continue;
        }
        let Some(live) = table.chains.find(&chain.name) else {
            drift.push(Drift::Chain { table: diff.id.clone(), chain: chain.name.clone() });
            continue;
        };
        let has_statements = |set: &SetName| has_statements(table.sets.find(set).map(|live| &live.set));
        let is_there = |edit: &RuleEdit| match edit.rule.before() {
            Some(program) => live
                .rules
                .get(edit.old)
                .is_some_and(|rule| as_told(&rule.program, has_statements).same(&as_told(program, has_statements))),
            None => true,
        };
        drift.extend(chain.rules.iter().filter(|edit| !is_there(edit)).map(|edit| Drift::Rule {
            table: diff.id.clone(),
            chain: chain.name.clone(),
            index: edit.old,
        }));
        set_handles(&mut chain.rules, &live.rules.iter().map(|rule| rule.handle).collect::<Vec<_>>());
    }
}
