//! Comparisons: the forms in which nft writes what iptables asks.

use super::{No, Told};
use crate::ir::{
    AnonymousSet, BinaryOp, Data, DataKind, DataType, Element, Expression, Exthdr, ExthdrCarrier, Header, Key, KeyType,
    MetaKey, PayloadField, RelationalOp, Statement, Value,
};

/// A number as iptables reads it: decimal, hexadecimal after `0x`, octal after `0`.
pub(super) fn number(text: &str) -> Told<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    let plain = digits.starts_with(|c: char| c.is_digit(radix));
    let read = plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten();
    read.ok_or_else(|| No::because(format!("`{text}` is no number")))
}

/// A number that fits.
pub(super) fn small<T: TryFrom<u64>>(text: &str) -> Told<T> {
    T::try_from(number(text)?).map_err(|_| No::because(format!("`{text}` is too large")))
}

/// `1:9`, `1:`, `:9` or `1`; an end that is missing is `end`.
pub(super) fn range(text: &str, separator: char, end: u64) -> Told<(u64, u64)> {
    let Some((first, last)) = text.split_once(separator) else { return number(text).map(|one| (one, one)) };
    let first = if first.is_empty() { 0 } else { number(first)? };
    let last = if last.is_empty() { end } else { number(last)? };
    if first <= last { Ok((first, last)) } else { Err(No::because(format!("`{text}` ends before it begins"))) }
}

/// `value/mask`, with `all` where there is no mask.
pub(super) fn masked(text: &str, all: u64) -> Told<(u64, u64)> {
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    Ok((number(value)?, mask.map_or(Ok(all), number)?))
}

/// A field of a header.
pub(super) fn field(header: Header, name: &str) -> Expression {
    Expression::field(PayloadField::find(header, name).expect("a field of the table"))
}

/// A field of an extension header or option, or without one whether it is there.
pub(super) fn exthdr(carrier: ExthdrCarrier, name: &str, field: Option<&str>) -> Expression {
    Expression::Exthdr(Exthdr { carrier, name: name.to_owned(), field: field.map(str::to_owned) })
}

/// The value of a number where that expression is compared or set.
pub(super) fn value_for(expression: &Expression, number: u64) -> Told<Value> {
    let (datatype, bits, _) = expression.typed().ok_or_else(|| No::because("its type is not known"))?;
    let length = (bits.div_ceil(8) as usize).clamp(1, 16);
    if bits < 64 && number >> bits != 0 {
        return Err(No::because(format!("{number} does not fit {bits} bits")));
    }
    Ok(Value::new(datatype, &u128::from(number).to_be_bytes()[16 - length..]))
}

/// `left`, `!= right` if inverted.
pub(super) fn relation(left: Expression, inverted: bool, right: impl Into<Expression>) -> Statement {
    let op = if inverted { RelationalOp::Neq } else { RelationalOp::Implicit };
    Statement::Match { left, op, right: right.into() }
}

/// `left op right`.
pub(super) fn ordered(left: Expression, op: RelationalOp, right: u64) -> Told<Statement> {
    let right = value_for(&left, right)?.into();
    Ok(Statement::Match { left, op, right })
}

/// `left number`.
pub(super) fn equals(left: Expression, inverted: bool, number: u64) -> Told<Statement> {
    let right = value_for(&left, number)?;
    Ok(relation(left, inverted, right))
}

/// `left first-last`, or `left number`. A range that goes further than the field ends where it ends; one that begins
/// there, and one of all values that is inverted, match nothing.
pub(super) fn within(left: Expression, inverted: bool, (first, last): (u64, u64)) -> Told<Vec<Statement>> {
    let (_, bits, _) = left.typed().ok_or_else(|| No::because("its type is not known"))?;
    let most = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    match (first > most, first == 0 && last >= most) {
        (true, false) => {
            if inverted {
                Ok(Vec::new())
            } else {
                Err(No::Never)
            }
        }
        (_, true) => {
            if inverted {
                Err(No::Never)
            } else {
                Ok(Vec::new())
            }
        }
        _ if first == last => equals(left, inverted, first).map(|one| vec![one]),
        _ => {
            let (first, last) = (value_for(&left, first)?, value_for(&left, last.min(most))?);
            let range = Expression::Range(Box::new(first.into()), Box::new(last.into()));
            Ok(vec![relation(left, inverted, range)])
        }
    }
}

/// `left & mask == value`, or `left value` where all bits count.
pub(super) fn under_mask(left: Expression, inverted: bool, (value, mask): (u64, u64)) -> Told<Statement> {
    let (_, bits, _) = left.typed().ok_or_else(|| No::because("its type is not known"))?;
    let all = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    if mask == all {
        return equals(left, inverted, value);
    }
    let right = value_for(&left, value)?.into();
    let op = if inverted { RelationalOp::Neq } else { RelationalOp::Eq };
    Ok(Statement::Match { left: bits_of(BinaryOp::And, left, mask)?, op, right })
}

/// `left op number`: an operation on bits.
pub(super) fn bits_of(op: BinaryOp, left: Expression, number: u64) -> Told<Expression> {
    let right = value_for(&left, number)?;
    Ok(Expression::Binary { op, left: Box::new(left), right: Box::new(right.into()) })
}

/// `(left & !mask) ^ value`, in the form in which nft lists it: at most one `&`, one `^` and one `|`.
pub(super) fn changed(left: Expression, (value, mask): (u64, u64), all: u64) -> Told<Expression> {
    let (kept, turned) = (all & !mask, value);
    if kept == 0 {
        return value_for(&left, turned).map(Expression::Value);
    }
    // Bits that are set whatever they were are an `|`.
    let set = turned & !kept;
    let steps = [(BinaryOp::And, kept | set, all), (BinaryOp::Xor, turned & kept, 0), (BinaryOp::Or, set, 0)];
    let steps = steps.into_iter().filter(|(_, bits, nothing)| bits != nothing);
    let typed = left.clone();
    steps.into_iter().try_fold(left, |left, (op, bits, _)| {
        let right = value_for(&typed, bits)?;
        Ok(Expression::Binary { op, left: Box::new(left), right: Box::new(right.into()) })
    })
}

/// Any of those bits, or with `inverted` none.
pub(super) fn any_of(left: Expression, inverted: bool, bits: u64) -> Told<Statement> {
    let right = value_for(&left, bits)?.into();
    let op = if inverted { RelationalOp::Not } else { RelationalOp::Implicit };
    Ok(Statement::Match { left, op, right })
}

/// `left exists` or `left missing`.
pub(super) fn exists(left: impl Into<Expression>, exists: bool) -> Statement {
    Statement::matches(left, Value::new(DataType::Boolean, [u8::from(exists)]))
}

/// `left { … }`: values and ranges, joined where they touch; a single one stands alone.
pub(super) fn among(left: Expression, inverted: bool, ranges: &[(u64, u64)]) -> Told<Vec<Statement>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let intervals = sorted.iter().any(|(first, last)| first != last);
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in sorted {
        match joined.last_mut() {
            Some(before) if first <= before.1 || intervals && first == before.1 + 1 => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    if let [only] = joined.as_slice() {
        return within(left, inverted, *only);
    }
    let key = KeyType::of_expressions([left.clone()]).ok_or_else(|| No::because("its type is not known"))?.anonymous();
    let mut elements = Vec::new();
    for (first, last) in joined {
        let (first, last) = (value_for(&left, first)?, value_for(&left, last)?);
        elements.push((vec![first], vec![last]));
    }
    Ok(vec![relation(left, inverted, set_of(key, &elements)?)])
}

/// `{ … }`, each element from its first values to its last.
pub(super) fn set_of(key: KeyType, elements: &[(Vec<Value>, Vec<Value>)]) -> Told<Expression> {
    let mut packed = Vec::with_capacity(elements.len());
    for (first, last) in elements {
        let (Some(first), Some(last)) = (key.pack(first), key.pack(last)) else {
            return Err(No::because("its values do not fit a set"));
        };
        packed.push(Element { key: Key::range(&first, &last), data: Data::None, extra: None });
    }
    let interval = packed.iter().any(|element| matches!(element.key, Key::Range(_)));
    Ok(Expression::Set(Box::new(AnonymousSet { key, data: DataKind::None, interval, elements: packed.into() })))
}

/// `meta key`.
pub(super) fn meta(key: MetaKey) -> Expression {
    Expression::Meta(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_match_is_told_apart_from_what_always_does() {
        let ttl = || field(Header::Ip, "ttl");
        assert_eq!(within(ttl(), false, (0, 999)), Ok(vec![]));
        assert_eq!(within(ttl(), true, (0, 255)), Err(No::Never));
        assert_eq!(within(ttl(), false, (256, 300)), Err(No::Never));
        assert_eq!(within(ttl(), true, (3, 3)).unwrap()[0].to_string(), "ip ttl != 3");
        assert_eq!(within(ttl(), false, (3, 999)).unwrap()[0].to_string(), "ip ttl 3-255");
    }

    #[test]
    fn marks_change_as_the_kernel_changes_them() {
        let mark = |value, mask| changed(meta(MetaKey::Mark), (value, mask), 0xffff_ffff).unwrap().to_string();
        assert_eq!(mark(1, 0xffff_ffff), "0x00000001");
        assert_eq!(mark(0x4000, 0x4000), "meta mark | 0x00004000");
        assert_eq!(mark(0, 0xff), "meta mark & 0xffffff00");
        assert_eq!(mark(0x6, 0), "meta mark ^ 0x00000006");
    }

    #[test]
    fn values_beside_one_another_are_joined_only_among_ranges() {
        let port = || field(Header::Tcp, "dport");
        let text = |ranges: &[(u64, u64)]| among(port(), false, ranges).unwrap()[0].to_string();
        assert_eq!(text(&[(81, 81), (80, 80)]), "tcp dport { 80, 81 }");
        assert_eq!(text(&[(80, 81), (82, 82)]), "tcp dport 80-82");
    }
}
