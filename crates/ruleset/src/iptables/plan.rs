//! The least change from a live state to a desired one, of our own chains only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::name::ChainName;
use super::rule::Rule;
use super::ruleset::{IptablesRuleset, Table, TableName};
use super::save::{Command, Line, SaveText};

/// What the name of every chain of ours begins with. A chain named so is ours; so is every rule of a built-in chain
/// that jumps to one.
pub const CHAIN_PREFIX: &str = "RULECTL-";

/// A change of a chain of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainChange {
    /// The chain.
    pub chain: ChainName,
    /// Its rules so far; `None` for a new chain.
    pub before: Option<Vec<Rule>>,
    /// Its rules from now on; `None` for a chain that goes.
    pub after: Option<Vec<Rule>>,
}

/// A rule of ours in a built-in chain that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JumpChange {
    /// The built-in chain.
    pub chain: ChainName,
    /// The rule.
    pub rule: Rule,
    /// Whether it comes.
    pub added: bool,
}

/// What changes in one table, in one atomic step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TablePlan {
    /// The table.
    pub table: TableName,
    /// Our chains that change, by name.
    pub chains: Vec<ChainChange>,
    /// Our rules in built-in chains that come and go.
    pub jumps: Vec<JumpChange>,
}

/// The steps from a live state to a desired one.
///
/// Each step is atomic, all of them together are not: iptables commits table by table. So a refusal in `filter` is
/// there before `nat` stops to translate, and goes only after `nat` translates again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IptablesPlan {
    /// The steps in their order. `filter` may be there twice.
    pub steps: Vec<TablePlan>,
}

/// Another owner's rule that leads to a chain that would go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chain `{chain}` of table `{table}` cannot be deleted: chain `{by}` of another owner has the rule `{rule}`")]
pub struct PlanConflict {
    /// The table.
    pub table: TableName,
    /// Our chain.
    pub chain: ChainName,
    /// The chain the rule is in.
    pub by: ChainName,
    /// The rule.
    pub rule: Box<Rule>,
}

/// Plans the change of our chains, and of our rules in built-in chains, from `live` to `desired`.
///
/// Chains that stay as they are are left out, so their counters survive. A rule of ours that stays in a built-in chain
/// keeps its place there. Nothing of another owner is touched.
///
/// # Errors
/// A chain that would go is used by another owner's rule.
pub fn plan(live: &IptablesRuleset, desired: &IptablesRuleset) -> Result<IptablesPlan, PlanConflict> {
    let empty = Table::default();
    let (mut first, mut steps, mut last) = (None, Vec::new(), None);
    let names: BTreeSet<TableName> = live.tables.keys().chain(desired.tables.keys()).copied().collect();
    for name in names {
        let live = live.tables.get(&name).unwrap_or(&empty);
        let desired = Ours::of(desired.tables.get(&name).unwrap_or(&empty), is_ours);
        check_references(name, live, &desired, is_ours)?;
        let live = Ours::of(live, is_ours);
        if name == TableName::Filter {
            (first, last) = live.refusing_steps(&desired);
        } else {
            steps.push(live.step(name, &desired));
        }
    }
    let steps = first.into_iter().chain(steps).chain(last).filter(|step| !step.is_empty());
    Ok(IptablesPlan { steps: steps.collect() })
}

/// Plans that nothing of ours is left.
///
/// # Errors
/// A chain of ours is used by another owner's rule.
pub fn delete(live: &IptablesRuleset) -> Result<IptablesPlan, PlanConflict> {
    plan(live, &IptablesRuleset::default())
}

/// Plans that chains of somebody else go, and the rules of built-in chains that jump to them. Each table is one step; all
/// that is left stays as it is.
///
/// # Errors
/// A chain that would go is used by a rule of another chain that stays.
pub fn remove(live: &IptablesRuleset, goes: impl Fn(&ChainName) -> bool) -> Result<IptablesPlan, PlanConflict> {
    let mut steps = Vec::new();
    for (name, table) in &live.tables {
        check_references(*name, table, &Ours::default(), &goes)?;
        steps.push(Ours::of(table, &goes).step(*name, &Ours::default()));
    }
    Ok(IptablesPlan { steps: steps.into_iter().filter(|step| !step.is_empty()).collect() })
}

fn is_ours(chain: &ChainName) -> bool {
    chain.as_str().starts_with(CHAIN_PREFIX)
}

fn check_references(
    name: TableName,
    live: &Table,
    desired: &Ours<'_>,
    is_ours: impl Fn(&ChainName) -> bool,
) -> Result<(), PlanConflict> {
    let others = live.chains.iter().filter(|(chain, _)| !is_ours(chain) && !chain.is_built_in());
    for (by, rule) in others.flat_map(|(by, chain)| chain.rules.iter().map(move |rule| (by, rule))) {
        let stale = rule.chain().filter(|chain| is_ours(chain) && !desired.chains.contains_key(*chain));
        if let Some(chain) = stale {
            return Err(PlanConflict {
                table: name,
                chain: chain.clone(),
                by: by.clone(),
                rule: Box::new(rule.clone()),
            });
        }
    }
    Ok(())
}

/// Our part of a table.
#[derive(Clone, Default)]
struct Ours<'a> {
    /// Our chains.
    chains: BTreeMap<&'a ChainName, Vec<&'a Rule>>,
    /// Our rules in built-in chains.
    jumps: BTreeMap<&'a ChainName, Vec<&'a Rule>>,
}

impl<'a> Ours<'a> {
    fn of(table: &'a Table, is_ours: impl Fn(&ChainName) -> bool) -> Self {
        let mut ours = Self::default();
        for (name, chain) in &table.chains {
            if is_ours(name) {
                ours.chains.insert(name, chain.rules.iter().collect());
            } else if name.is_built_in() {
                let jumps = chain.rules.iter().filter(|rule| rule.chain().is_some_and(&is_ours)).collect();
                ours.jumps.insert(name, jumps);
            }
        }
        ours
    }

    fn step(&self, table: TableName, desired: &Self) -> TablePlan {
        let names: BTreeSet<_> = self.chains.keys().chain(desired.chains.keys()).copied().collect();
        let rules = |rules: &Vec<&Rule>| rules.iter().map(|rule| (*rule).clone()).collect();
        let changes = names.into_iter().filter_map(|name| {
            let (before, after) = (self.chains.get(name), desired.chains.get(name));
            (before != after).then(|| ChainChange {
                chain: name.clone(),
                before: before.map(rules),
                after: after.map(rules),
            })
        });
        TablePlan { table, chains: changes.collect(), jumps: self.jump_changes(desired) }
    }

    /// Those that are live too often or not wanted go; those that are wanted and not live come, once.
    fn jump_changes(&self, desired: &Self) -> Vec<JumpChange> {
        let names: BTreeSet<_> = self.jumps.keys().chain(desired.jumps.keys()).copied().collect();
        let mut changes = Vec::new();
        for name in names {
            let live = self.jumps.get(name).map_or(&[][..], Vec::as_slice);
            let wanted = desired.jumps.get(name).map_or(&[][..], Vec::as_slice);
            let mut change =
                |rule: &Rule, added| changes.push(JumpChange { chain: name.clone(), rule: rule.clone(), added });
            for (at, rule) in live.iter().enumerate() {
                if !wanted.contains(rule) || live[..at].contains(rule) {
                    change(rule, false);
                }
            }
            for (at, rule) in wanted.iter().enumerate() {
                if !live.contains(rule) && !wanted[..at].contains(rule) {
                    change(rule, true);
                }
            }
        }
        changes
    }

    /// Both what is live and what is desired: desired rules first, jumps once.
    fn union(&self, desired: &Self) -> Self {
        let mut union = Self { chains: desired.chains.clone(), jumps: BTreeMap::new() };
        for (name, rules) in &self.chains {
            let wanted = union.chains.entry(name).or_default();
            let own: BTreeSet<&Rule> = wanted.iter().copied().collect();
            wanted.extend(rules.iter().filter(|rule| !own.contains(*rule)));
        }
        for (name, rules) in desired.jumps.iter().chain(&self.jumps) {
            let once = union.jumps.entry(name).or_default();
            for rule in rules {
                if !once.contains(rule) {
                    once.push(rule);
                }
            }
        }
        union
    }

    /// The steps of `filter`: one before `nat` changes, with more refusals, one after it, with fewer.
    fn refusing_steps(&self, desired: &Self) -> (Option<TablePlan>, Option<TablePlan>) {
        let union = self.union(desired);
        let more = self.step(TableName::Filter, &union);
        let fewer = union.step(TableName::Filter, desired);
        match (more.is_empty(), fewer.is_empty()) {
            (_, true) => (Some(self.step(TableName::Filter, desired)), None),
            (true, _) => (None, Some(self.step(TableName::Filter, desired))),
            _ => (Some(more), Some(fewer)),
        }
    }
}

impl TablePlan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty() && self.jumps.is_empty()
    }

    /// The lines of the step: references go before what they refer to.
    fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Table(self.table)];
        lines.extend(self.chains.iter().map(|change| Line::declare(&change.chain, None)));
        let jumps = |added| self.jumps.iter().filter(move |jump| jump.added == added);
        lines.extend(
            jumps(false).map(|jump| Command::Delete { chain: jump.chain.clone(), rule: jump.rule.clone() }.into()),
        );
        for change in &self.chains {
            let append = |rule: &Rule| Command::Append { chain: change.chain.clone(), rule: rule.clone() }.into();
            lines.extend(change.after.iter().flatten().map(append));
        }
        // Each at the top, so the first one last.
        lines.extend(
            jumps(true)
                .rev()
                .map(|jump| Command::Insert { chain: jump.chain.clone(), at: 1, rule: jump.rule.clone() }.into()),
        );
        let gone = self.chains.iter().filter(|change| change.after.is_none());
        lines.extend(gone.map(|change| Command::DeleteChain { chain: Some(change.chain.clone()) }.into()));
        lines.push(Line::Commit);
        lines
    }
}

impl IptablesPlan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The text for `iptables-restore --noflush`; empty if nothing is to be done.
    ///
    /// Where a table is there twice, iptables-restore commits it twice.
    pub fn text(&self) -> SaveText {
        SaveText { lines: self.steps.iter().flat_map(TablePlan::lines).collect() }
    }
}

/// What changes, for people: `+` comes, `-` goes, `~` is refilled, with its rules that come and go.
impl fmt::Display for IptablesPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for TablePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {}", self.table)?;
        for jump in &self.jumps {
            writeln!(f, "  {} {}{}", if jump.added { '+' } else { '-' }, jump.chain, jump.rule.body())?;
        }
        self.chains.iter().try_for_each(|change| write!(f, "{change}"))
    }
}

impl fmt::Display for ChainChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (&self.before, &self.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        };
        writeln!(f, "  {sign} chain {}", self.chain)?;
        let (before, after) = (self.before.as_deref().unwrap_or_default(), self.after.as_deref().unwrap_or_default());
        for (sign, rules, others) in [('-', before, after), ('+', after, before)] {
            let others: BTreeSet<&Rule> = others.iter().collect();
            for rule in rules.iter().filter(|rule| !others.contains(rule)) {
                writeln!(f, "    {sign} {rule}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::{Family, parse};

    const FOREIGN: &str = "*nat\n:PREROUTING ACCEPT [5:6]\n:OUTPUT ACCEPT [0:0]\n:KUBE - [0:0]\n\
        -A PREROUTING -j KUBE\n-A KUBE -m odd --x -j DROP\nCOMMIT\n";

    const OURS: &str = "*nat\n:RULECTL-A - [0:0]\n:RULECTL-B - [0:0]\n:RULECTL-C - [0:0]\n-A PREROUTING -j RULECTL-A\n\
        -A OUTPUT -j RULECTL-A\n-A RULECTL-A -d 10.0.0.1/32 -j RULECTL-B\n-A RULECTL-A -j RULECTL-C\n\
        -A RULECTL-B -j RETURN\n-A RULECTL-C -j RETURN\nCOMMIT\n";

    fn ruleset(text: &str) -> IptablesRuleset {
        let parsed = parse("-", text, Family::Ip);
        assert_eq!(parsed.problems, []);
        parsed.text.ruleset()
    }

    fn planned(live: &IptablesRuleset, desired: &IptablesRuleset) -> String {
        plan(live, desired).unwrap().text().to_string()
    }

    /// What the plan leads to; also checks that there is nothing left to do.
    fn applied(live: &IptablesRuleset, desired: &IptablesRuleset) -> IptablesRuleset {
        let mut result = live.clone();
        result.restore(&plan(live, desired).unwrap().text()).unwrap();
        assert!(plan(&result, desired).unwrap().is_empty());
        result
    }

    #[test]
    fn our_rules_join_those_of_others_and_leave_without_a_trace() {
        let foreign = ruleset(FOREIGN);
        let both = applied(&foreign, &ruleset(OURS));
        let prerouting = &both.tables[&TableName::Nat].chains["PREROUTING"].rules;
        assert_eq!(prerouting.iter().map(Rule::to_string).collect::<Vec<_>>(), ["-j RULECTL-A", "-j KUBE"]);
        assert_eq!(applied(&both, &IptablesRuleset::default()), foreign);
    }

    #[test]
    fn what_does_not_change_is_not_touched() {
        let live = applied(&ruleset(FOREIGN), &ruleset(OURS));
        assert_eq!(planned(&live, &ruleset(OURS)), "");
        let one_changed = ruleset(&OURS.replace("-A RULECTL-B -j RETURN", "-A RULECTL-B -j ACCEPT"));
        insta::assert_snapshot!(planned(&live, &one_changed), @"
        *nat
        :RULECTL-B - [0:0]
        -A RULECTL-B -j ACCEPT
        COMMIT
        ");
        insta::assert_snapshot!(plan(&live, &one_changed).unwrap(), @"
        table nat
          ~ chain RULECTL-B
            - -j RETURN
            + -j ACCEPT
        ");
    }

    #[test]
    fn a_stale_chain_goes_after_the_rules_that_lead_to_it() {
        let live = ruleset(OURS);
        let fewer = OURS
            .replace(":RULECTL-B - [0:0]\n", "")
            .replace("-A RULECTL-B -j RETURN\n", "")
            .replace("-A RULECTL-A -d 10.0.0.1/32 -j RULECTL-B\n", "")
            .replace("-A OUTPUT -j RULECTL-A\n", "");
        insta::assert_snapshot!(planned(&live, &ruleset(&fewer)), @"
        *nat
        :RULECTL-A - [0:0]
        :RULECTL-B - [0:0]
        -D OUTPUT -j RULECTL-A
        -A RULECTL-A -j RULECTL-C
        -X RULECTL-B
        COMMIT
        ");
        applied(&live, &ruleset(&fewer));
    }

    #[test]
    fn a_jump_that_is_there_twice_goes_once() {
        let twice =
            OURS.replace("-A OUTPUT", "-A PREROUTING -j RULECTL-A\n-A PREROUTING -i lo -j RULECTL-A\n-A OUTPUT");
        let live = ruleset(&twice);
        insta::assert_snapshot!(planned(&live, &ruleset(OURS)), @"
        *nat
        -D PREROUTING -j RULECTL-A
        -D PREROUTING -i lo -j RULECTL-A
        COMMIT
        ");
        assert_eq!(applied(&live, &ruleset(OURS)), ruleset(OURS));
    }

    #[test]
    fn a_chain_that_another_owner_uses_is_a_conflict_that_names_it() {
        let used = OURS.replace(":RULECTL-B", ":THEIRS - [0:0]\n-A THEIRS -s 10.0.0.0/8 -g RULECTL-A\n:RULECTL-B");
        let conflict = delete(&ruleset(&used)).unwrap_err().to_string();
        assert_eq!(
            conflict,
            "chain `RULECTL-A` of table `nat` cannot be deleted: chain `THEIRS` of another owner has the rule \
             `-s 10.0.0.0/8 -g RULECTL-A`"
        );
        assert!(plan(&ruleset(&used), &ruleset(OURS)).unwrap().is_empty());
    }

    fn refusing(addresses: &[&str]) -> IptablesRuleset {
        let rules: String =
            addresses.iter().map(|address| format!("-A RULECTL-REJECT -d {address} -j REJECT\n")).collect();
        let nat: String = addresses.iter().map(|address| format!("-A RULECTL-A ! -d {address} -j RETURN\n")).collect();
        ruleset(&format!(
            "*filter\n:RULECTL-REJECT - [0:0]\n-A INPUT -j RULECTL-REJECT\n{rules}COMMIT\n\
             *nat\n:RULECTL-A - [0:0]\n-A OUTPUT -j RULECTL-A\n{nat}COMMIT\n"
        ))
    }

    #[test]
    fn refusals_come_before_translation_ends_and_go_after_it_begins() {
        let tables = |before: &[&str], after: &[&str]| {
            let (before, after) = (refusing(before), refusing(after));
            applied(&before, &after);
            let steps = plan(&before, &after).unwrap().steps;
            steps.iter().map(|step| step.table.keyword()).collect::<Vec<_>>()
        };
        assert_eq!(tables(&[], &["10.0.0.1"]), ["filter", "nat"]);
        assert_eq!(tables(&["10.0.0.1"], &[]), ["nat", "filter"]);
        assert_eq!(tables(&["10.0.0.1"], &["10.0.0.2"]), ["filter", "nat", "filter"]);
        let gone = delete(&refusing(&["10.0.0.1"])).unwrap();
        assert_eq!(gone.steps.iter().map(|step| step.table.keyword()).collect::<Vec<_>>(), ["nat", "filter"]);
    }
}
