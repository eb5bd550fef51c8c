//! From service maps to rulesets.

use crate::ir::{Ruleset, TableName};

use super::{Finding, ServiceMap, chains, maps};

/// The comment on every table that `rulectl` makes. By it our own tables are told from others'.
pub const TABLE_COMMENT: &str = "managed by rulectl";

/// The name of the tables services are compiled to, where no other is asked for.
pub const DEFAULT_TABLE: &str = "rulectl";

/// How services become rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// A fixed number of chains; services and endpoints are elements of maps. A change costs the same at any size.
    /// Needs nf_tables.
    #[default]
    Maps,
    /// A chain per service and endpoint. Slower, but also iptables can hold it, and people can read it.
    Chains,
}

/// What the compiler is asked for, beside the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// The layout.
    pub layout: Layout,
    /// The name of the tables: one of family `ip`, one of family `ip6`.
    pub table: TableName,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            layout: Layout::default(),
            table: TableName::new(DEFAULT_TABLE).expect("the name is short and has no control characters"),
        }
    }
}

/// What a map compiles to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The tables: `ip` if the map has an IPv4 virtual address, `ip6` if it has an IPv6 one.
    pub ruleset: Ruleset,
    /// What was left out or looks wrong, sorted.
    pub findings: Vec<Finding>,
}

/// Compiles a service map.
///
/// The result depends on what the map says and not on the order in which it says it. A service that is wrong is left
/// out and reported; the others are compiled.
pub fn compile(map: &ServiceMap, options: &CompileOptions) -> Compiled {
    match options.layout {
        Layout::Maps => maps::compile(map, options),
        Layout::Chains => chains::compile(map, options),
    }
}
