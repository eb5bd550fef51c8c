//! IPv6 extension headers.

use super::asked::Asked;
use super::compare::{exists, exthdr, number, range, within};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{DataType, ExthdrCarrier, symbol};

const MOST: u64 = 0xffff_ffff;

fn header(name: &str, field: Option<&str>) -> crate::ir::Expression {
    exthdr(ExthdrCarrier::Ipv6, name, field)
}

/// `-m rt`.
pub(super) fn rt(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let before = draft.statements.len();
    if let Some((inverted, text)) = asked.value(&["--rt-type"])? {
        let value = number(&text)?;
        draft.extend(within(header("rt", Some("type")), inverted, (value, value))?);
    }
    if let Some((inverted, text)) = asked.value(&["--rt-segsleft"])? {
        draft.extend(within(header("rt", Some("seg-left")), inverted, range(&text, ':', MOST)?)?);
    }
    if let Some((inverted, text)) = asked.value(&["--rt-len"])? {
        octets("rt", inverted, &text, draft)?;
    }
    there("rt", before, draft);
    Ok(())
}

/// `-m hbh`.
pub(super) fn hbh(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    options("hbh", "--hbh-len", "--hbh-opts", asked, draft)
}

/// `-m dst`.
pub(super) fn dst(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    options("dst", "--dst-len", "--dst-opts", asked, draft)
}

fn options(name: &str, len: &str, opts: &str, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if asked.has(&[opts]) {
        return Err(No::because("nft does not look at options inside an extension header"));
    }
    let before = draft.statements.len();
    if let Some((inverted, text)) = asked.value(&[len])? {
        octets(name, inverted, &text, draft)?;
    }
    there(name, before, draft);
    Ok(())
}

/// The length of a header: octets in iptables (`ipv6_optlen`, net/ipv6.h), in the packet eights of octets but the first.
fn octets(name: &str, inverted: bool, text: &str, draft: &mut Draft<'_>) -> Told<()> {
    let octets = number(text)?;
    if octets == 0 || octets % 8 != 0 {
        return if inverted { Ok(()) } else { Err(No::Never) };
    }
    let eights = octets / 8 - 1;
    draft.extend(within(header(name, Some("hdrlength")), inverted, (eights, eights))?);
    Ok(())
}

/// Asks at least for the header itself.
fn there(name: &str, before: usize, draft: &mut Draft<'_>) {
    if draft.statements.len() == before {
        draft.push(exists(header(name, None), true));
    }
}

/// `-m frag`.
pub(super) fn frag(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let before = draft.statements.len();
    if let Some((inverted, text)) = asked.value(&["--fragid"])? {
        draft.extend(within(header("frag", Some("id")), inverted, range(&text, ':', MOST)?)?);
    }
    if asked.take(&["--fraglen"]).is_some() {
        return Err(No::because("`--fraglen` has no meaning: the header is always eight octets long"));
    }
    if asked.take(&["--fragres"]).is_some() {
        return Err(No::because("iptables means the eight and the two reserved bits together"));
    }
    let flags =
        [("--fragfirst", "frag-off", 0), ("--fragmore", "more-fragments", 1), ("--fraglast", "more-fragments", 0)];
    for (option, field, value) in flags {
        if asked.flag(&[option]).is_some() {
            draft.extend(within(header("frag", Some(field)), false, (value, value))?);
        }
    }
    there("frag", before, draft);
    Ok(())
}

/// `-m mh`.
pub(super) fn mh(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, text)) = asked.value(&["--mh-type"])? else { return Ok(()) };
    let named = symbol::number_of(DataType::MhType, &text.to_ascii_lowercase());
    let types = named.map_or_else(|| range(&text, ':', 255), |one| Ok((one, one)))?;
    draft.extend(within(header("mh", Some("type")), inverted, types)?);
    Ok(())
}

/// `-m ipv6header`, where it asks for headers among others.
pub(super) fn ipv6header(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let soft = asked.flag(&["--soft"]).is_some();
    let Some((inverted, list)) = asked.value(&["--header"])? else { return Ok(()) };
    if !soft || inverted {
        return Err(No::because("nft asks for each header by itself, not for these and no other"));
    }
    for word in list.split(',') {
        let name = match word {
            "hop" | "hop-by-hop" => "hbh",
            "dst" | "ipv6-opts" => "dst",
            "route" | "ipv6-route" => "rt",
            "frag" | "ipv6-frag" => "frag",
            other => return Err(No::because(format!("nft does not ask whether there is a header `{other}`"))),
        };
        draft.push(exists(header(name, None), true));
    }
    Ok(())
}
