//! What registers hold while a program is read.

use super::Lifting;
use crate::expr::{BitwiseOp, Expr, Reg, SetUse};
use crate::ir::{
    AnySet, BinaryOp, ByteOrder, DataType, Expression, Exthdr, ExthdrCarrier, FibResult, Hash, Header, Numgen, OsfTtl,
    Packed, Payload, PayloadBase, Value,
};
use crate::lower::literal::Loaded;
use crate::lower::load::Place;

/// What is in a register.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A literal, whose type the use tells.
    Literal(Packed),
    /// Bytes of the packet, not yet named: mask as they were cut, and the number of bits they were shifted.
    Packet(Packet),
    /// Something with a name.
    Known(Expression, Loaded),
}

/// Bytes of the packet.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) base: PayloadBase,
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) mask: Option<Packed>,
    /// What was set by the same expression.
    pub(super) xor: Option<Packed>,
    pub(super) shifted: u32,
    /// The tunnel they are inside of.
    pub(super) tunnel: Option<Header>,
}

impl Lifting<'_> {
    pub(super) fn at(&self, reg: Reg) -> Option<&Held> {
        self.held[reg.slot()].as_ref()
    }

    fn put(&mut self, reg: Reg, held: Held) -> Option<()> {
        self.held[reg.slot()] = Some(held);
        Some(())
    }

    fn put_known(&mut self, reg: Reg, expression: Expression) -> Option<()> {
        let (datatype, bits, order) = expression.typed()?;
        self.put(reg, Held::Known(expression, Loaded::new(datatype, bits, order)))
    }

    /// Follows an expression that writes a register; `None` for any other.
    pub(super) fn load(&mut self, expr: &Expr) -> Option<()> {
        match expr {
            Expr::Immediate { dreg, data } => self.put(*dreg, Held::Literal(data.clone())),
            Expr::Payload { dreg, base, offset, len } => self.put(
                *dreg,
                Held::Packet(Packet {
                    base: *base,
                    offset: *offset,
                    len: *len,
                    mask: None,
                    xor: None,
                    shifted: 0,
                    tunnel: None,
                }),
            ),
            Expr::Exthdr { dreg, kind, offset, len, op, flags } => {
                let exthdr = exthdr(*kind, *offset, *len, *op, *flags, None)?;
                let known = self.put_known(*dreg, Expression::Exthdr(exthdr));
                if let Some(Held::Known(_, loaded)) = &mut self.held[dreg.slot()] {
                    loaded.len = *len;
                }
                known
            }
            Expr::Lookup { sreg, set, dreg: Some(dreg), .. } => {
                let key = self.key(*sreg, set)?;
                let map = self.lift_set(&key, set)?;
                let loaded = self.data_type(set)?;
                let expression = Expression::Map { key: Box::new(key), map: Box::new(map) };
                self.put(*dreg, Held::Known(expression, loaded))
            }
            Expr::Jhash { dreg, sreg, len, modulus, seed, offset } => {
                let key = Box::new(self.concat(*sreg, *len as usize)?);
                let (modulus, seed, offset) = (*modulus, *seed, *offset);
                self.put_known(*dreg, Expression::Hash(Hash::Jhash { key, modulus, seed, offset }))
            }
            Expr::Bitwise { dreg, sreg, len, op } => self.bitwise(*dreg, *sreg, *len, op),
            Expr::Byteorder { dreg, sreg, to_network, .. } => {
                let mut held = self.at(*sreg)?.clone();
                if let Held::Known(_, loaded) = &mut held {
                    loaded.order = if *to_network { ByteOrder::Network } else { ByteOrder::Host };
                }
                self.put(*dreg, held)
            }
            other => {
                let (dreg, expression) = simple(other)?;
                self.put_known(dreg, expression)
            }
        }
    }

    /// What a map gives.
    fn data_type(&self, set: &SetUse) -> Option<Loaded> {
        let map = match set {
            SetUse::Named(name) => self.sets.find(name)?,
            SetUse::Anonymous(set) => set,
        };
        let AnySet::Map(map) = map else { return None };
        Some(match map.data.fields.as_slice() {
            [field] => Loaded::new(field.datatype, field.bits, field.byte_order),
            _ => Loaded::new(DataType::Integer, map.data.len() as u32 * 8, ByteOrder::Network),
        })
    }

    fn bitwise(&mut self, dreg: Reg, sreg: Reg, len: u32, op: &BitwiseOp) -> Option<()> {
        let mut held = self.at(sreg)?.clone();
        if let Held::Packet(packet) = &mut held {
            match op {
                BitwiseOp::Mask { mask, xor } if packet.mask.is_none() && packet.shifted == 0 && len == packet.len => {
                    packet.mask = Some(mask.clone());
                    packet.xor = Some(xor.clone()).filter(|xor| xor.iter().any(|byte| *byte != 0));
                    return self.put(dreg, held);
                }
                BitwiseOp::Rshift(bits) if packet.mask.is_some() && packet.shifted == 0 => {
                    packet.shifted = *bits;
                    return self.put(dreg, held);
                }
                _ => {}
            }
        }
        let (expression, loaded) = self.named(&held)?;
        if let (Expression::Exthdr(whole), BitwiseOp::Mask { mask, .. }) = (&expression, op)
            && let Some((exthdr, loaded)) = exthdr_part(whole, &loaded, mask)
        {
            return self.put(dreg, Held::Known(Expression::Exthdr(exthdr), loaded));
        }
        let loaded = Loaded { bits: loaded.bits.max(len * 8), len: len.max(loaded.len), ..loaded };
        let combine = |op, left, right| Expression::Binary { op, left: Box::new(left), right: Box::new(right) };
        let expression = match op {
            BitwiseOp::Mask { mask, xor } => masked(expression, &loaded, mask, xor)?,
            BitwiseOp::Rshift(bits) if loaded.shift == *bits => {
                return self.put(dreg, Held::Known(expression, Loaded { shift: 0, ..loaded }));
            }
            BitwiseOp::Lshift(bits) => combine(BinaryOp::Lshift, expression, count(*bits)),
            BitwiseOp::Rshift(bits) => combine(BinaryOp::Rshift, expression, count(*bits)),
            BitwiseOp::And(other) => combine(BinaryOp::And, expression, self.named(self.at(*other)?)?.0),
            BitwiseOp::Or(other) => combine(BinaryOp::Or, expression, self.named(self.at(*other)?)?.0),
            BitwiseOp::Xor(other) => combine(BinaryOp::Xor, expression, self.named(self.at(*other)?)?.0),
        };
        self.put(dreg, Held::Known(expression, loaded))
    }
}

fn count(bits: u32) -> Expression {
    Expression::Value(Value::number(DataType::Integer, bits))
}

/// Bytes of a register as a literal of the type that is there.
pub(super) fn literal(loaded: &Loaded, bytes: &[u8]) -> Expression {
    Expression::Value(value(loaded, bytes))
}

/// Bytes of a register as a value in network order.
pub(super) fn value(loaded: &Loaded, bytes: &[u8]) -> Value {
    if loaded.is_text() {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        return Value::new(loaded.datatype, &bytes[..end]);
    }
    let mut bytes = bytes.to_vec();
    if loaded.is_host_number() && cfg!(target_endian = "little") {
        bytes.reverse();
    }
    let bytes = unshifted(&bytes, loaded.shift, loaded.bits.div_ceil(8) as usize);
    Value::new(loaded.datatype, bytes.as_slice())
}

/// Moves a number to the right, and keeps `len` bytes of it.
pub(super) fn unshifted(bytes: &[u8], shift: u32, len: usize) -> Vec<u8> {
    let mut moved = Vec::with_capacity(len);
    for from_end in 0..len {
        let low = from_end + (shift / 8) as usize;
        let byte = |at: usize| bytes.len().checked_sub(at + 1).map_or(0, |at| u16::from(bytes[at]));
        moved.push(((byte(low) | byte(low + 1) << 8) >> (shift % 8)) as u8);
    }
    moved.reverse();
    moved
}

/// `left & m ^ x | o`, of which only what does something.
fn masked(left: Expression, loaded: &Loaded, mask: &[u8], xor: &[u8]) -> Option<Expression> {
    if mask.len() != xor.len() {
        return None;
    }
    let combined = |combine: fn(u8, u8) -> u8| mask.iter().zip(xor).map(|(mask, xor)| combine(*mask, *xor)).collect();
    let or: Vec<u8> = combined(|mask, xor| xor & !mask);
    let flip: Vec<u8> = combined(|mask, xor| xor & mask);
    let and: Vec<u8> = combined(|mask, xor| mask | xor & !mask);
    let wide = Loaded { bits: mask.len() as u32 * 8, len: mask.len() as u32, ..*loaded };
    let mut expression = left;
    let steps = [
        (BinaryOp::And, &and, and.iter().any(|byte| *byte != 0xff)),
        (BinaryOp::Xor, &flip, flip.iter().any(|byte| *byte != 0)),
        (BinaryOp::Or, &or, or.iter().any(|byte| *byte != 0)),
    ];
    for (op, bytes, does_something) in steps {
        if does_something {
            let right = Box::new(literal(&wide, bytes));
            expression = Expression::Binary { op, left: Box::new(expression), right };
        }
    }
    Some(expression)
}

/// The option field at that place, whole or, with a mask, a part of its bytes.
pub(super) fn exthdr(kind: u8, offset: u32, len: u32, op: u32, flags: u32, mask: Option<&[u8]>) -> Option<Exthdr> {
    let carrier = [
        ExthdrCarrier::Ipv6,
        ExthdrCarrier::TcpOption,
        ExthdrCarrier::IpOption,
        ExthdrCarrier::SctpChunk,
        ExthdrCarrier::DccpOption,
    ]
    .into_iter()
    .find(|carrier| carrier.number() == op)?;
    let named = || carrier.headers().iter().filter(move |header| header.number == kind);
    let number = || kind.to_string();
    if flags & 1 != 0 {
        let name = named().next().map_or_else(number, |header| header.name.to_owned());
        return Some(Exthdr { carrier, name, field: None });
    }
    for header in named() {
        for field in header.fields {
            // Fields that are repeated have an index; the first few are looked at.
            let (stem, count) = match field.name.strip_suffix("[]") {
                Some(stem) => (stem, 4),
                None => (field.name, 1),
            };
            for index in 0..count {
                let place = Place::of(field.offset_bits + index * field.bits, field.bits);
                let whole = place.is_whole() && mask.is_none();
                let part = !place.is_whole() && mask.is_some_and(|mask| place.mask() == mask);
                if place.offset == offset && place.len == len && (whole || part) {
                    let name = if count > 1 { format!("{stem}[{index}]") } else { stem.to_owned() };
                    return Some(Exthdr { carrier, name: header.name.to_owned(), field: Some(name) });
                }
            }
        }
    }
    if mask.is_some() {
        return None;
    }
    let name = format!("@{kind},{},{}", offset * 8, len * 8);
    Some(Exthdr { carrier, name, field: None })
}

/// The field that a mask cuts out of an option's bytes.
fn exthdr_part(whole: &Exthdr, loaded: &Loaded, mask: &[u8]) -> Option<(Exthdr, Loaded)> {
    let (kind, spec) = whole.spec()?;
    let part = exthdr(kind, spec.offset_bits / 8, loaded.len, whole.carrier.number(), 0, Some(mask))?;
    let (_, spec) = part.spec()?;
    let place = Place::of(spec.offset_bits, spec.bits);
    let typed = Loaded::new(spec.datatype, spec.bits, ByteOrder::Network);
    Some((part, Loaded { shift: place.shift, len: place.len, ..typed }))
}

/// Loads without operands.
fn simple(expr: &Expr) -> Option<(Reg, Expression)> {
    Some(match expr {
        Expr::Meta { dreg, key } => (*dreg, Expression::Meta(*key)),
        Expr::Ct { dreg, key, direction } => (*dreg, Expression::Ct { key: *key, direction: *direction }),
        Expr::Rt { dreg, key } => (*dreg, Expression::Rt(*key)),
        Expr::Socket { dreg, key, level } => (*dreg, Expression::Socket { key: *key, level: *level }),
        Expr::Fib { dreg, flags, result, present } => {
            let result = if *present { FibResult::Exists } else { *result };
            (*dreg, Expression::Fib { flags: *flags, result })
        }
        Expr::Osf { dreg, ttl, flags } => {
            let ttl = match ttl {
                0 => OsfTtl::Strict,
                1 => OsfTtl::Loose,
                _ => OsfTtl::Skip,
            };
            (*dreg, Expression::Osf { ttl, version: flags & 1 != 0 })
        }
        Expr::Xfrm { dreg, key, direction, spnum } => {
            let spnum = u8::try_from(*spnum).ok()?;
            (*dreg, Expression::Ipsec { direction: *direction, spnum, key: *key })
        }
        Expr::Tunnel { dreg, key } => (*dreg, Expression::Tunnel(*key)),
        Expr::Numgen { dreg, mode, modulus, offset } => {
            (*dreg, Expression::Numgen(Numgen { mode: *mode, modulus: *modulus, offset: *offset }))
        }
        Expr::Symhash { dreg, modulus, offset } => {
            (*dreg, Expression::Hash(Hash::Symhash { modulus: *modulus, offset: *offset }))
        }
        _ => return None,
    })
}

/// Bytes by their place.
pub(super) fn raw(packet: &Packet) -> Expression {
    Expression::Payload(Payload::Raw { base: packet.base, offset_bits: packet.offset * 8, bits: packet.len * 8 })
}
