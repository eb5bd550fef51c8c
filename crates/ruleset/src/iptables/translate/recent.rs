//! `-m recent`: lists of addresses that rules fill, as sets that rules fill.

use super::asked::Asked;
use super::compare::number;
use super::draft::Draft;
use super::shared::ListUse;
use super::{No, Told, names};
use crate::ir::{
    BinaryOp, DataType, Expression, KeyType, RelationalOp, Set, SetFlags, SetName, SetSpec, SetUpdate, SetUpdateOp,
    Statement, Value,
};

/// `-m recent` (net/netfilter/xt_recent.c, `recent_mt`), where a set means the same: whether an address is there, and
/// was put there in the last seconds.
pub(super) fn recent(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let name = asked.plain(&["--name"])?.unwrap_or_else(|| "DEFAULT".to_owned());
    let list = draft.shared.lists.get(&name).cloned().unwrap_or_default();
    may_be_a_set(&list)?;
    let [set, check, update, remove] =
        ["--set", "--rcheck", "--update", "--remove"].map(|option| asked.flag(&[option]));
    let inverted = [set, check, update, remove].contains(&Some(false));
    let key = key(asked, draft)?;
    for option in ["--seconds", "--hitcount"] {
        asked.plain(&[option])?;
    }
    asked.flag(&["--reap"]);
    let set_name = declare(&name, &list, draft)?;
    let looked_up = |inverted| Statement::Match {
        left: key.clone(),
        op: if inverted { RelationalOp::Neq } else { RelationalOp::Implicit },
        right: Expression::SetRef(set_name.clone()),
    };
    let change = |op| {
        let (set, key) = (set_name.clone(), key.clone());
        let update = SetUpdate { op, set, key, data: None, timeout_ms: None, statements: Vec::new() };
        Statement::SetUpdate(Box::new(update))
    };
    match (set.is_some(), check.is_some(), update.is_some(), remove.is_some()) {
        (true, false, false, false) if inverted => return Err(No::Never),
        (true, false, false, false) => draft.push(change(SetUpdateOp::Update)),
        (false, true, false, false) => draft.push(looked_up(inverted)),
        (false, false, true, false) if !inverted => draft.extend([looked_up(false), change(SetUpdateOp::Update)]),
        (false, false, false, true) if !inverted => draft.extend([looked_up(false), change(SetUpdateOp::Delete)]),
        _ => return Err(No::because("nft does not change a set by what is not in it")),
    }
    draft.note("note: iptables forgets the oldest of 100 addresses (ip_list_tot), nft takes none when the set is full");
    Ok(())
}

fn may_be_a_set(list: &ListUse) -> Told<()> {
    if list.counted {
        return Err(No::because("nft does not remember how often or with which time to live an address was seen"));
    }
    if list.tables.len() > 1 {
        return Err(No::because("a set belongs to one table, and rules of several use this list"));
    }
    if list.seconds.len() > 1 {
        return Err(No::because("elements of a set have one time to live, and rules ask for several"));
    }
    if list.keys.len() > 1 || !list.filled {
        return Err(No::because("not only rules that fill one set use this list"));
    }
    Ok(())
}

/// The address, or its first bits.
fn key(asked: &mut Asked, draft: &Draft<'_>) -> Told<Expression> {
    let destination = asked.flag(&["--rdest"]).is_some();
    asked.flag(&["--rsource"]);
    let address = draft.address(!destination);
    let Some(mask) = asked.plain(&["--mask"])? else { return Ok(address) };
    let mask: std::net::IpAddr = mask.parse().map_err(|_| No::because(format!("`{mask}` is no mask")))?;
    let whole =
        mask.to_string() == if draft.is_ip6() { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" } else { "255.255.255.255" };
    let right = Box::new(Expression::Value(Value::address(mask)));
    Ok(if whole { address } else { Expression::Binary { op: BinaryOp::And, left: Box::new(address), right } })
}

fn declare(name: &str, list: &ListUse, draft: &mut Draft<'_>) -> Told<SetName> {
    let set = SetName::new(name).ok().filter(|_| names::is_plain(name));
    let set = set.ok_or_else(|| No::because(format!("`{name}` is no name for a set")))?;
    let seconds = list.seconds.first().filter(|seconds| !seconds.is_empty()).map(|text| number(text)).transpose()?;
    let datatype = if draft.is_ip6() { DataType::Ipv6Addr } else { DataType::Ipv4Addr };
    let flags = SetFlags { dynamic: true, timeout: seconds.is_some(), ..SetFlags::default() };
    let timeout_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
    let spec = SetSpec::new(set.clone(), KeyType::of_types([datatype])).sized(65535);
    let declared = Set::new(SetSpec { flags, timeout_ms, ..spec }).into();
    match draft.shared.sets.find(&set) {
        Some(other) if *other != declared => Err(No::because(format!("another set is called `{name}`"))),
        Some(_) => Ok(set),
        None => {
            draft.shared.sets.insert(declared);
            Ok(set)
        }
    }
}
