//! What the kernel's error numbers mean, as the kernel itself gives them.

use libtest_mimic::Trial;
use rulectl_netlink::{CommitError, Kernel, NetlinkKernel, Refusal};
use rulectl_ruleset::expr::{Expr, Program, Reg, SetUse};
use rulectl_ruleset::ir::{
    BaseChain, ChainType, Counter, Data, DataKind, DataType, Element, Family, Hook, Key, KeyType, LimitUnit, NatKind,
    Object, ObjectKind, ObjectName, Policy, Priority, TableFlags, Verdict,
};
use rulectl_ruleset::plan::{Op, Place};

use crate::sandbox::{
    Sandbox, add_chain, add_elements, add_set, add_table, chain, delete_elements, numbered, plan, set, set_name, table,
    test,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("each_refusal_is_told_in_words_for_what_was_done", words),
        test("a_table_that_a_process_keeps_is_told_so", owned),
    ]
}

fn refused(outcome: Result<impl std::fmt::Debug, CommitError>) -> Vec<Refusal> {
    match outcome {
        Err(CommitError::Refused { refusals }) => refusals,
        other => panic!("not refused: {other:?}"),
    }
}

fn base(kind: ChainType, hook: Hook) -> Option<BaseChain> {
    BaseChain::new(Family::Ip, hook, kind, Priority::FILTER).ok()
}

fn add_base(name: &str, base: Option<BaseChain>) -> Op {
    Op::AddChain { table: table(), chain: chain(name), base, comment: None }
}

fn rule(name: &str, exprs: Vec<Expr>) -> Op {
    let program = Program { exprs, comment: None };
    Op::AddRule { table: table(), chain: chain(name), place: Place::Last, program }
}

fn object(name: &str) -> ObjectName {
    ObjectName::new(name).expect("a name")
}

fn counter(name: &str) -> Object {
    Object { name: object(name), kind: ObjectKind::Counter(Counter::default()), comment: None }
}

fn helper() -> Object {
    let kind = ObjectKind::CtHelper { helper: "no-such-helper".to_owned(), protocol: 6, l3proto: None };
    Object { name: object("h"), kind, comment: None }
}

fn looked_up(name: &str) -> Vec<Expr> {
    let set = SetUse::Named(set_name(name));
    vec![
        Expr::Payload { dreg: Reg::R1, base: rulectl_ruleset::ir::PayloadBase::Network, offset: 12, len: 4 },
        Expr::Lookup { sreg: Reg::R1, set, dreg: None, inverted: false },
    ]
}

/// What is there: a filter chain `in`, chains `c` and `used`, a full set, a set of ranges, a verdict map, a counter.
fn start() -> Vec<Op> {
    let ipv4 = || KeyType::of_types([DataType::Ipv4Addr]);
    let mut full = set("full", ipv4(), DataKind::None);
    full.spec_mut().size = Some(2);
    let ranges = ranges();
    let vmap = set("vmap", ipv4(), DataKind::Verdict);
    vec![
        add_table(),
        Op::AddObject { table: table(), object: counter("counted") },
        add_set(&full),
        add_set(&ranges),
        add_set(&vmap),
        add_chain("c"),
        add_chain("used"),
        add_base("in", base(ChainType::Filter, Hook::Input)),
        rule("in", vec![Expr::Verdict(Verdict::Jump(chain("c")))]),
        add_elements(&full, [numbered(1, Data::None), numbered(2, Data::None)]),
        add_elements(&ranges, [range(10, 20)]),
        add_elements(&vmap, [numbered(1, Data::Verdict(Verdict::Goto(chain("used"))))]),
        rule(
            "in",
            [
                looked_up("full"),
                vec![Expr::Objref { object: rulectl_ruleset::ir::ObjectType::Counter, name: object("counted") }],
            ]
            .concat(),
        ),
    ]
}

fn ranges() -> rulectl_ruleset::ir::AnySet {
    let mut ranges = set("ranges", KeyType::of_types([DataType::Ipv4Addr]), DataKind::None);
    ranges.spec_mut().flags.interval = true;
    ranges
}

fn range(first: u32, last: u32) -> Element {
    Element { key: Key::range(&first.to_be_bytes(), &last.to_be_bytes()), data: Data::None, extra: None }
}

/// Steps that the kernel refuses.
fn wrong() -> Vec<(&'static str, Op)> {
    let ipv4 = || KeyType::of_types([DataType::Ipv4Addr]);
    let mut full = set("full", ipv4(), DataKind::None);
    full.spec_mut().size = Some(2);
    let vmap = set("vmap", ipv4(), DataKind::Verdict);
    let verdict = |number, name| numbered(number, Data::Verdict(Verdict::Goto(chain(name))));
    let nat = Expr::Nat {
        kind: NatKind::Dnat,
        family: 2,
        addr_min: Some(Reg::R1),
        addr_max: None,
        proto_min: None,
        proto_max: None,
        flags: 0,
    };
    let limit = Expr::Limit { rate: u64::MAX, unit: 1, burst: 1000, kind: LimitUnit::Bytes, inverted: false };
    let load = || looked_up("full").remove(0);
    vec![
        ("table that is there", add_table()),
        ("chain that is there", add_base("in", base(ChainType::Filter, Hook::Forward))),
        ("chain that is in use", Op::DeleteChain { table: table(), chain: chain("used") }),
        ("chain that is not there", Op::DeleteChain { table: table(), chain: chain("missing") }),
        ("set that is there", add_set(&set("full", KeyType::of_types([DataType::InetService]), DataKind::None))),
        ("set that is in use", Op::DeleteSet { table: table(), set: set_name("full") }),
        ("one element too many", add_elements(&full, [numbered(3, Data::None)])),
        ("key with other data", add_elements(&vmap, [verdict(1, "c")])),
        ("element that leads nowhere", add_elements(&vmap, [verdict(7, "c"), verdict(8, "missing")])),
        ("range that overlaps", add_elements(&ranges(), [range(30, 40), range(15, 25)])),
        ("element that is not there", delete_elements(&full, [numbered(9, Data::None)].into_iter().collect())),
        ("object that is there", Op::AddObject { table: table(), object: counter("counted") }),
        ("helper that is missing", Op::AddObject { table: table(), object: helper() }),
        (
            "object that is in use",
            Op::DeleteObject {
                table: table(),
                object: rulectl_ruleset::ir::ObjectType::Counter,
                name: object("counted"),
            },
        ),
        ("jump to a missing chain", rule("c", vec![Expr::Verdict(Verdict::Jump(chain("missing")))])),
        ("look-up in a missing set", rule("c", looked_up("missing"))),
        ("unknown expression", rule("c", vec![Expr::Other { name: "teleport".into(), attributes: Vec::new() }])),
        ("nat in a filter chain", rule("in", vec![load(), nat])),
        ("masquerade in a filter chain", rule("in", vec![Expr::Masq { proto_min: None, proto_max: None, flags: 0 }])),
        ("limit beyond all bounds", rule("c", vec![limit])),
        ("rule of a missing chain", rule("missing", vec![])),
        ("rule that is not there", Op::DeleteRule { table: table(), chain: chain("c"), handle: 999 }),
        ("jump in a circle", rule("c", vec![Expr::Verdict(Verdict::Jump(chain("c")))])),
        ("policy of no chain", Op::SetPolicy { table: table(), chain: chain("missing"), policy: Policy::Drop }),
    ]
}

fn words() {
    let mut sandbox = Sandbox::new();
    sandbox.applied(start());
    let mut told = Vec::new();
    for (what, op) in wrong() {
        match sandbox.apply(vec![op]) {
            Err(CommitError::Refused { refusals }) => {
                told.extend(refusals.iter().map(|refusal| format!("{what}: {refusal}")));
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    insta::assert_snapshot!(told.join("\n"));
}

fn owned() {
    let mut sandbox = Sandbox::new();
    let mut owner = NetlinkKernel::in_namespace(&sandbox.netns).expect("a socket");
    let flags = TableFlags { owner: true, ..TableFlags::default() };
    owner.commit(&plan(vec![Op::AddTable { table: table(), flags, comment: None }])).expect("it may own a table");
    let told = refused(sandbox.apply(vec![add_chain("c")]));
    assert_eq!(
        told[0].to_string(),
        "chain `c` of table `ip t`: the table belongs to a process that keeps it for itself (flags owner) (EPERM); only that \
         process can change it, or its end"
    );
}
