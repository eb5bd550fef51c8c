//! A ruleset from each form into each other.

use rulectl_ruleset::expr::listing;
use rulectl_ruleset::ir::{HasName, Named, Rule, Ruleset, Statement, Table};
use rulectl_ruleset::lift::lift_program;
use rulectl_ruleset::lower::lower_rule;
use rulectl_ruleset::{json, nft};

/// All forms of a ruleset.
pub(super) fn run(input: &str) -> Result<String, String> {
    let ruleset = parsed(input)?;
    let text = nft::print(&ruleset);
    let json = json::print(&ruleset);
    let mut programs = String::new();
    for table in ruleset.tables() {
        for chain in &table.chains {
            for rule in &chain.rules {
                programs.push_str(&format!("{}\n{}\n", table.id(), program(table, rule)));
            }
        }
    }
    let programs = if programs.is_empty() { String::new() } else { format!("=> expr\n{programs}") };
    Ok(format!("=> nft\n{text}=> json\n{json}\n{programs}"))
}

pub(super) fn parsed(input: &str) -> Result<Ruleset, String> {
    let parsed = nft::parse("case", input);
    match parsed.errors.first() {
        None => Ok(parsed.ruleset),
        Some(error) => Err(error.to_string()),
    }
}

fn program(table: &Table, rule: &Rule) -> String {
    match lower_rule(table.family, &table.sets, rule) {
        Ok(program) => listing(&program).to_string(),
        Err(error) => format!("  {error}\n"),
    }
}

/// What can be done with a thing of a ruleset; `None` where the question makes no sense.
pub(super) struct Abilities {
    pub(super) text: Option<bool>,
    pub(super) json: Option<bool>,
    pub(super) lower: Option<bool>,
    pub(super) lift: Option<bool>,
}

/// A ruleset, and the same printed and read again in both forms.
pub(super) struct Copies {
    pub(super) ruleset: Ruleset,
    text: Ruleset,
    json: Ruleset,
}

impl Copies {
    pub(super) fn of(ruleset: Ruleset) -> Self {
        let text = nft::parse("case", &nft::print(&ruleset)).ruleset;
        let json = json::parse("case", &json::print(&ruleset)).ruleset;
        Self { ruleset, text, json }
    }

    /// Of a rule: the one at that place of a chain.
    pub(super) fn rule(&self, table: &Table, chain: usize, at: usize) -> Abilities {
        let of = |table: &Table| table.chains.iter().nth(chain).and_then(|chain| chain.rules.get(at)).cloned();
        let Some(rule) = of(table) else { unreachable!("the place is one of the table") };
        let same = |copy: &Ruleset| Some(copy.find(&table.id()).and_then(of).as_ref() == Some(&rule));
        let program = lower_rule(table.family, &table.sets, &rule);
        let lifts = program.as_ref().is_ok_and(|program| {
            let lifted = lift_program(table.family, &table.sets, program);
            let told = |statement: &Statement| !matches!(statement, Statement::Opaque(_));
            lifted.statements.iter().all(told) && lower_rule(table.family, &table.sets, &lifted).as_ref() == Ok(program)
        });
        Abilities { text: same(&self.text), json: same(&self.json), lower: Some(program.is_ok()), lift: Some(lifts) }
    }

    /// Of anything else: by its name in one of the lists of a table.
    pub(super) fn declaration<T: HasName + PartialEq>(
        &self,
        table: &Table,
        item: &T,
        list: impl Fn(&Table) -> &Named<T>,
    ) -> Abilities {
        let same = |copy: &Ruleset| {
            let list = copy.find(&table.id()).map(&list);
            Some(list.is_some_and(|list| list.iter().any(|other| other == item)))
        };
        Abilities { text: same(&self.text), json: same(&self.json), lower: None, lift: None }
    }
}
