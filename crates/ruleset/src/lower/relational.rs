//! Matches: a value in registers compared with literals, ranges and sets.
//!
//! nft: `netlink_gen_relational`, src/netlink_linearize.c. Ranges become `range` as in nft 1.1, not two comparisons
//! as in nft 1.0.

use super::item::{FieldMatch, Item};
use super::literal::Loaded;
use super::load::{Place, reg, to_network};
use super::{LowerErrorKind, Lowering};
use crate::expr::{BitwiseOp, CmpOp, Expr};
use crate::ir::{
    AnonymousSet, DataKind, DataType, Expression, Key, Packed, Payload, PayloadBase, PayloadField, RelationalOp, Value,
};

impl Lowering<'_> {
    /// `left op right`, with the matches it depends on before it.
    pub(super) fn match_statement(
        &mut self,
        left: &Expression,
        op: RelationalOp,
        right: &Expression,
    ) -> Result<(), LowerErrorKind> {
        let single = single_element(right);
        let right = single.as_ref().unwrap_or(right);
        self.require_all(left)?;
        self.require_all(right)?;
        if let Some(field) = self.field_match(left, op, right)? {
            self.items.push(Item::Field(field));
        } else {
            let mut out = Vec::new();
            self.free = 0;
            self.relational(left, op, right, &mut out)?;
            self.items.push(Item::Match(out));
        }
        self.learn(left, op, right);
        Ok(())
    }

    fn learn(&mut self, left: &Expression, op: RelationalOp, right: &Expression) {
        self.protocols.learn(self.family, left, op, right);
        if let Some(types) = matched_icmp_types(left, op, right) {
            self.icmp_type = Some(types);
        }
    }

    /// The match as one that can be merged, if it compares whole bytes of a header with a literal.
    fn field_match(
        &self,
        left: &Expression,
        op: RelationalOp,
        right: &Expression,
    ) -> Result<Option<FieldMatch>, LowerErrorKind> {
        let (Expression::Payload(payload), Expression::Value(value)) = (left, right) else { return Ok(None) };
        let (datatype, bits, order) = payload.typed();
        let loaded = Loaded::new(datatype, bits, order);
        let (base, offset_bits) = self.place(payload);
        let place = Place::of(offset_bits, bits);
        let plain = match op {
            RelationalOp::Eq => true,
            RelationalOp::Implicit => !loaded.is_flags(),
            _ => false,
        };
        let apart = matches!(payload, Payload::Inside { .. }) || base == PayloadBase::Tunnel;
        if !plain || !place.is_whole() || apart {
            return Ok(None);
        }
        let data = loaded.data(&value.bytes)?.to_vec();
        let protocol = matches!(payload, Payload::Field(field) if names_protocol(*field));
        Ok(Some(FieldMatch { base, offset: place.offset, data, protocol }))
    }

    fn relational(
        &mut self,
        left: &Expression,
        op: RelationalOp,
        right: &Expression,
        out: &mut Vec<Expr>,
    ) -> Result<(), LowerErrorKind> {
        let inverted = op == RelationalOp::Neq;
        let slot = self.reserve(left)?;
        let sreg = reg(slot)?;
        match right {
            Expression::Set(_) | Expression::SetRef(_) => {
                let (set, _) = self.load_key(left, right, slot, out)?;
                out.push(Expr::Lookup { sreg, set, dreg: None, inverted });
            }
            Expression::Range(start, end) => {
                let loaded = self.load(left, slot, out)?;
                to_network(&loaded, slot, out)?;
                let sorted = sorted(&loaded);
                let (from, to) = (sorted.literal(start)?, sorted.literal(end)?);
                // Hours over midnight are those outside of the others, as nft has it.
                out.push(if from.as_slice() > to.as_slice() && loaded.datatype == DataType::Hour {
                    Expr::Range { sreg, inverted: !inverted, from: to, to: from }
                } else {
                    Expr::Range { sreg, inverted, from, to }
                });
            }
            Expression::Prefix(value, bits) => self.prefix(left, slot, inverted, value, *bits, out)?,
            right => self.compare(left, slot, op, right, out)?,
        }
        Ok(())
    }

    fn compare(
        &mut self,
        left: &Expression,
        slot: usize,
        op: RelationalOp,
        right: &Expression,
        out: &mut Vec<Expr>,
    ) -> Result<(), LowerErrorKind> {
        let sreg = reg(slot)?;
        let flags_apart = matches!(left, Expression::Binary { .. }) && matches!(right, Expression::List(_));
        let loaded = self.load(left, slot, out)?;
        if op == RelationalOp::Not || op == RelationalOp::Implicit && loaded.is_flags() && !flags_apart {
            let mask = loaded.literal(right)?;
            let zero = Packed::new(&vec![0; mask.len()]);
            let bits = BitwiseOp::Mask { mask, xor: zero.clone() };
            out.push(Expr::Bitwise { dreg: sreg, sreg, len: loaded.len, op: bits });
            let op = if op == RelationalOp::Not { CmpOp::Eq } else { CmpOp::Neq };
            out.push(Expr::Cmp { sreg, op, data: zero });
            return Ok(());
        }
        let (op, ordered) = match op {
            RelationalOp::Implicit | RelationalOp::Eq | RelationalOp::Not => (CmpOp::Eq, false),
            RelationalOp::Neq => (CmpOp::Neq, false),
            RelationalOp::Lt => (CmpOp::Lt, true),
            RelationalOp::Gt => (CmpOp::Gt, true),
            RelationalOp::Lte => (CmpOp::Lte, true),
            RelationalOp::Gte => (CmpOp::Gte, true),
        };
        let mut shown = loaded;
        if ordered {
            to_network(&loaded, slot, out)?;
            shown = sorted(&loaded);
        }
        let data = match pattern(&loaded, right) {
            Some(prefix) => prefix,
            None => shown.literal(right)?,
        };
        out.push(Expr::Cmp { sreg, op, data });
        Ok(())
    }

    fn prefix(
        &mut self,
        left: &Expression,
        slot: usize,
        inverted: bool,
        value: &Expression,
        bits: u32,
        out: &mut Vec<Expr>,
    ) -> Result<(), LowerErrorKind> {
        let sreg = reg(slot)?;
        let op = if inverted { CmpOp::Neq } else { CmpOp::Eq };
        let loaded = self.load(left, slot, out)?;
        let whole = bits.is_multiple_of(8) && bits > 0 && !loaded.is_host_number() && loaded.shift == 0;
        if whole || bits >= loaded.bits {
            let data = loaded.literal(value)?;
            let len = if bits >= loaded.bits { data.len() } else { bits as usize / 8 };
            if let Some(Expr::Payload { len: loaded, .. }) = out.last_mut() {
                *loaded = len as u32;
            } else if let Some(Expr::Inner { expr, .. }) = out.last_mut()
                && let Expr::Payload { len: loaded, .. } = &mut **expr
            {
                *loaded = len as u32;
            }
            out.push(Expr::Cmp { sreg, op, data: Packed::new(&data[..len]) });
            return Ok(());
        }
        let mask = loaded.data(&loaded.prefix_mask(bits))?;
        let xor = Packed::new(&vec![0; mask.len()]);
        let data = loaded.literal(value)?;
        let data: Vec<u8> = data.iter().zip(mask.iter()).map(|(byte, mask)| byte & mask).collect();
        out.push(Expr::Bitwise { dreg: sreg, sreg, len: loaded.len, op: BitwiseOp::Mask { mask, xor } });
        out.push(Expr::Cmp { sreg, op, data: Packed::new(&data) });
        Ok(())
    }
}

/// The types of ICMP messages that a match leaves.
pub(crate) fn matched_icmp_types(left: &Expression, op: RelationalOp, right: &Expression) -> Option<Vec<u8>> {
    let Expression::Payload(Payload::Field(field)) = left else { return None };
    let of_type = matches!(field.to_string().as_str(), "icmp type" | "icmpv6 type");
    if !of_type || !matches!(op, RelationalOp::Implicit | RelationalOp::Eq) {
        return None;
    }
    match right {
        Expression::Value(value) => Some(value.bytes.to_vec()),
        Expression::Set(set) => set
            .elements
            .iter()
            .map(|element| match &element.key {
                Key::Value(bytes) => bytes.first().copied(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// The same register after it was turned to network order.
fn sorted(loaded: &Loaded) -> Loaded {
    let order = if loaded.is_text() { loaded.order } else { crate::ir::ByteOrder::Network };
    Loaded { order, ..*loaded }
}

/// The beginning of a name that ends in `*`.
fn pattern(loaded: &Loaded, right: &Expression) -> Option<Packed> {
    let Expression::Value(Value { bytes, .. }) = right else { return None };
    if !loaded.is_text() || loaded.datatype != DataType::IfName {
        return None;
    }
    let stem = bytes.strip_suffix(b"*")?;
    Some(match stem.strip_suffix(b"\\") {
        // `\*` is a star.
        Some(name) => {
            let mut name = [name, b"*"].concat();
            name.resize(loaded.len as usize, 0);
            Packed::new(&name)
        }
        None => Packed::new(stem),
    })
}

/// Whether the field says which protocol comes next.
fn names_protocol(field: PayloadField) -> bool {
    matches!(field.to_string().as_str(), "ether type" | "vlan type" | "ip protocol" | "ip6 nexthdr")
}

/// The one element of a set without a name, which nft compares with directly.
fn single_element(right: &Expression) -> Option<Expression> {
    let Expression::Set(set) = right else { return None };
    let AnonymousSet { key, data: DataKind::None, elements, .. } = &**set else { return None };
    let ([field], [element]) = (key.fields.as_slice(), elements.as_slice()) else { return None };
    if element.extra.is_some() {
        return None;
    }
    let text = matches!(field.datatype, DataType::IfName | DataType::String);
    let value = |bytes: &[u8]| {
        let end = if text { bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()) } else { bytes.len() };
        Expression::Value(Value::new(field.datatype, &bytes[..end]))
    };
    match &element.key {
        Key::Value(bytes) => Some(value(bytes)),
        Key::Range(_) => {
            let (start, end) = element.key.bounds()?;
            if text {
                let stem: Vec<u8> = start.iter().copied().take_while(|byte| *byte != 0).chain([b'*']).collect();
                return Some(Expression::Value(Value::new(field.datatype, stem.as_slice())));
            }
            match prefix_len(start, end, field.bits) {
                Some(bits) => Some(Expression::Prefix(Box::new(value(start)), bits)),
                None => Some(Expression::Range(Box::new(value(start)), Box::new(value(end)))),
            }
        }
        Key::CatchAll => None,
    }
}

/// How many leading bits all values from `start` to `end` share, if they are all values that share them.
///
/// Only addresses are written as prefixes.
fn prefix_len(start: &[u8], end: &[u8], bits: u32) -> Option<u32> {
    if !matches!(start.len(), 4 | 16) || bits as usize != start.len() * 8 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let differ = number(start) ^ number(end);
    let host = 128 - differ.leading_zeros();
    let mask = if host == 128 { u128::MAX } else { (1 << host) - 1 };
    (number(start) & mask == 0 && number(end) & mask == mask).then_some(bits - host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_prefixes_are_prefixes() {
        assert_eq!(prefix_len(&[10, 0, 0, 0], &[10, 255, 255, 255], 32), Some(8));
        assert_eq!(prefix_len(&[10, 0, 0, 0], &[10, 255, 255, 254], 32), None);
        assert_eq!(prefix_len(&[0; 16], &[255; 16], 128), Some(0));
    }
}
