//! Names of bytes of the packet.

use super::held::{Held, Packet, literal, raw};
use super::{Lifting, Naming};
use crate::ir::protocols::Known;
use crate::ir::{BinaryOp, ByteOrder, DataType, Expression, Header, Payload, PayloadBase, PayloadField};
use crate::lower::literal::Loaded;
use crate::lower::load::{Place, icmp_types};

impl Lifting<'_> {
    /// What is held, by its name, and how the register holds it.
    pub(super) fn named(&self, held: &Held) -> Option<(Expression, Loaded)> {
        match held {
            Held::Known(expression, loaded) => Some((expression.clone(), *loaded)),
            Held::Literal(bytes) => {
                let loaded = Loaded::new(DataType::Integer, bytes.len() as u32 * 8, ByteOrder::Host);
                Some((literal(&loaded, bytes), loaded))
            }
            Held::Packet(packet) => self.named_packet(packet),
        }
    }

    fn named_packet(&self, packet: &Packet) -> Option<(Expression, Loaded)> {
        if packet.xor.is_some() {
            return None;
        }
        if let Some((field, place)) = self.find(packet) {
            let payload = Payload::Field(field);
            let (datatype, bits, order) = payload.typed();
            let shift = if packet.shifted > 0 { 0 } else { place.shift };
            let loaded = Loaded { shift, len: packet.len, ..Loaded::new(datatype, bits, order) };
            return (packet.shifted == 0 || packet.shifted == place.shift)
                .then_some((Expression::Payload(payload), loaded));
        }
        let Some(mask) = &packet.mask else {
            let (datatype, bits, order) = (DataType::Integer, packet.len * 8, ByteOrder::Network);
            return Some((raw(packet), Loaded::new(datatype, bits, order)));
        };
        let whole = Packet { mask: None, shifted: 0, ..packet.clone() };
        let (left, loaded) = self.named_packet(&whole)?;
        if matches!(left, Expression::Payload(Payload::Raw { .. }))
            && let Some(part) = raw_part(packet, mask)
        {
            return Some(part);
        }
        let right = Box::new(literal(&loaded, mask));
        let and = Expression::Binary { op: BinaryOp::And, left: Box::new(left), right };
        (packet.shifted == 0).then_some((and, loaded))
    }

    /// The field that is exactly these bytes or bits.
    fn find(&self, packet: &Packet) -> Option<(PayloadField, Place)> {
        self.candidates(packet.base).into_iter().flat_map(fields).find_map(|field| {
            let place = Place::of(self.offset_bits(field), field.spec().bits);
            let whole = place.is_whole() && packet.mask.is_none();
            let part = !place.is_whole() && packet.mask.as_ref().is_some_and(|mask| place.mask() == mask.as_slice());
            let here = place.offset == packet.offset && place.len == packet.len && (whole || part);
            (here && self.has(field)).then_some((field, place))
        })
    }

    /// The field of whole bytes that begins there, with its length in bytes.
    pub(super) fn field_at(&self, base: PayloadBase, offset: u32) -> Option<(PayloadField, u32)> {
        self.candidates(base).into_iter().flat_map(fields).find_map(|field| {
            let place = Place::of(self.offset_bits(field), field.spec().bits);
            (place.is_whole() && place.offset == offset && self.has(field)).then_some((field, place.len))
        })
    }

    /// The field that is exactly those bits.
    pub(super) fn field_with_bits(&self, base: PayloadBase, offset_bits: u32, bits: u32) -> Option<PayloadField> {
        self.candidates(base)
            .into_iter()
            .flat_map(fields)
            .find(|field| self.offset_bits(*field) == offset_bits && field.spec().bits == bits && self.has(*field))
    }

    fn offset_bits(&self, field: PayloadField) -> u32 {
        let tags = if field.header() == Header::Vlan { self.protocols.vlans.saturating_sub(1) * 32 } else { 0 };
        field.spec().offset_bits + tags
    }

    /// Whether the message is known to have the field.
    fn has(&self, field: PayloadField) -> bool {
        let types = icmp_types(field);
        types.is_empty()
            || self.icmp_type.as_ref().is_some_and(|known| known.iter().all(|number| types.contains(number)))
    }

    /// Headers that may be at that base.
    fn candidates(&self, base: PayloadBase) -> Vec<Header> {
        if self.naming == Naming::Raw {
            return Vec::new();
        }
        let known = match base {
            PayloadBase::Link => self.protocols.link,
            PayloadBase::Network => self.protocols.network,
            PayloadBase::Transport => self.protocols.transport,
            PayloadBase::Inner | PayloadBase::Tunnel => Known::No,
        };
        match (base, known) {
            (PayloadBase::Link, Known::Is(Header::Vlan)) => vec![Header::Vlan, Header::Ether],
            (_, Known::Is(header)) => vec![header],
            (PayloadBase::Transport, Known::No | Known::Foreign) => vec![Header::Th],
            _ => Vec::new(),
        }
    }
}

fn fields(header: Header) -> impl Iterator<Item = PayloadField> {
    (0..header.fields().len()).filter_map(move |at| PayloadField::at(header, at))
}

/// Bits in a row inside bytes without a name.
fn raw_part(packet: &Packet, mask: &[u8]) -> Option<(Expression, Loaded)> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let lead = mask.iter().position(|byte| *byte != 0)? as u32 * 8;
    let lead = lead + mask[(lead / 8) as usize].leading_zeros();
    let place = Place::of(packet.offset * 8 + lead, ones);
    if place.offset != packet.offset || place.len != packet.len || place.mask() != mask {
        return None;
    }
    let payload = Payload::Raw { base: packet.base, offset_bits: packet.offset * 8 + lead, bits: ones };
    let shift = if packet.shifted > 0 { 0 } else { place.shift };
    let loaded = Loaded::new(DataType::Integer, ones, ByteOrder::Network);
    (packet.shifted == 0 || packet.shifted == place.shift)
        .then_some((Expression::Payload(payload), Loaded { shift, len: packet.len, ..loaded }))
}
