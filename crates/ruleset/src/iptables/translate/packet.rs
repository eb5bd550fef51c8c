//! What stands in a packet and what the kernel keeps beside it: lengths, marks, addresses, devices, owners.

use std::net::IpAddr;

use super::asked::Asked;
use super::compare::{equals, exthdr, field, masked, meta, number, ordered, range, relation, under_mask, within};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{
    CtKey, DataType, Expression, ExthdrCarrier, Header, MetaKey, OsfTtl, Payload, PayloadBase, RelationalOp, SocketKey,
    Statement, Value, symbol,
};

const ALL: u64 = 0xffff_ffff;

/// `-m mark`.
pub(super) fn mark(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_mark(meta(MetaKey::Mark), asked, draft)
}

/// `-m connmark`.
pub(super) fn connmark(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_mark(Expression::ct(CtKey::Mark), asked, draft)
}

fn of_mark(left: Expression, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, mark)) = asked.value(&["--mark"])? {
        draft.push(under_mask(left, inverted, masked(&mark, ALL)?)?);
    }
    Ok(())
}

/// `-m length`: of the whole packet.
pub(super) fn length(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, text)) = asked.value(&["--length"])? {
        let (first, last) = range(&text, ':', 0xffff)?;
        draft.extend(within(meta(MetaKey::Length), inverted, (first, last))?);
    }
    Ok(())
}

/// `-m ttl`.
pub(super) fn ttl(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    hops(field(Header::Ip, "ttl"), "--ttl", asked, draft)
}

/// `-m hl`.
pub(super) fn hl(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    hops(field(Header::Ip6, "hoplimit"), "--hl", asked, draft)
}

fn hops(left: Expression, option: &str, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let [eq, lt, gt] = ["eq", "lt", "gt"].map(|how| format!("{option}-{how}"));
    if let Some((inverted, value)) = asked.value(&[&eq, option])? {
        draft.push(equals(left.clone(), inverted, number(&value)?)?);
    }
    for (option, op) in [(lt, RelationalOp::Lt), (gt, RelationalOp::Gt)] {
        if let Some(value) = asked.plain(&[&option])? {
            draft.push(ordered(left.clone(), op, number(&value)?)?);
        }
    }
    Ok(())
}

/// `-m dscp`.
pub(super) fn dscp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let left = field(draft.network(), "dscp");
    if let Some((inverted, value)) = asked.value(&["--dscp"])? {
        draft.push(equals(left.clone(), inverted, number(&value)?)?);
    }
    if let Some((inverted, class)) = asked.value(&["--dscp-class"])? {
        draft.push(equals(left, inverted, dscp_class(&class)?)?);
    }
    Ok(())
}

/// The code point of a class by its name.
pub(super) fn dscp_class(name: &str) -> Told<u64> {
    let known = symbol::number_of(DataType::Dscp, &name.to_ascii_lowercase());
    known.ok_or_else(|| No::because(format!("no class `{name}` is known")))
}

/// `-m tos`: all eight bits of the field, of which the last two are today's ECN.
pub(super) fn tos(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, text)) = asked.value(&["--tos"])? else { return Ok(()) };
    let (value, mask) = masked_tos(&text)?;
    if mask == 0xfc {
        draft.push(equals(field(draft.network(), "dscp"), inverted, value >> 2)?);
        return Ok(());
    }
    let offset_bits = if draft.is_ip6() { 4 } else { 8 };
    let left = Expression::Payload(Payload::Raw { base: PayloadBase::Network, offset_bits, bits: 8 });
    draft.push(under_mask(left, inverted, (value, mask))?);
    Ok(())
}

/// A value and mask, or a name for both (RFC 1349; extensions/tos_values.c).
pub(super) fn masked_tos(text: &str) -> Told<(u64, u64)> {
    let names = [
        ("Minimize-Delay", 0x10),
        ("Maximize-Throughput", 0x08),
        ("Maximize-Reliability", 0x04),
        ("Minimize-Cost", 0x02),
        ("Normal-Service", 0x00),
    ];
    match names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, value)) => Ok((*value, 0x3f)),
        None => masked(text, 0xff),
    }
}

/// `-m pkttype`.
pub(super) fn pkttype(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, name)) = asked.value(&["--pkt-type"])? else { return Ok(()) };
    let number = match symbol::number_of(DataType::Pkttype, &name.to_ascii_lowercase()) {
        Some(number) => number,
        None => number(&name)?,
    };
    draft.push(equals(meta(MetaKey::Pkttype), inverted, number)?);
    Ok(())
}

/// `-m mac`.
pub(super) fn mac(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, text)) = asked.value(&["--mac-source"])? else { return Ok(()) };
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let Some(bytes) = bytes.filter(|bytes| bytes.len() == 6) else {
        return Err(No::because(format!("`{text}` is no hardware address")));
    };
    let value = Value::new(DataType::EtherAddr, bytes.as_slice());
    draft.push(relation(field(Header::Ether, "saddr"), inverted, value));
    Ok(())
}

/// `-m iprange`.
pub(super) fn iprange(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    for (option, source) in [("--src-range", true), ("--dst-range", false)] {
        let Some((inverted, text)) = asked.value(&[option])? else { continue };
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let address = |text: &str| -> Told<Expression> {
            let address: IpAddr = text.parse().map_err(|_| No::because(format!("`{text}` is no address")))?;
            Ok(Value::address(address).into())
        };
        let (first, last) = (address(first)?, address(last)?);
        let right = if first == last { first } else { Expression::Range(Box::new(first), Box::new(last)) };
        draft.push(relation(draft.address(source), inverted, right));
    }
    Ok(())
}

/// `-m cpu`.
pub(super) fn cpu(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, text)) = asked.value(&["--cpu"])? {
        draft.push(equals(meta(MetaKey::Cpu), inverted, number(&text)?)?);
    }
    Ok(())
}

/// `-m devgroup`.
pub(super) fn devgroup(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    for (option, key) in [("--src-group", MetaKey::Iifgroup), ("--dst-group", MetaKey::Oifgroup)] {
        if let Some((inverted, text)) = asked.value(&[option])? {
            draft.push(under_mask(meta(key), inverted, masked(&text, ALL)?)?);
        }
    }
    Ok(())
}

/// `-m realm`: of the route, by number.
pub(super) fn realm(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, text)) = asked.value(&["--realm"])? {
        let named = |_| No::because(format!("`{text}` is a name, which iptables looks up when it loads the rule"));
        let realm = masked(&text, ALL).map_err(named)?;
        draft.push(under_mask(meta(MetaKey::Rtclassid), inverted, realm)?);
    }
    Ok(())
}

/// `-m cgroup`.
pub(super) fn cgroup(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if asked.has(&["--path"]) {
        return Err(No::because("nft keeps a group of version 2 by the number that it has when the rule is loaded"));
    }
    if let Some((inverted, text)) = asked.value(&["--cgroup"])? {
        draft.push(equals(meta(MetaKey::Cgroup), inverted, number(&text)?)?);
    }
    Ok(())
}

/// `-m owner`.
pub(super) fn owner(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    for (option, key) in [("--uid-owner", MetaKey::Skuid), ("--gid-owner", MetaKey::Skgid)] {
        let Some((inverted, text)) = asked.value(&[option])? else { continue };
        let named = |_| No::because(format!("`{text}` is a name, which iptables looks up when it loads the rule"));
        let ids = if text == "root" { (0, 0) } else { range(&text, '-', ALL).map_err(named)? };
        draft.extend(within(meta(key), inverted, ids)?);
        if inverted {
            draft.note("note: without a socket, a packet has no owner: it matches in iptables and not in nft");
        }
    }
    if asked.has(&["--suppl-groups"]) {
        return Err(No::because("nft looks at the group of the socket only, not at others of its owner"));
    }
    match asked.flag(&["--socket-exists"]) {
        None => {}
        Some(true) => draft.push(ordered(meta(MetaKey::Skuid), RelationalOp::Gte, 0)?),
        Some(false) => return Err(No::because("nft has no match that a packet without a socket fits")),
    }
    Ok(())
}

/// `-m ah`.
pub(super) fn ah(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if draft.is_ip6() {
        return Err(No::because("in IPv6 nft passes over an authentication header and does not see its fields"));
    }
    let before = draft.statements.len();
    spi(field(Header::Ah, "spi"), "--ahspi", asked, draft)?;
    if draft.statements.len() == before && draft.protocol.is_none() {
        draft.push(equals(MetaKey::L4proto.into(), false, 51)?);
    }
    Ok(())
}

/// `-m esp`.
pub(super) fn esp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    spi(field(Header::Esp, "spi"), "--espspi", asked, draft)
}

/// `-m ipcomp`.
pub(super) fn ipcomp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if asked.has(&["--compres"]) {
        return Err(No::because("`--compres` has no effect in the kernel"));
    }
    spi(field(Header::Comp, "cpi"), "--ipcompspi", asked, draft)
}

fn spi(left: Expression, option: &str, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, text)) = asked.value(&[option])? {
        draft.extend(within(left, inverted, range(&text, ':', ALL)?)?);
    }
    Ok(())
}

/// `-m tcpmss`.
pub(super) fn tcpmss(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if let Some((inverted, text)) = asked.value(&["--mss"])? {
        let size = exthdr(ExthdrCarrier::TcpOption, "maxseg", Some("size"));
        draft.extend(within(size, inverted, range(&text, ':', 0xffff)?)?);
        if inverted {
            draft.note("note: a packet without that option matches in iptables and not in nft");
        }
    }
    Ok(())
}

/// `-m socket`.
pub(super) fn socket(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let [transparent, any, restore] =
        ["--transparent", "--nowildcard", "--restore-skmark"].map(|option| asked.flag(&[option]) == Some(true));
    let socket = |key| Expression::Socket { key, level: None };
    match (any, transparent) {
        (false, _) => draft.push(equals(socket(SocketKey::Wildcard), false, 0)?),
        (true, true) => {}
        (true, false) => draft.push(ordered(socket(SocketKey::Wildcard), RelationalOp::Lte, 1)?),
    }
    if transparent {
        draft.push(equals(socket(SocketKey::Transparent), false, 1)?);
    }
    if restore {
        draft.push(Statement::set_mark(socket(SocketKey::Mark)));
    }
    Ok(())
}

/// `-m osf`.
pub(super) fn osf(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, genre)) = asked.value(&["--genre"])? else { return Err(No::because("it names no system")) };
    let ttl = match asked.plain(&["--ttl"])?.as_deref() {
        None | Some("0") => OsfTtl::Strict,
        Some("1") => OsfTtl::Loose,
        Some("2") => OsfTtl::Skip,
        Some(other) => return Err(No::because(format!("`--ttl {other}` is not known"))),
    };
    let left = Expression::Osf { ttl, version: false };
    draft.push(relation(left, inverted, Value::new(DataType::String, genre.as_bytes())));
    Ok(())
}
