//! Targets that rewrite addresses and ports.

use std::net::IpAddr;

use ipnet::IpNet;

use super::asked::Asked;
use super::compare::{changed, masked, meta, number};
use super::draft::Draft;
use super::rule::remembers;
use super::{No, Told};
use crate::ir::{Expression, Family, MetaKey, Nat, NatFlags, NatKind, Statement, Value, Verdict};

/// `-j SNAT`.
pub(super) fn snat(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    to_address(NatKind::Snat, "--to-source", asked, draft)
}

/// `-j DNAT`.
pub(super) fn dnat(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    to_address(NatKind::Dnat, "--to-destination", asked, draft)
}

fn to_address(kind: NatKind, option: &str, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let text = asked.plain(&[option])?.ok_or_else(|| No::because("it names no address"))?;
    if asked.has(&[option]) {
        return Err(No::because("nft chooses from one range of addresses, not from several"));
    }
    let (addresses, ports) = target(&text, draft.family)?;
    let flags = flags(asked);
    draft.push(Nat { address: addresses, port: ports.map(port_range).transpose()?, flags, ..Nat::new(kind) });
    Ok(())
}

/// `-j MASQUERADE`.
pub(super) fn masquerade(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    to_port(NatKind::Masquerade, asked, draft)
}

/// `-j REDIRECT`.
pub(super) fn redirect(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    to_port(NatKind::Redirect, asked, draft)
}

fn to_port(kind: NatKind, asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let ports = asked.plain(&["--to-ports", "--to-port"])?;
    let flags = flags(asked);
    draft.push(Nat { port: ports.as_deref().map(port_range).transpose()?, flags, ..Nat::new(kind) });
    Ok(())
}

fn flags(asked: &mut Asked) -> NatFlags {
    let [random, fully_random, persistent] =
        ["--random", "--random-fully", "--persistent"].map(|option| asked.flag(&[option]).is_some());
    NatFlags { random, fully_random, persistent }
}

/// `10.0.0.1-10.0.0.9:80-90`; an IPv6 address before a port is in brackets.
fn target(text: &str, family: Family) -> Told<(Option<Expression>, Option<&str>)> {
    let (addresses, ports) = match family {
        Family::Ip6 => match text.rsplit_once("]:") {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (text, None),
        },
        _ => text.split_once(':').map_or((text, None), |(addresses, ports)| (addresses, Some(ports))),
    };
    if addresses.is_empty() {
        return Ok((None, ports));
    }
    let address = |text: &str| -> Told<Expression> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = bare.parse().map_err(|_| No::because(format!("`{text}` is no address")))?;
        Ok(Value::address(address).into())
    };
    let range = match addresses.split_once('-') {
        Some((first, last)) if first != last => Expression::Range(Box::new(address(first)?), Box::new(address(last)?)),
        Some((first, _)) => address(first)?,
        None => address(addresses)?,
    };
    Ok((Some(range), ports))
}

/// `80`, or `80-90`.
fn port_range(text: &str) -> Told<Expression> {
    if text.contains('/') {
        return Err(No::because("nft does not shift a range of ports"));
    }
    let port = |text: &str| -> Told<Expression> {
        let named = crate::ir::symbol::service_port(text).map(u64::from);
        let port = named.map_or_else(|| number(text), Ok)?;
        let port = u16::try_from(port).map_err(|_| No::because(format!("`{text}` is no port")))?;
        Ok(Value::port(port).into())
    };
    match text.split_once('-') {
        Some((first, last)) if first != last => Ok(Expression::Range(Box::new(port(first)?), Box::new(port(last)?))),
        Some((first, _)) => port(first),
        None => port(text),
    }
}

/// `-j NETMAP`: a network one to one, the source or the destination by where the chain is called.
pub(super) fn netmap(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let text = asked.plain(&["--to"])?.unwrap_or_default();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| No::because(format!("`{text}` is no network")))?;
    let source = |hook: &&str| matches!(*hook, "POSTROUTING" | "INPUT");
    let kind = match (draft.hooks.iter().all(source), draft.hooks.iter().any(source)) {
        _ if draft.hooks.is_empty() => return Err(No::because("no built-in chain leads here, so it has no direction")),
        (true, _) => NatKind::Snat,
        (_, false) => NatKind::Dnat,
        _ => return Err(No::because("chains of both directions lead here")),
    };
    let value = Box::new(Expression::Value(Value::address(network.network())));
    let whole = network.prefix_len() == network.max_prefix_len();
    let address = if whole { *value } else { Expression::Prefix(value, u32::from(network.prefix_len())) };
    draft.push(Nat { address: Some(address), prefix: !whole, ..Nat::new(kind) });
    Ok(())
}

/// `-j TPROXY` (net/netfilter/xt_TPROXY.c, `tproxy_tg4`): a packet that finds no socket is lost, where nft goes on with
/// the next rule. So there is a second rule that drops it.
pub(super) fn tproxy(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let address = asked.plain(&["--on-ip"])?.map(|text| text.parse::<IpAddr>().map_err(|_| No::because("no address")));
    let address = address.transpose()?.filter(|address| !address.is_unspecified());
    let port = asked.plain(&["--on-port"])?.map(|text| number(&text)).transpose()?.filter(|port| *port != 0);
    let port = port.map(|port| u16::try_from(port).map_err(|_| No::because("no port"))).transpose()?;
    let mark = asked.plain(&["--tproxy-mark"])?.map_or(Ok((0, 0)), |text| masked(&text, 0xffff_ffff))?;
    let random = |it: &Statement| matches!(it, Statement::Match { left, .. } if left.to_string().contains("random"));
    if draft.statements.iter().any(|statement| remembers(statement) || random(statement)) {
        return Err(No::because("it must be asked twice, and what is asked before changes with each packet"));
    }
    let (address, port) = (address.map(|it| Value::address(it).into()), port.map(|it| Value::port(it).into()));
    draft.push(Statement::Tproxy { family: None, address, port });
    if mark != (0, 0) {
        let value = changed(meta(MetaKey::Mark), mark, 0xffff_ffff)?;
        draft.push(Statement::set_mark(value));
    }
    draft.push(Verdict::Accept);
    draft.otherwise = Some(Verdict::Drop.into());
    Ok(())
}
