//! Where node ports answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::ir::Family;

use super::frontend::family_of;
use super::{NodePortAddresses, NodeSettings};

/// At which of the node's addresses of a family node ports answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answering {
    /// At local addresses in these networks, which do not overlap. `None`: at all.
    pub networks: Option<Vec<IpNet>>,
    /// Whether loopback addresses in those networks are meant too. If so, whatever else is sent to a loopback address
    /// from elsewhere must be dropped: the kernel was told to route such packets.
    pub loopback: bool,
}

impl Answering {
    /// Where node ports of that family answer; `None` for nowhere.
    pub(super) fn of(node: &NodeSettings, family: Family) -> Option<Self> {
        let of_family = |net: &&IpNet| family_of(net.addr()) == family;
        let networks = match &node.nodeport_addresses {
            NodePortAddresses::All => None,
            NodePortAddresses::Primary => {
                let primary = node.addresses.iter().find(|address| family_of(**address) == family)?;
                Some(vec![IpNet::from(*primary)])
            }
            NodePortAddresses::Cidrs(networks) => {
                let networks: Vec<IpNet> = networks.iter().filter(of_family).copied().collect();
                if networks.is_empty() {
                    return None;
                }
                let all = networks.iter().any(|net| net.prefix_len() == 0);
                (!all).then(|| IpNet::aggregate(&networks))
            }
        };
        let covers = |address: IpAddr| networks.iter().flatten().any(|net| net.contains(&address));
        let localhost = Ipv4Addr::LOCALHOST.into();
        let loopback = node.localhost_nodeports && family == Family::Ip && (networks.is_none() || covers(localhost));
        Some(Self { networks, loopback })
    }

    /// The loopback addresses that must be left out although the networks cover them.
    pub(super) fn without(&self, family: Family) -> Option<IpNet> {
        let loopback = loopback(family);
        let touches = |net: &IpNet| net.contains(&loopback) || loopback.contains(net);
        (!self.loopback && self.networks.as_ref().is_none_or(|nets| nets.iter().any(touches))).then_some(loopback)
    }
}

/// The loopback addresses of a family.
pub(super) fn loopback(family: Family) -> IpNet {
    match family {
        Family::Ip6 => IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST)),
        _ => IpNet::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8).expect("8 bits are a prefix of 32"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answering(addresses: NodePortAddresses, localhost_nodeports: bool, family: Family) -> Option<Answering> {
        let own = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|address| address.parse().unwrap()).to_vec();
        let node = NodeSettings {
            addresses: own,
            nodeport_addresses: addresses,
            localhost_nodeports,
            ..NodeSettings::default()
        };
        Answering::of(&node, family)
    }

    fn cidrs(texts: &[&str]) -> NodePortAddresses {
        NodePortAddresses::Cidrs(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn the_primary_address_is_the_first_of_its_family() {
        let networks = |family| answering(NodePortAddresses::Primary, true, family).unwrap().networks.unwrap();
        assert_eq!(networks(Family::Ip), ["192.0.2.1/32".parse::<IpNet>().unwrap()]);
        assert_eq!(networks(Family::Ip6), ["2001:db8::1/128".parse::<IpNet>().unwrap()]);
        assert_eq!(Answering::of(&NodeSettings::default(), Family::Ip), None);
    }

    #[test]
    fn loopback_is_left_out_unless_it_is_asked_for_and_covered() {
        let of = |addresses: NodePortAddresses, localhost| {
            let answering = answering(addresses, localhost, Family::Ip).unwrap();
            (answering.loopback, answering.without(Family::Ip).is_some())
        };
        assert_eq!(of(NodePortAddresses::All, false), (false, true));
        assert_eq!(of(NodePortAddresses::All, true), (true, false));
        assert_eq!(of(cidrs(&["127.0.0.0/8"]), true), (true, false));
        assert_eq!(of(cidrs(&["127.0.0.0/8"]), false), (false, true));
        assert_eq!(of(cidrs(&["192.0.2.0/24"]), true), (false, false));
        let ip6 = answering(NodePortAddresses::All, true, Family::Ip6).unwrap();
        assert_eq!((ip6.loopback, ip6.without(Family::Ip6).is_some()), (false, true));
    }

    #[test]
    fn a_network_of_everything_is_no_restriction_and_none_of_the_family_is_nowhere() {
        assert_eq!(answering(cidrs(&["0.0.0.0/0"]), false, Family::Ip).unwrap().networks, None);
        assert_eq!(answering(cidrs(&["0.0.0.0/0"]), false, Family::Ip6), None);
    }
}
