//! Which protocol is known at each layer, and the matches that make it known.
//!
//! nft: `struct proto_ctx` (src/proto.c), `payload_gen_dependency` (src/payload.c), `pctx_update` of each expression.

use super::item::{FieldMatch, Item};
use super::{LowerErrorKind, Lowering};
use crate::expr::{CmpOp, Expr, Reg};
use crate::ir::{Expression, Family, Header, MetaKey, Packed, Payload, PayloadBase, PayloadField, RelationalOp};

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

impl Lowering<'_> {
    /// Makes sure that the header is there, by a match before the statement if nothing said so yet.
    pub(crate) fn require(&mut self, header: Header) -> Result<(), LowerErrorKind> {
        match header.base() {
            PayloadBase::Link => self.require_link(header),
            PayloadBase::Network => self.require_network(header),
            PayloadBase::Transport => self.require_transport(header),
            _ => Ok(()),
        }
    }

    fn require_link(&mut self, header: Header) -> Result<(), LowerErrorKind> {
        if self.protocols.link == Known::No {
            self.meta_match(MetaKey::Iiftype, &ARPHRD_ETHER.to_ne_bytes());
            self.protocols.link = Known::Is(Header::Ether);
        }
        if header == Header::Vlan && self.protocols.link == Known::Is(Header::Ether) {
            self.ethertype_match(ETH_P_8021Q);
            self.protocols.link = Known::Is(Header::Vlan);
            self.protocols.vlans += 1;
        }
        Ok(())
    }

    pub(crate) fn require_network(&mut self, header: Header) -> Result<(), LowerErrorKind> {
        match self.protocols.network {
            Known::Is(known) if known == header => return Ok(()),
            Known::Is(known) => return Err(conflict(known.name(), header)),
            Known::Foreign => return Err(conflict("another protocol", header)),
            Known::No => {}
        }
        let number = ethertype(header).unwrap_or(0);
        let explicit_link =
            matches!(self.protocols.link, Known::Is(link) if self.family != Family::Bridge || link == Header::Vlan);
        if explicit_link || (self.family == Family::Bridge && self.protocols.vlans > 0) {
            self.ethertype_match(number);
        } else if self.family == Family::Inet {
            let nfproto = match header {
                Header::Ip => 2,
                Header::Ip6 => 10,
                _ => return Err(conflict("inet", header)),
            };
            self.meta_match(MetaKey::Nfproto, &[nfproto]);
        } else {
            self.meta_match(MetaKey::Protocol, &number.to_be_bytes());
        }
        self.protocols.network = Known::Is(header);
        Ok(())
    }

    fn require_transport(&mut self, header: Header) -> Result<(), LowerErrorKind> {
        let Some(protocol) = header.inet_protocol() else { return Ok(()) };
        match self.protocols.transport {
            Known::Is(known) if known == header || known.inet_protocol() == header.inet_protocol() => return Ok(()),
            Known::Is(known) => return Err(conflict(known.name(), header)),
            Known::Foreign => return Err(conflict("another protocol", header)),
            Known::No => {}
        }
        // Protocols of one family of addresses only.
        match header {
            Header::Icmp | Header::Igmp => self.require_network(Header::Ip)?,
            Header::Icmpv6 => self.require_network(Header::Ip6)?,
            _ => {}
        }
        self.meta_match(MetaKey::L4proto, &[protocol]);
        self.protocols.transport = Known::Is(header);
        Ok(())
    }

    /// `meta key == data`, data as the register holds it.
    pub(crate) fn meta_match(&mut self, key: MetaKey, data: &[u8]) {
        self.items.push(Item::Match(vec![
            Expr::Meta { dreg: Reg::R1, key },
            Expr::Cmp { sreg: Reg::R1, op: CmpOp::Eq, data: Packed::new(data) },
        ]));
    }

    /// `ether type` or, after a tag, `vlan type`.
    fn ethertype_match(&mut self, number: u16) {
        let offset = 12 + self.protocols.vlans * 4;
        self.items.push(Item::Field(FieldMatch {
            base: PayloadBase::Link,
            offset,
            data: number.to_be_bytes().to_vec(),
            protocol: true,
        }));
    }
}

fn conflict(known: &str, header: Header) -> LowerErrorKind {
    LowerErrorKind::Type(format!("conflicting protocols: {known} and {}", header.name()))
}
