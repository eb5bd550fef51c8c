//! The matches that a statement needs before it, so that the headers it looks at are there.
//!
//! nft: `payload_gen_dependency` (src/payload.c).

use super::item::{FieldMatch, Item};
use super::{LowerErrorKind, Lowering};
use crate::expr::{CmpOp, Expr, Reg};
use crate::ir::protocols::{ARPHRD_ETHER, ETH_P_8021Q, Known, ethertype};
use crate::ir::{Family, Header, MetaKey, Packed, PayloadBase};

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
