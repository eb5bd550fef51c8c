//! Whether the addresses of a map can be meant so: against the three networks it declares, and on their own.
//!
//! Which of two services with the same address, protocol and port wins is the compiler's business, not decided here.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::network::{self, IpFamily};
use super::{Finding, FindingKind, NodeSettings, Service, ServiceMap, ServicePort, Severity};

/// Everything that is odd about the addresses of a map, sorted.
///
/// Addresses that no service can have or go to (see [`quarantine`]) are errors; the rest are doubts. A map may be
/// compiled whatever is found, after it went through [`quarantine`].
pub fn check(map: &ServiceMap) -> Vec<Finding> {
    let mut findings = check_node(&map.node);
    findings.extend(map.services.iter().flat_map(|service| check_service(service, &map.node)));
    findings.sort();
    findings.dedup();
    findings
}

/// What is odd about the networks of a node and its own addresses.
pub fn check_node(node: &NodeSettings) -> Vec<Finding> {
    let mut report = Report::new(node.name.as_ref().map_or_else(|| "node".to_owned(), |name| format!("node {name}")));
    let networks = Networks::of(node);
    for (index, first) in networks.0.iter().enumerate() {
        alone(first, &mut report);
        for second in networks.0[index + 1..].iter().filter(|second| second.role != first.role) {
            overlap(first, second, &mut report);
        }
    }
    for &address in &node.addresses {
        if let Some(kind) = network::impossible(address) {
            report.error(FindingKind::Invalid, format!("{address} is {kind}: it cannot be an address of a node"));
        }
        for role in [Role::Pod, Role::Service] {
            if let Some(network) = networks.containing(role, address) {
                report.warning(
                    FindingKind::MisplacedAddress,
                    format!("the node's address {address} is inside the {role} network {network}"),
                );
            }
        }
    }
    report.findings
}

/// What is odd about the addresses of one service, on that node.
pub fn check_service(service: &Service, node: &NodeSettings) -> Vec<Finding> {
    let mut report = Report::new(format!("service {}", service.name));
    let networks = Networks::of(node);
    for (addresses, what) in [
        (&service.cluster_ips, "cluster IP"),
        (&service.external_ips, "external IP"),
        (&service.load_balancer_ips, "load balancer IP"),
    ] {
        for &address in addresses {
            virtual_address(address, what, &networks, &mut report);
        }
    }
    for &address in service.cluster_ips.iter().filter(|address| node.addresses.contains(address)) {
        let message = format!("cluster IP {address} is the node's own address: the node loses these ports");
        report.warning(FindingKind::MisplacedAddress, message);
    }
    for port in &service.ports {
        endpoints(port, &networks, &mut report);
        families(service, port, &mut report);
    }
    report.findings
}

/// Takes the addresses out of a map that no service can have or go to, which [`check`] reports as errors: unspecified,
/// loopback, link-local, multicast, broadcast, and IPv4 in the clothes of IPv6.
///
/// The rest of the service stays.
pub fn quarantine(map: &mut ServiceMap) {
    map.services.iter_mut().for_each(quarantine_service);
}

/// [`quarantine`] of one service.
pub fn quarantine_service(service: &mut Service) {
    let possible = |address: &IpAddr| network::impossible(*address).is_none();
    service.cluster_ips.retain(possible);
    service.external_ips.retain(possible);
    service.load_balancer_ips.retain(possible);
    for port in &mut service.ports {
        port.endpoints.retain(|endpoint| possible(&endpoint.address));
    }
}

/// What a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Node,
    Pod,
    Service,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Service => "service",
        })
    }
}

/// A network a map declares.
#[derive(Clone, Copy, Debug)]
struct Network {
    role: Role,
    net: IpNet,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} network {}", self.role, self.net)
    }
}

/// All networks a map declares.
struct Networks(Vec<Network>);

impl Networks {
    fn of(node: &NodeSettings) -> Self {
        let roles =
            [(Role::Node, &node.node_cidrs), (Role::Pod, &node.pod_cidrs), (Role::Service, &node.service_cidrs)];
        let networks = roles.into_iter().flat_map(|(role, nets)| nets.iter().map(move |&net| Network { role, net }));
        Self(networks.collect())
    }

    fn containing(&self, role: Role, address: IpAddr) -> Option<IpNet> {
        self.0.iter().find(|network| network.role == role && network.net.contains(&address)).map(|network| network.net)
    }
}

/// Findings about one thing.
struct Report {
    subject: String,
    findings: Vec<Finding>,
}

impl Report {
    fn new(subject: String) -> Self {
        Self { subject, findings: Vec::new() }
    }

    fn add(&mut self, severity: Severity, kind: FindingKind, message: String) {
        self.findings.push(Finding { severity, kind, subject: self.subject.clone(), message });
    }

    fn error(&mut self, kind: FindingKind, message: String) {
        self.add(Severity::Error, kind, message);
    }

    fn warning(&mut self, kind: FindingKind, message: String) {
        self.add(Severity::Warning, kind, message);
    }

    fn info(&mut self, kind: FindingKind, message: String) {
        self.add(Severity::Info, kind, message);
    }
}

/// A network on its own.
fn alone(network: &Network, report: &mut Report) {
    if let Some(kind) = network::impossible(network.net.network()).filter(|_| network.net.prefix_len() > 0) {
        report.error(FindingKind::Invalid, format!("the {network} starts with {kind}"));
    } else if network.role != Role::Node && network::is_public_ipv4(&network.net) {
        report.info(
            FindingKind::MisplacedAddress,
            format!("the {network} is not private (RFC 1918): hosts of the Internet with these addresses are hidden"),
        );
    }
}

fn overlap(first: &Network, second: &Network, report: &mut Report) {
    let relation = if first.net == second.net {
        "is the same as"
    } else if first.net.contains(&second.net) {
        "contains"
    } else if second.net.contains(&first.net) {
        "is inside"
    } else {
        return;
    };
    let effect = match (first.role, second.role) {
        (Role::Node, Role::Pod) => "nodes in both are taken for pods and not masqueraded",
        _ => "a virtual address in both may belong to another host",
    };
    let advice = network::elsewhere(&first.net);
    report
        .warning(FindingKind::OverlappingNetworks, format!("the {first} {relation} the {second}: {effect}; {advice}"));
}

fn virtual_address(address: IpAddr, what: &str, networks: &Networks, report: &mut Report) {
    if let Some(kind) = network::impossible(address) {
        report.error(FindingKind::Invalid, format!("{what} {address} is {kind}: left out"));
        return;
    }
    if let Some(net) = networks.containing(Role::Pod, address) {
        let message = format!("{what} {address} is inside the pod network {net}: a pod may have the same address");
        report.warning(FindingKind::MisplacedAddress, message);
    }
    // External IPs are often addresses of the nodes' network on purpose.
    if let Some(net) = networks.containing(Role::Node, address).filter(|_| what == "cluster IP") {
        let message = format!("{what} {address} is inside the node network {net}: a node may have the same address");
        report.warning(FindingKind::MisplacedAddress, message);
    }
}

fn endpoints(port: &ServicePort, networks: &Networks, report: &mut Report) {
    let label = label(port);
    for endpoint in &port.endpoints {
        if let Some(kind) = network::impossible(endpoint.address) {
            let message = format!("endpoint {} of port {label} is {kind}: left out", endpoint.address);
            report.error(FindingKind::Invalid, message);
        }
    }
    let mut misplaced =
        port.endpoints.iter().filter_map(|it| Some((it.address, networks.containing(Role::Service, it.address)?)));
    if let Some((address, net)) = misplaced.next() {
        let others = match misplaced.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let message = format!(
            "endpoint {address}{others} of port {label} is inside the service network {net}: \
             what is sent to a virtual address by a service is not translated again"
        );
        report.warning(FindingKind::MisplacedAddress, message);
    }
}

/// Endpoints that no virtual address leads to. The other way round, virtual addresses without endpoints, is the
/// compiler's to report: it makes rules that reject.
fn families(service: &Service, port: &ServicePort, report: &mut Report) {
    let possible = |address: &IpAddr| network::impossible(*address).is_none();
    for family in [IpFamily::V4, IpFamily::V6] {
        let of_family = |address: &IpAddr| possible(address) && IpFamily::of(*address) == family;
        let mut addresses = service.virtual_addresses();
        if port.endpoints.iter().any(|it| of_family(&it.address)) && !addresses.any(|address| of_family(&address)) {
            let label = label(port);
            let message = format!("port {label} has {family} endpoints, but the service has no {family} address");
            report.info(FindingKind::Ignored, message);
        }
    }
}

/// `http` or `80/tcp`.
fn label(port: &ServicePort) -> String {
    port.name.as_ref().map_or_else(|| format!("{}/{}", port.port, port.protocol), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use insta::assert_snapshot;

    use super::*;
    use crate::service::{Endpoint, Protocol, ServiceName};

    fn service(cluster_ips: &[&str], endpoints: &[&str]) -> Service {
        Service {
            name: ServiceName::new("shop", "cart"),
            cluster_ips: cluster_ips.iter().map(|it| it.parse().unwrap()).collect(),
            ports: vec![ServicePort {
                name: None,
                protocol: Protocol::Tcp,
                port: 80,
                endpoints: endpoints.iter().map(|it| Endpoint::new(it.parse().unwrap(), 8080)).collect(),
                ..ServicePort::default()
            }],
            ..Service::default()
        }
    }

    fn node(node_cidrs: &[&str], pod_cidrs: &[&str], service_cidrs: &[&str]) -> NodeSettings {
        let nets = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        NodeSettings {
            node_cidrs: nets(node_cidrs),
            pod_cidrs: nets(pod_cidrs),
            service_cidrs: nets(service_cidrs),
            ..NodeSettings::default()
        }
    }

    fn findings(service: Service, node: NodeSettings) -> String {
        let map = ServiceMap { node, services: vec![service] };
        check(&map).iter().fold(String::new(), |mut text, finding| {
            writeln!(text, "{finding}").unwrap();
            text
        })
    }

    #[test]
    fn a_sound_map_has_no_findings() {
        let node = node(&["192.168.0.0/24"], &["10.1.0.0/16", "fd00:1::/64"], &["10.96.0.0/12", "fd00:96::/112"]);
        assert_eq!(findings(service(&["10.96.0.1", "fd00:96::1"], &["10.1.0.5", "fd00:1::5"]), node), "");
    }

    #[test]
    fn networks_that_overlap_are_reported_with_their_effect() {
        let node = node(&["10.1.0.0/24"], &["10.0.0.0/8"], &["10.0.0.0/8", "8.8.0.0/16", "127.0.0.0/8"]);
        assert_snapshot!(findings(service(&["10.96.0.1"], &["192.0.2.1"]), node), @"
        info: node: the service network 8.8.0.0/16 is not private (RFC 1918): hosts of the Internet with these addresses are hidden
        warning: node: the node network 10.1.0.0/24 is inside the pod network 10.0.0.0/8: nodes in both are taken for pods and not masqueraded; other private networks are 172.16.0.0/12 (RFC 1918), 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598)
        warning: node: the node network 10.1.0.0/24 is inside the service network 10.0.0.0/8: a virtual address in both may belong to another host; other private networks are 172.16.0.0/12 (RFC 1918), 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598)
        warning: node: the pod network 10.0.0.0/8 is the same as the service network 10.0.0.0/8: a virtual address in both may belong to another host; other private networks are 172.16.0.0/12 (RFC 1918), 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598)
        warning: service shop/cart: cluster IP 10.96.0.1 is inside the pod network 10.0.0.0/8: a pod may have the same address
        error: node: the service network 127.0.0.0/8 starts with a loopback address
        ");
    }

    #[test]
    fn addresses_of_the_node_are_held_against_the_other_networks() {
        let mut node = node(&[], &["10.1.0.0/16"], &["fd00:96::/112"]);
        node.name = Some("node1".to_owned());
        node.addresses = ["10.1.0.9", "fd00:96::7", "127.0.0.1"].map(|it| it.parse().unwrap()).to_vec();
        assert_snapshot!(findings(service(&["10.1.0.9"], &["192.0.2.1"]), node), @"
        warning: node node1: the node's address 10.1.0.9 is inside the pod network 10.1.0.0/16
        warning: node node1: the node's address fd00:96::7 is inside the service network fd00:96::/112
        warning: service shop/cart: cluster IP 10.1.0.9 is inside the pod network 10.1.0.0/16: a pod may have the same address
        warning: service shop/cart: cluster IP 10.1.0.9 is the node's own address: the node loses these ports
        error: node node1: 127.0.0.1 is a loopback address: it cannot be an address of a node
        ");
    }

    #[test]
    fn virtual_addresses_and_endpoints_in_foreign_networks_are_doubted() {
        let node = node(&["192.0.2.0/24"], &["10.1.0.0/16"], &["10.96.0.0/12"]);
        let service = service(&["10.1.0.1", "192.0.2.9"], &["10.96.0.5", "10.96.0.6", "10.1.0.7"]);
        assert_snapshot!(findings(service, node), @"
        warning: service shop/cart: cluster IP 10.1.0.1 is inside the pod network 10.1.0.0/16: a pod may have the same address
        warning: service shop/cart: cluster IP 192.0.2.9 is inside the node network 192.0.2.0/24: a node may have the same address
        warning: service shop/cart: endpoint 10.96.0.5 (and 1 more) of port 80/tcp is inside the service network 10.96.0.0/12: what is sent to a virtual address by a service is not translated again
        ");
    }

    #[test]
    fn endpoints_of_a_family_without_addresses_are_reported() {
        let node = NodeSettings::default();
        assert_snapshot!(findings(service(&["10.96.0.1"], &["10.1.0.5", "fd00::5"]), node), @"info: service shop/cart: port 80/tcp has IPv6 endpoints, but the service has no IPv6 address");
    }

    #[test]
    fn impossible_addresses_are_errors_and_taken_out() {
        let impossible =
            ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1"];
        let mut service = service(&impossible, &["::ffff:10.1.0.5", "10.1.0.5"]);
        service.cluster_ips.push("10.96.0.1".parse().unwrap());
        let errors = check_service(&service, &NodeSettings::default());
        assert!(errors.iter().all(|finding| finding.severity == Severity::Error));
        assert_eq!(errors.len(), impossible.len() + 1);
        assert_snapshot!(errors[4], @"error: service shop/cart: cluster IP 255.255.255.255 is the broadcast address: left out");
        quarantine_service(&mut service);
        assert_eq!(service.cluster_ips, ["10.96.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(service.ports[0].endpoints.len(), 1);
    }
}
