//! Named stateful objects and flowtables.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Comment, Counter, DeviceName, Family, HasName, Limit, ObjectName, Opaque, Priority, Synproxy};

/// The kind of a stateful object (`NFT_OBJECT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObjectType {
    /// `counter`.
    Counter,
    /// `quota`.
    Quota,
    /// `ct helper`.
    CtHelper,
    /// `limit`.
    Limit,
    /// `tunnel`.
    Tunnel,
    /// `ct timeout`.
    CtTimeout,
    /// `secmark`.
    Secmark,
    /// `ct expectation`.
    CtExpectation,
    /// `synproxy`.
    Synproxy,
}

impl ObjectType {
    const TABLE: [(Self, u32, &'static str); 9] = [
        (Self::Counter, 1, "counter"),
        (Self::Quota, 2, "quota"),
        (Self::CtHelper, 3, "ct helper"),
        (Self::Limit, 4, "limit"),
        (Self::Tunnel, 6, "tunnel"),
        (Self::CtTimeout, 7, "ct timeout"),
        (Self::Secmark, 8, "secmark"),
        (Self::CtExpectation, 9, "ct expectation"),
        (Self::Synproxy, 10, "synproxy"),
    ];

    /// The kernel's number.
    pub fn number(self) -> u32 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// The type of that number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// The type of that keyword.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.2 == keyword).map(|row| row.0)
    }

    /// nft's keyword.
    pub fn keyword(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// An amount of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quota {
    /// Matches above the amount (`over`) rather than until it.
    pub over: bool,
    /// The amount.
    pub bytes: u64,
    /// How much of it is used.
    #[serde(default)]
    pub used: u64,
}

/// A named stateful object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// Its name, unique in its table among objects of its type.
    pub name: ObjectName,
    /// What it is.
    pub kind: ObjectKind,
    /// What people wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
}

/// What an object is, and its state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ObjectKind {
    /// Counts packets and bytes.
    Counter(Counter),
    /// Limits an amount.
    Quota(Quota),
    /// Limits a rate.
    Limit(Limit),
    /// A conntrack helper.
    CtHelper {
        /// The kernel's helper, as `ftp`.
        helper: String,
        /// The protocol above IP.
        protocol: u8,
        /// The family it is for; that of the table if it is not written.
        l3proto: Option<Family>,
    },
    /// Times after which conntrack forgets.
    CtTimeout {
        /// The protocol above IP.
        protocol: u8,
        /// The family it is for; that of the table if it is not written.
        l3proto: Option<Family>,
        /// Seconds by the names of states, in the order of [`timeouts`]; those that are not named have the times there.
        policy: Vec<(String, u32)>,
    },
    /// A connection conntrack is to expect.
    CtExpectation {
        /// The protocol above IP.
        protocol: u8,
        /// The family it is for; that of the table if it is not written.
        l3proto: Option<Family>,
        /// Its destination port.
        dport: u16,
        /// For how many milliseconds it is expected.
        timeout_ms: u32,
        /// How many are expected at once.
        size: u8,
    },
    /// What a SYN proxy answers.
    Synproxy(Synproxy),
    /// A security context.
    Secmark(String),
    /// An object of a type we keep as it came.
    Opaque {
        /// Its type.
        #[serde(rename = "type")]
        object: ObjectType,
        /// What it says.
        body: Opaque,
    },
}

impl ObjectKind {
    /// The type of the object.
    pub fn object_type(&self) -> ObjectType {
        match self {
            Self::Counter(_) => ObjectType::Counter,
            Self::Quota(_) => ObjectType::Quota,
            Self::Limit(_) => ObjectType::Limit,
            Self::CtHelper { .. } => ObjectType::CtHelper,
            Self::CtTimeout { .. } => ObjectType::CtTimeout,
            Self::CtExpectation { .. } => ObjectType::CtExpectation,
            Self::Synproxy(_) => ObjectType::Synproxy,
            Self::Secmark(_) => ObjectType::Secmark,
            Self::Opaque { object, .. } => *object,
        }
    }
}

/// The states of conntrack in which connections of a protocol are forgotten after a while, in the order of the kernel's
/// numbers from 1 (linux/netfilter/nfnetlink_cttimeout.h), and after how many seconds where nothing else is said
/// (`nf_conntrack_proto_tcp.c`, `nf_conntrack_proto_udp.c`).
pub const fn timeouts(protocol: u8) -> &'static [(&'static str, u32)] {
    match protocol {
        6 => &[
            ("syn_sent", 120),
            ("syn_recv", 60),
            ("established", 432_000),
            ("fin_wait", 120),
            ("close_wait", 60),
            ("last_ack", 30),
            ("time_wait", 120),
            ("close", 10),
            ("syn_sent2", 120),
            ("retrans", 300),
            ("unack", 300),
        ],
        17 => &[("unreplied", 30), ("replied", 120)],
        _ => &[],
    }
}

impl Object {
    /// The object as a table of that family holds it: for that family where none is written, and without what goes
    /// without saying.
    #[must_use]
    pub fn of_family(mut self, family: Family) -> Self {
        if let ObjectKind::CtTimeout { protocol, policy, .. } = &mut self.kind {
            let known = timeouts(*protocol);
            let place = |state: &str| known.iter().position(|(name, _)| *name == state);
            policy.retain(|(state, seconds)| !known.contains(&(state.as_str(), *seconds)));
            policy.sort_by_key(|(state, _)| place(state));
        }
        if let ObjectKind::CtHelper { l3proto, .. }
        | ObjectKind::CtTimeout { l3proto, .. }
        | ObjectKind::CtExpectation { l3proto, .. } = &mut self.kind
        {
            l3proto.get_or_insert(family);
        }
        self
    }
}

impl HasName for Object {
    type Name = ObjectName;
    type Key = (ObjectType, ObjectName);
    fn name(&self) -> &ObjectName {
        &self.name
    }
    fn key(&self) -> (ObjectType, ObjectName) {
        (self.kind.object_type(), self.name().clone())
    }
}

/// A flowtable: connections that bypass the rules (nft(8), FLOWTABLES).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flowtable {
    /// Its name, unique in its table.
    pub name: ObjectName,
    /// Its place at the ingress hook.
    pub priority: Priority,
    /// The devices it works on.
    pub devices: Vec<DeviceName>,
    /// Counts packets and bytes.
    #[serde(default)]
    pub counter: bool,
    /// Asks the devices to do the work.
    #[serde(default)]
    pub offload: bool,
}

impl Flowtable {
    /// The family whose named priorities apply.
    pub const PRIORITY_FAMILY: Family = Family::Netdev;
}

impl HasName for Flowtable {
    type Name = ObjectName;
    type Key = ObjectName;
    fn name(&self) -> &ObjectName {
        &self.name
    }
    fn key(&self) -> ObjectName {
        self.name().clone()
    }
}
