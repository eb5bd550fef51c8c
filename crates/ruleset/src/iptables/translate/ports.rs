//! TCP, UDP, UDP-Lite, SCTP and DCCP: ports, flags, options, chunks.

use super::asked::Asked;
use super::compare::{
    among, any_of, bits_of, equals, exists, exthdr, field, number, relation, set_of, value_for, within,
};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{BinaryOp, ExthdrCarrier, Header, KeyType, MetaKey, RelationalOp, Statement, Value, symbol};

/// `-m tcp`.
pub(super) fn tcp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_protocol(Header::Tcp, asked, draft)?;
    if let Some(asking) = asked.take(&["--tcp-flags"]) {
        let [mask, set] = asking.values.as_slice() else { return Err(No::because("`--tcp-flags` takes two lists")) };
        draft.push(flags(asking.inverted, tcp_flags(mask)?, tcp_flags(set)?)?);
    }
    if let Some(yes) = asked.flag(&["--syn"]) {
        draft.push(flags(!yes, tcp_flags("FIN,SYN,RST,ACK")?, tcp_flags("SYN")?)?);
    }
    if let Some((inverted, option)) = asked.value(&["--tcp-option"])? {
        let number = number(&option)?;
        let known = ExthdrCarrier::TcpOption.headers().iter().find(|header| u64::from(header.number) == number);
        let name = known.map_or_else(|| number.to_string(), |header| header.name.to_owned());
        draft.push(exists(exthdr(ExthdrCarrier::TcpOption, &name, None), !inverted));
    }
    Ok(())
}

/// `-m udp`.
pub(super) fn udp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_protocol(Header::Udp, asked, draft)
}

/// `-m sctp`.
pub(super) fn sctp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_protocol(Header::Sctp, asked, draft)?;
    let Some(asking) = asked.take(&["--chunk-types"]) else { return Ok(()) };
    let [how, list] = asking.values.as_slice() else {
        return Err(No::because("`--chunk-types` takes a word and a list"));
    };
    let mut named = Vec::new();
    for chunk in list.split(',') {
        named.push(Chunk::parse(chunk)?);
    }
    let all = ExthdrCarrier::SctpChunk.headers().iter();
    match (how.as_str(), asking.inverted, named.as_slice()) {
        ("all", false, _) | ("any", false, [_]) => {
            for chunk in all.filter_map(|header| named.iter().find(|chunk| chunk.name == header.name)) {
                chunk.there(draft)?;
            }
            Ok(())
        }
        ("any", true, _) | ("all", true, [_]) if named.iter().all(|chunk| chunk.flags.is_none()) => {
            draft.extend(named.iter().map(|chunk| exists(exthdr(ExthdrCarrier::SctpChunk, chunk.name, None), false)));
            Ok(())
        }
        ("only", false, [only]) => {
            for header in all {
                if header.name == only.name {
                    only.there(draft)?;
                } else {
                    draft.push(exists(exthdr(ExthdrCarrier::SctpChunk, header.name, None), false));
                }
            }
            draft.note("nft knows fewer types of chunks: one that it does not know counts as none");
            Ok(())
        }
        _ => Err(No::because("nft asks for each chunk by itself, not for one of several")),
    }
}

/// A type of SCTP chunks, and the flags it must have: mask and value.
struct Chunk {
    name: &'static str,
    flags: Option<(u64, u64)>,
}

impl Chunk {
    /// `DATA:iUbE`: a flag in capitals must be set, one in small letters must not.
    fn parse(text: &str) -> Told<Self> {
        let (name, flags) = text.split_once(':').map_or((text, ""), |(name, flags)| (name, flags));
        let name = name.to_ascii_lowercase().replace('_', "-");
        let header = ExthdrCarrier::SctpChunk.headers().iter().find(|header| header.name == name);
        let header = header.ok_or_else(|| No::because(format!("nft has no SCTP chunk `{name}`")))?;
        let letters = if header.name == "data" { "EBUI" } else { "T" };
        let mut bits = (0, 0);
        for flag in flags.chars() {
            let at = letters.find(flag.to_ascii_uppercase());
            let bit = 1 << at.ok_or_else(|| No::because(format!("`{name}` has no flag `{flag}`")))?;
            bits = (bits.0 | bit, if flag.is_ascii_uppercase() { bits.1 | bit } else { bits.1 });
        }
        Ok(Self { name: header.name, flags: (bits.0 != 0).then_some(bits) })
    }

    fn there(&self, draft: &mut Draft<'_>) -> Told<()> {
        let Some((mask, set)) = self.flags else {
            draft.push(exists(exthdr(ExthdrCarrier::SctpChunk, self.name, None), true));
            return Ok(());
        };
        let flags = exthdr(ExthdrCarrier::SctpChunk, self.name, Some("flags"));
        let right = value_for(&flags, set)?.into();
        let left = bits_of(BinaryOp::And, flags, mask)?;
        draft.push(Statement::Match { left, op: RelationalOp::Eq, right });
        Ok(())
    }
}

/// `-m dccp`.
pub(super) fn dccp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    of_protocol(Header::Dccp, asked, draft)?;
    if let Some((inverted, types)) = asked.value(&["--dccp-types"])? {
        let mut numbers = Vec::new();
        for word in types.split(',') {
            let known = symbol::symbols(crate::ir::DataType::DccpPkttype).iter();
            let known = known.filter(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, number)| (*number, *number));
            let invalid = word.eq_ignore_ascii_case("INVALID").then_some((10, 15));
            let number = known.chain(invalid).next();
            numbers.push(number.ok_or_else(|| No::because(format!("no type `{word}` of DCCP is known")))?);
        }
        draft.extend(among(field(Header::Dccp, "type"), inverted, &numbers)?);
    }
    if let Some((inverted, option)) = asked.value(&["--dccp-option"])? {
        let option = exthdr(ExthdrCarrier::DccpOption, &number(&option)?.to_string(), None);
        draft.push(exists(option, !inverted));
    }
    Ok(())
}

/// `-m multiport`: up to fifteen ports and ranges.
pub(super) fn multiport(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let header = draft.transport().ok_or_else(|| No::because("it needs a protocol that has ports"))?;
    for (names, port) in [(["--sports", "--source-ports"], "sport"), (["--dports", "--destination-ports"], "dport")] {
        if let Some((inverted, list)) = asked.value(&names)? {
            draft.extend(among(field(header, port), inverted, &ports(&list)?)?);
        }
    }
    if let Some((inverted, list)) = asked.value(&["--ports"])? {
        draft.push(either(header, inverted, &ports(&list)?)?);
    }
    Ok(())
}

/// One of the two ports is one of these.
fn either(header: Header, inverted: bool, ports: &[(u64, u64)]) -> Told<Statement> {
    let (source, destination) = (field(header, "sport"), field(header, "dport"));
    let key = KeyType::of_expressions([source.clone(), destination.clone()]);
    let key = key.ok_or_else(|| No::because("its type is not known"))?.anonymous();
    let port = |number: u64| u16::try_from(number).map(Value::port).map_err(|_| No::because("a port is too large"));
    let mut elements = Vec::new();
    for (first, last) in ports {
        let (first, last) = (port(*first)?, port(*last)?);
        let (lowest, highest) = (Value::port(0), Value::port(u16::MAX));
        elements.push((vec![lowest.clone(), first.clone()], vec![highest.clone(), last.clone()]));
        elements.push((vec![first, lowest], vec![last, highest]));
    }
    let both = crate::ir::Expression::concat([source, destination]);
    Ok(relation(both, inverted, set_of(key, &elements)?))
}

/// The ports of a protocol's match. Without any, the protocol itself.
fn of_protocol(header: Header, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    for (names, port) in [(["--sport", "--source-port"], "sport"), (["--dport", "--destination-port"], "dport")] {
        if let Some((inverted, range)) = asked.value(&names)? {
            let range = port_range(&range)?;
            draft.extend(within(field(header, port), inverted, range)?);
        }
    }
    if draft.protocol.is_none() {
        // Rules that iptables takes have it in their head.
        draft.push(equals(MetaKey::L4proto.into(), false, u64::from(header.inet_protocol().unwrap_or(0)))?);
    }
    Ok(())
}

fn ports(list: &str) -> Told<Vec<(u64, u64)>> {
    list.split(',').map(port_range).collect()
}

/// A port, or two with a colon between them, by number or by the name of a service.
fn port_range(text: &str) -> Told<(u64, u64)> {
    let port = |text: &str, open: u64| -> Told<u64> {
        if text.is_empty() {
            return Ok(open);
        }
        match symbol::service_port(text) {
            Some(port) => Ok(u64::from(port)),
            None => number(text)
                .ok()
                .filter(|port| *port <= 65535)
                .ok_or_else(|| No::because(format!("no port `{text}` is known"))),
        }
    };
    let (first, last) = match text.split_once(':') {
        Some((first, last)) => (port(first, 0)?, port(last, 65535)?),
        None => (port(text, 0)?, port(text, 0)?),
    };
    if first <= last { Ok((first, last)) } else { Err(No::because(format!("`{text}` ends before it begins"))) }
}

/// `tcp flags & mask == set`.
fn flags(inverted: bool, mask: u64, set: u64) -> Told<Statement> {
    let left = field(Header::Tcp, "flags");
    let right = value_for(&left, set)?.into();
    let op = if inverted { RelationalOp::Neq } else { RelationalOp::Eq };
    Ok(Statement::Match { left: bits_of(BinaryOp::And, left, mask)?, op, right })
}

/// `SYN,ACK`, `ALL`, `NONE`, or a number.
fn tcp_flags(list: &str) -> Told<u64> {
    let bit = |word: &str| match word {
        "ALL" => Ok(0x3f),
        "NONE" => Ok(0),
        word => {
            let known = symbol::number_of(crate::ir::DataType::TcpFlag, &word.to_ascii_lowercase());
            known.map_or_else(|| number(word), Ok)
        }
    };
    list.split(',').try_fold(0, |bits, word| Ok(bits | bit(word)?))
}

/// `-m ecn`: the bits in the IP and TCP headers (RFC 3168).
pub(super) fn ecn(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    for (option, flag) in [("--ecn-tcp-cwr", "cwr"), ("--ecn-tcp-ece", "ecn")] {
        if let Some(yes) = asked.flag(&[option]) {
            let bit = tcp_flags(flag)?;
            draft.push(any_of(field(Header::Tcp, "flags"), !yes, bit)?);
        }
    }
    if let Some((inverted, ect)) = asked.value(&["--ecn-ip-ect"])? {
        draft.push(equals(field(draft.network(), "ecn"), inverted, number(&ect)?)?);
    }
    Ok(())
}
