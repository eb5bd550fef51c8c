//! Keys of elements as the expressions that are written for them.

use super::{DataType, Expression, Field, Key, KeyType, Value};

impl KeyType {
    /// The expression that a key of this type is written as: a value, prefix, range or wildcard, concatenated where
    /// there are several fields.
    ///
    /// A range is written as a prefix where it is one and nft writes prefixes for the type (`DTYPE_F_PREFIX`,
    /// src/datatype.c).
    pub fn expression_of(&self, key: &Key) -> Expression {
        let Some((start, end)) = key.bounds() else {
            return Expression::Value(Value::new(DataType::String, *b"*"));
        };
        let fields = self.split(start).zip(self.split(end));
        let mut parts: Vec<Expression> =
            fields.map(|((field, start), (_, end))| field.expression_of(start, end)).collect();
        if parts.len() == 1 { parts.remove(0) } else { Expression::Concat(parts) }
    }

    /// The key that an expression of literals stands for: the inverse of [`Self::expression_of`].
    ///
    /// `None` if the expression has other parts than the key has fields, a part is no literal, or a value is too long.
    pub fn key_of(&self, expression: &Expression) -> Option<Key> {
        let parts = match expression {
            Expression::Concat(parts) => parts.as_slice(),
            Expression::Value(value) if is_catch_all(value) => return Some(Key::CatchAll),
            single => std::slice::from_ref(single),
        };
        if parts.len() != self.fields.len() {
            return None;
        }
        let (mut start, mut end) = (Vec::new(), Vec::new());
        for (field, part) in self.fields.iter().zip(parts) {
            let (from, to) = field.bounds_of(part)?;
            let len = if self.is_concat() { start.len() + field.padded() } else { field.bytes() };
            start.extend(from);
            end.extend(to);
            start.resize(len, 0);
            end.resize(len, 0);
        }
        Some(Key::range(&start, &end))
    }
}

/// Whether this is how [`KeyType::expression_of`] writes the catch-all.
fn is_catch_all(value: &Value) -> bool {
    value.datatype == DataType::String && *value.bytes == *b"*"
}

impl Field {
    fn expression_of(&self, start: &[u8], end: &[u8]) -> Expression {
        let value = |bytes: &[u8]| Expression::Value(self.value_of(bytes));
        if start == end {
            return value(start);
        }
        if self.datatype == DataType::IfName
            && let Some(pattern) = name_pattern(start, end)
        {
            return value(&pattern);
        }
        match prefix_len(start, end, self.bits) {
            Some(len) if has_prefixes(self.datatype) => Expression::Prefix(Box::new(value(start)), len),
            _ => Expression::Range(Box::new(value(start)), Box::new(value(end))),
        }
    }

    /// The first and last bytes of what an expression says of this field; `None` if it does not fit.
    fn bounds_of(&self, expression: &Expression) -> Option<(Vec<u8>, Vec<u8>)> {
        match expression {
            Expression::Value(value) if self.is_text() && value.bytes.last() == Some(&b'*') => {
                let start = &value.bytes[..value.bytes.len() - 1];
                let filled = |fill: u8| {
                    (start.len() <= self.bytes()).then(|| [start, &vec![fill; self.bytes() - start.len()]].concat())
                };
                Some((filled(0)?, filled(0xff)?))
            }
            Expression::Value(value) => {
                let bytes = self.place(value)?;
                Some((bytes.clone(), bytes))
            }
            Expression::Range(start, end) => match (&**start, &**end) {
                (Expression::Value(start), Expression::Value(end)) => Some((self.place(start)?, self.place(end)?)),
                _ => None,
            },
            Expression::Prefix(value, len) => {
                let Expression::Value(value) = &**value else { return None };
                let mut start = self.place(value)?;
                let mut end = start.clone();
                let unused = self.bytes() as u32 * 8 - self.bits;
                let fixed = len.checked_add(unused).filter(|_| *len <= self.bits)?;
                for (at, (start, end)) in start.iter_mut().zip(&mut end).enumerate() {
                    let kept = fixed.saturating_sub(at as u32 * 8).min(8);
                    let free = 0xff_u8.checked_shr(kept).unwrap_or(0);
                    *start &= !free;
                    *end |= free;
                }
                Some((start, end))
            }
            _ => None,
        }
    }

    /// A value in as many bytes as the field has: numbers to the right, text to the left.
    fn place(&self, value: &Value) -> Option<Vec<u8>> {
        let missing = self.bytes().checked_sub(value.bytes.len())?;
        let zeros = vec![0; missing];
        Some(if self.is_text() { [&value.bytes, zeros.as_slice()].concat() } else { [&zeros, &*value.bytes].concat() })
    }

    /// Whether a value of it is text, which starts at the left.
    pub fn is_text(&self) -> bool {
        matches!(self.datatype, DataType::IfName | DataType::String)
    }

    /// The value of that field's bytes in a key: text without the zeros that fill the field.
    pub fn value_of(&self, bytes: &[u8]) -> Value {
        let len = if self.is_text() {
            bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
        } else {
            bytes.len()
        };
        Value::new(self.datatype, &bytes[..len])
    }
}

/// Whether nft writes ranges of that type that are prefixes as prefixes.
pub const fn has_prefixes(datatype: DataType) -> bool {
    matches!(datatype, DataType::Ipv4Addr | DataType::Ipv6Addr | DataType::Mark | DataType::Realm | DataType::DevGroup)
}

/// How many leading bits all values from `start` to `end` share, where these are all that share them.
pub(super) fn prefix_len(start: &[u8], end: &[u8], bits: u32) -> Option<u32> {
    let mut free = 0;
    let mut inside = false;
    for (start, end) in start.iter().zip(end) {
        let differing = start ^ end;
        // From the first differing bit on, the start is all zeros and the end all ones.
        let expected = if inside { 0xff } else { 0xff_u8.checked_shr(differing.leading_zeros()).unwrap_or(0) };
        if differing != expected || start & expected != 0 {
            return None;
        }
        inside |= differing != 0;
        free += differing.count_ones();
    }
    bits.checked_sub(free)
}

/// The pattern `name*` whose names are those from `start` to `end`: the same text, then zeros up to then ones.
fn name_pattern(start: &[u8], end: &[u8]) -> Option<Vec<u8>> {
    let same = start.iter().zip(end).take_while(|(a, b)| a == b).count();
    let filled = start[same..].iter().all(|byte| *byte == 0) && end[same..].iter().all(|byte| *byte == 0xff);
    filled.then(|| [&start[..same], b"*"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_prefix_only_if_it_is_one() {
        assert_eq!(prefix_len(&[10, 0, 0, 0], &[10, 255, 255, 255], 32), Some(8));
        assert_eq!(prefix_len(&[0, 0, 0, 0], &[255, 255, 255, 255], 32), Some(0));
        assert_eq!(prefix_len(&[10, 0, 0, 4], &[10, 0, 0, 7], 32), Some(30));
        assert_eq!(prefix_len(&[10, 0, 0, 4], &[10, 0, 0, 9], 32), None);
        assert_eq!(prefix_len(&[10, 0, 0, 4], &[10, 0, 1, 7], 32), None);
        assert_eq!(prefix_len(&[10, 0, 0, 0], &[10, 0, 255, 0], 32), None);
        assert_eq!(prefix_len(&[10, 0, 0, 1], &[10, 0, 0, 1], 32), Some(32));
    }

    #[test]
    fn a_key_is_the_one_its_expression_stands_for() {
        let types = KeyType::of_types([DataType::IfName, DataType::Ipv4Addr, DataType::InetService]);
        let prefix = Expression::Prefix(Box::new(Value::ipv4([10, 1, 2, 3].into()).into()), 8);
        let ports = Expression::Range(Box::new(Value::port(5).into()), Box::new(Value::port(9).into()));
        let written = Expression::concat([Value::ifname("eth*").into(), prefix, ports.clone()]);
        let key = types.key_of(&written).unwrap();
        let network = Expression::Prefix(Box::new(Value::ipv4([10, 0, 0, 0].into()).into()), 8);
        assert_eq!(types.expression_of(&key), Expression::concat([Value::ifname("eth*").into(), network, ports]));
        let bits = KeyType::single(Field { bits: 12, ..Field::of_type(DataType::Integer) });
        let range = Expression::Prefix(Box::new(Value::new(DataType::Integer, [1, 0x23]).into()), 4);
        assert_eq!(bits.key_of(&range), Some(Key::range(&[1, 0], &[1, 0xff])));
        assert_eq!(bits.key_of(&Value::number(DataType::Integer, 1).into()), None);
        assert_eq!(types.key_of(&types.expression_of(&Key::CatchAll)), Some(Key::CatchAll));
    }

    #[test]
    fn names_from_zeros_to_ones_are_a_pattern() {
        assert_eq!(name_pattern(b"eth\0\0", b"eth\xff\xff").as_deref(), Some(&b"eth*"[..]));
        assert_eq!(name_pattern(b"eth0\0", b"eth1\0"), None);
    }
}
