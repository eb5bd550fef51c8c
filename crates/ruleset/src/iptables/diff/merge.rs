//! What a text that declares a part of a ruleset makes of one that is live.

use std::collections::{HashMap, HashSet};

use super::forms;
use crate::align::align;
use crate::iptables::name::ChainName;
use crate::iptables::rule::Rule;
use crate::iptables::ruleset::{IptablesRuleset, Table};

/// How much of a live table a text speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The chains it declares; of a built-in chain its own rules and those that lead to chains it declares. What others
    /// have beside that stays where it is.
    Declared,
    /// The tables it names, all that is in them.
    Tables,
}

/// What `live` becomes when `desired` is applied to it.
///
/// Tables that `desired` does not name stay as they are in either scope.
pub fn merge(live: &IptablesRuleset, desired: &IptablesRuleset, scope: Scope) -> IptablesRuleset {
    let mut merged = live.clone();
    for (name, desired) in &desired.tables {
        let live = merged.table_mut(*name);
        match scope {
            Scope::Declared => declared(live, desired),
            Scope::Tables => *live = whole(live, desired),
        }
    }
    merged
}

/// The desired table. Built-in chains that it does not name are there, empty, with the policy they have.
fn whole(live: &Table, desired: &Table) -> Table {
    let mut table = desired.clone();
    for (name, chain) in live.chains.iter().filter(|(name, _)| name.is_built_in()) {
        let wanted = table.chain_mut(name);
        wanted.policy = wanted.policy.or(chain.policy);
    }
    table
}

fn declared(live: &mut Table, desired: &Table) {
    let leads_to_ours = |rule: &Rule| rule.chain().is_some_and(|chain| is_declared(desired, chain));
    for (name, wanted) in &desired.chains {
        let chain = live.chain_mut(name);
        if !name.is_built_in() {
            *chain = wanted.clone();
            continue;
        }
        chain.policy = wanted.policy.or(chain.policy);
        chain.rules = beside(&chain.rules, &wanted.rules, leads_to_ours);
    }
    // A jump to one of our chains that is nobody's wish any more, in a built-in chain that the text does not name.
    for (_, chain) in
        live.chains.iter_mut().filter(|(name, _)| name.is_built_in() && !desired.chains.contains_key(*name))
    {
        chain.rules.retain(|rule| !leads_to_ours(rule));
    }
}

fn is_declared(table: &Table, chain: &ChainName) -> bool {
    !chain.is_built_in() && table.chains.contains_key(chain)
}

/// The rules of a built-in chain: those of others in their places, ours in their order. One of ours that is new goes
/// right behind the one before it, the first of them to the top.
fn beside(live: &[Rule], wanted: &[Rule], leads_to_ours: impl Fn(&Rule) -> bool) -> Vec<Rule> {
    let (old, new) = (forms(live), forms(wanted));
    let stays: HashMap<usize, usize> = align(&old, &new).into_iter().collect();
    let placed: HashSet<usize> = stays.values().copied().collect();
    let comes = |from: usize| (from..wanted.len()).take_while(|j| !placed.contains(j)).map(|j| wanted[j].clone());
    let ours: HashSet<_> = new.iter().collect();
    let mut rules: Vec<Rule> = comes(0).collect();
    for (i, rule) in live.iter().enumerate() {
        match stays.get(&i) {
            Some(j) => {
                rules.push(rule.clone());
                rules.extend(comes(j + 1));
            }
            None if ours.contains(&old[i]) || leads_to_ours(rule) => {}
            None => rules.push(rule.clone()),
        }
    }
    rules
}
