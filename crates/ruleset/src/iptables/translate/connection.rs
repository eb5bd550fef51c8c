//! What conntrack knows: states, tuples, counters, labels, helpers.

use super::asked::Asked;
use super::compare::{any_of, equals, number, ordered, range, relation, value_for, within};
use super::draft::Draft;
use super::{No, Told, head};
use crate::iptables::head::Address;
use crate::iptables::ruleset::Family;
use crate::ir::{CtDirection, CtKey, DataType, Expression, RelationalOp, Statement, Value, symbol};

/// States of iptables that are states of nft, and those that are status bits.
const STATES: [(&str, u64); 5] = [("INVALID", 1), ("ESTABLISHED", 2), ("RELATED", 4), ("NEW", 8), ("UNTRACKED", 0x40)];
const TRANSLATED: [(&str, u64); 2] = [("SNAT", 0x10), ("DNAT", 0x20)];

/// Packets without a connection: they have a state and nothing else.
const WITHOUT: u64 = 0x41;

/// `-m state`.
pub(super) fn state(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    match asked.value(&["--state"])? {
        Some((inverted, list)) => states(inverted, &list, draft).map(|_| ()),
        None => Ok(()),
    }
}

/// `-m conntrack` (net/netfilter/xt_conntrack.c, `conntrack_mt`).
pub(super) fn conntrack(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let before = draft.statements.len();
    if let Some((inverted, direction)) = asked.value(&["--ctdir"])? {
        let direction = u64::from(direction.eq_ignore_ascii_case("REPLY")) ^ u64::from(inverted);
        draft.push(equals(Expression::ct(CtKey::Direction), false, direction)?);
    }
    if let Some((inverted, protocol)) = asked.value(&["--ctproto"])? {
        let number =
            head::protocol(&protocol).ok_or_else(|| No::because(format!("no protocol `{protocol}` is known")))?;
        draft.push(equals(Expression::ct_original(CtKey::Protocol), inverted, u64::from(number))?);
    }
    let mut without = false;
    let mut of_states = 0;
    if let Some((inverted, list)) = asked.value(&["--ctstate", "--state"])? {
        of_states = draft.statements.len();
        without = states(inverted, &list, draft)?;
        of_states = draft.statements.len() - of_states;
    }
    if let Some((inverted, list)) = asked.value(&["--ctstatus"])? {
        draft.push(any_of(Expression::ct(CtKey::Status), inverted, statuses(&list)?)?);
    }
    if let Some((inverted, text)) = asked.value(&["--ctexpire"])? {
        // iptables counts whole seconds, nft milliseconds.
        let (first, last) = range(&text, ':', 0xffff_ffff)?;
        let milliseconds = (first.saturating_mul(1000), last.saturating_mul(1000).saturating_add(999));
        draft.extend(within(Expression::ct(CtKey::Expiration), inverted, milliseconds)?);
    }
    tuple(asked, draft)?;
    if without && draft.statements.len() > before + of_states {
        return Err(No::because("packets without a connection match in iptables, whatever else is asked of it"));
    }
    Ok(())
}

/// Addresses and ports of both directions.
fn tuple(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let (saddr, daddr) =
        if draft.is_ip6() { (CtKey::SaddrIp6, CtKey::DaddrIp6) } else { (CtKey::SaddrIp, CtKey::DaddrIp) };
    let sides = [
        ("--ctorigsrc", CtDirection::Original, saddr, CtKey::ProtoSrc),
        ("--ctorigdst", CtDirection::Original, daddr, CtKey::ProtoDst),
        ("--ctreplsrc", CtDirection::Reply, saddr, CtKey::ProtoSrc),
        ("--ctrepldst", CtDirection::Reply, daddr, CtKey::ProtoDst),
    ];
    for (option, direction, key, _) in sides {
        if let Some((inverted, text)) = asked.value(&[option])? {
            let left = Expression::Ct { key, direction: Some(direction) };
            let family = if draft.is_ip6() { Family::Ip6 } else { Family::Ip };
            let address = Address::parse(&text, family);
            let address = address.ok_or_else(|| No::because(format!("`{text}` is no address")))?;
            draft.extend(head::addresses(left, draft.family, inverted, &address)?);
        }
    }
    for (option, direction, _, key) in sides {
        if let Some((inverted, text)) = asked.value(&[&format!("{option}port")])? {
            let left = Expression::Ct { key, direction: Some(direction) };
            draft.extend(within(left, inverted, range(&text, ':', 0xffff)?)?);
        }
    }
    Ok(())
}

/// Adds a match on states. Gives whether a packet without a connection fits it.
fn states(inverted: bool, list: &str, draft: &mut Draft<'_>) -> Told<bool> {
    let (mut states, mut status) = (0, 0);
    for word in list.split(',') {
        let find =
            |names: &[(&str, u64)]| names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|it| it.1);
        match (find(&STATES), find(&TRANSLATED)) {
            (Some(bit), _) => states |= bit,
            (None, Some(bit)) => status |= bit,
            (None, None) => return Err(No::because(format!("no state `{word}` is known"))),
        }
    }
    let without = if inverted { states & WITHOUT != WITHOUT } else { states & WITHOUT != 0 };
    let state = |inverted, bits| any_of(Expression::ct(CtKey::State), inverted, bits);
    let translated = |inverted| any_of(Expression::ct(CtKey::Status), inverted, status);
    // A packet without a connection has a state, and for nft no status.
    let kept = WITHOUT & !states;
    match (states, status, inverted) {
        (_, 0, _) => draft.push(state(inverted, states)?),
        (0, _, false) => draft.push(translated(false)?),
        (_, _, false) => draft.either(vec![state(false, states)?], vec![state(true, states)?, translated(false)?])?,
        (_, _, true) if kept == 0 => draft.extend([state(true, states)?, translated(true)?]),
        (_, _, true) => {
            draft.either(vec![state(false, kept)?], vec![state(true, states | WITHOUT)?, translated(true)?])?;
        }
    }
    Ok(without)
}

fn statuses(list: &str) -> Told<u64> {
    list.split(',').try_fold(0, |bits, word| {
        let name = word.to_ascii_lowercase().replace('_', "-");
        let bit = symbol::number_of(DataType::CtStatus, &name);
        bit.map(|bit| bits | bit).ok_or_else(|| No::because(format!("nft has no status `{word}`")))
    })
}

/// `-m connbytes`: packets, bytes, or bytes a packet.
pub(super) fn connbytes(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, text)) = asked.value(&["--connbytes"])? else { return Err(No::because("it names no amount")) };
    let direction = match asked.plain(&["--connbytes-dir"])?.as_deref() {
        Some("original") => Some(CtDirection::Original),
        Some("reply") => Some(CtDirection::Reply),
        _ => None,
    };
    let key = match asked.plain(&["--connbytes-mode"])?.as_deref() {
        Some("packets") => CtKey::Packets,
        Some("bytes") => CtKey::Bytes,
        Some("avgpkt") => CtKey::Avgpkt,
        _ => return Err(No::because("it does not say what it counts")),
    };
    let left = Expression::Ct { key, direction };
    match text.split_once(':').map_or((&*text, ""), |(first, last)| (first, last)) {
        (first, "") => {
            let op = if inverted { RelationalOp::Lt } else { RelationalOp::Gte };
            draft.push(ordered(left, op, number(first)?)?);
        }
        _ => draft.extend(within(left, inverted, range(&text, ':', u64::MAX)?)?),
    }
    Ok(())
}

/// `-m helper`: by name.
pub(super) fn helper(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, name)) = asked.value(&["--helper"])? else { return Ok(()) };
    if inverted || name.is_empty() {
        return Err(No::because("nft asks for one helper by its name, not for any or none"));
    }
    draft.push(relation(Expression::ct(CtKey::Helper), false, Value::new(DataType::String, name.as_bytes())));
    Ok(())
}

/// `-m connlabel`: by number.
pub(super) fn connlabel(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let Some((inverted, label)) = asked.value(&["--label"])? else { return Ok(()) };
    let bit: u32 =
        label.parse().ok().filter(|bit| *bit < 128).ok_or_else(|| {
            No::because(format!("`{label}` is a name, which iptables looks up when it loads the rule"))
        })?;
    let value = Value::new(DataType::CtLabel, (1_u128 << bit).to_be_bytes());
    let left = Expression::ct(CtKey::Label);
    if asked.flag(&["--set"]).is_some() {
        if inverted {
            return Err(No::because("whether a label could be set is nothing nft asks"));
        }
        draft.push(Statement::Mangle { target: left, value: value.into() });
    } else {
        let op = if inverted { RelationalOp::Not } else { RelationalOp::Implicit };
        draft.push(Statement::Match { left, op, right: value.into() });
    }
    Ok(())
}

/// `-m cluster`: the kernel hashes the source of the connection alike for both (net/netfilter/xt_cluster.c,
/// net/netfilter/nft_hash.c).
pub(super) fn cluster(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let total = number(&asked.plain(&["--cluster-total-nodes"])?.unwrap_or_default())?;
    let seed = number(&asked.plain(&["--cluster-hash-seed"])?.unwrap_or_default())?;
    let node = asked.value(&["--cluster-local-node"])?;
    let nodes = asked.value(&["--cluster-local-nodemask"])?;
    let (inverted, mask) = match (node, nodes) {
        (Some((inverted, node)), None) => {
            (inverted, 1_u64.checked_shl(u32::try_from(number(&node)?.max(1) - 1).unwrap_or(64)))
        }
        (None, Some((inverted, mask))) => (inverted, Some(number(&mask)?)),
        _ => return Err(No::because("it names no node")),
    };
    if draft.is_ip6() {
        return Err(No::because("of IPv6 addresses iptables and nft make different hashes"));
    }
    let small = |number: u64| u32::try_from(number).map_err(|_| No::because("a number is too large"));
    let key = Box::new(Expression::Ct { key: CtKey::SaddrIp, direction: Some(CtDirection::Original) });
    let hash = crate::ir::Hash::Jhash { key, modulus: small(total)?, seed: Some(small(seed)?), offset: 0 };
    let mask = mask.unwrap_or(0);
    let ranges: Vec<_> = (0..64).filter(|bit| mask >> bit & 1 != 0).map(|bit| (bit, bit)).collect();
    if ranges.is_empty() {
        return Err(No::Never);
    }
    draft.extend(super::compare::among(Expression::Hash(hash), inverted, &ranges)?);
    let pkttype = Expression::Meta(crate::ir::MetaKey::Pkttype);
    let value = value_for(&pkttype, 0)?;
    draft.push(Statement::Mangle { target: pkttype, value: value.into() });
    draft.note("note: of a connection that another one expects, iptables takes that one's source");
    Ok(())
}
