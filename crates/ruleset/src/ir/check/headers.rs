//! Headers that exclude one another, and those that a statement needs.
//!
//! nft: `expr_evaluate_payload`, `proto_ctx_update`, `stmt_evaluate_reject_family` (src/evaluate.c).

use super::{Check, Checked, Refusal};
use crate::ir::protocols::Known;
use crate::ir::{
    CtKey, Expression, ExthdrCarrier, Family, Header, Key, MetaKey, Nat, Payload, PayloadBase, PayloadField, Reject,
    RelationalOp, RtKey, Statement,
};

/// The ICMP or ICMPv6 types that a packet may have at some point of a rule.
pub(super) type IcmpType = Vec<u8>;

/// The types that a field of ICMP or ICMPv6 has (`icmp_type_to_hdr`, src/proto.c); `None` for fields of all of them.
pub(crate) fn needed_icmp_type(field: PayloadField) -> Option<&'static [u8]> {
    match (field.header(), field.spec().name) {
        (Header::Icmp, "id" | "sequence") => Some(&[8, 0]),
        (Header::Icmp, "mtu") => Some(&[3]),
        (Header::Icmp, "gateway") => Some(&[5]),
        (Header::Icmpv6, "id" | "sequence") => Some(&[128, 129]),
        (Header::Icmpv6, "mtu") => Some(&[2]),
        (Header::Icmpv6, "parameter-problem") => Some(&[4]),
        (Header::Icmpv6, "max-delay") => Some(&[130]),
        (Header::Icmpv6, "taddr") => Some(&[130, 131, 132, 135, 136, 137]),
        (Header::Icmpv6, "daddr") => Some(&[137]),
        _ => None,
    }
}

impl Check<'_> {
    /// What an expression without parts needs of the packet.
    pub(super) fn header(&mut self, expression: &Expression) -> Checked {
        match expression {
            Expression::Payload(Payload::Field(field)) => {
                self.require(field.header())?;
                self.icmp(*field)
            }
            Expression::Payload(Payload::Inside { tunnel, .. }) => self.require(*tunnel),
            Expression::Exthdr(exthdr) => match exthdr.carrier {
                ExthdrCarrier::Ipv6 => self.network(Header::Ip6),
                ExthdrCarrier::IpOption => self.network(Header::Ip),
                // Looks for its header itself.
                ExthdrCarrier::TcpOption | ExthdrCarrier::SctpChunk | ExthdrCarrier::DccpOption => Ok(()),
            },
            Expression::Ct { key: CtKey::ProtoSrc | CtKey::ProtoDst, .. } if !self.transport_is_known() => {
                Refusal::expecting(
                    "what a port means is not known before its protocol",
                    "`meta l4proto tcp` or `ct protocol tcp` before",
                )
            }
            Expression::Ct { key: CtKey::SaddrIp | CtKey::DaddrIp, .. } => self.network(Header::Ip),
            Expression::Ct { key: CtKey::SaddrIp6 | CtKey::DaddrIp6, .. } => self.network(Header::Ip6),
            Expression::Rt(RtKey::Nexthop4) if self.site.family == Family::Ip6 => conflict("ip6", Header::Ip),
            Expression::Rt(RtKey::Nexthop6) if self.site.family == Family::Ip => conflict("ip", Header::Ip6),
            _ => Ok(()),
        }
    }

    fn require(&mut self, header: Header) -> Checked {
        match header {
            Header::Vxlan | Header::Geneve if self.protocols.transport != Known::Is(Header::Udp) => Refusal::expecting(
                format!("`{}` is read only where UDP is asked for before", header.name()),
                "`udp dport` and the tunnel's port",
            ),
            _ => match header.base() {
                PayloadBase::Link => self.link(header),
                PayloadBase::Network => self.network(header),
                PayloadBase::Transport => self.transport(header),
                _ => Ok(()),
            },
        }
    }

    fn link(&mut self, header: Header) -> Checked {
        if header == Header::Vlan && self.protocols.link != Known::Is(Header::Vlan) {
            if self.ether_type {
                return conflict("ether", header);
            }
            self.protocols.link = Known::Is(Header::Vlan);
        } else if self.protocols.link == Known::No {
            self.protocols.link = Known::Is(Header::Ether);
        }
        Ok(())
    }

    fn network(&mut self, header: Header) -> Checked {
        match self.protocols.network {
            Known::Is(known) if known == header => {}
            Known::Is(known) => return conflict(known.name(), header),
            Known::Foreign => return conflict("another protocol", header),
            Known::No if header == Header::Arp && self.site.family == Family::Inet => return conflict("inet", header),
            Known::No => self.protocols.network = Known::Is(header),
        }
        Ok(())
    }

    fn transport(&mut self, header: Header) -> Checked {
        if self.protocols.network == Known::Is(Header::Arp) {
            return conflict("arp", header);
        }
        let Some(protocol) = header.inet_protocol() else { return Ok(()) };
        match self.protocols.transport {
            Known::Is(known) if known.inet_protocol() == Some(protocol) => {}
            Known::Is(known) => return conflict(known.name(), header),
            Known::Foreign => return conflict("another protocol", header),
            Known::No if self.transport_asked => {}
            Known::No => self.protocols.transport = Known::Is(header),
        }
        Ok(())
    }

    /// `icmp id` exists in echoes only, and so on.
    fn icmp(&mut self, field: PayloadField) -> Checked {
        let Some(needed) = needed_icmp_type(field) else { return Ok(()) };
        match &self.icmp_type {
            Some(known) if !known.iter().any(|one| needed.contains(one)) => Refusal::expecting(
                format!("`{field}` is not part of the type of message asked for before"),
                format!("`{} type` {}", field.header().name(), needed[0]),
            ),
            Some(_) => Ok(()),
            None => {
                self.icmp_type = Some(needed.to_vec());
                Ok(())
            }
        }
    }

    /// What a match teaches about the packet.
    pub(super) fn learn(&mut self, left: &Expression, op: RelationalOp, right: &Expression) {
        self.protocols.learn(self.site.family, left, op, right);
        if !matches!(op, RelationalOp::Implicit | RelationalOp::Eq) {
            return;
        }
        let asks_transport = match left {
            Expression::Meta(MetaKey::L4proto) | Expression::Ct { key: CtKey::Protocol, .. } => true,
            Expression::Payload(Payload::Field(field)) => {
                if let (Header::Ether, "type", Expression::Value(_)) = (field.header(), field.spec().name, right) {
                    self.ether_type = self.protocols.link != Known::Is(Header::Vlan);
                }
                if matches!(field.header(), Header::Icmp | Header::Icmpv6) && field.spec().name == "type" {
                    self.icmp_type = Some(single_bytes(right));
                }
                matches!((field.header(), field.spec().name), (Header::Ip, "protocol") | (Header::Ip6, "nexthdr"))
            }
            _ => false,
        };
        self.transport_asked |= asks_transport;
    }

    /// What a statement needs to be known, beyond its expressions.
    pub(super) fn needs(&self, statement: &Statement) -> Checked {
        match statement {
            Statement::Reject(reject) => self.reject(reject),
            Statement::Nat(nat) => self.nat(nat),
            Statement::Tproxy { family, address, .. } => self.tproxy(*family, address.is_some()),
            _ => Ok(()),
        }
    }

    fn reject(&self, reject: &Reject) -> Checked {
        let network = match reject {
            Reject::TcpReset => {
                let tcp = matches!(self.protocols.transport, Known::Is(Header::Tcp));
                let open = self.protocols.transport == Known::No && !self.transport_asked;
                return if tcp || open {
                    Ok(())
                } else {
                    Refusal::expecting("only TCP can be reset", "`tcp` asked for before")
                };
            }
            Reject::Icmp(_) => Header::Ip,
            Reject::Icmpv6(_) => Header::Ip6,
            Reject::Icmpx(_) if matches!(self.site.family, Family::Ip | Family::Ip6) => {
                return Refusal::expecting(
                    format!("`icmpx` is for tables of both families, not of `{}`", self.site.family),
                    if self.site.family == Family::Ip { "`icmp`" } else { "`icmpv6`" },
                );
            }
            Reject::Icmpx(_) => match self.protocols.network {
                Known::Is(Header::Arp) => return Refusal::new("ARP cannot be rejected"),
                _ => return Ok(()),
            },
        };
        match self.protocols.network {
            Known::Is(known) if known != network => conflict(known.name(), network),
            _ => Ok(()),
        }
    }

    fn nat(&self, nat: &Nat) -> Checked {
        if let (Some(family), Known::Is(known)) = (nat.family, self.protocols.network) {
            let network = if family == Family::Ip { Header::Ip } else { Header::Ip6 };
            if known != network {
                return conflict(known.name(), network);
            }
        }
        let gives_port = nat.port.is_some() || nat.address.as_ref().is_some_and(has_port);
        let from_port = nat.address.as_ref().is_some_and(asks_port);
        if gives_port && !from_port && !self.transport_is_known() {
            return Refusal::expecting(
                "ports are rewritten only where a protocol that has them is asked for before",
                "`meta l4proto { tcp, udp }` or `tcp dport` before",
            );
        }
        Ok(())
    }

    fn tproxy(&self, family: Option<Family>, address: bool) -> Checked {
        if !self.transport_is_known() {
            return Refusal::expecting(
                "`tproxy` needs a protocol that is asked for before",
                "`meta l4proto tcp` or `tcp dport` before",
            );
        }
        if self.site.family == Family::Inet && address && family.is_none() {
            return Refusal::expecting("the family of this address is not said", "`tproxy ip to` or `tproxy ip6 to`");
        }
        match (family, self.protocols.network) {
            (Some(Family::Ip), Known::Is(known)) if known != Header::Ip => conflict(known.name(), Header::Ip),
            (Some(Family::Ip6), Known::Is(known)) if known != Header::Ip6 => conflict(known.name(), Header::Ip6),
            _ => Ok(()),
        }
    }
}

fn conflict(known: &str, header: Header) -> Checked {
    Refusal::new(format!("a packet cannot be both: {known} was asked for, this is {}", header.name()))
}

/// The values of a literal or set of bytes.
fn single_bytes(right: &Expression) -> Vec<u8> {
    match right {
        Expression::Value(value) => value.bytes.to_vec(),
        Expression::Set(set) => {
            let single = |key: &Key| if let Key::Value(bytes) = key { bytes.first().copied() } else { None };
            set.elements.iter().filter_map(|element| single(&element.key)).collect()
        }
        _ => (0..=u8::MAX).collect(),
    }
}

/// Whether a target gives an address and a port.
fn has_port(address: &Expression) -> bool {
    match address {
        Expression::Concat(_) => true,
        Expression::Map { map, .. } => match &**map {
            Expression::Set(set) => {
                matches!(&set.data, crate::ir::DataKind::Value { data, .. } if data.is_concat())
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether the key of a map asks for a port itself.
fn asks_port(address: &Expression) -> bool {
    let Expression::Map { key, .. } = address else { return false };
    let parts = match &**key {
        Expression::Concat(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    parts.iter().any(|part| match part {
        Expression::Payload(Payload::Field(field)) => field.header().base() == PayloadBase::Transport,
        Expression::Meta(MetaKey::L4proto) => true,
        _ => false,
    })
}
