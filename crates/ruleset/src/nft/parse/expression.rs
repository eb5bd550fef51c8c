//! Matches: a left side, a sign, and what the type of the left side makes of the right one.

use super::super::lex::{Kind, Sign};
use super::raw::{Mode, Node, Raw};
use super::{Fail, Parser, Result};
use crate::ir::{
    BinaryOp, DataKind, DataType, Expression, FibResult, Field, KeyType, RelationalOp, Statement, Value, symbol,
};
use crate::text::Span;

impl Parser<'_> {
    /// A statement that begins with an expression: a match, a verdict map or a `set`.
    pub(super) fn expression_statement(&mut self) -> Result<Statement> {
        let start = self.at;
        let node = self.concat(Mode::Full)?;
        if let Raw::Literal(token) = &node.kind
            && let Some(header) = crate::ir::Header::from_name(self.text(*token))
        {
            self.at = start;
            return self.unknown_field(header);
        }
        let left = self.untyped(node)?;
        let span = self.span_from(start);
        if self.eat_word("vmap") {
            return self.vmap(left, span);
        }
        if self.eat_word("set") {
            return self.mangle(left, span);
        }
        self.relation(left, span)
    }

    fn type_of(&self, left: &Expression, span: Span) -> Result<KeyType> {
        match self.key_type(left) {
            Some(key) => Ok(key),
            None if matches!(left, Expression::Ct { .. }) => Fail::expected(
                span,
                "the family of this address is not said",
                "`ip` or `ip6` before `saddr` or `daddr`",
            ),
            None => Fail::new(span, "this has no type"),
        }
    }

    fn vmap(&mut self, left: Expression, span: Span) -> Result<Statement> {
        let map = self.primary(Mode::Literals)?;
        let left = asked_for_existence(left, &|text| self.first_literal_is(&map, text));
        let key = self.type_of(&left, span)?;
        let map = match map.kind {
            Raw::Set(elements) => self.anonymous_map(elements, &key, DataKind::Verdict)?,
            _ => {
                let span = map.span;
                let map = self.set_ref(map)?;
                if let Expression::SetRef(name) = &map
                    && self.set_of(name.as_str()).is_some_and(|set| set.data_kind() != DataKind::Verdict)
                {
                    return Fail::new(span, format!("`{name}` is no verdict map"));
                }
                map
            }
        };
        Ok(Statement::Vmap { key: left, map })
    }

    /// Whether the right side begins with that word.
    fn first_literal_is(&self, node: &Node, text: &str) -> bool {
        match &node.kind {
            Raw::Literal(token) => self.text(*token) == text,
            Raw::Set(elements) => elements.first().is_some_and(|element| self.first_literal_is(&element.key, text)),
            _ => false,
        }
    }

    fn mangle(&mut self, target: Expression, span: Span) -> Result<Statement> {
        let settable = matches!(
            target,
            Expression::Meta(_) | Expression::Ct { .. } | Expression::Payload(_) | Expression::Exthdr(_)
        );
        if !settable {
            return Fail::new(span, "this cannot be set");
        }
        let key = self.type_of(&target, span)?;
        let node = self.list(Mode::Full)?;
        let value = self.typed(node, &key)?;
        Ok(Statement::Mangle { target, value })
    }

    /// The sign between the sides; none is [`RelationalOp::Implicit`].
    fn sign(&mut self) -> RelationalOp {
        let op = match self.peek().map(|token| token.kind) {
            Some(Kind::Sign(Sign::Eq)) => RelationalOp::Eq,
            Some(Kind::Sign(Sign::Neq)) => RelationalOp::Neq,
            Some(Kind::Sign(Sign::Lt)) => RelationalOp::Lt,
            Some(Kind::Sign(Sign::Gt)) => RelationalOp::Gt,
            Some(Kind::Sign(Sign::Lte)) => RelationalOp::Lte,
            Some(Kind::Sign(Sign::Gte)) => RelationalOp::Gte,
            Some(Kind::Sign(Sign::Not)) => RelationalOp::Not,
            Some(Kind::Word) => match self.peek_word() {
                "eq" => RelationalOp::Eq,
                "ne" => RelationalOp::Neq,
                "lt" => RelationalOp::Lt,
                "gt" => RelationalOp::Gt,
                "le" => RelationalOp::Lte,
                "ge" => RelationalOp::Gte,
                _ => return RelationalOp::Implicit,
            },
            _ => return RelationalOp::Implicit,
        };
        self.bump();
        op
    }

    fn relation(&mut self, left: Expression, span: Span) -> Result<Statement> {
        let op = self.sign();
        if self.at_end() {
            return self.unexpected("what it is compared with");
        }
        let flags = self.key_type(&left).is_some_and(|key| is_flags(&key));
        let right_start = self.at;
        let node = self.list(if flags { Mode::Flags } else { Mode::Literals })?;
        if flags && self.eat(Sign::Slash) {
            return self.masked_flags(left, span, op, node);
        }
        let left = asked_for_existence(left, &|text| self.first_literal_is(&node, text));
        let key = self.type_of(&left, span)?;
        let right = self.typed(node, &key)?;
        let right_span = self.span_from(right_start);
        if op == RelationalOp::Not && !flags {
            return Fail::expected(right_span, "`!` asks for flags", "`!=`");
        }
        if matches!(op, RelationalOp::Lt | RelationalOp::Gt | RelationalOp::Lte | RelationalOp::Gte)
            && !matches!(right, Expression::Value(_))
        {
            return Fail::expected(right_span, "only a single value is larger or smaller", "a value");
        }
        Ok(normal(left, op, right))
    }

    /// `tcp flags syn / fin,syn`: the left list has been read.
    fn masked_flags(&mut self, left: Expression, span: Span, op: RelationalOp, value: Node) -> Result<Statement> {
        let op = match op {
            RelationalOp::Implicit | RelationalOp::Eq => RelationalOp::Eq,
            RelationalOp::Neq => RelationalOp::Neq,
            _ => return Fail::expected(span, "flags under a mask are equal or not", "no sign, `==` or `!=`"),
        };
        let key = self.type_of(&left, span)?;
        let mask = self.list(Mode::Flags)?;
        let [field] = key.fields.as_slice() else { return Fail::new(span, "this is no set of flags") };
        let value = self.value(value, field)?;
        let mask = self.value(mask, field)?;
        let left = Expression::Binary {
            op: BinaryOp::And,
            left: Box::new(left),
            right: Box::new(Expression::List(single_flags(&mask, field))),
        };
        Ok(Statement::Match { left, op, right: Expression::List(single_flags(&value, field)) })
    }
}

fn is_flags(key: &KeyType) -> bool {
    matches!(key.fields.as_slice(), [field] if symbol::is_bitmask(field.datatype))
}

/// `fib … oif exists` asks whether there is a route, not which interface it takes.
fn asked_for_existence(left: Expression, begins_with: &dyn Fn(&str) -> bool) -> Expression {
    match left {
        Expression::Fib { flags, result: FibResult::Oif } if begins_with("exists") || begins_with("missing") => {
            Expression::Fib { flags, result: FibResult::Exists }
        }
        left => left,
    }
}

/// Each flag of a value on its own, the lowest first; nought is one value.
fn single_flags(value: &Value, field: &Field) -> Vec<Expression> {
    let bits = value.to_u128().unwrap_or(0);
    let flags: Vec<Expression> = (0..128_u32)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| {
            let bytes = (1_u128 << bit).to_be_bytes();
            Value::new(field.datatype, &bytes[16 - value.bytes.len().min(16)..]).into()
        })
        .collect();
    if flags.is_empty() { vec![value.clone().into()] } else { flags }
}

/// `field ^ 3 == 1` is `field == 2` (`binop_transfer`, src/evaluate.c).
fn transferred(left: &Expression, op: RelationalOp, right: &Expression) -> Option<(Expression, Expression)> {
    let Expression::Binary { op: BinaryOp::Xor, left: field, right: turned } = left else { return None };
    let equal = matches!(op, RelationalOp::Implicit | RelationalOp::Eq | RelationalOp::Neq);
    let (Expression::Value(turned), Expression::Value(value), true) = (&**turned, right, equal) else { return None };
    let (turned, bits) = (turned.to_u128()?, value.to_u128()?);
    let bytes = (turned ^ bits).to_be_bytes();
    let value = Value::new(value.datatype, &bytes[16 - value.bytes.len().min(16)..]);
    Some(((**field).clone(), value.into()))
}

/// The form in which nft lists a match.
fn normal(left: Expression, op: RelationalOp, right: Expression) -> Statement {
    if let Some((left, right)) = transferred(&left, op, &right) {
        return normal(left, op, right);
    }
    if let Expression::Binary { op: BinaryOp::And, left: field, right: mask } = &left
        && let (Expression::Value(mask), Expression::Value(value)) = (&**mask, &right)
        && !matches!(**field, Expression::Binary { .. })
    {
        if let Some(statement) = flags_against_nought(field, mask, op, value) {
            return statement;
        }
        if symbol::is_bitmask(mask.datatype) && mask.bytes.iter().all(|byte| *byte == 0xff) {
            return normal((**field).clone(), if op == RelationalOp::Implicit { RelationalOp::Eq } else { op }, right);
        }
        if let Some(prefix) = address_under_mask(mask, value)
            && matches!(op, RelationalOp::Implicit | RelationalOp::Eq | RelationalOp::Neq)
        {
            let op = if op == RelationalOp::Neq { op } else { RelationalOp::Implicit };
            return Statement::Match { left: (**field).clone(), op, right: prefix };
        }
    }
    let flags = matches!(&right, Expression::Value(value) if symbol::is_bitmask(value.datatype));
    let op = match (&left, op) {
        (Expression::Binary { .. }, RelationalOp::Implicit) => RelationalOp::Eq,
        (Expression::Binary { .. }, op) => op,
        (_, RelationalOp::Eq) if !flags => RelationalOp::Implicit,
        (_, op) => op,
    };
    Statement::Match { left, op, right }
}

/// `flags & mask != 0` asks for any of them, `== 0` for none.
fn flags_against_nought(field: &Expression, mask: &Value, op: RelationalOp, value: &Value) -> Option<Statement> {
    if !symbol::is_bitmask(mask.datatype) || value.to_u128() != Some(0) {
        return None;
    }
    let op = match op {
        RelationalOp::Neq => RelationalOp::Implicit,
        RelationalOp::Eq | RelationalOp::Implicit => RelationalOp::Not,
        _ => return None,
    };
    Some(Statement::Match { left: field.clone(), op, right: mask.clone().into() })
}

/// `ip saddr & 255.255.0.0 == 10.1.0.0` is `ip saddr 10.1.0.0/16`.
fn address_under_mask(mask: &Value, value: &Value) -> Option<Expression> {
    if !matches!(mask.datatype, DataType::Ipv4Addr | DataType::Ipv6Addr) {
        return None;
    }
    let bits = mask.bytes.len() as u32 * 8;
    let (number, value_number) = (mask.to_u128()?, value.to_u128()?);
    let ones = number.count_ones();
    let contiguous = ones > 0 && ones < bits && number == ((u128::MAX >> (128 - ones)) << (bits - ones));
    (contiguous && value_number & number == value_number)
        .then(|| Expression::Prefix(Box::new(value.clone().into()), ones))
}
