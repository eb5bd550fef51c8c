//! What iptables texts mean: tables, chains and rules.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::name::ChainName;
use super::rule::{Rule, Target};
use super::save::{Command, Line, SaveText};

/// iptables or ip6tables: the same language with a few words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, iptables.
    Ip,
    /// IPv6, ip6tables.
    Ip6,
}

impl From<Family> for crate::ir::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Ip => Self::Ip,
            Family::Ip6 => Self::Ip6,
        }
    }
}

/// A table; the kernel has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableName {
    /// Before conntrack.
    Raw,
    /// Changes of packets.
    Mangle,
    /// Changes of addresses.
    Nat,
    /// What passes.
    Filter,
    /// For mandatory access control.
    Security,
}

impl TableName {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Mangle, Self::Nat, Self::Filter, Self::Security];

    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Mangle => "mangle",
            Self::Nat => "nat",
            Self::Filter => "filter",
            Self::Security => "security",
        }
    }

    /// The table of that word.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.keyword() == keyword)
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.keyword())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// What happens to a packet that no rule of a built-in chain decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// It passes.
    Accept,
    /// It is lost.
    Drop,
}

impl Policy {
    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Drop => "DROP",
        }
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.keyword())
    }
}

/// A chain: rules, called by the kernel (built in) or by a jump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// What becomes of the rest; `None` for a chain that is not built in, or whose policy is not ours to say.
    pub policy: Option<Policy>,
    /// Its rules, first to last.
    pub rules: Vec<Rule>,
}

/// The chains of a table, in the order of their declaration.
///
/// The order has no meaning and does not count in comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The chains.
    pub chains: IndexMap<ChainName, Chain>,
}

impl Table {
    /// The chain of that name, made without rules if it is not there.
    pub fn chain_mut(&mut self, name: &ChainName) -> &mut Chain {
        self.chains.entry(name.clone()).or_default()
    }
}

/// The tables of iptables or ip6tables: a whole ruleset, or the part of one that somebody declares.
///
/// Equal without regard to the order of tables and chains: iptables keeps none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IptablesRuleset {
    /// The tables.
    pub tables: BTreeMap<TableName, Table>,
}

/// Why `iptables-restore --noflush` would fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A line outside `*table` and `COMMIT`.
    #[error("line {line}: not inside a table")]
    NoTable {
        /// The line, from 1.
        line: usize,
    },
    /// A chain that is not there.
    #[error("line {line}: chain `{chain}` does not exist")]
    NoChain {
        /// The line, from 1.
        line: usize,
        /// The chain.
        chain: ChainName,
    },
    /// A rule that is not there.
    #[error("line {line}: no such rule in chain `{chain}`")]
    NoRule {
        /// The line, from 1.
        line: usize,
        /// The chain.
        chain: ChainName,
    },
    /// A chain that is there already, or whose name a built-in chain has.
    #[error("line {line}: chain `{chain}` is there already")]
    Exists {
        /// The line, from 1.
        line: usize,
        /// The chain.
        chain: ChainName,
    },
    /// A chain that cannot be deleted: it has rules, is jumped to or is built in.
    #[error("line {line}: chain `{chain}` is in use")]
    InUse {
        /// The line, from 1.
        line: usize,
        /// The chain.
        chain: ChainName,
    },
}

impl IptablesRuleset {
    /// The table of that name, made if it is not there.
    pub fn table_mut(&mut self, name: TableName) -> &mut Table {
        self.tables.entry(name).or_default()
    }

    /// What a text leads to, as `iptables-restore --noflush` runs it on this state: a declared chain is made, or emptied
    /// if it is there and not built in.
    ///
    /// Lines that are not understood are skipped. Chains that a rule jumps to are not looked for: a target without
    /// options may be an extension.
    ///
    /// # Errors
    /// Where it would fail. The ruleset is then as far as it came: run it on a clone.
    pub fn restore(&mut self, text: &SaveText) -> Result<(), RestoreError> {
        let mut table = None;
        for (index, line) in text.lines.iter().enumerate() {
            match line {
                Line::Table(name) => table = Some(*name),
                Line::Commit => table = None,
                Line::Note(_) | Line::Opaque(_) => {}
                Line::Chain { .. } | Line::Rule { .. } => {
                    let table = table.ok_or(RestoreError::NoTable { line: index + 1 })?;
                    self.table_mut(table).run(line, index + 1)?;
                }
            }
        }
        Ok(())
    }

    /// What a dump says: every line that can be run is, the others are skipped.
    pub(super) fn of_dump(text: &SaveText) -> Self {
        let mut ruleset = Self::default();
        let mut table = None;
        for line in &text.lines {
            match line {
                Line::Table(name) => table = Some(ruleset.table_mut(*name)),
                Line::Commit => table = None,
                // A table we do not know: its rules are not those of the table before.
                Line::Opaque(text) if text.starts_with('*') => table = None,
                _ => {
                    if let Some(table) = table.as_deref_mut() {
                        let _ = table.run(line, 0);
                    }
                }
            }
        }
        ruleset
    }
}

impl Table {
    fn run(&mut self, line: &Line, number: usize) -> Result<(), RestoreError> {
        match line {
            Line::Chain { chain, policy, .. } => {
                let chain = self.chain_mut(chain);
                match policy {
                    Some(policy) => chain.policy = Some(*policy),
                    None => chain.rules.clear(),
                }
                Ok(())
            }
            Line::Rule { command, .. } => self.command(command, number),
            _ => Ok(()),
        }
    }

    fn command(&mut self, command: &Command, line: usize) -> Result<(), RestoreError> {
        match command {
            Command::Append { chain, rule } => self.found(chain, line)?.rules.push(rule.clone()),
            Command::Insert { chain, at, rule } => {
                let rules = &mut self.found(chain, line)?.rules;
                let at = at.checked_sub(1).filter(|at| *at <= rules.len());
                rules.insert(at.ok_or_else(|| RestoreError::NoRule { line, chain: chain.clone() })?, rule.clone());
            }
            Command::Delete { chain, rule } => {
                let at = self.found(chain, line)?.rules.iter().position(|other| other == rule);
                self.remove(chain, at, line)?;
            }
            Command::DeleteAt { chain, at } => self.remove(chain, at.checked_sub(1), line)?,
            Command::Replace { chain, at, rule } => {
                let place = at.checked_sub(1).and_then(|at| self.found(chain, line).ok()?.rules.get_mut(at));
                *place.ok_or_else(|| RestoreError::NoRule { line, chain: chain.clone() })? = rule.clone();
            }
            Command::Check { chain, rule } => {
                if !self.found(chain, line)?.rules.contains(rule) {
                    return Err(RestoreError::NoRule { line, chain: chain.clone() });
                }
            }
            Command::NewChain { chain } => {
                if chain.is_built_in() || self.chains.contains_key(chain) {
                    return Err(RestoreError::Exists { line, chain: chain.clone() });
                }
                self.chain_mut(chain);
            }
            Command::DeleteChain { chain: Some(chain) } => self.delete_chain(chain, line)?,
            Command::DeleteChain { chain: None } => {
                let all: Vec<_> = self.chains.keys().filter(|chain| !chain.is_built_in()).cloned().collect();
                all.iter().try_for_each(|chain| self.delete_chain(chain, line))?;
            }
            Command::Flush { chain: Some(chain) } => self.found(chain, line)?.rules.clear(),
            Command::Flush { chain: None } => self.chains.values_mut().for_each(|chain| chain.rules.clear()),
            Command::Zero { chain, .. } => {
                chain.iter().try_for_each(|chain| self.found(chain, line).map(|_| ()))?;
            }
            Command::Policy { chain, policy } => self.found(chain, line)?.policy = Some(*policy),
            Command::Rename { chain, to } => self.rename(chain, to, line)?,
        }
        Ok(())
    }

    /// A chain that is there; a built-in one is without a declaration.
    fn found(&mut self, chain: &ChainName, line: usize) -> Result<&mut Chain, RestoreError> {
        if chain.is_built_in() {
            return Ok(self.chain_mut(chain));
        }
        self.chains.get_mut(chain).ok_or_else(|| RestoreError::NoChain { line, chain: chain.clone() })
    }

    fn remove(&mut self, chain: &ChainName, at: Option<usize>, line: usize) -> Result<(), RestoreError> {
        let rules = &mut self.found(chain, line)?.rules;
        let at = at.filter(|at| *at < rules.len());
        rules.remove(at.ok_or_else(|| RestoreError::NoRule { line, chain: chain.clone() })?);
        Ok(())
    }

    fn delete_chain(&mut self, chain: &ChainName, line: usize) -> Result<(), RestoreError> {
        let has_rules = !self.found(chain, line)?.rules.is_empty();
        if chain.is_built_in() || has_rules || self.rules().any(|rule| rule.chain() == Some(chain)) {
            return Err(RestoreError::InUse { line, chain: chain.clone() });
        }
        self.chains.shift_remove(chain);
        Ok(())
    }

    fn rename(&mut self, chain: &ChainName, to: &ChainName, line: usize) -> Result<(), RestoreError> {
        if to.is_built_in() || self.chains.contains_key(to) {
            return Err(RestoreError::Exists { line, chain: to.clone() });
        }
        if chain.is_built_in() {
            return Err(RestoreError::InUse { line, chain: chain.clone() });
        }
        let renamed = std::mem::take(self.found(chain, line)?);
        self.chains.shift_remove(chain);
        self.chains.insert(to.clone(), renamed);
        for rule in self.chains.values_mut().flat_map(|chain| &mut chain.rules) {
            match &mut rule.target {
                Some(Target::Jump(target) | Target::Goto(target)) if target == chain => *target = to.clone(),
                _ => {}
            }
        }
        Ok(())
    }

    /// All rules of all chains.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.chains.values().flat_map(|chain| &chain.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::parse;

    fn restored(text: &str) -> Result<IptablesRuleset, RestoreError> {
        let parsed = parse("-", text, Family::Ip);
        assert_eq!(parsed.problems, []);
        let mut ruleset = IptablesRuleset::default();
        ruleset.restore(&parsed.text).map(|()| ruleset)
    }

    #[test]
    fn a_restore_runs_line_by_line() {
        let ruleset = restored(
            "*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-A A -j DROP\n-I OUTPUT 1 -j A\n-I OUTPUT 1 -j ACCEPT\n\
             -D A -j B\n-X B\nCOMMIT\n",
        );
        let ruleset = ruleset.unwrap();
        let table = &ruleset.tables[&TableName::Nat];
        let rules = |chain: &str| table.chains[chain].rules.iter().map(Rule::to_string).collect::<Vec<_>>();
        assert_eq!(rules("A"), ["-j DROP"]);
        assert_eq!(rules("OUTPUT"), ["-j ACCEPT", "-j A"]);
        assert!(!table.chains.contains_key("B"));
    }

    #[test]
    fn a_declared_chain_is_emptied_unless_it_is_built_in() {
        let ruleset =
            restored("*nat\n:A - [0:0]\n-A A -j DROP\n-A INPUT -j A\n:A - [0:0]\n:INPUT DROP [0:0]\nCOMMIT\n");
        let table = &ruleset.unwrap().tables[&TableName::Nat];
        assert_eq!(table.chains["A"].rules, []);
        assert_eq!(table.chains["INPUT"].rules.len(), 1);
        assert_eq!(table.chains["INPUT"].policy, Some(Policy::Drop));
    }

    #[test]
    fn what_iptables_would_refuse_is_an_error() {
        let chain = |name| ChainName::new(name).unwrap();
        for (text, error) in [
            ("-A INPUT -j DROP\n", RestoreError::NoTable { line: 1 }),
            ("*nat\n-A A -j DROP\n", RestoreError::NoChain { line: 2, chain: chain("A") }),
            ("*nat\n:A - [0:0]\n-D A -j DROP\n", RestoreError::NoRule { line: 3, chain: chain("A") }),
            ("*nat\n:A - [0:0]\n-I A 2 -j DROP\n", RestoreError::NoRule { line: 3, chain: chain("A") }),
            ("*nat\n:A - [0:0]\n-A OUTPUT -g A\n-X A\n", RestoreError::InUse { line: 4, chain: chain("A") }),
            ("*nat\n:A - [0:0]\n-A A -j DROP\n-X A\n", RestoreError::InUse { line: 4, chain: chain("A") }),
            ("*nat\n-X OUTPUT\n", RestoreError::InUse { line: 2, chain: chain("OUTPUT") }),
        ] {
            assert_eq!(restored(text), Err(error), "{text}");
        }
    }
}
