use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ir::{Chain, Dialect, Expression, Ruleset, Statement, arbitrary};

/// A document with one rule in one chain.
fn rule(statements: &serde_json::Value) -> String {
    json!({ "nftables": [
        { "table": { "family": "inet", "name": "t" } },
        { "chain": { "family": "inet", "table": "t", "name": "c" } },
        { "rule": { "family": "inet", "table": "t", "chain": "c", "expr": statements } },
    ] })
    .to_string()
}

fn only_chain(ruleset: &Ruleset) -> &Chain {
    ruleset.tables().next().unwrap().chains.iter().next().unwrap()
}

fn statements(parsed: &Parsed) -> &[Statement] {
    &only_chain(&parsed.ruleset).rules[0].statements
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed_back(ruleset in arbitrary::ruleset()) {
        let text = print(&ruleset);
        let parsed = parse("-", &text);
        prop_assert_eq!(&parsed.errors, &[], "{}", text);
        prop_assert_eq!(&parsed.kept, &[], "{}", text);
        prop_assert_eq!(&parsed.ruleset, &ruleset, "{}", text);
    }

    #[test]
    fn no_json_is_too_odd(document in odd_json()) {
        let parsed = parse("-", &document.to_string());
        let again = parse("-", &print(&parsed.ruleset));
        prop_assert_eq!(again.ruleset, parsed.ruleset);
    }

    #[test]
    fn no_bytes_are_too_odd(text in "\\PC{0,60}|[\\[\\]{}\",:0-9a-z\\\\ \\n]{0,60}") {
        let _ = parse("-", &text);
    }
}

/// JSON made of nft's words in places where they do not belong, and in some where they do.
fn odd_json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "table",
        "chain",
        "rule",
        "set",
        "map",
        "elem",
        "element",
        "add",
        "delete",
        "insert",
        "replace",
        "flush",
        "family",
        "name",
        "inet",
        "ip",
        "t",
        "c",
        "type",
        "ipv4_addr",
        "expr",
        "match",
        "left",
        "right",
        "op",
        "==",
        "in",
        "payload",
        "protocol",
        "field",
        "tcp",
        "dport",
        "flags",
        "prefix",
        "addr",
        "len",
        "range",
        "concat",
        "vmap",
        "data",
        "key",
        "dnat",
        "limit",
        "rate",
        "handle",
        "index",
        "typeof",
        "verdict",
        "@s",
        "*",
        "",
        "&",
    ]);
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|truth| json!(truth)),
        prop_oneof![any::<i64>(), 0..40_i64].prop_map(|number| json!(number)),
        word.clone().prop_map(|word| json!(word)),
    ];
    let value = leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|list| json!(list)),
            prop::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    });
    (prop::collection::vec(value.clone(), 0..4), value).prop_map(|(items, statement)| {
        let mut all = vec![
            json!({ "table": { "family": "ip", "name": "t" } }),
            json!({ "chain": { "family": "ip", "table": "t", "name": "c" } }),
            json!({ "set": { "family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "elem": statement } }),
            json!({ "rule": { "family": "ip", "table": "t", "chain": "c", "expr": [statement] } }),
        ];
        all.extend(items);
        json!({ "nftables": all })
    })
}

#[test]
fn text_that_is_no_json_is_located() {
    let parsed = parse("rules.json", "{\"nftables\": [\n  {\"table\": {]}\n]}");
    let [error] = parsed.errors.as_slice() else { panic!("{:?}", parsed.errors) };
    assert_eq!((error.line, error.column), (2, 14), "{error}");
    assert_eq!(parse("-", "{}").errors[0].line, 0);
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{{\"nftables\": [{}{}]}}", "[".repeat(100_000), "]".repeat(100_000));
    let parsed = parse("-", &deep);
    assert!(parsed.errors[0].message.contains("recursion limit"), "{:?}", parsed.errors[0].message);
}

#[test]
fn a_wrong_value_is_located_and_the_rest_of_the_document_stands() {
    let text = rule(&json!([
        { "match": { "op": "==", "left": { "payload": { "protocol": "tcp", "field": "dport" } }, "right": 70_000 } },
        { "accept": null },
    ]));
    let parsed = parse("-", &text);
    let [error] = parsed.errors.as_slice() else { panic!("{:?}", parsed.errors) };
    assert_eq!(error.message, "this is no inet_service (at /rule/expr/0/match/right)");
    let column = text[..text.find("70000").unwrap()].chars().count() + 1;
    assert_eq!((error.line, error.column, error.width), (1, column, 5));
    assert!(matches!(statements(&parsed)[0], Statement::Opaque(_)));
    assert_eq!(statements(&parsed)[1], Statement::Verdict(crate::ir::Verdict::Accept));
}

#[test]
fn an_unknown_statement_stays_as_it_came_and_in_its_place() {
    let unknown = json!({ "xt": { "type": "match", "name": "comment" } });
    let parsed = parse("-", &rule(&json!([{ "counter": null }, unknown, { "drop": null }])));
    assert_eq!(parsed.errors, []);
    assert_eq!(parsed.kept.len(), 1);
    let Statement::Opaque(piece) = &statements(&parsed)[1] else { panic!("{:?}", statements(&parsed)) };
    assert_eq!((piece.dialect, piece.text.as_str()), (Dialect::Json, r#"{"xt":{"type":"match","name":"comment"}}"#));
    assert!(print(&parsed.ruleset).contains(&piece.text));
}

#[test]
fn an_unknown_field_is_noted_and_does_not_hide_its_object() {
    let text = r#"{"nftables": [{"table": {"family": "ip", "name": "t", "colour": "red"}}], "more": 1}"#;
    let parsed = parse("-", text);
    let pieces: Vec<&str> = parsed.kept.iter().map(|kept| kept.piece.text.as_str()).collect();
    assert_eq!(pieces, ["1", "\"red\""]);
    assert_eq!(parsed.ruleset.tables().len(), 1);
}

/// What other readers of this JSON fail on.
#[test]
fn every_spelling_of_the_same_is_taken() {
    let same = [
        [json!({ "masquerade": { "flags": "fully-random" } }), json!({ "masquerade": { "flags": ["fully-random"] } })],
        [json!({ "accept": null }), json!("accept")],
        [json!({ "masquerade": null }), json!({ "masquerade": {} })],
        [
            json!({ "mangle": { "key": { "meta": { "key": "mark" } }, "value": { "|": [{ "|": [{ "meta": { "key": "mark" } }, 1] }, 2] } } }),
            json!({ "mangle": { "key": { "meta": { "key": "mark" } }, "value": { "|": [{ "meta": { "key": "mark" } }, 1, 2] } } }),
        ],
        [
            json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": ["new", "related"] } }),
            json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": { "|": ["related", "new"] } } }),
        ],
    ];
    for [first, second] in same {
        let both = [first, second].map(|statement| parse("-", &rule(&json!([statement]))));
        assert_eq!(both[0].errors, []);
        assert_eq!(both[0].kept, []);
        assert_eq!(both[0].ruleset, both[1].ruleset);
    }
}

#[test]
fn a_rate_inside_a_set_statement_is_kept() {
    let text = json!({ "nftables": [
        { "table": { "family": "ip", "name": "t" } },
        { "chain": { "family": "ip", "table": "t", "name": "c" } },
        { "set": { "family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "flags": "dynamic" } },
        { "rule": { "family": "ip", "table": "t", "chain": "c", "expr": [{ "set": {
            "op": "update",
            "elem": { "elem": { "val": { "payload": { "protocol": "ip", "field": "saddr" } }, "timeout": 60 } },
            "set": "@s",
            "stmt": [{ "limit": { "rate": 10, "burst": 5, "per": "second" } }],
        } }] } },
    ] });
    let parsed = parse("-", &text.to_string());
    assert_eq!((&parsed.errors, &parsed.kept), (&vec![], &vec![]));
    let Statement::SetUpdate(update) = &statements(&parsed)[0] else { panic!("{:?}", statements(&parsed)) };
    assert_eq!(update.timeout_ms, Some(60_000));
    assert!(matches!(update.statements[..], [Statement::Limit(_)]));
}

#[test]
fn commands_do_what_they_say() {
    let place = |comment: &str| json!({ "family": "ip", "table": "t", "chain": "c", "expr": [], "comment": comment });
    let with = |comment: &str, key: &str, value: u64| {
        let mut rule = place(comment);
        rule[key] = value.into();
        rule
    };
    let text = json!({ "nftables": [
        { "add": { "table": { "family": "ip", "name": "gone" } } },
        { "flush": { "ruleset": null } },
        { "add": { "table": { "family": "ip", "name": "t" } } },
        { "add": { "chain": { "family": "ip", "table": "t", "name": "c" } } },
        { "rule": with("listed", "handle", 7) },
        { "add": { "rule": place("last") } },
        { "insert": { "rule": place("first") } },
        { "insert": { "rule": with("before listed", "handle", 7) } },
        { "add": { "rule": with("behind the first", "index", 0) } },
        { "replace": { "rule": with("replaced", "handle", 7) } },
        { "destroy": { "rule": with("", "handle", 99) } },
        { "rename": { "chain": { "family": "ip", "table": "t", "name": "c", "newname": "d" } } },
        { "add": { "set": { "family": "ip", "table": "t", "name": "s", "type": "inet_service", "elem": [1, 2] } } },
        { "add": { "element": { "family": "ip", "table": "t", "name": "s", "elem": [3] } } },
        { "delete": { "element": { "family": "ip", "table": "t", "name": "s", "elem": [1] } } },
        { "list": { "ruleset": null } },
    ] });
    let parsed = parse("-", &text.to_string());
    assert_eq!((&parsed.errors, &parsed.kept), (&vec![], &vec![]));
    let chain = only_chain(&parsed.ruleset);
    let comments: Vec<&str> = chain.rules.iter().map(|rule| rule.comment.as_ref().unwrap().as_str()).collect();
    assert_eq!(comments, ["first", "behind the first", "before listed", "replaced", "last"]);
    assert_eq!(chain.name.as_str(), "d");
    let elements = parsed.ruleset.tables().next().unwrap().sets.find("s").unwrap().elements();
    assert_eq!(elements.len(), 2);
}

#[test]
fn what_is_not_there_cannot_be_named() {
    let text = r#"{"nftables": [
        {"table": {"family": "ip", "name": "t"}},
        {"chain": {"family": "ip", "table": "none", "name": "c"}},
        {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": []}},
        {"element": {"family": "ip", "table": "t", "name": "s", "elem": [1]}},
        {"delete": {"chain": {"family": "ip", "table": "t", "name": "c"}}}
    ]}"#;
    let errors: Vec<String> =
        parse("f", text).errors.iter().map(|error| format!("{}: {}", error.line, error.message)).collect();
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn the_left_side_says_what_a_literal_means() {
    let statement = json!({ "match": {
        "op": "==",
        "left": { "concat": [{ "meta": { "key": "l4proto" } }, { "payload": { "protocol": "th", "field": "dport" } }] },
        "right": { "set": [{ "concat": ["tcp", 80] }, { "concat": [17, { "range": [53, 54] }] }] },
    } });
    let parsed = parse("-", &rule(&json!([statement])));
    assert_eq!((&parsed.errors, &parsed.kept), (&vec![], &vec![]));
    let Statement::Match { right: Expression::Set(set), .. } = &statements(&parsed)[0] else { panic!() };
    assert!(set.interval);
    let keys: Vec<String> = set.elements.iter().map(|element| format!("{:?}", element.key)).collect();
    assert_eq!(keys, ["Value(0x0600000000500000)", "Range(0x11000000003500001100000000360000)"]);
}
