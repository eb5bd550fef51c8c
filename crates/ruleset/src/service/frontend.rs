//! Who answers where: the frontends that services claim, and which of several claimants gets one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::ir::Family;

use super::usable::is_here;
use super::{Finding, FindingKind, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, Severity};

/// The families of tables, in the order of addresses.
pub(super) const FAMILIES: [Family; 2] = [Family::Ip, Family::Ip6];

/// A virtual address, protocol and port: what a client connects to. Or a node port: then the address is the
/// unspecified one of its family, and stands for those of the node that node ports answer at.
///
/// The order is that of the keys of the maps layout: by the bytes of address, protocol number and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frontend {
    /// The virtual address.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

impl Frontend {
    /// The family of the table it belongs into.
    pub fn family(&self) -> Family {
        family_of(self.address)
    }

    /// Whether it is a node port.
    pub fn is_node_port(&self) -> bool {
        self.address.is_unspecified()
    }

    /// That of a node port.
    pub(super) fn node_port(family: Family, protocol: Protocol, port: u16) -> Self {
        let address = if family == Family::Ip6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        Self { address, protocol, port }
    }
}

/// `10.96.0.1:80/tcp`, `[fd00::1]:53/udp`, `IPv4 node port 30080/tcp`.
impl fmt::Display for Frontend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_node_port() {
            let family = if self.address.is_ipv4() { "IPv4" } else { "IPv6" };
            return write!(f, "{family} node port {}/{}", self.port, self.protocol);
        }
        write!(f, "{}/{}", SocketAddr::new(self.address, self.port), self.protocol)
    }
}

/// The family of tables that see packets to that address.
pub(super) fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ip } else { Family::Ip6 }
}

/// A service's claim to answer at a frontend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// Where.
    pub frontend: Frontend,
    /// Who.
    pub service: &'a Service,
    /// By which of its ports.
    pub port: &'a ServicePort,
    /// For whom.
    pub reach: Reach,
    /// Whether only clients in the service's source ranges get through.
    pub restricted: bool,
    /// Whether it is a host port: only endpoints on this node are behind it, and there is one.
    pub host: bool,
}

/// For whom a frontend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reach {
    /// Clients inside the cluster.
    Cluster,
    /// Clients outside it.
    External,
}

/// The claims that hold, one a frontend and in the order of frontends, and what is wrong with the others.
///
/// Of several services the one of the smallest name gets a frontend.
pub(super) fn claims(map: &ServiceMap) -> (Vec<Claim<'_>>, Vec<Finding>) {
    let (services, mut findings) = distinct(map);
    let mut claims = Vec::with_capacity(services.len());
    for service in services {
        claims.extend(claims_of(service, &map.node, &mut findings));
    }
    claims.sort_by_key(|claim| claim.frontend);
    claims.dedup_by(|loser, winner| {
        let same = loser.frontend == winner.frontend;
        if same {
            findings.push(taken(loser.frontend, &loser.service.name, &winner.service.name));
        }
        same
    });
    (claims, findings)
}

/// The services by name, each name once, and a finding for each that is left out.
pub(super) fn distinct(map: &ServiceMap) -> (Vec<&Service>, Vec<Finding>) {
    let mut services: Vec<_> = map.services.iter().collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let mut findings = Vec::new();
    services.dedup_by(|other, kept| {
        let same = other.name == kept.name;
        if same {
            // Which one stays must not depend on the order of the input.
            if canonical(other) < canonical(kept) {
                *kept = other;
            }
            findings.push(Finding {
                severity: Severity::Error,
                kind: FindingKind::Invalid,
                subject: format!("service {}", kept.name),
                message: "two services have this name: one of them is left out".to_owned(),
            });
        }
        same
    });
    (services, findings)
}

/// What one service claims, in the order of frontends, each once.
///
/// An address that is both a cluster IP and an external one is claimed as external, one that is also a load balancer's
/// as that. Of two ports with one protocol and number the smaller one stays and the other is reported.
pub(super) fn claims_of<'a>(service: &'a Service, node: &NodeSettings, findings: &mut Vec<Finding>) -> Vec<Claim<'a>> {
    let addresses = [
        (&service.cluster_ips, Reach::Cluster, false),
        (&service.external_ips, Reach::External, false),
        (&service.load_balancer_ips, Reach::External, true),
    ];
    let mut claims = Vec::with_capacity(service.virtual_addresses().count() * service.ports.len());
    for (addresses, reach, restricted) in addresses {
        for address in addresses {
            claims.extend(service.ports.iter().map(|port| {
                let frontend = Frontend { address: *address, protocol: port.protocol, port: port.port };
                Claim { frontend, service, port, reach, restricted, host: false }
            }));
        }
    }
    claims.extend(node_ports(service));
    claims.extend(host_ports(service, node));
    claims.sort_by_key(|claim| claim.frontend);
    claims.dedup_by(|other, kept| {
        let same = other.frontend == kept.frontend;
        if same {
            kept.reach = kept.reach.max(other.reach);
            kept.restricted |= other.restricted;
            kept.host &= other.host;
            if !std::ptr::eq(other.port, kept.port) {
                if canonical_port(other.port) < canonical_port(kept.port) {
                    kept.port = other.port;
                }
                findings.push(taken(other.frontend, &service.name, &service.name));
            }
        }
        same
    });
    claims
}

/// The node ports a service claims, in the families it has addresses of.
fn node_ports(service: &Service) -> impl Iterator<Item = Claim<'_>> {
    let ports = service.ports.iter().filter_map(|port| Some((port, port.node_port?)));
    ports.flat_map(move |(port, number)| {
        let has_address = |family: &Family| service.virtual_addresses().any(|address| family_of(address) == *family);
        FAMILIES.into_iter().filter(has_address).map(move |family| {
            let frontend = Frontend::node_port(family, port.protocol, number);
            Claim { frontend, service, port, reach: Reach::External, restricted: false, host: false }
        })
    })
}

/// The host ports a service claims: in the families it has endpoints on this node of. A node without one has other use
/// for the port.
fn host_ports<'a>(service: &'a Service, node: &NodeSettings) -> impl Iterator<Item = Claim<'a>> {
    let ports = service.ports.iter().filter_map(|port| Some((port, port.host_port?)));
    ports.flat_map(move |(port, number)| {
        let at = |address| Frontend { address, protocol: port.protocol, port: number };
        let everywhere = FAMILIES.map(|family| Frontend::node_port(family, port.protocol, number));
        let frontends: Vec<Frontend> = match service.host_ips.as_slice() {
            [] => everywhere.to_vec(),
            addresses => addresses.iter().copied().map(at).collect(),
        };
        let endpoint = |family| {
            port.endpoints.iter().any(|endpoint| family_of(endpoint.address) == family && is_here(endpoint, node))
        };
        let has_endpoint = FAMILIES.map(endpoint);
        let is_claimed = move |frontend: &Frontend| has_endpoint[usize::from(frontend.address.is_ipv6())];
        frontends.into_iter().filter(is_claimed).map(move |frontend| Claim {
            frontend,
            service,
            port,
            reach: Reach::External,
            restricted: false,
            host: true,
        })
    })
}

/// That a claim is void, because the frontend belongs to another service.
pub(super) fn taken(frontend: Frontend, loser: &ServiceName, owner: &ServiceName) -> Finding {
    let by = if owner == loser { "another of its ports".to_owned() } else { format!("service {owner}") };
    Finding {
        severity: Severity::Error,
        kind: FindingKind::DuplicateFrontend,
        subject: format!("service {loser}"),
        message: format!("{frontend} is already served by {by}: this claim is left out"),
    }
}

/// A service with its parts in order.
fn canonical(service: &Service) -> Service {
    let mut service = service.clone();
    service.cluster_ips.sort();
    service.external_ips.sort();
    service.load_balancer_ips.sort();
    service.source_ranges.sort();
    service.host_ips.sort();
    service.ports = service.ports.iter().map(canonical_port).collect();
    service.ports.sort();
    service
}

/// A port with its endpoints in order.
fn canonical_port(port: &ServicePort) -> ServicePort {
    let mut port = port.clone();
    port.endpoints.sort();
    port
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Endpoint;

    fn service(name: &str, cluster_ips: &[&str], ports: &[(u16, &str)]) -> Service {
        Service {
            name: ServiceName::new("", name),
            cluster_ips: cluster_ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            ports: ports
                .iter()
                .map(|(port, endpoint)| ServicePort {
                    name: None,
                    protocol: Protocol::Tcp,
                    port: *port,
                    endpoints: vec![Endpoint::new(endpoint.parse().unwrap(), 8080)],
                    ..ServicePort::default()
                })
                .collect(),
            ..Service::default()
        }
    }

    fn winners(services: &[Service]) -> Vec<String> {
        let map = ServiceMap { services: services.to_vec(), ..ServiceMap::default() };
        let (claims, _) = claims(&map);
        claims.iter().map(|claim| format!("{} {}", claim.frontend, claim.service.name)).collect()
    }

    #[test]
    fn the_smallest_name_gets_a_frontend_whatever_the_order() {
        let b = service("b", &["10.96.0.1", "fd00::1"], &[(80, "10.0.0.1")]);
        let a = service("a", &["10.96.0.1"], &[(80, "10.0.0.2"), (81, "10.0.0.2")]);
        let expected = ["10.96.0.1:80/tcp a", "10.96.0.1:81/tcp a", "[fd00::1]:80/tcp b"];
        assert_eq!(winners(&[a.clone(), b.clone()]), expected);
        assert_eq!(winners(&[b, a]), expected);
    }

    #[test]
    fn a_loser_is_told_who_won() {
        let services =
            vec![service("b", &["10.96.0.1"], &[(80, "10.0.0.1")]), service("a", &["10.96.0.1"], &[(80, "10.0.0.2")])];
        let map = ServiceMap { services, ..ServiceMap::default() };
        let findings: Vec<_> = claims(&map).1.iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            ["error: service b: 10.96.0.1:80/tcp is already served by service a: this claim is left out"]
        );
    }

    #[test]
    fn two_ports_of_one_number_and_two_services_of_one_name_do_not_depend_on_their_order() {
        let twice = service("a", &["10.96.0.1"], &[(80, "10.0.0.2"), (80, "10.0.0.1")]);
        let other = service("a", &["10.96.0.2"], &[(80, "10.0.0.1")]);
        for services in [vec![twice.clone(), other.clone()], vec![other, twice]] {
            let map = ServiceMap { services, ..ServiceMap::default() };
            let (claims, findings) = claims(&map);
            assert_eq!(claims.len(), 1);
            assert_eq!(claims[0].port.endpoints[0].address.to_string(), "10.0.0.1");
            assert_eq!(findings.len(), 2, "{findings:?}");
        }
    }

    #[test]
    fn an_address_that_is_cluster_ip_and_external_is_external() {
        let mut both = service("a", &["10.96.0.1"], &[(80, "10.0.0.2")]);
        both.external_ips = both.cluster_ips.clone();
        let mut findings = Vec::new();
        let claims = claims_of(&both, &NodeSettings::default(), &mut findings);
        assert!(claims.len() == 1 && claims[0].reach == Reach::External && findings.is_empty());
    }
}
