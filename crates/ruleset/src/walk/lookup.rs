//! Look-ups in sets and maps, with what packets left in them.

use super::bits::{Bits, Tri, all_known, compare, within};
use super::packet::Memory;
use crate::expr::{CmpOp, SetUse};
use crate::ir::{AnySet, Data, Element, Key, Packed, TableId};
use crate::lower::ByteLayout;

/// What a look-up may find.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What elements that may be meant lead to.
    pub(super) data: Vec<Data>,
    /// Whether none may be meant.
    pub(super) nothing: bool,
}

/// Looks a key up.
pub(super) fn look_up(table: &TableId, set: &AnySet, name: &SetUse, memory: &Memory, bits: &[Bits]) -> Found {
    let mut bits = bits.to_vec();
    // Turned, the bits stand as in the IR. Reversing fields of bits works as on bytes.
    turn(&ByteLayout::of_key(set.spec()), &mut bits);
    let written = match name {
        SetUse::Named(name) => memory.0.get(&(table.clone(), name.clone())),
        SetUse::Anonymous(_) => None,
    };
    if let (Some(bytes), false) = (all_known(&bits), set.spec().flags.interval) {
        let key = Packed::new(&bytes);
        let found = match written.and_then(|written| written.get(&key)) {
            Some(data) => data.clone(),
            None => set.elements().find(&Key::Value(key)).map(|element| element.data.clone()),
        };
        return Found::of(found.or_else(|| catch_all(set)));
    }
    let mut found = Found { data: Vec::new(), nothing: true };
    let added = written.into_iter().flatten().filter_map(|(key, data)| Some((Key::Value(key.clone()), data.clone()?)));
    let removed = |key: &Key| match key {
        Key::Value(key) => written.is_some_and(|written| written.get(key).is_some_and(Option::is_none)),
        _ => false,
    };
    let declared = set.elements().iter().filter(|element| !removed(&element.key));
    let declared = declared.map(|Element { key, data, .. }| (key.clone(), data.clone()));
    for (key, data) in declared.chain(added) {
        match holds(set, &key, &bits) {
            Tri::Yes => return Found { data: vec![data], nothing: false },
            Tri::Unknown => found.data.push(data),
            Tri::No => {}
        }
    }
    if let Some(data) = catch_all(set) {
        found.data.push(data);
        found.nothing = false;
    }
    found
}

impl Found {
    fn of(data: Option<Data>) -> Self {
        Self { nothing: data.is_none(), data: data.into_iter().collect() }
    }
}

fn catch_all(set: &AnySet) -> Option<Data> {
    set.elements().find(&Key::CatchAll).map(|element| element.data.clone())
}

/// Whether an element holds a key: in a concatenation, field by field.
fn holds(set: &AnySet, key: &Key, bits: &[Bits]) -> Tri {
    let Some((from, to)) = key.bounds() else { return Tri::No };
    if from == to {
        return compare(bits, CmpOp::Eq, from);
    }
    let mut at = 0;
    let mut all = Tri::Yes;
    let fields = &set.spec().key.fields;
    for field in fields {
        let len = if fields.len() == 1 { from.len() } else { field.bytes() };
        let range = at..(at + len).min(from.len());
        match within(&bits[range.clone()], &from[range.clone()], &to[range]) {
            Tri::Yes => {}
            Tri::No => return Tri::No,
            Tri::Unknown => all = Tri::Unknown,
        }
        at += field.padded();
    }
    all
}

/// Turns the fields of a key or value that the kernel keeps the other way round.
fn turn(layout: &ByteLayout, bits: &mut [Bits]) {
    let mut values: Vec<u8> = bits.iter().map(|bits| bits.value).collect();
    let mut known: Vec<u8> = bits.iter().map(|bits| bits.known).collect();
    layout.turn(&mut values);
    layout.turn(&mut known);
    for ((bits, value), known) in bits.iter_mut().zip(values).zip(known) {
        *bits = Bits { value, known };
    }
}
