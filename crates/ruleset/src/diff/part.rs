//! Parts of tables: where only they are to change, the rest is wanted as it is.

use std::fmt;

use serde::Serialize;

use crate::ir::{ChainName, HasName, Named, SetName, TableId};
use crate::live::Live;
use crate::lower::{Lowered, LoweredTable};

/// A part of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A chain with its rules.
    Chain(TableId, ChainName),
    /// A set or map with its elements.
    Set(TableId, SetName),
}

/// A part that is asked for and not declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {0} is declared")]
pub struct NotDeclared(pub Part);

impl Part {
    /// The table it is a part of.
    pub fn table(&self) -> &TableId {
        match self {
            Self::Chain(table, _) | Self::Set(table, _) => table,
        }
    }
}

/// ``chain `input` of table `inet filter` ``.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(table, chain) => write!(f, "chain `{chain}` of table `{table}`"),
            Self::Set(table, set) => write!(f, "set `{set}` of table `{table}`"),
        }
    }
}

/// What is wanted if only those parts are to be as `wanted` says: they in place of what is there, and all else of their
/// tables as it is. A table that is not there has nothing but them.
///
/// # Errors
/// Parts that `wanted` does not declare.
pub fn only(live: &Live, wanted: &Lowered, parts: &[Part]) -> Result<Lowered, NotDeclared> {
    let mut only = Lowered::default();
    for part in parts {
        let undeclared = || NotDeclared(part.clone());
        let declared = wanted.tables.get(part.table()).ok_or_else(undeclared)?;
        let table = only.tables.entry(part.table().clone()).or_insert_with(|| match live.tables.get(part.table()) {
            Some(table) => table.clone().into(),
            None => empty(declared),
        });
        match part {
            Part::Chain(_, chain) => put(&mut table.chains, &declared.chains, chain).ok_or_else(undeclared)?,
            Part::Set(_, set) => put(&mut table.sets, &declared.sets, set).ok_or_else(undeclared)?,
        }
    }
    Ok(only)
}

fn empty(declared: &LoweredTable) -> LoweredTable {
    let (id, flags, comment) = (declared.id.clone(), declared.flags, declared.comment.clone());
    let (objects, sets, flowtables, chains) = Default::default();
    LoweredTable { id, flags, comment, objects, sets, flowtables, chains }
}

/// Puts the thing of that name in the place of the one that is there.
fn put<T: HasName + Clone>(there: &mut Named<T>, declared: &Named<T>, name: &T::Key) -> Option<()> {
    there.insert(declared.find(name)?.clone());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{Ownership, diff};
    use crate::ir::{Family, TableName};
    use crate::{lower, nft};

    fn lowered(text: &str) -> Lowered {
        let parsed = nft::parse("t.nft", text);
        assert_eq!(parsed.errors, []);
        lower::lower(parsed.ruleset).unwrap()
    }

    #[test]
    fn only_the_parts_that_are_named_differ() {
        let live = Live::from(lowered("table ip t { set s { type mark; }; chain a { drop; }; chain b { accept; }; }"));
        let wanted =
            lowered("table ip t { set s { type mark; elements = { 1 }; }; chain a { return; }; chain c { drop; }; }");
        let table = TableId::new(Family::Ip, TableName::new("t").unwrap());
        let chain = |name| Part::Chain(table.clone(), ChainName::new(name).unwrap());
        let set = Part::Set(table.clone(), SetName::new("s").unwrap());
        let change = |parts: &[Part]| {
            let wanted = only(&live, &wanted, parts).unwrap();
            diff(&live, &wanted, &Ownership::Declared).unwrap().to_string()
        };
        assert_eq!(change(&[]), "");
        let one = change(&[set]);
        assert!(one.contains("set s: 1 element added"), "{one}");
        let both = change(&[chain("a"), chain("c")]);
        assert!(both.contains("chain a") && both.contains("chain c") && !both.contains("chain b"), "{both}");
        assert_eq!(only(&live, &wanted, &[chain("b")]), Err(NotDeclared(chain("b"))));
        let nothing = only(&Live::default(), &wanted, &[chain("c")]).unwrap();
        assert_eq!((nothing.tables[&table].chains.len(), nothing.tables[&table].sets.len()), (1, 0));
    }
}
