//! What routing and IPsec say of a packet.

use super::asked::Asked;
use super::compare::{among, equals, exists, relation, set_of};
use super::draft::Draft;
use super::{No, Told};
use crate::ir::{DataType, Expression, FibFlags, FibResult, KeyType, MetaKey, Packed, RtKey, Statement, Value, symbol};

/// `-m addrtype` (net/netfilter/xt_addrtype.c).
pub(super) fn addrtype(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let iif = asked.flag(&["--limit-iface-in"]).is_some();
    let oif = asked.flag(&["--limit-iface-out"]).is_some();
    for (option, source) in [("--src-type", true), ("--dst-type", false)] {
        let Some((inverted, list)) = asked.value(&[option])? else { continue };
        let types: Vec<u64> = list.split(',').map(address_type).collect::<Told<_>>()?;
        if draft.is_ip6()
            && !(iif || oif)
            && let Some(statement) = ip6_type(&types, source, inverted, draft)?
        {
            draft.push(statement);
            continue;
        }
        if draft.is_ip6() && types.iter().any(|one| !matches!(one, 2 | 4 | 7)) || draft.is_ip6() && types.len() > 1 {
            return Err(No::because("in IPv6, iptables goes by the address itself, nft by its route"));
        }
        let flags = FibFlags { saddr: source, daddr: !source, iif, oif, ..FibFlags::default() };
        let left = Expression::Fib { flags, result: FibResult::Type };
        let types: Vec<_> = types.into_iter().map(|one| (one, one)).collect();
        draft.extend(among(left, inverted, &types)?);
    }
    Ok(())
}

/// The types that IPv6 addresses have by themselves (`match_type6`, net/netfilter/xt_addrtype.c).
fn ip6_type(types: &[u64], source: bool, inverted: bool, draft: &Draft<'_>) -> Told<Option<Statement>> {
    let left = draft.address(source);
    let any = Value::ipv6(std::net::Ipv6Addr::UNSPECIFIED);
    let prefix =
        |first: u8| Value::ipv6(std::net::Ipv6Addr::from([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    Ok(Some(match types {
        [0] => relation(left, inverted, any),
        [5] => relation(left, inverted, Expression::Prefix(Box::new(prefix(0xff).into()), 8)),
        [1] => {
            let key = KeyType::of_expressions([left.clone()]);
            let key = key.ok_or_else(|| No::because("its type is not known"))?.anonymous();
            let last = Value::new(DataType::Ipv6Addr, Packed::new(&[0xff; 16]));
            let others = [(vec![any.clone()], vec![any]), (vec![prefix(0xff)], vec![last])];
            relation(left, !inverted, set_of(key, &others)?)
        }
        _ => return Ok(None),
    }))
}

fn address_type(word: &str) -> Told<u64> {
    let known = symbol::number_of(DataType::FibAddrType, &word.to_ascii_lowercase());
    known.ok_or_else(|| No::because(format!("nft has no type of addresses `{word}`")))
}

/// `-m rpfilter`: whether an answer would leave where the packet came in.
pub(super) fn rpfilter(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let [loose, mark, local, invert] =
        ["--loose", "--validmark", "--accept-local", "--invert"].map(|option| asked.flag(&[option]).is_some());
    if local {
        return Err(No::because("nft finds no route back for a source that is an address of this machine"));
    }
    let flags = FibFlags { saddr: true, mark, iif: !loose, ..FibFlags::default() };
    let left = Expression::Fib { flags, result: FibResult::Oif };
    draft.push(equals(left, !invert, 0)?);
    Ok(())
}

/// `-m policy`: whether IPsec was, or will be, done.
pub(super) fn policy(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let out = match asked.plain(&["--dir"])?.as_deref() {
        Some("in") => false,
        Some("out") => true,
        _ => return Err(No::because("it names no direction")),
    };
    let done = match asked.plain(&["--pol"])?.as_deref() {
        Some("ipsec") => true,
        Some("none") => false,
        _ => return Err(No::because("it does not say whether there is a policy")),
    };
    if asked.flag(&["--strict"]).is_some()
        || asked.has(&["--reqid", "--spi", "--proto", "--mode", "--tunnel-src", "--tunnel-dst"])
    {
        return Err(No::because("nft looks at one transformation of several, not at any or at all of them"));
    }
    draft.push(exists(if out { Expression::Rt(RtKey::Ipsec) } else { MetaKey::Ipsec.into() }, done));
    Ok(())
}
