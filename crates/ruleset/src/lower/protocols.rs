//! The matches that a statement needs before it, so that the headers it looks at are there.
//!
//! nft: `payload_gen_dependency` (src/payload.c).

use super::item::{FieldMatch, Item};
use super::load::{icmp_types, inside};
use super::{LowerErrorKind, Lowering};
use crate::expr::{CmpOp, Expr, Reg};
use crate::ir::protocols::{ARPHRD_ETHER, ETH_P_8021Q, Known, ethertype};
use crate::ir::{Expression, ExthdrCarrier, Family, Hash, Header, MetaKey, Packed, Payload, PayloadBase, PayloadField};

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
        let network = match header {
            Header::Icmp | Header::Igmp => Some(Header::Ip),
            Header::Icmpv6 => Some(Header::Ip6),
            _ => None,
        };
        if let (Some(network), Known::No) = (network, self.protocols.network) {
            self.require_network(network)?;
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

impl Lowering<'_> {
    /// Makes the protocols known that an expression reads, in the order it reads them.
    pub(super) fn require_all(&mut self, expression: &Expression) -> Result<(), LowerErrorKind> {
        match expression {
            Expression::Payload(Payload::Field(field)) => self.require_field(*field),
            Expression::Payload(Payload::Inside { tunnel, field }) => self.require_inside(*tunnel, *field),
            Expression::Exthdr(exthdr) => match exthdr.carrier {
                ExthdrCarrier::Ipv6 => self.require(Header::Ip6),
                ExthdrCarrier::IpOption => self.require(Header::Ip),
                // The kernel looks for these headers itself.
                ExthdrCarrier::TcpOption | ExthdrCarrier::SctpChunk | ExthdrCarrier::DccpOption => Ok(()),
            },
            Expression::Hash(Hash::Jhash { key, .. }) => self.require_all(key),
            Expression::Concat(parts) | Expression::List(parts) => {
                parts.iter().try_for_each(|part| self.require_all(part))
            }
            Expression::Range(start, end) => self.require_all(start).and_then(|()| self.require_all(end)),
            Expression::Prefix(value, _) => self.require_all(value),
            Expression::Map { key, .. } => self.require_all(key),
            Expression::Binary { left, right, .. } => self.require_all(left).and_then(|()| self.require_all(right)),
            _ => Ok(()),
        }
    }

    fn require_field(&mut self, field: PayloadField) -> Result<(), LowerErrorKind> {
        if field.header().base() == PayloadBase::Tunnel {
            return self.require_tunnel(field.header());
        }
        self.require(field.header())?;
        match icmp_types(field) {
            [] => Ok(()),
            types => self.require_icmp_type(field.header(), types),
        }
    }

    /// A field that only some ICMP messages have: their type is matched first.
    fn require_icmp_type(&mut self, header: Header, types: &[u8]) -> Result<(), LowerErrorKind> {
        if self.icmp_type.as_ref().is_some_and(|known| known.iter().all(|number| types.contains(number))) {
            return Ok(());
        }
        let field = PayloadField::find(header, "type").map(Expression::field);
        let Some(left) = field else { return Ok(()) };
        let values: Vec<Packed> = types.iter().map(|number| Packed::from([*number])).collect();
        self.icmp_type = Some(types.to_vec());
        self.match_any(&left, &values)
    }

    /// VXLAN and Geneve are read behind UDP, the others where their protocol is asked for.
    fn require_tunnel(&mut self, tunnel: Header) -> Result<(), LowerErrorKind> {
        match tunnel {
            Header::Vxlan | Header::Geneve if self.protocols.transport != Known::No => Ok(()),
            Header::Vxlan | Header::Geneve => self.require(Header::Udp),
            other => self.require(other),
        }
    }

    fn require_inside(&mut self, tunnel: Header, field: PayloadField) -> Result<(), LowerErrorKind> {
        self.require_tunnel(tunnel)?;
        let header = field.header();
        match header {
            Header::Ether => {}
            Header::Vlan => self.inner_ether_type(tunnel, ETH_P_8021Q),
            // Protocols of one family of addresses only: nft asks the frame, where there is one.
            Header::Icmp | Header::Igmp => self.inner_network(tunnel, Header::Ip),
            Header::Icmpv6 => self.inner_network(tunnel, Header::Ip6),
            header if header.base() == PayloadBase::Network => {
                let number = ethertype(header).unwrap_or(0);
                self.inner_meta(tunnel, MetaKey::Protocol, &number.to_be_bytes());
            }
            _ => {}
        }
        if let (PayloadBase::Transport, Some(number)) = (header.base(), header.inet_protocol()) {
            self.inner_meta(tunnel, MetaKey::L4proto, &[number]);
        }
        Ok(())
    }

    fn inner_network(&mut self, tunnel: Header, header: Header) {
        let number = ethertype(header).unwrap_or(0);
        if matches!(tunnel, Header::Gre) {
            self.inner_meta(tunnel, MetaKey::Protocol, &number.to_be_bytes());
        } else {
            self.inner_ether_type(tunnel, number);
        }
    }

    fn inner_meta(&mut self, tunnel: Header, key: MetaKey, data: &[u8]) {
        self.inner_match(inside(tunnel, Expr::Meta { dreg: Reg::R1, key }), data);
    }

    fn inner_ether_type(&mut self, tunnel: Header, number: u16) {
        let load = Expr::Payload { dreg: Reg::R1, base: PayloadBase::Link, offset: 12, len: 2 };
        self.inner_match(inside(tunnel, load), &number.to_be_bytes());
    }

    /// A match inside a tunnel, unless it was made before.
    fn inner_match(&mut self, load: Expr, data: &[u8]) {
        let cmp = Expr::Cmp { sreg: Reg::R1, op: CmpOp::Eq, data: Packed::new(data) };
        let exprs = vec![load, cmp];
        if !self.inner.contains(&exprs) {
            self.inner.push(exprs.clone());
            self.items.push(Item::Match(exprs));
        }
    }
}

fn conflict(known: &str, header: Header) -> LowerErrorKind {
    LowerErrorKind::Type(format!("conflicting protocols: {known} and {}", header.name()))
}
