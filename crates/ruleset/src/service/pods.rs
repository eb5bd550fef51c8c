//! How pods are told from other clients.

use ipnet::IpNet;

use crate::ir::{DeviceName, Family};

use super::NodeSettings;
use super::frontend::family_of;

/// The networks of that family that pods are in, sorted, without overlaps.
pub(super) fn pod_cidrs(node: &NodeSettings, family: Family) -> Vec<IpNet> {
    let of_family = |net: &&IpNet| family_of(net.addr()) == family;
    IpNet::aggregate(&node.pod_cidrs.iter().filter(of_family).copied().collect())
}

/// Names and patterns of the interfaces pods are behind, sorted, and those given that cannot be meant.
pub(super) fn pod_interfaces(node: &NodeSettings) -> (Vec<String>, Vec<String>) {
    let bridges = node.pod_bridges.iter().cloned();
    let prefixes = node.pod_interface_prefixes.iter().map(|prefix| {
        // A name has no room for more than a prefix of full length.
        if prefix.len() < DeviceName::MAX { format!("{prefix}*") } else { prefix.clone() }
    });
    let legal = |name: &String| {
        let stem = name.strip_suffix('*').unwrap_or(name);
        DeviceName::new(name).is_ok() && !stem.is_empty() && !stem.contains(['*', '/', ' ', '"'])
    };
    let (mut legal, mut wrong): (Vec<_>, Vec<_>) = bridges.chain(prefixes).partition(legal);
    for names in [&mut legal, &mut wrong] {
        names.sort();
        names.dedup();
    }
    (legal, wrong)
}

/// Whether the rules can tell pods of that family from other clients, or need not.
pub(super) fn tells_pods(node: &NodeSettings, family: Family) -> bool {
    node.masquerade_all || !pod_cidrs(node, family).is_empty() || !pod_interfaces(node).0.is_empty()
}
