//! The bytes of keys and values, as [`crate::ir::KeyType::pack`] lays them out, without its checks: hundreds of
//! thousands are made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::ir::{Key, Packed};

use super::super::target::Target;
use super::super::{Frontend, Protocol};

/// The longest key here: `ip6 daddr . meta l4proto . th dport . ip6 daddr . th dport`.
const LONGEST: usize = 44;

/// A key or value being made, field by field, each in whole registers of four bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Bytes {
    const EMPTY: Self = Self { bytes: [0; LONGEST], len: 0 };

    fn with<const N: usize>(mut self, field: [u8; N]) -> Self {
        self.bytes[self.len..self.len + N].copy_from_slice(&field);
        self.len += N.next_multiple_of(4);
        self
    }

    fn with_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.with(address.octets()),
            IpAddr::V6(address) => self.with(address.octets()),
        }
    }

    /// `daddr . meta l4proto . th dport`: the key of the maps of frontends; without the address that of node ports.
    pub(super) fn frontend(frontend: &Frontend) -> Self {
        let address = if frontend.is_node_port() { Self::EMPTY } else { Self::EMPTY.with_address(frontend.address) };
        address.with([frontend.protocol.number()]).with(frontend.port.to_be_bytes())
    }

    /// … `. saddr`: after [`Self::frontend`], the key of the set of source ranges.
    pub(super) fn range(self, range: &IpNet) -> Key {
        let bound = |address| self.with_address(address);
        let (first, last) = (bound(range.network()), bound(range.broadcast()));
        Key::range(&first.bytes[..first.len], &last.bytes[..last.len])
    }

    /// … `. numgen random mod 2`: after [`Self::frontend`], the key of the map of endpoints.
    pub(super) fn slot(self, slot: u32) -> Self {
        self.with(slot.to_be_bytes())
    }

    /// … `. daddr . th dport`: after [`Self::frontend`], the key of the set of endpoints a memory may name.
    pub(super) fn member(self, target: &Target) -> Self {
        self.with_address(target.address).with(target.port.to_be_bytes())
    }

    /// `daddr . th dport`: the value of the map of endpoints.
    pub(super) fn target(target: &Target) -> Self {
        Self::EMPTY.with_address(target.address).with(target.port.to_be_bytes())
    }

    /// `saddr . daddr . meta l4proto . th dport`: a target that is its own client.
    pub(super) fn hairpin(target: &Target, protocol: Protocol) -> Self {
        Self::EMPTY
            .with_address(target.address)
            .with_address(target.address)
            .with([protocol.number()])
            .with(target.port.to_be_bytes())
    }

    /// `daddr`.
    pub(super) fn address(address: IpAddr) -> Self {
        Self::EMPTY.with_address(address)
    }

    pub(super) fn packed(&self) -> Packed {
        Packed::new(&self.bytes[..self.len])
    }
}

/// The key of the map of endpoints without its slot, and the slot; `None` for a key of another length.
pub(super) fn split_slot(key: &[u8]) -> Option<(&[u8], u32)> {
    let (frontend, slot) = key.split_last_chunk()?;
    Some((frontend, u32::from_be_bytes(*slot)))
}

/// Address and port of a value of the map of endpoints; `None` for a value of another length.
pub(super) fn read_target(value: &[u8]) -> Option<(IpAddr, u16)> {
    let (address, port) = value.split_last_chunk::<4>()?;
    let address = match address.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?).into(),
        _ => return None,
    };
    Some((address, u16::from_be_bytes([port[0], port[1]])))
}

#[cfg(test)]
mod tests {
    use super::super::sets::Filled;
    use super::super::skeleton;
    use super::*;
    use crate::ir::{DataKind, Family, KeyType, Value};

    #[test]
    fn bytes_are_those_that_the_declared_types_give() {
        for (address, family) in [("192.0.2.7", Family::Ip), ("fd00::7", Family::Ip6)] {
            let address: IpAddr = address.parse().unwrap();
            let frontend = Frontend { address, protocol: Protocol::Sctp, port: 443 };
            let target = Target { address, here: true, port: 8443 };
            let [ip, protocol, port, backend] =
                [Value::address(address), Value::protocol(132), Value::port(443), Value::port(8443)];
            let slot = Value::number(crate::ir::DataType::Integer, 5);
            let key = |set: Filled| skeleton::set(set, family).spec().key.clone();
            let pack = |key: KeyType, values: &[Value]| key.pack(values).unwrap();
            let here = [ip.clone(), protocol.clone(), port.clone()];
            assert_eq!(Bytes::frontend(&frontend).packed(), pack(key(Filled::Services), &here));
            let node_port =
                Frontend { address: if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() }, ..frontend };
            assert_eq!(Bytes::frontend(&node_port).packed(), pack(key(Filled::Nodeports), &here[1..]));
            let range = [here.as_slice(), std::slice::from_ref(&ip)].concat();
            let host = Key::Value(pack(key(Filled::SourceRanges), &range));
            assert_eq!(Bytes::frontend(&frontend).range(&address.into()), host);
            let endpoint = [ip.clone(), protocol.clone(), port, slot];
            assert_eq!(Bytes::frontend(&frontend).slot(5).packed(), pack(key(Filled::Endpoints), &endpoint));
            let member = [ip.clone(), protocol.clone(), Value::port(443), ip.clone(), backend.clone()];
            assert_eq!(Bytes::frontend(&frontend).member(&target).packed(), pack(key(Filled::StickyMembers), &member));
            let hairpin = [ip.clone(), ip.clone(), protocol, backend.clone()];
            assert_eq!(Bytes::hairpin(&target, Protocol::Sctp).packed(), pack(key(Filled::Hairpin), &hairpin));
            assert_eq!(Bytes::address(address).packed(), pack(key(Filled::ClusterIps), std::slice::from_ref(&ip)));
            let DataKind::Value { data, .. } = skeleton::set(Filled::Endpoints, family).data_kind() else {
                panic!("the map of endpoints has values");
            };
            assert_eq!(Bytes::target(&target).packed(), pack(data, &[ip, backend]));
            assert_eq!(read_target(&Bytes::target(&target).packed()), Some((address, 8443)));
        }
    }

    #[test]
    fn foreign_bytes_are_not_read() {
        assert_eq!(read_target(&[1, 2, 3]), None);
        assert_eq!(read_target(&[0; 12]), None);
        assert_eq!(split_slot(&[1, 2, 3]), None);
    }
}
