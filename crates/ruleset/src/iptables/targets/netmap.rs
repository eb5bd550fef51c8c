//! `-j NETMAP` (extensions/libxt_NAT.c, `NETMAP_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Address;
use super::super::ruleset::TableName;

use ipnet::IpNet;

/// A network that keeps its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetmapNetwork(pub IpNet);

impl Value for NetmapNetwork {
    const EXPECTED: &'static str = "a network as `10.0.0.0/24`";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        match Address::parse(word, context.family)? {
            Address::Network(network) => Some(Self(network)),
            Address::Masked(..) => None,
        }
    }
}

/// One address stands without its length.
impl fmt::Display for NetmapNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() && self.0.addr().is_ipv4() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

extension! {
    /// Rewrites the network of an address, and keeps the rest of it.
    Netmap, "NETMAP", Only::ANYWHERE.tables(&[TableName::Nat]);
    /// The new network.
    to: NetmapNetwork, "--to";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j NETMAP --to 10.0.0.0/24"]);
        round_trips_6(&["-j NETMAP --to fd00::/64"]);
        prints_as("-j NETMAP --to 10.0.0.1/255.255.255.0", "-j NETMAP --to 10.0.0.0/24");
        is_refused(&["-j NETMAP", "-j NETMAP --to host"]);
    }
}
