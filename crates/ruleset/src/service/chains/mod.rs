//! The chains layout: one chain per service port and one per endpoint, for iptables and for people who want to read the
//! rules.
//!
//! [`layout`] makes the chains as data, once per family; [`nft`] and [`iptables`] write them down. Both hold the same
//! decisions:
//!
//! - A frontend leads to the chain of its service port that chooses among all endpoints or among those on this node;
//!   one for clients outside the cluster through a chain that tells pods and the node from them, and marks whom to
//!   masquerade; one with source ranges first through a chain that lets only those on.
//! - A chain that chooses leads to one of its endpoints' chains by its share.
//! - The chain of an endpoint on this node marks packets of the endpoint itself (hairpin); each translates.
//! - Marked packets are masqueraded, and the mark taken off. Which clients of cluster IPs are marked is said in one
//!   chain.
//! - What is led to no endpoint is refused or dropped at once, for pods, for the node and for clients outside, as
//!   [`super::route`] says, and so is what is sent to other ports of cluster IPs. nft can do that where it would
//!   translate; iptables only in `filter`, so there it has chains of its own.
//! - iptables looks frontends up one after the other, so they are in a [`tree`] of chains by address and port: a
//!   packet passes few rules, and a service that comes or goes changes one small chain.
//! - Nothing is accepted: a service says where traffic goes, not that it may. kube-proxy in iptables mode accepts what
//!   it marked and every established connection in `FORWARD`, past the rules of other owners; in nftables mode it does
//!   not, nor do we.
//!
//! This module uses the types of [`crate::iptables`] as that back end's IR, as it uses [`crate::ir`] for nft. It does
//! not use the parser or the printer there.

mod iptables;
mod layout;
mod names;
mod nft;
mod tree;

pub use iptables::{CompiledIptables, iptables};

use crate::ir::{Family, Ruleset};

use super::frontend::{FAMILIES, claims};
use super::report::{node_findings, uses};
use super::{CompileOptions, Compiled, Finding, ServiceMap};
use layout::ChainsLayout;

/// Compiles a service map to the chains layout for nft.
pub(super) fn compile(map: &ServiceMap, options: &CompileOptions) -> Compiled {
    let mut ruleset = Ruleset::new();
    let mut findings = Vec::new();
    for family in FAMILIES {
        if let Some(layout) = layout_of(map, family, &mut findings) {
            ruleset.insert(nft::table(&layout, options));
        }
    }
    sort(&mut findings);
    Compiled { ruleset, findings }
}

/// The chains of a family; `None` if the map has no virtual address of it.
fn layout_of(map: &ServiceMap, family: Family, findings: &mut Vec<Finding>) -> Option<ChainsLayout> {
    let (claims, wrong) = claims(map);
    if !uses(map, &claims, family) {
        return None;
    }
    findings.extend(wrong);
    findings.extend(node_findings(map, family));
    Some(ChainsLayout::of(&map.node, &claims, family, findings))
}

fn sort(findings: &mut Vec<Finding>) {
    findings.sort();
    findings.dedup();
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, NodeSettings, Protocol, Service, ServiceName, ServicePort, TrafficPolicy};
    use super::*;

    fn port(name: &str, protocol: Protocol, port: u16, endpoints: &[(&str, u16)]) -> ServicePort {
        let endpoint = |(address, weight): &(&str, u16)| {
            let socket: std::net::SocketAddr = address.parse().unwrap();
            Endpoint { weight: *weight, ..Endpoint::new(socket.ip(), socket.port()) }
        };
        ServicePort {
            name: Some(name.into()),
            protocol,
            port,
            endpoints: endpoints.iter().map(endpoint).collect(),
            ..ServicePort::default()
        }
    }

    /// A service for mail from some networks, that keeps its clients' addresses and leads each to where it was.
    fn mail() -> Service {
        let mut smtp = port("smtp", Protocol::Tcp, 25, &[("10.128.0.25:2525", 1), ("10.128.1.25:2525", 1)]);
        smtp.node_port = Some(30025);
        smtp.host_port = Some(25);
        for (endpoint, node) in smtp.endpoints.iter_mut().zip(["n1", "n2"]) {
            endpoint.node = Some(node.into());
        }
        Service {
            name: ServiceName::new("shop", "mail"),
            cluster_ips: vec!["10.96.0.3".parse().unwrap()],
            load_balancer_ips: vec!["192.0.2.25".parse().unwrap()],
            source_ranges: ["198.51.100.0/24", "203.0.113.7/32"].map(|range| range.parse().unwrap()).to_vec(),
            external_traffic: TrafficPolicy::Local,
            affinity: Some(10_800),
            ports: vec![smtp],
            ..Service::default()
        }
    }

    /// Two families, two protocols, weights, an external address, a load balancer, a node port and a port without
    /// endpoints.
    pub(super) fn shop() -> ServiceMap {
        let web = [("10.128.0.5:8080", 2), ("10.128.0.6:8080", 1), ("10.128.1.7:8081", 1), ("[fd02::5]:8080", 1)];
        let service = |name: &str, cluster_ips: &[&str], external_ips: &[&str], ports| Service {
            name: ServiceName::new("shop", name),
            cluster_ips: cluster_ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            external_ips: external_ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            ports,
            ..Service::default()
        };
        ServiceMap {
            node: NodeSettings {
                name: Some("n1".into()),
                addresses: vec!["192.0.2.100".parse().unwrap()],
                pod_cidrs: vec!["10.128.0.0/14".parse().unwrap(), "fd02::/16".parse().unwrap()],
                pod_interface_prefixes: vec!["veth".into()],
                ..NodeSettings::default()
            },
            services: vec![
                service("cart", &["10.96.0.1", "fd01::1"], &["192.0.2.1"], vec![port("http", Protocol::Tcp, 80, &web)]),
                service(
                    "dns",
                    &["10.96.0.2"],
                    &[],
                    vec![
                        port("dns", Protocol::Udp, 53, &[("10.128.0.9:53", 1)]),
                        port("admin", Protocol::Tcp, 8053, &[]),
                    ],
                ),
                mail(),
            ],
        }
    }

    fn without_order(map: &ServiceMap) -> ServiceMap {
        let mut map = map.clone();
        map.services.reverse();
        for service in &mut map.services {
            service.ports.reverse();
            service.cluster_ips.reverse();
            service.ports.iter_mut().for_each(|port| port.endpoints.reverse());
        }
        map
    }

    #[test]
    fn the_order_of_a_map_has_no_meaning() {
        let options = CompileOptions { layout: super::super::Layout::Chains, ..CompileOptions::default() };
        let (map, other) = (shop(), without_order(&shop()));
        assert_eq!(compile(&map, &options), compile(&other, &options));
        for family in [crate::iptables::Family::Ip, crate::iptables::Family::Ip6] {
            assert_eq!(iptables(&map, &options, family), iptables(&other, &options, family));
        }
    }

    #[test]
    fn a_port_without_endpoints_of_the_family_is_reported() {
        let mut map = shop();
        map.services[0].ports[0].endpoints.retain(|endpoint| endpoint.address.is_ipv4());
        let findings: Vec<_> =
            compile(&map, &CompileOptions::default()).findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "warning: service shop/cart: port 80/tcp has no IPv6 endpoint: connections to its IPv6 addresses are \
                 rejected",
                "warning: service shop/dns: port 8053/tcp has no endpoint: connections are rejected",
            ]
        );
    }

    #[test]
    fn an_empty_map_compiles_to_nothing() {
        let (map, options) = (ServiceMap::default(), CompileOptions::default());
        assert!(compile(&map, &options).ruleset.is_empty());
        assert!(iptables(&map, &options, crate::iptables::Family::Ip).ruleset.tables.is_empty());
    }
}
