//! What a change of services does to the tables of the maps layout.

use crate::ir::{AnySet, Chain, ChainName, Elements, Family, HasName, Named, Table, TableId};
use crate::lower::{LowerError, lower_rule};
use crate::plan::{Op, Place, Reason, SetHead, Step};

/// One edit of a table. The order of edits is that in which a kernel takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A table is made: its first virtual address came. Its sets are empty.
    CreateTable(Box<Table>),
    /// A table goes with all it holds: its last virtual address went.
    DeleteTable(TableId),
    /// A chain is made: a frontend needs a larger pool than there was.
    CreateChain {
        /// Its table.
        table: TableId,
        /// The chain with its rules.
        chain: Box<Chain>,
    },
    /// Elements change.
    Elements {
        /// The table.
        table: TableId,
        /// The set or map.
        set: SetHead,
        /// Elements that go. One whose data changes is here as it was and in `added` as it will be.
        removed: Elements,
        /// Elements that come.
        added: Elements,
    },
}

impl Edit {
    /// The table it is about.
    pub fn table(&self) -> TableId {
        match self {
            Self::CreateTable(table) => table.id(),
            Self::DeleteTable(table) | Self::CreateChain { table, .. } | Self::Elements { table, .. } => table.clone(),
        }
    }

    /// The steps of a plan that do it.
    ///
    /// # Errors
    /// Where a rule has no program: a defect of this crate.
    fn steps(&self, sets: &Named<AnySet>) -> Result<Vec<Step>, LowerError> {
        match self {
            Self::CreateTable(table) => create_table(table),
            Self::DeleteTable(table) => Ok(vec![unwanted(Op::DeleteTable { table: table.clone() })]),
            Self::CreateChain { table, chain } => create_chain(table, chain, sets),
            Self::Elements { table, set, removed, added } => Ok(change_elements(table, set, removed, added)),
        }
    }
}

/// The steps of a plan that do all of that. `sets` gives the declarations of the sets of a family's table.
pub(super) fn steps<'a>(edits: &[Edit], sets: impl Fn(Family) -> &'a Named<AnySet>) -> Result<Vec<Step>, LowerError> {
    let steps: Result<Vec<_>, _> = edits.iter().map(|edit| edit.steps(sets(edit.table().family))).collect();
    Ok(steps?.concat())
}

fn create_table(table: &Table) -> Result<Vec<Step>, LowerError> {
    let id = table.id();
    let mut steps =
        vec![missing(Op::AddTable { table: id.clone(), flags: table.flags, comment: table.comment.clone() })];
    steps.extend(table.sets.iter().map(|set| missing(Op::AddSet { table: id.clone(), set: SetHead::of(set) })));
    // Rules lead to chains: first all chains, then the rules.
    steps.extend(table.chains.iter().map(|chain| add_chain(&id, chain)));
    for chain in &table.chains {
        steps.extend(add_rules(&id, chain, &table.sets)?);
    }
    steps.extend(table.sets.iter().filter(|set| !set.elements().is_empty()).map(|set| {
        missing(Op::AddElements { table: id.clone(), set: SetHead::of(set), elements: set.elements().clone() })
    }));
    Ok(steps)
}

fn create_chain(table: &TableId, chain: &Chain, sets: &Named<AnySet>) -> Result<Vec<Step>, LowerError> {
    Ok([vec![add_chain(table, chain)], add_rules(table, chain, sets)?].concat())
}

fn add_chain(table: &TableId, chain: &Chain) -> Step {
    let (name, base, comment) = (chain.name.clone(), chain.base.clone(), chain.comment.clone());
    missing(Op::AddChain { table: table.clone(), chain: name, base, comment })
}

fn add_rules(table: &TableId, chain: &Chain, sets: &Named<AnySet>) -> Result<Vec<Step>, LowerError> {
    let add = |(index, rule): (usize, &crate::ir::Rule)| {
        let program = lower_rule(table.family, sets, rule).map_err(|kind| LowerError {
            table: table.clone(),
            chain: ChainName::clone(chain.name()),
            index,
            provenance: rule.provenance,
            kind,
        })?;
        let (table, chain) = (table.clone(), chain.name.clone());
        Ok(missing(Op::AddRule { table, chain, place: Place::Last, program }))
    };
    chain.rules.iter().enumerate().map(add).collect()
}

/// First what goes: the kernel takes no second element of a key.
fn change_elements(table: &TableId, set: &SetHead, removed: &Elements, added: &Elements) -> Vec<Step> {
    let op = |elements: &Elements, add| {
        let (table, set, elements) = (table.clone(), set.clone(), elements.clone());
        if add { Op::AddElements { table, set, elements } } else { Op::DeleteElements { table, set, elements } }
    };
    let replaced = removed.iter().any(|element| added.find(&element.key).is_some());
    let reason = |alone| if replaced { Reason::Differs } else { alone };
    let mut steps = Vec::new();
    if !removed.is_empty() {
        steps.push(Step { op: op(removed, false), reason: reason(Reason::Unwanted) });
    }
    if !added.is_empty() {
        steps.push(Step { op: op(added, true), reason: reason(Reason::Missing) });
    }
    steps
}

fn missing(op: Op) -> Step {
    Step { op, reason: Reason::Missing }
}

fn unwanted(op: Op) -> Step {
    Step { op, reason: Reason::Unwanted }
}
