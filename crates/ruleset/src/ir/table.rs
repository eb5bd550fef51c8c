//! Tables.

use serde::{Deserialize, Serialize};

use super::{AnySet, Chain, ChainName, Comment, Family, Flowtable, Named, Object, TableId, TableName};

/// Flags of a table (`enum nft_table_flags`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TableFlags {
    /// Its chains are not called.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dormant: bool,
    /// It belongs to the process that made it, and goes with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub owner: bool,
    /// It stays when its owner goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub persist: bool,
}

impl TableFlags {
    /// The kernel's bits.
    pub const fn bits(self) -> u32 {
        self.dormant as u32 | (self.owner as u32) << 1 | (self.persist as u32) << 2
    }

    /// From the kernel's bits; others are not kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self { dormant: bits & 1 != 0, owner: bits & 2 != 0, persist: bits & 4 != 0 }
    }
}

/// A table: chains, sets, objects and flowtables of one family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Table {
    /// Its family.
    pub family: Family,
    /// Its name, unique in its family.
    pub name: TableName,
    /// Its flags.
    #[serde(default)]
    pub flags: TableFlags,
    /// What people wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Stateful objects.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub objects: Named<Object>,
    /// Sets and maps, of all kinds.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub sets: Named<AnySet>,
    /// Flowtables.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub flowtables: Named<Flowtable>,
    /// Chains.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub chains: Named<Chain>,
}

impl Table {
    /// An empty table.
    pub fn new(family: Family, name: TableName) -> Self {
        Self {
            family,
            name,
            flags: TableFlags::default(),
            comment: None,
            objects: Named::default(),
            sets: Named::default(),
            flowtables: Named::default(),
            chains: Named::default(),
        }
    }

    /// Family and name.
    pub fn id(&self) -> TableId {
        TableId { family: self.family, name: self.name.clone() }
    }

    /// The chain of that name, made if it is not there.
    pub fn chain_mut(&mut self, name: &ChainName) -> &mut Chain {
        if !self.chains.contains(name) {
            self.chains.insert(Chain::new(name.clone()));
        }
        self.chains.find_mut(name).expect("inserted above")
    }

    /// The same with one more chain.
    #[must_use]
    pub fn with_chain(mut self, chain: Chain) -> Self {
        self.chains.insert(chain);
        self
    }

    /// The same with one more set or map.
    #[must_use]
    pub fn with_set(mut self, set: impl Into<AnySet>) -> Self {
        self.sets.insert(set.into());
        self
    }
}
