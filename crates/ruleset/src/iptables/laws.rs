//! What holds for every ruleset and every plan.

use proptest::prelude::*;

use super::*;

/// Chains of a table, ours and others', and the chain that a rule of each may lead to.
const CHAINS: [(&str, &str); 6] = [
    ("RULECTL-A", "RULECTL-B"),
    ("RULECTL-B", "RULECTL-C"),
    ("RULECTL-C", "RETURN"),
    ("OTHER", "RETURN"),
    ("OUTPUT", "OTHER"),
    ("INPUT", "RULECTL-A"),
];

/// Rulesets of few chains and rules, so that two of them often differ in one thing only.
fn any_ruleset() -> impl Strategy<Value = IptablesRuleset> {
    let rules = prop::collection::vec((any::<bool>(), 0..4_u8), 0..3);
    let table = prop::collection::vec(prop::option::of(rules), CHAINS.len());
    [table.clone(), table].prop_map(|tables| {
        let mut text = String::new();
        for (name, chains) in ["filter", "nat"].into_iter().zip(&tables) {
            let mut rules_text = String::new();
            text.push_str(&format!("*{name}\n"));
            for ((chain, to), rules) in CHAINS.into_iter().zip(chains) {
                // Every chain that a rule leads to is there.
                let Some(rules) = rules else { continue };
                text.push_str(&format!(":{chain} {} [0:0]\n", if chain.ends_with("PUT") { "ACCEPT" } else { "-" }));
                for (leads, address) in rules {
                    let there = CHAINS.iter().zip(chains).any(|((name, _), rules)| *name == to && rules.is_some());
                    let to = if *leads && there { to } else { "RETURN" };
                    rules_text.push_str(&format!("-A {chain} -d 10.0.0.{address}/32 -j {to}\n"));
                }
            }
            text.push_str(&format!("{rules_text}COMMIT\n"));
        }
        let parsed = parse("-", &text, Family::Ip);
        assert_eq!(parsed.problems, [], "{text}");
        parsed.text.ruleset()
    })
}

/// Rules by table and chain, those of ours or those of others. A chain of ours counts without any rule, too.
fn rules(ruleset: &IptablesRuleset, ours: bool) -> Vec<(TableName, String, Vec<String>)> {
    let is_ours = |chain: &ChainName| chain.as_str().starts_with(CHAIN_PREFIX);
    let mut all = Vec::new();
    for (table, content) in &ruleset.tables {
        for (name, chain) in &content.chains {
            let belongs = |rule: &&Rule| (is_ours(name) || rule.chain().is_some_and(is_ours)) == ours;
            let mut kept: Vec<String> = chain.rules.iter().filter(belongs).map(Rule::to_string).collect();
            if ours && name.is_built_in() {
                // Those that stay keep their place, and none is wanted twice.
                kept.sort();
                kept.dedup();
            }
            if !kept.is_empty() || is_ours(name) == ours && !name.is_built_in() {
                all.push((*table, name.to_string(), kept));
            }
        }
    }
    all.sort();
    all
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(ruleset in any_ruleset()) {
        let text = SaveText::from(&ruleset);
        let parsed = parse("-", &text.to_string(), Family::Ip);
        prop_assert_eq!(&parsed.problems, &[]);
        prop_assert_eq!(&parsed.text, &text);
        prop_assert_eq!(parsed.text.ruleset(), ruleset);
    }

    #[test]
    fn a_plan_leads_from_any_state_to_any_other_and_touches_nothing_of_others(
        live in any_ruleset(),
        desired in any_ruleset(),
    ) {
        let steps = plan(&live, &desired).expect("no chain of others leads to ours");
        let text = steps.text();
        prop_assert_eq!(&parse("-", &text.to_string(), Family::Ip).text, &text);
        let mut result = live.clone();
        result.restore(&text).expect("iptables runs it");
        prop_assert_eq!(rules(&result, true), rules(&desired, true));
        prop_assert_eq!(rules(&result, false), rules(&live, false));
        prop_assert!(plan(&result, &desired).expect("as above").is_empty());
    }

    #[test]
    fn what_is_deleted_is_gone(live in any_ruleset()) {
        let mut result = live.clone();
        result.restore(&delete(&live).expect("no chain of others leads to ours").text()).expect("iptables runs it");
        prop_assert_eq!(rules(&result, true), []);
        prop_assert_eq!(rules(&result, false), rules(&live, false));
    }

    #[test]
    fn any_text_is_read_and_printed_back(text in "([-!:*a-z\\[\\]0-9\"\\\\ ]{0,20}\n){0,6}") {
        prop_assert_eq!(parse("-", &text, Family::Ip).text.lines.len(), text.matches('\n').count());
    }

    #[test]
    fn options_in_any_order_are_read_as_what_is_printed(
        parts in Just(vec!["-s 10.0.0.1", "! -i lo", "-p tcp", "-m tcp --dport 80", "-m comment --comment x", "-j A"])
            .prop_shuffle(),
    ) {
        let rule = parse::rule(&parts.join(" "), Family::Ip).expect("a rule");
        let printed = rule.to_string();
        prop_assert_eq!(parse::rule(&printed, Family::Ip).expect("as printed"), rule);
        prop_assert!(printed.starts_with("-s 10.0.0.1/32 ! -i lo -p tcp -m "), "{}", printed);
        prop_assert!(printed.ends_with(" -j A"), "{}", printed);
    }
}
