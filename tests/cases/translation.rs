//! iptables rules as rules of nft, and `docs/iptables.md`: a row for each extension, with a rule of a case.

use std::fs;
use std::path::Path;

use rulectl_ruleset::iptables::translate::catalog::{Entry, MATCHES, TARGETS};
use rulectl_ruleset::iptables::{Family, Translation, parse, translate};
use rulectl_ruleset::nft::{self, Detail};

use super::{Case, bless, cases, same};

const HEAD: &str = "\
# iptables

`rulectl translate` prints iptables rules as rules of nft: a whole ruleset that nft loads. Tables, chains and policies
keep their names, hooks and order; counters and comments stay. A rule is translated only where nft means the same. One
that is not is a comment where it would stand, with the reason, and the command exits with 1: nothing is left out
silently, and no rule is made weaker by leaving out what it asks.

This file is written by the test that runs the cases of `tests/cases/iptables` (`BLESS=1 cargo test -p rulectl-tests
--test cases`), and the test fails where the two differ. Each extension is shown with the shortest rule of a case
that has it.

Where iptables-translate(8) differs, it leaves out what iptables asks: the two last bits of `TOS`, the octets of
`--rt-len`, the packet with which `--mode nth` begins, the number of a node of `cluster`, the milliseconds of a second
in `--ctexpire`. These are translated as the kernel runs them.
";

/// What a text becomes.
pub(super) fn run(family: Family, input: &str) -> Result<String, String> {
    Ok(format!("=> nft\n{}", text(&translated(family, input)?)))
}

fn translated(family: Family, input: &str) -> Result<Translation, String> {
    let parsed = parse("case", input, family);
    match parsed.problems.first() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(translate(&parsed.text, family)),
    }
}

fn text(translation: &Translation) -> String {
    let notes = translation.lines();
    nft::print_with(&translation.ruleset, Detail { notes: Some(&notes), ..Detail::default() })
}

pub(super) fn check() -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/iptables.md");
    let text = document()?;
    if bless() {
        return fs::write(path, text).map_err(|error| error.to_string());
    }
    let there = fs::read_to_string(path).map_err(|error| error.to_string())?;
    same(&there, &text)
}

/// A rule of a case, and what it becomes.
struct Example {
    rule: String,
    nft: Vec<String>,
    translated: bool,
}

fn document() -> Result<String, String> {
    let examples = examples()?;
    let mut text = HEAD.to_owned();
    for (title, flag, entries) in [("Matches", "-m", MATCHES), ("Targets", "-j", TARGETS)] {
        text.push_str(&format!("\n## {title}\n\n| extension | in nft | for example | becomes |\n|---|---|---|---|\n"));
        for entry in entries {
            text.push_str(&row(flag, entry, &examples)?);
        }
    }
    Ok(text)
}

fn row(flag: &str, entry: &Entry, examples: &[Example]) -> Result<String, String> {
    let name = entry.names[0];
    let Some(words) = entry.nft() else {
        return Ok(format!("| `{name}` | not: {} |  |  |\n", entry.reason().unwrap_or_default()));
    };
    let option = format!("{flag} {name} ");
    let has = |example: &&Example| example.translated && format!("{} ", example.rule).contains(&option);
    let shortest = examples.iter().filter(has).min_by_key(|example| example.rule.len());
    let example = shortest.ok_or_else(|| format!("no case has a translated rule with `{option}`"))?;
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let nft: Vec<_> = example.nft.iter().map(|rule| code(rule)).collect();
    Ok(format!("| `{name}` | {words} | {} | {} |\n", code(&example.rule), nft.join(" and ")))
}

/// Every rule of every case, translated by itself.
fn examples() -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    for path in cases() {
        let case = Case::read(&path);
        let family = match case.command.as_str() {
            "translate iptables" => Family::Ip,
            "translate ip6tables" => Family::Ip6,
            _ => continue,
        };
        let lines = || case.input.lines();
        let mut table = "";
        for line in lines() {
            if line.starts_with('*') {
                table = line;
            } else if let Some(rule) = line.strip_prefix("-A ") {
                let (chain, rule) = rule.split_once(' ').unwrap_or((rule, ""));
                let alone = format!("{table}\n:{chain} - [0:0]\n{line}\nCOMMIT\n");
                let translation = translated(family, &alone)?;
                let chains = translation.ruleset.tables().flat_map(|table| &table.chains);
                let nft = chains.flat_map(|chain| &chain.rules).map(ToString::to_string).collect();
                let translated = translation.untranslated().next().is_none();
                examples.push(Example { rule: rule.to_owned(), nft, translated });
            }
        }
    }
    Ok(examples)
}
