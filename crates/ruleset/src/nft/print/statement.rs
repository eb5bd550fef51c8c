//! Statements.

use std::fmt;

use super::value::Style;
use super::{Out, State, expression, join, quoted, rule};
use crate::ir::symbol;
use crate::ir::{
    BinaryOp, Counter, DataType, Expression, Family, Limit, LimitUnit, Log, Meter, Nat, NatFlags, NatKind, ObjectType,
    Quota, Reject, RelationalOp, Rule, SetUpdate, SetUpdateOp, Statement, Synproxy,
};

/// A statement in a table of that family. `depth` is how far blocks inside it are indented.
pub(super) fn statement(out: Out<'_>, family: Option<Family>, statement: &Statement, depth: usize) -> fmt::Result {
    match statement {
        Statement::Match { left, op, right } => relation(out, left, *op, right),
        Statement::Verdict(verdict) => write!(out, "{verdict}"),
        Statement::Vmap { key, map } => lookup(out, key, " vmap ", map),
        Statement::Counter(counter) => self::counter(out, *counter),
        Statement::Limit(limit) => self::limit(out, "limit ", limit),
        Statement::Quota(quota) => {
            out.write_str("quota ")?;
            self::quota(out, quota)
        }
        Statement::ConnLimit { over, count } => write!(out, "ct count {}{count}", if *over { "over " } else { "" }),
        Statement::Object { object, name } => object_use(out, *object, |out| quoted(out, name.as_str())),
        Statement::ObjectMap { object, key, map } => object_use(out, *object, |out| lookup(out, key, " map ", map)),
        Statement::Log(log) => self::log(out, log),
        Statement::Reject(reject) => self::reject(out, family, reject),
        Statement::Nat(nat) => self::nat(out, nat),
        Statement::Notrack => out.write_str("notrack"),
        Statement::Mangle { target, value } => {
            expression::expression(out, target)?;
            out.write_str(" set ")?;
            expression::styled(out, value, expression::beside(target))
        }
        Statement::SetUpdate(update) => set_update(out, update),
        Statement::Meter(meter) => self::meter(out, meter),
        Statement::FlowAdd(name) => write!(out, "flow add @{name}"),
        Statement::Dup { address, device } => dup(out, address.as_ref(), device.as_ref()),
        Statement::Fwd { device, neighbour } => fwd(out, device, neighbour.as_ref()),
        Statement::Queue { queue, flags } => self::queue(out, queue.as_ref(), *flags),
        Statement::Tproxy { family, address, port } => tproxy(out, *family, address.as_ref(), port.as_ref()),
        Statement::Block { goto, rules } => block(out, family, *goto, rules, depth),
        Statement::Synproxy(synproxy) => {
            out.write_str("synproxy")?;
            synproxy_parts(out, " ", synproxy)
        }
        Statement::ExthdrReset(exthdr) => {
            out.write_str("reset ")?;
            expression::exthdr(out, exthdr)
        }
        Statement::Last { used_ms } => last(out, *used_ms),
        Statement::Opaque(opaque) => out.write_str(&opaque.text),
    }
}

fn relation(out: Out<'_>, left: &Expression, op: RelationalOp, right: &Expression) -> fmt::Result {
    if let Expression::Binary { op: BinaryOp::And, left, right: mask } = left
        && let Expression::List(_) = **mask
    {
        // nft 1.0: `tcp flags syn / fin,syn`.
        expression::expression(out, left)?;
        out.write_str(if op == RelationalOp::Neq { " != " } else { " " })?;
        expression::expression(out, right)?;
        out.write_str(" / ")?;
        return expression::expression(out, mask);
    }
    let beside = expression::beside(left);
    expression::expression(out, left)?;
    let sign = match op {
        // nft 1.0.6 does not take a prefix after a sign other than `!=`.
        RelationalOp::Implicit if matches!(left, Expression::Binary { .. }) => "== ",
        RelationalOp::Implicit => "",
        RelationalOp::Eq => "== ",
        RelationalOp::Neq => "!= ",
        RelationalOp::Lt => "< ",
        RelationalOp::Gt => "> ",
        RelationalOp::Lte => "<= ",
        RelationalOp::Gte => ">= ",
        RelationalOp::Not => "! ",
    };
    write!(out, " {sign}")?;
    let commas = matches!(op, RelationalOp::Implicit | RelationalOp::Not) && !matches!(left, Expression::Binary { .. });
    expression::styled(out, right, Style { pipes: !commas, ..beside })
}

fn lookup(out: Out<'_>, key: &Expression, word: &str, map: &Expression) -> fmt::Result {
    expression::expression_in_key(out, key)?;
    out.write_str(word)?;
    expression::expression(out, map)
}

fn counter(out: Out<'_>, counter: Counter) -> fmt::Result {
    match (out.detail().state, counter) {
        (State::Omitted, _) | (State::Kept, Counter { packets: 0, bytes: 0 }) => out.write_str("counter"),
        (_, Counter { packets, bytes }) => write!(out, "counter packets {packets} bytes {bytes}"),
    }
}

fn last(out: Out<'_>, used_ms: Option<u64>) -> fmt::Result {
    match (out.detail().state, used_ms) {
        (State::Omitted, _) | (State::Kept, None) => out.write_str("last"),
        (State::All, None) => out.write_str("last used never"),
        (_, Some(ms)) => write!(out, "last used {}", symbol::duration(ms)),
    }
}

/// `rate over 10/second burst 7 packets` after `prefix`.
pub(super) fn limit(out: Out<'_>, prefix: &str, limit: &Limit) -> fmt::Result {
    write!(out, "{prefix}rate {}", if limit.over { "over " } else { "" })?;
    match limit.unit {
        LimitUnit::Packets => {
            write!(out, "{}/{}", limit.rate, limit.per.keyword())?;
            // 5 is what nft gives a limit that names no burst; nft 1.1 prints it, both take it left out.
            if limit.burst != 5 { write!(out, " burst {} packets", limit.burst) } else { Ok(()) }
        }
        LimitUnit::Bytes => {
            amount(out, limit.rate)?;
            write!(out, "/{}", limit.per.keyword())?;
            if limit.burst == 0 {
                return Ok(());
            }
            out.write_str(" burst ")?;
            amount(out, u64::from(limit.burst))
        }
    }
}

/// Bytes in the largest unit that divides them.
fn amount(out: Out<'_>, bytes: u64) -> fmt::Result {
    match bytes {
        0 => write!(out, "0 bytes"),
        _ if bytes.is_multiple_of(1 << 20) => write!(out, "{} mbytes", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => write!(out, "{} kbytes", bytes >> 10),
        _ => write!(out, "{bytes} bytes"),
    }
}

/// `over 25 mbytes used 3 kbytes`.
pub(super) fn quota(out: Out<'_>, quota: &Quota) -> fmt::Result {
    if quota.over {
        out.write_str("over ")?;
    }
    amount(out, quota.bytes)?;
    if quota.used == 0 || out.detail().state == State::Omitted {
        return Ok(());
    }
    out.write_str(" used ")?;
    amount(out, quota.used)
}

/// The use of a named object, or of one a map gives.
fn object_use(out: Out<'_>, object: ObjectType, which: impl FnOnce(Out<'_>) -> fmt::Result) -> fmt::Result {
    match object {
        ObjectType::CtHelper | ObjectType::CtTimeout | ObjectType::CtExpectation => {
            write!(out, "{} set ", object.keyword())?;
        }
        ObjectType::Secmark => out.write_str("meta secmark set ")?,
        _ => write!(out, "{} name ", object.keyword())?,
    }
    which(out)
}

/// What the bits of a log's flags are (`NF_LOG_*`, linux/netfilter/nf_log.h).
const LOG_ALL: u32 = 0x2f;

fn log(out: Out<'_>, log: &Log) -> fmt::Result {
    out.write_str("log")?;
    if let Some(prefix) = &log.prefix {
        out.write_str(" prefix ")?;
        quoted(out, prefix)?;
    }
    if let Some(group) = log.group {
        write!(out, " group {group}")?;
    }
    if let Some(snaplen) = log.snaplen {
        write!(out, " snaplen {snaplen}")?;
    }
    if let Some(threshold) = log.queue_threshold {
        write!(out, " queue-threshold {threshold}")?;
    }
    if let Some(level) = log.level.filter(|level| *level != 4) {
        match symbol::syslog_level(level) {
            Some(name) => write!(out, " level {name}")?,
            None => write!(out, " level {level}")?,
        }
    }
    log_flags(out, log.flags)
}

fn log_flags(out: Out<'_>, flags: u32) -> fmt::Result {
    if flags & LOG_ALL == LOG_ALL {
        return out.write_str(" flags all");
    }
    out.write_str(match flags & 3 {
        1 => " flags tcp sequence",
        2 => " flags tcp options",
        3 => " flags tcp sequence,options",
        _ => "",
    })?;
    let rest = [(0x04, " flags ip options"), (0x08, " flags skuid"), (0x20, " flags ether")];
    rest.iter().filter(|(bit, _)| flags & bit != 0).try_for_each(|(_, text)| out.write_str(text))
}

fn reject(out: Out<'_>, family: Option<Family>, reject: &Reject) -> fmt::Result {
    if family.is_some_and(|family| Reject::default_for(family) == *reject) {
        return out.write_str("reject");
    }
    let (kind, datatype, code) = match reject {
        Reject::TcpReset => return out.write_str("reject with tcp reset"),
        Reject::Icmp(code) => ("icmp", DataType::IcmpCode, *code),
        Reject::Icmpv6(code) => ("icmpv6", DataType::Icmpv6Code, *code),
        Reject::Icmpx(code) => ("icmpx", DataType::IcmpxCode, *code),
    };
    match symbol::name_of(datatype, code.into()) {
        Some(name) => write!(out, "reject with {kind} {name}"),
        None => write!(out, "reject with {kind} {code}"),
    }
}

fn nat(out: Out<'_>, nat: &Nat) -> fmt::Result {
    out.write_str(nat.kind.keyword())?;
    let target = nat.address.is_some() || nat.port.is_some();
    if target {
        if let Some(family) = nat.family.filter(|_| matches!(nat.kind, NatKind::Snat | NatKind::Dnat)) {
            write!(out, " {family}")?;
        }
        out.write_str(if nat.prefix { " prefix to " } else { " to " })?;
        destination(out, nat.address.as_ref(), nat.port.as_ref())?;
    }
    nat_flags(out, nat.flags)
}

/// `address:port`, an IPv6 address in brackets where a port follows.
fn destination(out: Out<'_>, address: Option<&Expression>, port: Option<&Expression>) -> fmt::Result {
    if let Some(address) = address {
        match address {
            Expression::Value(value) if port.is_some() && value.datatype == DataType::Ipv6Addr => {
                write!(out, "[{value}]")?;
            }
            Expression::Range(start, end) if port.is_some() && is_ipv6(start) => write!(out, "[{start}]-[{end}]")?,
            _ => expression::expression(out, address)?,
        }
    }
    match port {
        Some(port) => {
            out.write_char(':')?;
            expression::expression(out, port)
        }
        None => Ok(()),
    }
}

fn is_ipv6(expression: &Expression) -> bool {
    matches!(expression, Expression::Value(value) if value.datatype == DataType::Ipv6Addr)
}

fn nat_flags(out: Out<'_>, flags: NatFlags) -> fmt::Result {
    let named = [(flags.random, "random"), (flags.fully_random, "fully-random"), (flags.persistent, "persistent")];
    if named.iter().all(|(set, _)| !set) {
        return Ok(());
    }
    out.write_char(' ')?;
    join(out, ",", named.iter().filter(|(set, _)| *set), |out, (_, name)| out.write_str(name))
}

fn set_update(out: Out<'_>, update: &SetUpdate) -> fmt::Result {
    let op = match update.op {
        SetUpdateOp::Add => "add",
        SetUpdateOp::Update => "update",
        SetUpdateOp::Delete => "delete",
    };
    write!(out, "{op} @{} {{ ", update.set)?;
    expression::expression(out, &update.key)?;
    carried(out, update.timeout_ms, &update.statements)?;
    if let Some(data) = &update.data {
        out.write_str(" : ")?;
        expression::expression(out, data)?;
    }
    out.write_str(" }")
}

fn meter(out: Out<'_>, meter: &Meter) -> fmt::Result {
    write!(out, "meter {}", meter.name)?;
    if let Some(size) = meter.size {
        write!(out, " size {size}")?;
    }
    out.write_str(" { ")?;
    expression::expression(out, &meter.key)?;
    carried(out, meter.timeout_ms, &meter.statements)?;
    out.write_str(" }")
}

/// What an element made by a rule carries.
fn carried(out: Out<'_>, timeout_ms: Option<u64>, statements: &[Statement]) -> fmt::Result {
    if let Some(timeout) = timeout_ms {
        write!(out, " timeout {}", symbol::duration(timeout))?;
    }
    statements.iter().try_for_each(|stateful| {
        out.write_char(' ')?;
        statement(out, None, stateful, 0)
    })
}

fn dup(out: Out<'_>, address: Option<&Expression>, device: Option<&Expression>) -> fmt::Result {
    out.write_str("dup to ")?;
    match (address, device) {
        (Some(address), Some(device)) => {
            expression::expression(out, address)?;
            out.write_str(" device ")?;
            expression::expression(out, device)
        }
        (Some(only), None) | (None, Some(only)) => expression::expression(out, only),
        (None, None) => Ok(()),
    }
}

fn fwd(out: Out<'_>, device: &Expression, neighbour: Option<&(Family, Expression)>) -> fmt::Result {
    match neighbour {
        Some((family, address)) => {
            write!(out, "fwd {family} to ")?;
            expression::expression(out, address)?;
            out.write_str(" device ")?;
        }
        None => out.write_str("fwd to ")?,
    }
    expression::expression(out, device)
}

fn queue(out: Out<'_>, queue: Option<&Expression>, flags: u16) -> fmt::Result {
    out.write_str("queue")?;
    out.write_str(match flags & 3 {
        1 => " flags bypass",
        2 => " flags fanout",
        3 => " flags bypass,fanout",
        _ => "",
    })?;
    match queue {
        Some(queue) => {
            out.write_str(" to ")?;
            expression::expression(out, queue)
        }
        // What the kernel makes of a queue without a number, and so what nft lists.
        None => out.write_str(" to 0"),
    }
}

fn tproxy(
    out: Out<'_>,
    family: Option<Family>,
    address: Option<&Expression>,
    port: Option<&Expression>,
) -> fmt::Result {
    out.write_str("tproxy ")?;
    if let Some(family) = family {
        write!(out, "{family} ")?;
    }
    out.write_str("to ")?;
    match address {
        Some(Expression::Value(value)) if value.datatype == DataType::Ipv6Addr => {
            write!(out, "[{value}]")?;
            destination(out, None, port)
        }
        _ => destination(out, address, port),
    }
}

fn block(out: Out<'_>, family: Option<Family>, goto: bool, rules: &[Rule], depth: usize) -> fmt::Result {
    let indent = "\t".repeat(depth);
    writeln!(out, "{} {{", if goto { "goto" } else { "jump" })?;
    for inner in rules {
        write!(out, "{indent}\t")?;
        rule::rule(out, family, inner, depth + 1)?;
        out.write_char('\n')?;
    }
    write!(out, "{indent}}}")
}

/// Each part after `separator`.
pub(super) fn synproxy_parts(out: Out<'_>, separator: &str, synproxy: &Synproxy) -> fmt::Result {
    if let Some(mss) = synproxy.mss {
        write!(out, "{separator}mss {mss}")?;
    }
    if let Some(wscale) = synproxy.wscale {
        write!(out, "{separator}wscale {wscale}")?;
    }
    match (synproxy.timestamp, synproxy.sack_perm) {
        (true, true) => write!(out, "{separator}timestamp sack-perm"),
        (true, false) => write!(out, "{separator}timestamp"),
        (false, true) => write!(out, "{separator}sack-perm"),
        (false, false) => Ok(()),
    }
}
