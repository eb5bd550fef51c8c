//! Giving types to what was written.

use super::super::lex::Kind;
use super::raw::{Node, Raw};
use super::{Fail, Parser, Result};
use crate::ir::{AnySet, BinaryOp, DataKind, DataType, Expression, Field, KeyType, Value, symbol};
use crate::text::Span;

impl Parser<'_> {
    /// The set or map of that name in the table whose rule is read.
    pub(super) fn set_of(&self, name: &str) -> Option<&AnySet> {
        self.ruleset.find(self.table.as_ref()?)?.sets.find(name)
    }

    /// The type of what an expression gives.
    pub(super) fn key_type(&self, expression: &Expression) -> Option<KeyType> {
        let table = self.table.as_ref().and_then(|table| self.ruleset.find(table));
        KeyType::of(expression, table)
    }

    /// What was written where no type is known yet: selectors and what is made of them.
    pub(super) fn untyped(&self, node: Node) -> Result<Expression> {
        match node.kind {
            Raw::Selector(expression) => Ok(expression),
            Raw::Concat(parts) => {
                parts.into_iter().map(|part| self.untyped(part)).collect::<Result<Vec<_>>>().map(Expression::Concat)
            }
            Raw::Binary { op, left, right, .. } => {
                let left = self.untyped(*left)?;
                let right = self.operand(op, &left, *right)?;
                Ok(binary(op, left, right))
            }
            Raw::Map { key, map } => {
                let span = map.span;
                match map.kind {
                    Raw::SetRef(_) => {
                        let map = Box::new(self.set_ref(*map)?);
                        Ok(Expression::Map { key: Box::new(self.untyped(*key)?), map })
                    }
                    _ => Fail::new(span, "what this map gives has no type here"),
                }
            }
            Raw::Literal(token) => {
                let text = self.text(token);
                if token.kind == Kind::Word
                    && let Some(header) = crate::ir::Header::from_name(text)
                {
                    let names = header.fields().iter().map(|field| field.name);
                    let next = self.sources.text(self.tokens.get(self.at).map_or(token.span, |token| token.span));
                    let near = crate::text::nearest(next, names).map(|near| format!("`{text} {near}`"));
                    return Err(Box::new(Fail {
                        span: token.span,
                        message: format!("`{text}` needs one of its fields here"),
                        expected: near,
                    }));
                }
                Fail::expected(token.span, format!("`{text}` is not known here"), "an expression, as `ip saddr`")
            }
            _ => Fail::expected(node.span, "this has no type of its own", "an expression, as `ip saddr`"),
        }
    }

    /// The right side of an operation whose left side is known.
    pub(super) fn operand(&self, op: BinaryOp, left: &Expression, right: Node) -> Result<Expression> {
        // What was shifted is a plain number, whatever it was before.
        let shifted = matches!(left, Expression::Binary { op: BinaryOp::Lshift | BinaryOp::Rshift, .. });
        if shifted || matches!(op, BinaryOp::Lshift | BinaryOp::Rshift) {
            let number = KeyType::single(Field { bits: 32, ..Field::of_type(DataType::Integer) });
            return self.typed(right, &number);
        }
        match self.key_type(left) {
            Some(key) => self.typed(right, &key),
            None => self.untyped(right),
        }
    }

    /// What was written where a value of that type belongs.
    pub(super) fn typed(&self, node: Node, key: &KeyType) -> Result<Expression> {
        let span = node.span;
        match node.kind {
            Raw::Selector(expression) => Ok(expression),
            Raw::SetRef(_) => self.set_ref(node),
            Raw::Concat(parts) => self.typed_concat(span, parts, key),
            Raw::Set(elements) => self.anonymous_set(span, elements, key),
            Raw::Map { key: of, map } => self.typed_map(*of, *map, key),
            Raw::CatchAll => Fail::expected(span, "`*` stands only for an element", "a value"),
            Raw::Literal(_) | Raw::Range(..) | Raw::Prefix(..) | Raw::List(_) | Raw::Binary { .. } => {
                match key.fields.as_slice() {
                    [field] => self.single(node, field),
                    fields => {
                        let message = format!("there must be {} values here, with dots between them", fields.len());
                        Fail::new(span, message)
                    }
                }
            }
        }
    }

    fn typed_concat(&self, span: Span, parts: Vec<Node>, key: &KeyType) -> Result<Expression> {
        if parts.len() != key.fields.len() {
            let message = format!("{} values stand here for {}", parts.len(), key.fields.len());
            return Fail::new(span, message);
        }
        let parts = parts.into_iter().zip(&key.fields).map(|(part, field)| match part.kind {
            Raw::Selector(expression) => Ok(expression),
            _ => self.single(part, field),
        });
        parts.collect::<Result<Vec<_>>>().map(Expression::Concat)
    }

    /// What was written where a value of one field belongs.
    pub(super) fn single(&self, node: Node, field: &Field) -> Result<Expression> {
        let span = node.span;
        match node.kind {
            Raw::Literal(token) => {
                let text = self.unquoted(token);
                if let Some(number) = self.person(text, field.datatype) {
                    return Ok(Value::number(field.datatype, number).into());
                }
                super::literal::literal(text, token.kind == Kind::Quoted, field.datatype, field.bits)
                    .map(Expression::Value)
                    .map_err(|no| Box::new(Fail { span: token.span, message: no.message, expected: no.expected }))
            }
            Raw::Range(..) if field.is_text() => Fail::expected(span, "names have no order", "a name"),
            Raw::Range(start, end) => {
                let start = self.value(*start, field)?;
                let end = self.value(*end, field)?;
                // Hours may go over midnight.
                if start.bytes.as_slice() > end.bytes.as_slice() && field.datatype != DataType::Hour {
                    return Fail::new(span, "the range ends before it begins");
                }
                Ok(Expression::Range(Box::new(start.into()), Box::new(end.into())))
            }
            Raw::Prefix(value, bits) => {
                let value = self.value(*value, field)?;
                prefix(span, value, bits, field)
            }
            Raw::List(items) => {
                if !symbol::is_bitmask(field.datatype) {
                    return Fail::expected(span, "several values stand here without braces", "`{ …, … }`");
                }
                let values = items.into_iter().map(|item| self.value(item, field)).collect::<Result<Vec<_>>>()?;
                Ok(union(&values, field).into())
            }
            Raw::Binary { op, left, right, .. } => {
                let left = self.single(*left, field)?;
                // The result is as long as its place: `ct mark set ip dscp | 0xff000000`.
                let longer = matches!(&right.kind, Raw::Literal(token) if left.typed().is_some_and(|(_, bits, _)| {
                    super::literal::number(self.text(*token)).is_some_and(|it| bits < 128 && it >> bits != 0)
                }));
                let shift = matches!(op, BinaryOp::Lshift | BinaryOp::Rshift);
                let right =
                    if longer && !shift { self.single(*right, field)? } else { self.operand(op, &left, *right)? };
                Ok(binary(op, left, right))
            }
            Raw::Selector(expression) => Ok(expression),
            _ => self.typed(node, &KeyType::single(field.clone())),
        }
    }

    /// The number of a user or group by name.
    fn person(&self, name: &str, datatype: DataType) -> Option<u32> {
        match datatype {
            DataType::Uid => self.machine.user(name),
            DataType::Gid => self.machine.group(name),
            _ => None,
        }
    }

    /// One literal.
    pub(super) fn value(&self, node: Node, field: &Field) -> Result<Value> {
        let span = node.span;
        match self.single(node, field)? {
            Expression::Value(value) => Ok(value),
            _ => Fail::expected(span, "this is no single value", "a value"),
        }
    }

    /// `@name`, which the table must have.
    pub(super) fn set_ref(&self, node: Node) -> Result<Expression> {
        let Raw::SetRef(name) = node.kind else {
            return Fail::expected(node.span, "this is no set or map", "`{ … }` or `@` and a name");
        };
        if self.set_of(name.as_str()).is_some() {
            return Ok(Expression::SetRef(name));
        }
        let table = self.table.as_ref().and_then(|table| self.ruleset.find(table));
        let names = table.into_iter().flat_map(|table| table.sets.iter()).map(|set| set.spec().name.as_str());
        let near = crate::text::nearest(name.as_str(), names).map(|near| format!("`@{near}`"));
        let message = format!("the table has no set or map `{name}`");
        Err(Box::new(Fail { span: node.span, message, expected: near }))
    }

    fn typed_map(&self, of: Node, map: Node, data: &KeyType) -> Result<Expression> {
        let key = self.untyped(of)?;
        let map = match map.kind {
            Raw::Set(elements) => {
                let Some(types) = self.key_type(&key) else {
                    return Fail::new(map.span, "the key of this map has no type");
                };
                let kind = DataKind::Value { data: data.clone().anonymous(), interval: false };
                self.anonymous_map(elements, &types, kind)?
            }
            _ => self.set_ref(map)?,
        };
        Ok(Expression::Map { key: Box::new(key), map: Box::new(map) })
    }
}

/// The bits of all values together.
fn union(values: &[Value], field: &Field) -> Value {
    let length = values.iter().map(|value| value.bytes.len()).max().unwrap_or(0);
    let mut bytes = vec![0_u8; length];
    for value in values {
        let lead = length - value.bytes.len();
        bytes[lead..].iter_mut().zip(value.bytes.iter()).for_each(|(all, one)| *all |= one);
    }
    Value::new(field.datatype, bytes.as_slice())
}

/// A value and the bits that count, or the value alone if all of them do. The others become nought, as in the kernel.
fn prefix(span: Span, value: Value, bits: u32, field: &Field) -> Result<Expression> {
    let text = matches!(field.datatype, DataType::IfName | DataType::String);
    let all = field.bits;
    if text || bits > all {
        return Fail::expected(span, format!("there is no prefix of {bits} bits here"), format!("0 to {all} bits"));
    }
    if bits == all {
        return Ok(value.into());
    }
    let unused = value.bytes.len() as u32 * 8 - all.min(value.bytes.len() as u32 * 8);
    let masked: Vec<u8> = value
        .bytes
        .iter()
        .zip(0_u32..)
        .map(|(byte, at)| {
            let kept = (bits + unused).saturating_sub(at * 8).min(8);
            byte & ((0xff00_u16 >> kept) as u8)
        })
        .collect();
    let value = Value::new(value.datatype, masked.as_slice());
    Ok(Expression::Prefix(Box::new(value.into()), bits))
}

/// An operation, done at once where both sides are literals.
pub(super) fn binary(op: BinaryOp, left: Expression, right: Expression) -> Expression {
    if let (Expression::Value(a), Expression::Value(b)) = (&left, &right)
        && let (Some(x), Some(y)) = (a.to_u128(), b.to_u128())
    {
        let result = match op {
            BinaryOp::And => x & y,
            BinaryOp::Or => x | y,
            BinaryOp::Xor => x ^ y,
            BinaryOp::Lshift => u32::try_from(y).ok().and_then(|y| x.checked_shl(y)).unwrap_or(0),
            BinaryOp::Rshift => u32::try_from(y).ok().and_then(|y| x.checked_shr(y)).unwrap_or(0),
        };
        let bytes = result.to_be_bytes();
        let length = a.bytes.len().min(16);
        return Value::new(a.datatype, &bytes[16 - length..]).into();
    }
    folded(op, left, right)
}

/// An operation on bits behind others, all with literals, in the form in which nft lists them: at most one `&`, one `^`
/// and one `|` (`netlink_parse_bitwise_bool`, src/netlink_delinearize.c).
fn folded(op: BinaryOp, left: Expression, right: Expression) -> Expression {
    let whole = Expression::Binary { op, left: Box::new(left), right: Box::new(right) };
    let Some((base, steps)) = steps(&whole).filter(|(_, steps)| steps.len() > 1) else { return whole };
    let (datatype, length) = (steps[0].1.datatype, steps[0].1.bytes.len());
    let all = u128::MAX >> (128 - 8 * length as u32);
    // What becomes of bits x: (x & kept) ^ turned.
    let (mut kept, mut turned) = (all, 0_u128);
    for (op, value) in &steps {
        let bits = value.to_u128().unwrap_or(0);
        match op {
            BinaryOp::And => (kept, turned) = (kept & bits, turned & bits),
            BinaryOp::Or => (kept, turned) = (kept & !bits, turned | bits),
            _ => turned ^= bits,
        }
    }
    let set = turned & !kept;
    let listed = [(BinaryOp::And, kept | set, all), (BinaryOp::Xor, turned & kept, 0), (BinaryOp::Or, set, 0)];
    listed.into_iter().filter(|(_, bits, nothing)| bits != nothing).fold(base.clone(), |left, (op, bits, _)| {
        let right = Value::new(datatype, &bits.to_be_bytes()[16 - length..]);
        Expression::Binary { op, left: Box::new(left), right: Box::new(right.into()) }
    })
}

/// What the operations on bits begin with, and each of them with its literal, all of one length.
fn steps(whole: &Expression) -> Option<(&Expression, Vec<(BinaryOp, &Value)>)> {
    let mut base = whole;
    let mut steps = Vec::new();
    while let Expression::Binary { op: op @ (BinaryOp::And | BinaryOp::Or | BinaryOp::Xor), left, right } = base {
        let Expression::Value(value) = &**right else { return None };
        steps.push((*op, value));
        base = left;
    }
    steps.reverse();
    let length = steps.first()?.1.bytes.len();
    let alike = (1..=16).contains(&length) && steps.iter().all(|(_, value)| value.bytes.len() == length);
    alike.then_some((base, steps))
}
