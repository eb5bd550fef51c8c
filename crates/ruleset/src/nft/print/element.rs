//! Elements of sets and maps, named and anonymous.

use std::fmt;

use super::value::{self, Style};
use super::{Out, State, expression, join, quoted, statement};
use crate::ir::{AnonymousSet, Data, DataKind, DataType, Element, Elements, Field, Key, KeyType, symbol};

/// A set or map inside a rule: on one line.
pub(super) fn anonymous_set(out: Out<'_>, set: &AnonymousSet) -> fmt::Result {
    out.write_str("{ ")?;
    join(out, ", ", set.elements.by_last_byte(&set.key, set.interval), |out, element| {
        self::element(out, &set.key, &set.data, element)
    })?;
    out.write_str(" }")
}

/// The elements of a named set, as many on a line as nft puts there.
pub(super) fn elements(
    out: Out<'_>,
    key: &KeyType,
    data: &DataKind,
    interval: bool,
    elements: &Elements,
) -> fmt::Result {
    let per_line = per_line(key);
    out.write_str("{ ")?;
    for (at, element) in elements.by_last_byte(key, interval).into_iter().enumerate() {
        match at {
            0 => {}
            _ if at % per_line == 0 => out.write_str(",\n\t\t\t     ")?,
            _ => out.write_str(", ")?,
        }
        self::element(out, key, data, element)?;
    }
    out.write_str(" }")
}

fn is_text(field: &Field) -> bool {
    matches!(field.datatype, DataType::IfName | DataType::String)
}

/// How many elements nft puts on a line (`calculate_delim`, src/expression.c).
fn per_line(key: &KeyType) -> usize {
    let [field] = key.fields.as_slice() else { return 1 };
    match field.datatype {
        DataType::Nfproto
        | DataType::Integer
        | DataType::ArpOp
        | DataType::InetProto
        | DataType::InetService
        | DataType::TcpFlag
        | DataType::DccpPkttype
        | DataType::Mark
        | DataType::IfIndex
        | DataType::ClassId
        | DataType::Uid
        | DataType::Gid
        | DataType::CtDir => 5,
        DataType::Ipv4Addr | DataType::CtState | DataType::CtStatus | DataType::Pkttype => 2,
        _ => 1,
    }
}

/// `key statements timeout … expires … comment … : data`.
pub(super) fn element(out: Out<'_>, key: &KeyType, kind: &DataKind, element: &Element) -> fmt::Result {
    match element.key.bounds() {
        None => out.write_char('*')?,
        Some((start, end)) => tuple(out, key, start, end, matches!(element.key, Key::Range(_)))?,
    }
    if let Some(extra) = &element.extra {
        for stateful in &extra.statements {
            out.write_char(' ')?;
            statement::statement(out, None, stateful, 0)?;
        }
        if let Some(timeout) = extra.timeout_ms {
            write!(out, " timeout {}", symbol::duration(timeout))?;
        }
        if let Some(expires) = extra.expires_ms.filter(|_| out.detail().state != State::Omitted) {
            write!(out, " expires {}", symbol::duration(expires))?;
        }
        if let Some(comment) = &extra.comment {
            out.write_str(" comment ")?;
            quoted(out, comment.as_str())?;
        }
    }
    match &element.data {
        Data::None => Ok(()),
        data => {
            out.write_str(" : ")?;
            self::data(out, kind, data)
        }
    }
}

fn data(out: Out<'_>, kind: &DataKind, data: &Data) -> fmt::Result {
    match (data, kind) {
        (Data::Verdict(verdict), _) => write!(out, "{verdict}"),
        (Data::Object(name), _) => quoted(out, name.as_str()),
        (Data::Value(bytes), DataKind::Value { data, interval: true }) => {
            let (start, end) = bytes.split_at(bytes.len() / 2);
            tuple(out, data, start, end, true)
        }
        (Data::Value(bytes), DataKind::Value { data, interval: false }) => tuple(out, data, bytes, bytes, false),
        (Data::Value(bytes), _) => write!(out, "0x{bytes}"),
        (Data::None, _) => Ok(()),
    }
}

/// The fields of a key or value, each a single value, a prefix or a range.
fn tuple(out: Out<'_>, key: &KeyType, start: &[u8], end: &[u8], ranges: bool) -> fmt::Result {
    let fields = key.split(start).zip(key.split(end));
    join(out, " . ", fields, |out, ((field, start), (_, end))| {
        if ranges && start != end { range(out, field, start, end) } else { single(out, field, start) }
    })
}

fn single(out: Out<'_>, field: &Field, bytes: &[u8]) -> fmt::Result {
    let style = field.declared_as.as_deref().map_or_else(Style::default, expression::beside);
    value::bytes(out, field.datatype, bytes, Style { pipes: true, ..style })
}

/// One end of a range.
fn ranged(out: Out<'_>, field: &Field, bytes: &[u8]) -> fmt::Result {
    let style = field.declared_as.as_deref().map_or_else(Style::default, expression::beside);
    value::bytes(out, field.datatype, bytes, Style { pipes: true, plain: true, ..style })
}

fn range(out: Out<'_>, field: &Field, start: &[u8], end: &[u8]) -> fmt::Result {
    if let (true, Some(unset)) = (is_text(field), wildcard(start, end)) {
        return quoted(out, &format!("{}*", String::from_utf8_lossy(&start[..unset])));
    }
    match prefix_length(field, start, end) {
        Some(length) if has_prefixes(field.datatype) => {
            single(out, field, start)?;
            write!(out, "/{length}")
        }
        _ => {
            ranged(out, field, start)?;
            out.write_char('-')?;
            ranged(out, field, end)
        }
    }
}

/// For text: where the wildcard begins, if the range is one of all text with the same beginning.
fn wildcard(start: &[u8], end: &[u8]) -> Option<usize> {
    let unset = start.iter().position(|byte| *byte == 0)?;
    let tail = start[unset..].iter().all(|byte| *byte == 0) && end[unset..].iter().all(|byte| *byte == 0xff);
    (tail && start[..unset] == end[..unset]).then_some(unset)
}

/// Types whose ranges nft writes as prefixes (`DTYPE_F_PREFIX`, src/datatype.c).
const fn has_prefixes(datatype: DataType) -> bool {
    matches!(datatype, DataType::Ipv4Addr | DataType::Ipv6Addr | DataType::Mark | DataType::Realm | DataType::DevGroup)
}

/// How many leading bits all values from `start` to `end` share, if the range is exactly those values.
fn prefix_length(field: &Field, start: &[u8], end: &[u8]) -> Option<u32> {
    let differing: Vec<u8> = start.iter().zip(end).map(|(start, end)| start ^ end).collect();
    let total = differing.len() as u32 * 8;
    let free: u32 = differing.iter().map(|byte| byte.count_ones()).sum();
    let leading =
        differing.iter().position(|byte| *byte != 0).map_or(total, |at| at as u32 * 8 + differing[at].leading_zeros());
    let low_bits_zero = start.iter().zip(&differing).all(|(start, differing)| start & differing == 0);
    // Fields shorter than their bytes have unused bits in front.
    (leading + free == total && low_bits_zero).then(|| leading - (total - field.bits.min(total)).min(leading))
}
