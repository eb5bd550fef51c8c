//! Which protocol is known at each layer of a packet, and the matches that make it known.
//!
//! nft: `struct proto_ctx` (src/proto.c), `pctx_update` of each expression.

use super::{Expression, Family, Header, MetaKey, Payload, PayloadBase, PayloadField, RelationalOp};

pub(crate) const ETH_P_IP: u16 = 0x0800;
pub(crate) const ETH_P_ARP: u16 = 0x0806;
pub(crate) const ETH_P_8021Q: u16 = 0x8100;
pub(crate) const ETH_P_8021AD: u16 = 0x88a8;
pub(crate) const ETH_P_IPV6: u16 = 0x86dd;
/// `ARPHRD_ETHER`, linux/if_arp.h.
pub(crate) const ARPHRD_ETHER: u16 = 1;

/// What is known of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing yet.
    #[default]
    No,
    /// A protocol nft has no header for.
    Foreign,
    /// This header.
    Is(Header),
}

/// What is known of a packet at some point of a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocols {
    pub(crate) link: Known,
    pub(crate) network: Known,
    pub(crate) transport: Known,
    /// How many VLAN tags were passed.
    pub(crate) vlans: u32,
}

impl Protocols {
    /// What the family of a table says.
    pub(crate) fn of(family: Family) -> Self {
        let network = match family {
            Family::Ip => Known::Is(Header::Ip),
            Family::Ip6 => Known::Is(Header::Ip6),
            Family::Arp => Known::Is(Header::Arp),
            Family::Inet | Family::Bridge | Family::Netdev => Known::No,
        };
        let link = if family == Family::Bridge { Known::Is(Header::Ether) } else { Known::No };
        Self { link, network, transport: Known::No, vlans: 0 }
    }

    /// What a match `left == value` teaches.
    pub(crate) fn learn(&mut self, family: Family, left: &Expression, op: RelationalOp, right: &Expression) {
        let (RelationalOp::Implicit | RelationalOp::Eq, Expression::Value(value)) = (op, right) else { return };
        let Some(number) = value.to_u128().and_then(|number| u16::try_from(number).ok()) else { return };
        match left {
            Expression::Meta(MetaKey::L4proto) => self.transport = transport_of(number),
            Expression::Meta(MetaKey::Nfproto) if family == Family::Inet => {
                self.network = match number {
                    2 => Known::Is(Header::Ip),
                    10 => Known::Is(Header::Ip6),
                    _ => Known::Foreign,
                };
            }
            Expression::Meta(MetaKey::Protocol) if matches!(family, Family::Bridge | Family::Netdev) => {
                self.learn_ethertype(number);
            }
            Expression::Meta(MetaKey::Iiftype) if number == ARPHRD_ETHER => self.link = Known::Is(Header::Ether),
            Expression::Payload(Payload::Field(field)) => self.learn_field(*field, number),
            _ => {}
        }
    }

    fn learn_field(&mut self, field: PayloadField, number: u16) {
        match (field.header(), field.spec().name) {
            (Header::Ether | Header::Vlan, "type") => self.learn_ethertype(number),
            (Header::Ip, "protocol") | (Header::Ip6, "nexthdr") => self.transport = transport_of(number),
            _ => {}
        }
    }

    fn learn_ethertype(&mut self, number: u16) {
        match number {
            ETH_P_8021Q | ETH_P_8021AD => {
                self.link = Known::Is(Header::Vlan);
                self.vlans += 1;
            }
            number => self.network = network_of(number),
        }
    }
}

pub(crate) fn network_header(ethertype: u16) -> Option<Header> {
    Some(match ethertype {
        ETH_P_IP => Header::Ip,
        ETH_P_IPV6 => Header::Ip6,
        ETH_P_ARP => Header::Arp,
        _ => return None,
    })
}

fn network_of(ethertype: u16) -> Known {
    network_header(ethertype).map_or(Known::Foreign, Known::Is)
}

/// The transport header of that protocol above IP.
pub(crate) fn transport_header(protocol: u16) -> Option<Header> {
    Header::ALL.iter().copied().find(|header| {
        header.base() == PayloadBase::Transport && header.inet_protocol().is_some_and(|own| u16::from(own) == protocol)
    })
}

fn transport_of(protocol: u16) -> Known {
    transport_header(protocol).map_or(Known::Foreign, Known::Is)
}

/// The number of a network header in an Ethernet frame.
pub(crate) const fn ethertype(header: Header) -> Option<u16> {
    Some(match header {
        Header::Ip => ETH_P_IP,
        Header::Ip6 => ETH_P_IPV6,
        Header::Arp => ETH_P_ARP,
        Header::Vlan => ETH_P_8021Q,
        _ => return None,
    })
}
