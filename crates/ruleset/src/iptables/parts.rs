//! Plans in small steps, for a tool whose time grows faster than its input.

use std::collections::{BTreeMap, BTreeSet};

use super::name::ChainName;
use super::plan::{ChainChange, IptablesPlan, TablePlan};

impl IptablesPlan {
    /// The same with steps of about that many chains, where it adds more than that.
    ///
    /// New chains come in steps of their own, those that are led to before those that lead there; the last step of a
    /// table changes everything that is there already. So packets see the change in that one step, as before: to new
    /// chains nothing leads until then. One that fails leaves chains behind that nothing leads to; the next plan takes
    /// them away.
    ///
    /// For `iptables-nft-restore --noflush`: what it does with a table takes time by the square of the lines that it
    /// has read of it (1.8.9). iptables-legacy-restore reads and writes a table anew in each step.
    #[must_use]
    pub fn in_parts(self, chains: usize) -> Self {
        Self { steps: self.steps.into_iter().flat_map(|step| parts(step, chains.max(1))).collect() }
    }
}

fn parts(step: TablePlan, most: usize) -> Vec<TablePlan> {
    let TablePlan { table, chains, jumps } = step;
    let (new, mut last): (Vec<_>, Vec<_>) = chains.into_iter().partition(|change| change.before.is_none());
    if new.len() <= most {
        last.extend(new);
        last.sort_by(|a, b| a.chain.cmp(&b.chain));
        return vec![TablePlan { table, chains: last, jumps }];
    }
    let mut new = leaves_first(new);
    let mut steps = Vec::with_capacity(new.len() / most + 2);
    while !new.is_empty() {
        let rest = new.split_off(most.min(new.len()));
        steps.push(TablePlan { table, chains: new, jumps: Vec::new() });
        new = rest;
    }
    steps.push(TablePlan { table, chains: last, jumps });
    steps.into_iter().filter(|step| !step.is_empty()).collect()
}

/// Each chain after those it leads to.
fn leaves_first(chains: Vec<ChainChange>) -> Vec<ChainChange> {
    let order = {
        let by_name: BTreeMap<&ChainName, &ChainChange> = chains.iter().map(|change| (&change.chain, change)).collect();
        let mut order = Vec::with_capacity(chains.len());
        let mut seen = BTreeSet::new();
        for change in &chains {
            // A chain twice on the stack: the second time all it leads to is in order.
            let mut stack = vec![(&change.chain, false)];
            while let Some((name, is_done)) = stack.pop() {
                if is_done {
                    order.push(name.clone());
                } else if let Some(change) = by_name.get(name).filter(|_| seen.insert(name)) {
                    stack.push((name, true));
                    let targets = change.after.iter().flatten().filter_map(|rule| rule.chain());
                    stack.extend(targets.map(|target| (target, false)));
                }
            }
        }
        order
    };
    let places: BTreeMap<ChainName, usize> = order.into_iter().zip(0..).collect();
    let mut chains = chains;
    chains.sort_by_key(|change| places.get(&change.chain).copied());
    chains
}

#[cfg(test)]
mod tests {
    use crate::iptables::{Family, IptablesRuleset, Line, SaveText, parse, plan};

    fn ruleset(text: &str) -> IptablesRuleset {
        let parsed = parse("-", text, Family::Ip);
        assert_eq!(parsed.problems, []);
        parsed.text.ruleset()
    }

    const LIVE: &str = "*nat\n:RULECTL-A - [0:0]\n:RULECTL-OLD - [0:0]\n-A OUTPUT -j RULECTL-A\n\
        -A RULECTL-A -j RULECTL-OLD\nCOMMIT\n";

    const WANTED: &str = "*nat\n:RULECTL-A - [0:0]\n:RULECTL-B - [0:0]\n:RULECTL-C - [0:0]\n:RULECTL-D - [0:0]\n\
        :RULECTL-E - [0:0]\n-A OUTPUT -j RULECTL-A\n-A INPUT -j RULECTL-E\n-A RULECTL-A -j RULECTL-B\n\
        -A RULECTL-B -j RULECTL-D\n-A RULECTL-B -j RULECTL-C\n-A RULECTL-C -j RULECTL-E\n-A RULECTL-D -g RULECTL-E\n\
        -A RULECTL-E -j RETURN\nCOMMIT\n";

    #[test]
    fn in_parts_it_leads_to_the_same_and_nothing_leads_to_new_chains_before_the_end() {
        let (live, wanted) = (ruleset(LIVE), ruleset(WANTED));
        let whole = plan(&live, &wanted).unwrap();
        for most in 1..6 {
            let parts = whole.clone().in_parts(most);
            let mut state = live.clone();
            for (at, step) in parts.steps.iter().enumerate() {
                let one = super::IptablesPlan { steps: vec![step.clone()] };
                let text = one.text();
                assert!(text.lines.iter().filter(|line| matches!(line, Line::Chain { .. })).count() <= most + 2);
                state.restore(&text).unwrap();
                let table = &state.tables[&crate::iptables::TableName::Nat];
                let is_there =
                    |rule: &crate::iptables::Rule| rule.chain().is_none_or(|chain| table.chains.contains_key(chain));
                assert!(table.rules().all(is_there), "{}", SaveText::from(&state));
                let is_last = at + 1 == parts.steps.len();
                assert_eq!(
                    table.chains["RULECTL-A"].rules != live.tables[&step.table].chains["RULECTL-A"].rules,
                    is_last
                );
            }
            assert_eq!(state, wanted);
        }
    }

    #[test]
    fn a_small_change_stays_one_step() {
        let whole = plan(&ruleset(LIVE), &ruleset(WANTED)).unwrap();
        assert_eq!(whole.clone().in_parts(4), whole);
    }
}
