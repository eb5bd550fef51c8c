//! Data types of keys, values and expressions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The order in which the kernel keeps the bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// As the machine keeps numbers (marks, interface indices, conntrack state, `numgen`).
    Host,
    /// As packets keep them.
    Network,
}

macro_rules! datatypes {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $name:literal, $len:literal, $order:ident;)*) => {
        /// A data type of nft: what the bits of a value mean, and so how it is written.
        ///
        /// nft(8), DATA TYPES, and `nft describe`. The numbers are nft's own (`enum datatypes`, include/datatype.h);
        /// they stand in the key and data type of every set, six bits a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum DataType {
            $($(#[$doc])* $variant,)*
            /// A type of a newer nft, by number.
            Other(u32),
        }

        impl DataType {
            /// Every type that has a name, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// nft's number.
            pub const fn id(self) -> u32 {
                match self {
                    $(Self::$variant => $id,)*
                    Self::Other(id) => id,
                }
            }

            /// The name after `type`; `None` for one we know only by number.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Other(_) => None,
                }
            }

            /// The length of a value in bits; 0 where the type leaves it open (`integer`, `string`, `bitmask`).
            pub const fn bits(self) -> u32 {
                match self {
                    $(Self::$variant => $len,)*
                    Self::Other(_) => 0,
                }
            }

            /// The order of a value's bytes in the kernel, where the type alone decides.
            pub const fn byte_order(self) -> ByteOrder {
                match self {
                    $(Self::$variant => ByteOrder::$order,)*
                    Self::Other(_) => ByteOrder::Network,
                }
            }
        }
    };
}

datatypes! {
    /// Layer 3 protocol family.
    Nfproto = 2, "nf_proto", 8, Host;
    /// Bits.
    Bitmask = 3, "bitmask", 0, Host;
    /// A number of any length.
    Integer = 4, "integer", 0, Network;
    /// Text.
    String = 5, "string", 0, Host;
    /// Link layer address.
    LlAddr = 6, "ll_addr", 0, Network;
    /// IPv4 address.
    Ipv4Addr = 7, "ipv4_addr", 32, Network;
    /// IPv6 address.
    Ipv6Addr = 8, "ipv6_addr", 128, Network;
    /// Ethernet address.
    EtherAddr = 9, "ether_addr", 48, Network;
    /// Ethernet protocol.
    EtherType = 10, "ether_type", 16, Network;
    /// ARP operation.
    ArpOp = 11, "arp_op", 16, Network;
    /// Protocol above IP.
    InetProto = 12, "inet_proto", 8, Network;
    /// Port.
    InetService = 13, "inet_service", 16, Network;
    /// ICMP type.
    IcmpType = 14, "icmp_type", 8, Network;
    /// TCP flags.
    TcpFlag = 15, "tcp_flag", 8, Network;
    /// DCCP packet type.
    DccpPkttype = 16, "dccp_pkttype", 4, Network;
    /// Mobility header type.
    MhType = 17, "mh_type", 8, Network;
    /// A span of time, in milliseconds.
    Time = 18, "time", 64, Host;
    /// Packet mark.
    Mark = 19, "mark", 32, Host;
    /// Interface index.
    IfIndex = 20, "iface_index", 32, Host;
    /// Type of interface hardware.
    IfType = 21, "iface_type", 16, Host;
    /// Routing realm.
    Realm = 22, "realm", 32, Host;
    /// Traffic control class.
    ClassId = 23, "classid", 32, Host;
    /// User.
    Uid = 24, "uid", 32, Host;
    /// Group.
    Gid = 25, "gid", 32, Host;
    /// Conntrack state.
    CtState = 26, "ct_state", 32, Host;
    /// Conntrack direction.
    CtDir = 27, "ct_dir", 8, Host;
    /// Conntrack status.
    CtStatus = 28, "ct_status", 32, Host;
    /// ICMPv6 type.
    Icmpv6Type = 29, "icmpv6_type", 8, Network;
    /// Conntrack label.
    CtLabel = 30, "ct_label", 128, Host;
    /// Link layer packet type.
    Pkttype = 31, "pkt_type", 8, Host;
    /// ICMP code.
    IcmpCode = 32, "icmp_code", 8, Network;
    /// ICMPv6 code.
    Icmpv6Code = 33, "icmpv6_code", 8, Network;
    /// ICMP code that fits both families.
    IcmpxCode = 34, "icmpx_code", 8, Network;
    /// Interface group.
    DevGroup = 35, "devgroup", 32, Host;
    /// Differentiated services code point.
    Dscp = 36, "dscp", 6, Network;
    /// Explicit congestion notification.
    Ecn = 37, "ecn", 2, Network;
    /// Type of address, as the routing table sees it.
    FibAddrType = 38, "fib_addrtype", 32, Host;
    /// Exists, or not.
    Boolean = 39, "boolean", 8, Host;
    /// Conntrack event.
    CtEvent = 40, "ct_event", 32, Host;
    /// Interface name.
    IfName = 41, "ifname", 128, Host;
    /// IGMP type.
    IgmpType = 42, "igmp_type", 8, Network;
    /// A moment, in nanoseconds since 1970.
    Date = 43, "time", 64, Host;
    /// Hour of the day, in seconds.
    Hour = 44, "hour", 32, Host;
    /// Day of the week.
    Day = 45, "day", 8, Host;
    /// Control group, version 2.
    CgroupV2 = 46, "cgroupsv2", 64, Host;
}

impl DataType {
    /// How many bits of a set's type number each field takes (`TYPE_BITS`, include/datatype.h).
    pub const ID_BITS: u32 = 6;

    /// The type of that number.
    pub fn from_id(id: u32) -> Self {
        Self::ALL.iter().copied().find(|datatype| datatype.id() == id).unwrap_or(Self::Other(id))
    }

    /// The type of that name, as it stands after `type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|datatype| datatype.name() == Some(name))
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type-{}", self.id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_types() {
        for datatype in DataType::ALL {
            assert_eq!(DataType::from_id(datatype.id()), *datatype);
        }
        assert_eq!(DataType::from_id(63), DataType::Other(63));
    }
}
