//! Elements with the types of their set.

use std::collections::HashMap;

use super::raw::{Node, Raw, RawData, RawElement};
use super::{Fail, Parser, Result};
use crate::ir::{
    AnonymousSet, Data, DataKind, DataType, Element, ElementExtra, Elements, Expression, Field, Key, KeyType, Packed,
    SetName, TableId, Value,
};
use crate::text::Span;

/// The longest key the kernel takes in bytes (`NFT_DATA_VALUE_MAXLEN`).
const KEY_MAX: usize = 64;

/// First and last value of a key or of data.
type Bounds = (Vec<u8>, Vec<u8>);

/// The data of an element whose kind of data is not settled yet.
enum Leads {
    To(Data),
    Range(Bounds),
}

impl Parser<'_> {
    /// A set in a rule; one with a single plain element is that element, as nft makes it.
    pub(super) fn anonymous_set(&self, span: Span, mut elements: Vec<RawElement>, key: &KeyType) -> Result<Expression> {
        if elements.is_empty() {
            return Fail::expected(span, "this set has no elements", "at least one element");
        }
        let plain = |element: &RawElement| {
            element.timeout_ms.is_none()
                && element.comment.is_none()
                && element.statements.is_empty()
                && element.data.is_none()
                && !matches!(element.key.kind, Raw::CatchAll)
        };
        if let ([element], [_]) = (elements.as_slice(), key.fields.as_slice())
            && plain(element)
            && let Some(only) = elements.pop()
        {
            return self.typed(only.key, key);
        }
        self.anonymous_map(elements, key, DataKind::None)
    }

    /// A set or map in a rule.
    pub(super) fn anonymous_map(
        &self,
        elements: Vec<RawElement>,
        key: &KeyType,
        mut data: DataKind,
    ) -> Result<Expression> {
        let mut key = key.clone().anonymous();
        names_for_indices(self, &elements, &mut key);
        let mut typed = Vec::with_capacity(elements.len());
        for element in elements {
            typed.push(self.element(element, &key, &data)?);
        }
        if let DataKind::Value { interval, .. } = &mut data {
            *interval = typed.iter().any(|(_, leads, _)| matches!(leads, Leads::Range((start, end)) if start != end));
        }
        let mut typed = settle(typed, &data);
        contradiction(&typed)?;
        let interval = typed.iter().any(|(element, _)| matches!(element.key, Key::Range(_)));
        if interval && data == DataKind::None && key.fields.len() == 1 {
            typed = merged(typed);
        } else if interval && key.fields.len() == 1 {
            overlap(&typed)?;
        }
        if let ([field], [(only, _)], DataKind::None) = (key.fields.as_slice(), typed.as_slice(), &data)
            && let Some(alone) = alone(field, only)
        {
            return Ok(alone);
        }
        let elements = typed.into_iter().map(|(element, _)| element).collect();
        Ok(Expression::Set(Box::new(AnonymousSet { key, data, interval, elements })))
    }

    /// `{ … }` into a named set, or out of it.
    pub(super) fn elements_into(&mut self, table: &TableId, name: &SetName, remove: bool) -> Result<()> {
        let start = self.at;
        let set = self.ruleset.find(table).and_then(|table| table.sets.find(name));
        let Some(set) = set else { return self.unexpected("a set") };
        let (key, data, flags) = (set.spec().key.clone(), set.data_kind(), set.spec().flags);
        let auto_merge = set.spec().auto_merge;
        let mut typed = Vec::new();
        self.each_element(|parser, element| {
            let element = if remove { RawElement { data: None, ..element } } else { element };
            let read = parser.element(element, &key, if remove { &DataKind::None } else { &data });
            match read {
                Ok(element) => typed.push(element),
                // The others are still good.
                Err(fail) => parser.report(*fail),
            }
            Ok(())
        })?;
        let mut typed = settle(typed, &data);
        if let Some((_, span)) = typed.iter().find(|(element, _)| matches!(element.key, Key::Range(_)))
            && !flags.interval
        {
            return Fail::expected(*span, "the set takes no ranges", "`flags interval` in its declaration");
        }
        if flags.interval && key.fields.len() == 1 && !remove {
            if auto_merge && data == DataKind::None {
                typed = merged(typed);
            } else {
                overlap(&typed)?;
            }
        }
        let _ = start;
        let set = self.ruleset.find_mut(table).and_then(|table| table.sets.find_mut(name));
        let elements = set.expect("found above").elements_mut();
        if remove {
            typed.iter().for_each(|(element, _)| drop(elements.remove(&element.key)));
        } else if elements.is_empty() {
            *elements = typed.into_iter().map(|(element, _)| element).collect();
        } else {
            let before = std::mem::take(elements);
            let all = before.into_iter().chain(typed.into_iter().map(|(element, _)| element));
            *elements = if auto_merge && flags.interval && key.fields.len() == 1 && data == DataKind::None {
                merged(all.map(|element| (element, Span::default())).collect()).into_iter().map(|(it, _)| it).collect()
            } else {
                all.collect::<Elements>()
            };
        }
        Ok(())
    }

    fn element(&self, element: RawElement, key: &KeyType, data: &DataKind) -> Result<(Element, Leads, Span)> {
        let span = element.key.span;
        let typed_key = match element.key.kind {
            Raw::CatchAll => Key::CatchAll,
            _ => {
                let (start, end) = self.bounds(element.key, key)?;
                Key::range(&start, &end)
            }
        };
        let leads = self.data(span, element.data, data)?;
        let extra = ElementExtra {
            timeout_ms: element.timeout_ms,
            expires_ms: element.expires_ms,
            comment: element.comment,
            statements: element.statements,
        };
        let extra = (extra != ElementExtra::default()).then(|| Box::new(extra));
        Ok((Element { key: typed_key, data: Data::None, extra }, leads, span))
    }

    fn data(&self, span: Span, data: Option<RawData>, kind: &DataKind) -> Result<Leads> {
        match (data, kind) {
            (None, DataKind::None) => Ok(Leads::To(Data::None)),
            (None, _) => Fail::expected(span, "the element of a map leads to something", "`:` and data"),
            (Some(RawData::Verdict(verdict, _)), DataKind::Verdict) => Ok(Leads::To(Data::Verdict(verdict))),
            (Some(RawData::Verdict(_, span)), _) => Fail::new(span, "a verdict does not belong here"),
            (Some(RawData::Node(node)), DataKind::None) => {
                Fail::new(node.span, "the element of a set leads to nothing")
            }
            (Some(RawData::Node(node)), DataKind::Verdict) => {
                Fail::expected(node.span, "this is no verdict", "a verdict, as `accept` or `jump` and a chain")
            }
            (Some(RawData::Node(node)), DataKind::Object(_)) => match node.kind {
                Raw::Literal(token) => match self.unquoted(token).parse() {
                    Ok(name) => Ok(Leads::To(Data::Object(name))),
                    Err(error) => Fail::new(node.span, format!("{error}")),
                },
                _ => Fail::expected(node.span, "this is no object", "a name in quotes"),
            },
            (Some(RawData::Node(node)), DataKind::Value { data, interval }) => {
                let span = node.span;
                let bounds = self.bounds(node, data)?;
                let named_plain =
                    !interval && bounds.0 != bounds.1 && data.fields.iter().any(|f| f.declared_as.is_some());
                if named_plain {
                    return Fail::new(span, "the map leads to single values, not to ranges");
                }
                Ok(Leads::Range(bounds))
            }
        }
    }

    /// First and last key that was written, in the layout of a key.
    fn bounds(&self, node: Node, key: &KeyType) -> Result<Bounds> {
        let span = node.span;
        let parts = match (node.kind, key.fields.as_slice()) {
            (Raw::Concat(parts), fields) if parts.len() == fields.len() => parts,
            (Raw::Concat(parts), fields) => {
                return Fail::new(span, format!("{} values stand here for {}", parts.len(), fields.len()));
            }
            (kind, [_]) => vec![Node { span, kind }],
            (_, fields) => {
                return Fail::new(span, format!("there must be {} values here, with dots between them", fields.len()));
            }
        };
        let single = key.fields.len() == 1;
        let (mut start, mut end) = (Vec::new(), Vec::new());
        for (part, field) in parts.into_iter().zip(&key.fields) {
            let (first, last) = self.field_bounds(part, field)?;
            start.extend_from_slice(&first);
            end.extend_from_slice(&last);
            if !single {
                start.resize(start.len().next_multiple_of(4), 0);
                end.resize(end.len().next_multiple_of(4), 0);
            }
        }
        if start.len() > KEY_MAX {
            return Fail::new(span, format!("the key has {} bytes, the kernel takes {KEY_MAX}", start.len()));
        }
        Ok((start, end))
    }

    fn field_bounds(&self, node: Node, field: &Field) -> Result<Bounds> {
        let span = node.span;
        match self.single(node, field)? {
            Expression::Value(value) => match (value.datatype, field.datatype) {
                (DataType::IfName, DataType::IfIndex) => {
                    Fail::new(span, "the index of an interface is known only to a machine")
                }
                (DataType::IfName, _) if is_pattern(&value) => Ok(pattern(&value, field)),
                _ => {
                    let bytes = padded(&value, field);
                    Ok((bytes.clone(), bytes))
                }
            },
            Expression::Range(start, end) => match (*start, *end) {
                (Expression::Value(start), Expression::Value(end)) => Ok((padded(&start, field), padded(&end, field))),
                _ => Fail::new(span, "this is no range of values"),
            },
            Expression::Prefix(value, bits) => match *value {
                Expression::Value(value) => Ok(spread(&padded(&value, field), bits, field)),
                _ => Fail::new(span, "this is no prefix of a value"),
            },
            _ => Fail::expected(span, "this is no value", "a value, a prefix or a range"),
        }
    }
}

/// Interfaces by name where an index is asked for: the set is one of names then, since only a machine knows indices.
fn names_for_indices(parser: &Parser<'_>, elements: &[RawElement], key: &mut KeyType) {
    let [field] = key.fields.as_mut_slice() else { return };
    let names = |element: &RawElement| match element.key.kind {
        Raw::Literal(token) => {
            let text = parser.unquoted(token);
            text != "lo" && super::literal::number(text).is_none()
        }
        _ => false,
    };
    if field.datatype == DataType::IfIndex && elements.iter().any(names) {
        field.datatype = DataType::IfName;
        field.bits = 128;
    }
}

/// The only element of a set as an expression of its own: what merging left over.
fn alone(field: &Field, element: &Element) -> Option<Expression> {
    if element.extra.is_some() {
        return None;
    }
    let (start, end) = element.key.bounds()?;
    let value = |bytes: &[u8]| Box::new(Expression::Value(Value::new(field.datatype, bytes)));
    if matches!(field.datatype, DataType::IfName | DataType::String) {
        let stem = start.iter().position(|byte| *byte == 0).unwrap_or(start.len());
        let pattern = if start == end { start[..stem].to_vec() } else { [&start[..stem], b"*"].concat() };
        return Some(*value(&pattern));
    }
    if start == end {
        return Some(*value(start));
    }
    let address = matches!(field.datatype, DataType::Ipv4Addr | DataType::Ipv6Addr);
    let length = (0..field.bits).find(|bits| address && spread(start, *bits, field).1 == end && masked(start, *bits));
    Some(match length {
        Some(bits) => Expression::Prefix(value(start), bits),
        None => Expression::Range(value(start), value(end)),
    })
}

/// Whether all but the first `bits` bits are nought.
fn masked(bytes: &[u8], bits: u32) -> bool {
    bytes.iter().zip(0_u32..).all(|(byte, at)| byte & (0xff_u16 >> bits.saturating_sub(at * 8).min(8)) as u8 == 0)
}

fn is_pattern(value: &Value) -> bool {
    value.bytes.ends_with(b"*") && !value.bytes.ends_with(b"\\*")
}

/// All names that begin as the pattern does.
fn pattern(value: &Value, field: &Field) -> Bounds {
    let stem = &value.bytes[..value.bytes.len() - 1];
    let fill = |with: u8| {
        let mut bytes = stem.to_vec();
        bytes.resize(field.bytes(), with);
        bytes
    };
    (fill(0), fill(0xff))
}

/// The value as long as its field.
fn padded(value: &Value, field: &Field) -> Vec<u8> {
    let length = field.bytes();
    let bytes = &value.bytes[..value.bytes.len().min(length)];
    let mut padded = vec![0; length];
    let lead = match field.datatype {
        DataType::IfName | DataType::String => 0,
        _ => length - bytes.len(),
    };
    padded[lead..lead + bytes.len()].copy_from_slice(bytes);
    padded
}

/// First and last value with the same first `bits` bits.
fn spread(start: &[u8], bits: u32, field: &Field) -> Bounds {
    let unused = (start.len() as u32 * 8).saturating_sub(field.bits);
    let end = start.iter().zip(0_u32..).map(|(byte, at)| {
        let kept = (bits + unused).saturating_sub(at * 8).min(8);
        byte | (0xff_u16 >> kept) as u8
    });
    (start.to_vec(), end.collect())
}

/// Gives data their layout, now that it is known whether they are ranges.
fn settle(typed: Vec<(Element, Leads, Span)>, kind: &DataKind) -> Vec<(Element, Span)> {
    let ranges = matches!(kind, DataKind::Value { interval: true, .. });
    let data = |leads| match leads {
        Leads::To(data) => data,
        Leads::Range((start, end)) if ranges => Data::Value(Packed::new(&[start, end].concat())),
        Leads::Range((start, _)) => Data::Value(Packed::new(&start)),
    };
    typed.into_iter().map(|(element, leads, span)| (Element { data: data(leads), ..element }, span)).collect()
}

/// Joins intervals that overlap or touch, as nft does in sets of a rule and with `auto-merge`.
fn merged(mut elements: Vec<(Element, Span)>) -> Vec<(Element, Span)> {
    elements.sort_by(|(a, _), (b, _)| first(a).cmp(&first(b)));
    let mut joined: Vec<(Element, Span)> = Vec::with_capacity(elements.len());
    for (element, span) in elements {
        let Some((start, end)) = element.key.bounds() else {
            joined.push((element, span));
            continue;
        };
        let last = joined.last_mut().filter(|(last, _)| last.extra.is_none() && element.extra.is_none());
        match last.and_then(|(last, _)| last.key.bounds().map(|(a, b)| (a.to_vec(), b.to_vec())).map(|it| (last, it))) {
            Some((last, (begin, until))) if start <= until.as_slice() || follows(&until, start) => {
                last.key = Key::range(&begin, until.as_slice().max(end));
            }
            _ => joined.push((element, span)),
        }
    }
    joined
}

/// Where an element begins; the catch-all is last.
fn first(element: &Element) -> (bool, &[u8]) {
    element.key.bounds().map_or((true, &[]), |(start, _)| (false, start))
}

/// Whether `next` is the value after `last`.
fn follows(last: &[u8], next: &[u8]) -> bool {
    let mut after = last.to_vec();
    for byte in after.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            return after == next;
        }
    }
    false
}

/// A key that leads to two things is refused.
fn contradiction(elements: &[(Element, Span)]) -> Result<()> {
    let mut seen: HashMap<&Key, &Element> = HashMap::with_capacity(elements.len());
    for (element, span) in elements {
        if seen.insert(&element.key, element).is_some_and(|before| before.data != element.data) {
            return Fail::expected(*span, "this key leads somewhere else before", "each key once");
        }
    }
    Ok(())
}

/// Intervals that overlap without being equal are refused.
fn overlap(elements: &[(Element, Span)]) -> Result<()> {
    let mut ordered: Vec<&(Element, Span)> = elements.iter().filter(|(it, _)| it.key != Key::CatchAll).collect();
    ordered.sort_by(|(a, _), (b, _)| first(a).cmp(&first(b)));
    for pair in ordered.windows(2) {
        let [(a, one), (b, other)] = pair else { continue };
        let (Some((_, until)), Some((start, _))) = (a.key.bounds(), b.key.bounds()) else { continue };
        if start <= until && a.key != b.key {
            let later = *one.max(other);
            return Fail::expected(later, "this interval overlaps another one", "`auto-merge`, or intervals apart");
        }
    }
    Ok(())
}
