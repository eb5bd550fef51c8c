//! Comparisons and look-ups as matches.

use super::Lifting;
use super::held::{Held, Packet, literal, raw, value};
use crate::expr::{CmpOp, Expr, Reg};
use crate::ir::{BinaryOp, DataType, Expression, Packed, RelationalOp, Statement, Value};
use crate::lower::literal::Loaded;
use crate::lower::relational::matched_icmp_types;

impl Lifting<'_> {
    /// Follows an expression that goes on or not by a register; `None` for any other.
    pub(super) fn relational(&mut self, expr: &Expr) -> Option<()> {
        match expr {
            Expr::Cmp { sreg, op, data } => self.cmp(*sreg, *op, data),
            Expr::Range { sreg, inverted, from, to } => {
                let (left, loaded) = self.named(self.at(*sreg)?)?;
                let right = Expression::Range(Box::new(literal(&loaded, from)), Box::new(literal(&loaded, to)));
                self.matched(left, plain_or_neq(*inverted), right)
            }
            Expr::Lookup { sreg, set, dreg: None, inverted } => {
                let key = self.key(*sreg, set)?;
                let right = self.lift_set(&key, set)?;
                self.matched(key, plain_or_neq(*inverted), right)
            }
            _ => None,
        }
    }

    fn matched(&mut self, left: Expression, op: RelationalOp, right: Expression) -> Option<()> {
        self.protocols.learn(self.family, &left, op, &right);
        if let Some(types) = matched_icmp_types(&left, op, &right) {
            self.icmp_type = Some(types);
        }
        self.push(Statement::Match { left, op, right })
    }

    fn cmp(&mut self, sreg: Reg, op: CmpOp, data: &Packed) -> Option<()> {
        let held = self.at(sreg)?.clone();
        if let Held::Packet(packet @ Packet { mask: None, tunnel: None, .. }) = &held
            && let Some(done) = self.cmp_bytes(packet, op, data)
        {
            return done;
        }
        let (left, loaded) = self.named(&held)?;
        if let Some((left, op, right)) = flags(&left, &loaded, op, data).or_else(|| prefix(&left, &loaded, op, data)) {
            return self.matched(left, op, right);
        }
        let computed = matches!(left, Expression::Binary { .. });
        let op = match op {
            CmpOp::Eq if loaded.is_flags() || computed => RelationalOp::Eq,
            CmpOp::Eq => RelationalOp::Implicit,
            CmpOp::Neq => RelationalOp::Neq,
            CmpOp::Lt => RelationalOp::Lt,
            CmpOp::Lte => RelationalOp::Lte,
            CmpOp::Gt => RelationalOp::Gt,
            CmpOp::Gte => RelationalOp::Gte,
        };
        let right = if loaded.datatype == DataType::IfName { name(&loaded, data) } else { literal(&loaded, data) };
        self.matched(left, op, right)
    }

    /// A comparison with bytes of the packet: several fields, or the first bytes of one.
    fn cmp_bytes(&mut self, packet: &Packet, op: CmpOp, data: &Packed) -> Option<Option<()>> {
        let (field, len) = self.field_at(packet.base, packet.offset)?;
        if packet.len < len {
            let relation = match op {
                CmpOp::Eq => RelationalOp::Implicit,
                CmpOp::Neq => RelationalOp::Neq,
                _ => return None,
            };
            let mut bytes = data.to_vec();
            bytes.resize(len as usize, 0);
            let first = Expression::Value(Value::new(field.spec().datatype, bytes.as_slice()));
            let right = Expression::Prefix(Box::new(first), packet.len * 8);
            return Some(self.matched(Expression::field(field), relation, right));
        }
        if op != CmpOp::Eq || data.len() != packet.len as usize {
            return None;
        }
        let mut at = 0;
        while at < packet.len {
            let rest = Packet { offset: packet.offset + at, len: packet.len - at, ..packet.clone() };
            let (left, len) = match self.field_at(rest.base, rest.offset) {
                Some((field, len)) if len <= rest.len => (Expression::field(field), len),
                _ => (raw(&rest), rest.len),
            };
            let (datatype, bits, order) = left.typed()?;
            let loaded = Loaded::new(datatype, bits, order);
            let right = literal(&loaded, &data[at as usize..(at + len) as usize]);
            let op = if loaded.is_flags() { RelationalOp::Eq } else { RelationalOp::Implicit };
            if self.matched(left, op, right).is_none() {
                return Some(None);
            }
            at += len;
        }
        Some(Some(()))
    }
}

fn plain_or_neq(inverted: bool) -> RelationalOp {
    if inverted { RelationalOp::Neq } else { RelationalOp::Implicit }
}

type Match = (Expression, RelationalOp, Expression);

/// `flags & mask != 0` and `flags & mask == 0`: any bit, no bit.
fn flags(left: &Expression, loaded: &Loaded, op: CmpOp, data: &[u8]) -> Option<Match> {
    let Expression::Binary { op: BinaryOp::And, left, right } = left else { return None };
    if !loaded.is_flags() || data.iter().any(|byte| *byte != 0) || matches!(**left, Expression::Binary { .. }) {
        return None;
    }
    let op = match op {
        CmpOp::Neq => RelationalOp::Implicit,
        CmpOp::Eq => RelationalOp::Not,
        _ => return None,
    };
    Some(((**left).clone(), op, (**right).clone()))
}

/// A mask of leading bits on an address, or a comparison of its first bytes only.
fn prefix(left: &Expression, loaded: &Loaded, op: CmpOp, data: &[u8]) -> Option<Match> {
    let op = match op {
        CmpOp::Eq => RelationalOp::Implicit,
        CmpOp::Neq => RelationalOp::Neq,
        _ => return None,
    };
    if loaded.is_text() {
        return None;
    }
    if data.len() < loaded.len as usize && loaded.shift == 0 && !loaded.is_host_number() {
        let mut bytes = data.to_vec();
        bytes.resize(loaded.len as usize, 0);
        let first = Expression::Value(value(loaded, &bytes));
        return Some((left.clone(), op, Expression::Prefix(Box::new(first), data.len() as u32 * 8)));
    }
    let Expression::Binary { op: BinaryOp::And, left: inner, right } = left else { return None };
    let Expression::Value(mask) = &**right else { return None };
    let (datatype, ..) = inner.typed()?;
    if !matches!(datatype, DataType::Ipv4Addr | DataType::Ipv6Addr) {
        return None;
    }
    let ones: u32 = mask.bytes.iter().map(|byte| byte.count_ones()).sum();
    if loaded.prefix_mask(ones) != mask.bytes.as_slice() {
        return None;
    }
    let first = Expression::Value(Value::new(datatype, data));
    Some(((**inner).clone(), op, Expression::Prefix(Box::new(first), ones)))
}

/// An interface's name; the beginning of one where not all of it is compared.
fn name(loaded: &Loaded, data: &[u8]) -> Expression {
    let mut bytes = value(loaded, data).bytes.to_vec();
    if data.len() < loaded.len as usize {
        bytes.push(b'*');
    } else if bytes.last() == Some(&b'*') {
        let end = bytes.len() - 1;
        bytes.insert(end, b'\\');
    }
    Expression::Value(Value::new(loaded.datatype, bytes.as_slice()))
}
