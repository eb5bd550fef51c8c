//! Writing into the packet: `ip dscp set …`, `tcp option maxseg size set …`.
//!
//! nft: `netlink_gen_payload_stmt`, `netlink_gen_exthdr_stmt` (src/netlink_linearize.c), `stmt_evaluate_payload`
//! (src/evaluate.c).

use super::literal::{Loaded, bytes_of, is_literal, shifted};
use super::load::{Place, reg};
use super::{LowerErrorKind, Lowering};
use crate::expr::{BitwiseOp, Expr};
use crate::ir::{BinaryOp, ByteOrder, DataType, Expression, Exthdr, Header, Packed, Payload, PayloadBase};

/// `NFT_PAYLOAD_CSUM_INET`.
const CSUM_INET: u32 = 1;
/// `NFT_PAYLOAD_L4CSUM_PSEUDOHDR`.
const L4_PSEUDO_HEADER: u32 = 1;

/// How the kernel mends checksums after a write.
struct Checksum {
    kind: u32,
    offset: u32,
    flags: u32,
}

impl Checksum {
    const NONE: Self = Self { kind: 0, offset: 0, flags: 0 };

    fn of(payload: &Payload) -> Self {
        let field = match payload {
            Payload::Field(field) => field,
            // The kernel looks for the checksum of what carries these bytes.
            Payload::Raw { base: PayloadBase::Inner, .. } => return Self { flags: L4_PSEUDO_HEADER, ..Self::NONE },
            _ => return Self::NONE,
        };
        let name = field.spec().name;
        match field.header() {
            Header::Ip => {
                let pseudo = matches!(name, "saddr" | "daddr" | "protocol" | "length");
                let flags = if pseudo { L4_PSEUDO_HEADER } else { 0 };
                Self { kind: CSUM_INET, offset: 10, flags }
            }
            Header::Ip6 if matches!(name, "saddr" | "daddr" | "nexthdr" | "length") => {
                Self { flags: L4_PSEUDO_HEADER, ..Self::NONE }
            }
            Header::Tcp if name != "checksum" => Self { kind: CSUM_INET, offset: 16, flags: 0 },
            // A checksum of nought stays: the sender did not use one.
            Header::Udp if name == "checksum" => Self { flags: L4_PSEUDO_HEADER, ..Self::NONE },
            Header::Udp | Header::Udplite => Self { flags: L4_PSEUDO_HEADER, ..Self::NONE },
            Header::Icmp | Header::Icmpv6 | Header::Igmp if name != "checksum" => {
                Self { kind: CSUM_INET, offset: 2, flags: 0 }
            }
            _ => Self::NONE,
        }
    }

    /// Whether the place must begin and end at an even byte: checksums count in words of two.
    fn is_kept(&self) -> bool {
        self.kind != 0
    }
}

/// Writes a value into a header field.
pub(super) fn payload(
    lowering: &mut Lowering<'_>,
    payload: &Payload,
    value: &Expression,
) -> Result<Vec<Expr>, LowerErrorKind> {
    let (datatype, bits, order) = payload.typed();
    let (base, offset_bits) = lowering.place(payload);
    let checksum = Checksum::of(payload);
    let write = |sreg, place: &Place| Expr::PayloadSet {
        sreg,
        base,
        offset: place.offset,
        len: place.len,
        csum_type: checksum.kind,
        csum_offset: checksum.offset,
        csum_flags: checksum.flags,
    };
    let mut out = Vec::new();
    let exact = Place::of(offset_bits, bits);
    let even = exact.offset.is_multiple_of(2) && exact.len.is_multiple_of(2);
    if exact.is_whole() && (even || !checksum.is_kept() || exact.len > 1) {
        let slot = lowering.reserve(value)?;
        lowering.argument(value, Loaded::new(datatype, bits, order), slot, &mut out)?;
        out.push(write(reg(slot)?, &exact));
        return Ok(out);
    }
    let place = if checksum.is_kept() { words(offset_bits, bits) } else { exact };
    let slot = lowering.reserve_slots(4)?;
    let dreg = reg(slot)?;
    out.push(Expr::Payload { dreg, base, offset: place.offset, len: place.len });
    if !is_literal(value) {
        return computed(lowering, value, place, slot, write(dreg, &place), out);
    }
    let keep: Vec<u8> = place.mask().iter().map(|byte| !byte).collect();
    let bits_set = shifted(&bytes_of(value)?, place.shift, place.len as usize)
        .ok_or_else(|| LowerErrorKind::Type(format!("value does not fit {bits} bits")))?;
    let op = BitwiseOp::Mask { mask: Packed::new(&keep), xor: Packed::new(&bits_set) };
    out.push(Expr::Bitwise { dreg, sreg: dreg, len: place.len, op });
    out.push(write(dreg, &place));
    Ok(out)
}

/// `field set field & mask | value`: the value is what was loaded, with some bits changed.
fn computed(
    lowering: &mut Lowering<'_>,
    value: &Expression,
    place: Place,
    slot: usize,
    write: Expr,
    mut out: Vec<Expr>,
) -> Result<Vec<Expr>, LowerErrorKind> {
    let unsupported = || LowerErrorKind::Unsupported(format!("part of a byte set to {value:?}"));
    let (mut mask, mut xor) = (vec![0xff; place.len as usize], vec![0; place.len as usize]);
    let read = changes(value, &place, &mut mask, &mut xor).ok_or_else(unsupported)?;
    let (_, bits, _) = read.typed();
    let (_, offset_bits) = lowering.place(read);
    if Place::of(offset_bits, bits).offset < place.offset {
        return Err(unsupported());
    }
    let dreg = reg(slot)?;
    let op = BitwiseOp::Mask { mask: Packed::new(&mask), xor: Packed::new(&xor) };
    out.push(Expr::Bitwise { dreg, sreg: dreg, len: place.len, op });
    out.push(write);
    Ok(out)
}

/// What operations with literals, one after the other, make of the bytes at a place: `(bytes & mask) ^ xor`. Gives the
/// field they begin with.
fn changes<'a>(value: &'a Expression, place: &Place, mask: &mut [u8], xor: &mut [u8]) -> Option<&'a Payload> {
    let Expression::Binary { op, left, right } = value else { return None };
    let read = match &**left {
        Expression::Payload(read) => read,
        inner => changes(inner, place, mask, xor)?,
    };
    let operand = shifted(&bytes_of(right).ok()?, place.shift, place.len as usize)?;
    for (((mask, xor), bits), field) in mask.iter_mut().zip(xor).zip(operand).zip(place.mask()) {
        match op {
            BinaryOp::And => (*mask, *xor) = (*mask & (!field | bits), *xor & (!field | bits)),
            BinaryOp::Or => (*mask, *xor) = (*mask & !bits, *xor | bits),
            BinaryOp::Xor => *xor ^= bits,
            BinaryOp::Lshift | BinaryOp::Rshift => return None,
        }
    }
    Some(read)
}

/// The words of two bytes that hold some bits.
fn words(offset_bits: u32, bits: u32) -> Place {
    let start = offset_bits / 16 * 2;
    let end = (offset_bits + bits).div_ceil(16) * 2;
    Place::within(start, end - start, offset_bits, bits)
}

/// Writes a value into an option's field.
pub(super) fn exthdr(
    lowering: &mut Lowering<'_>,
    exthdr: &Exthdr,
    value: &Expression,
) -> Result<Vec<Expr>, LowerErrorKind> {
    let (kind, spec) = exthdr.spec().ok_or_else(|| LowerErrorKind::Type(format!("no option field {exthdr:?}")))?;
    let place = Place::of(spec.offset_bits, spec.bits);
    let mut out = Vec::new();
    let slot = lowering.reserve(value)?;
    let wanted = Loaded::new(DataType::Integer, spec.bits, ByteOrder::Network);
    lowering.argument(value, wanted, slot, &mut out)?;
    let sreg = reg(slot)?;
    out.push(Expr::ExthdrSet { sreg, kind, offset: place.offset, len: place.len, op: exthdr.carrier.number() });
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_that_keep_a_checksum_cover_whole_words() {
        let place = words(64, 8);
        assert_eq!((place.offset, place.len, place.shift), (8, 2, 8));
        assert_eq!(place.mask(), [0xff, 0]);
    }
}
