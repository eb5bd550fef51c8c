//! Who holds iptables rules in a network namespace: x_tables (iptables-legacy), nf_tables (iptables-nft), or both.

use std::io::ErrorKind;

use rulectl_ruleset::iptables::{Family, TableName};
use rulectl_ruleset::ir::{self, TableId};
use rulectl_ruleset::live::LiveTable;

use crate::kernel::{Kernel, ReadError, Scope};

/// The tables of iptables and ip6tables that are there, by who holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// Those of x_tables.
    pub legacy: Vec<(Family, TableName)>,
    /// Those of nf_tables that are of the shape that iptables-nft gives them.
    pub nft: Vec<(Family, TableName)>,
}

/// Looks which tables are there. Makes none: asking x_tables for a table by its name would.
///
/// # Errors
/// Where the kernel cannot be asked.
pub fn in_use(kernel: &mut impl Kernel) -> Result<InUse, ReadError> {
    let families = [Family::Ip, Family::Ip6];
    let ids = families.into_iter().flat_map(|family| TableName::ALL.map(|table| (family, table)));
    let mut found = InUse::default();
    for family in families {
        found.legacy.extend(legacy(family)?.into_iter().map(|table| (family, table)));
    }
    let id = |(family, table): (Family, TableName)| {
        TableId::new(family.into(), ir::TableName::new(table.keyword()).expect("a keyword is a name"))
    };
    let live = kernel.read(&Scope::tables(ids.clone().map(id)).without_elements())?;
    let is_shaped = |it: &(Family, TableName)| live.tables.get(&id(*it)).is_some_and(is_of_iptables);
    found.nft = ids.filter(is_shaped).collect();
    Ok(found)
}

/// The tables of x_tables: the kernel lists those that somebody has used (`xt_proto_init`, net/netfilter/x_tables.c).
fn legacy(family: Family) -> Result<Vec<TableName>, ReadError> {
    // Of this thread: a thread may have entered another namespace.
    let path = match family {
        Family::Ip => "/proc/thread-self/net/ip_tables_names",
        Family::Ip6 => "/proc/thread-self/net/ip6_tables_names",
    };
    match std::fs::read_to_string(path) {
        Ok(names) => Ok(names.lines().filter_map(TableName::from_keyword).collect()),
        // x_tables is not loaded.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(ReadError::Io { action: "reading the names of x_tables' tables", source }),
    }
}

/// Whether iptables-nft made a table: its base chains have the names that it gives them, in capital letters.
fn is_of_iptables(table: &LiveTable) -> bool {
    let mut base = table.chains.iter().filter(|chain| chain.base.is_some()).peekable();
    base.peek().is_some()
        && base
            .all(|chain| matches!(chain.name.as_str(), "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING"))
}
