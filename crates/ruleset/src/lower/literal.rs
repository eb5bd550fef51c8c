//! Literal values as registers hold them.

use super::LowerErrorKind;
use crate::ir::{ByteOrder, DataType, Expression, Packed, Value};

/// What a register holds after a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) datatype: DataType,
    /// Length of the value in bits.
    pub(crate) bits: u32,
    pub(crate) order: ByteOrder,
    /// The value stands this many bits to the left of its register's end.
    pub(crate) shift: u32,
    /// Length of the register's part that was written, in bytes.
    pub(crate) len: u32,
}

impl Loaded {
    pub(crate) fn new(datatype: DataType, bits: u32, order: ByteOrder) -> Self {
        Self { datatype, bits, order, shift: 0, len: bits.div_ceil(8) }
    }

    /// Names start at the left and have no order.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.datatype, DataType::IfName | DataType::String)
    }

    /// Whether the register holds a number of the machine whose bytes do not sort.
    pub(crate) fn is_host_number(&self) -> bool {
        self.order == ByteOrder::Host && self.len > 1 && !self.is_text()
    }

    /// Whether nft takes a value of it without a sign as flags: any bit in common.
    pub(crate) fn is_flags(&self) -> bool {
        matches!(
            self.datatype,
            DataType::TcpFlag | DataType::CtState | DataType::CtStatus | DataType::CtLabel | DataType::CtEvent
        )
    }

    /// The bytes of a number in network order, `shift` applied, as the register would hold it.
    pub(crate) fn data(&self, network: &[u8]) -> Result<Packed, LowerErrorKind> {
        let len = self.len as usize;
        let mut bytes = if self.is_text() {
            let mut bytes = network.to_vec();
            bytes.resize(len.max(network.len()), 0);
            bytes
        } else {
            shifted(network, self.shift, len)
                .ok_or_else(|| LowerErrorKind::Type(format!("value does not fit {} bits", self.bits)))?
        };
        if self.is_host_number() && cfg!(target_endian = "little") {
            bytes.reverse();
        }
        Ok(Packed::new(&bytes))
    }

    /// The bytes of a literal as the register would hold them.
    pub(crate) fn literal(&self, expression: &Expression) -> Result<Packed, LowerErrorKind> {
        self.data(&bytes_of(expression)?)
    }

    /// A number with those high bits of the value set.
    pub(crate) fn prefix_mask(&self, prefix: u32) -> Vec<u8> {
        let bits = self.bits.max(prefix);
        (0..bits.div_ceil(8))
            .map(|byte| {
                // Counted from the value's first bit, which may stand inside its first byte.
                let lead = bits.div_ceil(8) * 8 - bits;
                (0..8).fold(0, |mask, bit| {
                    let at = byte * 8 + bit;
                    let set = at >= lead && at - lead < prefix;
                    mask << 1 | u8::from(set)
                })
            })
            .collect()
    }
}

/// A number in `len` bytes of network order, moved to the left; `None` where it does not fit.
pub(crate) fn shifted(network: &[u8], shift: u32, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; len];
    for (from_end, byte) in network.iter().rev().enumerate() {
        let wide = u16::from(*byte) << (shift % 8);
        let low = from_end + (shift / 8) as usize;
        for (place, part) in [(low, wide & 0xff), (low + 1, wide >> 8)] {
            if part == 0 {
                continue;
            }
            let at = len.checked_sub(place + 1)?;
            bytes[at] |= part as u8;
        }
    }
    Some(bytes)
}

/// The bytes of a literal in network order; of several flags, all bits together.
pub(crate) fn bytes_of(expression: &Expression) -> Result<Vec<u8>, LowerErrorKind> {
    match expression {
        Expression::Value(value) => Ok(value.bytes.to_vec()),
        Expression::List(parts) => {
            let mut bits = 0_u128;
            for part in parts {
                bits |= value_of(part)?.to_u128().ok_or_else(|| not_literal(part))?;
            }
            Ok(bits.to_be_bytes().to_vec())
        }
        Expression::Binary { op: crate::ir::BinaryOp::Or, left, right } => {
            let number = |part| -> Result<u128, LowerErrorKind> {
                Value::new(DataType::Integer, bytes_of(part)?.as_slice()).to_u128().ok_or_else(|| not_literal(part))
            };
            Ok((number(left)? | number(right)?).to_be_bytes().to_vec())
        }
        other => Err(not_literal(other)),
    }
}

fn value_of(expression: &Expression) -> Result<&Value, LowerErrorKind> {
    match expression {
        Expression::Value(value) => Ok(value),
        other => Err(not_literal(other)),
    }
}

pub(crate) fn not_literal(expression: &Expression) -> LowerErrorKind {
    LowerErrorKind::Unsupported(format!("{expression:?} in place of a literal"))
}

/// Whether it is a literal.
pub(crate) fn is_literal(expression: &Expression) -> bool {
    bytes_of(expression).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_move_to_their_place_in_the_register() {
        assert_eq!(shifted(&[0x3f], 6, 2), Some(vec![0x0f, 0xc0]));
        assert_eq!(shifted(&[5], 0, 4), Some(vec![0, 0, 0, 5]));
        assert_eq!(shifted(&[0, 0, 5], 0, 1), Some(vec![5]));
        assert_eq!(shifted(&[1, 0], 0, 1), None);
    }

    #[test]
    fn prefixes_count_from_the_first_bit_of_the_value() {
        let loaded = |bits| Loaded::new(DataType::Integer, bits, ByteOrder::Network);
        assert_eq!(loaded(32).prefix_mask(9), [0xff, 0x80, 0, 0]);
        assert_eq!(loaded(12).prefix_mask(4), [0x0f, 0]);
    }
}
