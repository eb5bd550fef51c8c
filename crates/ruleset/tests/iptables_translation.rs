//! Translations of the collection: the same programs as those of iptables-translate, but for those that it gets wrong.

use std::path::Path;

use rulectl_ruleset::expr::Program;
use rulectl_ruleset::iptables::{Family, parse, translate};
use rulectl_ruleset::{lower, nft};

/// Where we mean it otherwise, by the extension's file, with a part of the rule, and why: the kernel's source is quoted in
/// `iptables::translate`.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("libip6t_rt", "--rt-len", "iptables counts octets, the header's field eights of octets"),
    ("libip6t_rt", "! --rt-segsleft 0:", "nothing is outside the range; nft refuses what is expected"),
    ("libipt_ah", "! --ahspi 0:", "nothing is outside the range"),
    ("libxt_CONNMARK", "0x16/0x12", "`and` binds tighter than `xor`: what is expected flips other bits"),
    ("libxt_CONNMARK", "0x23/0x42", "the same"),
    ("libxt_TOS", "", "the two last bits are changed too"),
    ("libxt_cluster", "", "nodes are counted from 1, hashes from 0"),
    ("libxt_conntrack", "--ctexpire", "all milliseconds of a second"),
    ("libxt_ecn", "! --ecn-tcp-ece", "other flags may be set"),
    ("libxt_hashlimit", "", "a named set in place of a meter: the same update of the same set"),
    ("libipt_icmp", "", "iptables refuses the rule: it needs `-p icmp`"),
    ("libxt_DSCP", "", "iptables refuses the rule: DSCP is for table mangle"),
    ("libxt_ecn", "--ecn-tcp-cwr", "iptables refuses the rule: it needs `-p tcp`"),
    ("libxt_tcpmss", "", "iptables refuses the rule: it needs `-p tcp`"),
    ("libxt_sctp", "-m sctp -j DROP", "iptables refuses the rule: it needs `-p sctp`"),
    ("libxt_sctp", "--chunk-types", "`-p sctp` is asked for: without it, other packets have no chunks either"),
];

/// A case: a command of iptables-translate and the commands of nft that it prints.
struct Case {
    family: Family,
    table: String,
    chain: String,
    rule: String,
    expected: String,
}

/// The cases of a file: lines of JSON, of which two fields matter.
fn cases(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("text");
    text.lines().filter_map(|line| case(&serde_json::from_str(line).expect("JSON"))).collect()
}

fn case(value: &serde_json::Value) -> Option<Case> {
    let command = value["command"].as_str()?;
    let (tool, rest) = command.split_once("-translate ")?;
    let family = match tool {
        "iptables" => Family::Ip,
        "ip6tables" => Family::Ip6,
        _ => return None,
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let named = words.iter().position(|word| matches!(*word, "-t" | "--table"));
    let table = named.map_or("filter", |at| words[at + 1]).to_owned();
    let rule = rest.replacen(&format!("-t {table}"), "", 1);
    let chain = words[words.iter().position(|word| matches!(*word, "-A" | "-I"))? + 1].to_owned();
    let rules = value["expected"].as_array()?.iter().filter_map(|rule| rule.as_str());
    let expected = rules.map(|rule| rule.replacen("insert rule", "add rule", 1) + "\n").collect();
    Some(Case { family, table, chain, rule: rule.trim().to_owned(), expected })
}

fn programs(ruleset: rulectl_ruleset::ir::Ruleset) -> Vec<Program> {
    let (lowered, _) = lower::lower_possible(ruleset);
    let chains = lowered.tables.into_values().flat_map(|table| table.chains.into_iter().collect::<Vec<_>>());
    chains.flat_map(|chain| chain.rules).map(|(program, _)| Program { comment: None, ..program }).collect()
}

/// Whether both have the same programs.
fn is_same(case: &Case) -> bool {
    let Case { family, table, chain, rule, expected } = case;
    let policy = if chain.chars().all(char::is_uppercase) { "ACCEPT" } else { "-" };
    let text = format!("*{table}\n:{chain} {policy} [0:0]\n{rule}\nCOMMIT\n");
    let parsed = parse("case", &text, *family);
    let ours = programs(translate(&parsed.text, *family).ruleset);
    let family = if *family == Family::Ip { "ip" } else { "ip6" };
    let text = format!("add table {family} {table}\nadd chain {family} {table} {chain}\n{expected}");
    let theirs = nft::parse("expected", &text);
    theirs.errors.is_empty() && programs(theirs.ruleset) == ours
}

#[test]
fn translations_are_the_programs_of_iptables_translate_or_differ_for_a_reason() {
    let Some(corpus) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("skipped: RULECTL_CORPUS is not set");
        return;
    };
    let folder = Path::new(&corpus).join("given/cases/txlate");
    let (mut all, mut same, mut wrong) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let Some(extension) = name.strip_suffix(".txlate.jsonl") else { continue };
        for case in cases(&path) {
            all += 1;
            let otherwise = OTHERWISE.iter().any(|(of, part, _)| *of == extension && case.rule.contains(part));
            match is_same(&case) {
                true => same += 1,
                false if otherwise => {}
                false => wrong.push(format!("{extension}: {}", case.rule)),
            }
        }
    }
    eprintln!("{same} of {all} translations have the same program, the others mean it otherwise");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
