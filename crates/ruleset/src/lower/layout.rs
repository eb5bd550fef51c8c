//! How keys and data lie in the kernel's memory.
//!
//! In this crate every number is in network order. The kernel compares keys as plain bytes with registers, and
//! registers hold some facts (marks, interface indices, conntrack state, `numgen`) in the order of the machine. So the
//! keys of a plain set have those fields turned around. A set of intervals needs an order of values: nft turns the
//! *register* to network order there (`byteorder … hton`), and the keys stay as they are here.

use crate::ir::{ByteOrder, DataType, Field, KeyType, SetSpec};

/// Where the bytes of a key, or of a map's data, stand the other way round in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteLayout {
    /// Start and end of each field that is turned around.
    turned: Vec<(usize, usize)>,
}

impl ByteLayout {
    /// Of the keys of that set or map.
    pub fn of_key(spec: &SetSpec) -> Self {
        Self::of_typed_key(&spec.key, spec.flags.interval)
    }

    /// Of keys of that type, in a set of intervals or a plain one.
    pub(crate) fn of_typed_key(key: &KeyType, interval: bool) -> Self {
        if interval { Self::default() } else { Self::of(key) }
    }

    /// Of the data of a map. Ranges as data are laid out as two of these, one after the other.
    pub fn of_data(data: &KeyType) -> Self {
        Self::of(data)
    }

    fn of(key: &KeyType) -> Self {
        if cfg!(target_endian = "big") {
            return Self::default();
        }
        let mut at = 0;
        let mut turned = Vec::new();
        for field in &key.fields {
            if is_turned(field) {
                turned.push((at, at + field.bytes()));
            }
            at += field.padded();
        }
        Self { turned }
    }

    /// Whether the bytes are the same in the kernel as here.
    pub fn is_identity(&self) -> bool {
        self.turned.is_empty()
    }

    /// Turns bytes of this crate into bytes of the kernel, or back: the same step in both directions.
    pub fn turn(&self, bytes: &mut [u8]) {
        for (start, end) in &self.turned {
            if let Some(field) = bytes.get_mut(*start..*end) {
                field.reverse();
            }
        }
    }
}

/// Whether the kernel keeps the field as the machine keeps numbers; text has no order to turn.
fn is_turned(field: &Field) -> bool {
    field.byte_order == ByteOrder::Host
        && field.bytes() > 1
        && !matches!(field.datatype, DataType::IfName | DataType::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Expression, MetaKey, Numgen, NumgenMode, PayloadField, SetName};

    #[test]
    fn numbers_of_the_machine_are_turned_in_plain_sets_only() {
        let numgen = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 });
        let key = KeyType::of_expressions([PayloadField::TH_DPORT.into(), numgen, MetaKey::Iifname.into()]).unwrap();
        let spec = SetSpec::new(SetName::new("s").unwrap(), key);
        let network = [0, 80, 0, 0, 0, 0, 0, 1, b'l', b'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut bytes = network;
        let layout = ByteLayout::of_key(&spec);
        layout.turn(&mut bytes);
        assert_eq!(bytes[..8], [0, 80, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[8..], network[8..]);
        layout.turn(&mut bytes);
        assert_eq!(bytes, network);
        assert!(ByteLayout::of_key(&spec.interval()).is_identity());
    }
}
