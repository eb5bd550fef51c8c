//! The form in which nft lists a rule: matches that a later one implies are left out, those that nft adds and shows are
//! there, fields beside one another stand in their order.
//!
//! Front ends bring what they read into it, so that the same rule is the same however it was written.

mod raw;

use super::check::{Check, Site, needed_icmp_type};
use super::{
    AnonymousSet, DataKind, DataType, Element, Expression, Family, Header, KeyType, MetaKey, Payload, PayloadBase,
    PayloadField, Reject, RelationalOp, Statement, Value,
};

/// Brings the statements of a rule into their normal form.
pub fn normal(family: Family, statements: Vec<Statement>) -> Vec<Statement> {
    let named = raw::with_names(family, statements);
    let mut statements = without_implied(family, with_shown(family, named));
    in_order(&mut statements);
    statements
}

/// Adds the matches that nft adds and does not hide when it lists the rule.
fn with_shown(family: Family, statements: Vec<Statement>) -> Vec<Statement> {
    let mut known = Check::new(Site::of(family));
    let mut shown = Vec::with_capacity(statements.len());
    for statement in statements {
        if let Statement::Match { left, .. } | Statement::Vmap { key: left, .. } = &statement
            && !known.knows_icmp_type()
        {
            shown.extend(fields(left).into_iter().find_map(echoes));
        }
        if asks_igmp(&statement) && known.network_family().is_none() {
            let ipv4 = match family {
                Family::Inet => Statement::equals(MetaKey::Nfproto, Value::new(DataType::Nfproto, [2])),
                _ => Statement::equals(MetaKey::Protocol, Value::new(DataType::EtherType, [8, 0])),
            };
            let _ = known.statement(&ipv4);
            shown.push(ipv4);
        }
        if matches!(statement, Statement::Reject(Reject::TcpReset)) && !known.transport_is_known() {
            shown.insert(0, Statement::equals(MetaKey::L4proto, Value::protocol(6)));
        }
        let statement = with_network(statement);
        // What is refused was reported; what is known then does not matter.
        let _ = known.statement(&statement);
        shown.push(statement);
    }
    shown
}

/// A range of addresses that is a network, as one.
fn with_network(statement: Statement) -> Statement {
    let Statement::Nat(mut nat) = statement else { return statement };
    if let Some(Expression::Range(start, end)) = &nat.address
        && let (Expression::Value(start), Expression::Value(end)) = (&**start, &**end)
        && let Some(bits) = super::spread::prefix_len(&start.bytes, &end.bytes, start.bytes.len() as u32 * 8)
    {
        nat.address = Some(Expression::Prefix(Box::new(start.clone().into()), bits));
    }
    Statement::Nat(nat)
}

/// Whether it looks at IGMP, of which nft does not hide that it is IPv4.
fn asks_igmp(statement: &Statement) -> bool {
    match statement {
        Statement::Match { left, .. } | Statement::Vmap { key: left, .. } => {
            fields(left).iter().any(|field| field.header() == Header::Igmp)
        }
        _ => false,
    }
}

/// `icmp type { echo-reply, echo-request }`, for a field that only echoes have.
fn echoes(field: PayloadField) -> Option<Statement> {
    let types = needed_icmp_type(field).filter(|types| types.len() > 1)?;
    let of = PayloadField::find(field.header(), "type")?;
    let datatype = if field.header() == Header::Icmp { DataType::IcmpType } else { DataType::Icmpv6Type };
    let elements = types.iter().map(|one| Element::new([*one].into(), super::Data::None)).collect();
    let key = KeyType::of_types([datatype]);
    let set = AnonymousSet { key, data: DataKind::None, interval: false, elements };
    Some(Statement::matches(of, Expression::Set(Box::new(set))))
}

/// A match on the protocol below what another match needs anyway: nft makes the same program without it, and lists it
/// without it.
struct Dependency {
    at: usize,
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Ethernet, by the device.
    Ethernet,
    /// A VLAN tag.
    Vlan,
    /// Layer 3, as `NFPROTO_*`.
    Network(Family),
    /// Layer 3, which only `reject` implies.
    Rejected(Family),
    /// Above it, by number.
    Transport(u8),
    /// One type of messages, of ICMP or ICMPv6.
    Message(Header, u8),
}

/// Takes out matches that a later one implies (`payload_may_dependency_kill`, src/payload.c).
fn without_implied(family: Family, statements: Vec<Statement>) -> Vec<Statement> {
    let mut implied = vec![false; statements.len()];
    let mut open: Vec<Dependency> = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let kills = match statement {
            Statement::Match { left, .. } | Statement::Vmap { key: left, .. } => {
                fields(left).into_iter().flat_map(|field| implied_by(family, field)).collect()
            }
            Statement::Reject(Reject::Icmp(_)) => vec![Protocol::Network(Family::Ip), Protocol::Rejected(Family::Ip)],
            Statement::Reject(Reject::Icmpv6(_)) => {
                vec![Protocol::Network(Family::Ip6), Protocol::Rejected(Family::Ip6)]
            }
            // Shown in tables of several families.
            Statement::Reject(Reject::TcpReset) if matches!(family, Family::Ip | Family::Ip6) => {
                vec![Protocol::Transport(6)]
            }
            _ => Vec::new(),
        };
        open.retain(|dependency| {
            let killed = kills.contains(&dependency.protocol);
            implied[dependency.at] |= killed;
            !killed
        });
        match says(family, statement) {
            Some(protocol) => {
                open.retain(|other| layer(other.protocol) != layer(protocol));
                open.push(Dependency { at, protocol });
            }
            None if matches!(statement, Statement::Match { .. }) => {}
            None => open.clear(),
        }
    }
    let mut implied = implied.into_iter();
    statements.into_iter().filter(|_| !implied.next().unwrap_or(false)).collect()
}

const fn layer(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Ethernet => 0,
        Protocol::Vlan => 1,
        Protocol::Network(_) | Protocol::Rejected(_) => 2,
        Protocol::Transport(_) => 3,
        Protocol::Message(..) => 4,
    }
}

/// What a field implies.
fn implied_by(family: Family, field: PayloadField) -> Vec<Protocol> {
    let header = field.header();
    let mut implied = match header {
        Header::Ether => vec![Protocol::Ethernet],
        Header::Vlan => vec![Protocol::Ethernet, Protocol::Vlan],
        // Of IGMP, nft shows that it is IPv4 in tables of several families.
        Header::Igmp if !matches!(family, Family::Ip | Family::Ip6) => Vec::new(),
        Header::Ip | Header::Icmp | Header::Igmp => vec![Protocol::Network(Family::Ip)],
        Header::Ip6 | Header::Icmpv6 => vec![Protocol::Network(Family::Ip6)],
        // Of its own family, a packet is anyway.
        _ if matches!(family, Family::Ip | Family::Ip6) => vec![Protocol::Network(family)],
        _ => Vec::new(),
    };
    implied.extend(header.inet_protocol().map(Protocol::Transport));
    if let Some([only]) = needed_icmp_type(field) {
        implied.push(Protocol::Message(header, *only));
    }
    implied
}

/// The protocol that a match asks for, if it is one that nft would make itself in that family.
fn says(family: Family, statement: &Statement) -> Option<Protocol> {
    let Statement::Match { left, op: RelationalOp::Implicit, right: Expression::Value(value) } = statement else {
        return None;
    };
    let number = value.to_u128()?;
    match left {
        Expression::Meta(MetaKey::L4proto) => Some(Protocol::Transport(u8::try_from(number).ok()?)),
        Expression::Payload(Payload::Field(field)) => match (family, field.header(), field.spec().name) {
            (Family::Ip, Header::Ip, "protocol") | (Family::Ip6, Header::Ip6, "nexthdr") => {
                Some(Protocol::Transport(u8::try_from(number).ok()?))
            }
            // Of these two, the family says which.
            (Family::Netdev, Header::Ip, "protocol") if number == 1 => Some(Protocol::Transport(1)),
            (Family::Netdev, Header::Ip6, "nexthdr") if number == 58 => Some(Protocol::Transport(58)),
            (_, header @ (Header::Icmp | Header::Icmpv6), "type") => {
                Some(Protocol::Message(header, u8::try_from(number).ok()?))
            }
            (_, Header::Ether, "type") if number == 0x8100 => Some(Protocol::Vlan),
            (Family::Bridge | Family::Netdev, Header::Ether, "type") => ether_type(value).map(Protocol::Rejected),
            (_, Header::Ether | Header::Vlan, "type") => ether_type(value).map(Protocol::Network),
            _ => None,
        },
        Expression::Meta(MetaKey::Nfproto) if family == Family::Inet => match number {
            2 => Some(Protocol::Network(Family::Ip)),
            10 => Some(Protocol::Network(Family::Ip6)),
            _ => None,
        },
        Expression::Meta(MetaKey::Protocol) if family != Family::Inet => ether_type(value).map(Protocol::Network),
        Expression::Meta(MetaKey::Iiftype) if number == 1 && family != Family::Bridge => Some(Protocol::Ethernet),
        _ => None,
    }
}

fn ether_type(value: &Value) -> Option<Family> {
    match (value.datatype, value.to_u128()?) {
        (DataType::EtherType, 0x0800) => Some(Family::Ip),
        (DataType::EtherType, 0x86dd) => Some(Family::Ip6),
        _ => None,
    }
}

/// The header fields that an expression looks at.
fn fields(expression: &Expression) -> Vec<PayloadField> {
    match expression {
        Expression::Payload(Payload::Field(field)) => vec![*field],
        Expression::Concat(parts) => parts.iter().flat_map(fields).collect(),
        Expression::Binary { left, .. } => fields(left),
        Expression::Map { key, .. } => fields(key),
        _ => Vec::new(),
    }
}

/// Turns two matches around where the second looks at the bytes right before those of the first: nft compares them
/// together (`payload_try_merge`, src/payload.c).
fn in_order(statements: &mut [Statement]) {
    for at in 1..statements.len() {
        if let (Some(one), Some(other)) = (compared(&statements[at - 1]), compared(&statements[at]))
            && one.header() == other.header()
            && other.spec().offset_bits + other.spec().bits == one.spec().offset_bits
            && are_compared_together(one, other)
        {
            statements.swap(at - 1, at);
        }
        // Before a VLAN's fields stands the type of the frame, right behind the address of the sender.
        if at == 1 && asks_vlan(&statements[0]) && compared(&statements[1]).is_some_and(is_ether_source) {
            statements.swap(0, 1);
        }
    }
}

/// Whether one load of both is not slower than two: up to four bytes the kernel is fast (`payload_can_merge`).
fn are_compared_together(one: PayloadField, other: PayloadField) -> bool {
    let (one_bits, other_bits) = (one.spec().bits, other.spec().bits);
    let total = one_bits + other_bits;
    total <= 128 && (total <= 32 || one.header().base() == PayloadBase::Link || one_bits > 32 || other_bits > 32)
}

fn is_ether_source(field: PayloadField) -> bool {
    field.header() == Header::Ether && field.spec().name == "saddr"
}

fn asks_vlan(statement: &Statement) -> bool {
    matches!(statement, Statement::Match { left, .. } if fields(left).iter().any(|it| it.header() == Header::Vlan))
}

/// The field of whole bytes that a statement compares with one value.
fn compared(statement: &Statement) -> Option<PayloadField> {
    match statement {
        Statement::Match {
            left: Expression::Payload(Payload::Field(field)),
            op: RelationalOp::Implicit | RelationalOp::Eq,
            right: Expression::Value(_),
        } if field.spec().bits % 8 == 0 && field.spec().offset_bits % 8 == 0 => Some(*field),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> Statement {
        Statement::equals(PayloadField::TCP_DPORT, Value::port(22))
    }

    #[test]
    fn what_is_implied_goes_and_what_is_shown_comes() {
        let tcp = Statement::equals(MetaKey::L4proto, Value::protocol(6));
        assert_eq!(normal(Family::Inet, vec![tcp.clone(), port()]), [port()]);
        let counted = vec![tcp.clone(), Statement::counter(), port()];
        assert_eq!(normal(Family::Inet, counted.clone()), counted);
        let reset = Statement::Reject(Reject::TcpReset);
        assert_eq!(normal(Family::Inet, vec![reset.clone()]), [tcp, reset.clone()]);
        assert_eq!(normal(Family::Inet, vec![port(), reset.clone()]), [port(), reset]);
    }

    #[test]
    fn fields_beside_one_another_stand_in_their_order() {
        let source = Statement::equals(PayloadField::find(Header::Tcp, "sport").unwrap(), Value::port(1));
        assert_eq!(normal(Family::Ip, vec![port(), source.clone()]), [source.clone(), port()]);
        let apart = vec![port(), Statement::counter(), source];
        assert_eq!(normal(Family::Ip, apart.clone()), apart);
    }
}
