//! Elements from attributes.

use std::collections::HashMap;

use rulectl_ruleset::ir::{
    AnySet, ChainName, Data, DataKind, Element, ElementExtra, Elements, Key, ObjectName, Packed, Statement, Verdict,
};
use rulectl_ruleset::lower::ByteLayout;
use rulectl_ruleset::userdata;

use super::expr;
use super::set::{opaque, statements};
use crate::attr::Attribute;
use crate::uapi;

/// Collects the elements of one set.
pub(crate) struct Collector {
    key: ByteLayout,
    data: ByteLayout,
    /// Half of the data's bytes where they are ranges.
    data_half: Option<usize>,
    key_len: usize,
    /// Ranges are pairs of elements.
    pairs: bool,
    chains: Chains,
    elements: Vec<Element>,
    /// Where the ranges of a set of pairs end: keys behind them.
    ends: Vec<Packed>,
}

impl Collector {
    /// For the elements of that set.
    pub(crate) fn of(set: &AnySet) -> Self {
        let spec = set.spec();
        let (data, data_half) = match set.data_kind() {
            DataKind::Value { data, interval } => (ByteLayout::of_data(&data), interval.then(|| data.len())),
            _ => (ByteLayout::default(), None),
        };
        Self {
            key: ByteLayout::of_key(spec),
            data,
            data_half,
            key_len: spec.key.len(),
            pairs: spec.flags.interval && !spec.key.is_concat(),
            chains: Chains::default(),
            elements: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Takes an element in.
    pub(crate) fn take(&mut self, attribute: Attribute<'_>) {
        let table = attribute.nested().table::<12>();
        let at = |kind: u16| table[usize::from(kind)];
        let flags = at(uapi::elem::FLAGS).and_then(Attribute::u32).unwrap_or(0);
        let first = at(uapi::elem::KEY).and_then(|key| laid_out(key, &self.key));
        if flags & uapi::NFT_SET_ELEM_INTERVAL_END != 0 {
            self.ends.extend(first);
            return;
        }
        let key = match (first, at(uapi::elem::KEY_END)) {
            _ if flags & uapi::NFT_SET_ELEM_CATCHALL != 0 => Key::CatchAll,
            (None, _) => return,
            (Some(first), None) => Key::Value(first),
            (Some(first), Some(last)) => match laid_out(last, &self.key) {
                Some(last) => Key::range(&first, &last),
                None => Key::Value(first),
            },
        };
        let (data, odd) = self.data(at(uapi::elem::DATA), at(uapi::elem::OBJREF));
        let extra = extra(at, odd);
        self.elements.push(Element { key, data, extra });
    }

    /// What an element leads to; beside it what of that the IR cannot say.
    fn data(&mut self, data: Option<Attribute<'_>>, object: Option<Attribute<'_>>) -> (Data, Option<Statement>) {
        if let Some(object) = object {
            return match object.str().and_then(|name| ObjectName::new(name).ok()) {
                Some(name) => (Data::Object(name), None),
                None => (Data::None, Some(Statement::Opaque(opaque(object.payload)))),
            };
        }
        let Some(data) = data else { return (Data::None, None) };
        match data.nested().next() {
            Some(inner) if inner.kind == uapi::data::VALUE => {
                let mut value = Packed::new(inner.payload);
                if !self.data.is_identity() {
                    let mut bytes = inner.payload.to_vec();
                    let part = self.data_half.unwrap_or(bytes.len()).max(1);
                    bytes.chunks_mut(part).for_each(|part| self.data.turn(part));
                    value = Packed::new(&bytes);
                }
                (Data::Value(value), None)
            }
            _ => match expr::verdict(data) {
                Some(verdict) => (Data::Verdict(self.chains.shared(verdict)), None),
                None => (Data::None, Some(Statement::Opaque(opaque(data.payload)))),
            },
        }
    }

    /// The elements as they came. For sets that do not keep ranges as pairs.
    pub(crate) fn in_order(self) -> Vec<Element> {
        self.elements
    }

    /// All elements, ranges put together.
    pub(crate) fn finish(self) -> Elements {
        if self.pairs { pair(self.elements, self.ends, self.key_len) } else { self.elements.into() }
    }
}

/// What few elements have.
fn extra<'a>(at: impl Fn(u16) -> Option<Attribute<'a>>, odd: Option<Statement>) -> Option<Box<ElementExtra>> {
    let mut statements = statements(at(uapi::elem::EXPR), at(uapi::elem::EXPRESSIONS));
    statements.extend(odd);
    let extra = ElementExtra {
        timeout_ms: at(uapi::elem::TIMEOUT).and_then(Attribute::u64),
        expires_ms: at(uapi::elem::EXPIRATION).and_then(Attribute::u64),
        comment: at(uapi::elem::USERDATA).and_then(|noted| userdata::parse_element(noted.payload).comment),
        statements,
    };
    (extra != ElementExtra::default()).then(|| Box::new(extra))
}

/// Puts ranges together from their first keys and from the keys behind them.
///
/// A first key without an end before the next first key ends where that begins; the last one without an end goes up to
/// the highest value there is. An end without a first key says that there is nothing below: nft makes one.
fn pair(elements: Vec<Element>, mut ends: Vec<Packed>, key_len: usize) -> Elements {
    let mut starts = Vec::with_capacity(elements.len());
    let mut whole = Vec::new();
    for element in elements {
        match &element.key {
            Key::Value(_) => starts.push(element),
            _ => whole.push(element),
        }
    }
    starts.sort_by(|one, other| one.key.cmp(&other.key));
    ends.sort();
    let mut ends = ends.into_iter().peekable();
    let firsts: Vec<Packed> = starts.iter().filter_map(|start| start.key.bounds().map(|(key, _)| key.into())).collect();
    for (at, mut element) in starts.into_iter().enumerate() {
        let first = &firsts[at];
        while ends.next_if(|end| end <= first).is_some() {}
        let behind = match (firsts.get(at + 1), ends.peek()) {
            (Some(next), Some(end)) => Some(next.min(end)),
            (Some(next), None) => Some(next),
            (None, end) => end,
        };
        let last = behind.map_or_else(|| vec![u8::MAX; key_len], |behind| decremented(behind));
        element.key = Key::range(first, &last);
        whole.push(element);
    }
    whole.into()
}

/// The number before this one, of the same length.
fn decremented(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for byte in bytes.iter_mut().rev() {
        let (before, under) = byte.overflowing_sub(1);
        *byte = before;
        if !under {
            break;
        }
    }
    bytes
}

/// The bytes inside data, in the order of this crate.
fn laid_out(data: Attribute<'_>, layout: &ByteLayout) -> Option<Packed> {
    let value = data.nested().find(uapi::data::VALUE)?;
    if layout.is_identity() {
        return Some(Packed::new(value.payload));
    }
    let mut bytes = value.payload.to_vec();
    layout.turn(&mut bytes);
    Some(Packed::new(&bytes))
}

/// Names of chains, each kept once: a hundred thousand elements lead to a few chains.
#[derive(Default)]
struct Chains(HashMap<ChainName, ChainName>);

impl Chains {
    fn shared(&mut self, verdict: Verdict) -> Verdict {
        let mut one = |chain: ChainName| self.0.entry(chain.clone()).or_insert(chain).clone();
        match verdict {
            Verdict::Jump(chain) => Verdict::Jump(one(chain)),
            Verdict::Goto(chain) => Verdict::Goto(one(chain)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(starts: &[u8], ends: &[u8]) -> Vec<(u8, u8)> {
        let starts = starts.iter().map(|start| Element::new([*start].into(), Data::None)).collect();
        let ends = ends.iter().map(|end| [*end].into()).collect();
        let bounds = |element: &Element| element.key.bounds().map(|(first, last)| (first[0], last[0])).unwrap();
        pair(starts, ends, 1).iter().map(bounds).collect()
    }

    #[test]
    fn ranges_are_put_together_in_any_order() {
        assert_eq!(ranges(&[20, 10], &[0, 30, 15]), [(10, 14), (20, 29)]);
        assert_eq!(ranges(&[10, 20], &[20, 30]), [(10, 19), (20, 29)]);
    }

    #[test]
    fn a_range_without_an_end_goes_up_to_the_next_or_to_the_highest() {
        assert_eq!(ranges(&[10, 20], &[30]), [(10, 19), (20, 29)]);
        assert_eq!(ranges(&[10, 200], &[11]), [(10, 10), (200, 255)]);
        assert_eq!(ranges(&[0], &[]), [(0, 255)]);
    }
}
