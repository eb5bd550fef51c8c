//! The least difference between what is live and what is wanted.
//!
//! [`diff`] compares by what the kernel does: counters, used quota, the time an element has left and a live `size`
//! above the wanted one are no difference. Nor is the comment of a table, chain, set, object or flowtable alone: the
//! kernel cannot change it in place (`nf_tables_updtable`, `nf_tables_updchain`, `nf_tables_newset`, all in
//! net/netfilter/nf_tables_api.c), and making the thing anew for it would lose state and move base chains.
//!
//! Things that cannot be changed in place are made anew, and so is everything that refers to them. Nothing else is.

mod align;
mod chains;
mod compare;
mod elements;
mod inverse;
mod ownership;
mod part;
mod render;
mod tables;
mod why;

use serde::{Deserialize, Serialize};

pub use compare::lasting;
pub use inverse::{Drift, Inverse};
pub use ownership::{Conflict, Ownership, known_program};
pub use part::{NotDeclared, Part, only};
pub use render::{Count, Rendering, Summary};
pub use why::Kept;

use crate::expr::Program;
use crate::ir::{
    AnySet, BaseChain, ChainName, Comment, Elements, Flowtable, HasName, Object, Policy, SetName, TableFlags, TableId,
};
use crate::live::Live;
use crate::lower::Lowered;

/// What leads from one state of a ruleset to another; it holds both sides, so it can be turned around.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff {
    /// The tables that differ, in the order in which they are made. One that must be made anew is here twice: as it goes and as it comes.
    pub tables: Vec<TableDiff>,
}

/// One thing before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<T> {
    /// It is wanted and not there.
    Added(T),
    /// It is there and not wanted.
    Removed(T),
    /// It is there, but other than wanted.
    Changed {
        /// As it is.
        from: T,
        /// As it is wanted.
        to: T,
    },
}

impl<T> Change<T> {
    /// As it is; `None` if it is not there.
    pub fn before(&self) -> Option<&T> {
        match self {
            Self::Added(_) => None,
            Self::Removed(thing) | Self::Changed { from: thing, .. } => Some(thing),
        }
    }

    /// As it is wanted; `None` if it is not.
    pub fn after(&self) -> Option<&T> {
        match self {
            Self::Removed(_) => None,
            Self::Added(thing) | Self::Changed { to: thing, .. } => Some(thing),
        }
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Added(thing) => Self::Removed(thing),
            Self::Removed(thing) => Self::Added(thing),
            Self::Changed { from, to } => Self::Changed { from: to, to: from },
        }
    }
}

/// How a table differs. One that is added or removed lists all it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDiff {
    /// Family and name.
    #[serde(flatten)]
    pub id: TableId,
    /// The table itself.
    pub table: TableChange,
    /// Its stateful objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Change<Object>>,
    /// Its sets and maps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetDiff>,
    /// Its flowtables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flowtables: Vec<Change<Flowtable>>,
    /// Its chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<ChainDiff>,
    /// Declarations of the sets that stay and that rules named here look into: without them rules cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<AnySet>,
}

impl TableDiff {
    fn inside(id: TableId) -> Self {
        let table = TableChange::Inside;
        let (objects, sets, flowtables, chains, context) = Default::default();
        Self { id, table, objects, sets, flowtables, chains, context }
    }

    fn is_empty(&self) -> bool {
        let Self { id: _, table, objects, sets, flowtables, chains, context: _ } = self;
        *table == TableChange::Inside
            && objects.is_empty()
            && sets.is_empty()
            && flowtables.is_empty()
            && chains.is_empty()
    }
}

/// What becomes of a table itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are what a table declares")]
pub enum TableChange {
    /// It is made.
    Added { flags: TableFlags, comment: Option<Comment> },
    /// It goes, with all it holds.
    Removed { flags: TableFlags, comment: Option<Comment> },
    /// Its flags change.
    Flags { from: TableFlags, to: TableFlags },
    /// Only what is inside differs.
    Inside,
}

/// How a set or map differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetDiff {
    /// All of it: it is made, goes, or is made anew. With its elements.
    Whole(Change<AnySet>),
    /// Its elements.
    Elements {
        /// Its declaration, without elements.
        set: AnySet,
        /// Elements that go. One whose data changes is here as it was and in `added` as it will be.
        #[serde(default, skip_serializing_if = "Elements::is_empty")]
        removed: Elements,
        /// Elements that come.
        #[serde(default, skip_serializing_if = "Elements::is_empty")]
        added: Elements,
    },
}

impl SetDiff {
    /// The name of the set.
    pub fn name(&self) -> &SetName {
        match self {
            Self::Whole(Change::Added(set) | Change::Removed(set) | Change::Changed { to: set, .. })
            | Self::Elements { set, .. } => set.name(),
        }
    }
}

/// How a chain differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainDiff {
    /// Its name.
    pub name: ChainName,
    /// The chain itself.
    pub chain: ChainChange,
    /// How many rules it has before.
    pub old_len: usize,
    /// How many rules it has after.
    pub new_len: usize,
    /// Its rules, in their order. A chain that is added, removed or made anew lists all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleEdit>,
}

/// What becomes of a chain itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainChange {
    /// It is made, goes, or, where its hook, type, priority or devices change, is made anew.
    Whole(Change<ChainHead>),
    /// Its policy changes.
    Policy {
        /// As it is.
        from: Policy,
        /// As it is wanted.
        to: Policy,
    },
    /// Only its rules differ.
    Rules,
}

/// What a chain declares besides its name and rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Where it hooks in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseChain>,
    /// Its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
}

/// An edit of a chain's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEdit {
    /// How many rules of the old list come before; for a rule that is removed or changed, its index there.
    pub old: usize,
    /// How many rules of the new list come before; for a rule that is added or changed, its index there.
    pub new: usize,
    /// Of a rule that is removed or changed: its handle. Of one that is added: the handle of the rule it goes before,
    /// `None` for the end of the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<u64>,
    /// Added, removed, or changed in place.
    pub rule: Change<Program>,
    /// Whether the rule stays as it is, and is removed and added only because something it refers to is made anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dependent: bool,
}

impl Diff {
    /// Whether both sides are the same.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The difference of both: `self` and `other` must be about different tables.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.tables.extend(other.tables);
        self
    }

    /// What takes this difference back, once it is applied. It knows no handles yet: [`Inverse::locate`].
    pub fn inverse(&self) -> Inverse {
        Inverse::of(self)
    }
}

/// Compares the tables of `desired` with those of the same family and name that are live. No other table is looked at.
///
/// `live` must hold the elements of sets. Elements that packets or time add and take away, those of dynamic sets and
/// those that expire, are left alone where they are not wanted.
///
/// # Errors
/// Tables of that name that belong to somebody else.
pub fn diff(live: &Live, desired: &Lowered, ownership: &Ownership) -> Result<Diff, Vec<Conflict>> {
    let pairs = desired.tables.values().map(|table| (live.tables.get(&table.id), table));
    let conflicts: Vec<Conflict> =
        pairs.clone().filter_map(|(live, table)| ownership.conflict(live?, table.flags.owner)).collect();
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    let tables = pairs.flat_map(|(live, table)| match live {
        Some(live) => tables::changed(live, table),
        None => vec![tables::added(table)],
    });
    Ok(Diff { tables: tables.collect() })
}

/// The difference that removes tables. Those that are not there make none.
///
/// # Errors
/// Tables that belong to somebody else.
pub fn removal<'a>(
    live: &Live,
    tables: impl IntoIterator<Item = &'a TableId>,
    ownership: &Ownership,
) -> Result<Diff, Vec<Conflict>> {
    let there: Vec<_> = tables.into_iter().filter_map(|id| live.tables.get(id)).collect();
    let conflicts: Vec<Conflict> =
        there.iter().filter_map(|table| ownership.conflict(table, table.flags.owner)).collect();
    if conflicts.is_empty() {
        Ok(Diff { tables: there.into_iter().map(tables::removed).collect() })
    } else {
        Err(conflicts)
    }
}

#[cfg(test)]
mod tests;
