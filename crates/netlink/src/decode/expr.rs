//! Expressions from attributes. What is not understood, down to a single attribute, stays as [`Expr::Other`].
//!
//! Where the kernel gives back more than it was told, the same is left out that nft leaves out: a range of addresses
//! or ports with equal ends is a single one, the bits that say that there are addresses or ports follow from the
//! registers (`nft_nat_dump`, net/netfilter/nft_nat.c), level 4 (`warn`) is what a log has when nobody said anything.

use rulectl_ruleset::expr::{BitwiseOp, CmpOp, Expr, Reg, SetUse};
use rulectl_ruleset::ir::{
    ChainName, CtDirection, CtKey, FibFlags, FibResult, LimitUnit, MetaKey, NatKind, NumgenMode, ObjectName,
    ObjectType, Packed, PayloadBase, RtKey, SetUpdateOp, SocketKey, Verdict,
};

use super::beyond;
use crate::attr::{Attribute, Attributes};
use crate::encode::expr::{FIB_PRESENT, VERDICT_REGISTER};
use crate::uapi;

/// Gives the set of that name: itself if it is anonymous.
pub(crate) trait Sets {
    /// `None` if there is no set of that name.
    fn set(&self, name: &str) -> Option<SetUse>;
}

/// The expressions of a list, without what is there only by the habit of one nft.
pub(crate) fn list(list: Attributes<'_>, sets: &dyn Sets) -> Vec<Expr> {
    let exprs = list.filter(|entry| entry.kind == uapi::list::ELEM).map(|entry| expr(entry.nested(), sets));
    // nft 1.0 turns single bytes around, which is nothing to turn (`nft_byteorder_eval`).
    let is_idle =
        |expr: &Expr| matches!(expr, Expr::Byteorder { dreg, sreg, len, size, .. } if dreg == sreg && len < size);
    let mut exprs: Vec<Expr> = exprs.filter(|expr| !is_idle(expr)).collect();
    for at in 1..exprs.len() {
        let (before, rest) = exprs.split_at_mut(at);
        if let (Some(Expr::Fib { dreg, present: true, .. }), Some(Expr::Cmp { sreg, data, .. })) =
            (before.last(), rest.first_mut())
            && dreg == sreg
            && let [_, 0, 0, 0] = data.as_slice()
            && cfg!(target_endian = "little")
        {
            // The kernel answers with one byte (`nft_fib_store_result`, net/netfilter/nft_fib.c), and clears the three
            // behind it. nft before 1.0.8 compares all four.
            *data = Packed::new(&data.as_slice()[..1]);
        }
    }
    exprs
}

/// An expression of which the name and the data are attributes.
pub(crate) fn expr(attributes: Attributes<'_>, sets: &dyn Sets) -> Expr {
    let [_, name, data] = attributes.table::<3>();
    let name = name.map(Attribute::text).unwrap_or_default();
    let data = data.map(Attribute::nested).unwrap_or_default();
    known(&name, data, sets).unwrap_or_else(|| Expr::Other { attributes: data.bytes().to_vec(), name })
}

fn known(name: &str, data: Attributes<'_>, sets: &dyn Sets) -> Option<Expr> {
    match name {
        "payload" => payload(data),
        "exthdr" => exthdr(data),
        "meta" => meta(data),
        "ct" => ct(data),
        "rt" => {
            let [_, dreg, key] = data.known::<3>()?;
            Some(Expr::Rt { dreg: reg(dreg)?, key: RtKey::from_number(number(key)?)? })
        }
        "socket" => {
            let [_, key, dreg, level] = data.known::<4>()?;
            let key = SocketKey::from_number(number(key)?)?;
            // The kernel gives a level for every key; only control groups have one.
            let level = level.and_then(Attribute::u32).filter(|_| key == SocketKey::Cgroupv2);
            Some(Expr::Socket { dreg: reg(dreg)?, key, level })
        }
        "fib" => fib(data),
        "numgen" => numgen(data),
        "hash" => hash(data),
        "cmp" => cmp(data),
        "range" => range(data),
        "bitwise" => bitwise(data),
        "byteorder" => byteorder(data),
        "lookup" => lookup(data, sets),
        "dynset" => dynset(data, sets),
        "objref" => objref(data, sets),
        "immediate" => immediate(data),
        "counter" | "limit" | "quota" | "connlimit" | "last" => stateful(name, data),
        _ => action(name, data).or_else(|| beyond::known(name, data, sets)),
    }
}

/// An expression that keeps state, from the attributes that also an object of that kind has.
pub(crate) fn stateful(name: &str, data: Attributes<'_>) -> Option<Expr> {
    match name {
        "counter" => {
            let [_, bytes, packets, _] = data.known::<4>()?;
            Some(Expr::Counter { packets: packets?.u64()?, bytes: bytes?.u64()? })
        }
        "limit" => {
            let [_, rate, unit, burst, kind, flags, _] = data.known::<7>()?;
            let kind = match or_zero(kind) {
                0 => LimitUnit::Packets,
                1 => LimitUnit::Bytes,
                _ => return None,
            };
            let (rate, unit) = (rate?.u64()?, unit?.u64()?);
            Some(Expr::Limit { rate, unit, burst: or_zero(burst), kind, inverted: flag(flags)? })
        }
        "quota" => {
            let [_, bytes, flags, _, consumed] = data.known::<5>()?;
            let consumed = consumed.and_then(Attribute::u64).unwrap_or(0);
            // The kernel adds that a quota is used up (`NFT_QUOTA_F_DEPLETED`).
            Some(Expr::Quota { bytes: bytes?.u64()?, consumed, inverted: or_zero(flags) & 1 != 0 })
        }
        "connlimit" => {
            let [_, count, flags] = data.known::<3>()?;
            Some(Expr::Connlimit { count: number(count)?, inverted: flag(flags)? })
        }
        "last" => {
            let [_, set, msecs, _] = data.known::<4>()?;
            let msecs = msecs.and_then(Attribute::u64).unwrap_or(0);
            Some(Expr::Last { set: flag(set)?, msecs })
        }
        _ => None,
    }
}

fn payload(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, base, offset, len, sreg, csum_type, csum_offset, csum_flags] = data.known::<9>()?;
    let base = PayloadBase::ALL.into_iter().find(|known| Some(known.number()) == number(base))?;
    let (offset, len) = (number(offset)?, number(len)?);
    match (dreg, sreg) {
        (Some(_), None) => Some(Expr::Payload { dreg: reg(dreg)?, base, offset, len }),
        (None, Some(_)) => Some(Expr::PayloadSet {
            sreg: reg(sreg)?,
            base,
            offset,
            len,
            csum_type: or_zero(csum_type),
            csum_offset: or_zero(csum_offset),
            csum_flags: or_zero(csum_flags),
        }),
        _ => None,
    }
}

fn exthdr(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, kind, offset, len, flags, op, sreg] = data.known::<8>()?;
    let (kind, op, flags) = (kind?.u8()?, or_zero(op), or_zero(flags));
    match (dreg, sreg) {
        (Some(_), None) => {
            Some(Expr::Exthdr { dreg: reg(dreg)?, kind, offset: number(offset)?, len: number(len)?, op, flags })
        }
        (None, Some(_)) => {
            Some(Expr::ExthdrSet { sreg: reg(sreg)?, kind, offset: number(offset)?, len: number(len)?, op })
        }
        (None, None) => Some(Expr::ExthdrReset { kind, op }),
        _ => None,
    }
}

fn meta(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, key, sreg] = data.known::<4>()?;
    let key = MetaKey::from_number(number(key)?)?;
    match (dreg, sreg) {
        (Some(_), None) => Some(Expr::Meta { dreg: reg(dreg)?, key }),
        (None, Some(_)) => Some(Expr::MetaSet { sreg: reg(sreg)?, key }),
        _ => None,
    }
}

fn ct(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, key, direction, sreg] = data.known::<5>()?;
    let key = CtKey::from_number(number(key)?)?;
    let direction = match direction.map(Attribute::u8) {
        None => None,
        Some(Some(0)) => Some(CtDirection::Original),
        Some(Some(1)) => Some(CtDirection::Reply),
        Some(_) => return None,
    };
    match (dreg, sreg) {
        (Some(_), None) => Some(Expr::Ct { dreg: reg(dreg)?, key, direction }),
        (None, Some(_)) => Some(Expr::CtSet { sreg: reg(sreg)?, key, direction }),
        _ => None,
    }
}

fn fib(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, result, bits] = data.known::<4>()?;
    let result = match number(result)? {
        1 => FibResult::Oif,
        2 => FibResult::Oifname,
        3 => FibResult::Type,
        _ => return None,
    };
    let bits = number(bits)?;
    let flags = FibFlags::from_bits(bits);
    let present = bits & FIB_PRESENT != 0;
    (flags.bits() | (bits & FIB_PRESENT) == bits).then_some(())?;
    Some(Expr::Fib { dreg: reg(dreg)?, flags, result, present })
}

fn numgen(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, modulus, kind, offset] = data.known::<5>()?;
    let mode = match number(kind)? {
        0 => NumgenMode::Inc,
        1 => NumgenMode::Random,
        _ => return None,
    };
    Some(Expr::Numgen { dreg: reg(dreg)?, mode, modulus: number(modulus)?, offset: or_zero(offset) })
}

fn hash(data: Attributes<'_>) -> Option<Expr> {
    let [_, sreg, dreg, len, modulus, seed, offset, kind] = data.known::<8>()?;
    let (dreg, modulus, offset) = (reg(dreg)?, number(modulus)?, or_zero(offset));
    match or_zero(kind) {
        0 => {
            let seed = seed.and_then(Attribute::u32);
            Some(Expr::Jhash { dreg, sreg: reg(sreg)?, len: number(len)?, modulus, seed, offset })
        }
        1 => Some(Expr::Symhash { dreg, modulus, offset }),
        _ => None,
    }
}

fn cmp(data: Attributes<'_>) -> Option<Expr> {
    let [_, sreg, op, value] = data.known::<4>()?;
    let op = match number(op)? {
        0 => CmpOp::Eq,
        1 => CmpOp::Neq,
        2 => CmpOp::Lt,
        3 => CmpOp::Lte,
        4 => CmpOp::Gt,
        5 => CmpOp::Gte,
        _ => return None,
    };
    Some(Expr::Cmp { sreg: reg(sreg)?, op, data: data_value(value)? })
}

fn range(data: Attributes<'_>) -> Option<Expr> {
    let [_, sreg, op, from, to] = data.known::<5>()?;
    Some(Expr::Range { sreg: reg(sreg)?, inverted: flag(op)?, from: data_value(from)?, to: data_value(to)? })
}

fn bitwise(data: Attributes<'_>) -> Option<Expr> {
    let [_, sreg, dreg, len, mask, xor, op, shift, second] = data.known::<9>()?;
    let bits = || Some(u32::from_ne_bytes(*data_value(shift)?.first_chunk()?));
    let op = match or_zero(op) {
        0 => BitwiseOp::Mask { mask: data_value(mask)?, xor: data_value(xor)? },
        1 => BitwiseOp::Lshift(bits()?),
        2 => BitwiseOp::Rshift(bits()?),
        3 => BitwiseOp::And(reg(second)?),
        4 => BitwiseOp::Or(reg(second)?),
        5 => BitwiseOp::Xor(reg(second)?),
        _ => return None,
    };
    Some(Expr::Bitwise { dreg: reg(dreg)?, sreg: reg(sreg)?, len: number(len)?, op })
}

fn byteorder(data: Attributes<'_>) -> Option<Expr> {
    let [_, sreg, dreg, op, len, size] = data.known::<6>()?;
    let (len, size) = (number(len)?, number(size)?);
    Some(Expr::Byteorder { dreg: reg(dreg)?, sreg: reg(sreg)?, to_network: flag(op)?, len, size })
}

fn lookup(data: Attributes<'_>, sets: &dyn Sets) -> Option<Expr> {
    let [_, set, sreg, dreg, _, flags] = data.known::<6>()?;
    let (set, sreg) = (set_use(set, sets)?, reg(sreg)?);
    match number(dreg) {
        Some(VERDICT_REGISTER) => Some(Expr::Vmap { sreg, set }),
        Some(_) => Some(Expr::Lookup { sreg, set, dreg: Some(reg(dreg)?), inverted: flag(flags)? }),
        None => Some(Expr::Lookup { sreg, set, dreg: None, inverted: flag(flags)? }),
    }
}

fn dynset(data: Attributes<'_>, sets: &dyn Sets) -> Option<Expr> {
    let [_, set, _, op, key, value, timeout, single, _, flags, several] = data.known::<11>()?;
    let op = match number(op)? {
        0 => SetUpdateOp::Add,
        1 => SetUpdateOp::Update,
        2 => SetUpdateOp::Delete,
        _ => return None,
    };
    let exprs = match (single, several) {
        (Some(single), _) => vec![expr(single.nested(), sets)],
        (None, Some(several)) => list(several.nested(), sets),
        (None, None) => Vec::new(),
    };
    Some(Expr::Dynset {
        op,
        set: set_use(set, sets)?,
        key: reg(key)?,
        data: optional_reg(value)?,
        timeout_ms: timeout.and_then(Attribute::u64).filter(|timeout| *timeout != 0),
        exprs,
        inverted: or_zero(flags) & 1 != 0,
    })
}

fn objref(data: Attributes<'_>, sets: &dyn Sets) -> Option<Expr> {
    let [_, object, name, sreg, set, _] = data.known::<6>()?;
    if set.is_some() {
        return Some(Expr::ObjrefMap { sreg: reg(sreg)?, set: set_use(set, sets)? });
    }
    let object = ObjectType::from_number(number(object)?)?;
    Some(Expr::Objref { object, name: ObjectName::new(name?.str()?).ok()? })
}

fn immediate(data: Attributes<'_>) -> Option<Expr> {
    let [_, dreg, value] = data.known::<3>()?;
    if number(dreg)? == VERDICT_REGISTER {
        return Some(Expr::Verdict(verdict(value?)?));
    }
    Some(Expr::Immediate { dreg: reg(dreg)?, data: data_value(value)? })
}

/// The verdict inside data (`NFTA_DATA_VERDICT`).
pub(crate) fn verdict(data: Attribute<'_>) -> Option<Verdict> {
    let [_, _, verdict] = data.nested().table::<3>();
    let [_, code, chain] = verdict?.nested().table::<3>();
    let chain = || ChainName::new(chain?.str()?).ok();
    Some(match code?.u32()?.cast_signed() {
        uapi::NF_DROP => Verdict::Drop,
        uapi::NF_ACCEPT => Verdict::Accept,
        uapi::NFT_CONTINUE => Verdict::Continue,
        uapi::NFT_RETURN => Verdict::Return,
        uapi::NFT_JUMP => Verdict::Jump(chain()?),
        uapi::NFT_GOTO => Verdict::Goto(chain()?),
        _ => return None,
    })
}

/// Expressions that do something with the packet.
fn action(name: &str, data: Attributes<'_>) -> Option<Expr> {
    match name {
        "log" => log(data),
        "nat" => nat(data),
        "reject" => {
            let [_, kind, code] = data.known::<3>()?;
            Some(Expr::Reject { kind: number(kind)?, code: code.and_then(Attribute::u8).unwrap_or(0) })
        }
        "masq" => {
            let [_, flags, min, max] = data.known::<4>()?;
            let (proto_min, proto_max) = pair(min, max)?;
            Some(Expr::Masq { flags: or_zero(flags), proto_min, proto_max })
        }
        "redir" => {
            let [_, min, max, flags] = data.known::<4>()?;
            let (proto_min, proto_max) = pair(min, max)?;
            Some(Expr::Redir { flags: or_zero(flags), proto_min, proto_max })
        }
        "notrack" => data.known::<1>().map(|_| Expr::Notrack),
        "tproxy" => {
            let [_, family, addr, port] = data.known::<4>()?;
            Some(Expr::Tproxy { family: number(family)?, addr: optional_reg(addr)?, port: optional_reg(port)? })
        }
        "dup" => {
            let [_, addr, dev] = data.known::<3>()?;
            Some(Expr::Dup { addr: optional_reg(addr)?, dev: optional_reg(dev)? })
        }
        "fwd" => {
            let [_, dev, addr, nfproto] = data.known::<4>()?;
            Some(Expr::Fwd { dev: reg(dev)?, addr: optional_reg(addr)?, nfproto: nfproto.and_then(Attribute::u32) })
        }
        "queue" => {
            let [_, num, total, flags, sreg] = data.known::<5>()?;
            let half = |number: Option<Attribute<'_>>| number.and_then(Attribute::u16).unwrap_or(0);
            Some(Expr::Queue { num: half(num), total: half(total), flags: half(flags), sreg: optional_reg(sreg)? })
        }
        "flow_offload" => {
            let [_, table] = data.known::<2>()?;
            Some(Expr::FlowOffload { table: ObjectName::new(table?.str()?).ok()? })
        }
        _ => None,
    }
}

fn log(data: Attributes<'_>) -> Option<Expr> {
    /// The level of a log that says none (`LOGLEVEL_WARNING`).
    const WARNING: u32 = 4;
    let [_, group, prefix, snaplen, threshold, level, flags] = data.known::<7>()?;
    Some(Expr::Log {
        prefix: match prefix {
            Some(prefix) => Some(prefix.str()?.to_owned()),
            None => None,
        },
        group: group.and_then(Attribute::u16),
        snaplen: snaplen.and_then(Attribute::u32).filter(|snaplen| *snaplen != 0),
        queue_threshold: threshold.and_then(Attribute::u16).filter(|threshold| *threshold != 0),
        level: level.and_then(Attribute::u32).filter(|level| *level != WARNING),
        flags: flags.and_then(Attribute::u32).filter(|flags| *flags != 0),
    })
}

fn nat(data: Attributes<'_>) -> Option<Expr> {
    let [_, kind, family, addr_min, addr_max, proto_min, proto_max, flags] = data.known::<8>()?;
    let kind = match number(kind)? {
        0 => NatKind::Snat,
        1 => NatKind::Dnat,
        _ => return None,
    };
    let (addr_min, addr_max) = pair(addr_min, addr_max)?;
    let (proto_min, proto_max) = pair(proto_min, proto_max)?;
    let (family, flags) = (number(family)?, or_zero(flags));
    Some(Expr::Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags })
}

/// The registers of a range; one address or port is a range that ends where it begins.
fn pair(min: Option<Attribute<'_>>, max: Option<Attribute<'_>>) -> Option<(Option<Reg>, Option<Reg>)> {
    let (min, max) = (optional_reg(min)?, optional_reg(max)?);
    Some((min, max.or(min)))
}

fn set_use(name: Option<Attribute<'_>>, sets: &dyn Sets) -> Option<SetUse> {
    sets.set(name?.str()?)
}

pub(super) fn number(attribute: Option<Attribute<'_>>) -> Option<u32> {
    attribute?.u32()
}

pub(super) fn or_zero(attribute: Option<Attribute<'_>>) -> u32 {
    number(attribute).unwrap_or(0)
}

/// A number that says yes or no.
fn flag(attribute: Option<Attribute<'_>>) -> Option<bool> {
    match or_zero(attribute) {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

pub(super) fn reg(attribute: Option<Attribute<'_>>) -> Option<Reg> {
    Reg::new(number(attribute)?)
}

/// `None` for a register that does not exist, `Some(None)` for no register.
fn optional_reg(attribute: Option<Attribute<'_>>) -> Option<Option<Reg>> {
    match attribute {
        None => Some(None),
        some => reg(some).map(Some),
    }
}

/// The bytes inside data (`NFTA_DATA_VALUE`).
fn data_value(attribute: Option<Attribute<'_>>) -> Option<Packed> {
    let [_, value] = attribute?.nested().table::<2>();
    Some(Packed::new(value?.payload))
}
