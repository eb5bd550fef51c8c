//! What is said of twenty mistakes: the page `docs/errors.md` shows it beside what nft says.

use super::parse;

#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
    ("wrong family", "table ip t {\n\tchain c {\n\t\tip6 saddr ::1 accept\n\t}\n}\n"),
    ("unknown chain", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tjump wbe\n\t}\n}\n"),
    ("unknown set", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tip saddr @host accept\n\t}\n}\n"),
    ("unknown object", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tcounter name \"hits\"\n\t}\n}\n"),
    ("set of another type", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport @hosts accept\n\t}\n}\n"),
    ("value of another type", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tip saddr ::1 accept\n\t}\n}\n"),
    ("value that is too large", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport 70000 accept\n\t}\n}\n"),
    ("unknown value", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tct state establish accept\n\t}\n}\n"),
    ("unknown field", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\ttcp dprot 22 accept\n\t}\n}\n"),
    ("unknown key", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tmeta iifnam \"lo\" accept\n\t}\n}\n"),
    ("headers that exclude one another", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport 22 udp sport 53 accept\n\t}\n}\n"),
    ("overlapping intervals", "table ip t {\n\tset s {\n\t\ttype ipv4_addr; flags interval;\n\t\telements = { 10.0.0.0/8, 10.1.0.0/16 }\n\t}\n}\n"),
    ("key with two verdicts", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\ttcp dport vmap { 22 : accept, 22 : drop }\n\t}\n}\n"),
    ("missing brace", "table ip t {\n\tchain c {\n\t\ttcp dport { 22, 80 accept\n\t}\n}\n"),
    ("statement in an illegal hook", "table ip t {\n\tchain c {\n\t\ttype nat hook prerouting priority -100;\n\t\tmasquerade\n\t}\n}\n"),
    ("statement in an illegal chain", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tdnat ip to 10.0.0.1\n\t}\n}\n"),
    ("hook the family does not have", "table arp t {\n\tchain c {\n\t\ttype filter hook forward priority 0;\n\t}\n}\n"),
    ("statement that is never reached", "table inet t {\n\tset hosts { type ipv4_addr; }\n\tchain web { }\n\tchain c {\n\t\ttype filter hook input priority 0;\n\t\tdrop counter\n\t}\n}\n"),
    ("port without a protocol", "table ip t {\n\tchain c {\n\t\ttype nat hook prerouting priority -100;\n\t\tredirect to :8080\n\t}\n}\n"),
    ("unknown variable", "define gateway = 10.0.0.1\ntable ip t {\n\tchain c {\n\t\tip saddr $gatway accept\n\t}\n}\n"),
];

#[test]
fn the_page_shows_what_is_said() {
    let page = include_str!("../../../../../docs/errors.md");
    for (name, text) in MISTAKES {
        let errors: Vec<String> =
            parse("f", text).errors.iter().map(|error| error.to_string().trim_end().to_owned()).collect();
        let said = errors.join("\n");
        assert!(page.contains(&format!("rulectl:\n\n```text\n{said}\n```\n")), "{name}:\n{said}");
    }
}

#[test]
fn all_mistakes_of_a_text_are_reported_and_the_rest_is_read() {
    let text =
        "table ip t {\n chain c {\n  ip6 saddr ::1\n  accept drop\n  tcp dport 22 accept\n  tcp dport 99999\n }\n}\n";
    let parsed = parse("f", text);
    let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 4, 6]);
    let rules: usize =
        parsed.ruleset.tables().flat_map(|table| table.chains.iter()).map(|chain| chain.rules.len()).sum();
    assert_eq!(rules, 1);
}

#[test]
fn a_large_set_and_long_rows_are_read_in_linear_time() {
    // Quadratic work on these would take minutes.
    let elements: String = (0..200_000_u32).map(|n| format!("10.{}.{}.{},", n >> 16, n >> 8 & 255, n & 255)).collect();
    let set = format!("table ip t {{ set s {{ type ipv4_addr; elements = {{ {elements} }}; }}; }}");
    assert_eq!(parse("set", &set).errors, []);
    let row = format!("table ip t {{ chain c {{ ip saddr {} 1; }}; }}", ". ip daddr ".repeat(20_000));
    assert!(!parse("row", &row).errors.is_empty());
    let sum = format!("table ip t {{ chain c {{ meta mark set 1 {}; }}; }}", "| 1 ".repeat(20_000));
    assert!(!parse("sum", &sum).errors.is_empty());
}

#[test]
fn variables_that_multiply_and_brackets_without_end_are_refused() {
    let mut text = "define a0 = { 1.1.1.1, 1.1.1.1 }\n".to_owned();
    for n in 1..64 {
        text += &format!("define a{n} = {{ $a{}, $a{} }}\n", n - 1, n - 1);
    }
    assert!(!parse("bomb", &text).errors.is_empty());
    assert!(!parse("deep", &format!("table ip t {{ chain c {{ ip saddr {}", "(".repeat(100_000))).errors.is_empty());
    assert!(!parse("self", "define a = $a\ntable ip t { chain c { ip saddr $a; }; }").errors.is_empty());
}
