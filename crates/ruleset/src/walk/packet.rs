//! What goes into a walk, and what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::ir::{Data, Family, Packed, SetName, TableId};

/// A packet with ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes to; of the same family.
    pub destination: IpAddr,
    /// The protocol above IP, by its number.
    pub protocol: u8,
    /// The port it comes from.
    pub source_port: u16,
    /// The port it goes to.
    pub destination_port: u16,
    /// The interface it came in by; `None` if this machine sends it.
    pub interface: Option<String>,
    /// Its mark.
    pub mark: u32,
    /// What conntrack makes of it.
    pub connection: Connection,
}

/// What conntrack makes of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// It begins a connection.
    #[default]
    New,
    /// It belongs to one that nothing was rewritten of.
    Established,
    /// It belongs to none, and begins none.
    Invalid,
}

impl Packet {
    /// The family of tables that see it, beside `inet`.
    pub fn family(&self) -> Family {
        if self.destination.is_ipv4() { Family::Ip } else { Family::Ip6 }
    }
}

/// What the walk must know of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The addresses that are this machine's. Masquerading takes the first of the family that is a single address.
    pub local: Vec<IpNet>,
    /// Behind which interface networks are; the longest prefix counts. What is behind none leaves by an unknown one.
    pub routes: Vec<(IpNet, String)>,
}

impl Surroundings {
    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        self.local.iter().any(|net| net.contains(&address))
    }

    pub(super) fn interface(&self, address: IpAddr) -> Option<&str> {
        if self.is_local(address) {
            return Some("lo");
        }
        let routes = self.routes.iter().filter(|(net, _)| net.contains(&address));
        routes.max_by_key(|(net, _)| net.prefix_len()).map(|(_, name)| name.as_str())
    }

    pub(super) fn own_address(&self, family: Family) -> Option<IpAddr> {
        let single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let of_family = |net: &&IpNet| net.addr().is_ipv4() == (family == Family::Ip);
        self.local.iter().filter(single).find(of_family).map(IpNet::addr)
    }
}

/// Elements that packets added to sets, or took out of them, beyond what the rules declare.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub(super) BTreeMap<(TableId, SetName), BTreeMap<Packed, Option<Data>>>);

/// Everything that may happen to a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Each way it may go, once.
    pub outcomes: BTreeSet<Outcome>,
    /// What was not known, so that several ways were taken.
    pub unknown: BTreeSet<String>,
}

/// One way a packet may go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// Where that ends.
    pub fate: Fate,
    /// What sets hold afterwards.
    pub memory: Memory,
}

/// Where the way of a packet ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It gets to an address: sent there, or delivered here.
    Passes {
        /// The address, after all rewriting.
        destination: IpAddr,
        /// The port.
        port: u16,
        /// The source address that is seen there.
        source: IpAddr,
        /// The mark it leaves with.
        mark: u32,
    },
    /// Its sender is told.
    Rejected(Refusal),
    /// Its sender is not told.
    Dropped,
}

/// How the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// By a TCP reset.
    Reset,
    /// By an ICMP error.
    Icmp,
}
