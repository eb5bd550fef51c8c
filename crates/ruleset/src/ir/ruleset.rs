//! Whole rulesets.

use std::cmp::Ordering;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Family, Table, TableName};

/// The family and name of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: TableName,
}

impl TableId {
    /// From both parts.
    pub fn new(family: Family, name: TableName) -> Self {
        Self { family, name }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}

/// A set of tables: a whole ruleset, or the part of one that somebody declares.
///
/// Tables are kept in the order in which they were added, and found by family and name. The order is part of the value:
/// it is the order in which they are made and listed, and that of base chains of equal priority follows from it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Table>", into = "Vec<Table>")]
pub struct Ruleset {
    tables: IndexMap<TableId, Table>,
}

impl Ruleset {
    /// Without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table, or puts it in the place of the one of the same family and name, which is returned.
    pub fn insert(&mut self, table: Table) -> Option<Table> {
        self.tables.insert(table.id(), table)
    }

    /// The table of that family and name.
    pub fn find(&self, id: &TableId) -> Option<&Table> {
        self.tables.get(id)
    }

    /// The table of that family and name, to change it. Its family and name must stay as they are.
    pub fn find_mut(&mut self, id: &TableId) -> Option<&mut Table> {
        self.tables.get_mut(id)
    }

    /// The table of that family and name, made if it is not there.
    pub fn table_mut(&mut self, id: &TableId) -> &mut Table {
        self.tables.entry(id.clone()).or_insert_with(|| Table::new(id.family, id.name.clone()))
    }

    /// Takes a table out.
    pub fn remove(&mut self, id: &TableId) -> Option<Table> {
        self.tables.shift_remove(id)
    }

    /// The tables, in their order.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = &Table> {
        self.tables.values()
    }

    /// The tables, to change them. Their families and names must stay as they are.
    pub fn tables_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Table> {
        self.tables.values_mut()
    }

    /// The tables themselves.
    pub fn into_tables(self) -> impl ExactSizeIterator<Item = Table> {
        self.tables.into_values()
    }

    /// Whether there is no table.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

impl PartialEq for Ruleset {
    fn eq(&self, other: &Self) -> bool {
        self.tables.len() == other.tables.len() && self.tables().eq(other.tables())
    }
}

impl Eq for Ruleset {}

impl PartialOrd for Ruleset {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ruleset {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tables().cmp(other.tables())
    }
}

impl FromIterator<Table> for Ruleset {
    fn from_iter<I: IntoIterator<Item = Table>>(tables: I) -> Self {
        Self { tables: tables.into_iter().map(|table| (table.id(), table)).collect() }
    }
}

impl From<Vec<Table>> for Ruleset {
    fn from(tables: Vec<Table>) -> Self {
        tables.into_iter().collect()
    }
}

impl From<Ruleset> for Vec<Table> {
    fn from(ruleset: Ruleset) -> Self {
        ruleset.tables.into_values().collect()
    }
}
