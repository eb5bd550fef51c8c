//! Rates, amounts and chances.

use super::asked::Asked;
use super::compare::{bits_of, equals, field, meta, number, small, value_for};
use super::draft::Draft;
use super::shared::Rated;
use super::{No, Told, names};
use crate::ir::{
    BinaryOp, DataType, Expression, KeyType, Limit, LimitUnit, MetaKey, Numgen, NumgenMode, Object, ObjectKind,
    ObjectName, ObjectType, Quota, RelationalOp, Set, SetFlags, SetName, SetSpec, SetUpdate, SetUpdateOp, Statement,
    TimeUnit, Value,
};

/// `-m limit`.
pub(super) fn limit(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let (rate, per) = match asked.plain(&["--limit"])? {
        Some(text) => packets(&text)?,
        None => (3, TimeUnit::Hour),
    };
    let burst = asked.plain(&["--limit-burst"])?.map_or(Ok(5), |text| small(&text))?;
    draft.push(Statement::Limit(Limit { over: false, rate, unit: LimitUnit::Packets, per, burst }));
    Ok(())
}

/// `3/hour`; without a time it is a second.
fn packets(text: &str) -> Told<(u64, TimeUnit)> {
    let (rate, per) = text.split_once('/').unwrap_or((text, "second"));
    let units = [TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day];
    let found = units.into_iter().find(|unit| !per.is_empty() && unit.keyword().starts_with(&per.to_ascii_lowercase()));
    Ok((number(rate)?, found.ok_or_else(|| No::because(format!("`{per}` is no time for a rate")))?))
}

/// `20kb/s`, `1mb`: an amount of bytes.
fn bytes(text: &str) -> Option<u64> {
    let amount = text.strip_suffix("/s").unwrap_or(text).strip_suffix('b')?;
    let (digits, factor) = match amount.strip_suffix('k') {
        Some(digits) => (digits, 1024),
        None => amount.strip_suffix('m').map_or((amount, 1), |digits| (digits, 1024 * 1024)),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// `-m hashlimit`: a rate for each source or destination.
pub(super) fn hashlimit(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let above = asked.plain(&["--hashlimit-above"])?;
    let over = above.is_some();
    let until = asked.plain(&["--hashlimit-upto", "--hashlimit"])?;
    let rate = above.or(until).ok_or_else(|| No::because("it names no rate"))?;
    let burst = asked.plain(&["--hashlimit-burst"])?;
    let limit = match bytes(&rate) {
        Some(rate) => {
            let burst = burst.as_deref().map_or(Some(0), bytes).and_then(|burst| u32::try_from(burst).ok());
            let burst = burst.ok_or_else(|| No::because("the burst is no amount of bytes"))?;
            Limit { over, rate, unit: LimitUnit::Bytes, per: TimeUnit::Second, burst }
        }
        None => {
            let (rate, per) = packets(&rate)?;
            Limit { over, rate, unit: LimitUnit::Packets, per, burst: burst.map_or(Ok(5), |text| small(&text))? }
        }
    };
    let name = asked.plain(&["--hashlimit-name"])?.unwrap_or_default();
    let fields = keys(asked, draft)?;
    // How large the table is, and how it is cleaned, is for each kernel to choose.
    for option in ["--hashlimit-htable-size", "--hashlimit-htable-max", "--hashlimit-htable-gcinterval"] {
        asked.plain(&[option])?;
    }
    let expire =
        asked.plain(&["--hashlimit-htable-expire"])?.map_or_else(|| Ok(default_expiry(limit)), |it| number(&it))?;
    rated(draft, &name, fields, expire, limit)
}

/// How long iptables keeps an entry where that is not said, in milliseconds (`hashlimit_mt_check`,
/// extensions/libxt_hashlimit.c).
const fn default_expiry(limit: Limit) -> u64 {
    match (limit.unit, limit.burst) {
        (LimitUnit::Packets, _) => limit.per.seconds() * 1000,
        (LimitUnit::Bytes, 0) => 15_000,
        (LimitUnit::Bytes, _) => 60_000,
    }
}

/// What a rate is counted for, in the order of iptables-translate.
fn keys(asked: &mut Asked, draft: &Draft<'_>) -> Told<Vec<Expression>> {
    let modes = asked.plain(&["--hashlimit-mode"])?.unwrap_or_default();
    let [source, destination] = ["--hashlimit-srcmask", "--hashlimit-dstmask"].map(|option| asked.plain(&[option]));
    let (source, destination) = (source?, destination?);
    let mut fields = Vec::new();
    let modes: Vec<&str> = modes.split(',').filter(|mode| !mode.is_empty()).collect();
    for (mode, from_source, mask) in [("dstip", false, destination), ("srcip", true, source)] {
        if modes.contains(&mode) {
            fields.push(under_prefix(draft.address(from_source), mask.as_deref())?);
        }
    }
    for (mode, port) in [("dstport", "dport"), ("srcport", "sport")] {
        if modes.contains(&mode) {
            let header = draft.transport().ok_or_else(|| No::because("its protocol has no ports"))?;
            fields.push(field(header, port));
        }
    }
    if fields.len() == modes.len() {
        Ok(fields)
    } else {
        Err(No::because("it counts for something else than addresses and ports"))
    }
}

/// The first bits of an address.
fn under_prefix(address: Expression, prefix: Option<&str>) -> Told<Expression> {
    let (datatype, all, _) = address.typed().ok_or_else(|| No::because("its type is not known"))?;
    let Some(prefix) = prefix else { return Ok(address) };
    let bits = u32::try_from(number(prefix)?).ok().filter(|bits| *bits <= all);
    let bits = bits.ok_or_else(|| No::because(format!("there is no prefix of {prefix} bits")))?;
    if bits == all {
        return Ok(address);
    }
    let mask = u128::MAX.checked_shl(all - bits).unwrap_or(0).to_be_bytes();
    let mask = Value::new(datatype, &mask[16 - all as usize / 8..]);
    Ok(Expression::Binary { op: BinaryOp::And, left: Box::new(address), right: Box::new(mask.into()) })
}

/// A rate for each key: in a set that rules fill. All rules that name it share it, as in iptables.
fn rated(draft: &mut Draft<'_>, name: &str, mut fields: Vec<Expression>, expire: u64, limit: Limit) -> Told<()> {
    let alone = draft.shared.hashlimits.get(name).copied().unwrap_or(0) <= 1;
    if fields.is_empty() && alone {
        draft.push(Statement::Limit(limit));
        return Ok(());
    }
    let set = SetName::new(name).ok().filter(|_| names::is_plain(name));
    let set = set.ok_or_else(|| No::because(format!("`{name}` is no name for a set")))?;
    let keys = KeyType::of_expressions(fields.clone()).filter(|keys| !keys.fields.is_empty());
    let types = keys.ok_or_else(|| No::because("nft has no set without a key"))?;
    let key = if fields.len() == 1 { fields.remove(0) } else { Expression::Concat(fields) };
    let statements = vec![Statement::Limit(limit)];
    let rated = Rated { key: key.clone(), expire, limit };
    if *draft.shared.rated.entry(name.to_owned()).or_insert_with(|| rated.clone()) != rated {
        return Err(No::because(format!("another rule uses `{name}` with another rate or key")));
    }
    let flags = SetFlags { dynamic: true, timeout: true, ..SetFlags::default() };
    let types = KeyType::of_types(types.fields.iter().map(|field| field.datatype));
    let spec = SetSpec { flags, timeout_ms: Some(expire), ..SetSpec::new(set.clone(), types).sized(65535) };
    draft.shared.sets.insert(Set::new(spec).into());
    let update = SetUpdate { op: SetUpdateOp::Update, set, key, data: None, timeout_ms: None, statements };
    draft.push(Statement::SetUpdate(Box::new(update)));
    Ok(())
}

/// `-m connlimit`: how many connections an address has.
pub(super) fn connlimit(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let above = asked.plain(&["--connlimit-above"])?;
    let over = above.is_some();
    let until = asked.plain(&["--connlimit-upto"])?;
    let count = small(&above.or(until).ok_or_else(|| No::because("it names no number"))?)?;
    let mask = asked.plain(&["--connlimit-mask"])?;
    let destination = asked.flag(&["--connlimit-daddr"]).is_some();
    asked.flag(&["--connlimit-saddr"]);
    let whole = mask.as_deref() == Some("0");
    let statement = Statement::ConnLimit { over, count };
    if whole {
        draft.push(statement);
        return Ok(());
    }
    let address = draft.address(!destination);
    let datatype = if draft.is_ip6() { DataType::Ipv6Addr } else { DataType::Ipv4Addr };
    let key = under_prefix(address, mask.as_deref())?;
    let set = SetName::new(format!("connlimit{}", draft.shared.connlimits))
        .map_err(|error| No::because(error.to_string()))?;
    draft.shared.connlimits += 1;
    let flags = SetFlags { dynamic: true, ..SetFlags::default() };
    let spec = SetSpec { flags, ..SetSpec::new(set.clone(), KeyType::of_types([datatype])) };
    draft.shared.sets.insert(Set::new(spec).into());
    let statements = vec![statement];
    let update = SetUpdate { op: SetUpdateOp::Add, set, key, data: None, timeout_ms: None, statements };
    draft.push(Statement::SetUpdate(Box::new(update)));
    Ok(())
}

/// `-m quota`.
pub(super) fn quota(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let (over, text) = asked.value(&["--quota"])?.ok_or_else(|| No::because("it names no amount"))?;
    draft.push(Statement::Quota(Quota { over, bytes: number(&text)?, used: 0 }));
    Ok(())
}

/// `-m statistic` (net/netfilter/xt_statistic.c).
pub(super) fn statistic(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    match asked.plain(&["--mode"])?.as_deref() {
        Some("random") => random(asked, draft),
        Some("nth") => nth(asked, draft),
        _ => Err(No::because("nft chooses at random or by counting")),
    }
}

fn random(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    const ONE: u64 = 1 << 31;
    let (inverted, text) = asked.value(&["--probability"])?.ok_or_else(|| No::because("it names no probability"))?;
    let chance = text.parse::<f64>().ok().filter(|chance| chance.is_finite());
    let chance = chance.ok_or_else(|| No::because(format!("`{text}` is no probability")))?;
    // Between 0 and 2^31, so nothing is cut off.
    let units = (chance.clamp(0.0, 1.0) * ONE as f64).round() as u64;
    match (units, inverted) {
        (0, false) | (ONE, true) => Err(No::Never),
        (0, true) | (ONE, false) => Ok(()),
        _ => {
            let left = bits_of(BinaryOp::And, meta(MetaKey::Random), ONE - 1)?;
            let right = value_for(&left, units)?.into();
            let op = if inverted { RelationalOp::Gte } else { RelationalOp::Lt };
            draft.push(Statement::Match { left, op, right });
            Ok(())
        }
    }
}

/// Every n-th packet. iptables starts to count at `--packet` and matches when it comes to nought again; nft starts at
/// nought with the first packet.
fn nth(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let (inverted, every) = asked.value(&["--every"])?.ok_or_else(|| No::because("it names no number"))?;
    let every: u32 = small(&every)?;
    let packet = asked.plain(&["--packet"])?.map_or(Ok(0), |text| small::<u32>(&text))?;
    let last = every.checked_sub(1).and_then(|last| last.checked_sub(packet));
    let chosen = last.ok_or_else(|| No::because("it starts behind its end"))?;
    let left = Expression::Numgen(Numgen { mode: NumgenMode::Inc, modulus: every, offset: 0 });
    draft.push(equals(left, inverted, u64::from(chosen))?);
    Ok(())
}

/// `-m nfacct`: counts what passes under a name.
pub(super) fn nfacct(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let name = asked.plain(&["--nfacct-name"])?.unwrap_or_default();
    let object = ObjectName::new(&name).ok().filter(|_| names::is_plain(&name));
    let object = object.ok_or_else(|| No::because(format!("`{name}` is no name for a counter")))?;
    let kind = ObjectKind::Counter(crate::ir::Counter::default());
    draft.shared.objects.insert(Object { name: object.clone(), kind, comment: None });
    draft.push(Statement::Object { object: ObjectType::Counter, name: object });
    Ok(())
}
