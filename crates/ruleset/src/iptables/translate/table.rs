//! Tables and chains.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::draft::Draft;
use super::rule::{Around, rule};
use super::shared::{self, ListUse, Shared};
use super::{Note, Translation, head, names};
use crate::iptables::name::ChainName;
use crate::iptables::ruleset::{Chain, Family, IptablesRuleset, Policy, Table, TableName};
use crate::iptables::save::{Command, Counters, Line, SaveText};
use crate::ir::check::Site;
use crate::ir::{self, BaseChain, ChainType, Comment, Hook, Priority, TableId};

/// All tables.
pub(super) fn ruleset(text: &SaveText, family: Family) -> Translation {
    let ruleset = text.ruleset();
    let counted = counted(text, &ruleset);
    let mut lists = HashMap::new();
    ruleset.tables.iter().for_each(|(name, table)| shared::lists(&mut lists, *name, table));
    let mut translation = Translation::default();
    for (name, table) in &ruleset.tables {
        let counted = |chain: &ChainName| counted.get(&(*name, chain.clone())).map_or(&[][..], Vec::as_slice);
        TableMaker::new(*name, table, family.into(), &lists).make(&counted, &mut translation);
    }
    translation
}

/// What passed each rule so far, by table and chain; nothing for a chain whose rules are not just appended.
fn counted(text: &SaveText, ruleset: &IptablesRuleset) -> HashMap<(TableName, ChainName), Vec<Counters>> {
    let mut counted: HashMap<(TableName, ChainName), Vec<Counters>> = HashMap::new();
    let mut table = None;
    for line in &text.lines {
        match (line, table) {
            (Line::Table(name), _) => table = Some(*name),
            (Line::Rule { counters, command: Command::Append { chain, .. } }, Some(table)) => {
                counted.entry((table, chain.clone())).or_default().push(counters.unwrap_or_default());
            }
            _ => {}
        }
    }
    counted.retain(|(table, chain), counters| {
        let chain = ruleset.tables.get(table).and_then(|table| table.chains.get(chain));
        chain.is_some_and(|chain| chain.rules.len() == counters.len())
    });
    counted
}

/// Where the kernel calls a built-in chain of a table (net/ipv4/netfilter/iptable_*.c).
fn base(family: ir::Family, table: TableName, chain: &str, policy: Policy) -> Option<BaseChain> {
    let (hook, at_nat) = match chain {
        "PREROUTING" => (Hook::Prerouting, Priority::DSTNAT),
        "INPUT" => (Hook::Input, Priority::SRCNAT),
        "FORWARD" => (Hook::Forward, Priority::FILTER),
        "OUTPUT" => (Hook::Output, Priority::DSTNAT),
        "POSTROUTING" => (Hook::Postrouting, Priority::SRCNAT),
        _ => return None,
    };
    let (chain_type, priority) = match table {
        TableName::Raw => (ChainType::Filter, Priority::RAW),
        // The packet is routed again when a rule there changed it.
        TableName::Mangle if hook == Hook::Output => (ChainType::Route, Priority::MANGLE),
        TableName::Mangle => (ChainType::Filter, Priority::MANGLE),
        TableName::Nat => (ChainType::Nat, at_nat),
        TableName::Filter => (ChainType::Filter, Priority::FILTER),
        TableName::Security => (ChainType::Filter, Priority::SECURITY),
    };
    let policy = if policy == Policy::Drop { ir::Policy::Drop } else { ir::Policy::Accept };
    BaseChain::new(family, hook, chain_type, priority).ok().map(|base| base.with_policy(policy))
}

/// Makes one table.
struct TableMaker<'a> {
    name: TableName,
    table: &'a Table,
    family: ir::Family,
    names: BTreeMap<&'a str, ir::ChainName>,
    hooks: HashMap<&'a str, Vec<&'static str>>,
    shared: Shared,
}

const BUILT_IN: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

impl<'a> TableMaker<'a> {
    fn new(name: TableName, table: &'a Table, family: ir::Family, lists: &HashMap<String, ListUse>) -> Self {
        let mut taken = HashSet::new();
        let mut chains = BTreeMap::new();
        // Names that stay come first, so that none of them is taken.
        for plain in [true, false] {
            for chain in table.chains.keys().filter(|chain| names::is_plain(chain.as_str()) == plain) {
                let made = names::chain(chain.as_str(), &taken);
                taken.insert(made.clone());
                chains.insert(chain.as_str(), made);
            }
        }
        let hashlimits = shared::hashlimits(table);
        let shared = Shared { hashlimits, lists: lists.clone(), ..Shared::default() };
        Self { name, table, family, names: chains, hooks: hooks(table), shared }
    }

    fn make(mut self, counted: &dyn Fn(&ChainName) -> &'a [Counters], translation: &mut Translation)
    where
        Self: 'a,
    {
        let id = TableId::new(self.family, ir::TableName::new(self.name.keyword()).expect("a legal name"));
        let mut made = ir::Table::new(id.family, id.name.clone());
        let table = self.table;
        for (name, chain) in &table.chains {
            let chain = self.chain(&id, name, chain, counted(name), &mut translation.notes);
            made.chains.insert(chain);
        }
        made.sets = self.shared.sets;
        made.objects = self.shared.objects;
        translation.ruleset.insert(made);
    }

    fn chain(
        &mut self,
        id: &TableId,
        name: &ChainName,
        chain: &Chain,
        counted: &[Counters],
        notes: &mut Vec<Note>,
    ) -> ir::Chain {
        let made_name = self.names[name.as_str()].clone();
        let policy = chain.policy.unwrap_or(Policy::Accept);
        let base = base(self.family, self.name, name.as_str(), policy);
        let mut made = ir::Chain { base, ..ir::Chain::new(made_name.clone()) };
        if made_name.as_str() != name.as_str() {
            made.comment = Comment::new(format!("in iptables: {name}")).ok();
        }
        for (at, rule) in chain.rules.iter().enumerate() {
            let counters = counted.get(at).copied().unwrap_or_default();
            let rules = self.rule(name, made.base.as_ref(), rule, counters);
            if !rules.failed.is_empty() || !rules.notes.is_empty() {
                let lines = lines(name, rule, &rules);
                let untranslated = !rules.failed.is_empty();
                let (table, chain, at) = (id.clone(), made_name.clone(), made.rules.len());
                notes.push(Note { table, chain, at, lines, untranslated });
            }
            made.rules.extend(rules.rules);
        }
        made
    }

    fn rule(
        &mut self,
        chain: &ChainName,
        base: Option<&BaseChain>,
        written: &crate::iptables::Rule,
        counters: Counters,
    ) -> super::rule::Made {
        let names = &self.names;
        let find = |name: &str| names.get(name).cloned();
        let protocol = written.protocol.as_ref().filter(|protocol| !protocol.inverted);
        let mut draft = Draft {
            family: self.family,
            table: self.name,
            hooks: self.hooks.get(chain.as_str()).map_or(&[], Vec::as_slice),
            protocol: protocol.and_then(|protocol| head::protocol(&protocol.value.to_string())).filter(|it| *it != 0),
            named: protocol.is_some_and(|protocol| names_protocol(written, &protocol.value.to_string())),
            shared: &mut self.shared,
            statements: Vec::new(),
            otherwise: None,
            fork: None,
            notes: Vec::new(),
        };
        let site = Site { family: self.family, table: None, base };
        rule(written, counters, &Around { chains: &find, site }, &mut draft)
    }
}

/// Whether one of the rule's matches is that of its protocol.
fn names_protocol(rule: &crate::iptables::Rule, protocol: &str) -> bool {
    let number = head::protocol(protocol);
    let of_name = |text: String| text.split(' ').nth(1).and_then(head::protocol);
    rule.matches.iter().any(|criterion| number.is_some() && of_name(criterion.to_string()) == number)
}

/// The rule as iptables has it, and what is to be said of it.
fn lines(chain: &ChainName, rule: &crate::iptables::Rule, made: &super::rule::Made) -> Vec<String> {
    let reasons = made.failed.iter().map(|(part, reason)| format!("  not translated: {part}: {reason}"));
    let notes = made.notes.iter().map(|note| format!("  {note}"));
    std::iter::once(format!("-A {chain} {rule}")).chain(reasons).chain(notes).collect()
}

/// The built-in chains from which each chain is reached.
fn hooks(table: &Table) -> HashMap<&str, Vec<&'static str>> {
    let mut hooks: HashMap<&str, Vec<&'static str>> = HashMap::new();
    for built_in in BUILT_IN {
        let Some((start, _)) = table.chains.get_key_value(built_in) else { continue };
        let mut seen = BTreeSet::from([start.as_str()]);
        let mut open = vec![start.as_str()];
        while let Some(name) = open.pop() {
            hooks.entry(name).or_default().push(built_in);
            let rules = table.chains.get(name).into_iter().flat_map(|chain| &chain.rules);
            for next in rules.filter_map(|rule| rule.chain()).map(ChainName::as_str) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    hooks
}
