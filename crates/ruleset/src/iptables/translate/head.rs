//! The head of a rule: interfaces, fragments, protocol, addresses.

use std::net::IpAddr;

use super::compare::{bits_of, field, relation, value_for};
use super::draft::Draft;
use super::{No, Told};
use crate::iptables::head::{Address, Criterion};
use crate::iptables::rule::Rule;
use crate::ir::{BinaryOp, DataType, Expression, Family, Header, MetaKey, RelationalOp, Statement, Value, symbol};

/// A part of a rule as iptables writes it, and what nft makes of it.
pub(super) type Part = (String, Told<Vec<Statement>>);

/// The number of a protocol that is given by name or number.
pub(super) fn protocol(text: &str) -> Option<u8> {
    let named = || symbol::number_of(DataType::InetProto, text).and_then(|number| u8::try_from(number).ok());
    match text {
        "all" => Some(0),
        "ipv6-mh" | "mobility-header" => Some(135),
        _ => text.parse().ok().or_else(named),
    }
}

/// What the head asks, in the order in which iptables-translate writes it.
pub(super) fn parts(rule: &Rule, draft: &Draft<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |option: &str, inverted: bool, value: &str, told| {
        let text = format!("{}{option} {value}", if inverted { "! " } else { "" });
        parts.push((text.trim_end().to_owned(), told));
    };
    for (option, key, name) in
        [("-i", MetaKey::Iifname, &rule.in_interface), ("-o", MetaKey::Oifname, &rule.out_interface)]
    {
        if let Some(name) = name {
            let text = name.value.to_string();
            add(option, name.inverted, &text, interface(key, name.inverted, &text));
        }
    }
    if let Some(fragment) = rule.fragment {
        add("-f", !fragment, "", fragments(fragment));
    }
    if let Some(Criterion { inverted, value }) = &rule.protocol {
        let text = value.to_string();
        add("-p", *inverted, &text, of_protocol(draft, *inverted, &text));
    }
    for (option, source, address) in [("-s", true, &rule.source), ("-d", false, &rule.destination)] {
        if let Some(Criterion { inverted, value }) = address {
            let told = addresses(draft.address(source), draft.family, *inverted, value);
            add(option, *inverted, &value.to_string(), told);
        }
    }
    parts
}

/// A name, or the start of one and `+`.
fn interface(key: MetaKey, inverted: bool, name: &str) -> Told<Vec<Statement>> {
    match name.strip_suffix('+') {
        Some("") if inverted => return Err(No::Never),
        Some("") => return Ok(Vec::new()),
        _ if name.contains('*') => return Err(No::because("`*` in a name is a wildcard for nft")),
        _ => {}
    }
    let pattern = name.strip_suffix('+').map(|stem| format!("{stem}*"));
    Ok(vec![relation(Expression::Meta(key), inverted, Value::ifname(pattern.as_deref().unwrap_or(name)))])
}

/// Second and later fragments, or all but these.
fn fragments(later: bool) -> Told<Vec<Statement>> {
    let offset = field(Header::Ip, "frag-off");
    let right = value_for(&offset, 0)?.into();
    let op = if later { RelationalOp::Neq } else { RelationalOp::Eq };
    Ok(vec![Statement::Match { left: bits_of(BinaryOp::And, offset, 0x1fff)?, op, right }])
}

fn of_protocol(draft: &Draft<'_>, inverted: bool, text: &str) -> Told<Vec<Statement>> {
    let number = protocol(text).ok_or_else(|| No::because(format!("no protocol `{text}` is known")))?;
    match (number, inverted) {
        (0, false) => Ok(Vec::new()),
        (0, true) => Err(No::Never),
        _ => {
            // An IPv6 packet may have headers between, which `ip6 nexthdr` does not skip.
            let left =
                if draft.is_ip6() || draft.named { MetaKey::L4proto.into() } else { field(Header::Ip, "protocol") };
            Ok(vec![relation(left, inverted, Value::protocol(number))])
        }
    }
}

/// An address, a network, or an address under any mask.
pub(super) fn addresses(left: Expression, family: Family, inverted: bool, address: &Address) -> Told<Vec<Statement>> {
    match address {
        Address::Network(network) => {
            fits(family, network.addr())?;
            match network.prefix_len() {
                0 if inverted => Err(No::Never),
                0 => Ok(Vec::new()),
                bits => {
                    let value = Expression::Value(Value::address(network.network()));
                    let whole = bits == network.max_prefix_len();
                    let right = if whole { value } else { Expression::Prefix(Box::new(value), u32::from(bits)) };
                    Ok(vec![relation(left, inverted, right)])
                }
            }
        }
        Address::Masked(address, mask) => {
            fits(family, *address)?;
            let op = if inverted { RelationalOp::Neq } else { RelationalOp::Eq };
            let mask = Box::new(Expression::Value(Value::address(*mask)));
            let left = Expression::Binary { op: BinaryOp::And, left: Box::new(left), right: mask };
            Ok(vec![Statement::Match { left, op, right: Value::address(*address).into() }])
        }
    }
}

fn fits(family: Family, address: IpAddr) -> Told<()> {
    if address.is_ipv4() == (family == Family::Ip) {
        Ok(())
    } else {
        Err(No::because("an address of the other family"))
    }
}
