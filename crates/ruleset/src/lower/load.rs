//! Loading values into registers: one function for each kind of expression.
//!
//! nft: `netlink_gen_expr` and its siblings, src/netlink_linearize.c.

use super::literal::{Loaded, bytes_of, is_literal};
use super::{LowerErrorKind, Lowering};
use crate::expr::{BitwiseOp, Expr, Reg, SetUse};
use crate::ir::{
    BinaryOp, ByteOrder, DataType, Expression, Exthdr, FibResult, Hash, Header, OsfTtl, Packed, Payload, PayloadBase,
    PayloadField,
};

/// Registers have this many slots of four bytes.
const SLOTS: usize = 16;
/// A value that is not concatenated takes this many of them.
const WHOLE: usize = 4;

/// The register that begins at a slot.
pub(super) fn reg(slot: usize) -> Result<Reg, LowerErrorKind> {
    Reg::from_slot(slot).ok_or(LowerErrorKind::Registers)
}

impl Lowering<'_> {
    /// Takes registers for a value of that expression: a concatenation only as much as it needs.
    pub(super) fn reserve(&mut self, expression: &Expression) -> Result<usize, LowerErrorKind> {
        let slots = match expression {
            Expression::Concat(parts) => {
                let mut slots = 0;
                for part in parts {
                    slots += self.width(part)?.div_ceil(4) as usize;
                }
                slots
            }
            _ => WHOLE,
        };
        self.reserve_slots(slots)
    }

    pub(super) fn reserve_slots(&mut self, slots: usize) -> Result<usize, LowerErrorKind> {
        let slot = self.free;
        // A last value may be shorter than the room a whole one takes.
        if slot >= SLOTS {
            return Err(LowerErrorKind::Registers);
        }
        self.free += slots;
        Ok(slot)
    }

    /// Length of an expression's value in bytes, without padding.
    fn width(&self, expression: &Expression) -> Result<u32, LowerErrorKind> {
        self.typed(expression)
            .map(|loaded| loaded.len)
            .ok_or_else(|| LowerErrorKind::Type(format!("{expression:?} has no length of its own")))
    }

    /// What loading it will give, without loading it.
    pub(super) fn typed(&self, expression: &Expression) -> Option<Loaded> {
        if let Expression::Map { map, .. } = expression
            && let Expression::SetRef(name) = &**map
            && let Some(crate::ir::AnySet::Map(map)) = self.sets.find(name)
            && let [field] = map.data.fields.as_slice()
        {
            return Some(Loaded::new(field.datatype, field.bits, field.byte_order));
        }
        expression.typed().map(|(datatype, bits, order)| Loaded::new(datatype, bits, order))
    }

    /// Loads a value into the registers from `slot` on.
    pub(super) fn load(
        &mut self,
        expression: &Expression,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<Loaded, LowerErrorKind> {
        let dreg = reg(slot)?;
        let typed = self.typed(expression);
        match expression {
            Expression::Payload(payload) => return self.load_payload(payload, dreg, out),
            Expression::Exthdr(exthdr) => return self.load_exthdr(exthdr, dreg, out),
            Expression::Binary { .. } => {
                let bits = typed.map_or(32, |typed| typed.bits);
                return self.load_binary(expression, slot, bits, out);
            }
            Expression::Map { key, map } => return self.load_map(key, map, slot, out),
            Expression::Concat(parts) => return self.load_concat(parts, slot, false, out),
            Expression::Hash(hash) => self.load_hash(hash, dreg, out)?,
            Expression::Value(_) | Expression::List(_) => {
                let typed = typed.unwrap_or_else(|| Loaded::new(DataType::Integer, 32, ByteOrder::Host));
                out.push(Expr::Immediate { dreg, data: typed.literal(expression)? });
            }
            _ => out.push(simple_load(expression, dreg)?),
        }
        typed.ok_or_else(|| LowerErrorKind::Type(format!("{expression:?} has no type of its own")))
    }

    /// Loads each field into whole registers; for keys of intervals in network order throughout.
    pub(super) fn load_concat(
        &mut self,
        parts: &[Expression],
        slot: usize,
        interval: bool,
        out: &mut Vec<Expr>,
    ) -> Result<Loaded, LowerErrorKind> {
        let mut at = slot;
        for part in parts {
            let loaded = self.load(part, at, out)?;
            let loaded = to_low_bits(loaded, at, out)?;
            if interval {
                to_network(&loaded, at, out)?;
            }
            at += loaded.len.div_ceil(4) as usize;
        }
        let bits = (at - slot) as u32 * 32;
        Ok(Loaded::new(DataType::Integer, bits, ByteOrder::Network))
    }

    fn load_payload(&mut self, payload: &Payload, dreg: Reg, out: &mut Vec<Expr>) -> Result<Loaded, LowerErrorKind> {
        let (datatype, bits, order) = payload.typed();
        let (base, offset_bits) = self.place(payload);
        let place = Place::of(offset_bits, bits);
        let load = Expr::Payload { dreg, base, offset: place.offset, len: place.len };
        match payload {
            Payload::Inside { tunnel, .. } => out.push(inside(*tunnel, load)),
            Payload::Field(field) if base == PayloadBase::Tunnel => out.push(inside(field.header(), load)),
            _ => out.push(load),
        }
        Ok(place.trim(Loaded::new(datatype, bits, order), dreg, out))
    }

    /// Base and offset in bits.
    pub(super) fn place(&self, payload: &Payload) -> (PayloadBase, u32) {
        match payload {
            Payload::Field(field) => (field.header().base(), field.spec().offset_bits + self.tags_before(*field)),
            Payload::Inside { field, .. } => (field.header().base(), field.spec().offset_bits),
            Payload::Raw { base, offset_bits, .. } => (*base, *offset_bits),
        }
    }

    /// VLAN tags in front of the one that is looked at.
    fn tags_before(&self, field: PayloadField) -> u32 {
        if field.header() == Header::Vlan { self.protocols.vlans.saturating_sub(1) * 32 } else { 0 }
    }

    fn load_exthdr(&mut self, exthdr: &Exthdr, dreg: Reg, out: &mut Vec<Expr>) -> Result<Loaded, LowerErrorKind> {
        let (kind, spec) = exthdr.spec().ok_or_else(|| LowerErrorKind::Type(format!("no option field {exthdr:?}")))?;
        let present = exthdr.field.is_none() && !exthdr.name.starts_with('@');
        let place = Place::of(spec.offset_bits, spec.bits);
        let flags = u32::from(present);
        let op = exthdr.carrier.number();
        out.push(Expr::Exthdr { dreg, kind, offset: place.offset, len: place.len, op, flags });
        Ok(place.trim(Loaded::new(spec.datatype, spec.bits, ByteOrder::Network), dreg, out))
    }

    fn load_hash(&mut self, hash: &Hash, dreg: Reg, out: &mut Vec<Expr>) -> Result<(), LowerErrorKind> {
        match hash {
            Hash::Symhash { modulus, offset } => {
                out.push(Expr::Symhash { dreg, modulus: *modulus, offset: *offset });
            }
            Hash::Jhash { key, modulus, seed, offset } => {
                let free = self.free;
                let slot = self.reserve(key)?;
                let loaded = self.load(key, slot, out)?;
                self.free = free;
                let (sreg, len) = (reg(slot)?, loaded.len);
                out.push(Expr::Jhash { dreg, sreg, len, modulus: *modulus, seed: *seed, offset: *offset });
            }
        }
        Ok(())
    }

    /// `key map m`: the key goes where the value shall be.
    fn load_map(
        &mut self,
        key: &Expression,
        map: &Expression,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<Loaded, LowerErrorKind> {
        let free = self.free;
        // What a hash in a concatenation is of must not lie where the concatenation does. nft leaves a whole register
        // between.
        if let Expression::Concat(parts) = key
            && parts.iter().any(|part| matches!(part, Expression::Hash(Hash::Jhash { .. })))
        {
            self.free = slot + WHOLE;
            self.reserve(key)?;
        }
        let (set, data) = self.load_key(key, map, slot, out)?;
        self.free = free;
        let sreg = reg(slot)?;
        out.push(Expr::Lookup { sreg, set, dreg: Some(sreg), inverted: false });
        Ok(data.unwrap_or_else(|| Loaded::new(DataType::Integer, 32, ByteOrder::Network)))
    }

    /// Combines bits. Literals on the right of `&`, `|` and `^` become one mask, whatever their number.
    pub(super) fn load_binary(
        &mut self,
        expression: &Expression,
        slot: usize,
        bits: u32,
        out: &mut Vec<Expr>,
    ) -> Result<Loaded, LowerErrorKind> {
        let Expression::Binary { op, left, right } = expression else {
            let loaded = self.load(expression, slot, out)?;
            return to_low_bits(loaded, slot, out);
        };
        if matches!(op, BinaryOp::Lshift | BinaryOp::Rshift) {
            let loaded = self.load_binary(left, slot, bits, out)?;
            let count = literal_u32(right)?;
            let op = if *op == BinaryOp::Lshift { BitwiseOp::Lshift(count) } else { BitwiseOp::Rshift(count) };
            let dreg = reg(slot)?;
            let len = bits.div_ceil(8).max(loaded.len);
            out.push(Expr::Bitwise { dreg, sreg: dreg, len, op });
            return Ok(Loaded { len, bits: bits.max(loaded.bits), ..loaded });
        }
        if !is_literal(right) {
            return self.load_two(*op, left, right, slot, bits, out);
        }
        let mut steps = vec![(*op, &**right)];
        let mut base = &**left;
        while let Expression::Binary { op, left, right } = base
            && matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
            && is_literal(right)
        {
            steps.push((*op, &**right));
            base = left;
        }
        let loaded = match base {
            Expression::Binary { .. } => self.load_binary(base, slot, bits, out)?,
            other => {
                let loaded = self.load(other, slot, out)?;
                if bits > loaded.bits { to_low_bits(loaded, slot, out)? } else { loaded }
            }
        };
        let wide = Loaded { len: bits.div_ceil(8).max(loaded.len), bits: bits.max(loaded.bits), ..loaded };
        out.push(masked(reg(slot)?, &wide, &steps)?);
        Ok(wide)
    }

    /// Both sides in registers (kernel 6.14).
    fn load_two(
        &mut self,
        op: BinaryOp,
        left: &Expression,
        right: &Expression,
        slot: usize,
        bits: u32,
        out: &mut Vec<Expr>,
    ) -> Result<Loaded, LowerErrorKind> {
        let loaded = self.load_binary(left, slot, bits, out)?;
        let free = self.free;
        let other = self.reserve(right)?;
        self.load_binary(right, other, bits, out)?;
        self.free = free;
        let (dreg, other) = (reg(slot)?, reg(other)?);
        let op = match op {
            BinaryOp::And => BitwiseOp::And(other),
            BinaryOp::Or => BitwiseOp::Or(other),
            _ => BitwiseOp::Xor(other),
        };
        out.push(Expr::Bitwise { dreg, sreg: dreg, len: bits.div_ceil(8), op });
        Ok(Loaded { len: bits.div_ceil(8), bits, ..loaded })
    }
}

/// One `bitwise` for literal operands, given from the last to the first.
fn masked(dreg: Reg, loaded: &Loaded, steps: &[(BinaryOp, &Expression)]) -> Result<Expr, LowerErrorKind> {
    let len = loaded.len as usize;
    let mut mask = vec![0xff_u8; len];
    let mut xor = vec![0_u8; len];
    for (op, right) in steps.iter().rev() {
        let operand = loaded.data(&bytes_of(right)?)?;
        for ((mask, xor), bits) in mask.iter_mut().zip(&mut xor).zip(operand.iter()) {
            match op {
                BinaryOp::And => (*mask, *xor) = (*mask & bits, *xor & bits),
                BinaryOp::Or => (*mask, *xor) = (*mask & !bits, *xor & !bits | bits),
                _ => *xor ^= bits,
            }
        }
    }
    let op = BitwiseOp::Mask { mask: Packed::new(&mask), xor: Packed::new(&xor) };
    Ok(Expr::Bitwise { dreg, sreg: dreg, len: loaded.len, op })
}

/// Moves a part of a byte to the end of its register, where a value on its own stands.
pub(super) fn to_low_bits(loaded: Loaded, slot: usize, out: &mut Vec<Expr>) -> Result<Loaded, LowerErrorKind> {
    if loaded.shift == 0 {
        return Ok(loaded);
    }
    let dreg = reg(slot)?;
    let mut order = loaded.order;
    if loaded.len > 1 && order == ByteOrder::Network {
        // Shifts work on numbers of the machine.
        out.push(Expr::Byteorder { dreg, sreg: dreg, to_network: false, len: loaded.len, size: loaded.len });
        order = ByteOrder::Host;
    }
    out.push(Expr::Bitwise { dreg, sreg: dreg, len: loaded.len, op: BitwiseOp::Rshift(loaded.shift) });
    Ok(Loaded { shift: 0, order, ..loaded })
}

/// Turns a number of the machine to network order, in which values sort.
pub(super) fn to_network(loaded: &Loaded, slot: usize, out: &mut Vec<Expr>) -> Result<(), LowerErrorKind> {
    if loaded.is_host_number() {
        let dreg = reg(slot)?;
        out.push(Expr::Byteorder { dreg, sreg: dreg, to_network: true, len: loaded.len, size: loaded.len });
    }
    Ok(())
}

fn literal_u32(expression: &Expression) -> Result<u32, LowerErrorKind> {
    match expression {
        Expression::Value(value) => value.to_u128().and_then(|number| u32::try_from(number).ok()),
        _ => None,
    }
    .ok_or_else(|| super::literal::not_literal(expression))
}

/// The bytes that hold some bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u32,
    pub(crate) len: u32,
    /// Bits behind the last one wanted.
    pub(crate) shift: u32,
    bits: u32,
}

impl Place {
    pub(crate) fn of(offset_bits: u32, bits: u32) -> Self {
        let offset = offset_bits / 8;
        let end = offset_bits + bits;
        let len = end.div_ceil(8) - offset;
        Self { offset, len, shift: end.next_multiple_of(8) - end, bits }
    }

    /// Bits inside bytes that are given.
    pub(crate) fn within(offset: u32, len: u32, offset_bits: u32, bits: u32) -> Self {
        Self { offset, len, shift: (offset + len) * 8 - offset_bits - bits, bits }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.bits == self.len * 8
    }

    /// The mask of the bits inside the bytes.
    pub(crate) fn mask(&self) -> Vec<u8> {
        let first = self.len * 8 - self.shift - self.bits;
        (0..self.len)
            .map(|byte| {
                (0..8).fold(0, |mask, bit| {
                    let at = byte * 8 + bit;
                    mask << 1 | u8::from(at >= first && at < first + self.bits)
                })
            })
            .collect()
    }

    /// Cuts off the bits around the value.
    fn trim(&self, loaded: Loaded, dreg: Reg, out: &mut Vec<Expr>) -> Loaded {
        if self.is_whole() {
            return loaded;
        }
        let op = BitwiseOp::Mask { mask: Packed::new(&self.mask()), xor: Packed::new(&vec![0; self.len as usize]) };
        out.push(Expr::Bitwise { dreg, sreg: dreg, len: self.len, op });
        Loaded { shift: self.shift, len: self.len, ..loaded }
    }
}

/// A load inside a tunnel: VXLAN and Geneve headers are 8 bytes long.
pub(crate) fn inside(tunnel: Header, load: Expr) -> Expr {
    let (kind, header_len, flags) = match tunnel {
        Header::Vxlan => (1, 8, 0xf),
        Header::Geneve => (2, 8, 0xf),
        Header::Gretap => (0, 4, 0xe),
        _ => (0, 4, 0xc),
    };
    Expr::Inner { kind, header_len, flags, expr: Box::new(load) }
}

/// Loads that are one expression without operands.
fn simple_load(expression: &Expression, dreg: Reg) -> Result<Expr, LowerErrorKind> {
    Ok(match expression {
        Expression::Meta(key) => Expr::Meta { dreg, key: *key },
        Expression::Ct { key, direction } => Expr::Ct { dreg, key: *key, direction: *direction },
        Expression::Rt(key) => Expr::Rt { dreg, key: *key },
        Expression::Socket { key, level } => Expr::Socket { dreg, key: *key, level: *level },
        Expression::Fib { flags, result } => {
            let present = matches!(result, FibResult::Exists | FibResult::Check);
            let result = if present { FibResult::Oif } else { *result };
            Expr::Fib { dreg, flags: *flags, result, present }
        }
        Expression::Osf { ttl, version } => {
            let ttl = match ttl {
                OsfTtl::Strict => 0,
                OsfTtl::Loose => 1,
                OsfTtl::Skip => 2,
            };
            Expr::Osf { dreg, ttl, flags: u32::from(*version) }
        }
        Expression::Ipsec { direction, spnum, key } => {
            Expr::Xfrm { dreg, key: *key, direction: *direction, spnum: u32::from(*spnum) }
        }
        Expression::Tunnel(key) => Expr::Tunnel { dreg, key: *key },
        Expression::Numgen(numgen) => {
            Expr::Numgen { dreg, mode: numgen.mode, modulus: numgen.modulus, offset: numgen.offset }
        }
        Expression::Opaque(opaque) => return Err(LowerErrorKind::Opaque(opaque.text.clone())),
        other => return Err(LowerErrorKind::Unsupported(format!("{other:?}"))),
    })
}

/// The ICMP types that have a field; none for a field that all have.
pub(crate) fn icmp_types(field: PayloadField) -> &'static [u8] {
    match (field.header(), field.spec().name) {
        (Header::Icmp, "id" | "sequence") => &[0, 8],
        (Header::Icmp, "gateway") => &[5],
        (Header::Icmp, "mtu") => &[3],
        (Header::Icmpv6, "id" | "sequence") => &[129, 128],
        (Header::Icmpv6, "mtu") => &[2],
        (Header::Icmpv6, "parameter-problem") => &[4],
        (Header::Icmpv6, "max-delay") => &[130],
        (Header::Icmpv6, "taddr") => &[130, 131, 132, 135, 136, 137],
        (Header::Icmpv6, "daddr") => &[137],
        _ => &[],
    }
}

/// Uses of a set in a register program.
pub(super) type KeyUse = (SetUse, Option<Loaded>);
