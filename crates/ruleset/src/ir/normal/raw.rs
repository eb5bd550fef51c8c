//! Bytes by their place that have a name: nft lists `@nh,96,32` of an IPv4 packet as `ip saddr`, and bits inside a byte
//! as that byte under a mask.
//!
//! nft: `payload_expr_complete`, `payload_expr_expand` (src/payload.c).

use crate::ir::check::{Check, Site, needed_icmp_type};
use crate::ir::{
    AnonymousSet, BinaryOp, DataType, Expression, Family, Header, KeyType, Payload, PayloadBase, PayloadField,
    RelationalOp, Statement, Value,
};

/// Gives bytes their names, as far as the statements before say which header they are in.
pub(super) fn with_names(family: Family, statements: Vec<Statement>) -> Vec<Statement> {
    let mut known = Check::new(Site::of(family));
    let named = statements.into_iter().map(|statement| {
        let statement = named(&known, statement);
        // What is refused was reported.
        let _ = known.statement(&statement);
        statement
    });
    named.collect()
}

fn named(known: &Check<'_>, statement: Statement) -> Statement {
    match statement {
        Statement::Match { left: Expression::Payload(payload), op, right } => match field_of(known, &payload) {
            Some(field) => match retyped(&right, field) {
                Some(right) => Statement::Match { left: field.into(), op, right },
                None => Statement::Match { left: Expression::Payload(payload), op, right },
            },
            None => under_mask(&payload, op, &right).unwrap_or(Statement::Match {
                left: Expression::Payload(payload),
                op,
                right,
            }),
        },
        Statement::Match { left: left @ Expression::Binary { .. }, op, right } => {
            part_of(known, &left, op, &right).unwrap_or(Statement::Match { left, op, right })
        }
        Statement::Mangle { target: Expression::Payload(payload), value }
            if !matches!(value, Expression::Map { .. }) =>
        {
            let field = field_of(known, &payload);
            match field.and_then(|field| Some((field, retyped(&value, field)?))) {
                Some((field, value)) => Statement::Mangle { target: field.into(), value },
                None => Statement::Mangle { target: Expression::Payload(payload), value },
            }
        }
        Statement::Vmap { key, map } => Statement::Vmap { key: of_known_protocol(known, key), map },
        Statement::Mangle { target, value: Expression::Map { key, map } } => {
            let key = Box::new(of_known_protocol(known, *key));
            Statement::Mangle { target, value: Expression::Map { key, map } }
        }
        other => other,
    }
}

/// Bytes under a mask that are exactly a part of one field: `@nh,0,8 & 0xf0 == 0x40` is `ip version 4`.
fn part_of(known: &Check<'_>, left: &Expression, op: RelationalOp, right: &Expression) -> Option<Statement> {
    let Expression::Binary { op: BinaryOp::And, left: whole, right: mask } = left else { return None };
    let (
        Expression::Payload(Payload::Raw { base, offset_bits, bits }),
        Expression::Value(mask),
        Expression::Value(value),
    ) = (&**whole, &**mask, right)
    else {
        return None;
    };
    let (mask, value) = (mask.to_u128()?, value.to_u128()?);
    let shift = mask.trailing_zeros();
    let ones = mask.count_ones();
    let op = match op {
        RelationalOp::Implicit | RelationalOp::Eq => RelationalOp::Implicit,
        RelationalOp::Neq => op,
        _ => return None,
    };
    if ones == 0 || mask >> shift != u128::MAX >> (128 - ones) || *bits < shift + ones || value & !mask != 0 {
        return None;
    }
    let part = Payload::Raw { base: *base, offset_bits: offset_bits + bits - shift - ones, bits: ones };
    let field = field_of(known, &part)?;
    let bytes = (value >> shift).to_be_bytes();
    let value = Value::new(field.spec().datatype, &bytes[16 - ones.div_ceil(8) as usize..]);
    Some(Statement::Match { left: field.into(), op, right: value.into() })
}

/// `th dport`, by the name of the protocol that was asked for.
fn of_known_protocol(known: &Check<'_>, key: Expression) -> Expression {
    match &key {
        Expression::Payload(payload @ Payload::Field(_)) => {
            field_of(known, payload).map_or_else(|| key.clone(), Expression::field)
        }
        _ => key,
    }
}

/// The field that is exactly those bits; a port of any protocol where the protocol is known.
fn field_of(known: &Check<'_>, payload: &Payload) -> Option<PayloadField> {
    let (base, offset_bits, bits) = match payload {
        Payload::Raw { base, offset_bits, bits } => (*base, *offset_bits, *bits),
        Payload::Field(field) if field.header() == Header::Th => {
            (PayloadBase::Transport, field.spec().offset_bits, field.spec().bits)
        }
        _ => return None,
    };
    let header = known.header_at(base).or((base == PayloadBase::Transport).then_some(Header::Th))?;
    let fields = (0..header.fields().len()).filter_map(|at| PayloadField::at(header, at));
    fields
        .filter(|field| needed_icmp_type(*field).is_none())
        .find(|field| field.spec().offset_bits == offset_bits && field.spec().bits == bits)
}

/// The literals beside a field, as values of its type; `None` where something else stands there.
fn retyped(right: &Expression, field: PayloadField) -> Option<Expression> {
    Some(match right {
        Expression::Value(value) => typed(value, field).into(),
        Expression::Range(start, end) => {
            Expression::Range(Box::new(retyped(start, field)?), Box::new(retyped(end, field)?))
        }
        Expression::Prefix(value, bits) => Expression::Prefix(Box::new(retyped(value, field)?), *bits),
        Expression::Set(set) if !set.key.is_concat() => {
            let key = KeyType::of_expressions([field.into()])?.anonymous();
            Expression::Set(Box::new(AnonymousSet { key, ..(**set).clone() }))
        }
        _ => return None,
    })
}

fn typed(value: &Value, field: PayloadField) -> Value {
    Value::new(field.spec().datatype, value.bytes.as_slice())
}

/// `@ll,0,1 1` is `@ll,0,8 & 0x80 == 0x80`.
fn under_mask(payload: &Payload, op: RelationalOp, right: &Expression) -> Option<Statement> {
    let (Payload::Raw { base, offset_bits, bits }, Expression::Value(value)) = (payload, right) else { return None };
    let op = match op {
        RelationalOp::Implicit | RelationalOp::Eq => RelationalOp::Eq,
        RelationalOp::Neq => RelationalOp::Neq,
        _ => return None,
    };
    let start = offset_bits / 8 * 8;
    let end = (offset_bits + bits).next_multiple_of(8);
    let whole = end - start;
    if whole == *bits || whole > 128 {
        return None;
    }
    let shift = end - offset_bits - bits;
    let ones = u128::MAX >> (128 - bits);
    let literal = |number: u128| {
        let bytes = (number << shift).to_be_bytes();
        Expression::Value(Value::new(DataType::Integer, &bytes[16 - whole as usize / 8..]))
    };
    let left = Expression::Binary {
        op: BinaryOp::And,
        left: Box::new(Expression::Payload(Payload::Raw { base: *base, offset_bits: start, bits: whole })),
        right: Box::new(literal(ones)),
    };
    Some(Statement::Match { left, op, right: literal(value.to_u128()? & ones) })
}
