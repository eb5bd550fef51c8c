//! Rulesets as files: what `rulectl` makes of them in a kernel, beside what nft makes of them.

mod dumps;
mod explained;
mod history;
mod interrupted;
mod listing;
mod monitor;
mod pairs;
mod programs;
mod random;
mod sample;
mod show;
mod traced;
mod variation;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rulectl_netlink::{Kernel, NetlinkKernel, Netns};
use rulectl_ruleset::ir::{Family, TableFlags, TableId, TableName};
use rulectl_ruleset::plan::{Op, Plan, Reason, Step};
use rulectl_tests::{Output, kernel_tests, rulectl, run};

/// The firewall of a host: filter and nat, sets, maps, counters, limits.
const HOST: &str = include_str!("host.nft");

fn main() -> ExitCode {
    kernel_tests(|| {
        vec![
            trial("what_is_applied_lists_as_what_nft_loads", lists_as_nft),
            trial("what_is_there_is_not_applied_again", again),
            trial("only_what_differs_changes_and_counters_stay", changes),
            trial("tables_that_are_not_declared_stay", others),
            trial("json_is_applied_as_text_is", json),
            trial("several_files_are_one_ruleset", several),
            trial("a_refused_rule_is_named_with_its_place", refused),
            trial("interfaces_are_those_of_the_namespace", interfaces),
            trial("a_dry_run_changes_nothing", dry_run),
            trial("two_files_are_compared_without_a_kernel", two_files),
            trial("a_text_is_laid_out_in_place_and_checked", fmt),
            trial("a_plan_is_applied_as_it_was_made_or_not_at_all", plan_file),
            trial("what_firewalld_leaves_is_read_and_changed_in_part", programs::firewalld),
            trial("what_kube_proxy_leaves_is_read_and_changed_in_part", programs::kube_proxy),
            trial("what_iptables_nft_leaves_is_read_and_changed_in_part", programs::iptables_nft),
            trial("what_the_kernel_refuses_is_told_with_its_place", explained::places),
            trial("changes_are_printed_as_they_happen", monitor::prints),
            trial("a_plan_says_what_changes_why_and_how_much", history::plans),
            trial("a_change_is_taken_back_and_so_is_that", history::undo),
            trial("what_others_changed_is_not_taken_back", history::others),
            trial("what_packets_change_is_no_change_of_others", history::passing),
            trial("the_log_says_when_who_and_how_much", history::log),
            trial("each_namespace_has_a_log_of_its_own", history::namespaces),
            trial("several_at_once_come_one_after_the_other", history::at_once),
            trial("what_is_not_confirmed_is_taken_back", history::not_confirmed),
            trial("what_is_confirmed_stays", history::confirmed),
            trial("a_killed_apply_has_done_all_or_nothing", interrupted::killed),
            trial("a_killed_undo_has_done_all_or_nothing", interrupted::killed_undo),
            trial("a_writer_between_read_and_commit_is_noticed", interrupted::writer_between),
            trial("what_is_shown_is_what_nft_lists", show::whole),
            trial("handles_are_those_nft_shows", show::handles),
            trial("a_part_is_shown_as_nft_lists_it", show::parts),
            trial("what_is_shown_is_applied_again_without_a_change", show::again),
            trial("what_is_not_there_is_not_shown", show::missing),
            trial("the_generation_is_told_beside_the_listing", show::generation),
            trial("only_the_parts_that_are_named_change", parts),
            trial("a_table_of_another_owner_is_a_conflict", owned),
            trial("a_plan_leads_from_one_of_our_own_rulesets_to_another_and_back", pairs::own),
            trial("a_plan_leads_from_one_real_ruleset_to_another_and_back", pairs::collection),
            trial("only_rules_of_a_dump_that_differ_are_touched", dumps::only_rules_that_differ_are_touched),
            trial("whole_tables_are_as_a_dump_says", dumps::whole_tables_are_as_they_are_said_to_be),
            trial(
                "what_iptables_would_refuse_is_named",
                dumps::what_the_kernel_would_refuse_is_named_before_it_is_asked,
            ),
            trial("what_iptables_refuses_is_named_by_rule", dumps::what_the_tool_refuses_is_named_by_rule),
            trial("rules_in_both_variants_are_told_of", dumps::both_variants_at_once_are_told_of),
            trial("two_dumps_are_compared", dumps::two_dumps_are_compared_without_a_kernel),
        ]
    })
}

/// A test in a network namespace of its own.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        Netns::new().expect("a network namespace").run(test).expect("a thread in the namespace");
        Ok::<(), Failed>(())
    })
}

fn listing() -> String {
    run("nft", &["list", "ruleset"], "")
}

/// Runs `rulectl` with a ruleset on standard input.
fn with(arguments: &[&str], ruleset: &str) -> Output {
    rulectl(&[arguments, &["-"]].concat(), ruleset)
}

fn applied(ruleset: &str) -> String {
    let Output { code, stdout, stderr } = with(&["apply"], ruleset);
    assert_eq!((code, stderr.as_str()), (0, ""), "{ruleset}");
    stdout
}

/// What would change; nothing if nothing.
fn difference(ruleset: &str) -> String {
    let Output { code, stdout, stderr } = with(&["diff"], ruleset);
    assert_eq!((code, stderr.as_str()), (i32::from(!stdout.is_empty()), ""), "{stdout}");
    stdout
}

/// What nft lists after it has loaded a ruleset into an empty namespace.
fn by_nft(ruleset: &str) -> String {
    let load = || {
        run("nft", &["-f", "-"], ruleset);
        listing()
    };
    Netns::new().expect("a network namespace").run(load).expect("a thread in the namespace")
}

fn lists_as_nft() {
    applied(HOST);
    assert_eq!(listing(), by_nft(HOST));
}

fn again() {
    applied(HOST);
    assert_eq!(difference(HOST), "");
    assert_eq!(applied(HOST), "no change\n");
    run("nft", &["-f", "-"], HOST);
    assert_eq!(difference(HOST), "");
    let listed = listing();
    assert_eq!(difference(&listed), "");
    assert_eq!(applied(&listed), "no change\n");
}

fn changes() {
    let counted = "ip saddr @blocked counter packets 5 bytes 50 drop";
    run("nft", &["-f", "-"], &HOST.replace("ip saddr @blocked counter drop", counted));
    run("nft", &["add", "element", "inet", "filter", "seen", "{ 192.0.2.77 }"], "");
    let changed = HOST.replace("dport 22 log", "dport 2222 log").replace("198.51.100.7", "198.51.100.8");
    insta::assert_snapshot!(difference(&changed), @r#"
    ~ table inet filter
    ~   set blocked: 1 element added, 1 removed
    -     198.51.100.7
    +     198.51.100.8
    ~   chain input
    -     ip saddr { 192.168.10.5, 192.168.10.7 } tcp dport 22 log prefix "ssh: " accept # handle 26
    +     ip saddr { 192.168.10.5, 192.168.10.7 } tcp dport 2222 log prefix "ssh: " accept
    "#);
    let done = applied(&changed);
    assert!(done.starts_with("rules: 1 changed; elements: 1 added, 1 removed: one batch of "), "{done}");
    let listed = listing();
    for kept in [counted, "192.0.2.77", "tcp dport 2222 log", "198.51.100.8"] {
        assert!(listed.contains(kept), "{kept}: {listed}");
    }
    assert_eq!(difference(&changed), "");
}

fn others() {
    run("nft", &["-f", "-"], "table ip other {\n\tchain c {\n\t\tcounter packets 3 bytes 30\n\t}\n}\n");
    let other = listing();
    applied(HOST);
    assert_eq!(listing(), other + &by_nft(HOST));
}

fn json() {
    let json = rulectl(&["parse", "--to", "json", "-"], HOST).stdout;
    applied(&json);
    assert_eq!(listing(), by_nft(HOST));
    assert_eq!(difference(HOST), "");
}

fn several() {
    let more = "table inet filter {\n\tchain input {\n\t\tcounter\n\t}\n}\ntable ip more {\n}\n";
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/rulesets/host.nft");
    let output = rulectl(&["apply", host, "-"], more);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(listing(), by_nft(&format!("{HOST}\n{more}")));
    // A document cannot add to the tables of a text.
    let json = rulectl(&["parse", "--to", "json", "-"], more).stdout;
    let output = rulectl(&["diff", host, "-"], &json);
    assert_eq!((output.code, output.stderr.as_str()), (2, "-: error: table `inet filter` is in another file too\n"));
}

fn refused() {
    applied(HOST);
    let listed = listing();
    // The kernel adds rate and burst, which is more than it can hold.
    let rule = "limit rate 18446744073709551615 bytes/second burst 1000 bytes drop";
    let wrong = HOST.replace("counter name \"dropped\"", rule);
    let output = with(&["apply"], &wrong);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    let line = wrong.lines().position(|line| line.contains(rule)).expect("it was put there") + 1;
    let place = format!("-:{line}:3: error: the kernel refused this rule: ");
    let shown = format!("\n\t\t{rule}\n\t\t{}\nnothing was changed\n", "^".repeat(rule.len()));
    assert!(output.stderr.starts_with(&place) && output.stderr.ends_with(&shown), "{}", output.stderr);
    assert_eq!(listing(), listed);
}

fn interfaces() {
    let ruleset = "table inet t {\n\tchain c {\n\t\tiif \"d0\" accept\n\t\toif { \"lo\", \"d0\" } drop\n\t}\n}\n";
    let output = with(&["apply"], ruleset);
    assert!(output.stderr.starts_with("-:3:3: error: there is no interface `d0` here"), "{}", output.stderr);
    run("ip", &["link", "add", "d0", "type", "veth", "peer", "name", "d1"], "");
    applied(ruleset);
    assert_eq!(listing(), by_nft_here(ruleset));
    assert_eq!(difference(ruleset), "");
}

/// What nft lists after it has loaded a ruleset here, in place of all that was there.
fn by_nft_here(ruleset: &str) -> String {
    run("nft", &["-f", "-"], &format!("flush ruleset\n{ruleset}"));
    listing()
}

fn dry_run() {
    for how in ["--dry-run=plan", "--dry-run=kernel"] {
        let output = with(&["apply", how], HOST);
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(output.stdout.starts_with("+ table inet filter\n"), "{}", output.stdout);
        assert_eq!(listing(), "");
    }
}

fn two_files() {
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/rulesets/host.nft");
    let same = Output { code: 0, stdout: String::new(), stderr: String::new() };
    assert_eq!(with(&["diff", "--against", host], HOST), same);
    let json = rulectl(&["parse", "--to", "json", host], "").stdout;
    assert_eq!(with(&["diff", "--against", host], &json), same);
    let changed = HOST.replace("iif \"lo\" accept", "iif { \"lo\", \"eth0\" } accept");
    let changed =
        changed[..changed.find("table ip nat").expect("the host has one")].to_owned() + "table ip more {\n}\n";
    let output = with(&["diff", "--against", host], &changed);
    assert_eq!((output.code, output.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(output.stdout, @r#"
    - table ip nat
    -   map forwards { type inet_service : ipv4_addr . inet_service }
    -     2222 : 192.168.10.5 . 22
    -     8443 : 192.168.10.9 . 443
    -   chain prerouting { type nat hook prerouting priority dstnat; policy accept }
    -     dnat ip to tcp dport map @forwards
    -   chain postrouting { type nat hook postrouting priority srcnat; policy accept }
    -     ip saddr 192.168.10.0/24 oifname "wan0" masquerade random
    -     oifname "wan1" snat to 203.0.113.77-203.0.113.80
    ~ table inet filter
    ~   chain input
    -     iif "lo" accept comment "ourselves"
    +     iif { "lo", "eth0" } accept comment "ourselves"
    + table ip more
    "#);
}

fn fmt() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.nft");
    let file = path.to_str().expect("a path of text");
    let text = "# why\ntable ip t {\n chain c { tcp dport {22,80} accept; }\n}\n";
    std::fs::write(&path, text).expect("a file");
    let check = rulectl(&["fmt", "--check", file], "");
    assert_eq!(check.code, 1, "{}", check.stderr);
    assert!(check.stdout.ends_with("@@ -1,4 +1,6 @@\n # why\n table ip t {\n- chain c { tcp dport {22,80} accept; }\n+\tchain c {\n+\t\ttcp dport { 22, 80 } accept\n+\t}\n }\n"), "{}", check.stdout);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), text);
    assert_eq!(rulectl(&["fmt", file], "").code, 0);
    let laid_out = "# why\ntable ip t {\n\tchain c {\n\t\ttcp dport { 22, 80 } accept\n\t}\n}\n";
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), laid_out);
    assert_eq!(rulectl(&["fmt", "--check", file], "").code, 0);
    // A file with errors is left as it is.
    std::fs::write(&path, "table  ip t { chian c; }\n").expect("a file");
    let output = rulectl(&["fmt", file], "");
    assert!(output.code == 2 && output.stderr.contains("`chian`"), "{}", output.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "table  ip t { chian c; }\n");
    // What nft lists is laid out already.
    run("nft", &["-f", "-"], HOST);
    assert_eq!(with(&["fmt", "--check"], &listing()), Output { code: 0, stdout: String::new(), stderr: String::new() });
}

fn plan_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.json");
    let file = path.to_str().expect("a path of text");
    let planned = |ruleset: &str| {
        let output = with(&["diff", "-o", file], ruleset);
        assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{}", output.stdout);
    };
    planned(HOST);
    assert_eq!(listing(), "");
    // What others do elsewhere is no matter.
    run("nft", &["add", "table", "ip", "other"], "");
    let output = rulectl(&["apply", file], "");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_eq!(listing(), format!("table ip other {{\n}}\n{}", by_nft(HOST)));

    planned(&HOST.replace("dport 22 log", "dport 2222 log"));
    run("nft", &["add", "element", "inet", "filter", "blocked", "{ 198.51.100.99 }"], "");
    let listed = listing();
    let output = rulectl(&["apply", file], "");
    assert_eq!(output.code, 2, "{}", output.stdout);
    let told = "~ table inet filter\n~   set blocked: 1 element added\n+     198.51.100.99\n";
    assert!(output.stderr.contains("the ruleset has changed") && output.stderr.ends_with(told), "{}", output.stderr);
    assert_eq!(listing(), listed);
}

/// Only the chain and the set that are named change; the rest of their tables, and what the file says of it, does not.
fn parts() {
    applied(HOST);
    let changed = HOST.replace("dport 22 log", "dport 2222 log").replace("198.51.100.7", "198.51.100.8");
    let changed = changed.replace("oifname \"wan0\" masquerade", "oifname \"wan9\" masquerade");
    let chain = ["apply", "--chain", "inet filter input"];
    let Output { code, stdout, stderr } = with(&chain, &changed);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("rules: 1 changed: one batch of "), "{stdout}");
    let listed = listing();
    assert!(listed.contains("dport 2222") && listed.contains("198.51.100.7") && listed.contains("wan0"), "{listed}");
    let set = with(&["diff", "--set", "inet filter blocked", "--chain", "nat postrouting"], &changed);
    insta::assert_snapshot!(set.stdout, @r#"
    ~ table ip nat
    ~   chain postrouting
    -     ip saddr 192.168.10.0/24 oifname "wan0" masquerade random # handle 5
    +     ip saddr 192.168.10.0/24 oifname "wan9" masquerade random
    ~ table inet filter
    ~   set blocked: 1 element added, 1 removed
    -     198.51.100.7
    +     198.51.100.8
    "#);
    assert_eq!(with(&["diff", "--chain", "inet filter input"], &changed).stdout, "");
    let missing = with(&["diff", "--chain", "inet filter nope"], &changed);
    assert_eq!(
        (missing.code, missing.stderr.as_str()),
        (2, "error: no chain `nope` of table `inet filter` is declared\n")
    );
}

/// A table that belongs to a process is a conflict that names it.
fn owned() {
    let owner = TableFlags { owner: true, ..TableFlags::default() };
    let table = TableId::new(Family::Inet, TableName::new("filter").expect("short"));
    let mut process = NetlinkKernel::new().expect("a socket");
    let op = Op::AddTable { table, flags: owner, comment: None };
    let plan = Plan { generation: None, steps: vec![Step { op, reason: Reason::Missing }] };
    process.commit(&plan).expect("nobody has it");
    let Output { code, stderr, .. } = with(&["apply"], HOST);
    let told = "table `inet filter` is there already and is not ours; it is owned by the process at netlink port ";
    assert!(code == 2 && stderr.contains(told), "{stderr}");
    drop(process);
    assert_eq!(with(&["apply"], HOST).code, 0, "it went with its owner");
}
