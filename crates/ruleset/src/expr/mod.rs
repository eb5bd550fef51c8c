//! The kernel's expressions as plain data: register programs, the one semantics of everything in this crate.
//!
//! A rule in the kernel is a list of these. What differs between dialects of nft, between nft text, JSON and iptables
//! rules, is gone here. Bytes are as registers hold them: network order for packet data, the machine's own for marks,
//! interface indices and conntrack facts. `Display` is the format of `nft --debug=netlink` (libnftnl 1.3.1: bytes in
//! the order of their meaning, `0x0800`, `0x01`).
//!
//! Numbers and names are those of linux/netfilter/nf_tables.h.

mod display;
mod listing;
mod reference;
mod set_listing;
pub(crate) mod state;

pub use listing::{Listing, listing};
pub use reference::Reference;
pub use set_listing::{SetListing, anonymous_sets, set_listing};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ir::{
    AnySet, Comment, CtDirection, CtKey, FibFlags, FibResult, IpsecDirection, IpsecKey, LimitUnit, MetaKey, NatKind,
    NumgenMode, ObjectName, ObjectType, Packed, PayloadBase, RtKey, SetName, SetUpdateOp, SocketKey, TunnelKey,
    Verdict,
};

/// A register (`enum nft_registers`): 1 to 4 are 16 bytes long, 8 to 23 are the 4-byte parts of the same memory.
///
/// Kept as nft writes it and as the kernel dumps it: a part that begins a 16-byte register is that register's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reg(u8);

impl Reg {
    /// The first data register.
    pub const R1: Self = Self(1);

    /// From the kernel's number; `None` for the verdict register and for numbers that name none.
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            1..=4 => Some(Self(number as u8)),
            8..=23 if number.is_multiple_of(4) => Some(Self((number as u8 - 8) / 4 + 1)),
            8..=23 => Some(Self(number as u8)),
            _ => None,
        }
    }

    /// The register that begins at that 4-byte slot, from 0 to 15.
    pub const fn from_slot(slot: usize) -> Option<Self> {
        if slot < 16 { Self::new(slot as u32 + 8) } else { None }
    }

    /// The 4-byte slot it begins at, from 0 to 15.
    pub const fn slot(self) -> usize {
        match self.0 {
            number @ 1..=4 => (number as usize - 1) * 4,
            number => number as usize - 8,
        }
    }

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

/// How two values must stand to one another (`enum nft_cmp_ops`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CmpOp {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
}

/// What `bitwise` does (`enum nft_bitwise_ops`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BitwiseOp {
    /// `(value & mask) ^ xor`.
    Mask {
        /// The bits that stay.
        mask: Packed,
        /// The bits that are turned.
        xor: Packed,
    },
    /// To the left by that many bits.
    Lshift(u32),
    /// To the right by that many bits.
    Rshift(u32),
    /// And with a second register (kernel 6.14).
    And(Reg),
    /// Or with a second register (kernel 6.14).
    Or(Reg),
    /// Exclusive or with a second register (kernel 6.14).
    Xor(Reg),
}

/// The set an expression works on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetUse {
    /// A set of the table, by name.
    Named(SetName),
    /// A set that belongs to the rule. Its name is the template `__set%d` or `__map%d`, whatever the kernel made of it.
    Anonymous(Arc<AnySet>),
}

impl SetUse {
    /// The name: the template for an anonymous one.
    pub fn name(&self) -> &SetName {
        match self {
            Self::Named(name) => name,
            Self::Anonymous(set) => &set.spec().name,
        }
    }
}

/// A kernel expression. Fields are the attributes of the same names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "fields are named as the kernel's attributes, which document them")]
pub enum Expr {
    /// Loads bytes of the packet; offset and length in bytes.
    Payload { dreg: Reg, base: PayloadBase, offset: u32, len: u32 },
    /// Writes bytes of the packet.
    PayloadSet {
        sreg: Reg,
        base: PayloadBase,
        offset: u32,
        len: u32,
        csum_type: u32,
        csum_offset: u32,
        csum_flags: u32,
    },
    /// Loads a field of an extension header or option, or with flag 1 whether it is there.
    Exthdr { dreg: Reg, kind: u8, offset: u32, len: u32, op: u32, flags: u32 },
    /// Writes a field of an option.
    ExthdrSet { sreg: Reg, kind: u8, offset: u32, len: u32, op: u32 },
    /// Takes an option out.
    ExthdrReset { kind: u8, op: u32 },
    /// Loads what the kernel knows of the packet.
    Meta { dreg: Reg, key: MetaKey },
    /// Sets it.
    MetaSet { sreg: Reg, key: MetaKey },
    /// Loads what conntrack knows.
    Ct { dreg: Reg, key: CtKey, direction: Option<CtDirection> },
    /// Sets it.
    CtSet { sreg: Reg, key: CtKey, direction: Option<CtDirection> },
    /// Loads what the route says.
    Rt { dreg: Reg, key: RtKey },
    /// Loads what the local socket says.
    Socket { dreg: Reg, key: SocketKey, level: Option<u32> },
    /// Loads what the routing table says.
    Fib { dreg: Reg, flags: FibFlags, result: FibResult, present: bool },
    /// Loads the name (with flag 1, and the version) of the sender's operating system; `ttl` is `enum osf_ttl`.
    Osf { dreg: Reg, ttl: u8, flags: u32 },
    /// Loads what IPsec knows; direction 0 in, 1 out.
    Xfrm { dreg: Reg, key: IpsecKey, direction: IpsecDirection, spnum: u32 },
    /// Loads what the tunnel says.
    Tunnel { dreg: Reg, key: TunnelKey },
    /// Runs a load (`payload` or `meta`) inside a tunnel (`enum nft_inner_type`: 1 VXLAN, 2 Geneve or GRE).
    Inner { kind: u32, header_len: u32, flags: u32, expr: Box<Self> },
    /// Loads a number.
    Numgen { dreg: Reg, mode: NumgenMode, modulus: u32, offset: u32 },
    /// Loads a hash of registers.
    Jhash { dreg: Reg, sreg: Reg, len: u32, modulus: u32, seed: Option<u32>, offset: u32 },
    /// Loads a hash of the connection.
    Symhash { dreg: Reg, modulus: u32, offset: u32 },
    /// Goes on if a register and data stand so.
    Cmp { sreg: Reg, op: CmpOp, data: Packed },
    /// Goes on if a register is inside (or, inverted, outside) a range.
    Range { sreg: Reg, inverted: bool, from: Packed, to: Packed },
    /// Combines bits.
    Bitwise { dreg: Reg, sreg: Reg, len: u32, op: BitwiseOp },
    /// Turns bytes around: units of `size` bytes, `len` bytes in all.
    Byteorder { dreg: Reg, sreg: Reg, to_network: bool, len: u32, size: u32 },
    /// Goes on if a register is in a set (or, inverted, is not); with `dreg`, loads what the map gives. A verdict map
    /// has no `dreg` here: it decides.
    Lookup { sreg: Reg, set: SetUse, dreg: Option<Reg>, inverted: bool },
    /// Decides by a verdict map.
    Vmap { sreg: Reg, set: SetUse },
    /// Loads data.
    Immediate { dreg: Reg, data: Packed },
    /// Decides.
    Verdict(Verdict),
    /// Counts.
    Counter { packets: u64, bytes: u64 },
    /// Goes on until (or, inverted, above) a rate; `unit` in seconds.
    Limit { rate: u64, unit: u64, burst: u32, kind: LimitUnit, inverted: bool },
    /// Goes on until (or, inverted, above) an amount.
    Quota { bytes: u64, consumed: u64, inverted: bool },
    /// Goes on until (or, inverted, above) a number of connections.
    Connlimit { count: u32, inverted: bool },
    /// When it was last used.
    Last { set: bool, msecs: u64 },
    /// Writes to a log.
    Log {
        prefix: Option<String>,
        group: Option<u16>,
        snaplen: Option<u32>,
        queue_threshold: Option<u16>,
        level: Option<u32>,
        flags: Option<u32>,
    },
    /// Tells the sender no (`enum nft_reject_types`: 0 ICMP unreachable, 1 TCP reset, 2 ICMPX).
    Reject { kind: u32, code: u8 },
    /// Rewrites the source or destination.
    Nat {
        kind: NatKind,
        family: u32,
        addr_min: Option<Reg>,
        addr_max: Option<Reg>,
        proto_min: Option<Reg>,
        proto_max: Option<Reg>,
        flags: u32,
    },
    /// Rewrites the source to the outgoing interface's address.
    Masq { flags: u32, proto_min: Option<Reg>, proto_max: Option<Reg> },
    /// Rewrites the destination to this machine.
    Redir { flags: u32, proto_min: Option<Reg>, proto_max: Option<Reg> },
    /// Answers for a server until the client shows itself.
    Synproxy { mss: u16, wscale: u8, flags: u32 },
    /// Leaves the packet out of conntrack.
    Notrack,
    /// Hands the packet to a local socket.
    Tproxy { family: u32, addr: Option<Reg>, port: Option<Reg> },
    /// Sends a copy.
    Dup { addr: Option<Reg>, dev: Option<Reg> },
    /// Sends it out of another device.
    Fwd { dev: Reg, addr: Option<Reg>, nfproto: Option<u32> },
    /// Hands it to a program.
    Queue { num: u16, total: u16, flags: u16, sreg: Option<Reg> },
    /// Changes a set.
    Dynset {
        op: SetUpdateOp,
        set: SetUse,
        key: Reg,
        data: Option<Reg>,
        timeout_ms: Option<u64>,
        exprs: Vec<Self>,
        inverted: bool,
    },
    /// Uses a named object.
    Objref { object: ObjectType, name: ObjectName },
    /// Uses the object a map gives.
    ObjrefMap { sreg: Reg, set: SetUse },
    /// Hands the connection to a flowtable.
    FlowOffload { table: ObjectName },
    /// One we do not know: its name and the raw attributes of its data.
    Other { name: String, attributes: Vec<u8> },
}

/// A rule as the kernel runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Program {
    /// First to last.
    pub exprs: Vec<Expr>,
    /// The comment in the rule's user data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_one_number_each() {
        for slot in 0..16 {
            let reg = Reg::from_slot(slot).unwrap();
            assert_eq!(reg.slot(), slot);
            assert_eq!(Reg::new(reg.number()), Some(reg));
        }
        assert_eq!(Reg::new(8), Some(Reg::R1));
        assert_eq!(Reg::new(9).unwrap().number(), 9);
        assert_eq!(Reg::new(0), None);
        assert_eq!(Reg::new(24), None);
    }
}
