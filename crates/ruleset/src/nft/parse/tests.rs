use proptest::prelude::*;

use super::*;
use crate::nft::print;

/// The canonical form of a text that has no problems.
fn canonical(text: &str) -> String {
    let parsed = parse("test", text);
    assert_eq!(parsed.errors, [], "{text}");
    let printed = print(&parsed.ruleset);
    let again = parse("again", &printed);
    assert_eq!(again.errors, [], "{printed}");
    assert_eq!(again.ruleset, parsed.ruleset, "{printed}");
    printed
}

/// How a rule of a chain in a table of family inet comes out.
fn rule(rule: &str) -> String {
    rule_in("inet", rule)
}

fn rule_in(family: &str, rule: &str) -> String {
    let text = format!(
        "table {family} t {{\n set s {{ type ipv4_addr; flags dynamic,timeout; }}\n chain c {{\n {rule}\n }}\n}}\n"
    );
    let printed = canonical(&text);
    let start = printed.find("chain c {\n").unwrap() + 10;
    printed[start..].trim_end_matches("\n\t}\n}\n").trim().to_owned()
}

/// The first problem of a text: line, column, message and what was expected.
fn problem(text: &str) -> (usize, usize, String, Option<String>) {
    let error = parse("test", text).errors.into_iter().next().expect("a problem");
    (error.line, error.column, error.message, error.expected)
}

#[test]
fn words_are_resolved_and_implied_matches_left_out() {
    assert_eq!(rule("meta l4proto tcp tcp dport { https, ssh, 80 } accept"), "tcp dport { 22, 80, 443 } accept");
    assert_eq!(rule("meta nfproto ipv4 ip saddr 10.1.2.3/8"), "ip saddr 10.0.0.0/8");
    assert_eq!(rule_in("ip", "ip protocol tcp tcp dport 22"), "tcp dport 22");
    assert_eq!(rule("ip protocol tcp tcp dport 22"), "ip protocol tcp tcp dport 22");
    assert_eq!(rule("meta l4proto tcp counter tcp dport 22"), "meta l4proto tcp counter tcp dport 22");
}

#[test]
fn intervals_of_a_rule_are_merged_and_a_single_element_stands_alone() {
    assert_eq!(rule("tcp dport { 6-10, 1-5, 7 }"), "tcp dport 1-10");
    assert_eq!(rule("tcp dport { 1, 2, 3 }"), "tcp dport { 1, 2, 3 }");
    assert_eq!(rule("tcp dport != { 22 }"), "tcp dport != 22");
    assert_eq!(rule("iifname { \"a\", \"eth*\" }"), "iifname { \"a\", \"eth*\" }");
}

#[test]
fn flags_come_out_as_nft_lists_them() {
    assert_eq!(rule("tcp flags & (syn|ack) != 0"), "tcp flags syn,ack");
    assert_eq!(rule("tcp flags & (syn|ack) == 0"), "tcp flags ! syn,ack");
    assert_eq!(rule("tcp flags & (fin|syn) == syn"), "tcp flags & (fin | syn) == syn");
    assert_eq!(rule("tcp flags syn / syn,fin"), "tcp flags syn / fin,syn");
    assert_eq!(rule("ct state new,established"), "ct state established,new");
}

#[test]
fn operations_on_bits_come_out_as_one_of_each() {
    assert_eq!(rule("ct mark set ct mark and 0xfffff000 or 0x111"), "ct mark set ct mark & 0xfffff111 | 0x00000111");
    assert_eq!(rule("meta mark set meta mark or 0xf or 0xf0"), "meta mark set meta mark | 0x000000ff");
    assert_eq!(rule("meta mark & 0xff & 0xf == 1"), "meta mark & 0x0000000f == 0x00000001");
}

#[test]
fn statements_of_every_kind_come_back() {
    let same = [
        "counter accept comment \"a b\"",
        "limit rate over 10 kbytes/second burst 2 mbytes drop",
        "log prefix \"x: \" group 3 snaplen 30 queue-threshold 4",
        "log prefix \"x\" level debug flags tcp sequence,options flags skuid",
        "reject with icmpx admin-prohibited",
        "dnat ip to 1.2.3.4-1.2.3.8",
        "tcp dport 80 dnat ip6 to [2001:db8::1]:8080 persistent",
        "dnat ip to tcp dport map { 22 : 1.2.3.4 . 80, 80 : 1.2.3.5 . 90 }",
        "meta l4proto tcp redirect to :80-90 fully-random",
        "add @s { ip saddr timeout 3m limit rate 3/second }",
        "meta mark set jhash ip saddr . tcp dport mod 3 seed 0xde offset 7",
        "tcp option maxseg size set rt mtu",
        "fib saddr . iif oif missing drop",
        "ct original ip daddr 1.2.3.4 ct expiration 1h30m",
        "queue flags bypass,fanout to 1-3",
        "synproxy mss 1460 wscale 7 timestamp sack-perm",
        "meta hour \"17:00\"-\"19:30\" meta day \"Saturday\"",
        "@ih,16,16 0x50 @nh,8,8 { 0x10, 0x20 }",
        "ip saddr . tcp dport vmap { 1.2.3.4 . 80 : accept, 10.0.0.0/8 . 90-100 : drop }",
        "meter m size 16 { ip saddr limit rate 10/second }",
        "socket transparent 1 ipsec in reqid 3 osf ttl loose name \"Linux\"",
        "ct count over 10 reject",
        "rt0 addr[1] ::1 frag more-fragments 1 exthdr hbh exists",
        "sctp chunk init init-tag 5 tcp option @34,0,16 32",
        "udp dport 4789 vxlan ip saddr 10.0.0.0/8",
    ];
    for text in same {
        assert_eq!(rule(text), text);
    }
}

#[test]
fn variables_stand_for_what_they_were_defined_as() {
    let text = "define a = 10.0.0.1\ndefine all = { $a, 10.0.0.2 }\ntable ip t {\n define a = 9.9.9.9\n chain c {\n ip saddr $all ip daddr $a\n }\n}\n";
    assert!(canonical(text).contains("ip saddr { 10.0.0.1, 10.0.0.2 } ip daddr 9.9.9.9"));
    let (line, column, message, expected) = problem("define abc = 1\ntable ip t {\n chain c { tcp dport $abd; }\n}");
    assert_eq!((line, column, message.as_str()), (3, 22, "unknown variable `$abd`"));
    assert_eq!(expected.unwrap(), "`$abc`");
}

#[test]
fn commands_change_what_was_declared() {
    let text = "add table inet t\nadd chain inet t c { type filter hook input priority filter - 5; policy drop; }\n\
        add set inet t s { typeof ip saddr; flags interval; auto-merge; }\n\
        add element inet t s { 10.0.0.0-10.0.0.127, 10.0.0.128/25 }\nadd rule inet t c accept\n\
        insert rule inet t c drop\nadd table ip gone\ndelete table ip gone\n";
    insta::assert_snapshot!(canonical(text), @r#"
    table inet t {
    	set s {
    		typeof ip saddr
    		flags interval
    		auto-merge
    		elements = { 10.0.0.0/24 }
    	}

    	chain c {
    		type filter hook input priority filter - 5; policy drop;
    		drop
    		accept
    	}
    }
    "#);
}

#[test]
fn several_problems_of_one_text_are_found_and_the_rest_is_kept() {
    let text =
        "table inet t {\n chain c {\n  tcp dprt 22\n  accept\n  jump nowhere\n  ip saddr 300.1.1.1 drop\n }\n}\n";
    let parsed = parse("f", text);
    let messages: Vec<String> = parsed.errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(messages.join("\n\n"), @r#"
    f:3:7: error: `tcp` has no field `dprt`, expected `dport`
      tcp dprt 22
          ^^^^

    f:5:3: error: the table has no chain `nowhere`
      jump nowhere
      ^^^^^^^^^^^^

    f:6:12: error: `300.1.1.1` is not an IPv4 address, expected an IPv4 address
      ip saddr 300.1.1.1 drop
               ^^^^^^^^^
    "#);
    assert!(print(&parsed.ruleset).contains("accept"));
}

#[test]
fn brackets_without_end_are_refused_not_followed() {
    for bracket in ["{", "(", "jump {", "tcp dport {"] {
        let text = format!("table ip t {{ chain c {{ ip saddr {}", bracket.repeat(10_000));
        assert!(!parse("deep", &text).errors.is_empty());
    }
}

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "table", "chain", "inet", "ip", "t", "c", "{", "}", "(", ")", "\n", ";", "set", "type", "ipv4_addr", ":",
    "verdict", "elements", "=", ",", "1.2.3.4", "/", "24", "-", "tcp", "dport", "22", "flags", "syn", "&", "|",
    "==", "!=", "map", "vmap", "@", "s", "$x", "define", "x", "include", "\"a\"", "\"", "counter", "limit", "rate",
    "10", "burst", "dnat", "to", "meta", "mark", "ct", "state", "new", "add", "rule", "element", "delete",
    "timeout", "1h", "comment", "#", "\\", "typeof", "interval", "hook", "priority", "filter", "numgen", "mod",
    "fib", "saddr", "jump", "*", ".", "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_printed_is_parsed_back(ruleset in crate::ir::arbitrary::ruleset()) {
        let printed = print(&ruleset);
        // What does not fit its place, or has no form in text, is refused and left out; all else is read for good.
        let read = parse("printed", &printed).ruleset;
        let again = parse("again", &print(&read));
        prop_assert_eq!(&again.errors, &[], "{}", printed);
        prop_assert_eq!(&again.ruleset, &read, "{}", printed);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = parse("any", &text);
    }

    #[test]
    fn no_row_of_words_makes_the_parser_panic(words in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let parsed = parse("words", &words.join(" "));
        // What was understood can be printed, and read again.
        let printed = print(&parsed.ruleset);
        prop_assert_eq!(parse("again", &printed).ruleset, parsed.ruleset);
    }
}
