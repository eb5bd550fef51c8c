//! Flows as ctnetlink writes them (`ctnetlink_fill_info`, net/netfilter/nf_conntrack_netlink.c), and back.

use std::net::IpAddr;

use rulectl_ruleset::flow::{Ends, Flow, Status, Tuple, Zone};
use rulectl_ruleset::ir::Family;

use crate::attr::{Attribute, Attributes, Writer};
use crate::uapi::{cta, cta_ip, cta_proto, cta_protoinfo, cta_protoinfo_state, cta_tuple};

/// ICMP of IPv6 has attributes of its own.
const ICMPV6: u8 = 58;

/// The number of a tuple's family.
pub(super) fn family(tuple: &Tuple) -> u8 {
    let family = if tuple.destination.is_ipv4() { Family::Ip } else { Family::Ip6 };
    family.nfproto()
}

/// The flow of a message; `None` if a tuple is missing or makes no sense.
pub(super) fn flow(attributes: Attributes<'_>) -> Option<Flow> {
    let table = attributes.table::<{ cta::ZONE as usize + 1 }>();
    let at = |kind: u16| table[usize::from(kind)];
    let [original, reply] = [cta::TUPLE_ORIG, cta::TUPLE_REPLY].map(at);
    let number = |kind| at(kind).and_then(Attribute::u32);
    let zone_of = |tuple: Option<Attribute<'_>>| tuple?.nested().find(cta_tuple::ZONE)?.u16();
    let zone = match (at(cta::ZONE).and_then(Attribute::u16), zone_of(original), zone_of(reply)) {
        (Some(zone), ..) => Zone::Both(zone),
        (_, Some(zone), _) => Zone::Original(zone),
        (_, _, Some(zone)) => Zone::Reply(zone),
        _ => Zone::Default,
    };
    Some(Flow {
        original: tuple(original?.nested())?,
        reply: tuple(reply?.nested())?,
        status: Status(number(cta::STATUS).unwrap_or(0)),
        mark: number(cta::MARK).unwrap_or(0),
        zone,
        timeout: number(cta::TIMEOUT),
        state: at(cta::PROTOINFO).and_then(|info| state(info.nested())),
        id: number(cta::ID).unwrap_or(0),
    })
}

/// How far the protocol got, for those of which that is known.
fn state(info: Attributes<'_>) -> Option<u8> {
    let [_, tcp, _, sctp] = info.table::<{ cta_protoinfo::SCTP as usize + 1 }>();
    tcp.or(sctp)?.nested().find(cta_protoinfo_state::STATE)?.u8()
}

fn tuple(attributes: Attributes<'_>) -> Option<Tuple> {
    let [_, ip, proto] = attributes.table::<{ cta_tuple::PROTO as usize + 1 }>();
    let [_, v4_source, v4_destination, v6_source, v6_destination] = ip?.nested().table();
    let proto = proto?.nested().table::<{ cta_proto::ICMPV6_CODE as usize + 1 }>();
    let at = |kind: u16| proto[usize::from(kind)];
    let v4 = |address: Attribute<'_>| address.payload.first_chunk::<4>().copied().map(IpAddr::from);
    let v6 = |address: Attribute<'_>| address.payload.first_chunk::<16>().copied().map(IpAddr::from);
    let (source, destination) = match (v4_source, v4_destination) {
        (Some(source), Some(destination)) => (v4(source)?, v4(destination)?),
        _ => (v6(v6_source?)?, v6(v6_destination?)?),
    };
    let icmp = |kind, code, id| {
        let (kind, code, id) = (at(kind)?.u8()?, at(code)?.u8()?, at(id)?.u16()?);
        Some(Ends::Icmp { kind, code, id })
    };
    let ports = || {
        let (source, destination) = (at(cta_proto::SRC_PORT)?.u16()?, at(cta_proto::DST_PORT)?.u16()?);
        Some(Ends::Ports { source, destination })
    };
    let ends = icmp(cta_proto::ICMP_TYPE, cta_proto::ICMP_CODE, cta_proto::ICMP_ID)
        .or_else(|| icmp(cta_proto::ICMPV6_TYPE, cta_proto::ICMPV6_CODE, cta_proto::ICMPV6_ID))
        .or_else(ports)
        .unwrap_or(Ends::None);
    Some(Tuple { source, destination, protocol: at(cta_proto::NUM)?.u8()?, ends })
}

/// Writes what tells a flow from all others: its original tuple, its zone and its number.
pub(super) fn encode_identity(request: &mut Writer, flow: &Flow) {
    let Tuple { source, destination, protocol, ends } = flow.original;
    request.nest(cta::TUPLE_ORIG, |tuple| {
        tuple.nest(cta_tuple::IP, |ip| {
            match source {
                IpAddr::V4(source) => ip.put(cta_ip::V4_SRC, &source.octets()),
                IpAddr::V6(source) => ip.put(cta_ip::V6_SRC, &source.octets()),
            }
            encode_destination(ip, destination);
        });
        tuple.nest(cta_tuple::PROTO, |proto| {
            proto.put_u8(cta_proto::NUM, protocol);
            encode_ends(proto, protocol, ends);
        });
        if let Zone::Original(zone) = flow.zone {
            tuple.put_u16(cta_tuple::ZONE, zone);
        }
    });
    if let Zone::Both(zone) = flow.zone {
        request.put_u16(cta::ZONE, zone);
    }
    request.put_u32(cta::ID, flow.id);
}

/// Writes where packets go, inside an attribute of addresses.
pub(super) fn encode_destination(ip: &mut Writer, destination: IpAddr) {
    match destination {
        IpAddr::V4(destination) => ip.put(cta_ip::V4_DST, &destination.octets()),
        IpAddr::V6(destination) => ip.put(cta_ip::V6_DST, &destination.octets()),
    }
}

fn encode_ends(proto: &mut Writer, protocol: u8, ends: Ends) {
    match ends {
        Ends::Ports { source, destination } => {
            proto.put_u16(cta_proto::SRC_PORT, source);
            proto.put_u16(cta_proto::DST_PORT, destination);
        }
        Ends::Icmp { kind, code, id } if protocol == ICMPV6 => {
            proto.put_u8(cta_proto::ICMPV6_TYPE, kind);
            proto.put_u8(cta_proto::ICMPV6_CODE, code);
            proto.put_u16(cta_proto::ICMPV6_ID, id);
        }
        Ends::Icmp { kind, code, id } => {
            proto.put_u8(cta_proto::ICMP_TYPE, kind);
            proto.put_u8(cta_proto::ICMP_CODE, code);
            proto.put_u16(cta_proto::ICMP_ID, id);
        }
        Ends::None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows() -> Vec<Flow> {
        let v4 = |last| IpAddr::from([192, 0, 2, last]);
        let v6 = |last| IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        let ports = Ends::Ports { source: 4711, destination: 53 };
        let ping = Ends::Icmp { kind: 8, code: 0, id: 77 };
        let cases = [
            (v4(1), v4(2), 17, ports, Zone::Default),
            (v6(1), v6(2), 6, ports, Zone::Both(9)),
            (v4(1), v4(2), 1, ping, Zone::Original(3)),
            (v6(1), v6(2), ICMPV6, Ends::Icmp { kind: 128, code: 0, id: 9 }, Zone::Default),
            (v4(1), v4(2), 89, Ends::None, Zone::Default),
        ];
        let flow = |(source, destination, protocol, ends, zone)| {
            let original = Tuple { source, destination, protocol, ends };
            let status = Status::default();
            Flow { original, reply: original, status, mark: 0, zone, timeout: None, state: None, id: 0x0102_0304 }
        };
        cases.into_iter().map(flow).collect()
    }

    #[test]
    fn what_tells_a_flow_apart_is_read_as_it_was_written() {
        for flow in flows() {
            let mut writer = Writer::default();
            encode_identity(&mut writer, &flow);
            let original = writer.attributes().find(cta::TUPLE_ORIG).unwrap();
            assert_eq!(tuple(original.nested()), Some(flow.original));
            let mut whole = writer.bytes().to_vec();
            let mut reply = Writer::default();
            reply.put(cta::TUPLE_REPLY, original.payload);
            whole.extend_from_slice(reply.bytes());
            let read = super::flow(Attributes::new(&whole)).unwrap();
            // The zone of one direction stands in its tuple, which is both here.
            assert_eq!((read.original, read.id, read.zone), (flow.original, flow.id, flow.zone));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let mut writer = Writer::default();
        encode_identity(&mut writer, &flows()[1]);
        let bytes = writer.bytes();
        for at in 0..bytes.len() {
            for value in [0, 1, 4, 0x7f, 0xff] {
                let mut broken = bytes.to_vec();
                broken[at] = value;
                let _ = flow(Attributes::new(&broken));
                let _ = flow(Attributes::new(&broken[..at]));
            }
        }
    }
}
