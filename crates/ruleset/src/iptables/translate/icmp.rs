//! ICMP and ICMPv6: types and codes by iptables' names.

use super::asked::Asked;
use super::compare::{equals, field, number, relation, set_of, within};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{Expression, Header, KeyType, MetaKey, Statement, Value};

/// A name, its type, and its code if it has one.
type Named = (&'static str, u8, Option<u8>);

/// `-m icmp`.
pub(super) fn icmp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of(Header::Icmp, &["--icmp-type"], NAMES, asked, draft)
}

/// `-m icmp6`.
pub(super) fn icmp6(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of(Header::Icmpv6, &["--icmpv6-type"], NAMES6, asked, draft)
}

fn of(header: Header, names: &[&str], known: &[Named], asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, text)) = asked.value(names)? else { return protocol(header, draft) };
    let (of_type, code) = match text.split_once('/') {
        Some((of_type, code)) => (number(of_type)?, Some(number(code)?)),
        None => match known.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&text)) {
            Some((_, of_type, code)) => (u64::from(*of_type), code.map(u64::from)),
            None => (number(&text)?, None),
        },
    };
    // What `any` stands for (icmp_type_match, net/ipv4/netfilter/ip_tables.c).
    if header == Header::Icmp && of_type == 255 {
        return if inverted { Err(No::Never) } else { protocol(header, draft) };
    }
    match (inverted, code) {
        (_, None) => draft.extend(within(field(header, "type"), inverted, (of_type, of_type))?),
        (false, Some(code)) => {
            draft.push(equals(field(header, "type"), false, of_type)?);
            draft.push(equals(field(header, "code"), false, code)?);
        }
        (true, Some(code)) => draft.push(other(header, of_type, code)?),
    }
    Ok(())
}

fn protocol(header: Header, draft: &mut Draft<'_>) -> Told<()> {
    if draft.protocol.is_none() {
        let left = if draft.is_ip6() { MetaKey::L4proto.into() } else { field(Header::Ip, "protocol") };
        draft.push(equals(left, false, u64::from(header.inet_protocol().unwrap_or(0)))?);
    }
    Ok(())
}

/// Another type, or that type with another code.
fn other(header: Header, of_type: u64, code: u64) -> Told<Statement> {
    let fields = [field(header, "type"), field(header, "code")];
    let key = KeyType::of_expressions(fields.clone()).ok_or_else(|| No::because("its type is not known"))?.anonymous();
    let byte = |number: u64, at: usize| -> Told<Value> {
        let byte = u8::try_from(number).map_err(|_| No::because(format!("{number} does not fit 8 bits")))?;
        Ok(Value::new(key.fields[at].datatype, [byte]))
    };
    let pair = vec![byte(of_type, 0)?, byte(code, 1)?];
    let set = set_of(key.clone(), &[(pair.clone(), pair)])?;
    Ok(relation(Expression::concat(fields), true, set))
}

/// extensions/libxt_icmp.h, `icmp_codes`.
#[rustfmt::skip]
const NAMES: &[Named] = &[
    ("any", 255, None), ("echo-reply", 0, None), ("pong", 0, None), ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)), ("host-unreachable", 3, Some(1)), ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)), ("fragmentation-needed", 3, Some(4)), ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)), ("host-unknown", 3, Some(7)), ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)), ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)), ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)), ("precedence-cutoff", 3, Some(15)), ("source-quench", 4, None),
    ("redirect", 5, None), ("network-redirect", 5, Some(0)), ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)), ("TOS-host-redirect", 5, Some(3)), ("echo-request", 8, None),
    ("ping", 8, None), ("router-advertisement", 9, None), ("router-solicitation", 10, None),
    ("time-exceeded", 11, None), ("ttl-exceeded", 11, None), ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)), ("parameter-problem", 12, None), ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)), ("timestamp-request", 13, None), ("timestamp-reply", 14, None),
    ("info-request", 15, None), ("info-reply", 16, None), ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

/// extensions/libxt_icmp.h, `icmpv6_codes`.
#[rustfmt::skip]
const NAMES6: &[Named] = &[
    ("destination-unreachable", 1, None), ("no-route", 1, Some(0)), ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)), ("address-unreachable", 1, Some(3)), ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)), ("reject-route", 1, Some(6)), ("packet-too-big", 2, None),
    ("time-exceeded", 3, None), ("ttl-exceeded", 3, None), ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)), ("parameter-problem", 4, None), ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)), ("unknown-option", 4, Some(2)), ("echo-request", 128, None),
    ("ping", 128, None), ("echo-reply", 129, None), ("pong", 129, None), ("mld-listener-query", 130, None),
    ("mld-listener-report", 131, None), ("mld-listener-done", 132, None), ("mld-listener-reduction", 132, None),
    ("router-solicitation", 133, None), ("router-advertisement", 134, None), ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None), ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None), ("redirect", 137, None),
];
