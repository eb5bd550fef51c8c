//! What the kernel refuses is led back to the step, the element and the expression, in words.

use std::sync::Arc;

use libtest_mimic::Trial;
use rulectl_netlink::CommitError;
use rulectl_ruleset::expr::{Expr, Program, Reg, SetUse};
use rulectl_ruleset::ir::{
    AnySet, BaseChain, ChainType, Data, DataKind, DataType, Element, Family, Hook, Key, KeyType, NatKind, PayloadBase,
    Priority, SetSpec, Verdict,
};
use rulectl_ruleset::plan::{Op, Place, Plan};

use crate::sandbox::{
    Sandbox, add_chain, add_elements, add_set, add_table, chain, numbered, plan, set, set_name, table, test,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_chain_in_use_is_busy_and_named", busy_chain),
        test("a_missing_table_is_named", missing_table),
        test("the_expression_that_is_refused_is_named", expression),
        test("an_element_of_an_anonymous_set_leads_to_its_expression", anonymous_element),
        test("the_second_half_of_a_range_leads_to_the_same_element", interval),
        test("an_endless_jump_is_refused_as_a_whole", endless_jump),
        test("what_cannot_be_encoded_is_refused_before_it_is_sent", unencodable),
        test("every_refusal_is_reported_at_once", all_at_once),
    ]
}

fn rule(chain_name: &str, exprs: Vec<Expr>) -> Op {
    let program = Program { exprs, comment: None };
    Op::AddRule { table: table(), chain: chain(chain_name), place: Place::Last, program }
}

fn jump(to: &str) -> Expr {
    Expr::Verdict(Verdict::Jump(chain(to)))
}

/// The kernel's complaints, as text, with errno, element and expression.
fn complaints(sandbox: &mut Sandbox, steps: Vec<Op>) -> Vec<(String, usize, Option<usize>, Option<usize>)> {
    match sandbox.apply(steps) {
        Err(CommitError::Refused { refusals }) => refusals
            .iter()
            .map(|refusal| (refusal.to_string(), refusal.step, refusal.element, refusal.expression))
            .collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn busy_chain() {
    let mut sandbox = Sandbox::new();
    sandbox.applied(vec![add_table(), add_chain("used"), add_chain("c"), rule("c", vec![jump("used")])]);
    let found = complaints(&mut sandbox, vec![Op::DeleteChain { table: table(), chain: chain("used") }]);
    assert_eq!(
        found,
        [(
            "chain `used` of table `ip t`: it is in use (EBUSY); delete first the rules and elements that jump to it"
                .to_owned(),
            0,
            None,
            None
        )]
    );
}

fn missing_table() {
    let mut sandbox = Sandbox::new();
    let found = complaints(&mut sandbox, vec![Op::DeleteTable { table: table() }]);
    assert!(found[0].0.starts_with("table `ip t`: it is not there (ENOENT)"), "{}", found[0].0);
}

fn expression() {
    let mut sandbox = Sandbox::new();
    let load = Expr::Payload { dreg: Reg::R1, base: PayloadBase::Network, offset: 12, len: 4 };
    let nat = Expr::Nat {
        kind: NatKind::Dnat,
        family: 2,
        addr_min: Some(Reg::R1),
        addr_max: None,
        proto_min: None,
        proto_max: None,
        flags: 0,
    };
    let steps = vec![add_table(), add_chain("c"), rule("c", vec![load, jump("missing"), nat])];
    let found = complaints(&mut sandbox, steps);
    assert_eq!((found[0].1, found[0].3), (2, Some(1)), "{found:?}");
    assert!(
        found[0].0.contains("missing") && found[0].0.contains("in a rule of chain `c` of table `ip t`"),
        "{found:?}"
    );
}

fn anonymous_element() {
    let mut sandbox = Sandbox::new();
    let spec = SetSpec::new(set_name("__map%d"), KeyType::of_types([DataType::Ipv4Addr]));
    let verdicts = |names: [&str; 3]| {
        let element =
            |(number, name): (usize, &str)| numbered(number as u32, Data::Verdict(Verdict::Goto(chain(name))));
        let elements = names.into_iter().enumerate().map(element).collect();
        AnySet::new(spec.clone(), DataKind::Verdict).with_elements(elements)
    };
    let load = || Expr::Payload { dreg: Reg::R1, base: PayloadBase::Network, offset: 12, len: 4 };
    let decide = |set| Expr::Vmap { sreg: Reg::R1, set: SetUse::Anonymous(Arc::new(set)) };
    let good = decide(verdicts(["d", "d", "d"]));
    let bad = decide(verdicts(["d", "missing", "d"]));
    let steps = vec![add_table(), add_chain("c"), add_chain("d"), rule("c", vec![load(), good, load(), bad])];
    let found = complaints(&mut sandbox, steps);
    assert_eq!((found[0].1, found[0].2, found[0].3), (3, Some(1), Some(3)), "{found:?}");
}

fn interval() {
    let mut sandbox = Sandbox::new();
    let mut networks = set("s", KeyType::of_types([DataType::Ipv4Addr]), DataKind::None);
    networks.spec_mut().flags.interval = true;
    let range = |first: u32, last: u32| Element {
        key: Key::range(&first.to_be_bytes(), &last.to_be_bytes()),
        data: Data::None,
        extra: None,
    };
    sandbox.applied(vec![add_table(), add_set(&networks), add_elements(&networks, [range(100, 199)])]);
    let found = complaints(&mut sandbox, vec![add_elements(&networks, [range(10, 19), range(50, 150)])]);
    assert_eq!(found[0].2, Some(1), "{found:?}");
    assert!(found[0].0.starts_with("element `0.0.0.50-0.0.0.150` of set `s`"), "{found:?}");
}

/// Found at the commit, when all messages were good.
fn endless_jump() {
    let mut sandbox = Sandbox::new();
    let base = BaseChain::new(Family::Ip, Hook::Input, ChainType::Filter, Priority::FILTER).ok();
    let steps = vec![
        add_table(),
        Op::AddChain { table: table(), chain: chain("base"), base, comment: None },
        add_chain("c"),
        add_chain("d"),
        rule("base", vec![jump("c")]),
        rule("c", vec![jump("d")]),
        rule("d", vec![jump("c")]),
    ];
    let found = complaints(&mut sandbox, steps);
    assert!(found[0].0.contains("chains jump in a circle"), "{found:?}");
    assert!(sandbox.live().tables.is_empty());
}

fn unencodable() {
    let mut sandbox = Sandbox::new();
    let addresses = set("s", KeyType::of_types([DataType::Ipv4Addr]), DataKind::None);
    let long = Element::new([1, 2, 3, 4, 5].into(), Data::None);
    let range = Element { key: Key::range(&[0; 4], &[1; 4]), data: Data::None, extra: None };
    for (element, words) in [(long, "a key has 5 bytes"), (range, "needs `flags interval`")] {
        let outcome = sandbox.apply(vec![add_table(), add_set(&addresses), add_elements(&addresses, [element])]);
        let Err(CommitError::Unencodable { step: 2, what }) = outcome else { panic!("{outcome:?}") };
        assert!(what.contains(words), "{what}");
    }
    let huge = Expr::Other { name: "counter".into(), attributes: vec![0; 70_000] };
    let outcome = sandbox.apply(vec![rule("c", vec![huge])]);
    assert!(matches!(outcome, Err(CommitError::Unencodable { step: 0, .. })), "{outcome:?}");
}

fn all_at_once() {
    let mut sandbox = Sandbox::new();
    let steps = vec![add_table(), rule("one", vec![]), add_chain("c"), rule("two", vec![])];
    let both = complaints(&mut sandbox, steps);
    assert_eq!(both.iter().map(|found| found.1).collect::<Vec<_>>(), [1, 3]);
    let stale = Plan { generation: Some(1_000), ..plan(vec![add_table()]) };
    let outcome = rulectl_netlink::Kernel::commit(&mut sandbox.kernel, &stale);
    assert!(matches!(outcome, Err(CommitError::Stale { expected: 1_000, .. })), "{outcome:?}");
}
