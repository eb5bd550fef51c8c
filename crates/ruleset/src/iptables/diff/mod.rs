//! How two iptables rulesets differ: by table, chain and rule, in order.
//!
//! Rules are compared by their canonical form: spelling that means the same is no difference, and neither are
//! counters. A rule that is elsewhere in its chain is moved, not removed and added.

mod edit;
mod merge;
mod render;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

pub use edit::edit;
pub use merge::{Scope, merge};

use super::canonical::canonical;
use super::name::ChainName;
use super::rule::Rule;
use super::ruleset::{Chain, IptablesRuleset, Policy, Table, TableName};
use crate::align::align;

/// What leads from one ruleset to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct IptablesDiff {
    /// The tables that differ, by name.
    pub tables: Vec<TableDiff>,
}

/// How a table differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableDiff {
    /// The table.
    pub table: TableName,
    /// Its chains that differ, by name.
    pub chains: Vec<ChainDiff>,
}

/// How a chain differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainDiff {
    /// The chain.
    pub chain: ChainName,
    /// What becomes of the chain itself.
    #[serde(flatten)]
    pub change: ChainChange,
    /// Its rules that differ, in their order: where one goes and one comes, the one that goes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleEdit>,
}

/// What becomes of a chain itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ChainChange {
    /// It is made.
    Added,
    /// It goes.
    Removed,
    /// It is built in, and its policy changes.
    Policy {
        /// As it is.
        from: Option<Policy>,
        /// As it is wanted.
        to: Policy,
    },
    /// Only its rules differ.
    Rules,
}

/// One rule that differs. Places count from 1: `from` in the chain as it is, `to` in the chain as it will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are said above")]
pub enum RuleEdit {
    /// It comes.
    Added { to: usize, rule: Rule },
    /// It goes.
    Removed { from: usize, rule: Rule },
    /// It is elsewhere.
    Moved { from: usize, to: usize, rule: Rule },
}

/// Compares two rulesets.
///
/// A table or built-in chain that one side does not name is empty there, and a policy that one side does not say is no
/// difference.
pub fn diff(from: &IptablesRuleset, to: &IptablesRuleset) -> IptablesDiff {
    let empty = Table::default();
    let names: BTreeSet<TableName> = from.tables.keys().chain(to.tables.keys()).copied().collect();
    let tables = names.into_iter().filter_map(|table| {
        let chains = chain_diffs(from.tables.get(&table).unwrap_or(&empty), to.tables.get(&table).unwrap_or(&empty));
        (!chains.is_empty()).then_some(TableDiff { table, chains })
    });
    IptablesDiff { tables: tables.collect() }
}

impl IptablesDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

fn chain_diffs(from: &Table, to: &Table) -> Vec<ChainDiff> {
    let mut names: BTreeMap<&ChainName, (Option<&Chain>, Option<&Chain>)> = BTreeMap::new();
    for (name, chain) in &from.chains {
        names.entry(name).or_default().0 = Some(chain);
    }
    for (name, chain) in &to.chains {
        names.entry(name).or_default().1 = Some(chain);
    }
    names.into_iter().filter_map(|(name, (from, to))| chain_diff(name, from, to)).collect()
}

fn chain_diff(name: &ChainName, from: Option<&Chain>, to: Option<&Chain>) -> Option<ChainDiff> {
    let change = match (from, to) {
        _ if name.is_built_in() => policy_change(from, to),
        (None, _) => ChainChange::Added,
        (_, None) => ChainChange::Removed,
        _ => ChainChange::Rules,
    };
    let rules = rule_edits(rules(from), rules(to));
    (change != ChainChange::Rules || !rules.is_empty()).then(|| ChainDiff { chain: name.clone(), change, rules })
}

fn rules(chain: Option<&Chain>) -> &[Rule] {
    chain.map_or(&[], |chain| &chain.rules)
}

fn policy_change(from: Option<&Chain>, to: Option<&Chain>) -> ChainChange {
    let from = from.and_then(|chain| chain.policy);
    match to.and_then(|chain| chain.policy) {
        Some(to) if from.unwrap_or(Policy::Accept) != to => ChainChange::Policy { from, to },
        _ => ChainChange::Rules,
    }
}

/// What rules are compared by.
fn forms(rules: &[Rule]) -> Vec<Rule> {
    rules.iter().cloned().map(canonical).collect()
}

/// The edits that lead from one list of rules to another. Of rules that cannot stay where they are, one that comes with
/// the same form as one that goes is moved.
fn rule_edits(from: &[Rule], to: &[Rule]) -> Vec<RuleEdit> {
    let (old, new) = (forms(from), forms(to));
    let pairs = align(&old, &new);
    let mut stays = (vec![false; old.len()], vec![false; new.len()]);
    for &(i, j) in &pairs {
        (stays.0[i], stays.1[j]) = (true, true);
    }
    let mut gone: HashMap<_, Vec<usize>> = HashMap::new();
    for i in (0..old.len()).rev().filter(|i| !stays.0[*i]) {
        gone.entry(&old[i]).or_default().push(i);
    }
    let mut moved = vec![false; old.len()];
    let comes: Vec<Option<usize>> = (0..new.len())
        .map(|j| if stays.1[j] { None } else { gone.get_mut(&new[j]).and_then(Vec::pop).inspect(|i| moved[*i] = true) })
        .collect();
    let mut edits = Vec::new();
    let mut at = 0;
    let mut goes = |until: usize, edits: &mut Vec<RuleEdit>| {
        edits.extend(
            (at..until)
                .filter(|i| !stays.0[*i] && !moved[*i])
                .map(|i| RuleEdit::Removed { from: i + 1, rule: from[i].clone() }),
        );
        at = until;
    };
    let mut pairs = pairs.into_iter().peekable();
    for (j, rule) in to.iter().enumerate() {
        if stays.1[j] {
            let (i, _) = pairs.next().expect("a rule that stays has a pair");
            goes(i, &mut edits);
            continue;
        }
        goes(pairs.peek().map_or(old.len(), |(i, _)| *i), &mut edits);
        edits.push(match comes[j] {
            Some(i) => RuleEdit::Moved { from: i + 1, to: j + 1, rule: rule.clone() },
            None => RuleEdit::Added { to: j + 1, rule: rule.clone() },
        });
    }
    goes(old.len(), &mut edits);
    edits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::iptables::{Family, parse};

    fn ruleset(text: &str) -> IptablesRuleset {
        let parsed = parse("-", text, Family::Ip);
        assert_eq!(parsed.problems, []);
        parsed.text.ruleset()
    }

    fn filter(lines: &str) -> IptablesRuleset {
        ruleset(&format!("*filter\n{lines}COMMIT\n"))
    }

    /// What the difference's text makes of the first.
    fn edited(from: &IptablesRuleset, to: &IptablesRuleset) -> IptablesRuleset {
        let mut result = from.clone();
        result.restore(&edit(&diff(from, to))).expect("the text can be run");
        result
    }

    #[test]
    fn what_moves_is_neither_removed_nor_added() {
        let from =
            filter(":INPUT ACCEPT [0:0]\n-A INPUT -s 10.0.0.1 -j DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j LOG\n");
        let to =
            filter(":INPUT DROP [7:7]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j LOG\n-A INPUT -s 10.0.0.1/32 -j DROP\n");
        insta::assert_snapshot!(diff(&from, &to), @"
        ~ table filter
        ~   chain INPUT: policy ACCEPT becomes DROP
        >     -s 10.0.0.1/32 -j DROP (from 1 to 3)
        ");
        insta::assert_snapshot!(edit(&diff(&from, &to)), @"
        *filter
        :INPUT DROP [0:0]
        -D INPUT 1
        -I INPUT 3 -s 10.0.0.1/32 -j DROP
        COMMIT
        ");
        assert_eq!(edited(&from, &to), to);
    }

    #[test]
    fn a_text_speaks_for_what_it_declares() {
        let live = filter(
            ":INPUT ACCEPT [0:0]\n:OURS - [0:0]\n:THEIRS - [0:0]\n-A INPUT -j THEIRS\n-A INPUT -i old -j OURS\n\
             -A FORWARD -j OURS\n-A OURS -j LOG\n-A THEIRS -j DROP\n",
        );
        let desired = filter(":OURS - [0:0]\n-A INPUT -j OURS\n-A OURS -j DROP\n");
        insta::assert_snapshot!(diff(&live, &merge(&live, &desired, Scope::Declared)), @"
        ~ table filter
        ~   chain FORWARD
        -     -j OURS
        ~   chain INPUT
        +     -j OURS
        -     -i old -j OURS
        ~   chain OURS
        -     -j LOG
        +     -j DROP
        ");
        insta::assert_snapshot!(diff(&live, &merge(&live, &desired, Scope::Tables)), @"
        ~ table filter
        ~   chain FORWARD
        -     -j OURS
        ~   chain INPUT
        -     -j THEIRS
        -     -i old -j OURS
        +     -j OURS
        ~   chain OURS
        -     -j LOG
        +     -j DROP
        -   chain THEIRS
        -     -j DROP
        ");
    }

    fn any_ruleset() -> impl Strategy<Value = IptablesRuleset> {
        let rules = || proptest::collection::vec(0..6_u8, 0..8);
        let chain = |present: bool| {
            if present { rules().prop_map(Some).boxed() } else { proptest::option::of(rules()).boxed() }
        };
        (chain(true), chain(false), chain(false), proptest::bool::ANY).prop_map(|(input, a, b, drops)| {
            let mut text = format!("*filter\n:INPUT {} [0:0]\n", if drops { "DROP" } else { "ACCEPT" });
            let declared: Vec<_> =
                [("A", a), ("B", b)].into_iter().filter_map(|(name, rules)| Some((name, rules?))).collect();
            for (name, _) in &declared {
                text += &format!(":{name} - [0:0]\n");
            }
            for (name, rules) in [("INPUT", input.unwrap_or_default())].into_iter().chain(declared.clone()) {
                for rule in rules {
                    text += &match declared.get(usize::from(rule)) {
                        // Only from chains before it: no loops.
                        Some((target, _)) if name == "INPUT" => format!("-A {name} -j {target}\n"),
                        _ => format!("-A {name} -s 10.0.0.{rule}/32 -j DROP\n"),
                    };
                }
            }
            ruleset(&(text + "COMMIT\n"))
        })
    }

    proptest! {
        #[test]
        fn the_text_of_a_difference_makes_it(from in any_ruleset(), to in any_ruleset()) {
            prop_assert_eq!(edited(&from, &to), to.clone());
            prop_assert!(diff(&to, &to).is_empty());
            let back = edited(&to, &from);
            prop_assert_eq!(back, from);
        }

        #[test]
        fn what_is_merged_is_merged_once(live in any_ruleset(), desired in any_ruleset()) {
            for scope in [Scope::Declared, Scope::Tables] {
                let merged = merge(&live, &desired, scope);
                prop_assert_eq!(merge(&merged, &desired, scope), merged);
            }
        }
    }
}
