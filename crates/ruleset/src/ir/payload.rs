//! Packet headers and their fields: one table from which text, JSON, lowering and lifting all follow.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ByteOrder, DataType};

/// Where the kernel starts to count the offset of a load (`enum nft_payload_bases`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadBase {
    /// Link layer header (`@ll`).
    Link,
    /// Network header (`@nh`).
    Network,
    /// Transport header (`@th`).
    Transport,
    /// What follows the transport header (`@ih`).
    Inner,
    /// The header of a tunnel that was entered (`NFT_PAYLOAD_TUN_HEADER`); only fields by name are there.
    Tunnel,
}

impl PayloadBase {
    /// Every base.
    pub const ALL: [Self; 5] = [Self::Link, Self::Network, Self::Transport, Self::Inner, Self::Tunnel];

    /// Those that raw payload expressions name.
    pub const RAW: [Self; 4] = [Self::Link, Self::Network, Self::Transport, Self::Inner];

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name after `@` in a raw payload expression.
    pub const fn raw_name(self) -> &'static str {
        match self {
            Self::Link => "ll",
            Self::Network => "nh",
            Self::Transport => "th",
            Self::Inner => "ih",
            Self::Tunnel => "tunnel",
        }
    }

    /// The word of `nft --debug=netlink`.
    pub const fn debug_name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Network => "network",
            Self::Transport => "transport",
            Self::Inner => "inner",
            Self::Tunnel => "tunnel",
        }
    }
}

/// A field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// nft's name of the field; of several spellings the one it prints.
    pub name: &'static str,
    /// Bits from the start of the header.
    pub offset_bits: u32,
    /// Length in bits.
    pub bits: u32,
    /// What a value means.
    pub datatype: DataType,
}

const fn field(name: &'static str, offset_bits: u32, bits: u32, datatype: DataType) -> FieldSpec {
    FieldSpec { name, offset_bits, bits, datatype }
}

macro_rules! headers {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $base:ident, $protocol:expr, [
        $($field:literal $offset:literal $bits:literal $datatype:ident,)*
    ];)*) => {
        /// A packet header that nft knows by name.
        ///
        /// nft(8), PAYLOAD EXPRESSIONS; fields and offsets are those of the protocols' RFCs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[non_exhaustive]
        pub enum Header {
            $($(#[$doc])* $variant,)*
        }

        impl Header {
            /// Every header.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// nft's name of the header.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Where it starts.
            pub const fn base(self) -> PayloadBase {
                match self { $(Self::$variant => PayloadBase::$base,)* }
            }

            /// For a transport header, the number of the protocol above IP that must be there; `None` for `th`, which
            /// stands for any, and for headers below.
            pub const fn inet_protocol(self) -> Option<u8> {
                match self { $(Self::$variant => $protocol,)* }
            }

            /// Its fields.
            pub const fn fields(self) -> &'static [FieldSpec] {
                match self {
                    $(Self::$variant => const { &[$(field($field, $offset, $bits, DataType::$datatype)),*] },)*
                }
            }
        }
    };
}

headers! {
    /// Ethernet.
    Ether = "ether", Link, None, [
        "daddr" 0 48 EtherAddr, "saddr" 48 48 EtherAddr, "type" 96 16 EtherType,
    ];
    /// 802.1Q.
    Vlan = "vlan", Link, None, [
        "pcp" 112 3 Integer, "dei" 115 1 Integer, "id" 116 12 Integer, "type" 128 16 EtherType,
    ];
    /// ARP.
    Arp = "arp", Network, None, [
        "htype" 0 16 Integer, "ptype" 16 16 EtherType, "hlen" 32 8 Integer, "plen" 40 8 Integer,
        "operation" 48 16 ArpOp, "saddr ether" 64 48 EtherAddr, "saddr ip" 112 32 Ipv4Addr,
        "daddr ether" 144 48 EtherAddr, "daddr ip" 192 32 Ipv4Addr,
    ];
    /// IPv4.
    Ip = "ip", Network, None, [
        "version" 0 4 Integer, "hdrlength" 4 4 Integer, "dscp" 8 6 Dscp, "ecn" 14 2 Ecn, "length" 16 16 Integer,
        "id" 32 16 Integer, "frag-off" 48 16 Integer, "ttl" 64 8 Integer, "protocol" 72 8 InetProto,
        "checksum" 80 16 Integer, "saddr" 96 32 Ipv4Addr, "daddr" 128 32 Ipv4Addr,
    ];
    /// ICMP.
    Icmp = "icmp", Transport, Some(1), [
        "type" 0 8 IcmpType, "code" 8 8 IcmpCode, "checksum" 16 16 Integer, "id" 32 16 Integer,
        "sequence" 48 16 Integer, "gateway" 32 32 Integer, "mtu" 48 16 Integer,
    ];
    /// IGMP.
    Igmp = "igmp", Transport, Some(2), [
        "type" 0 8 IgmpType, "checksum" 16 16 Integer, "mrt" 8 8 Integer, "group" 32 32 Integer,
    ];
    /// IPv6.
    Ip6 = "ip6", Network, None, [
        "version" 0 4 Integer, "dscp" 4 6 Dscp, "ecn" 10 2 Ecn, "flowlabel" 12 20 Integer, "length" 32 16 Integer,
        "nexthdr" 48 8 InetProto, "hoplimit" 56 8 Integer, "saddr" 64 128 Ipv6Addr, "daddr" 192 128 Ipv6Addr,
    ];
    /// ICMPv6.
    Icmpv6 = "icmpv6", Transport, Some(58), [
        "type" 0 8 Icmpv6Type, "code" 8 8 Icmpv6Code, "checksum" 16 16 Integer, "parameter-problem" 32 32 Integer,
        "mtu" 32 32 Integer, "id" 32 16 Integer, "sequence" 48 16 Integer, "max-delay" 32 16 Integer,
        "taddr" 64 128 Ipv6Addr, "daddr" 192 128 Ipv6Addr,
    ];
    /// Authentication header.
    Ah = "ah", Transport, Some(51), [
        "nexthdr" 0 8 InetProto, "hdrlength" 8 8 Integer, "reserved" 16 16 Integer, "spi" 32 32 Integer,
        "sequence" 64 32 Integer,
    ];
    /// Encrypted security payload.
    Esp = "esp", Transport, Some(50), ["spi" 0 32 Integer, "sequence" 32 32 Integer,];
    /// IP payload compression.
    Comp = "comp", Transport, Some(108), ["nexthdr" 0 8 InetProto, "flags" 8 8 Bitmask, "cpi" 16 16 Integer,];
    /// UDP.
    Udp = "udp", Transport, Some(17), [
        "sport" 0 16 InetService, "dport" 16 16 InetService, "length" 32 16 Integer, "checksum" 48 16 Integer,
    ];
    /// UDP-Lite.
    Udplite = "udplite", Transport, Some(136), [
        "sport" 0 16 InetService, "dport" 16 16 InetService, "csumcov" 32 16 Integer, "checksum" 48 16 Integer,
    ];
    /// TCP.
    Tcp = "tcp", Transport, Some(6), [
        "sport" 0 16 InetService, "dport" 16 16 InetService, "sequence" 32 32 Integer, "ackseq" 64 32 Integer,
        "doff" 96 4 Integer, "reserved" 100 4 Integer, "flags" 104 8 TcpFlag, "window" 112 16 Integer,
        "checksum" 128 16 Integer, "urgptr" 144 16 Integer,
    ];
    /// DCCP.
    Dccp = "dccp", Transport, Some(33), [
        "sport" 0 16 InetService, "dport" 16 16 InetService, "type" 67 4 DccpPkttype,
    ];
    /// SCTP.
    Sctp = "sctp", Transport, Some(132), [
        "sport" 0 16 InetService, "dport" 16 16 InetService, "vtag" 32 32 Integer, "checksum" 64 32 Integer,
    ];
    /// Any transport header that starts with two ports.
    Th = "th", Transport, None, ["sport" 0 16 InetService, "dport" 16 16 InetService,];
    /// GRE.
    Gre = "gre", Transport, Some(47), ["flags" 0 5 Integer, "version" 13 3 Integer, "protocol" 16 16 EtherType,];
    /// GRE that carries Ethernet frames.
    Gretap = "gretap", Transport, Some(47), [];
    /// VXLAN.
    Vxlan = "vxlan", Tunnel, None, ["vni" 32 24 Integer, "flags" 0 8 Integer,];
    /// Geneve.
    Geneve = "geneve", Tunnel, None, ["vni" 32 24 Integer, "type" 16 16 EtherType,];
}

impl Header {
    /// The header of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|header| header.name() == name)
    }
}

/// A field of a header, as `ip saddr`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadField {
    header: Header,
    index: u8,
}

impl PayloadField {
    /// The field of that name in that header.
    pub fn find(header: Header, name: &str) -> Option<Self> {
        let index = header.fields().iter().position(|field| field.name == name)?;
        Some(Self { header, index: index as u8 })
    }

    /// The field at that place of the header's table, from 0.
    pub fn at(header: Header, index: usize) -> Option<Self> {
        (index < header.fields().len()).then_some(Self { header, index: index as u8 })
    }

    /// Its place in the header's table, from 0.
    pub fn index(self) -> usize {
        usize::from(self.index)
    }

    /// The header it is in.
    pub fn header(self) -> Header {
        self.header
    }

    /// Its place, length and type.
    pub fn spec(self) -> &'static FieldSpec {
        &self.header.fields()[usize::from(self.index)]
    }

    /// `ip saddr`.
    pub const IP_SADDR: Self = Self { header: Header::Ip, index: 10 };
    /// `ip daddr`.
    pub const IP_DADDR: Self = Self { header: Header::Ip, index: 11 };
    /// `ip6 saddr`.
    pub const IP6_SADDR: Self = Self { header: Header::Ip6, index: 7 };
    /// `ip6 daddr`.
    pub const IP6_DADDR: Self = Self { header: Header::Ip6, index: 8 };
    /// `th sport`.
    pub const TH_SPORT: Self = Self { header: Header::Th, index: 0 };
    /// `th dport`.
    pub const TH_DPORT: Self = Self { header: Header::Th, index: 1 };
    /// `tcp dport`.
    pub const TCP_DPORT: Self = Self { header: Header::Tcp, index: 1 };
    /// `udp dport`.
    pub const UDP_DPORT: Self = Self { header: Header::Udp, index: 1 };
    /// `tcp flags`.
    pub const TCP_FLAGS: Self = Self { header: Header::Tcp, index: 6 };
}

/// As nft writes it: `ip saddr`, `arp saddr ether`.
impl fmt::Display for PayloadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.header.name(), self.spec().name)
    }
}

impl fmt::Debug for PayloadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl Serialize for PayloadField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PayloadField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split_once(' ')
            .and_then(|(header, name)| Self::find(Header::from_name(header)?, name))
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no header field")))
    }
}

/// Bytes of the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A field of a header by name.
    Field(PayloadField),
    /// A field of a header inside a tunnel, as `vxlan ip saddr`.
    Inside {
        /// The tunnel: vxlan, geneve, gre or gretap.
        tunnel: Header,
        /// The field inside it.
        field: PayloadField,
    },
    /// Bits by their place, as `@nh,96,32`.
    Raw {
        /// Where the offset counts from.
        base: PayloadBase,
        /// Bits from there.
        offset_bits: u32,
        /// Length in bits.
        bits: u32,
    },
}

impl Payload {
    /// Data type, length in bits and byte order of what is loaded.
    pub fn typed(&self) -> (DataType, u32, ByteOrder) {
        match self {
            Self::Field(field) | Self::Inside { field, .. } => {
                (field.spec().datatype, field.spec().bits, ByteOrder::Network)
            }
            Self::Raw { bits, .. } => (DataType::Integer, *bits, ByteOrder::Network),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_constants_are_what_they_say() {
        let all = [
            (PayloadField::IP_SADDR, "ip saddr"),
            (PayloadField::IP_DADDR, "ip daddr"),
            (PayloadField::IP6_SADDR, "ip6 saddr"),
            (PayloadField::IP6_DADDR, "ip6 daddr"),
            (PayloadField::TH_SPORT, "th sport"),
            (PayloadField::TH_DPORT, "th dport"),
            (PayloadField::TCP_DPORT, "tcp dport"),
            (PayloadField::UDP_DPORT, "udp dport"),
            (PayloadField::TCP_FLAGS, "tcp flags"),
        ];
        for (field, name) in all {
            assert_eq!(field.to_string(), name);
        }
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for header in Header::ALL {
            for spec in header.fields() {
                assert_eq!(PayloadField::find(*header, spec.name).unwrap().spec(), spec);
            }
        }
    }
}
