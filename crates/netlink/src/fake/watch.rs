//! Listeners of the fake kernel, and what they hear: the same things, in an order of its own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use rulectl_ruleset::expr::Reference;
use rulectl_ruleset::ir::{AnySet, Element, Elements, HasName, TableId};
use rulectl_ruleset::live::{Live, LiveChain, LiveSet, LiveTable};
use rulectl_ruleset::plan::SetHead;

use crate::kernel::ReadError;
use crate::watch::{Change, Commit, Event, Fate, Thing, Watch};

/// Who is told.
pub(super) struct Ear {
    events: Sender<Event>,
    bell: UnixStream,
}

/// Who hears.
struct FakeWatch {
    events: Receiver<Event>,
    bell: UnixStream,
}

/// Both ends.
pub(super) fn listener() -> std::io::Result<(Ear, impl Watch)> {
    let (sender, receiver) = channel();
    let (rings, hears) = UnixStream::pair()?;
    rings.set_nonblocking(true)?;
    hears.set_nonblocking(true)?;
    Ok((Ear { events: sender, bell: rings }, FakeWatch { events: receiver, bell: hears }))
}

impl Ear {
    /// Tells of an event; `false` if nobody listens any more.
    pub(super) fn tell(&mut self, event: &Event) -> bool {
        let told = self.events.send(event.clone()).is_ok();
        // A bell that rings already need not ring more.
        let _ = self.bell.write(&[0]);
        told
    }
}

impl Watch for FakeWatch {
    fn try_next(&mut self) -> Result<Option<Event>, ReadError> {
        if let Ok(event) = self.events.try_recv() {
            return Ok(Some(event));
        }
        while matches!(self.bell.read(&mut [0; 64]), Ok(1..)) {}
        // One may have come in between.
        Ok(self.events.try_recv().ok())
    }
}

impl AsFd for FakeWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// What listeners hear when one state follows another; `None` if nothing of it is told.
pub(super) fn commit(before: &Live, after: &Live) -> Commit {
    let mut changes = Vec::new();
    for (id, old) in &before.tables {
        let new = after.tables.get(id).filter(|new| new.handle == old.handle);
        gone(id, old, new, &mut changes);
    }
    for (id, new) in &after.tables {
        let old = before.tables.get(id).filter(|old| new.handle == old.handle);
        come(id, old, new, &mut changes);
    }
    let context = context(&changes, before, after);
    Commit { generation: after.generation.clone(), changes, context }
}

/// What was in a table and is not any more.
fn gone(id: &TableId, old: &LiveTable, new: Option<&LiveTable>, changes: &mut Vec<Change>) {
    let mut tell = |thing| changes.push(Change { fate: Fate::Gone, table: id.clone(), thing });
    for chain in &old.chains {
        let left = new.and_then(|new| same_chain(new, chain));
        for rule in &chain.rules {
            if left.is_none_or(|left| left.rules.iter().all(|it| it.handle != rule.handle)) {
                tell(Thing::Rule { chain: chain.name.clone(), rule: rule.clone(), after: None });
            }
        }
    }
    for set in &old.sets {
        match new.and_then(|new| same_set(new, set)) {
            None => tell(Thing::Set(bare(set))),
            Some(left) => tell_elements(set, left, &mut tell),
        }
    }
    let is_gone = |handle, left: Option<u64>| left != Some(handle);
    for object in &old.objects {
        if is_gone(object.handle, new.and_then(|new| Some(new.objects.find(&object.key())?.handle))) {
            tell(Thing::Object(object.clone()));
        }
    }
    for flowtable in &old.flowtables {
        if is_gone(flowtable.handle, new.and_then(|new| Some(new.flowtables.find(flowtable.name())?.handle))) {
            tell(Thing::Flowtable(flowtable.clone()));
        }
    }
    for chain in old.chains.iter().filter(|chain| new.and_then(|new| same_chain(new, chain)).is_none()) {
        tell(Thing::Chain(without_rules(chain)));
    }
    if new.is_none() {
        tell(Thing::Table(empty(old)));
    }
}

/// What is in a table and was not, or not so.
fn come(id: &TableId, old: Option<&LiveTable>, new: &LiveTable, changes: &mut Vec<Change>) {
    let mut tell = |thing| changes.push(Change { fate: Fate::Is, table: id.clone(), thing });
    if old.is_none_or(|old| old.flags != new.flags) {
        tell(Thing::Table(empty(new)));
    }
    for object in &new.objects {
        if old.and_then(|old| old.objects.find(&object.key())).is_none_or(|old| old.handle != object.handle) {
            tell(Thing::Object(object.clone()));
        }
    }
    for flowtable in &new.flowtables {
        if old.and_then(|old| old.flowtables.find(flowtable.name())).is_none_or(|old| old.handle != flowtable.handle) {
            tell(Thing::Flowtable(flowtable.clone()));
        }
    }
    for chain in &new.chains {
        if old.and_then(|old| same_chain(old, chain)).is_none_or(|old| old.base != chain.base) {
            tell(Thing::Chain(without_rules(chain)));
        }
    }
    for set in &new.sets {
        let old = old.and_then(|old| same_set(old, set));
        if old.is_none() {
            tell(Thing::Set(bare(set)));
        }
        let nothing = bare(set);
        tell_elements(set, old.unwrap_or(&nothing), &mut tell);
    }
    for chain in &new.chains {
        let old = old.and_then(|old| same_chain(old, chain));
        let mut after = None;
        for rule in &chain.rules {
            if old.is_none_or(|old| old.rules.iter().all(|it| it.handle != rule.handle)) {
                tell(Thing::Rule { chain: chain.name.clone(), rule: rule.clone(), after });
            }
            after = Some(rule.handle);
        }
    }
}

/// The elements that one form of a set has and the other has not, or not with the same data.
fn tell_elements(set: &LiveSet, other: &LiveSet, tell: &mut impl FnMut(Thing)) {
    let others = other.set.elements();
    let differs = |element: &&Element| others.find(&element.key).is_none_or(|other| other.data != element.data);
    let elements: Elements = set.set.elements().iter().filter(differs).cloned().collect();
    if !elements.is_empty() {
        tell(Thing::Elements { set: SetHead::of(&set.set), elements });
    }
}

fn same_chain<'a>(table: &'a LiveTable, chain: &LiveChain) -> Option<&'a LiveChain> {
    table.chains.find(&chain.name).filter(|it| it.handle == chain.handle)
}

fn same_set<'a>(table: &'a LiveTable, set: &LiveSet) -> Option<&'a LiveSet> {
    table.sets.find(set.name()).filter(|it| it.handle == set.handle)
}

fn bare(set: &LiveSet) -> LiveSet {
    LiveSet { handle: set.handle, set: SetHead::of(&set.set).set().clone() }
}

fn without_rules(chain: &LiveChain) -> LiveChain {
    LiveChain { rules: Vec::new(), ..chain.clone() }
}

fn empty(table: &LiveTable) -> LiveTable {
    let (objects, sets, flowtables, chains) = Default::default();
    LiveTable { objects, sets, flowtables, chains, ..table.clone() }
}

fn context(changes: &[Change], before: &Live, after: &Live) -> Vec<(TableId, AnySet)> {
    let mut sets = HashMap::new();
    let mut context = Vec::new();
    for Change { table, thing, .. } in changes {
        let Thing::Rule { rule, .. } = thing else { continue };
        for reference in rule.program.references() {
            let Reference::Set(name) = reference else { continue };
            let find = |live: &Live| live.tables.get(table)?.sets.find(&name).map(|live| bare(live).set);
            if let Some(set) = find(after).or_else(|| find(before))
                && sets.insert((table.clone(), name), ()).is_none()
            {
                context.push((table.clone(), set));
            }
        }
    }
    context
}
