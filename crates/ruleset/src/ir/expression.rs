//! Expressions: what a rule looks at, compares with and computes.

use serde::{Deserialize, Serialize};

use super::{
    ByteOrder, DataKind, DataType, Elements, Exthdr, Family, KeyType, Opaque, Payload, PayloadField, SetName, Value,
};

macro_rules! keys {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $keyword:literal, $datatype:ident, $bits:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every key.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The kernel's number.
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)* }
            }

            /// nft's keyword.
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$variant => $keyword,)* }
            }

            /// What a value means.
            pub const fn datatype(self) -> DataType {
                match self { $(Self::$variant => DataType::$datatype,)* }
            }

            /// Length of a value in bits.
            pub const fn bits(self) -> u32 {
                match self { $(Self::$variant => $bits,)* }
            }

            /// The key of that number; of several, the first.
            pub fn from_number(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|key| key.number() == number)
            }

            /// The key of that keyword.
            pub fn from_keyword(keyword: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|key| key.keyword() == keyword)
            }
        }
    };
}

keys! {
    /// Keys of `meta` (`enum nft_meta_keys`).
    MetaKey {
        /// Packet length.
        Length = 0, "length", Integer, 32;
        /// Ethernet protocol.
        Protocol = 1, "protocol", EtherType, 16;
        /// Traffic control priority.
        Priority = 2, "priority", ClassId, 32;
        /// Packet mark.
        Mark = 3, "mark", Mark, 32;
        /// Incoming interface index.
        Iif = 4, "iif", IfIndex, 32;
        /// Outgoing interface index.
        Oif = 5, "oif", IfIndex, 32;
        /// Incoming interface name.
        Iifname = 6, "iifname", IfName, 128;
        /// Outgoing interface name.
        Oifname = 7, "oifname", IfName, 128;
        /// Incoming interface's hardware type.
        Iiftype = 8, "iiftype", IfType, 16;
        /// Outgoing interface's hardware type.
        Oiftype = 9, "oiftype", IfType, 16;
        /// User of the local socket.
        Skuid = 10, "skuid", Uid, 32;
        /// Group of the local socket.
        Skgid = 11, "skgid", Gid, 32;
        /// Traced packet.
        Nftrace = 12, "nftrace", Integer, 1;
        /// Routing realm.
        Rtclassid = 13, "rtclassid", Realm, 32;
        /// Security mark.
        Secmark = 14, "secmark", Integer, 32;
        /// Layer 3 protocol family.
        Nfproto = 15, "nfproto", Nfproto, 8;
        /// Protocol above IP.
        L4proto = 16, "l4proto", InetProto, 8;
        /// Incoming bridge's name.
        Ibrname = 17, "ibrname", IfName, 128;
        /// Outgoing bridge's name.
        Obrname = 18, "obrname", IfName, 128;
        /// Link layer packet type.
        Pkttype = 19, "pkttype", Pkttype, 8;
        /// Processor that handles the packet.
        Cpu = 20, "cpu", Integer, 32;
        /// Incoming interface's group.
        Iifgroup = 21, "iifgroup", DevGroup, 32;
        /// Outgoing interface's group.
        Oifgroup = 22, "oifgroup", DevGroup, 32;
        /// Control group, version 1.
        Cgroup = 23, "cgroup", Integer, 32;
        /// A pseudo random number.
        Random = 24, "random", Integer, 32;
        /// IPsec was done.
        Ipsec = 25, "ipsec", Boolean, 8;
        /// Kind of the incoming interface.
        Iifkind = 26, "iifkind", IfName, 128;
        /// Kind of the outgoing interface.
        Oifkind = 27, "oifkind", IfName, 128;
        /// Incoming bridge's VLAN.
        Ibrpvid = 28, "ibrpvid", Integer, 16;
        /// Incoming bridge's VLAN protocol.
        Ibrvproto = 29, "ibrvproto", EtherType, 16;
        /// Time of reception, in nanoseconds since 1970.
        Time = 30, "time", Date, 64;
        /// Day of the week.
        Day = 31, "day", Day, 8;
        /// Seconds since midnight.
        Hour = 32, "hour", Hour, 32;
        /// Slave interface.
        Sdif = 33, "sdif", IfIndex, 32;
        /// Slave interface's name.
        Sdifname = 34, "sdifname", IfName, 128;
        /// Whether the packet is for the bridge itself.
        Broute = 35, "broute", Boolean, 8;
        /// Incoming bridge's hardware address.
        Ibrhwaddr = 36, "ibrhwaddr", EtherAddr, 48;
    }
}

keys! {
    /// Keys of `ct` (`enum nft_ct_keys`).
    CtKey {
        /// State of the connection for this packet.
        State = 0, "state", CtState, 32;
        /// Direction of this packet.
        Direction = 1, "direction", CtDir, 8;
        /// Status bits of the connection.
        Status = 2, "status", CtStatus, 32;
        /// Connection mark.
        Mark = 3, "mark", Mark, 32;
        /// Security mark.
        Secmark = 4, "secmark", Integer, 32;
        /// Time until it expires, in milliseconds.
        Expiration = 5, "expiration", Time, 32;
        /// Helper's name.
        Helper = 6, "helper", String, 128;
        /// Layer 3 protocol.
        L3proto = 7, "l3proto", Nfproto, 8;
        /// Source address of the inet family.
        Saddr = 8, "saddr", Integer, 0;
        /// Destination address of the inet family.
        Daddr = 9, "daddr", Integer, 0;
        /// Protocol above IP.
        Protocol = 10, "protocol", InetProto, 8;
        /// Source port.
        ProtoSrc = 11, "proto-src", InetService, 16;
        /// Destination port.
        ProtoDst = 12, "proto-dst", InetService, 16;
        /// Labels.
        Label = 13, "label", CtLabel, 128;
        /// Packets seen.
        Packets = 14, "packets", Integer, 64;
        /// Bytes seen.
        Bytes = 15, "bytes", Integer, 64;
        /// Average packet size.
        Avgpkt = 16, "avgpkt", Integer, 64;
        /// Zone.
        Zone = 17, "zone", Integer, 16;
        /// Events to report.
        Event = 18, "event", CtEvent, 32;
        /// IPv4 source address.
        SaddrIp = 19, "ip saddr", Ipv4Addr, 32;
        /// IPv4 destination address.
        DaddrIp = 20, "ip daddr", Ipv4Addr, 32;
        /// IPv6 source address.
        SaddrIp6 = 21, "ip6 saddr", Ipv6Addr, 128;
        /// IPv6 destination address.
        DaddrIp6 = 22, "ip6 daddr", Ipv6Addr, 128;
        /// Identity of the connection.
        Id = 23, "id", Integer, 32;
    }
}

keys! {
    /// Keys of `rt` (`enum nft_rt_keys`).
    RtKey {
        /// Routing realm.
        Classid = 0, "classid", Realm, 32;
        /// IPv4 next hop.
        Nexthop4 = 1, "ip nexthop", Ipv4Addr, 32;
        /// IPv6 next hop.
        Nexthop6 = 2, "ip6 nexthop", Ipv6Addr, 128;
        /// TCP maximum segment size of the path.
        Mtu = 3, "mtu", Integer, 16;
        /// Whether IPsec will be done.
        Ipsec = 4, "ipsec", Boolean, 8;
    }
}

keys! {
    /// Keys of `socket` (`enum nft_socket_keys`).
    SocketKey {
        /// A transparent socket.
        Transparent = 0, "transparent", Boolean, 8;
        /// The socket's mark.
        Mark = 1, "mark", Mark, 32;
        /// A socket bound to all addresses.
        Wildcard = 2, "wildcard", Boolean, 8;
        /// The socket's control group, version 2.
        Cgroupv2 = 3, "cgroupv2", CgroupV2, 64;
    }
}

impl MetaKey {
    /// The order in which the kernel keeps the value.
    pub const fn byte_order(self) -> ByteOrder {
        match self {
            Self::Protocol | Self::Random | Self::Ibrvproto | Self::Ibrhwaddr => ByteOrder::Network,
            _ => ByteOrder::Host,
        }
    }
}

impl RtKey {
    /// The order in which the kernel keeps the value.
    pub const fn byte_order(self) -> ByteOrder {
        match self {
            Self::Nexthop4 | Self::Nexthop6 => ByteOrder::Network,
            Self::Classid | Self::Mtu | Self::Ipsec => ByteOrder::Host,
        }
    }
}

impl IpsecKey {
    /// The order in which the kernel keeps the value.
    pub const fn byte_order(self) -> ByteOrder {
        match self {
            Self::Reqid => ByteOrder::Host,
            _ => ByteOrder::Network,
        }
    }
}

impl CtKey {
    /// The order in which the kernel keeps the value.
    pub const fn byte_order(self) -> ByteOrder {
        match self {
            Self::Saddr | Self::Daddr | Self::Protocol | Self::ProtoSrc | Self::ProtoDst => ByteOrder::Network,
            Self::SaddrIp | Self::DaddrIp | Self::SaddrIp6 | Self::DaddrIp6 | Self::Id => ByteOrder::Network,
            _ => ByteOrder::Host,
        }
    }
}

impl CtKey {
    /// Whether the kernel keeps a direction with it; for others it takes none, or forgets it (`nft_ct_get_dump`).
    pub const fn has_direction(self) -> bool {
        !matches!(self, Self::L3proto | Self::Protocol)
    }
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CtDirection {
    /// As it began.
    Original,
    /// Back.
    Reply,
}

/// What a `fib` expression looks up with (`NFTA_FIB_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FibFlags {
    /// The source address.
    pub saddr: bool,
    /// The destination address.
    pub daddr: bool,
    /// The mark.
    pub mark: bool,
    /// The incoming interface.
    pub iif: bool,
    /// The outgoing interface.
    pub oif: bool,
}

impl FibFlags {
    /// The kernel's bits, without `NFTA_FIB_F_PRESENT`.
    pub const fn bits(self) -> u32 {
        self.saddr as u32
            | (self.daddr as u32) << 1
            | (self.mark as u32) << 2
            | (self.iif as u32) << 3
            | (self.oif as u32) << 4
    }

    /// From the kernel's bits; others are not kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self {
            saddr: bits & 1 != 0,
            daddr: bits & 2 != 0,
            mark: bits & 4 != 0,
            iif: bits & 8 != 0,
            oif: bits & 16 != 0,
        }
    }
}

/// What a `fib` expression gives (`enum nft_fib_result`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FibResult {
    /// Interface index.
    Oif,
    /// Interface name.
    Oifname,
    /// Type of the address.
    Type,
    /// Whether there is a route, as nft writes it: `oif exists`.
    Exists,
    /// The same, as nft 1.1.4 and later write it: `check exists`.
    Check,
}

/// How `numgen` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumgenMode {
    /// One more each time.
    Inc,
    /// At random.
    Random,
}

/// A number generator: a number from `offset` to `offset + modulus - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Numgen {
    /// How it counts.
    pub mode: NumgenMode,
    /// How many numbers there are.
    pub modulus: u32,
    /// The first number.
    #[serde(default)]
    pub offset: u32,
}

/// A hash of the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// Of an expression's value, by Jenkins.
    Jhash {
        /// What is hashed.
        key: Box<Expression>,
        /// How many numbers there are.
        modulus: u32,
        /// Where the hash starts; chosen by the kernel if it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u32>,
        /// The first number.
        #[serde(default)]
        offset: u32,
    },
    /// Of the connection, the same in both directions.
    Symhash {
        /// How many numbers there are.
        modulus: u32,
        /// The first number.
        #[serde(default)]
        offset: u32,
    },
}

/// How `osf` treats the time to live (`enum nft_osf_flags`, libnftnl's `NFTNL_EXPR_OSF_TTL`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsfTtl {
    /// Fits if the packet was sent from the same network.
    #[default]
    Strict,
    /// Fits if it is at most the system's.
    Loose,
    /// Does not look.
    Skip,
}

/// A direction of a packet as IPsec sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpsecDirection {
    /// It came in under a policy.
    In,
    /// It goes out under one.
    Out,
}

keys! {
    /// Keys of `ipsec` (`enum nft_xfrm_keys`).
    IpsecKey {
        /// Source address of the tunnel, IPv4.
        SaddrIp = 3, "ip saddr", Ipv4Addr, 32;
        /// Destination address of the tunnel, IPv4.
        DaddrIp = 1, "ip daddr", Ipv4Addr, 32;
        /// Source address of the tunnel, IPv6.
        SaddrIp6 = 4, "ip6 saddr", Ipv6Addr, 128;
        /// Destination address of the tunnel, IPv6.
        DaddrIp6 = 2, "ip6 daddr", Ipv6Addr, 128;
        /// Number of the request.
        Reqid = 5, "reqid", Integer, 32;
        /// Security parameter index.
        Spi = 6, "spi", Integer, 32;
    }
}

keys! {
    /// Keys of `tunnel` (`enum nft_tunnel_keys`).
    TunnelKey {
        /// Whether the packet came through a tunnel.
        Path = 0, "path", Boolean, 8;
        /// The tunnel's number.
        Id = 1, "id", Integer, 32;
    }
}

/// An operation on bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BinaryOp {
    /// `&`.
    And,
    /// `|`.
    Or,
    /// `^`.
    Xor,
    /// `<<`.
    Lshift,
    /// `>>`.
    Rshift,
}

impl BinaryOp {
    /// nft's sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::Lshift => "<<",
            Self::Rshift => ">>",
        }
    }
}

/// A set or map without a name, in the rule that uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AnonymousSet {
    /// The type of its keys.
    pub key: KeyType,
    /// What its elements lead to.
    pub data: DataKind,
    /// Whether its keys are intervals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interval: bool,
    /// Its elements.
    pub elements: Elements,
}

/// What a rule looks at, compares with or computes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expression {
    /// A literal.
    Value(Value),
    /// Bytes of the packet.
    Payload(Payload),
    /// An extension header or option.
    Exthdr(Exthdr),
    /// What the kernel knows of the packet.
    Meta(MetaKey),
    /// What conntrack knows of its connection.
    Ct {
        /// Which fact.
        key: CtKey,
        /// Seen from which direction, where that matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<CtDirection>,
    },
    /// What its route says.
    Rt(RtKey),
    /// What the local socket says.
    Socket {
        /// Which fact.
        key: SocketKey,
        /// For control groups, the level counted from the root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<u32>,
    },
    /// What the routing table says.
    Fib {
        /// What is looked up.
        flags: FibFlags,
        /// What is asked.
        result: FibResult,
    },
    /// The operating system its sender seems to run.
    Osf {
        /// How the time to live counts.
        #[serde(default)]
        ttl: OsfTtl,
        /// With the system's version, as `Linux:3.0`.
        #[serde(default)]
        version: bool,
    },
    /// What IPsec knows of it.
    Ipsec {
        /// Coming or going.
        direction: IpsecDirection,
        /// Which transformation of several, from 0.
        #[serde(default)]
        spnum: u8,
        /// Which fact.
        key: IpsecKey,
    },
    /// What its tunnel says.
    Tunnel(TunnelKey),
    /// A number.
    Numgen(Numgen),
    /// A hash.
    Hash(Hash),
    /// Several, one after the other: `a . b`.
    Concat(Vec<Self>),
    /// From the first to the second, both included.
    Range(Box<Self>, Box<Self>),
    /// All that share the first bits.
    Prefix(Box<Self>, u32),
    /// Flags one by one, in ascending order: the mask and value of `tcp flags syn / fin,syn`, which is a match with
    /// `Binary { And, tcp flags, List }` on its left. Everywhere else several flags are one [`Self::Value`] with their
    /// bits together.
    List(Vec<Self>),
    /// A set or map in place.
    Set(Box<AnonymousSet>),
    /// A set or map by name: `@name`.
    SetRef(SetName),
    /// What a map gives for a key: `key map m`.
    Map {
        /// What is looked up.
        key: Box<Self>,
        /// The map: [`Self::Set`] or [`Self::SetRef`].
        map: Box<Self>,
    },
    /// Bits combined.
    Binary {
        /// How.
        op: BinaryOp,
        /// Left side.
        left: Box<Self>,
        /// Right side.
        right: Box<Self>,
    },
    /// What we do not understand.
    Opaque(Opaque),
}

impl Expression {
    /// A field of a header.
    pub fn field(field: PayloadField) -> Self {
        Self::Payload(Payload::Field(field))
    }

    /// A fact of conntrack that has no direction.
    pub fn ct(key: CtKey) -> Self {
        Self::Ct { key, direction: None }
    }

    /// A fact of conntrack as the connection began.
    pub fn ct_original(key: CtKey) -> Self {
        Self::Ct { key, direction: Some(CtDirection::Original) }
    }

    /// Several expressions, one after the other.
    pub fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::Concat(parts.into_iter().collect())
    }

    /// What that map gives for this key.
    #[must_use]
    pub fn map(self, map: SetName) -> Self {
        Self::Map { key: Box::new(self), map: Box::new(Self::SetRef(map)) }
    }

    /// The source address field of that family's packets (`ip` or `ip6`; `ip` for any other).
    pub fn saddr(family: Family) -> Self {
        Self::field(if family == Family::Ip6 { PayloadField::IP6_SADDR } else { PayloadField::IP_SADDR })
    }

    /// The destination address field of that family's packets (`ip` or `ip6`; `ip` for any other).
    pub fn daddr(family: Family) -> Self {
        Self::field(if family == Family::Ip6 { PayloadField::IP6_DADDR } else { PayloadField::IP_DADDR })
    }

    /// Data type, length in bits and byte order of its value; `None` where it has none of its own.
    pub fn typed(&self) -> Option<(DataType, u32, ByteOrder)> {
        Some(match self {
            Self::Value(value) => {
                let bits = value.datatype.bits();
                let bits = if bits == 0 { value.bytes.len() as u32 * 8 } else { bits };
                (value.datatype, bits, value.datatype.byte_order())
            }
            Self::Payload(payload) => payload.typed(),
            Self::Meta(key) => (key.datatype(), key.bits(), key.byte_order()),
            Self::Ct { key, .. } => (key.datatype(), key.bits(), key.byte_order()),
            Self::Rt(key) => (key.datatype(), key.bits(), key.byte_order()),
            Self::Socket { key, .. } => (key.datatype(), key.bits(), ByteOrder::Host),
            Self::Fib { result, .. } => match result {
                FibResult::Oif => (DataType::IfIndex, 32, ByteOrder::Host),
                FibResult::Oifname => (DataType::IfName, 128, ByteOrder::Host),
                FibResult::Type => (DataType::FibAddrType, 32, ByteOrder::Host),
                FibResult::Exists | FibResult::Check => (DataType::Boolean, 8, ByteOrder::Host),
            },
            Self::Osf { .. } => (DataType::String, 128, ByteOrder::Host),
            Self::Ipsec { key, .. } => (key.datatype(), key.bits(), key.byte_order()),
            Self::Tunnel(key) => (key.datatype(), key.bits(), ByteOrder::Host),
            Self::Numgen(_) | Self::Hash(_) => (DataType::Integer, 32, ByteOrder::Host),
            Self::Binary { left, .. } => return left.typed(),
            Self::Prefix(value, _) => return value.typed(),
            Self::Range(start, _) => return start.typed(),
            Self::Map { map, .. } => match &**map {
                Self::Set(set) => match &set.data {
                    DataKind::Value { data, .. } => match data.fields.as_slice() {
                        [field] => (field.datatype, field.bits, field.byte_order),
                        _ => return None,
                    },
                    _ => return None,
                },
                _ => return None,
            },
            Self::Exthdr(exthdr) => return exthdr.typed(),
            Self::Concat(_) | Self::List(_) | Self::Set(_) | Self::SetRef(_) | Self::Opaque(_) => {
                return None;
            }
        })
    }
}

impl From<Value> for Expression {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<PayloadField> for Expression {
    fn from(field: PayloadField) -> Self {
        Self::field(field)
    }
}

impl From<MetaKey> for Expression {
    fn from(key: MetaKey) -> Self {
        Self::Meta(key)
    }
}
