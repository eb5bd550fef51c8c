//! Targets that tell somebody, and those that change how a packet is treated.

use std::net::IpAddr;

use super::asked::Asked;
use super::compare::{exthdr, number, small};
use super::draft::Draft;
use super::{No, Told};
use crate::iptables::ruleset::TableName;
use crate::ir::{
    CtDirection, CtKey, DataType, Expression, Exthdr, ExthdrCarrier, Log, Reject, RtKey, Statement, Synproxy, Value,
    symbol,
};

/// `-j LOG`. Bits of the flags are those of the kernel (`NF_LOG_*`, linux/netfilter/nf_log.h).
pub(super) fn log(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let prefix = asked.plain(&["--log-prefix"])?.filter(|prefix| !prefix.is_empty());
    let level = asked.plain(&["--log-level"])?.map(|text| log_level(&text)).transpose()?.filter(|level| *level != 4);
    let flags = [
        ("--log-tcp-sequence", 0x01),
        ("--log-tcp-options", 0x02),
        ("--log-ip-options", 0x04),
        ("--log-uid", 0x08),
        ("--log-macdecode", 0x20),
    ];
    let flags = flags.iter().filter(|(option, _)| asked.flag(&[option]).is_some()).fold(0, |all, (_, bit)| all | bit);
    draft.push(Statement::Log(Log { prefix: quotable(prefix)?, level, flags, ..Log::default() }));
    Ok(())
}

/// nft has no escapes: a quote cannot be written.
fn quotable(text: Option<String>) -> Told<Option<String>> {
    match text {
        Some(text) if text.contains('"') => Err(No::because("nft cannot write a quote inside a text")),
        text => Ok(text),
    }
}

fn log_level(text: &str) -> Told<u8> {
    let name = text.to_ascii_lowercase();
    let name = match name.as_str() {
        "panic" => "emerg",
        "error" => "err",
        "warning" => "warn",
        other => other,
    };
    match symbol::syslog_level_number(name).filter(|level| *level < 8) {
        Some(level) => Ok(level),
        None => small(text),
    }
}

/// `-j NFLOG`.
pub(super) fn nflog(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let prefix = asked.plain(&["--nflog-prefix"])?.filter(|prefix| !prefix.is_empty());
    let group = asked.plain(&["--nflog-group"])?.map_or(Ok(0), |text| small(&text))?;
    let snaplen = asked.plain(&["--nflog-size"])?.map(|text| small(&text)).transpose()?;
    if asked.has(&["--nflog-range"]) {
        return Err(No::because("`--nflog-range` has no effect in the kernel"));
    }
    let threshold = asked.plain(&["--nflog-threshold"])?.map(|text| small(&text)).transpose()?;
    draft.push(Statement::Log(Log {
        prefix: quotable(prefix)?,
        group: Some(group),
        snaplen,
        queue_threshold: threshold,
        ..Log::default()
    }));
    Ok(())
}

/// `-j AUDIT`.
pub(super) fn audit(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    // The type is written into the record and changes nothing else.
    asked.plain(&["--type"])?;
    draft.push(Statement::Log(Log { level: Some(8), ..Log::default() }));
    Ok(())
}

/// `-j REJECT`.
pub(super) fn reject(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let with = asked.plain(&["--reject-with"])?;
    let reject = match (with.as_deref(), draft.is_ip6()) {
        (None, _) => Reject::default_for(draft.family),
        (Some("tcp-reset" | "tcp-rst"), _) => Reject::TcpReset,
        (Some(word), false) => Reject::Icmp(code(CODES, word)?),
        (Some(word), true) => Reject::Icmpv6(code(CODES6, word)?),
    };
    draft.push(reject);
    Ok(())
}

fn code(codes: &[(&[&str], u8)], word: &str) -> Told<u8> {
    let known = codes.iter().find(|(names, _)| names.contains(&word)).map(|(_, code)| *code);
    known.ok_or_else(|| No::because(format!("nft has no `{word}`")))
}

/// extensions/libipt_REJECT.c.
const CODES: &[(&[&str], u8)] = &[
    (&["icmp-net-unreachable", "net-unreach"], 0),
    (&["icmp-host-unreachable", "host-unreach"], 1),
    (&["icmp-proto-unreachable", "proto-unreach"], 2),
    (&["icmp-port-unreachable", "port-unreach"], 3),
    (&["icmp-net-prohibited", "net-prohib"], 9),
    (&["icmp-host-prohibited", "host-prohib"], 10),
    (&["icmp-admin-prohibited", "admin-prohib"], 13),
];

/// extensions/libip6t_REJECT.c.
const CODES6: &[(&[&str], u8)] = &[
    (&["icmp6-no-route", "no-route"], 0),
    (&["icmp6-adm-prohibited", "adm-prohibited"], 1),
    (&["icmp6-addr-unreachable", "addr-unreach"], 3),
    (&["icmp6-port-unreachable", "port-unreach"], 4),
    (&["icmp6-policy-fail", "policy-fail"], 5),
    (&["icmp6-reject-route", "reject-route"], 6),
];

/// `-j NFQUEUE`; `-j QUEUE` is queue 0.
pub(super) fn nfqueue(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let one = asked.plain(&["--queue-num"])?.map_or(Ok(0), |text| small::<u16>(&text))?;
    let queue = |number: u16| Expression::Value(Value::new(DataType::Integer, number.to_be_bytes()));
    let queues = match asked.plain(&["--queue-balance"])? {
        Some(text) => {
            let (first, last) = text.split_once(':').ok_or_else(|| No::because(format!("`{text}` is no range")))?;
            Expression::Range(Box::new(queue(small(first)?)), Box::new(queue(small(last)?)))
        }
        None => queue(one),
    };
    // `NFT_QUEUE_FLAG_*`, linux/netfilter/nf_tables.h.
    let flags = [("--queue-bypass", 1), ("--queue-cpu-fanout", 2)];
    let flags = flags.iter().filter(|(option, _)| asked.flag(&[option]).is_some()).fold(0, |all, (_, bit)| all | bit);
    draft.push(Statement::Queue { queue: Some(queues), flags });
    Ok(())
}

/// `-j TEE`.
pub(super) fn tee(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let text = asked.plain(&["--gateway"])?.unwrap_or_default();
    let address: IpAddr = text.parse().map_err(|_| No::because(format!("`{text}` is no address")))?;
    let device = asked.plain(&["--oif"])?.map(|name| Value::ifname(&name).into());
    draft.push(Statement::Dup { address: Some(Value::address(address).into()), device });
    Ok(())
}

/// `-j NOTRACK`.
pub(super) fn notrack(_: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    draft.push(Statement::Notrack);
    Ok(())
}

/// `-j CT`.
pub(super) fn ct(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    if asked.has(&["--helper", "--timeout", "--ctevents", "--expevents"]) && draft.table == TableName::Raw {
        return Err(No::because(
            "nft gives a connection its helper, times and events only behind conntrack, not before it",
        ));
    }
    if asked.flag(&["--notrack"]).is_some() {
        draft.push(Statement::Notrack);
    }
    for (option, direction) in
        [("--zone", None), ("--zone-orig", Some(CtDirection::Original)), ("--zone-reply", Some(CtDirection::Reply))]
    {
        let Some(text) = asked.plain(&[option])? else { continue };
        if text == "mark" {
            return Err(No::because("a zone that is the packet's mark has more bits than a zone of nft"));
        }
        let target = Expression::Ct { key: CtKey::Zone, direction };
        let value = super::compare::value_for(&target, number(&text)?)?;
        draft.push(Statement::Mangle { target, value: value.into() });
    }
    Ok(())
}

/// `-j TCPMSS`.
pub(super) fn tcpmss(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let target = exthdr(ExthdrCarrier::TcpOption, "maxseg", Some("size"));
    let value = match (asked.plain(&["--set-mss"])?, asked.flag(&["--clamp-mss-to-pmtu"])) {
        (Some(text), None) => super::compare::value_for(&target, number(&text)?)?.into(),
        (None, Some(_)) => Expression::Rt(RtKey::Mtu),
        _ => return Err(No::because("it names no size")),
    };
    draft.push(Statement::Mangle { target, value });
    draft.note("note: iptables adds the option where there is none, nft does not");
    Ok(())
}

/// `-j TCPOPTSTRIP`.
pub(super) fn tcpoptstrip(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let list = asked.plain(&["--strip-options"])?.unwrap_or_default();
    for word in list.split(',') {
        let name = match word {
            "wscale" => "window",
            "mss" => "maxseg",
            "sack-permitted" => "sack-perm",
            "md5" => "md5sig",
            other => other,
        };
        let option = Exthdr { carrier: ExthdrCarrier::TcpOption, name: name.to_owned(), field: None };
        if option.spec().is_none() {
            return Err(No::because(format!("nft has no TCP option `{word}`")));
        }
        draft.push(Statement::ExthdrReset(option));
    }
    Ok(())
}

/// `-j SYNPROXY`.
pub(super) fn synproxy(asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let mss = asked.plain(&["--mss"])?.map(|text| small(&text)).transpose()?;
    let wscale = asked.plain(&["--wscale"])?.map(|text| small(&text)).transpose()?;
    let [timestamp, sack_perm] = ["--timestamp", "--sack-perm"].map(|option| asked.flag(&[option]).is_some());
    if asked.has(&["--ecn"]) {
        return Err(No::because("nft always answers ECN as the kernel does"));
    }
    draft.push(Statement::Synproxy(Synproxy { mss, wscale, timestamp, sack_perm }));
    Ok(())
}
