//! What the kernel would refuse of a whole ruleset: what no rule shows by itself.
//!
//! iptables-legacy says of such a ruleset only that its `COMMIT` failed (`translate_table`, net/ipv4/netfilter/ip_tables.c,
//! and `xt_check_target`, net/netfilter/x_tables.c); so it is found before.

use std::collections::BTreeSet;
use std::fmt;

use super::extension::Context;
use super::name::ChainName;
use super::rule::{Rule, Target};
use super::ruleset::{Family, IptablesRuleset, Table, TableName};

/// A rule that makes the kernel refuse the table it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    /// The table.
    pub table: TableName,
    /// The chain.
    pub chain: ChainName,
    /// The rule.
    pub rule: Rule,
    /// What is wrong with it.
    pub kind: CheckErrorKind,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckErrorKind {
    /// It leads to a chain that is not there.
    NoChain(ChainName),
    /// It leads to a built-in chain.
    BuiltIn(ChainName),
    /// It leads back to a chain that leads to it.
    Loop(ChainName),
    /// An extension of it must not be reached from a built-in chain.
    Reached {
        /// The extension.
        extension: &'static str,
        /// The built-in chain.
        from: ChainName,
        /// Where it may be.
        only: String,
    },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, chain, .. } = self;
        match &self.kind {
            CheckErrorKind::NoChain(target) => {
                write!(f, "chain `{target}` is not there in table {table}, and there is no such target")
            }
            CheckErrorKind::BuiltIn(target) => write!(f, "chain `{target}` is built in: no rule leads to it"),
            CheckErrorKind::Loop(target) => write!(f, "the rule leads back to chain `{target}`, which leads here"),
            CheckErrorKind::Reached { extension, from, only } => {
                write!(f, "`{extension}` in chain `{chain}` is reached from {from}: {only}")
            }
        }
    }
}

/// Everything in a ruleset that the kernel would refuse, table by table.
///
/// A target that is unknown, but has options, is taken for one that the kernel knows.
pub fn check(ruleset: &IptablesRuleset, family: Family) -> Vec<CheckError> {
    ruleset.tables.iter().flat_map(|(name, table)| Checker { name: *name, table, family }.errors()).collect()
}

struct Checker<'a> {
    name: TableName,
    table: &'a Table,
    family: Family,
}

impl<'a> Checker<'a> {
    fn errors(&self) -> Vec<CheckError> {
        let mut errors = Vec::new();
        for (chain, rule) in self.rules() {
            let Some(target) = rule.chain() else { continue };
            if target.is_built_in() {
                errors.push(self.error(chain, rule, CheckErrorKind::BuiltIn(target.clone())));
            } else if !self.table.chains.contains_key(target) {
                errors.push(self.error(chain, rule, CheckErrorKind::NoChain(target.clone())));
            }
        }
        errors.extend(self.loops());
        for built_in in self.table.chains.keys().filter(|name| name.is_built_in()) {
            errors.extend(self.reached(built_in));
        }
        errors
    }

    fn rules(&self) -> impl Iterator<Item = (&'a ChainName, &'a Rule)> {
        self.table.chains.iter().flat_map(|(name, chain)| chain.rules.iter().map(move |rule| (name, rule)))
    }

    fn error(&self, chain: &ChainName, rule: &Rule, kind: CheckErrorKind) -> CheckError {
        CheckError { table: self.name, chain: chain.clone(), rule: rule.clone(), kind }
    }

    /// The rules that close a loop, one for each.
    fn loops(&self) -> Vec<CheckError> {
        let mut errors = Vec::new();
        // Chains that lead to no loop, and those on the way from the one that is looked at.
        let mut done: BTreeSet<&ChainName> = BTreeSet::new();
        for start in self.table.chains.keys() {
            let mut way: BTreeSet<&ChainName> = BTreeSet::new();
            let mut stack: Vec<(&ChainName, std::slice::Iter<'_, Rule>)> = Vec::new();
            if !done.contains(start) {
                way.insert(start);
                stack.push((start, self.table.chains[start].rules.iter()));
            }
            while let Some((chain, rules)) = stack.last_mut() {
                let chain = *chain;
                let Some(rule) = rules.next() else {
                    done.insert(chain);
                    way.remove(chain);
                    stack.pop();
                    continue;
                };
                let Some((target, next)) = rule.chain().and_then(|target| self.table.chains.get_key_value(target))
                else {
                    continue;
                };
                if way.contains(target) {
                    errors.push(self.error(chain, rule, CheckErrorKind::Loop(target.clone())));
                } else if !done.contains(target) {
                    way.insert(target);
                    stack.push((target, next.rules.iter()));
                }
            }
        }
        errors
    }

    /// What is reached from a built-in chain and must not be.
    fn reached(&self, built_in: &ChainName) -> Vec<CheckError> {
        let mut errors = Vec::new();
        let mut seen = BTreeSet::from([built_in]);
        let mut next = vec![built_in];
        while let Some(name) = next.pop() {
            let Some((name, chain)) = self.table.chains.get_key_value(name) else { continue };
            for rule in &chain.rules {
                if let Some((extension, only)) = self.refused(built_in, rule) {
                    let kind = CheckErrorKind::Reached { extension, from: built_in.clone(), only };
                    errors.push(self.error(name, rule, kind));
                }
                next.extend(rule.chain().filter(|target| seen.insert(target)));
            }
        }
        errors
    }

    fn refused(&self, built_in: &ChainName, rule: &Rule) -> Option<(&'static str, String)> {
        let context = Context {
            family: self.family,
            table: Some(self.name),
            chain: Some(built_in.as_str()),
            protocol: rule.protocol,
        };
        let matches = rule.matches.iter().map(|it| (it.name(), it.only()));
        let action = match &rule.target {
            Some(Target::Action(action)) => Some((action.name(), action.only())),
            _ => None,
        };
        matches.chain(action).find_map(|(name, only)| Some((name?, only.refuse(&context)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::parse;

    fn problems(text: &str) -> Vec<String> {
        let parsed = parse("-", text, Family::Ip);
        assert_eq!(parsed.problems, []);
        check(&parsed.text.ruleset(), Family::Ip).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_kernel_would_refuse_is_found() {
        for (text, problem) in [
            (
                "*filter\n-A INPUT -j NOWHERE\nCOMMIT\n",
                "chain `NOWHERE` is not there in table filter, and there is no such target",
            ),
            ("*filter\n-A INPUT -g OUTPUT\nCOMMIT\n", "chain `OUTPUT` is built in: no rule leads to it"),
            (
                "*filter\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-A B -g A\nCOMMIT\n",
                "the rule leads back to chain `A`, which leads here",
            ),
        ] {
            assert_eq!(problems(text), [problem], "{text}");
        }
        assert_eq!(problems("*filter\n:A - [0:0]\n-A INPUT -j A\n-A A -j DROP\n-A OUTPUT -j A\nCOMMIT\n"), [""; 0]);
    }

    #[test]
    fn a_target_is_looked_for_where_jumps_lead() {
        let found =
            problems("*nat\n:A - [0:0]\n:B - [0:0]\n-A PREROUTING -j A\n-A A -j B\n-A B -j MASQUERADE\nCOMMIT\n");
        assert_eq!(
            found,
            ["`MASQUERADE` in chain `B` is reached from PREROUTING: not in chain PREROUTING, only in POSTROUTING"]
        );
    }
}
