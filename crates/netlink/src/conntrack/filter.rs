//! Which flows are wanted, and how the kernel is told.
//!
//! Kernels learnt to filter bit by bit: by mark in 3.15, by tuple in 5.8, by status in 5.19, by zone in 6.8. One that
//! does not know a part of a request overlooks it and sends more, so every flow is looked at once more here.

use std::net::IpAddr;

use rulectl_ruleset::flow::{Flow, Status};
use rulectl_ruleset::ir::Family;

use super::tuple;
use crate::attr::Writer;
use crate::uapi::{cta, cta_filter, cta_proto, cta_tuple};

/// Bits of `CTA_FILTER_ORIG_FLAGS` (net/netfilter/nf_conntrack_netlink.c, `CTA_FILTER_F_*`).
mod bit {
    pub(super) const IP_DST: u32 = 1 << 1;
    pub(super) const PROTO_NUM: u32 = 1 << 3;
    pub(super) const PROTO_DST_PORT: u32 = 1 << 5;
}

/// Which flows are wanted: those for which all that is given holds. Nothing given: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The family of its addresses: `ip` or `ip6`.
    pub family: Option<Family>,
    /// The protocol's number above IP.
    pub protocol: Option<u8>,
    /// Where the first packet went.
    pub destination: Option<IpAddr>,
    /// Which port it went to. The kernel filters by it only if the protocol is given, too.
    pub destination_port: Option<u16>,
    /// The mark, and which of its bits count.
    pub mark: Option<(u32, u32)>,
    /// The zone's number: 0 for flows in none.
    pub zone: Option<u16>,
    /// The bits of the status, and which of them count.
    pub status: Option<(Status, Status)>,
}

impl Filter {
    /// Whether a flow is wanted.
    pub fn passes(&self, flow: &Flow) -> bool {
        let Flow { original, mark, status, zone, .. } = flow;
        let is = |wanted: Option<u16>, found: Option<u16>| wanted.is_none() || wanted == found;
        self.family.is_none_or(|family| family.nfproto() == tuple::family(original))
            && self.protocol.is_none_or(|protocol| protocol == original.protocol)
            && self.destination.is_none_or(|destination| destination == original.destination)
            && is(self.destination_port, original.ends.destination_port())
            && self.mark.is_none_or(|(wanted, mask)| mark & mask == wanted & mask)
            && is(self.zone, Some(zone.number()))
            && self.status.is_none_or(|(wanted, mask)| status.0 & mask.0 == wanted.0 & mask.0)
    }

    /// The families to be walked, by number; 0 is all at once, which the kernel does not filter by tuple.
    pub(super) fn families(&self) -> &'static [u8] {
        const IP: u8 = Family::Ip.nfproto();
        const IP6: u8 = Family::Ip6.nfproto();
        match (self.family, self.destination) {
            (Some(Family::Ip), _) | (None, Some(IpAddr::V4(_))) => &[IP],
            (Some(Family::Ip6), _) | (None, Some(IpAddr::V6(_))) => &[IP6],
            (None | Some(Family::Inet), None) if self.flags() == 0 => &[0],
            (None | Some(Family::Inet), None) => &[IP, IP6],
            // Other families track nothing.
            _ => &[],
        }
    }

    /// Writes what the kernel can do of it into the request for a dump.
    pub(super) fn encode(&self, request: &mut Writer) {
        if let Some((mark, mask)) = self.mark {
            request.put_u32(cta::MARK, mark & mask);
            request.put_u32(cta::MARK_MASK, mask);
        }
        if let Some((status, mask)) = self.status.filter(|(_, mask)| mask.0 != 0) {
            request.put_u32(cta::STATUS, status.0 & mask.0);
            request.put_u32(cta::STATUS_MASK, mask.0);
        }
        if let Some(zone) = self.zone {
            request.put_u16(cta::ZONE, zone);
        }
        let flags = self.flags();
        if flags == 0 {
            return;
        }
        request.nest(cta::TUPLE_ORIG, |tuple| {
            if let Some(destination) = self.destination {
                tuple.nest(cta_tuple::IP, |ip| tuple::encode_destination(ip, destination));
            }
            tuple.nest(cta_tuple::PROTO, |proto| {
                if let Some(protocol) = self.protocol {
                    proto.put_u8(cta_proto::NUM, protocol);
                }
                if let Some(port) = self.destination_port {
                    proto.put_u16(cta_proto::DST_PORT, port);
                }
            });
        });
        // One of the few numbers in the machine's order.
        request.nest(cta::FILTER, |filter| filter.put(cta_filter::ORIG_FLAGS, &flags.to_ne_bytes()));
    }

    /// What of the original tuple the kernel compares.
    fn flags(&self) -> u32 {
        let bits = [
            (self.destination.is_some(), bit::IP_DST),
            (self.protocol.is_some(), bit::PROTO_NUM),
            // Without a protocol the kernel does not know what a port is.
            (self.protocol.is_some() && self.destination_port.is_some(), bit::PROTO_DST_PORT),
        ];
        bits.into_iter().filter(|(given, _)| *given).fold(0, |flags, (_, bit)| flags | bit)
    }
}

#[cfg(test)]
mod tests {
    use rulectl_ruleset::flow::{Ends, Tuple, Zone};

    use super::*;

    #[test]
    fn a_flow_passes_if_all_that_is_given_holds() {
        let tuple = |source: [u8; 4], destination: [u8; 4], ports: (u16, u16)| Tuple {
            source: source.into(),
            destination: destination.into(),
            protocol: 17,
            ends: Ends::Ports { source: ports.0, destination: ports.1 },
        };
        let flow = Flow {
            original: tuple([192, 0, 2, 2], [10, 96, 0, 10], (4711, 53)),
            reply: tuple([10, 244, 0, 11], [192, 0, 2, 2], (5353, 4711)),
            status: Status::CONFIRMED,
            mark: 6,
            zone: Zone::Original(3),
            timeout: None,
            state: None,
            id: 1,
        };
        let all = Filter::default();
        let passing = [
            all.clone(),
            Filter { family: Some(Family::Ip), protocol: Some(17), ..all.clone() },
            Filter { destination: Some([10, 96, 0, 10].into()), destination_port: Some(53), ..all.clone() },
            Filter { mark: Some((2, 3)), zone: Some(3), ..all.clone() },
            Filter { status: Some((Status::default(), Status::SEEN_REPLY)), ..all.clone() },
        ];
        assert!(passing.iter().all(|filter| filter.passes(&flow)), "{passing:?}");
        let other = [
            Filter { family: Some(Family::Ip6), ..all.clone() },
            Filter { protocol: Some(6), ..all.clone() },
            Filter { destination: Some([10, 96, 0, 11].into()), ..all.clone() },
            Filter { destination_port: Some(5353), ..all.clone() },
            Filter { mark: Some((2, 6)), ..all.clone() },
            Filter { zone: Some(0), ..all.clone() },
            Filter { status: Some((Status::ASSURED, Status::ASSURED)), ..all },
        ];
        assert!(!other.iter().any(|filter| filter.passes(&flow)), "{other:?}");
    }

    #[test]
    fn families_are_walked_one_by_one_where_the_kernel_compares_tuples() {
        let families = |filter: Filter| filter.families().to_vec();
        assert_eq!(families(Filter::default()), [0]);
        assert_eq!(families(Filter { protocol: Some(17), ..Filter::default() }), [2, 10]);
        assert_eq!(families(Filter { destination_port: Some(53), ..Filter::default() }), [0]);
        assert_eq!(families(Filter { family: Some(Family::Ip6), ..Filter::default() }), [10]);
        assert_eq!(families(Filter { destination: Some([10, 0, 0, 1].into()), ..Filter::default() }), [2]);
        assert_eq!(families(Filter { family: Some(Family::Arp), ..Filter::default() }), [0; 0]);
    }
}
