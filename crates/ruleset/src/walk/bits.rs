//! Registers whose bits may be unknown.

use std::cmp::Ordering;

use crate::expr::{CmpOp, Reg};

/// A byte of which some bits are known. Bits that are not are 0 in `value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bits {
    pub(super) value: u8,
    pub(super) known: u8,
}

impl Bits {
    pub(super) const fn known(value: u8) -> Self {
        Self { value, known: 0xff }
    }

    /// `(self & mask) ^ xor`: what is masked out is known to be 0.
    pub(super) const fn masked(self, mask: u8, xor: u8) -> Self {
        let known = self.known | !mask;
        Self { value: ((self.value & mask) ^ xor) & known, known }
    }
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tri {
    Yes,
    No,
    Unknown,
}

impl Tri {
    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    pub(super) fn invert_if(self, inverted: bool) -> Self {
        if inverted { self.not() } else { self }
    }
}

/// The kernel's 64 bytes of registers. Nothing is known of what was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Registers([Bits; 64]);

impl Registers {
    pub(super) fn new() -> Self {
        Self([Bits::default(); 64])
    }

    pub(super) fn read(&self, reg: Reg, len: usize) -> &[Bits] {
        let from = reg.slot() * 4;
        &self.0[from..(from + len).min(64)]
    }

    /// Writes bytes, and zeros up to the next whole register, as the kernel does.
    pub(super) fn write(&mut self, reg: Reg, bytes: &[Bits]) {
        let from = reg.slot() * 4;
        let end = (from + bytes.len().next_multiple_of(4)).min(64);
        self.0[from..end].fill(Bits::known(0));
        let end = (from + bytes.len()).min(64);
        self.0[from..end].copy_from_slice(&bytes[..end - from]);
    }

    pub(super) fn write_known(&mut self, reg: Reg, bytes: &[u8]) {
        let bits: Vec<Bits> = bytes.iter().map(|byte| Bits::known(*byte)).collect();
        self.write(reg, &bits);
    }

    pub(super) fn write_unknown(&mut self, reg: Reg, len: usize) {
        self.write(reg, &vec![Bits::default(); len]);
    }
}

/// The bytes, if all of them are known.
pub(super) fn all_known(bits: &[Bits]) -> Option<Vec<u8>> {
    bits.iter().map(|bits| (bits.known == 0xff).then_some(bits.value)).collect()
}

/// Whether the bytes stand so to `data`.
pub(super) fn compare(bits: &[Bits], op: CmpOp, data: &[u8]) -> Tri {
    let differs = bits.iter().zip(data).any(|(bits, byte)| (bits.value ^ byte) & bits.known != 0);
    let known = all_known(bits);
    let ordering = known.as_ref().map(|bytes| bytes.as_slice().cmp(data));
    let holds = match op {
        CmpOp::Eq if differs => Some(false),
        CmpOp::Neq if differs => Some(true),
        CmpOp::Eq => ordering.map(Ordering::is_eq),
        CmpOp::Neq => ordering.map(Ordering::is_ne),
        CmpOp::Lt => ordering.map(Ordering::is_lt),
        CmpOp::Lte => ordering.map(Ordering::is_le),
        CmpOp::Gt => ordering.map(Ordering::is_gt),
        CmpOp::Gte => ordering.map(Ordering::is_ge),
    };
    match holds {
        Some(true) => Tri::Yes,
        Some(false) => Tri::No,
        None => Tri::Unknown,
    }
}

/// Whether the bytes are from `from` to `to`.
pub(super) fn within(bits: &[Bits], from: &[u8], to: &[u8]) -> Tri {
    match (compare(bits, CmpOp::Gte, from), compare(bits, CmpOp::Lte, to)) {
        (Tri::Yes, Tri::Yes) => Tri::Yes,
        (Tri::No, _) | (_, Tri::No) => Tri::No,
        _ => Tri::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_out_is_known() {
        let bits = Bits { value: 0x20, known: 0x30 }.masked(0x20, 0);
        assert_eq!(bits, Bits::known(0x20));
        assert_eq!(compare(&[bits], CmpOp::Neq, &[0]), Tri::Yes);
        let half = Bits { value: 0x20, known: 0x30 };
        assert_eq!(compare(&[half], CmpOp::Eq, &[0x10]), Tri::No);
        assert_eq!(compare(&[half], CmpOp::Eq, &[0x21]), Tri::Unknown);
        assert_eq!(within(&[Bits::known(3)], &[1], &[3]), Tri::Yes);
    }
}
