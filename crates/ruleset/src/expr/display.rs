//! `Display` of expressions, as `nft --debug=netlink` writes them.
//!
//! libnftnl, `nftnl_expr_*_snprintf` of each src/expr/*.c. Values are written as libnftnl 1.3.1 and later do: bytes in
//! the order of their meaning, in words of four. An expression alone does not say whether a register holds a number of
//! the machine or of the packet, so [`Display`](fmt::Display) of a single one writes bytes as they lie;
//! [`super::listing`] follows the registers through the program.

use std::fmt::{self, Formatter, Result};

use super::{BitwiseOp, CmpOp, Expr, Reg, SetUse};
use crate::ir::{CtDirection, CtKey, FibFlags, FibResult, IpsecDirection, IpsecKey, LimitUnit, MetaKey, NatKind};
use crate::ir::{NumgenMode, RtKey, SetUpdateOp, SocketKey, TunnelKey, Verdict};

/// Bytes as they lie.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write_expr(f, self, Form::Bytes)
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.number().fmt(f)
    }
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they lie.
    Bytes,
    /// As a number of the machine: the last byte counts most.
    Number,
    /// As numbers of the machine of four bytes each, whatever they mean: libnftnl before 1.3.
    Words,
}

/// Bytes in words of four.
struct Words<'a> {
    bytes: &'a [u8],
    form: Form,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut bytes = self.bytes.to_vec();
        match self.form {
            Form::Number if cfg!(target_endian = "little") => bytes.reverse(),
            Form::Words => {
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                if cfg!(target_endian = "little") {
                    bytes.chunks_mut(4).for_each(<[u8]>::reverse);
                }
            }
            Form::Bytes | Form::Number => {}
        }
        for (at, word) in bytes.chunks(4).enumerate() {
            f.write_str(if at == 0 { "0x" } else { " 0x" })?;
            word.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

/// Writes an expression in brackets, its data in that form.
pub(super) fn write_expr(f: &mut Formatter<'_>, expr: &Expr, form: Form) -> Result {
    f.write_str("[ ")?;
    write_load(f, expr)
        .or_else(|| write_test(f, expr, form))
        .or_else(|| write_set(f, expr))
        .or_else(|| write_nat(f, expr))
        .or_else(|| write_state(f, expr))
        .unwrap_or_else(|| write_action(f, expr))?;
    f.write_str(" ]")
}

/// What puts something of the packet, or known of it, into a register.
fn write_load(f: &mut Formatter<'_>, expr: &Expr) -> Option<Result> {
    Some(match expr {
        Expr::Payload { dreg, base, offset, len } => {
            write!(f, "payload load {len}b @ {} header + {offset} => reg {dreg}", base.debug_name())
        }
        Expr::Exthdr { dreg, kind, offset, len, op, flags } => {
            let carrier = exthdr_op(*op);
            let present = if flags & 1 != 0 { " present" } else { "" };
            write!(f, "exthdr load {carrier}{len}b @ {kind} + {offset}{present} => reg {dreg}")
        }
        Expr::Meta { dreg, key } => write!(f, "meta load {} => reg {dreg}", meta_key(*key)),
        Expr::Ct { dreg, key, direction } => {
            write!(f, "ct load {} => reg {dreg}{}", ct_key(*key), ct_direction(*direction))
        }
        Expr::Rt { dreg, key } => write!(f, "rt load {} => reg {dreg}", rt_key(*key)),
        Expr::Socket { dreg, key, .. } => write!(f, "socket load {} => reg {dreg}", socket_key(*key)),
        Expr::Fib { dreg, flags, result, present } => write_fib(f, *dreg, *flags, *result, *present),
        Expr::Osf { dreg, .. } => write!(f, "osf dreg {dreg}"),
        Expr::Xfrm { dreg, key, direction, spnum } => {
            let direction = if *direction == IpsecDirection::In { "in" } else { "out" };
            write!(f, "xfrm load {direction} {spnum} {} => reg {dreg}", xfrm_key(*key))
        }
        Expr::Tunnel { dreg, key } => {
            let key = if *key == TunnelKey::Path { "path" } else { "id" };
            write!(f, "tunnel load {key} => reg {dreg}")
        }
        Expr::Inner { kind, header_len, flags, expr } => {
            write!(f, "inner type {kind} hdrsize {header_len} flags {flags:x} {expr}")
        }
        Expr::Numgen { dreg, mode, modulus, offset } => {
            let mode = if *mode == NumgenMode::Inc { "inc" } else { "random" };
            write!(f, "numgen reg {dreg} = {mode} mod {modulus}").and_then(|()| offset_suffix(f, *offset))
        }
        Expr::Jhash { dreg, sreg, len, modulus, seed, offset } => {
            write!(f, "hash reg {dreg} = jhash(reg {sreg}, {len}, 0x{:x}) % mod {modulus}", seed.unwrap_or(0))
                .and_then(|()| offset_suffix(f, *offset))
        }
        Expr::Symhash { dreg, modulus, offset } => {
            write!(f, "hash reg {dreg} = symhash() % mod {modulus}").and_then(|()| offset_suffix(f, *offset))
        }
        _ => return None,
    })
}

/// What compares and computes with literal data.
fn write_test(f: &mut Formatter<'_>, expr: &Expr, form: Form) -> Option<Result> {
    let words = |bytes| Words { bytes, form };
    Some(match expr {
        Expr::Cmp { sreg, op, data } => write!(f, "cmp {} reg {sreg} {}", cmp_op(*op), words(data)),
        Expr::Range { sreg, inverted, from, to } => {
            let op = if *inverted { "neq" } else { "eq" };
            write!(f, "range {op} reg {sreg} {} {}", words(from), words(to))
        }
        Expr::Bitwise { dreg, sreg, op, .. } => {
            write!(f, "bitwise reg {dreg} = ( reg {sreg} ").and_then(|()| match op {
                BitwiseOp::Mask { mask, xor } => write!(f, "& {} ) ^ {}", words(mask), words(xor)),
                BitwiseOp::Lshift(bits) => write!(f, "<< 0x{bits:08x} )"),
                BitwiseOp::Rshift(bits) => write!(f, ">> 0x{bits:08x} )"),
                BitwiseOp::And(reg) => write!(f, "& reg {reg} )"),
                BitwiseOp::Or(reg) => write!(f, "| reg {reg} )"),
                BitwiseOp::Xor(reg) => write!(f, "^ reg {reg} )"),
            })
        }
        Expr::Byteorder { dreg, sreg, to_network, len, size } => {
            let op = if *to_network { "hton" } else { "ntoh" };
            write!(f, "byteorder reg {dreg} = {op}(reg {sreg}, {size}, {len})")
        }
        Expr::Immediate { dreg, data } => write!(f, "immediate reg {dreg} {}", words(data)),
        Expr::Verdict(verdict) => write_verdict(f, verdict),
        _ => return None,
    })
}

/// What uses sets and objects.
fn write_set(f: &mut Formatter<'_>, expr: &Expr) -> Option<Result> {
    Some(match expr {
        Expr::Lookup { sreg, set, dreg, inverted } => {
            write!(f, "lookup reg {sreg} set {}", set.name()).and_then(|()| match (dreg, inverted) {
                (Some(dreg), _) => write!(f, " dreg {dreg}"),
                (None, true) => f.write_str(" 0x1"),
                (None, false) => Ok(()),
            })
        }
        Expr::Vmap { sreg, set } => write!(f, "lookup reg {sreg} set {} dreg 0", set.name()),
        Expr::Dynset { op, set, key, data, timeout_ms, exprs, inverted } => {
            write_dynset(f, *op, set, *key, (*data, *timeout_ms, *inverted), exprs)
        }
        Expr::Objref { object, name } => write!(f, "objref type {} name {name}", object.number()),
        Expr::ObjrefMap { sreg, set } => write!(f, "objref sreg {sreg} set {}", set.name()),
        Expr::FlowOffload { table } => write!(f, "flow_offload flowtable {table}"),
        _ => return None,
    })
}

fn write_dynset(
    f: &mut Formatter<'_>,
    op: SetUpdateOp,
    set: &SetUse,
    key: Reg,
    (data, timeout_ms, inverted): (Option<Reg>, Option<u64>, bool),
    exprs: &[Expr],
) -> Result {
    let op = match op {
        SetUpdateOp::Add => "add",
        SetUpdateOp::Update => "update",
        SetUpdateOp::Delete => "delete",
    };
    write!(f, "dynset {op} reg_key {key} set {}", set.name())?;
    if let Some(data) = data {
        write!(f, " sreg_data {data}")?;
    }
    if let Some(timeout) = timeout_ms {
        write!(f, " timeout {timeout}ms")?;
    }
    if inverted {
        f.write_str(" 0x1")?;
    }
    exprs.iter().try_for_each(|expr| write!(f, " expr {expr}"))
}

/// What rewrites addresses.
fn write_nat(f: &mut Formatter<'_>, expr: &Expr) -> Option<Result> {
    Some(match expr {
        Expr::Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags } => {
            let kind = if *kind == NatKind::Snat { "snat" } else { "dnat" };
            // The kernel gives the end of a range of one back; nft does not write it.
            let end = |max: Option<Reg>, min: Option<Reg>| max.filter(|_| max != min);
            write!(f, "nat {kind} {}", nfproto(*family)).and_then(|()| {
                write_regs(f, "addr", *addr_min, end(*addr_max, *addr_min))?;
                write_regs(f, "proto", *proto_min, end(*proto_max, *proto_min))?;
                write_flags(f, *flags & !implied_nat_flags(addr_min.is_some(), proto_min.is_some()))
            })
        }
        Expr::Masq { flags, proto_min, proto_max } => f.write_str("masq").and_then(|()| {
            write_regs(f, "proto", *proto_min, proto_max.filter(|_| proto_max != proto_min))?;
            write_flags(f, *flags)
        }),
        Expr::Redir { flags, proto_min, proto_max } => f.write_str("redir").and_then(|()| {
            write_regs(f, "proto", *proto_min, proto_max.filter(|_| proto_max != proto_min))?;
            write_flags(f, *flags)
        }),
        Expr::Tproxy { family, addr, port } => write!(f, "tproxy").and_then(|()| {
            if *family != 0 {
                write!(f, " {}", nfproto(*family))?;
            }
            write_reg(f, " addr reg", *addr)?;
            write_reg(f, " port reg", *port)
        }),
        _ => return None,
    })
}

/// `NF_NAT_RANGE_MAP_IPS` (1) and, with an address, `NF_NAT_RANGE_PROTO_SPECIFIED` (2): said by the registers.
const fn implied_nat_flags(address: bool, _port: bool) -> u32 {
    if address { 1 } else { 0 }
}

fn write_regs(f: &mut Formatter<'_>, what: &str, min: Option<Reg>, max: Option<Reg>) -> Result {
    write_reg(f, &format!(" {what}_min reg"), min)?;
    write_reg(f, &format!(" {what}_max reg"), max)
}

fn write_reg(f: &mut Formatter<'_>, what: &str, reg: Option<Reg>) -> Result {
    reg.map_or(Ok(()), |reg| write!(f, "{what} {reg}"))
}

fn write_flags(f: &mut Formatter<'_>, flags: u32) -> Result {
    if flags == 0 { Ok(()) } else { write!(f, " flags 0x{flags:x}") }
}

/// What counts and limits.
fn write_state(f: &mut Formatter<'_>, expr: &Expr) -> Option<Result> {
    Some(match expr {
        Expr::Counter { packets, bytes } => write!(f, "counter pkts {packets} bytes {bytes}"),
        Expr::Limit { rate, unit, burst, kind, inverted } => {
            let kind = if *kind == LimitUnit::Packets { "packets" } else { "bytes" };
            let flags = u32::from(*inverted);
            write!(f, "limit rate {rate}/{} burst {burst} type {kind} flags 0x{flags:x}", limit_unit(*unit))
        }
        Expr::Quota { bytes, consumed, inverted } => {
            write!(f, "quota bytes {bytes} consumed {consumed} flags {}", u32::from(*inverted))
        }
        Expr::Connlimit { count, inverted } => {
            write!(f, "connlimit count {count} flags {}", u32::from(*inverted))
        }
        Expr::Last { set, msecs } => match set {
            true => write!(f, "last {msecs}"),
            false => f.write_str("last never"),
        },
        _ => return None,
    })
}

/// What does something to the packet.
fn write_action(f: &mut Formatter<'_>, expr: &Expr) -> Result {
    match expr {
        Expr::PayloadSet { sreg, base, offset, len, csum_type, csum_offset, csum_flags } => write!(
            f,
            "payload write reg {sreg} => {len}b @ {} header + {offset} csum_type {csum_type} csum_off {csum_offset} \
             csum_flags 0x{csum_flags:x}",
            base.debug_name()
        ),
        Expr::ExthdrSet { sreg, kind, offset, len, op } => {
            write!(f, "exthdr write {}reg {sreg} => {len}b @ {kind} + {offset}", exthdr_op(*op))
        }
        Expr::ExthdrReset { kind, op } => write!(f, "exthdr reset {}{kind}", exthdr_op(*op)),
        Expr::MetaSet { sreg, key } => write!(f, "meta set {} with reg {sreg}", meta_key(*key)),
        Expr::CtSet { sreg, key, direction } => {
            write!(f, "ct set {} with reg {sreg}{}", ct_key(*key), ct_direction(*direction))
        }
        Expr::Log { .. } => write_log(f, expr),
        Expr::Reject { kind, code } => write!(f, "reject type {kind} code {code}"),
        Expr::Synproxy { mss, wscale, .. } => write!(f, "synproxy mss {mss} wscale {wscale}"),
        Expr::Notrack => f.write_str("notrack"),
        Expr::Dup { addr, dev } => {
            f.write_str("dup")?;
            write_reg(f, " sreg_addr", *addr)?;
            write_reg(f, " sreg_dev", *dev)
        }
        Expr::Fwd { dev, addr, nfproto } => {
            write!(f, "fwd sreg_dev {dev}")?;
            write_reg(f, " sreg_addr", *addr)?;
            nfproto.map_or(Ok(()), |nfproto| write!(f, " nfproto {nfproto}"))
        }
        Expr::Queue { num, total, flags, sreg } => write_queue(f, *num, *total, *flags, *sreg),
        Expr::Other { name, attributes } => {
            write!(f, "{name}")?;
            attributes.iter().enumerate().try_for_each(|(at, byte)| {
                let lead = if at == 0 { " 0x" } else { "" };
                write!(f, "{lead}{byte:02x}")
            })
        }
        other => write!(f, "{other:?}"),
    }
}

fn write_log(f: &mut Formatter<'_>, expr: &Expr) -> Result {
    let Expr::Log { prefix, group, snaplen, queue_threshold, level, flags } = expr else { return Ok(()) };
    f.write_str("log")?;
    if let Some(prefix) = prefix {
        write!(f, " prefix {prefix}")?;
    }
    if let Some(group) = group {
        let (snaplen, threshold) = (snaplen.unwrap_or(0), queue_threshold.unwrap_or(0));
        return write!(f, " group {group} snaplen {snaplen} qthreshold {threshold}");
    }
    if let Some(level) = level {
        write!(f, " level {level}")?;
    }
    // `NF_LOG_*`, linux/netfilter/nf_log.h.
    const FLAGS: [(u32, &str); 5] =
        [(0x01, " tcpseq"), (0x02, " tcpopt"), (0x04, " ipopt"), (0x08, " uid"), (0x20, " macdecode")];
    let flags = flags.unwrap_or(0);
    FLAGS.iter().filter(|(bit, _)| flags & bit != 0).try_for_each(|(_, name)| f.write_str(name))
}

fn write_queue(f: &mut Formatter<'_>, num: u16, total: u16, flags: u16, sreg: Option<Reg>) -> Result {
    f.write_str("queue")?;
    match sreg {
        Some(sreg) => write!(f, " sreg_qnum {sreg}")?,
        None if total > 1 => write!(f, " num {num}-{}", u32::from(num) + u32::from(total) - 1)?,
        None => write!(f, " num {num}")?,
    }
    if flags & 1 != 0 {
        f.write_str(" bypass")?;
    }
    if flags & 2 != 0 {
        f.write_str(" fanout")?;
    }
    Ok(())
}

fn write_verdict(f: &mut Formatter<'_>, verdict: &Verdict) -> Result {
    f.write_str("immediate reg 0 ")?;
    match verdict {
        Verdict::Accept => f.write_str("accept"),
        Verdict::Drop => f.write_str("drop"),
        Verdict::Continue => f.write_str("continue"),
        Verdict::Return => f.write_str("return"),
        Verdict::Jump(chain) => write!(f, "jump -> {chain}"),
        Verdict::Goto(chain) => write!(f, "goto -> {chain}"),
    }
}

fn write_fib(f: &mut Formatter<'_>, dreg: Reg, flags: FibFlags, result: FibResult, present: bool) -> Result {
    f.write_str("fib")?;
    let parts =
        [(flags.saddr, "saddr"), (flags.daddr, "daddr"), (flags.mark, "mark"), (flags.iif, "iif"), (flags.oif, "oif")];
    let mut lead = " ";
    for (_, name) in parts.iter().filter(|(set, _)| *set) {
        write!(f, "{lead}{name}")?;
        lead = " . ";
    }
    let result = match result {
        FibResult::Oif | FibResult::Exists | FibResult::Check => "oif",
        FibResult::Oifname => "oifname",
        FibResult::Type => "type",
    };
    let present = if present { " present" } else { "" };
    write!(f, " {result}{present} => reg {dreg}")
}

fn offset_suffix(f: &mut Formatter<'_>, offset: u32) -> Result {
    if offset == 0 { Ok(()) } else { write!(f, " offset {offset}") }
}

const fn cmp_op(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "eq",
        CmpOp::Neq => "neq",
        CmpOp::Lt => "lt",
        CmpOp::Lte => "lte",
        CmpOp::Gt => "gt",
        CmpOp::Gte => "gte",
    }
}

/// libnftnl names these three only.
const fn exthdr_op(op: u32) -> &'static str {
    match op {
        0 => "ipv6 ",
        1 => "tcpopt ",
        2 => "ipv4 ",
        _ => "",
    }
}

const fn limit_unit(seconds: u64) -> &'static str {
    match seconds {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        604_800 => "week",
        _ => "unknown",
    }
}

const fn nfproto(family: u32) -> &'static str {
    match family {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "unknown",
    }
}

const fn ct_direction(direction: Option<CtDirection>) -> &'static str {
    match direction {
        Some(CtDirection::Original) => " , dir original",
        Some(CtDirection::Reply) => " , dir reply",
        None => "",
    }
}

/// libnftnl's names, src/expr/meta.c.
fn meta_key(key: MetaKey) -> &'static str {
    match key {
        MetaKey::Length => "len",
        MetaKey::Random => "prandom",
        MetaKey::Ibrname => "bri_iifname",
        MetaKey::Obrname => "bri_oifname",
        MetaKey::Ibrpvid => "bri_iifpvid",
        MetaKey::Ibrvproto => "bri_iifvproto",
        MetaKey::Broute => "broute",
        MetaKey::Ipsec => "secpath",
        other => other.keyword(),
    }
}

/// libnftnl's names, src/expr/ct.c.
fn ct_key(key: CtKey) -> &'static str {
    match key {
        CtKey::L3proto => "l3protocol",
        CtKey::Saddr => "src",
        CtKey::Daddr => "dst",
        CtKey::ProtoSrc => "proto_src",
        CtKey::ProtoDst => "proto_dst",
        CtKey::SaddrIp => "src_ip",
        CtKey::DaddrIp => "dst_ip",
        CtKey::SaddrIp6 => "src_ip6",
        CtKey::DaddrIp6 => "dst_ip6",
        other => other.keyword(),
    }
}

/// libnftnl's names, src/expr/rt.c.
const fn rt_key(key: RtKey) -> &'static str {
    match key {
        RtKey::Classid => "classid",
        RtKey::Nexthop4 => "nexthop4",
        RtKey::Nexthop6 => "nexthop6",
        RtKey::Mtu => "tcpmss",
        RtKey::Ipsec => "ipsec",
    }
}

const fn socket_key(key: SocketKey) -> &'static str {
    match key {
        SocketKey::Transparent => "transparent",
        SocketKey::Mark => "mark",
        SocketKey::Wildcard => "wildcard",
        SocketKey::Cgroupv2 => "cgroupv2",
    }
}

const fn xfrm_key(key: IpsecKey) -> &'static str {
    match key {
        IpsecKey::DaddrIp => "daddr4",
        IpsecKey::DaddrIp6 => "daddr6",
        IpsecKey::SaddrIp => "saddr4",
        IpsecKey::SaddrIp6 => "saddr6",
        IpsecKey::Reqid => "reqid",
        IpsecKey::Spi => "spi",
    }
}
