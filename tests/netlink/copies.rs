//! What one kernel holds is applied to another, and is the same there: read back, and in the words of nft.

use libtest_mimic::Trial;
use rulectl_ruleset::ir::HasName;
use rulectl_ruleset::live::{Live, LiveTable};
use rulectl_ruleset::plan::{Op, Place, SetHead};
use rulectl_tests::in_order;

use crate::sandbox::{Sandbox, test};

/// Rulesets that nft 1.0.6 loads, by what they show.
const RULESETS: &[(&str, &str)] = &[
    ("sets_and_maps_of_every_kind", include_str!("rulesets/sets.nft")),
    ("matches_of_every_kind", include_str!("rulesets/matches.nft")),
    ("statements_of_every_kind", include_str!("rulesets/statements.nft")),
    ("objects_and_flowtables", include_str!("rulesets/objects.nft")),
    ("tables_and_chains_of_every_family", include_str!("rulesets/chains.nft")),
];

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests: Vec<Trial> = RULESETS
        .iter()
        .map(|(name, ruleset)| {
            Trial::test(format!("{name}_are_the_same_in_a_copy"), move || {
                copied(ruleset);
                Ok(())
            })
        })
        .collect();
    tests.push(test("every_listing_of_the_corpus_is_the_same_in_a_copy", corpus));
    tests
}

/// The steps that make what is there, from nothing.
pub(crate) fn steps(live: &Live) -> Vec<Op> {
    // nft lists tables in the order of their making.
    let mut ordered: Vec<&LiveTable> = live.tables.values().collect();
    ordered.sort_by_key(|table| table.handle);
    let tables = || ordered.iter().copied();
    let mut steps = Vec::new();
    for table in tables() {
        let (id, comment) = (table.id.clone(), table.comment.clone());
        steps.push(Op::AddTable { table: id, flags: table.flags, comment });
    }
    tables().for_each(|table| declarations(table, &mut steps));
    tables().for_each(|table| contents(table, &mut steps));
    steps
}

fn declarations(table: &LiveTable, steps: &mut Vec<Op>) {
    let id = || table.id.clone();
    steps.extend(table.objects.iter().map(|one| Op::AddObject { table: id(), object: one.object.clone() }));
    steps.extend(table.flowtables.iter().map(|one| Op::AddFlowtable { table: id(), flowtable: one.flowtable.clone() }));
    steps.extend(table.sets.iter().map(|one| Op::AddSet { table: id(), set: SetHead::of(&one.set) }));
    steps.extend(table.chains.iter().map(|chain| Op::AddChain {
        table: id(),
        chain: chain.name().clone(),
        base: chain.base.clone(),
        comment: chain.comment.clone(),
    }));
}

fn contents(table: &LiveTable, steps: &mut Vec<Op>) {
    let id = || table.id.clone();
    for set in table.sets.iter().map(|one| &one.set).filter(|set| !set.elements().is_empty()) {
        steps.push(Op::AddElements { table: id(), set: SetHead::of(set), elements: set.elements().clone() });
    }
    for chain in &table.chains {
        steps.extend(chain.rules.iter().map(|rule| Op::AddRule {
            table: id(),
            chain: chain.name.clone(),
            place: Place::Last,
            program: rule.program.clone(),
        }));
    }
}

/// The same without numbers that each kernel gives anew.
pub(crate) fn without_handles(mut live: Live) -> Live {
    live.generation = Default::default();
    for table in live.tables.values_mut() {
        table.handle = 0;
        table.objects.iter_mut().for_each(|object| object.handle = 0);
        table.flowtables.iter_mut().for_each(|flowtable| flowtable.handle = 0);
        table.sets.iter_mut().for_each(|set| set.handle = 0);
        for chain in table.chains.iter_mut() {
            chain.handle = 0;
            chain.rules.iter_mut().for_each(|rule| rule.handle = 0);
        }
    }
    live
}

/// Loads a ruleset by nft, copies it by netlink into another namespace and compares.
fn copied(ruleset: &str) {
    let mut original = Sandbox::new();
    original.nft(ruleset);
    let live = original.live();
    let mut copy = Sandbox::new();
    copy.applied(steps(&live));
    let reread = without_handles(copy.live());
    let live = without_handles(live);
    if reread != live {
        let (reread, live) = (format!("{reread:#?}"), format!("{live:#?}"));
        let differing = live.lines().zip(reread.lines()).filter(|(one, other)| one != other).take(10);
        panic!("read back otherwise: {:#?}", differing.collect::<Vec<_>>());
    }
    same_text(&copy.listing(), &original.listing());
    // And nft loads what it lists of the copy, where it loads what it lists of the original.
    let again = Sandbox::new();
    if Sandbox::new().run("nft", &["-f", "-"], &original.listing()).status.success() {
        again.nft(&copy.listing());
        same_text(&again.listing(), &copy.listing());
    }
}

/// Compares listings, whatever the order of the elements: sets of concatenated ranges keep that of their making.
fn same_text(ours: &str, theirs: &str) {
    let (ours, theirs) = (in_order(ours), in_order(theirs));
    let differing = || ours.lines().zip(theirs.lines()).filter(|(one, other)| one != other).take(10);
    assert!(ours == theirs, "listed otherwise: {:#?}\n{ours}", differing().collect::<Vec<_>>());
}

/// All listings of the folder in `RULECTL_CORPUS` that nft loads.
fn corpus() {
    let Some(folder) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("\n!!! RULECTL_CORPUS is not set: listings of the corpus are not copied\n");
        return;
    };
    let mut found = Vec::new();
    gather(folder.as_ref(), &mut found, 6);
    found.sort();
    let (mut loaded, mut failed) = (0, Vec::new());
    for path in &found {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let sandbox = Sandbox::new();
        let loads = sandbox.run("nft", &["-f", "-"], &text).status.success();
        let lists = loads && sandbox.run("nft", &["list", "ruleset"], "").status.success();
        if !lists {
            continue;
        }
        loaded += 1;
        if let Err(panic) = std::panic::catch_unwind(|| copied(&text)) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("{}: {why:.600}", path.display()));
        }
    }
    eprintln!("{loaded} of {} listings load here; {} are not the same in a copy", found.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(loaded > 0, "the corpus has no listing that loads");
}

fn gather(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>, depth: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            gather(&path, found, depth - 1);
        } else if path.extension().is_some_and(|extension| extension == "nft") {
            found.push(path);
        }
    }
}
