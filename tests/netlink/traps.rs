//! The traps of nf_tables over netlink that lose rules silently or hide errors: each has a test that falls into it.

use std::process::Command;

use libtest_mimic::Trial;
use rulectl_netlink::{CommitError, Kernel, NetlinkKernel, Netns, Refusal, Scope, netns};
use rulectl_ruleset::expr::{Expr, Program};
use rulectl_ruleset::ir::{AnySet, Data, DataKind, DataType, Element, Elements, Key, KeyType, Verdict};
use rulectl_ruleset::plan::{Op, Place, Plan, SetHead};

use crate::sandbox::{
    Sandbox, add_chain, add_elements, add_set, add_table, chain, delete_elements, numbered, plan, set, table, test,
};

/// Set in the environment of a child that is to run [`child`].
const CHILD: &str = "RULECTL_TEST_SMALL_BUFFERS";

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_batch_of_more_than_128_kib_is_whole", large_batch),
        test("twenty_thousand_messages_do_not_overflow_the_replies", many_messages),
        test("a_thousand_refusals_are_all_reported", many_refusals),
        test("a_large_message_that_fails_says_why_and_where", large_failure),
        test("the_element_that_is_too_much_for_a_set_is_named", full_set),
        test("elements_beyond_the_64_kib_of_an_attribute_arrive", many_elements),
        test("a_batch_beyond_the_send_buffer_names_the_sysctl", small_buffers),
        test("a_stale_plan_changes_nothing_and_names_the_writer", stale),
        test("a_try_leaves_nothing_behind", check),
        test("a_key_changes_by_deleting_and_adding_it_in_one_batch", change_of_a_key),
        test("additions_to_a_full_set_must_follow_deletions", additions_first),
        test("an_empty_plan_sends_nothing", empty),
        test("a_read_beside_a_writer_is_of_one_generation", reading_beside_a_writer),
        test("a_generation_is_that_of_the_kernel_after_the_commit", generation),
    ]
}

fn ipv4() -> KeyType {
    KeyType::of_types([DataType::Ipv4Addr])
}

fn counting_rule(chain_name: &str) -> Op {
    let program = Program { exprs: vec![Expr::Counter { packets: 0, bytes: 0 }], comment: None };
    Op::AddRule { table: table(), chain: chain(chain_name), place: Place::Last, program }
}

/// What was refused, of a change that must be.
fn refused(outcome: Result<impl std::fmt::Debug, CommitError>) -> Vec<Refusal> {
    match outcome {
        Err(CommitError::Refused { refusals }) => refusals,
        other => panic!("not refused: {other:?}"),
    }
}

/// libmnl and nftnl send a page of a batch at a time, and the kernel throws away what comes without its end.
fn large_batch() {
    let mut sandbox = Sandbox::new();
    let rules = (0..4_000).map(|_| counting_rule("c"));
    let applied = sandbox.applied([add_table(), add_chain("c")].into_iter().chain(rules).collect());
    assert!(applied.bytes > 256 << 10, "{}", applied.bytes);
    assert_eq!(sandbox.live().tables[&table()].chains.find("c").unwrap().rules.len(), 4_000);
}

/// An acknowledgement for each of some 250 messages fills a receive buffer of the usual size.
fn many_messages() {
    let mut sandbox = Sandbox::new();
    let chains = (0..20_000).map(|number| add_chain(&format!("c{number}")));
    let applied = sandbox.applied([add_table()].into_iter().chain(chains).collect());
    assert_eq!(applied.messages, 20_003);
    assert_eq!(sandbox.live().tables[&table()].chains.len(), 20_000);
}

fn many_refusals() {
    let mut sandbox = Sandbox::new();
    sandbox.applied(vec![add_table()]);
    let missing = (0..1_000).map(|number| counting_rule(&format!("missing{number}"))).collect();
    let refusals = refused(sandbox.apply(missing));
    assert_eq!(refusals.len(), 1_000);
    assert!(refusals.iter().enumerate().all(|(at, refusal)| refusal.step == at && refusal.errno == 2));
}

/// Without `NETLINK_CAP_ACK` the reply repeats the message, does not fit and becomes "No buffer space available".
fn large_failure() {
    let mut sandbox = Sandbox::new();
    let map = set("m", ipv4(), DataKind::Verdict);
    let element = |number: u32| {
        let to = if number == 1_000 { "missing" } else { "c" };
        numbered(0x0a00_0000 + number, Data::Verdict(Verdict::Goto(chain(to))))
    };
    let steps = vec![add_table(), add_chain("c"), add_set(&map), add_elements(&map, (0..10_000).map(element))];
    let refusals = refused(sandbox.apply(steps));
    let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
    assert_eq!((refusal.step, refusal.errno, refusal.element), (3, 2, Some(1_000)));
    assert_eq!(
        refusal.to_string(),
        "element `10.0.3.232` of set `m` of table `ip t`: there is no chain `missing` (ENOENT)"
    );
    assert!(sandbox.live().tables.is_empty(), "all or nothing");
}

fn full_set() {
    let mut sandbox = Sandbox::new();
    let mut full = set("s", ipv4(), DataKind::None);
    full.spec_mut().size = Some(5_000);
    let elements = (0..6_000).map(|number| numbered(number, Data::None));
    let refusals = refused(sandbox.apply(vec![add_table(), add_set(&full), add_elements(&full, elements)]));
    let first = &refusals[0];
    // ENFILE; the element is in the third message of its step.
    assert_eq!((first.step, first.errno, first.element), (2, 23, Some(5_000)), "{first}");
}

fn many_elements() {
    let mut sandbox = Sandbox::new();
    let map = set("m", ipv4(), DataKind::Value { data: ipv4(), interval: false });
    let value = |number: u32| Data::Value(number.to_be_bytes().into());
    let elements: Vec<Element> = (0..50_000).map(|number| numbered(number, value(number))).collect();
    let applied = sandbox.applied(vec![add_table(), add_set(&map), add_elements(&map, elements.clone())]);
    assert!(applied.messages > 20, "{}", applied.messages);
    let live = sandbox.live();
    let read = live.tables[&table()].sets.find("m").unwrap().set.elements();
    assert_eq!(read.as_slice(), elements);
    sandbox.applied(vec![delete_elements(&map, read.clone())]);
    assert!(sandbox.live().tables[&table()].sets.find("m").unwrap().set.elements().is_empty());
}

/// In a user namespace nobody may exceed `net.core.wmem_max`.
fn small_buffers() {
    let own = std::env::current_exe().expect("a path");
    let output = Command::new(own).env(CHILD, "1").output().expect("it runs");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("named the sysctl"), "{said}{errors}");
}

/// Runs in a process of its own, if it is one; whether it was.
pub(crate) fn child() -> bool {
    if std::env::var_os(CHILD).is_none() {
        return false;
    }
    netns::enter_user_namespace().expect("a user namespace");
    let netns = Netns::new().expect("a network namespace");
    let mut kernel = NetlinkKernel::in_namespace(&netns).expect("a socket");
    let addresses = set("s", ipv4(), DataKind::None);
    let fill = |count| {
        plan(vec![
            add_table(),
            add_set(&addresses),
            add_elements(&addresses, (0..count).map(|number| numbered(number, Data::None))),
        ])
    };
    let mut count = 1_000;
    let error = loop {
        match kernel.check(&fill(count)) {
            Ok(()) if count < 4_000_000 => count *= 4,
            Ok(()) => panic!("a send buffer of any size was granted"),
            Err(error) => break error,
        }
    };
    let CommitError::BatchTooLarge { needed, allowed } = &error else { panic!("{error}") };
    assert!(needed > allowed && error.to_string().contains("net.core.wmem_max"), "{error}");
    kernel.commit(&fill(1_000)).expect("a small batch fits");
    println!("named the sysctl");
    true
}

fn stale() {
    let mut sandbox = Sandbox::new();
    sandbox.kernel = NetlinkKernel::naming_writers_in(&sandbox.netns).expect("two sockets");
    sandbox.applied(vec![add_table()]);
    let expected = sandbox.kernel.generation().unwrap().id;
    sandbox.nft("add table ip other");
    let late = Plan { generation: Some(expected), ..plan(vec![add_chain("c")]) };
    for outcome in [sandbox.kernel.check(&late), sandbox.kernel.commit(&late).map(drop)] {
        let Err(CommitError::Stale { expected: planned, found }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((planned, found.id), (expected, expected + 1));
        assert_eq!(found.process.as_deref(), Some("nft"));
        assert!(found.pid.is_some_and(|pid| pid != std::process::id()));
    }
    assert!(sandbox.live().tables[&table()].chains.is_empty());
    let again = Plan { generation: Some(expected + 1), ..late };
    assert_eq!(sandbox.kernel.commit(&again).unwrap().generation, Some(expected + 2));
}

fn check() {
    let mut sandbox = Sandbox::new();
    sandbox.applied(vec![add_table()]);
    let before = sandbox.live();
    let good = plan(vec![add_chain("c"), counting_rule("c")]);
    sandbox.kernel.check(&good).expect("the kernel would take it");
    let refusals = refused(sandbox.kernel.check(&plan(vec![add_chain("c"), counting_rule("d")])));
    assert_eq!((refusals[0].step, refusals[0].errno), (1, 2));
    assert_eq!(sandbox.live(), before);
    sandbox.kernel.commit(&good).expect("and takes it");
}

fn verdict_map() -> AnySet {
    set("m", ipv4(), DataKind::Verdict)
}

fn change_of_a_key() {
    let mut sandbox = Sandbox::new();
    let map = verdict_map();
    let element = |verdict| numbered(1, Data::Verdict(verdict));
    sandbox.applied(vec![add_table(), add_set(&map), add_elements(&map, [element(Verdict::Accept)])]);
    let refusals = refused(sandbox.apply(vec![add_elements(&map, [element(Verdict::Drop)])]));
    assert_eq!((refusals[0].errno, refusals[0].element), (17, Some(0)), "a key is there once");
    let old = [element(Verdict::Accept)].into_iter().collect();
    sandbox.applied(vec![delete_elements(&map, old), add_elements(&map, [element(Verdict::Drop)])]);
    let live = sandbox.live();
    assert_eq!(live.tables[&table()].sets.find("m").unwrap().set.elements().as_slice(), [element(Verdict::Drop)]);
}

fn additions_first() {
    let mut sandbox = Sandbox::new();
    let mut map = verdict_map();
    map.spec_mut().size = Some(2);
    let element = |number| numbered(number, Data::Verdict(Verdict::Accept));
    sandbox.applied(vec![add_table(), add_set(&map), add_elements(&map, [element(1), element(2)])]);
    let before = sandbox.live();
    let old: Elements = [element(1)].into_iter().collect();
    let added_first = vec![add_elements(&map, [element(3)]), delete_elements(&map, old.clone())];
    let refusals = refused(sandbox.apply(added_first));
    assert_eq!((refusals[0].step, refusals[0].errno), (0, 23), "ENFILE");
    assert_eq!(sandbox.live(), before);
    sandbox.applied(vec![delete_elements(&map, old), add_elements(&map, [element(3)])]);
}

fn empty() {
    let mut sandbox = Sandbox::new();
    let before = sandbox.kernel.generation().unwrap();
    let applied = sandbox.applied(Vec::new());
    assert_eq!((applied.messages, applied.bytes), (0, 0));
    assert_eq!(sandbox.kernel.generation().unwrap(), before);
}

/// A dump takes several calls, and a commit may come between them.
fn reading_beside_a_writer() {
    let mut sandbox = Sandbox::new();
    let addresses = set("s", ipv4(), DataKind::None);
    let half = |from: u32| (from..from + 3_000).map(|number| numbered(number, Data::None));
    sandbox.applied(vec![add_table(), add_set(&addresses), add_elements(&addresses, half(0))]);
    let mut writer = NetlinkKernel::in_namespace(&sandbox.netns).expect("a socket");
    std::thread::scope(|scope| {
        // A bounded number of commits, so that nothing waits for ever whatever the reader meets.
        let writing = scope.spawn(|| {
            let (mut here, mut there) = (0, 10_000);
            for _ in 0..100 {
                let steps =
                    vec![delete_elements(&addresses, half(here).collect()), add_elements(&addresses, half(there))];
                writer.commit(&plan(steps)).expect("nobody else writes");
                std::mem::swap(&mut here, &mut there);
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        while !writing.is_finished() {
            let Ok(live) = sandbox.kernel.read(&Scope::all()) else { continue };
            let elements = live.tables[&table()].sets.find("s").unwrap().set.elements();
            let first = if elements.find(&Key::Value(0_u32.to_be_bytes().into())).is_some() { 0 } else { 10_000 };
            assert!(elements.iter().eq(&half(first).collect::<Vec<_>>()), "{} elements", elements.len());
        }
    });
}

fn generation() {
    let mut sandbox = Sandbox::new();
    let applied = sandbox.applied(vec![add_table()]);
    assert_eq!(applied.generation, Some(sandbox.kernel.generation().unwrap().id));
    let flags = Default::default();
    let same = sandbox.applied(vec![Op::SetTableFlags { table: table(), flags }]);
    assert_eq!(same.generation, Some(sandbox.kernel.generation().unwrap().id), "also where nothing changed");
    let unknown = SetHead::of(&verdict_map());
    let found = sandbox.kernel.probe(&table(), &unknown, &[Key::CatchAll]).unwrap();
    assert_eq!(found, [None]);
}
