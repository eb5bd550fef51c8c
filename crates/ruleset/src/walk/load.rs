//! What expressions load: header fields, and what the kernel knows of the packet.

use std::net::IpAddr;

use super::bits::Bits;
use super::hooks::{At, State};
use super::packet::{Connection, Surroundings};
use crate::ir::{CtDirection, CtKey, Family, FibFlags, FibResult, Hook, MetaKey, PayloadBase};

/// Bits of a connection's status and of its state (linux/netfilter/nf_conntrack_common.h, `NF_CT_STATE_BIT`).
const IPS_SRC_NAT: u32 = 1 << 4;
const IPS_DST_NAT: u32 = 1 << 5;

/// Bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn known(bytes: &[u8]) -> Vec<Bits> {
    bytes.iter().map(|byte| Bits::known(*byte)).collect()
}

/// Bytes of a header; what is not told of the packet is unknown.
pub(super) fn payload(state: &State, base: PayloadBase, offset: u32, len: u32) -> Vec<Bits> {
    let header = match base {
        PayloadBase::Network => network_header(state),
        PayloadBase::Transport => transport_header(state),
        PayloadBase::Link | PayloadBase::Inner | PayloadBase::Tunnel => Vec::new(),
    };
    let at = |at: u32| header.get(at as usize).copied().unwrap_or_default();
    (offset..offset.saturating_add(len)).map(at).collect()
}

fn network_header(state: &State) -> Vec<Bits> {
    let packet = &state.packet;
    let (len, start, protocol, saddr, daddr) =
        if packet.destination.is_ipv4() { (20, Bits::known(0x45), 9, 12, 16) } else { (40, VERSION_6, 6, 8, 24) };
    let mut header = vec![Bits::default(); len];
    header[0] = start;
    header[protocol] = Bits::known(packet.protocol);
    for (at, address) in [(saddr, packet.source), (daddr, packet.destination)] {
        let bytes = known(&octets(address));
        header[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    header
}

/// Version 6, and half of the traffic class.
const VERSION_6: Bits = Bits { value: 0x60, known: 0xf0 };

fn transport_header(state: &State) -> Vec<Bits> {
    let packet = &state.packet;
    let mut header = vec![Bits::default(); 20];
    header[..2].copy_from_slice(&known(&packet.source_port.to_be_bytes()));
    header[2..4].copy_from_slice(&known(&packet.destination_port.to_be_bytes()));
    if packet.protocol == 6 && packet.connection == Connection::New {
        // A SYN, with or without ECN.
        header[13] = Bits { value: 0x02, known: 0x3f };
    }
    header
}

/// What `meta` loads; `None` where it is not known.
pub(super) fn meta(state: &State, at: &At<'_>, key: MetaKey) -> Option<Vec<Bits>> {
    let name = |name: Option<&str>| {
        let mut bytes = name.unwrap_or_default().as_bytes().to_vec();
        bytes.resize(16, 0);
        known(&bytes)
    };
    let is_ip4 = state.packet.destination.is_ipv4();
    Some(match key {
        MetaKey::L4proto => known(&[state.packet.protocol]),
        MetaKey::Nfproto => known(&[if is_ip4 { 2 } else { 10 }]),
        MetaKey::Protocol => known(if is_ip4 { &[0x08, 0x00] } else { &[0x86, 0xdd] }),
        MetaKey::Mark => known(&state.packet.mark.to_ne_bytes()),
        // Without a device the name is empty (`nft_meta_store_ifname`, net/netfilter/nft_meta.c).
        MetaKey::Iifname => match (at.hook, &state.packet.interface) {
            (Hook::Prerouting | Hook::Input, None) => name(Some("lo")),
            (_, interface) => name(interface.as_deref()),
        },
        MetaKey::Oifname => match at.hook {
            Hook::Prerouting | Hook::Input => name(None),
            _ => name(Some(at.surroundings.interface(state.packet.destination)?)),
        },
        _ => return None,
    })
}

/// What `ct` loads; `None` where it is not known.
pub(super) fn ct(state: &State, key: CtKey, direction: Option<CtDirection>) -> Option<Vec<Bits>> {
    let original = direction == Some(CtDirection::Original);
    let packet = &state.original;
    Some(match key {
        CtKey::State => {
            let bit: u32 = match state.packet.connection {
                Connection::Invalid => 1,
                Connection::Established => 2,
                Connection::New => 8,
            };
            known(&bit.to_ne_bytes())
        }
        CtKey::Direction => known(&[0]),
        CtKey::Mark => known(&state.ct_mark.to_ne_bytes()),
        CtKey::Status => {
            let bits = if state.rewritten.destination { IPS_DST_NAT } else { 0 }
                | if state.rewritten.source { IPS_SRC_NAT } else { 0 };
            let is_known = IPS_DST_NAT | IPS_SRC_NAT;
            let pairs = bits.to_ne_bytes().into_iter().zip(is_known.to_ne_bytes());
            pairs.map(|(value, known)| Bits { value, known }).collect()
        }
        CtKey::Protocol => known(&[packet.protocol]),
        CtKey::Saddr | CtKey::SaddrIp | CtKey::SaddrIp6 if original => known(&octets(packet.source)),
        CtKey::Daddr | CtKey::DaddrIp | CtKey::DaddrIp6 if original => known(&octets(packet.destination)),
        CtKey::ProtoSrc if original => known(&packet.source_port.to_be_bytes()),
        CtKey::ProtoDst if original => known(&packet.destination_port.to_be_bytes()),
        _ => return None,
    })
}

/// What `fib` loads; `None` where it is not known.
pub(super) fn fib(state: &State, surroundings: &Surroundings, flags: FibFlags, result: FibResult) -> Option<Vec<Bits>> {
    let address = if flags.saddr { state.packet.source } else { state.packet.destination };
    // Of interfaces only one way is known: an address of this machine on another interface is local, too.
    if result != FibResult::Type || flags.iif || flags.oif {
        return None;
    }
    // `RTN_LOCAL`, `RTN_MULTICAST`, `RTN_UNICAST` (linux/rtnetlink.h).
    let number: u32 = match address {
        address if surroundings.is_local(address) => 2,
        address if address.is_multicast() => 5,
        IpAddr::V4(address) if address.is_broadcast() => return None,
        _ => 1,
    };
    Some(known(&number.to_ne_bytes()))
}

/// Whether tables of that family see the packet.
pub(super) fn sees(family: Family, state: &State) -> bool {
    family == Family::Inet || family == state.packet.family()
}
