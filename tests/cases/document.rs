//! `docs/language.md`: a row for each rule and declaration of the cases, with ticks where the case shows it.

use std::fs;
use std::path::Path;

use rulectl_ruleset::ir::{AnySet, Chain, Rule, Table};

use super::convert::{Abilities, Copies, parsed};
use super::{Case, bless, cases, name, same};

const HEAD: &str = "\
# The language

What rulectl understands of nftables, row by row: each is a rule or declaration of a case in `tests/cases`, and a tick
stands only where the case shows it. This file is written by the test that runs the cases (`BLESS=1 cargo test -p
rulectl-tests --test cases`), and the test fails where the two differ.

- **text**: nft text is read, printed, and read again as the same.
- **JSON**: so is the JSON of `nft -j`.
- **lower**: it becomes the kernel's expressions.
- **lift**: those expressions become a rule of the same program again: this one, or the form in which nft lists it.
- **kernel**: the first kernel that has it.

What is not known is kept as it came, with its place, and is never sent to a kernel.
";

pub(super) fn check() -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let text = document()?;
    if bless() {
        return fs::write(path, text).map_err(|error| error.to_string());
    }
    let there = fs::read_to_string(path).map_err(|error| error.to_string())?;
    same(&there, &text)
}

fn document() -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for path in cases() {
        let case = Case::read(&path);
        if case.command == "convert" {
            section(&mut text, &case).map_err(|error| format!("{}: {error}", name(&path)))?;
        }
    }
    Ok(text)
}

fn section(text: &mut String, case: &Case) -> Result<(), String> {
    let (title, kernel) = case.title();
    text.push_str(&format!("\n## {title}\n\n|  | text | JSON | lower | lift | kernel |\n|---|---|---|---|---|---|\n"));
    let copies = Copies::of(parsed(&case.input)?);
    let mut row = |what: &str, kernel: &str, abilities: &Abilities| {
        let Abilities { text: read, json, lower, lift } = abilities;
        let [read, json, lower, lift] = [read, json, lower, lift].map(|ability| sign(*ability));
        let what = what.replace('|', "\\|");
        text.push_str(&format!("| `{what}` | {read} | {json} | {lower} | {lift} | {kernel} |\n"));
    };
    for table in copies.ruleset.tables() {
        for object in &table.objects {
            let what = one_line(&object.to_string());
            row(
                &what,
                kernel_of(case, object.name.as_str(), kernel),
                &copies.declaration(table, object, |table| &table.objects),
            );
        }
        for set in &table.sets {
            let what = one_line(&set.to_string());
            row(&what, kernel_of(case, head(set), kernel), &copies.declaration(table, set, |table| &table.sets));
        }
        for flowtable in &table.flowtables {
            let what = one_line(&flowtable.to_string());
            row(
                &what,
                kernel_of(case, flowtable.name.as_str(), kernel),
                &copies.declaration(table, flowtable, |table| &table.flowtables),
            );
        }
        for (at, chain) in table.chains.iter().enumerate() {
            if chain.base.is_some() {
                let what = format!("{}: {}", table.family, one_line(&bare(chain).to_string()));
                row(
                    &what,
                    kernel_of(case, chain.name.as_str(), kernel),
                    &copies.declaration(table, chain, |table| &table.chains),
                );
            }
            for (index, rule) in chain.rules.iter().enumerate() {
                row(
                    &one_line(&shown(table, rule)),
                    own_kernel(case, rule).unwrap_or(kernel),
                    &copies.rule(table, at, index),
                );
            }
        }
    }
    Ok(())
}

fn sign(ability: Option<bool>) -> &'static str {
    match ability {
        Some(true) => "✓",
        Some(false) => "—",
        None => "",
    }
}

/// A rule as it is printed in a table of that family.
fn shown(table: &Table, rule: &Rule) -> String {
    let mut chain = Chain::new(table.chains.iter().next().expect("the rule is in one").name.clone());
    chain.rules.push(rule.clone());
    let alone = Table::new(table.family, table.name.clone()).with_chain(chain).to_string();
    let lines: Vec<&str> = alone.lines().collect();
    lines[2..lines.len() - 2].join("\n")
}

fn bare(chain: &Chain) -> Chain {
    Chain { rules: Vec::new(), ..chain.clone() }
}

fn head(set: &AnySet) -> &str {
    set.spec().name.as_str()
}

/// Declarations and blocks as they would stand on one line.
fn one_line(text: &str) -> String {
    let text: Vec<&str> = text.lines().map(str::trim).collect();
    text.join("; ").replace("{; ", "{ ").replace("; }", " }").replace(";;", ";")
}

/// The kernel that is named behind the line in which a rule begins.
fn own_kernel<'a>(case: &'a Case, rule: &Rule) -> Option<&'a str> {
    let start = rule.provenance.0?.start as usize;
    named_kernel(case.input.get(start..)?.lines().next()?)
}

/// The same of the line that declares a thing of that name.
fn kernel_of<'a>(case: &'a Case, name: &str, kernel: &'a str) -> &'a str {
    let declares = |line: &&str| line.trim_end().contains(&format!(" {name} {{"));
    case.input.lines().find(declares).and_then(named_kernel).unwrap_or(kernel)
}

fn named_kernel(line: &str) -> Option<&str> {
    let (_, version) = line.rsplit_once(" # ")?;
    version.trim().starts_with(|sign: char| sign.is_ascii_digit()).then(|| version.trim())
}
