//! Service maps to load.

use std::net::IpAddr;

use ipnet::IpNet;
use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::service::{
    Endpoint, NodePortAddresses, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, TrafficPolicy,
};
use rulectl_tests::Topology;

/// The virtual address of that number.
pub(crate) fn vip(family: Family, number: u8) -> IpAddr {
    match family {
        Family::Ip => [10, 96, 0, number].into(),
        Family::Ip6 => [0xfd96, 0, 0, 0, 0, 0, 0, u16::from(number)].into(),
    }
}

/// A service at the virtual address of that number.
pub(crate) fn service(family: Family, number: u8, port: ServicePort) -> Service {
    Service {
        name: ServiceName::new("shop", &format!("service-{number}")),
        cluster_ips: vec![vip(family, number)],
        ports: vec![port],
        ..Service::default()
    }
}

/// Port 80 of that protocol.
pub(crate) fn port(protocol: Protocol, endpoints: impl IntoIterator<Item = Endpoint>) -> ServicePort {
    ServicePort { protocol, port: 80, endpoints: endpoints.into_iter().collect(), ..ServicePort::default() }
}

/// A node that tells pods in every way there is.
pub(crate) fn node() -> NodeSettings {
    NodeSettings {
        pod_cidrs: Topology::POD_CIDRS.iter().map(|cidr| cidr.parse().expect("literal")).collect(),
        pod_bridges: vec!["cni0".to_owned()],
        pod_interface_prefixes: vec!["veth".to_owned()],
        ..NodeSettings::default()
    }
}

/// Eight services: all protocols, several endpoints and weights, external addresses, one without endpoints; of some the
/// clients are told apart, let in by where they are, or remembered, and there are node ports and host ports.
pub(crate) fn shop(family: Family) -> ServiceMap {
    let endpoint = |service: u8, number: u8| {
        let address = match family {
            Family::Ip => [10, 244, service, number].into(),
            Family::Ip6 => [0xfd44, 0, 0, 0, 0, 0, u16::from(service), u16::from(number)].into(),
        };
        Endpoint { weight: u16::from(number), ..Endpoint::new(address, 8080) }
    };
    let protocol = |number| [Protocol::Tcp, Protocol::Udp, Protocol::Sctp][usize::from(number) % 3];
    let numbered = |number: u8| {
        let endpoints = (1..=number).map(|other| endpoint(number, other));
        let mut service = service(family, number, port(protocol(number), endpoints));
        if number.is_multiple_of(2) {
            service.external_ips = vec![vip(family, 100 + number)];
        }
        if number.is_multiple_of(3) {
            service.ports[0].node_port = Some(30_000 + u16::from(number));
            service.load_balancer_ips = vec![vip(family, 200 + number)];
            service.source_ranges = [vip(family, 250), vip(family, 251)].map(IpNet::from).to_vec();
        }
        if number > 4 {
            service.external_traffic = TrafficPolicy::Local;
            service.affinity = Some(600);
            service.ports[0].host_port = Some(8000 + u16::from(number));
            service.ports[0].endpoints[0].node = Some("here".into());
        }
        service
    };
    let node = NodeSettings {
        name: Some("here".into()),
        nodeport_addresses: NodePortAddresses::All,
        localhost_nodeports: true,
        drop_invalid: true,
        ..node()
    };
    ServiceMap { node, services: (0..8).map(numbered).collect() }
}
