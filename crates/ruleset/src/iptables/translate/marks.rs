//! Targets that change a mark, a class or a field of the header.

use super::asked::Asked;
use super::compare::{bits_of, changed, field, masked, meta, number, value_for};
use super::draft::Draft;
use super::packet::{dscp_class, masked_tos};
use super::{No, Told};
use crate::ir::{BinaryOp, CtKey, DataType, Expression, Header, MetaKey, Statement, Value};

const ALL: u64 = 0xffff_ffff;

fn set(target: Expression, value: impl Into<Expression>) -> Statement {
    Statement::Mangle { target, value: value.into() }
}

/// A value and the mask of bits that it replaces, as the options of MARK and CONNMARK say it.
fn mark_change(asked: &mut Asked) -> Told<Option<(u64, u64)>> {
    if let Some(text) = asked.plain(&["--set-xmark"])? {
        return masked(&text, ALL).map(Some);
    }
    if let Some(text) = asked.plain(&["--set-mark"])? {
        let (value, mask) = masked(&text, ALL)?;
        return Ok(Some((value, value | mask)));
    }
    let bits = |asked: &mut Asked, option| asked.plain(&[option])?.map(|text| number(&text)).transpose();
    if let Some(kept) = bits(asked, "--and-mark")? {
        return Ok(Some((0, ALL & !kept)));
    }
    if let Some(set) = bits(asked, "--or-mark")? {
        return Ok(Some((set, set)));
    }
    Ok(bits(asked, "--xor-mark")?.map(|turned| (turned, 0)))
}

/// `-j MARK`.
pub(super) fn mark(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let change = mark_change(asked)?.ok_or_else(|| No::because("it names no mark"))?;
    let value = changed(meta(MetaKey::Mark), change, ALL)?;
    draft.push(set(meta(MetaKey::Mark), value));
    Ok(())
}

/// `-j CONNMARK` (net/netfilter/xt_connmark.c, `connmark_tg_shift`).
pub(super) fn connmark(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let of_connection = || Expression::ct(CtKey::Mark);
    let mut shift = None;
    for (option, op) in [("--left-shift-mark", BinaryOp::Lshift), ("--right-shift-mark", BinaryOp::Rshift)] {
        if let Some(text) = asked.plain(&[option])? {
            shift = Some((op, number(&text)?)).filter(|(_, bits)| *bits != 0);
        }
    }
    if let Some(change) = mark_change(asked)? {
        let mut value = changed(of_connection(), change, ALL)?;
        if let Some((op, bits)) = shift {
            let bits = Value::number(DataType::Integer, u32::try_from(bits).unwrap_or(32));
            value = Expression::Binary { op, left: Box::new(value), right: Box::new(bits.into()) };
        }
        draft.push(set(of_connection(), value));
        return Ok(());
    }
    let (save, restore) = (asked.flag(&["--save-mark"]).is_some(), asked.flag(&["--restore-mark"]).is_some());
    let both = asked.plain(&["--mask"])?;
    let mut mask = |option| -> Told<u64> {
        let text = asked.plain(&[option])?;
        text.or_else(|| both.clone()).map_or(Ok(ALL), |text| number(&text))
    };
    let (packet, connection) = (mask("--nfmask")?, mask("--ctmask")?);
    let (to, from, replaced, kept) = match (save, restore) {
        (true, false) => (of_connection(), meta(MetaKey::Mark), connection, packet),
        (false, true) => (meta(MetaKey::Mark), of_connection(), packet, connection),
        _ => return Err(No::because("it does not say what to do")),
    };
    if replaced != ALL || shift.is_some() {
        return Err(No::because("nft makes a mark of one other mark, not of parts of two"));
    }
    let value = if kept == ALL { from } else { bits_of(BinaryOp::And, from, kept)? };
    draft.push(set(to, value));
    Ok(())
}

/// `-j CONNSECMARK`.
pub(super) fn connsecmark(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let (packet, connection) = (meta(MetaKey::Secmark), Expression::ct(CtKey::Secmark));
    match (asked.flag(&["--save"]).is_some(), asked.flag(&["--restore"]).is_some()) {
        (true, false) => draft.push(set(connection, packet)),
        (false, true) => draft.push(set(packet, connection)),
        _ => return Err(No::because("it does not say what to do")),
    }
    Ok(())
}

/// `-j CLASSIFY`: major and minor number in hexadecimal digits.
pub(super) fn classify(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let text = asked.plain(&["--set-class"])?.unwrap_or_default();
    let (major, minor) = text.split_once(':').unwrap_or((&text, "0"));
    let half = |digits: &str| u16::from_str_radix(digits.trim_start_matches("0x"), 16).ok().map(u32::from);
    let (Some(major), Some(minor)) = (half(major), half(minor)) else {
        return Err(No::because(format!("`{text}` is no class")));
    };
    draft.push(set(meta(MetaKey::Priority), Value::number(DataType::ClassId, major << 16 | minor)));
    Ok(())
}

/// `-j TRACE`.
pub(super) fn trace(_: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let target = meta(MetaKey::Nftrace);
    let value = value_for(&target, 1)?;
    draft.push(set(target, value));
    Ok(())
}

/// `-j DSCP`.
pub(super) fn dscp(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let code = match (asked.plain(&["--set-dscp"])?, asked.plain(&["--set-dscp-class"])?) {
        (Some(text), None) => number(&text)?,
        (None, Some(class)) => dscp_class(&class)?,
        _ => return Err(No::because("it names no code point")),
    };
    let target = field(draft.network(), "dscp");
    let value = value_for(&target, code)?;
    draft.push(set(target, value));
    Ok(())
}

/// `-j TOS`: all eight bits of the field, of which the last two are today's ECN.
pub(super) fn tos(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let bits = |asked: &mut Asked, option| asked.plain(&[option])?.map(|text| number(&text)).transpose();
    let change = if let Some(text) = asked.plain(&["--set-tos"])? {
        masked_tos(&text)?
    } else if let Some(kept) = bits(asked, "--and-tos")? {
        (0, 0xff & !kept)
    } else if let Some(set) = bits(asked, "--or-tos")? {
        (set, set)
    } else {
        (bits(asked, "--xor-tos")?.ok_or_else(|| No::because("it names no value"))?, 0)
    };
    for (name, shift, all) in [("dscp", 2, 0x3f), ("ecn", 0, 0x3)] {
        let (value, mask) = (change.0 >> shift & all, change.1 >> shift & all);
        if (value, mask) != (0, 0) {
            let target = field(draft.network(), name);
            let value = changed(target.clone(), (value, mask), all)?;
            draft.push(set(target, value));
        }
    }
    Ok(())
}

/// `-j TTL`.
pub(super) fn ttl(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    hops(field(Header::Ip, "ttl"), "--ttl", asked, draft)
}

/// `-j HL`.
pub(super) fn hl(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    hops(field(Header::Ip6, "hoplimit"), "--hl", asked, draft)
}

fn hops(target: Expression, option: &str, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let to_set = asked.plain(&[&format!("{option}-set")])?;
    let text = to_set.ok_or_else(|| No::because("nft sets a field and does not count in it"))?;
    let value = value_for(&target, number(&text)?)?;
    draft.push(set(target, value));
    Ok(())
}
