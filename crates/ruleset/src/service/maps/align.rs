//! Brings what is wanted as near to what is live as it can be without meaning anything else.
//!
//! A fresh compile knows nothing of the slots endpoints are in; compared with a live map it would move most endpoints
//! of a service of which one went. [`align`] gives those that stay the slots they have, and sets the sizes they have.

use crate::ir::{AnySet, Data, Element, Elements, Key, Packed, Ruleset, Table};
use crate::live::{Live, LiveTable};

use super::keys::split_slot;
use super::sets::{Filled, Group};
use super::{size, slots};

/// Aligns the tables of a compiled ruleset with the live ones of the same family and name.
///
/// Each frontend keeps its endpoints, each as often as before, and its verdict; only the slots of endpoints change, and
/// only so that fewer of them differ from the live ones. A set keeps the size it has, if what is to be added fits.
/// Tables of another layout stay as they are. `live` must hold the elements of its sets.
///
/// Aligning twice changes nothing more; nor does aligning with what was compiled from the same map.
pub fn align(desired: &mut Ruleset, live: &Live) {
    for table in desired.tables_mut() {
        if let Some(live) = live.tables.get(&table.id()) {
            align_table(table, live);
        }
    }
}

fn align_table(table: &mut Table, live: &LiveTable) {
    for filled in Filled::ALL {
        let name = filled.name();
        let (Some(set), Some(live)) = (table.sets.find_mut(name), live.sets.find(name)) else { continue };
        let live = &live.set;
        if set.spec().key.id() != live.spec().key.id() {
            continue;
        }
        if Group::ALL.iter().any(|group| group.endpoints() == filled) {
            permute(set, live.elements().as_slice());
        }
        keep_size(filled, set, live);
        if set.elements() == live.elements() {
            *set.elements_mut() = live.elements().clone();
        }
    }
}

/// Keeps the size of a live set that has room for all that is added, beside all that is live: the kernel need not count
/// what a batch deletes before what it adds.
fn keep_size(filled: Filled, set: &mut AnySet, live: &AnySet) {
    let mut there = live.elements().iter().peekable();
    let mut is_added = |element: &&Element| {
        while there.next_if(|live| live.key < element.key).is_some() {}
        there.peek() != Some(element)
    };
    let needed = live.elements().len() + set.elements().iter().filter(|element| is_added(element)).count();
    set.spec_mut().size = match live.spec().size {
        Some(size) if needed > size as usize => Some(size::of(filled, needed)),
        kept => kept,
    };
}

/// Moves the endpoints of each frontend to the slots where they are live.
fn permute(set: &mut AnySet, live: &[Element]) {
    let mut elements: Vec<Element> = std::mem::take(set.elements_mut()).into();
    let mut live = live;
    let mut rest = elements.as_mut_slice();
    while let Some(frontend) = rest.first().and_then(slot_of).map(|(frontend, _)| Packed::new(frontend)) {
        let is_same = |element: &Element| slot_of(element).is_some_and(|(other, _)| *other == *frontend);
        let group;
        (group, rest) = rest.split_at_mut(rest.iter().take_while(|element| is_same(element)).count());
        let before = live.partition_point(|element| slot_of(element).is_some_and(|(other, _)| *other < *frontend));
        live = &live[before..];
        let there;
        (there, live) = live.split_at(live.iter().take_while(|element| is_same(element)).count());
        if !there.is_empty() && there != group {
            permute_frontend(group, there, &frontend);
        }
    }
    *set.elements_mut() = elements.into();
}

fn permute_frontend(wanted: &mut [Element], live: &[Element], frontend: &[u8]) {
    let data: Vec<Data> = wanted.iter().map(|element| element.data.clone()).collect();
    let live = live.iter().filter_map(|element| Some((slot_of(element)?.1, &element.data)));
    let targets: Vec<&Data> = data.iter().collect();
    let placed = slots::assign(&targets, |target| *target, live);
    let filled = (0_u32..).zip(placed).filter_map(|(slot, target)| Some((slot, target?)));
    for (element, (slot, target)) in wanted.iter_mut().zip(filled) {
        element.key = Key::Value([frontend, &slot.to_be_bytes()].concat().as_slice().into());
        element.data = target.clone();
    }
}

/// Frontend and slot of an element of a map of endpoints.
fn slot_of(element: &Element) -> Option<(&[u8], u32)> {
    match &element.key {
        Key::Value(key) => split_slot(key),
        _ => None,
    }
}

/// The elements of that map in slots, for one frontend.
pub(super) fn slots_of<'a>(endpoints: &'a Elements, frontend: &'a [u8]) -> impl Iterator<Item = (u32, &'a Element)> {
    let elements = endpoints.as_slice();
    let from = elements.partition_point(|element| slot_of(element).is_some_and(|(other, _)| other < frontend));
    elements[from..].iter().map_while(move |element| {
        let (other, slot) = slot_of(element)?;
        (other == frontend).then_some((slot, element))
    })
}
