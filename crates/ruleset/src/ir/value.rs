//! Literal values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{DataType, Packed};

/// A literal: a data type and its bytes, numbers in network order.
///
/// Strings hold their text without a closing zero; an interface name that ends in `*` is a pattern, as in nft.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value {
    /// What the bytes mean.
    pub datatype: DataType,
    /// The bytes; shorter than a whole number of bytes only in meaning (a 4-bit field has one byte here).
    pub bytes: Packed,
}

impl Value {
    /// A value of any type.
    pub fn new(datatype: DataType, bytes: impl Into<Packed>) -> Self {
        Self { datatype, bytes: bytes.into() }
    }

    /// An IPv4 address.
    pub fn ipv4(address: Ipv4Addr) -> Self {
        Self::new(DataType::Ipv4Addr, address.octets())
    }

    /// An IPv6 address.
    pub fn ipv6(address: Ipv6Addr) -> Self {
        Self::new(DataType::Ipv6Addr, address.octets())
    }

    /// An address of either family.
    pub fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::ipv4(address),
            IpAddr::V6(address) => Self::ipv6(address),
        }
    }

    /// A port.
    pub fn port(port: u16) -> Self {
        Self::new(DataType::InetService, port.to_be_bytes())
    }

    /// A protocol above IP, by its number.
    pub fn protocol(number: u8) -> Self {
        Self::new(DataType::InetProto, [number])
    }

    /// A packet mark.
    pub fn mark(mark: u32) -> Self {
        Self::new(DataType::Mark, mark.to_be_bytes())
    }

    /// A number of a type that is four bytes long.
    pub fn number(datatype: DataType, number: u32) -> Self {
        Self::new(datatype, number.to_be_bytes())
    }

    /// An interface name, or a pattern that ends in `*`.
    pub fn ifname(name: &str) -> Self {
        Self::new(DataType::IfName, name.as_bytes())
    }

    /// The value as a number, where it has at most 16 bytes.
    pub fn to_u128(&self) -> Option<u128> {
        let bytes = self.bytes.as_slice();
        (bytes.len() <= 16).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
    }
}
