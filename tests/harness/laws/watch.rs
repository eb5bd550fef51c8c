//! What listeners hear of a commit.

use std::collections::BTreeMap;

use rulectl_netlink::watch::{Change, Commit, Fate, Thing};
use rulectl_netlink::{Event, Kernel, Watch};
use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{AnySet, Element, HasName};
use rulectl_ruleset::live::{Live, LiveRule};
use rulectl_ruleset::lower::Lowered;

use super::{Broken, clear, commit, compare, load, read};

/// A commit is heard once, with the generation it led to, and tells just what is different afterwards: no more, no less.
///
/// # Errors
/// Where something else is heard.
pub fn what_is_committed_is_heard(kernel: &mut impl Kernel, before: &Lowered, after: &Lowered) -> Result<(), Broken> {
    load(kernel, before)?;
    let start = read(kernel)?;
    let mut watch = kernel.watch().map_err(|error| error.to_string())?;
    if let Some(event) = watch.try_next().map_err(|error| error.to_string())? {
        return Err(format!("nothing has happened yet: {event:?}"));
    }
    let there = compare(&start, after)?;
    commit(kernel, &there, &start)?;
    let end = read(kernel)?;
    let heard = if there.is_empty() { None } else { Some(next(watch.as_mut())?) };
    if let Some(event) = watch.try_next().map_err(|error| error.to_string())? {
        return Err(format!("one commit was made: {event:?}"));
    }
    if let Some(Commit { generation, changes, .. }) = heard {
        if generation.id != end.generation.id {
            return Err(format!("{generation} was told, it is {}", end.generation));
        }
        let (told, is) = (facts(&changes), difference(&start, &end));
        if told != is {
            let missing: Vec<_> = is.iter().filter(|fact| !told.contains(fact)).collect();
            let wrong: Vec<_> = told.iter().filter(|fact| !is.contains(fact)).collect();
            return Err(format!("not told: {missing:#?}\ntold, but not so: {wrong:#?}\nof\n{there}"));
        }
    }
    clear(kernel)
}

fn next(watch: &mut dyn Watch) -> Result<Commit, Broken> {
    match watch.wait(Some(std::time::Duration::from_secs(10))) {
        Ok(Some(Event::Commit(commit))) => Ok(commit),
        other => Err(format!("a commit should have been heard: {other:?}")),
    }
}

/// What is in a kernel: things by table, kind, name and handle, with the handle of their table and set, as things that
/// are made anew with those are others, and with what of them can change in place.
fn inventory(live: &Live) -> BTreeMap<String, (String, String)> {
    let mut things = BTreeMap::new();
    for (id, table) in &live.tables {
        let within = table.handle.to_string();
        let mut thing = |what: String, within: &str, content: String| {
            drop(things.insert(format!("{id} {what}"), (within.to_owned(), content)));
        };
        thing(format!("table {}", table.handle), &within, format!("{:?}", table.flags));
        for chain in &table.chains {
            thing(format!("chain {} {}", chain.name, chain.handle), &within, format!("{:?}", chain.base));
            let name = chain.name.as_str();
            chain.rules.iter().for_each(|rule| thing(rule_fact(name, rule), &within, String::new()));
        }
        for live in &table.sets {
            thing(format!("set {} {}", live.set.name(), live.handle), &within, String::new());
            let within = format!("{within} {}", live.handle);
            live.set.elements().iter().for_each(|it| thing(element_fact(&live.set, it), &within, String::new()));
        }
        let objects = table.objects.iter().map(|it| format!("object {} {}", it.object.name, it.handle));
        objects.for_each(|it| thing(it, &within, String::new()));
        let flowtables = table.flowtables.iter().map(|it| format!("flowtable {} {}", it.flowtable.name, it.handle));
        flowtables.for_each(|it| thing(it, &within, String::new()));
    }
    things
}

/// What a listener must hear between two states: what is gone, what is there and was not, and what has changed in place.
/// Elements that go with their set are not told.
fn difference(start: &Live, end: &Live) -> Vec<String> {
    let (old, new) = (inventory(start), inventory(end));
    let is_gone = |key: &String, within: &String| new.get(key).is_none_or(|(now, _)| now != within);
    let sets_gone = old.iter().filter(|(key, (within, _))| is_gone(key, within)).filter_map(|(key, _)| {
        let (table, set) = key.split_once(" set ")?;
        Some(format!("{table} element {} ", set.split(' ').next()?))
    });
    let sets_gone: Vec<String> = sets_gone.collect();
    let with_its_set = |key: &String| sets_gone.iter().any(|set| key.starts_with(set));
    let gone = old.iter().filter(|(key, (within, _))| is_gone(key, within) && !with_its_set(key));
    let come = new.iter().filter(|(key, now)| old.get(*key) != Some(now));
    let facts = gone.map(|(key, _)| format!("- {key}")).chain(come.map(|(key, _)| format!("+ {key}")));
    let mut facts: Vec<String> = facts.collect();
    facts.sort();
    facts
}

/// The same as it was heard.
fn facts(changes: &[Change]) -> Vec<String> {
    let mut facts = Vec::new();
    for Change { fate, table, thing } in changes {
        let mark = if *fate == Fate::Is { '+' } else { '-' };
        let mut fact = |what: String| facts.push(format!("{mark} {table} {what}"));
        match thing {
            Thing::Table(live) => fact(format!("table {}", live.handle)),
            Thing::Chain(live) => fact(format!("chain {} {}", live.name, live.handle)),
            Thing::Rule { chain, rule, .. } => fact(rule_fact(chain.as_str(), rule)),
            Thing::Set(live) => fact(format!("set {} {}", live.set.name(), live.handle)),
            Thing::Elements { set, elements } => {
                elements.iter().for_each(|element| fact(element_fact(set.set(), element)));
            }
            Thing::Object(live) => fact(format!("object {} {}", live.object.name, live.handle)),
            Thing::Flowtable(live) => fact(format!("flowtable {} {}", live.flowtable.name, live.handle)),
            other => fact(format!("{other:?}")),
        }
    }
    facts.sort();
    facts
}

/// A rule, whatever its counters count.
fn rule_fact(chain: &str, rule: &LiveRule) -> String {
    let text =
        |expr: &Expr| if matches!(expr, Expr::Counter { .. }) { "counter".to_owned() } else { format!("{expr:?}") };
    let exprs: Vec<String> = rule.program.exprs.iter().map(text).collect();
    format!("rule {chain} {} {} {:?}", rule.handle, exprs.join(" "), rule.program.comment)
}

fn element_fact(set: &AnySet, element: &Element) -> String {
    format!("element {} {:?} {:?}", set.name(), element.key, element.data)
}
