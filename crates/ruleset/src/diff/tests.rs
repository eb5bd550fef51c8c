//! Whole tables, compared.

use super::*;
use crate::expr::{Expr, Reg, SetUse};
use crate::ir::{
    ChainType, Data, DataKind, DataType, Element, Family, Hook, Key, KeyType, Named, PayloadBase, Priority, Provenance,
    SetSpec, TableName, Verdict,
};
use crate::live::{LiveChain, LiveRule, LiveSet, LiveTable};
use crate::lower::{LoweredChain, LoweredTable};

fn id() -> TableId {
    TableId::new(Family::Ip, TableName::new("t").unwrap())
}

fn name(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

fn jump(chain: &str) -> Verdict {
    Verdict::Jump(name(chain))
}

fn rule(expr: Expr) -> Program {
    Program { exprs: vec![expr], comment: None }
}

fn counted(packets: u64) -> Program {
    Program { exprs: vec![Expr::Counter { packets, bytes: 0 }, Expr::Verdict(Verdict::Accept)], comment: None }
}

fn dispatch() -> Program {
    let source = Expr::Payload { dreg: Reg::R1, base: PayloadBase::Network, offset: 12, len: 4 };
    let set = SetUse::Named(SetName::new("dispatch").unwrap());
    Program { exprs: vec![source, Expr::Vmap { sreg: Reg::R1, set }], comment: None }
}

fn verdict_map(size: Option<u32>, elements: &[(u8, Verdict)]) -> AnySet {
    let spec = SetSpec::new(SetName::new("dispatch").unwrap(), KeyType::of_types([DataType::Ipv4Addr]));
    let element = |(last, verdict): &(u8, Verdict)| Element {
        key: Key::Value([10, 0, 0, *last].into()),
        data: Data::Verdict(verdict.clone()),
        extra: None,
    };
    AnySet::new(SetSpec { size, ..spec }, DataKind::Verdict).with_elements(elements.iter().map(element).collect())
}

fn chain(chain: &str, rules: Vec<Program>) -> LoweredChain {
    let rules = rules.into_iter().map(|program| (program, Provenance::default())).collect();
    LoweredChain { name: name(chain), base: None, comment: None, rules }
}

fn base(chain_name: &str, priority: i32, policy: Policy, rules: Vec<Program>) -> LoweredChain {
    let base = BaseChain::new(Family::Ip, Hook::Input, ChainType::Filter, Priority(priority)).unwrap();
    LoweredChain { base: Some(base.with_policy(policy)), ..chain(chain_name, rules) }
}

fn table(sets: Vec<AnySet>, chains: Vec<LoweredChain>) -> Lowered {
    let table = LoweredTable {
        id: id(),
        flags: TableFlags::default(),
        comment: None,
        objects: Named::default(),
        sets: sets.into_iter().collect(),
        flowtables: Named::default(),
        chains: chains.into_iter().collect(),
    };
    Lowered { tables: [(id(), table)].into() }
}

/// As a kernel would hold it.
fn live(state: &Lowered) -> Live {
    let mut handle = 0;
    let mut next = || {
        handle += 1;
        handle
    };
    let tables = state.tables.values().map(|table| LiveTable {
        id: table.id.clone(),
        handle: next(),
        flags: table.flags,
        comment: table.comment.clone(),
        owner: None,
        objects: Named::default(),
        sets: table.sets.iter().map(|set| LiveSet { handle: next(), set: set.clone() }).collect(),
        flowtables: Named::default(),
        chains: table
            .chains
            .iter()
            .map(|chain| LiveChain {
                name: chain.name.clone(),
                handle: next(),
                base: chain.base.clone(),
                comment: None,
                rules: chain
                    .rules
                    .iter()
                    .map(|(program, _)| LiveRule { handle: next(), program: program.clone() })
                    .collect(),
            })
            .collect(),
    });
    Live { generation: Default::default(), tables: tables.map(|table| (table.id.clone(), table)).collect() }
}

fn between(before: &Lowered, after: &Lowered) -> Diff {
    diff(&live(before), after, &Ownership::Declared).unwrap()
}

#[test]
fn a_difference_reads_like_nft() {
    let before = table(
        vec![verdict_map(None, &[(1, jump("a")), (2, Verdict::Drop), (3, Verdict::Drop)])],
        vec![
            base("in", 0, Policy::Accept, vec![dispatch(), counted(7)]),
            chain("a", vec![counted(0)]),
            chain("old", vec![]),
        ],
    );
    let after = table(
        vec![verdict_map(None, &[(1, jump("b")), (2, Verdict::Drop), (4, jump("a"))])],
        vec![
            base("in", 0, Policy::Drop, vec![dispatch(), rule(Expr::Verdict(Verdict::Drop)), counted(0)]),
            chain("a", vec![counted(0)]),
            chain("b", vec![]),
        ],
    );
    let diff = between(&before, &after);
    insta::assert_snapshot!(diff, @r#"
    ~ table ip t
    ~   map dispatch: 1 element added, 1 removed, 1 changed
    -     10.0.0.1 : jump a
    +     10.0.0.1 : jump b
    -     10.0.0.3 : drop
    +     10.0.0.4 : jump a
    -   chain old
    ~   chain in: policy accept -> drop
    +     drop
    +   chain b
    "#);
    insta::assert_snapshot!(diff.summary(), @"declarations: 1 added, 1 removed, 1 changed; rules: 1 added; elements: 1 added, 1 removed, 1 changed");
    insta::assert_snapshot!(diff.render(1), @r#"
    ~ table ip t
    ~   map dispatch: 1 element added, 1 removed, 1 changed
    -     10.0.0.1 : jump a
    +     10.0.0.1 : jump b
          # and more: 1 added, 1 removed
    -   chain old
    ~   chain in: policy accept -> drop
    +     drop
    +   chain b
    "#);
}

#[test]
fn what_is_made_anew_takes_its_users_along() {
    let before = table(
        vec![verdict_map(Some(8), &[(1, jump("a"))])],
        vec![base("in", 0, Policy::Accept, vec![counted(7), dispatch()]), chain("a", vec![])],
    );
    let after = table(
        vec![verdict_map(Some(16), &[(1, jump("a"))])],
        vec![base("in", 0, Policy::Accept, vec![counted(0), dispatch()]), chain("a", vec![])],
    );
    insta::assert_snapshot!(between(&before, &after), @r#"
    ~ table ip t
    -   map dispatch { type ipv4_addr : verdict; size 8 }
    +   map dispatch { type ipv4_addr : verdict; size 16 }
          # made anew: the kernel cannot change its size in place
    ~   chain in
          # 1 rule is made anew as it is, because of set dispatch
    "#);
    let steps = crate::plan::plan(&between(&before, &after), None).steps;
    let steps: Vec<_> = steps.iter().map(|step| format!("{:?}: {}", step.reason, step.op.subject(None))).collect();
    insta::assert_snapshot!(steps.join("\n"), @r#"
    Dependent: rule with handle 5 of chain `in` in table `ip t`
    Differs: set `dispatch` in table `ip t`
    Differs: map `dispatch` in table `ip t`
    Dependent: new rule of chain `in` in table `ip t`
    Differs: elements of map `dispatch` in table `ip t`
    "#);
    assert!(between(&after, &before).is_empty(), "a larger size is no difference");
}

#[test]
fn rules_of_a_moved_base_chain_keep_their_counters() {
    let before = table(vec![], vec![base("in", 0, Policy::Accept, vec![counted(7)])]);
    let after = table(vec![], vec![base("in", 5, Policy::Accept, vec![counted(0)])]);
    let diff = between(&before, &after);
    insta::assert_snapshot!(diff, @r#"
    ~ table ip t
    -   chain in { type filter hook input priority filter; policy accept }
    +   chain in { type filter hook input priority filter + 5; policy accept }
          # made anew: the kernel cannot change its priority in place
          # 1 rule is made anew as it is
    "#);
    let added = diff.tables[0].chains[0].rules[1].rule.after();
    assert_eq!(added, Some(&counted(7)));
}

#[test]
fn tables_of_others_are_conflicts() {
    let mark = Comment::new("ours").unwrap();
    let wanted = table(vec![], vec![]);
    let mut there = live(&wanted);
    let marked = Ownership::Marked(mark.clone());
    let conflict = diff(&there, &wanted, &marked).unwrap_err();
    insta::assert_snapshot!(conflict[0], @"table `ip t` is there already and is not ours");
    assert_eq!(diff(&there, &wanted, &Ownership::Declared), Ok(Diff::default()));

    let table = there.tables.get_mut(&id()).unwrap();
    table.comment = Some(mark);
    assert_eq!(diff(&there, &wanted, &marked), Ok(Diff::default()));

    let table = there.tables.get_mut(&id()).unwrap();
    table.owner = Some(4711);
    let conflict = diff(&there, &wanted, &Ownership::Declared).unwrap_err();
    insta::assert_snapshot!(conflict[0], @r#"table `ip t` is there already and is not ours; it is owned by the process at netlink port 4711; its comment is "ours""#);
    assert!(removal(&there, [&id()], &marked).is_err());
}

#[test]
fn what_is_not_declared_is_not_looked_at() {
    let there = live(&table(vec![], vec![chain("a", vec![])]));
    assert_eq!(diff(&there, &Lowered::default(), &Ownership::Declared), Ok(Diff::default()));
    let gone = removal(&there, [&id()], &Ownership::Declared).unwrap();
    insta::assert_snapshot!(gone, @r#"
    - table ip t
    -   chain a
    "#);
    assert_eq!(crate::plan::plan(&gone, None).steps.len(), 1);
}
