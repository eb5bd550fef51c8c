//! Rules as the kernel runs them: their sets, a line of family, table and chain, and the expressions below it.

use std::fmt::Write;

use rulectl_ruleset::expr::{self, Program};
use rulectl_ruleset::ir::{AnySet, ChainName, TableId};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::Lowered;

/// The rules that are wanted.
pub(crate) fn lowered(lowered: &Lowered) -> String {
    let tables = lowered.tables.values();
    sets(lowered.tables.values().flat_map(|table| table.sets.iter().map(|set| (&table.id, set))))
        + &listing(tables.flat_map(|table| {
            let rules = |chain| rules_of(&table.id, chain);
            table
                .chains
                .iter()
                .flat_map(move |chain| chain.rules.iter().map(|(program, _)| program).map(rules(&chain.name)))
        }))
}

/// The rules that are there.
pub(crate) fn live(live: &Live) -> String {
    let tables = live.tables.values();
    sets(live.tables.values().flat_map(|table| table.sets.iter().map(|set| (&table.id, &set.set))))
        + &listing(tables.flat_map(|table| {
            let rules = |chain| rules_of(&table.id, chain);
            table
                .chains
                .iter()
                .flat_map(move |chain| chain.rules.iter().map(|rule| &rule.program).map(rules(&chain.name)))
        }))
}

fn sets<'a>(sets: impl Iterator<Item = (&'a TableId, &'a AnySet)>) -> String {
    sets.map(|(table, set)| expr::set_listing(&table.name, set).to_string()).collect()
}

fn rules_of<'a>(
    table: &'a TableId,
    chain: &'a ChainName,
) -> impl Fn(&'a Program) -> (&'a TableId, &'a ChainName, &'a Program) {
    move |program| (table, chain, program)
}

fn listing<'a>(rules: impl Iterator<Item = (&'a TableId, &'a ChainName, &'a Program)>) -> String {
    let mut text = String::new();
    for (table, chain, program) in rules {
        for set in expr::anonymous_sets(&table.name, program) {
            write!(text, "{set}").expect("a string takes all");
        }
        writeln!(text, "{table} {chain}\n{}", expr::listing(program)).expect("a string takes all");
    }
    text
}
