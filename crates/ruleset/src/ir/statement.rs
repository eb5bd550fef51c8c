//! Statements: what a rule asks and does.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ChainName, Expression, Family, ObjectName, ObjectType, Opaque, Quota, SetName, Value};

/// What becomes of a packet, and where evaluation goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passes this base chain.
    Accept,
    /// It is lost.
    Drop,
    /// The next rule.
    Continue,
    /// Back to the rule after the jump; in a base chain, its policy.
    Return,
    /// That chain, and back here when it ends.
    Jump(ChainName),
    /// That chain, and not back.
    Goto(ChainName),
}

impl Verdict {
    /// The chain it leads to.
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
            _ => None,
        }
    }
}

/// As nft writes it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Continue => f.write_str("continue"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}

/// How the two sides of a match must stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelationalOp {
    /// As nft writes it without a sign: equal, inside the set, or, for flags, any bit in common.
    Implicit,
    /// `==`: also for flags all bits equal.
    Eq,
    /// `!=`.
    Neq,
    /// `<`.
    Lt,
    /// `>`.
    Gt,
    /// `<=`.
    Lte,
    /// `>=`.
    Gte,
    /// `!`: no bit in common.
    Not,
}

/// How much passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A span of time for rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week.
    Week,
}

impl TimeUnit {
    /// nft's keyword.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// How many seconds it has.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 604_800,
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitUnit {
    /// Packets.
    Packets,
    /// Bytes.
    Bytes,
}

/// A rate (nft(8), LIMIT STATEMENT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Matches above the rate (`over`) rather than until it.
    #[serde(default)]
    pub over: bool,
    /// How many.
    pub rate: u64,
    /// Of what.
    pub unit: LimitUnit,
    /// In which time.
    pub per: TimeUnit,
    /// How many more at once.
    pub burst: u32,
}

/// What the log says (nft(8), LOG STATEMENT).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// Text before each line.
    pub prefix: Option<String>,
    /// Netlink group, in place of the kernel's log.
    pub group: Option<u16>,
    /// How many bytes of the packet go to the group.
    pub snaplen: Option<u32>,
    /// How many packets the group collects.
    pub queue_threshold: Option<u16>,
    /// syslog level by number; 4 (`warn`) is the kernel's default, 8 is `audit`.
    pub level: Option<u8>,
    /// Bits of `NF_LOG_*`: what else is written.
    pub flags: u32,
}

/// How a packet is rejected (nft(8), REJECT STATEMENT).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// By a TCP reset.
    TcpReset,
    /// By ICMP with that code.
    Icmp(u8),
    /// By ICMPv6 with that code.
    Icmpv6(u8),
    /// By the code that fits the packet's family (`enum nft_reject_inet_code`).
    Icmpx(u8),
}

impl Reject {
    /// What `reject` alone means in that family: port unreachable.
    pub const fn default_for(family: Family) -> Self {
        match family {
            Family::Ip => Self::Icmp(3),
            Family::Ip6 => Self::Icmpv6(4),
            _ => Self::Icmpx(1),
        }
    }
}

/// Which addresses are rewritten, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NatKind {
    /// The source, to an address given.
    Snat,
    /// The destination, to an address given.
    Dnat,
    /// The source, to the address of the outgoing interface.
    Masquerade,
    /// The destination, to this machine.
    Redirect,
}

impl NatKind {
    /// nft's keyword.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Snat => "snat",
            Self::Dnat => "dnat",
            Self::Masquerade => "masquerade",
            Self::Redirect => "redirect",
        }
    }
}

/// How ports and addresses are chosen (`NF_NAT_RANGE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct NatFlags {
    /// The port at random by a hash.
    pub random: bool,
    /// The port at random.
    pub fully_random: bool,
    /// The same address for a client each time.
    pub persistent: bool,
}

/// A rewriting of addresses (nft(8), NAT STATEMENTS).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nat {
    /// Which.
    pub kind: NatKind,
    /// The family of the address, where it is written (`dnat ip to`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// The address: a value, range, prefix, or map; with a concatenated value it gives the port too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Expression>,
    /// The port or ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Expression>,
    /// How they are chosen.
    #[serde(default)]
    pub flags: NatFlags,
    /// The address is a network, mapped one to one (`prefix`).
    #[serde(default)]
    pub prefix: bool,
}

impl Nat {
    /// Of that kind, without address, port or flags.
    pub fn new(kind: NatKind) -> Self {
        Self { kind, family: None, address: None, port: None, flags: NatFlags::default(), prefix: false }
    }
}

/// What a SYN proxy answers (nft(8), SYNPROXY STATEMENT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Synproxy {
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale.
    pub wscale: Option<u8>,
    /// Passes timestamps.
    pub timestamp: bool,
    /// Allows selective acknowledgement.
    pub sack_perm: bool,
}

/// A set that belongs to a rule but has a name of its own (nft(8), `meter`; superseded by named dynamic sets).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Meter {
    /// Its name.
    pub name: SetName,
    /// The most elements it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The element's key.
    pub key: Expression,
    /// The element's time to live in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What each element carries.
    pub statements: Vec<Statement>,
}

/// What a rule does to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetUpdateOp {
    /// Adds the element if it is not there.
    Add,
    /// Adds it, or starts its time anew.
    Update,
    /// Takes it out.
    Delete,
}

/// A rule's change of a set or map (nft(8), SET STATEMENT).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetUpdate {
    /// What is done.
    pub op: SetUpdateOp,
    /// To which set or map.
    pub set: SetName,
    /// The element's key.
    pub key: Expression,
    /// For a map, the element's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Expression>,
    /// The element's time to live in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Statements the element carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
}

/// What a rule asks or does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Statement {
    /// Goes on only if both sides stand so.
    Match {
        /// What is looked at.
        left: Expression,
        /// How they must stand.
        op: RelationalOp,
        /// What it is compared with.
        right: Expression,
    },
    /// Decides.
    Verdict(Verdict),
    /// Decides by a map: `key vmap m`.
    Vmap {
        /// What is looked up.
        key: Expression,
        /// The verdict map: [`Expression::Set`] or [`Expression::SetRef`].
        map: Expression,
    },
    /// Counts.
    Counter(Counter),
    /// Goes on only until, or above, a rate.
    Limit(Limit),
    /// Goes on only until, or above, an amount.
    Quota(Quota),
    /// Goes on only until, or above, a number of connections.
    ConnLimit {
        /// Above rather than until.
        over: bool,
        /// How many.
        count: u32,
    },
    /// Uses a named object: `counter name "x"`, or one a map gives.
    Object {
        /// Its type.
        object: ObjectType,
        /// Which: its name.
        name: ObjectName,
    },
    /// Uses a named object that a map gives.
    ObjectMap {
        /// The type of the objects.
        object: ObjectType,
        /// What is looked up.
        key: Expression,
        /// The object map: [`Expression::Set`] or [`Expression::SetRef`].
        map: Expression,
    },
    /// Writes a line to a log.
    Log(Log),
    /// Tells the sender no.
    Reject(Reject),
    /// Rewrites addresses.
    Nat(Nat),
    /// Leaves the packet out of conntrack.
    Notrack,
    /// Sets what can be set: `meta mark set …`, `ct mark set …`, `ip dscp set …`.
    Mangle {
        /// What is set.
        target: Expression,
        /// To what.
        value: Expression,
    },
    /// Changes a set.
    SetUpdate(Box<SetUpdate>),
    /// Hands the connection to a flowtable.
    FlowAdd(ObjectName),
    /// Sends a copy to another address.
    Dup {
        /// The address, where the family has them.
        address: Option<Expression>,
        /// The device.
        device: Option<Expression>,
    },
    /// Sends it out of another device.
    Fwd {
        /// The device.
        device: Expression,
        /// The neighbour's family and address.
        neighbour: Option<(Family, Expression)>,
    },
    /// Hands it to a program.
    Queue {
        /// The queue or queues.
        queue: Option<Expression>,
        /// Bits of `NFT_QUEUE_FLAG_*`.
        flags: u16,
    },
    /// Hands it to a local socket without rewriting it.
    Tproxy {
        /// The family, where it is written.
        family: Option<Family>,
        /// The address.
        address: Option<Expression>,
        /// The port.
        port: Option<Expression>,
    },
    /// Runs a chain without a name that belongs to the rule: `jump { … }`.
    Block {
        /// Without coming back (`goto { … }`).
        goto: bool,
        /// The chain's rules.
        rules: Vec<super::Rule>,
    },
    /// Uses a set that belongs to the rule.
    Meter(Box<Meter>),
    /// Answers for a server until the client shows itself.
    Synproxy(Synproxy),
    /// Takes an option out: `reset tcp option …`.
    ExthdrReset(super::Exthdr),
    /// Remembers when it was last run.
    Last {
        /// How many milliseconds ago that was; `None` is never.
        used_ms: Option<u64>,
    },
    /// What we do not understand.
    Opaque(Opaque),
}

impl Statement {
    /// `left right`, as nft writes a match without a sign.
    pub fn matches(left: impl Into<Expression>, right: impl Into<Expression>) -> Self {
        Self::Match { left: left.into(), op: RelationalOp::Implicit, right: right.into() }
    }

    /// `left != right`.
    pub fn differs(left: impl Into<Expression>, right: impl Into<Expression>) -> Self {
        Self::Match { left: left.into(), op: RelationalOp::Neq, right: right.into() }
    }

    /// `left @set`.
    pub fn is_in(left: impl Into<Expression>, set: SetName) -> Self {
        Self::matches(left, Expression::SetRef(set))
    }

    /// `key vmap @map`.
    pub fn vmap(key: impl Into<Expression>, map: SetName) -> Self {
        Self::Vmap { key: key.into(), map: Expression::SetRef(map) }
    }

    /// `jump chain`.
    pub fn jump(chain: ChainName) -> Self {
        Self::Verdict(Verdict::Jump(chain))
    }

    /// `goto chain`.
    pub fn goto(chain: ChainName) -> Self {
        Self::Verdict(Verdict::Goto(chain))
    }

    /// A counter at nought.
    pub fn counter() -> Self {
        Self::Counter(Counter::default())
    }

    /// Sets the packet's mark.
    pub fn set_mark(value: impl Into<Expression>) -> Self {
        Self::Mangle { target: Expression::Meta(super::MetaKey::Mark), value: value.into() }
    }

    /// Compares with one literal.
    pub fn equals(left: impl Into<Expression>, value: Value) -> Self {
        Self::matches(left, Expression::Value(value))
    }
}

impl From<Verdict> for Statement {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

impl From<Nat> for Statement {
    fn from(nat: Nat) -> Self {
        Self::Nat(nat)
    }
}

impl From<Reject> for Statement {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}
