//! iptables dumps: compared with one another and with a kernel, and applied rule by rule.

use rulectl_netlink::Netns;
use rulectl_tests::{Output, rulectl, run};

const LIVE: &str = "*filter
:INPUT ACCEPT [10:1000]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:OURS - [0:0]
:THEIRS - [0:0]
[1:100] -A INPUT -j THEIRS
[2:200] -A INPUT -j OURS
[3:300] -A OURS -s 10.0.0.1/32 -j DROP
[4:400] -A OURS -s 10.0.0.2/32 -j DROP
[5:500] -A OURS -s 10.0.0.3/32 -j DROP
[6:600] -A THEIRS -i lo -j ACCEPT
COMMIT
";

const DESIRED: &str = "*filter
:OURS - [0:0]
-A INPUT -j OURS
-A OURS -s 10.0.0.3/32 -j DROP
-A OURS -s 10.0.0.1/32 -j DROP
-A OURS -s 10.0.0.9/32 -m comment --comment \"a new one\" -j REJECT --reject-with icmp-port-unreachable
COMMIT
";

/// In a namespace for each variant: rules of the other would be warned of.
fn for_each_variant(test: fn(&str)) {
    for variant in ["legacy", "nft"] {
        Netns::new().expect("a network namespace").run(|| test(variant)).expect("a thread in the namespace");
    }
}

fn saved(variant: &str) -> String {
    let text = run(&format!("iptables-{variant}-save"), &["-c", "-t", "filter"], "");
    text.lines().filter(|line| line.contains("-A ")).fold(String::new(), |lines, line| lines + line + "\n")
}

fn with(command: &str, variant: &str, text: &str, more: &[&str]) -> Output {
    let backend = format!("iptables-{variant}");
    rulectl(&[&[command, "-", "--from", "iptables", "--backend", &backend], more].concat(), text)
}

fn load(variant: &str, text: &str) {
    run(&format!("iptables-{variant}-restore"), &["-c"], text);
}

pub(super) fn only_rules_that_differ_are_touched() {
    for_each_variant(|variant| {
        load(variant, LIVE);
        let shown = with("diff", variant, DESIRED, &[]);
        assert_eq!(shown.code, 1, "{}", shown.stderr);
        let Output { code, stdout, stderr } = with("apply", variant, DESIRED, &[]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{variant}");
        assert!(stdout.ends_with("rules: 1 added, 1 removed, 1 moved\n"), "{stdout}");
        let expected = "[1:100] -A INPUT -j THEIRS
[2:200] -A INPUT -j OURS
[5:500] -A OURS -s 10.0.0.3/32 -j DROP
[0:0] -A OURS -s 10.0.0.1/32 -j DROP
[0:0] -A OURS -s 10.0.0.9/32 -m comment --comment \"a new one\" -j REJECT --reject-with icmp-port-unreachable
[6:600] -A THEIRS -i lo -j ACCEPT
";
        let listed = saved(variant);
        // Of two rules that change places, either may be the one that stays.
        let other =
            expected.replace("[5:500]", "[0:0]").replace("[0:0] -A OURS -s 10.0.0.1", "[3:300] -A OURS -s 10.0.0.1");
        assert!(listed == expected || listed == other, "{variant}: {listed}");
        assert_eq!(with("apply", variant, DESIRED, &[]).stdout, "no change\n");
        assert_eq!(with("diff", variant, DESIRED, &[]).code, 0);
    });
}

pub(super) fn whole_tables_are_as_they_are_said_to_be() {
    for_each_variant(|variant| {
        load(variant, LIVE);
        let Output { code, stderr, .. } = with("apply", variant, DESIRED, &["--whole-tables"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(!saved(variant).contains("THEIRS"), "{}", saved(variant));
    });
}

pub(super) fn what_the_kernel_would_refuse_is_named_before_it_is_asked() {
    for_each_variant(|variant| {
        load(variant, LIVE);
        let before = saved(variant);
        let text =
            "*nat\n:A - [0:0]\n-A PREROUTING -j A\n-A A -j MASQUERADE\nCOMMIT\n*filter\n-A INPUT -j NOWHERE\nCOMMIT\n";
        let Output { code, stderr, .. } = with("apply", variant, text, &[]);
        assert_eq!(code, 2);
        assert!(stderr.contains("-:4:1: error: `MASQUERADE` in chain `A` is reached from PREROUTING"), "{stderr}");
        assert!(stderr.contains("-:7:1: error: chain `NOWHERE` is not there in table filter"), "{stderr}");
        assert_eq!(saved(variant), before);
    });
}

pub(super) fn what_the_tool_refuses_is_named_by_rule() {
    load("legacy", LIVE);
    let text = "*filter\n:OURS - [0:0]\n-A OURS -m set --match-set nowhere src -j DROP\nCOMMIT\n";
    let Output { code, stderr, .. } = with("apply", "legacy", text, &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("-:3:1: error: ") && stderr.contains("refused this rule"), "{stderr}");
}

pub(super) fn both_variants_at_once_are_told_of() {
    load("legacy", LIVE);
    load("nft", LIVE);
    let Output { code, stdout, stderr } = rulectl(&["show", "--backend", "iptables-legacy"], "");
    assert_eq!(code, 0);
    assert!(stdout.contains("-A OURS -s 10.0.0.1/32 -j DROP"), "{stdout}");
    assert!(stderr.starts_with("warning: iptables-nft has rules here too"), "{stderr}");
}

pub(super) fn two_dumps_are_compared_without_a_kernel() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = [("a.save", LIVE), ("b.save", LIVE)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text.replace("[3:300]", if name == "b.save" { "[9:9]" } else { "[3:300]" }))
            .expect("written");
        path.to_str().expect("a path").to_owned()
    });
    let [a, b] = &paths;
    assert_eq!(rulectl(&["diff", a, b], "").code, 0, "counters are no difference");
    std::fs::write(b, LIVE.replace(":INPUT ACCEPT", ":INPUT DROP")).expect("written");
    let Output { code, stdout, .. } = rulectl(&["diff", a, b], "");
    assert_eq!((code, stdout.as_str()), (1, "~ table filter\n~   chain INPUT: policy ACCEPT becomes DROP\n"));
}
