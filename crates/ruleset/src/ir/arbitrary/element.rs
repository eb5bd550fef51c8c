//! Sets, maps and their elements.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::value::values_of;
use super::{comment, key_type, named, word};
use crate::ir::{
    AnySet, ChainName, Counter, Data, DataKind, DataType, Element, ElementExtra, Elements, Key, KeyType, Packed,
    SetFlags, SetSpec, Statement, Verdict,
};

/// A set of that key type with elements.
pub fn set(key: KeyType) -> impl Strategy<Value = AnySet> {
    filled(key, DataKind::None, Vec::new())
}

/// A set or map of any kind; verdict maps lead to those chains, maps to objects are not made.
pub fn any_set(chains: Vec<ChainName>) -> impl Strategy<Value = AnySet> {
    let kind = prop_oneof![
        2 => Just(DataKind::None),
        2 => Just(DataKind::Verdict),
        2 => key_type().prop_map(|data| DataKind::Value { data, interval: false }),
    ];
    (key_type(), kind).prop_flat_map(move |(key, kind)| filled(key, kind, chains.clone()))
}

fn filled(key: KeyType, kind: DataKind, chains: Vec<ChainName>) -> BoxedStrategy<AnySet> {
    let texts = key.fields.iter().any(|field| matches!(field.datatype, DataType::IfName));
    let spec =
        (word(), option::of(comment()), option::weighted(0.3, 1_u32..1 << 20), option::weighted(0.2, 1_u64..9999));
    (spec, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_flat_map(move |((name, comment, size, timeout), interval, dynamic, counted)| {
            let mut spec = SetSpec::new(named(&name), key.clone());
            spec.comment = comment;
            spec.size = size;
            spec.timeout_ms = timeout.map(|seconds| seconds * 1000);
            let interval = interval && !texts;
            let dynamic = dynamic && !interval;
            spec.flags = SetFlags { constant: false, interval, timeout: timeout.is_some(), dynamic };
            if counted {
                spec.statements.push(Statement::counter());
            }
            let elements = elements(&spec, &kind, &chains);
            let kind = kind.clone();
            elements.prop_map(move |elements| AnySet::new(spec.clone(), kind.clone()).with_elements(elements))
        })
        .boxed()
}

/// Elements that fit a declaration.
fn elements(spec: &SetSpec, kind: &DataKind, chains: &[ChainName]) -> BoxedStrategy<Elements> {
    let keys = vec(values_of(&spec.key), 0..6);
    let data = vec(data(kind, chains), 6);
    let extra = vec(extra(spec), 6);
    let spec = spec.clone();
    (keys, data, extra, any::<bool>())
        .prop_map(move |(keys, data, extra, catch_all)| {
            let packed: Vec<Packed> = keys.iter().filter_map(|values| spec.key.pack(values)).collect();
            let mut keys = if spec.flags.interval { apart(packed, &spec.key) } else { distinct(packed) };
            if catch_all && !keys.is_empty() && !spec.flags.dynamic {
                keys.pop();
                keys.push(Key::CatchAll);
            }
            let parts = keys.into_iter().zip(data).zip(extra);
            parts.map(|((key, data), extra)| Element { key, data, extra }).collect()
        })
        .boxed()
}

fn distinct(packed: Vec<Packed>) -> Vec<Key> {
    packed.into_iter().map(|key| (key, ())).collect::<BTreeMap<_, _>>().into_keys().map(Key::Value).collect()
}

/// Intervals that do not touch: of the keys in order, pairs from the first to the second. Where keys are
/// concatenated, only the last field is an interval and the others are told apart.
fn apart(packed: Vec<Packed>, key: &KeyType) -> Vec<Key> {
    let last = key.fields.last().map_or(0, |field| if key.is_concat() { field.padded() } else { field.bytes() });
    if !key.is_concat() {
        let points: Vec<Packed> =
            packed.into_iter().map(|key| (key, ())).collect::<BTreeMap<_, _>>().into_keys().collect();
        return points.chunks_exact(2).map(|pair| Key::range(&pair[0], &pair[1])).collect();
    }
    let mut by_lead: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for bytes in packed {
        let (lead, rest) = bytes.split_at(bytes.len() - last);
        by_lead.entry(lead.to_vec()).or_default().push(rest.to_vec());
    }
    by_lead
        .into_iter()
        .map(|(lead, mut rests)| {
            rests.sort();
            let end = |rest: Option<&Vec<u8>>| [lead.as_slice(), rest.map_or(&[][..], Vec::as_slice)].concat();
            Key::range(&end(rests.first()), &end(rests.last()))
        })
        .collect()
}

fn data(kind: &DataKind, chains: &[ChainName]) -> BoxedStrategy<Data> {
    match kind {
        DataKind::Value { data, .. } => {
            let data = data.clone();
            values_of(&data)
                .prop_map(move |values| Data::Value(data.pack(&values).expect("values of the fields fit")))
                .boxed()
        }
        DataKind::Verdict => verdict(chains).prop_map(Data::Verdict).boxed(),
        DataKind::None | DataKind::Object(_) => Just(Data::None).boxed(),
    }
}

/// A verdict, to one of those chains if there are any.
pub(super) fn verdict(chains: &[ChainName]) -> BoxedStrategy<Verdict> {
    let plain = select(vec![Verdict::Accept, Verdict::Drop, Verdict::Continue, Verdict::Return]);
    if chains.is_empty() {
        return plain.boxed();
    }
    let chain = select(chains.to_vec());
    prop_oneof![1 => plain, 2 => chain.clone().prop_map(Verdict::Goto), 1 => chain.prop_map(Verdict::Jump)].boxed()
}

fn extra(spec: &SetSpec) -> impl Strategy<Value = Option<Box<ElementExtra>>> + use<> {
    let statements = spec.statements.clone();
    let timeout = spec.flags.timeout;
    (option::weighted(0.2, comment()), option::weighted(0.3, 1_u64..9999), any::<u16>()).prop_map(
        move |(comment, seconds, packets)| {
            let statements: Vec<Statement> = statements
                .iter()
                .map(|_| Statement::Counter(Counter { packets: packets.into(), bytes: u64::from(packets) * 64 }))
                .collect();
            let timeout_ms = seconds.filter(|_| timeout).map(|seconds| seconds * 1000);
            let extra = ElementExtra { timeout_ms, expires_ms: None, comment, statements };
            (extra != ElementExtra::default()).then(|| Box::new(extra))
        },
    )
}
