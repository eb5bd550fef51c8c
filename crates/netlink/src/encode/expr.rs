//! Expressions as attributes (`NFTA_RULE_EXPRESSIONS`): one arm per expression of the kernel.

use rulectl_ruleset::expr::{BitwiseOp, CmpOp, Expr, Reg, SetUse};
use rulectl_ruleset::ir::{CtDirection, FibResult, LimitUnit, NatKind, NumgenMode, SetUpdateOp, Verdict};

use super::beyond;
use crate::attr::Writer;
use crate::uapi;

/// Where the anonymous sets of a rule get their numbers: those they were announced by in the same batch, in the order
/// of their uses.
pub(crate) struct SetIds(std::ops::Range<u32>);

impl SetIds {
    /// Those numbers.
    pub(crate) fn new(ids: std::ops::Range<u32>) -> Self {
        Self(ids)
    }
}

/// Writes expressions, each as an element of a list.
pub(crate) fn put_list(writer: &mut Writer, exprs: &[Expr], ids: &mut SetIds) {
    for expr in exprs {
        writer.nest(uapi::list::ELEM, |writer| put(writer, expr, ids));
    }
}

/// Writes the name and the data of an expression.
pub(crate) fn put(writer: &mut Writer, expr: &Expr, ids: &mut SetIds) {
    writer.put_str(uapi::expr::NAME, name(expr));
    match expr {
        Expr::Notrack => {}
        Expr::Other { attributes, .. } if attributes.is_empty() => {}
        _ => writer.nest(uapi::expr::DATA, |writer| put_data(writer, expr, ids)),
    }
}

/// The kernel's name of an expression (`struct nft_expr_type`).
pub(crate) fn name(expr: &Expr) -> &str {
    match expr {
        Expr::Payload { .. } | Expr::PayloadSet { .. } => "payload",
        Expr::Exthdr { .. } | Expr::ExthdrSet { .. } | Expr::ExthdrReset { .. } => "exthdr",
        Expr::Meta { .. } | Expr::MetaSet { .. } => "meta",
        Expr::Ct { .. } | Expr::CtSet { .. } => "ct",
        Expr::Rt { .. } => "rt",
        Expr::Socket { .. } => "socket",
        Expr::Fib { .. } => "fib",
        Expr::Numgen { .. } => "numgen",
        Expr::Jhash { .. } | Expr::Symhash { .. } => "hash",
        Expr::Cmp { .. } => "cmp",
        Expr::Range { .. } => "range",
        Expr::Bitwise { .. } => "bitwise",
        Expr::Byteorder { .. } => "byteorder",
        Expr::Lookup { .. } | Expr::Vmap { .. } => "lookup",
        Expr::Immediate { .. } | Expr::Verdict(_) => "immediate",
        Expr::Counter { .. } => "counter",
        Expr::Limit { .. } => "limit",
        Expr::Quota { .. } => "quota",
        Expr::Connlimit { .. } => "connlimit",
        Expr::Last { .. } => "last",
        Expr::Log { .. } => "log",
        Expr::Reject { .. } => "reject",
        Expr::Nat { .. } => "nat",
        Expr::Masq { .. } => "masq",
        Expr::Redir { .. } => "redir",
        Expr::Notrack => "notrack",
        Expr::Tproxy { .. } => "tproxy",
        Expr::Dup { .. } => "dup",
        Expr::Fwd { .. } => "fwd",
        Expr::Queue { .. } => "queue",
        Expr::Dynset { .. } => "dynset",
        Expr::Objref { .. } | Expr::ObjrefMap { .. } => "objref",
        Expr::FlowOffload { .. } => "flow_offload",
        Expr::Other { name, .. } => name,
        // Non-exhaustive: a variant added to the contract before it is encoded has a name no kernel knows, and so is
        // refused.
        other => beyond::name(other).unwrap_or("unknown"),
    }
}

pub(crate) fn put_data(writer: &mut Writer, expr: &Expr, ids: &mut SetIds) {
    put_packet(writer, expr);
    put_facts(writer, expr);
    put_computations(writer, expr);
    put_decisions(writer, expr, ids);
    put_state(writer, expr);
    put_actions(writer, expr);
    beyond::put_data(writer, expr, ids);
    if let Expr::Other { attributes, .. } = expr {
        writer.raw(attributes);
    }
}

/// Expressions that read or write bytes of the packet.
fn put_packet(writer: &mut Writer, expr: &Expr) {
    match expr {
        Expr::Payload { dreg, base, offset, len } => {
            put_reg(writer, uapi::payload::DREG, *dreg);
            put_numbers(writer, [(uapi::payload::BASE, base.number()), (uapi::payload::OFFSET, *offset)]);
            writer.put_u32(uapi::payload::LEN, *len);
        }
        Expr::PayloadSet { sreg, base, offset, len, csum_type, csum_offset, csum_flags } => {
            put_reg(writer, uapi::payload::SREG, *sreg);
            put_numbers(writer, [(uapi::payload::BASE, base.number()), (uapi::payload::OFFSET, *offset)]);
            put_numbers(writer, [(uapi::payload::LEN, *len), (uapi::payload::CSUM_TYPE, *csum_type)]);
            writer.put_u32(uapi::payload::CSUM_OFFSET, *csum_offset);
            if *csum_flags != 0 {
                writer.put_u32(uapi::payload::CSUM_FLAGS, *csum_flags);
            }
        }
        Expr::Exthdr { dreg, kind, offset, len, op, flags } => {
            put_reg(writer, uapi::exthdr::DREG, *dreg);
            writer.put_u8(uapi::exthdr::TYPE, *kind);
            put_numbers(writer, [(uapi::exthdr::OFFSET, *offset), (uapi::exthdr::LEN, *len)]);
            put_numbers(writer, [(uapi::exthdr::OP, *op), (uapi::exthdr::FLAGS, *flags)]);
        }
        Expr::ExthdrSet { sreg, kind, offset, len, op } => {
            put_reg(writer, uapi::exthdr::SREG, *sreg);
            writer.put_u8(uapi::exthdr::TYPE, *kind);
            put_numbers(writer, [(uapi::exthdr::OFFSET, *offset), (uapi::exthdr::LEN, *len)]);
            writer.put_u32(uapi::exthdr::OP, *op);
        }
        Expr::ExthdrReset { kind, op } => {
            writer.put_u8(uapi::exthdr::TYPE, *kind);
            writer.put_u32(uapi::exthdr::OP, *op);
        }
        _ => {}
    }
}

/// Expressions that read or write what the kernel knows of the packet.
fn put_facts(writer: &mut Writer, expr: &Expr) {
    match expr {
        Expr::Meta { dreg, key } => put_keyed(writer, (uapi::meta::DREG, *dreg), (uapi::meta::KEY, key.number())),
        Expr::MetaSet { sreg, key } => put_keyed(writer, (uapi::meta::SREG, *sreg), (uapi::meta::KEY, key.number())),
        Expr::Ct { dreg, key, direction } => {
            put_keyed(writer, (uapi::ct::DREG, *dreg), (uapi::ct::KEY, key.number()));
            put_direction(writer, *direction);
        }
        Expr::CtSet { sreg, key, direction } => {
            put_keyed(writer, (uapi::ct::SREG, *sreg), (uapi::ct::KEY, key.number()));
            put_direction(writer, *direction);
        }
        Expr::Rt { dreg, key } => put_keyed(writer, (uapi::rt::DREG, *dreg), (uapi::rt::KEY, key.number())),
        Expr::Socket { dreg, key, level } => {
            put_keyed(writer, (uapi::socket::DREG, *dreg), (uapi::socket::KEY, key.number()));
            put_optional(writer, uapi::socket::LEVEL, *level);
        }
        Expr::Fib { dreg, flags, result, present } => {
            let (result, exists) = match result {
                FibResult::Oif => (1, false),
                FibResult::Oifname => (2, false),
                FibResult::Type => (3, false),
                FibResult::Exists | FibResult::Check => (1, true),
            };
            let present = u32::from(*present || exists) * FIB_PRESENT;
            put_keyed(writer, (uapi::fib::DREG, *dreg), (uapi::fib::RESULT, result));
            writer.put_u32(uapi::fib::FLAGS, flags.bits() | present);
        }
        _ => {}
    }
}

/// `NFTA_FIB_F_PRESENT`.
pub(crate) const FIB_PRESENT: u32 = 1 << 5;

/// Expressions that compute and compare.
fn put_computations(writer: &mut Writer, expr: &Expr) {
    match expr {
        Expr::Numgen { dreg, mode, modulus, offset } => {
            let mode = match mode {
                NumgenMode::Inc => 0,
                NumgenMode::Random => 1,
            };
            put_keyed(writer, (uapi::ng::DREG, *dreg), (uapi::ng::MODULUS, *modulus));
            put_numbers(writer, [(uapi::ng::TYPE, mode), (uapi::ng::OFFSET, *offset)]);
        }
        Expr::Jhash { dreg, sreg, len, modulus, seed, offset } => {
            put_reg(writer, uapi::hash::SREG, *sreg);
            put_reg(writer, uapi::hash::DREG, *dreg);
            put_numbers(writer, [(uapi::hash::LEN, *len), (uapi::hash::MODULUS, *modulus)]);
            put_optional(writer, uapi::hash::SEED, *seed);
            put_numbers(writer, [(uapi::hash::OFFSET, *offset), (uapi::hash::TYPE, 0)]);
        }
        Expr::Symhash { dreg, modulus, offset } => {
            put_keyed(writer, (uapi::hash::DREG, *dreg), (uapi::hash::MODULUS, *modulus));
            put_numbers(writer, [(uapi::hash::OFFSET, *offset), (uapi::hash::TYPE, 1)]);
        }
        Expr::Cmp { sreg, op, data } => {
            put_keyed(writer, (uapi::cmp::SREG, *sreg), (uapi::cmp::OP, cmp_number(*op)));
            put_value(writer, uapi::cmp::DATA, data);
        }
        Expr::Range { sreg, inverted, from, to } => {
            put_keyed(writer, (uapi::range::SREG, *sreg), (uapi::range::OP, (*inverted).into()));
            put_value(writer, uapi::range::FROM_DATA, from);
            put_value(writer, uapi::range::TO_DATA, to);
        }
        Expr::Bitwise { dreg, sreg, len, op } => {
            put_reg(writer, uapi::bitwise::SREG, *sreg);
            put_reg(writer, uapi::bitwise::DREG, *dreg);
            writer.put_u32(uapi::bitwise::LEN, *len);
            put_bitwise_op(writer, op);
        }
        Expr::Byteorder { dreg, sreg, to_network, len, size } => {
            put_reg(writer, uapi::byteorder::SREG, *sreg);
            put_reg(writer, uapi::byteorder::DREG, *dreg);
            put_numbers(writer, [(uapi::byteorder::OP, (*to_network).into()), (uapi::byteorder::LEN, *len)]);
            writer.put_u32(uapi::byteorder::SIZE, *size);
        }
        _ => {}
    }
}

/// Expressions that give data or verdicts, themselves or by a set.
fn put_decisions(writer: &mut Writer, expr: &Expr, ids: &mut SetIds) {
    match expr {
        Expr::Lookup { sreg, set, dreg, inverted } => {
            put_set(writer, uapi::lookup::SET, uapi::lookup::SET_ID, set, ids);
            put_reg(writer, uapi::lookup::SREG, *sreg);
            put_optional_reg(writer, uapi::lookup::DREG, *dreg);
            if *inverted {
                writer.put_u32(uapi::lookup::FLAGS, 1);
            }
        }
        Expr::Vmap { sreg, set } => {
            put_set(writer, uapi::lookup::SET, uapi::lookup::SET_ID, set, ids);
            put_reg(writer, uapi::lookup::SREG, *sreg);
            writer.put_u32(uapi::lookup::DREG, VERDICT_REGISTER);
        }
        Expr::Immediate { dreg, data } => {
            put_reg(writer, uapi::immediate::DREG, *dreg);
            put_value(writer, uapi::immediate::DATA, data);
        }
        Expr::Verdict(verdict) => {
            writer.put_u32(uapi::immediate::DREG, VERDICT_REGISTER);
            writer.nest(uapi::immediate::DATA, |writer| put_verdict(writer, verdict));
        }
        Expr::Dynset { op, set, key, data, timeout_ms, exprs, inverted } => {
            put_set(writer, uapi::dynset::SET_NAME, uapi::dynset::SET_ID, set, ids);
            put_dynset(writer, (*op, *key, *data, *timeout_ms), exprs, *inverted, ids);
        }
        Expr::ObjrefMap { sreg, set } => {
            put_reg(writer, uapi::objref::SET_SREG, *sreg);
            put_set(writer, uapi::objref::SET_NAME, uapi::objref::SET_ID, set, ids);
        }
        _ => {}
    }
}

/// `NFT_REG_VERDICT`.
pub(crate) const VERDICT_REGISTER: u32 = 0;

fn put_bitwise_op(writer: &mut Writer, op: &BitwiseOp) {
    let number = match op {
        BitwiseOp::Mask { .. } => 0,
        BitwiseOp::Lshift(_) => 1,
        BitwiseOp::Rshift(_) => 2,
        BitwiseOp::And(_) => 3,
        BitwiseOp::Or(_) => 4,
        BitwiseOp::Xor(_) => 5,
    };
    writer.put_u32(uapi::bitwise::OP, number);
    match op {
        BitwiseOp::Mask { mask, xor } => {
            put_value(writer, uapi::bitwise::MASK, mask);
            put_value(writer, uapi::bitwise::XOR, xor);
        }
        // The one number among data, and so in the machine's order (`nft_bitwise_init_shift`).
        BitwiseOp::Lshift(bits) | BitwiseOp::Rshift(bits) => {
            put_value(writer, uapi::bitwise::DATA, &bits.to_ne_bytes());
        }
        BitwiseOp::And(reg) | BitwiseOp::Or(reg) | BitwiseOp::Xor(reg) => put_reg(writer, uapi::bitwise::SREG2, *reg),
    }
}

type DynsetFields = (SetUpdateOp, Reg, Option<Reg>, Option<u64>);

fn put_dynset(
    writer: &mut Writer,
    (op, key, data, timeout_ms): DynsetFields,
    exprs: &[Expr],
    inverted: bool,
    ids: &mut SetIds,
) {
    /// `NFT_DYNSET_F_EXPR`: there are several expressions.
    const SEVERAL: u32 = 2;
    let op = match op {
        SetUpdateOp::Add => 0,
        SetUpdateOp::Update => 1,
        SetUpdateOp::Delete => 2,
    };
    put_keyed(writer, (uapi::dynset::SREG_KEY, key), (uapi::dynset::OP, op));
    put_optional_reg(writer, uapi::dynset::SREG_DATA, data);
    if let Some(timeout) = timeout_ms {
        writer.put_u64(uapi::dynset::TIMEOUT, timeout);
    }
    let flags = u32::from(inverted) | if exprs.len() > 1 { SEVERAL } else { 0 };
    if flags != 0 {
        writer.put_u32(uapi::dynset::FLAGS, flags);
    }
    match exprs {
        [] => {}
        [expr] => writer.nest(uapi::dynset::EXPR, |writer| put(writer, expr, ids)),
        exprs => writer.nest(uapi::dynset::EXPRESSIONS, |writer| put_list(writer, exprs, ids)),
    }
}

/// Expressions that keep state.
fn put_state(writer: &mut Writer, expr: &Expr) {
    match expr {
        Expr::Counter { packets, bytes } => {
            writer.put_u64(uapi::counter::BYTES, *bytes);
            writer.put_u64(uapi::counter::PACKETS, *packets);
        }
        Expr::Limit { rate, unit, burst, kind, inverted } => {
            let kind = match kind {
                LimitUnit::Packets => 0,
                LimitUnit::Bytes => 1,
            };
            writer.put_u64(uapi::limit::RATE, *rate);
            writer.put_u64(uapi::limit::UNIT, *unit);
            put_numbers(writer, [(uapi::limit::BURST, *burst), (uapi::limit::TYPE, kind)]);
            writer.put_u32(uapi::limit::FLAGS, (*inverted).into());
        }
        Expr::Quota { bytes, consumed, inverted } => {
            writer.put_u64(uapi::quota::BYTES, *bytes);
            writer.put_u64(uapi::quota::CONSUMED, *consumed);
            writer.put_u32(uapi::quota::FLAGS, (*inverted).into());
        }
        Expr::Connlimit { count, inverted } => {
            put_numbers(writer, [(uapi::connlimit::COUNT, *count), (uapi::connlimit::FLAGS, (*inverted).into())]);
        }
        Expr::Last { set, msecs } => {
            writer.put_u32(uapi::last::SET, (*set).into());
            writer.put_u64(uapi::last::MSECS, *msecs);
        }
        Expr::Objref { object, name } => {
            writer.put_u32(uapi::objref::IMM_TYPE, object.number());
            writer.put_str(uapi::objref::IMM_NAME, name.as_str());
        }
        _ => {}
    }
}

/// Expressions that do something with the packet.
fn put_actions(writer: &mut Writer, expr: &Expr) {
    match expr {
        Expr::Log { .. } => put_log(writer, expr),
        Expr::Reject { kind, code } => {
            writer.put_u32(uapi::reject::TYPE, *kind);
            // A TCP reset has no code.
            if *kind != 1 {
                writer.put_u8(uapi::reject::ICMP_CODE, *code);
            }
        }
        Expr::Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags } => {
            put_numbers(writer, [(uapi::nat::TYPE, u32::from(*kind == NatKind::Dnat)), (uapi::nat::FAMILY, *family)]);
            put_optional_reg(writer, uapi::nat::REG_ADDR_MIN, *addr_min);
            put_optional_reg(writer, uapi::nat::REG_ADDR_MAX, *addr_max);
            put_optional_reg(writer, uapi::nat::REG_PROTO_MIN, *proto_min);
            put_optional_reg(writer, uapi::nat::REG_PROTO_MAX, *proto_max);
            put_flags(writer, uapi::nat::FLAGS, *flags);
        }
        Expr::Masq { flags, proto_min, proto_max } => {
            put_flags(writer, uapi::masq::FLAGS, *flags);
            put_optional_reg(writer, uapi::masq::REG_PROTO_MIN, *proto_min);
            put_optional_reg(writer, uapi::masq::REG_PROTO_MAX, *proto_max);
        }
        Expr::Redir { flags, proto_min, proto_max } => {
            put_optional_reg(writer, uapi::redir::REG_PROTO_MIN, *proto_min);
            put_optional_reg(writer, uapi::redir::REG_PROTO_MAX, *proto_max);
            put_flags(writer, uapi::redir::FLAGS, *flags);
        }
        Expr::Tproxy { family, addr, port } => {
            writer.put_u32(uapi::tproxy::FAMILY, *family);
            put_optional_reg(writer, uapi::tproxy::REG_ADDR, *addr);
            put_optional_reg(writer, uapi::tproxy::REG_PORT, *port);
        }
        Expr::Dup { addr, dev } => {
            put_optional_reg(writer, uapi::dup::SREG_ADDR, *addr);
            put_optional_reg(writer, uapi::dup::SREG_DEV, *dev);
        }
        Expr::Fwd { dev, addr, nfproto } => {
            put_reg(writer, uapi::fwd::SREG_DEV, *dev);
            put_optional_reg(writer, uapi::fwd::SREG_ADDR, *addr);
            put_optional(writer, uapi::fwd::NFPROTO, *nfproto);
        }
        Expr::Queue { num, total, flags, sreg } => {
            match sreg {
                Some(sreg) => put_reg(writer, uapi::queue::SREG_QNUM, *sreg),
                None => {
                    writer.put_u16(uapi::queue::NUM, *num);
                    writer.put_u16(uapi::queue::TOTAL, *total);
                }
            }
            if *flags != 0 {
                writer.put_u16(uapi::queue::FLAGS, *flags);
            }
        }
        Expr::FlowOffload { table } => writer.put_str(uapi::flow::TABLE_NAME, table.as_str()),
        _ => {}
    }
}

fn put_log(writer: &mut Writer, expr: &Expr) {
    let Expr::Log { prefix, group, snaplen, queue_threshold, level, flags } = expr else { return };
    if let Some(prefix) = prefix {
        writer.put_str(uapi::log::PREFIX, prefix);
    }
    if let Some(group) = group {
        writer.put_u16(uapi::log::GROUP, *group);
    }
    put_optional(writer, uapi::log::SNAPLEN, *snaplen);
    if let Some(threshold) = queue_threshold {
        writer.put_u16(uapi::log::QTHRESHOLD, *threshold);
    }
    put_optional(writer, uapi::log::LEVEL, *level);
    put_optional(writer, uapi::log::FLAGS, *flags);
}

/// A verdict as data (`NFTA_DATA_VERDICT`).
#[inline]
pub(crate) fn put_verdict(writer: &mut Writer, verdict: &Verdict) {
    let (code, chain) = match verdict {
        Verdict::Accept => (uapi::NF_ACCEPT, None),
        Verdict::Drop => (uapi::NF_DROP, None),
        Verdict::Continue => (uapi::NFT_CONTINUE, None),
        Verdict::Return => (uapi::NFT_RETURN, None),
        Verdict::Jump(chain) => (uapi::NFT_JUMP, Some(chain)),
        Verdict::Goto(chain) => (uapi::NFT_GOTO, Some(chain)),
    };
    writer.nest(uapi::data::VERDICT, |writer| {
        writer.put(uapi::verdict::CODE, &code.to_be_bytes());
        if let Some(chain) = chain {
            writer.put_str(uapi::verdict::CHAIN, chain.as_str());
        }
    });
}

/// Bytes as data (`NFTA_DATA_VALUE`).
fn put_value(writer: &mut Writer, kind: u16, value: &[u8]) {
    writer.nest(kind, |writer| writer.put(uapi::data::VALUE, value));
}

/// A set by its name; an anonymous one by the number it was announced by, too.
fn put_set(writer: &mut Writer, name: u16, id: u16, set: &SetUse, ids: &mut SetIds) {
    writer.put_str(name, set.name().as_str());
    if matches!(set, SetUse::Anonymous(_)) {
        put_optional(writer, id, ids.0.next());
    }
}

fn put_reg(writer: &mut Writer, kind: u16, reg: Reg) {
    writer.put_u32(kind, reg.number());
}

fn put_optional_reg(writer: &mut Writer, kind: u16, reg: Option<Reg>) {
    put_optional(writer, kind, reg.map(Reg::number));
}

fn put_optional(writer: &mut Writer, kind: u16, number: Option<u32>) {
    if let Some(number) = number {
        writer.put_u32(kind, number);
    }
}

fn put_flags(writer: &mut Writer, kind: u16, flags: u32) {
    if flags != 0 {
        writer.put_u32(kind, flags);
    }
}

pub(super) fn put_keyed(writer: &mut Writer, (reg_kind, reg): (u16, Reg), (kind, number): (u16, u32)) {
    put_reg(writer, reg_kind, reg);
    writer.put_u32(kind, number);
}

fn put_numbers(writer: &mut Writer, numbers: [(u16, u32); 2]) {
    for (kind, number) in numbers {
        writer.put_u32(kind, number);
    }
}

fn put_direction(writer: &mut Writer, direction: Option<CtDirection>) {
    if let Some(direction) = direction {
        let number = match direction {
            CtDirection::Original => 0,
            CtDirection::Reply => 1,
        };
        writer.put_u8(uapi::ct::DIRECTION, number);
    }
}

fn cmp_number(op: CmpOp) -> u32 {
    match op {
        CmpOp::Eq => 0,
        CmpOp::Neq => 1,
        CmpOp::Lt => 2,
        CmpOp::Lte => 3,
        CmpOp::Gt => 4,
        CmpOp::Gte => 5,
    }
}
