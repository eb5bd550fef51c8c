//! What is heard of the changes of others.

use std::os::fd::AsFd;
use std::time::Duration;

use libtest_mimic::Trial;
use rulectl_netlink::watch::{Change, Commit, Fate, Thing};
use rulectl_netlink::{Event, Kernel, Netns, Scope, Watch};
use rulectl_ruleset::expr::{Expr, SetUse};
use rulectl_ruleset::ir::{DataKind, DataType, HasName, KeyType};
use rulectl_ruleset::live::Live;

use crate::sandbox::{Sandbox, add_elements, add_set, add_table, numbered, set, table, test};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_commit_of_nft_is_heard_whole_and_with_its_writer", nft),
        test("rules_that_are_heard_are_those_that_are_read", rules),
        test("a_flush_is_heard", flush),
        test("what_is_lost_is_noticed_and_made_up_for", lost),
        test("a_kernel_listens_to_its_own_namespace", namespaces),
        test("nothing_is_heard_of_what_was_refused", refused),
    ]
}

fn next(watch: &mut dyn Watch) -> Commit {
    match watch.wait(Some(Duration::from_secs(10))).expect("it can be heard") {
        Some(Event::Commit(commit)) => commit,
        other => panic!("no commit: {other:?}"),
    }
}

fn nothing(watch: &mut dyn Watch) {
    assert_eq!(watch.wait(Some(Duration::from_millis(20))).expect("it can be heard"), None);
}

fn nft() {
    let mut sandbox = Sandbox::new();
    let mut watch = sandbox.kernel.watch().expect("a socket");
    assert!(watch.as_fd().try_clone_to_owned().is_ok(), "a descriptor for poll(2)");
    sandbox.nft(
        "table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 192.0.2.0/24, 198.51.100.7 }\n\t}\n\
         \tcounter c {\n\t}\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\
         \t\tip saddr @s tcp dport { 22, 80 } counter accept comment \"why\"\n\t}\n}\n",
    );
    let commit = next(watch.as_mut());
    assert_eq!(commit.generation.process.as_deref(), Some("nft"));
    assert!(commit.generation.pid.is_some());
    assert_eq!(commit.generation.id, sandbox.kernel.generation().expect("it can be asked").id);
    assert!(commit.changes.iter().all(|change| change.fate == Fate::Is && change.table == table()));
    let things: Vec<_> = commit.changes.iter().map(|change| kind(&change.thing)).collect();
    for kind in ["table", "set s", "elements of s: 2", "object c", "chain in", "rule in in"] {
        assert!(things.iter().any(|thing| thing == kind), "{kind}: {things:?}");
    }
    assert_eq!(commit.context.iter().map(|(_, set)| set.name().as_str()).collect::<Vec<_>>(), ["s"]);
    nothing(watch.as_mut());
}

fn kind(thing: &Thing) -> String {
    match thing {
        Thing::Table(_) => "table".to_owned(),
        Thing::Chain(chain) => format!("chain {}", chain.name),
        Thing::Rule { chain, .. } => format!("rule in {chain}"),
        Thing::Set(live) => format!("set {}", live.set.name()),
        Thing::Elements { set, elements } => format!("elements of {}: {}", set.name(), elements.len()),
        Thing::Object(live) => format!("object {}", live.object.name),
        other => format!("{other:?}"),
    }
}

/// The rules of changes, with what became of them.
fn told(commit: &Commit) -> Vec<(Fate, u64, Vec<Expr>)> {
    let rules = commit.changes.iter().filter_map(|Change { fate, thing, .. }| match thing {
        Thing::Rule { rule, .. } => Some((*fate, rule.handle, rule.program.exprs.clone())),
        _ => None,
    });
    rules.collect()
}

fn read(live: &Live) -> Vec<(Fate, u64, Vec<Expr>)> {
    let chains = live.tables.values().flat_map(|table| table.chains.iter());
    chains.flat_map(|chain| &chain.rules).map(|rule| (Fate::Is, rule.handle, rule.program.exprs.clone())).collect()
}

/// Also with sets that belong to them: when they are made, when they were there before, and when they go.
fn rules() {
    let mut sandbox = Sandbox::new();
    let rules = "add chain ip t c; add chain ip t d; add rule ip t c tcp dport { 22, 80-90 } ip saddr . tcp dport { 192.0.2.1 . 5 } accept; \
                 add rule ip t c ip daddr vmap { 192.0.2.1 : drop, 192.0.2.9 : jump d }; \
                 add rule ip t c dnat to tcp dport map { 80 : 192.0.2.7 }";
    let rules = rules.replace("add rule ip t c dnat", "add rule ip t n dnat");
    let mut watch = sandbox.kernel.watch().expect("a socket");
    sandbox.nft(&format!("add table ip t; add chain ip t n {{ type nat hook prerouting priority -100; }}; {rules}"));
    let commit = next(watch.as_mut());
    let there = read(&sandbox.live());
    let mut heard = told(&commit);
    heard.sort_by_key(|(_, handle, _)| there.iter().position(|(_, it, _)| it == handle));
    assert_eq!(heard, there);
    let anonymous = |exprs: &Vec<Expr>| {
        exprs.iter().any(|expr| {
            matches!(
                expr,
                Expr::Lookup { set: SetUse::Anonymous(_), .. } | Expr::Vmap { set: SetUse::Anonymous(_), .. }
            )
        })
    };
    assert_eq!(there.iter().filter(|(_, _, exprs)| anonymous(exprs)).count(), 3, "{there:?}");

    // One that begins to listen now knows the sets all the same.
    let mut late = sandbox.kernel.watch().expect("a socket");
    sandbox.nft("flush chain ip t c; flush chain ip t n");
    let mut gone: Vec<_> = there.iter().map(|(_, handle, exprs)| (Fate::Gone, *handle, exprs.clone())).collect();
    gone.sort_by_key(|(_, handle, _)| *handle);
    for watch in [&mut watch, &mut late] {
        let mut heard = told(&next(watch.as_mut()));
        heard.sort_by_key(|(_, handle, _)| *handle);
        assert_eq!(heard, gone);
    }
}

fn flush() {
    let mut sandbox = Sandbox::new();
    sandbox.nft("table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t}\n\tchain c {\n\t\tip saddr @s drop\n\t}\n}\n");
    let mut watch = sandbox.kernel.watch().expect("a socket");
    sandbox.nft("flush ruleset");
    let commit = next(watch.as_mut());
    let gone: Vec<_> = commit.changes.iter().map(|change| (change.fate, kind(&change.thing))).collect();
    for kind in ["rule in c", "set s", "chain c", "table"] {
        assert!(gone.contains(&(Fate::Gone, kind.to_owned())), "{kind}: {gone:?}");
    }
    assert!(sandbox.live().tables.is_empty());
}

/// More at once than there is room for.
fn lost() {
    let mut sandbox = Sandbox::new();
    let addresses = set("s", KeyType::of_types([DataType::Ipv4Addr]), DataKind::None);
    let mut watch = sandbox.kernel.watch().expect("a socket");
    sandbox.applied(vec![add_table(), add_set(&addresses)]);
    assert_eq!(next(watch.as_mut()).changes.len(), 2);
    let mut events = Vec::new();
    let mut added = 0;
    // The room differs from system to system.
    while added < 3_000_000 && !events.contains(&Event::Lost) {
        for _ in 0..8 {
            let elements = (added..added + 20_000).map(|number| numbered(number, rulectl_ruleset::ir::Data::None));
            sandbox.applied(vec![add_elements(&addresses, elements)]);
            added += 20_000;
        }
        while let Some(event) = watch.try_next().expect("it can be heard") {
            events.push(event);
        }
    }
    assert_eq!(events.last(), Some(&Event::Lost), "{added} elements were added");
    nothing(watch.as_mut());
    // What comes after it is whole again, and what is there is read.
    sandbox.nft("add element ip t s { 255.0.0.1 }; add chain ip t c; add rule ip t c ip saddr @s drop");
    let commit = next(watch.as_mut());
    let things: Vec<_> = commit.changes.iter().map(|change| kind(&change.thing)).collect();
    assert_eq!(things, ["elements of s: 1", "chain c", "rule in c"]);
    let live = sandbox.kernel.read(&Scope::all().without_elements()).expect("it can be read");
    assert_eq!(live.generation.id, commit.generation.id);
}

fn namespaces() {
    let mut here = Sandbox::new();
    let elsewhere = Sandbox::new();
    // The calling thread is in neither.
    let mut watch = here.kernel.watch().expect("a socket");
    elsewhere.nft("add table ip elsewhere");
    here.nft("add table ip t");
    assert_eq!(next(watch.as_mut()).changes[0].table, table());
    nothing(watch.as_mut());
    let inside = Netns::new().expect("a network namespace");
    let heard = inside.run(|| here.kernel.watch().is_ok()).expect("it can be entered");
    assert!(heard);
}

fn refused() {
    let mut sandbox = Sandbox::new();
    let mut watch = sandbox.kernel.watch().expect("a socket");
    let output = sandbox.run("nft", &["add table ip t; add rule ip t missing accept"], "");
    assert!(!output.status.success());
    sandbox.kernel.check(&crate::sandbox::plan(vec![add_table()])).expect("it would be taken");
    nothing(watch.as_mut());
}
