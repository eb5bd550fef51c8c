//! Plans: ordered steps that lead a kernel from one state to another, each with its reason.
//!
//! `commit` executes a plan and decides nothing. A plan carries the generation it was made for.

mod order;
mod subject;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use order::plan;

use crate::expr::Program;
use crate::ir::{
    AnySet, BaseChain, ChainName, Comment, Elements, Flowtable, HasName, Object, ObjectName, ObjectType, Policy,
    SetName, TableFlags, TableId,
};

/// Where a new rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// To the end of the chain.
    Last,
    /// Before the rule of that handle.
    Before(u64),
}

/// The declaration of a set or map, without elements, shared by the steps that work on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetHead(Arc<AnySet>);

impl SetHead {
    /// The declaration of `set`; its elements are left behind.
    pub fn of(set: &AnySet) -> Self {
        Self(Arc::new(AnySet::new(set.spec().clone(), set.data_kind())))
    }

    /// The set, without elements.
    pub fn set(&self) -> &AnySet {
        &self.0
    }

    /// Its name.
    pub fn name(&self) -> &SetName {
        self.0.name()
    }
}

/// One change, as one netlink message carries it (elements: as many messages as they need).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant says what it does; the fields are what it does it to")]
pub enum Op {
    /// Makes a table; it must not be there.
    AddTable { table: TableId, flags: TableFlags, comment: Option<Comment> },
    /// Changes a table's flags.
    SetTableFlags { table: TableId, flags: TableFlags },
    /// Deletes a table with everything in it.
    DeleteTable { table: TableId },
    /// Makes a chain; it must not be there.
    AddChain { table: TableId, chain: ChainName, base: Option<BaseChain>, comment: Option<Comment> },
    /// Changes the policy of a base chain.
    SetPolicy { table: TableId, chain: ChainName, policy: Policy },
    /// Deletes a chain; it must be empty and nothing may lead to it.
    DeleteChain { table: TableId, chain: ChainName },
    /// Makes a set or map without elements; it must not be there.
    AddSet { table: TableId, set: SetHead },
    /// Deletes a set or map with its elements; no rule may use it.
    DeleteSet { table: TableId, set: SetName },
    /// Adds elements; none of their keys may be there.
    AddElements { table: TableId, set: SetHead, elements: Elements },
    /// Deletes elements; all of them must be there.
    DeleteElements { table: TableId, set: SetHead, elements: Elements },
    /// Makes a stateful object; it must not be there.
    AddObject { table: TableId, object: Object },
    /// Deletes a stateful object; nothing may use it.
    DeleteObject { table: TableId, object: ObjectType, name: ObjectName },
    /// Makes a flowtable; it must not be there.
    AddFlowtable { table: TableId, flowtable: Flowtable },
    /// Deletes a flowtable; no rule may use it.
    DeleteFlowtable { table: TableId, flowtable: ObjectName },
    /// Adds a rule.
    AddRule { table: TableId, chain: ChainName, place: Place, program: Program },
    /// Puts a rule in the place of another.
    ReplaceRule { table: TableId, chain: ChainName, handle: u64, program: Program },
    /// Deletes a rule.
    DeleteRule { table: TableId, chain: ChainName, handle: u64 },
}

impl Op {
    /// The table it changes.
    pub fn table(&self) -> &TableId {
        match self {
            Self::AddTable { table, .. }
            | Self::SetTableFlags { table, .. }
            | Self::DeleteTable { table }
            | Self::AddChain { table, .. }
            | Self::SetPolicy { table, .. }
            | Self::DeleteChain { table, .. }
            | Self::AddSet { table, .. }
            | Self::DeleteSet { table, .. }
            | Self::AddElements { table, .. }
            | Self::DeleteElements { table, .. }
            | Self::AddObject { table, .. }
            | Self::DeleteObject { table, .. }
            | Self::AddFlowtable { table, .. }
            | Self::DeleteFlowtable { table, .. }
            | Self::AddRule { table, .. }
            | Self::ReplaceRule { table, .. }
            | Self::DeleteRule { table, .. } => table,
        }
    }
}

/// Why a step is in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// It is wanted and not there.
    Missing,
    /// It is there and not wanted.
    Unwanted,
    /// It is there, but other than wanted.
    Differs,
    /// It is as wanted, but something it depends on must be made anew.
    Dependent,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub op: Op,
    /// Why.
    pub reason: Reason,
}

/// Steps in the order in which they are sent, all in one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The generation the plan is for: a kernel in another one refuses it. `None` applies to any.
    pub generation: Option<u32>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
