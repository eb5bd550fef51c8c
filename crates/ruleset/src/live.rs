//! What a kernel holds: rulesets with handles, counters and the generation they were read at.
//!
//! [`Live`] is what was read, [`crate::lower::Lowered`] what is wanted; they are different types so that neither can be
//! taken for the other. Both hold rules as [`Program`]s, so they compare by what the kernel does.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::expr::Program;
use crate::ir::{
    AnySet, BaseChain, ChainName, Comment, Flowtable, HasName, Named, Object, ObjectName, ObjectType, Provenance,
    SetName, TableFlags, TableId,
};
use crate::lower::{Lowered, LoweredChain, LoweredTable};

/// A state of a kernel's whole nf_tables ruleset: it changes with every commit, whoever makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The number (`NFTA_GEN_ID`).
    pub id: u32,
    /// The process that made it, as far as the kernel tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// That process's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

/// `generation 7, by nft (pid 4711)`.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}", self.id)?;
        match (&self.process, self.pid) {
            (Some(process), Some(pid)) => write!(f, ", by {process} (pid {pid})"),
            (Some(process), None) => write!(f, ", by {process}"),
            (None, Some(pid)) => write!(f, ", by pid {pid}"),
            (None, None) => Ok(()),
        }
    }
}

/// The tables of a kernel, or those of them that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The state they were read in.
    pub generation: Generation,
    /// The tables.
    #[serde(with = "tables")]
    pub tables: IndexMap<TableId, LiveTable>,
}

/// A table in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTable {
    /// Family and name.
    pub id: TableId,
    /// The kernel's number for it.
    pub handle: u64,
    /// Its flags.
    #[serde(default)]
    pub flags: TableFlags,
    /// Its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// The netlink port of its owner, where it has one: most often the owner's process number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// Its stateful objects.
    #[serde(default)]
    pub objects: Named<LiveObject>,
    /// Its named sets and maps. Anonymous ones are inside the programs that use them.
    #[serde(default)]
    pub sets: Named<LiveSet>,
    /// Its flowtables.
    #[serde(default)]
    pub flowtables: Named<LiveFlowtable>,
    /// Its chains, in the order of their registration.
    #[serde(default)]
    pub chains: Named<LiveChain>,
}

/// A chain in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveChain {
    /// Its name.
    pub name: ChainName,
    /// The kernel's number for it.
    pub handle: u64,
    /// Where it hooks in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseChain>,
    /// Its comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Its rules, first to last.
    #[serde(default)]
    pub rules: Vec<LiveRule>,
}

/// A rule in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRule {
    /// The kernel's number for it.
    pub handle: u64,
    /// What it does.
    pub program: Program,
}

/// A named set or map in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSet {
    /// The kernel's number for it.
    pub handle: u64,
    /// The set, with its elements if they were asked for.
    pub set: AnySet,
}

/// A stateful object in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveObject {
    /// The kernel's number for it.
    pub handle: u64,
    /// The object, with its state.
    pub object: Object,
}

/// A flowtable in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFlowtable {
    /// The kernel's number for it.
    pub handle: u64,
    /// The flowtable.
    pub flowtable: Flowtable,
}

/// As a kernel would hold it that nothing else was ever in.
impl From<Lowered> for Live {
    fn from(lowered: Lowered) -> Self {
        let tables = lowered.tables.into_values().zip(1..).map(|(table, handle)| live_table(table, handle));
        Self { generation: Generation::default(), tables: tables.map(|table| (table.id.clone(), table)).collect() }
    }
}

fn live_table(table: LoweredTable, handle: u64) -> LiveTable {
    let LoweredTable { id, flags, comment, objects, sets, flowtables, chains } = table;
    let mut numbers = 1..;
    let mut number = || numbers.next().expect("fewer things than numbers");
    LiveTable {
        id,
        handle,
        flags,
        comment,
        owner: None,
        objects: objects.into_iter().map(|object| LiveObject { handle: number(), object }).collect(),
        sets: sets.into_iter().map(|set| LiveSet { handle: number(), set }).collect(),
        flowtables: flowtables.into_iter().map(|flowtable| LiveFlowtable { handle: number(), flowtable }).collect(),
        chains: chains
            .into_iter()
            .map(|LoweredChain { name, base, comment, rules }| {
                let handle = number();
                let rules = rules.into_iter().map(|(program, _)| LiveRule { handle: number(), program }).collect();
                LiveChain { name, handle, base, comment, rules }
            })
            .collect(),
    }
}

/// As it would be wanted if it were to stay.
impl From<Live> for Lowered {
    fn from(live: Live) -> Self {
        let tables = live.tables.into_iter().map(|(id, table)| (id, lowered_table(table)));
        Self { tables: tables.collect() }
    }
}

/// As it would be wanted if it were to stay.
impl From<LiveTable> for LoweredTable {
    fn from(table: LiveTable) -> Self {
        lowered_table(table)
    }
}

fn lowered_table(table: LiveTable) -> LoweredTable {
    let LiveTable { id, handle: _, flags, comment, owner: _, objects, sets, flowtables, chains } = table;
    LoweredTable {
        id,
        flags,
        comment,
        objects: objects.into_iter().map(|live| live.object).collect(),
        sets: sets.into_iter().map(|live| live.set).collect(),
        flowtables: flowtables.into_iter().map(|live| live.flowtable).collect(),
        chains: chains
            .into_iter()
            .map(|LiveChain { name, handle: _, base, comment, rules }| {
                let rules = rules.into_iter().map(|rule| (rule.program, Provenance::default())).collect();
                LoweredChain { name, base, comment, rules }
            })
            .collect(),
    }
}

impl HasName for LiveChain {
    type Name = ChainName;
    type Key = ChainName;
    fn name(&self) -> &ChainName {
        &self.name
    }
    fn key(&self) -> ChainName {
        self.name().clone()
    }
}

impl HasName for LiveSet {
    type Name = SetName;
    type Key = SetName;
    fn name(&self) -> &SetName {
        self.set.name()
    }
    fn key(&self) -> SetName {
        self.name().clone()
    }
}

impl HasName for LiveObject {
    type Name = ObjectName;
    type Key = (ObjectType, ObjectName);
    fn name(&self) -> &ObjectName {
        &self.object.name
    }
    fn key(&self) -> (ObjectType, ObjectName) {
        (self.object.kind.object_type(), self.name().clone())
    }
}

impl HasName for LiveFlowtable {
    type Name = ObjectName;
    type Key = ObjectName;
    fn name(&self) -> &ObjectName {
        &self.flowtable.name
    }
    fn key(&self) -> ObjectName {
        self.name().clone()
    }
}

/// Tables as a list: JSON has no keys of two parts.
mod tables {
    use indexmap::IndexMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{LiveTable, TableId};

    pub(super) fn serialize<S: Serializer>(
        tables: &IndexMap<TableId, LiveTable>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(tables.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<IndexMap<TableId, LiveTable>, D::Error> {
        let tables = Vec::<LiveTable>::deserialize(deserializer)?;
        Ok(tables.into_iter().map(|table| (table.id.clone(), table)).collect())
    }
}
