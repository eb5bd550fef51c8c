//! Which tracked flows are stale: their packets go where the rules, as they are, would not have sent the first one.
//!
//! Rules decide about the first packet of a flow only. Most flows end soon; one of UDP lives as long as packets come, and
//! so goes on to an endpoint that is no more, or past a service that came later. What is stale is told from what is
//! wanted, not from what has happened: asking twice gives the same, and what was missed is found the next time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::flow::Flow;

use super::frontend::{Claim, FAMILIES, claims, claims_of, distinct, family_of};
use super::node_ports::Answering;
use super::route::source_ranges;
use super::{Frontend, NodeSettings, Protocol, Service, ServiceMap};

/// Why a flow is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stale {
    /// It goes to an address that is no endpoint of the service, or not any more.
    EndpointGone,
    /// The service has no endpoint: new flows are refused.
    NoEndpoint,
    /// It began before the service answered there, and so goes to the virtual address itself.
    Untranslated,
    /// No service answers there any more.
    NotServed,
    /// It comes from outside the service's source ranges.
    NotAdmitted,
}

/// In a few words.
impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointGone => "endpoint gone",
            Self::NoEndpoint => "no endpoint",
            Self::Untranslated => "not translated",
            Self::NotServed => "not served",
            Self::NotAdmitted => "source not admitted",
        })
    }
}

/// The flows that rules allow at frontends.
///
/// Flows to an endpoint that is listed are allowed, whether new ones would go there or not: those of an endpoint that
/// terminates, is meant for other zones, or is on another node than the policy wants, may end in their own time.
/// Nothing is said of flows in conntrack zones, or to addresses and ports that are no service's: they are others'.
#[derive(Clone, Debug)]
pub struct ExpectedFlows {
    node: NodeSettings,
    protocols: Vec<Protocol>,
    frontends: HashMap<Frontend, Expected>,
    /// Frontends that were served and are not any more.
    former: HashSet<Frontend>,
    /// Addresses that are ours as a whole.
    cluster_ips: HashSet<IpAddr>,
    /// Networks that are.
    unallocated: Vec<IpNet>,
    /// By family, in the order of [`FAMILIES`].
    answering: [Option<Answering>; 2],
    /// The node's own addresses.
    local: HashSet<IpAddr>,
}

/// What is allowed at a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    /// Endpoints, sorted.
    endpoints: Box<[(IpAddr, u16)]>,
    /// From where.
    ranges: Option<Vec<IpNet>>,
}

impl ExpectedFlows {
    /// Nothing is served yet. Only flows of those protocols are looked at.
    pub fn new(node: &NodeSettings, protocols: &[Protocol]) -> Self {
        Self {
            answering: FAMILIES.map(|family| Answering::of(node, family)),
            local: node.addresses.iter().copied().collect(),
            node: node.clone(),
            protocols: protocols.to_vec(),
            frontends: HashMap::new(),
            former: HashSet::new(),
            cluster_ips: HashSet::new(),
            unallocated: Vec::new(),
        }
    }

    /// What a map serves.
    pub fn of(map: &ServiceMap, protocols: &[Protocol]) -> Self {
        let mut expected = Self::new(&map.node, protocols);
        claims(map).0.iter().for_each(|claim| expected.claim(claim));
        expected.cluster_ips.extend(distinct(map).0.into_iter().flat_map(|service| &service.cluster_ips));
        if map.node.drop_unallocated {
            expected.unallocated.clone_from(&map.node.service_cidrs);
        }
        expected
    }

    /// Says which addresses the node has beside those its settings name. Node ports answer at none but the node's own.
    pub fn set_local_addresses(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.local = self.node.addresses.iter().copied().chain(addresses).collect();
    }

    /// Frontends that were served before; those that still are change nothing.
    #[must_use]
    pub fn after(mut self, frontends: impl IntoIterator<Item = Frontend>) -> Self {
        let Self { protocols, former, .. } = &mut self;
        former.extend(frontends.into_iter().filter(|frontend| protocols.contains(&frontend.protocol)));
        self
    }

    /// From now on a service is served as it is now, at those of its frontends that are its own and not another's.
    pub fn serves(&mut self, service: &Service, mut is_its_own: impl FnMut(&Frontend) -> bool) {
        let claims = claims_of(service, &self.node, &mut Vec::new());
        claims.iter().filter(|claim| is_its_own(&claim.frontend)).for_each(|claim| self.claim(claim));
    }

    /// From now on a frontend is served by those endpoints, for everyone.
    pub fn serves_at(&mut self, frontend: Frontend, endpoints: impl IntoIterator<Item = (IpAddr, u16)>) {
        if self.protocols.contains(&frontend.protocol) {
            self.frontends.insert(frontend, Expected::new(endpoints, None));
        }
    }

    /// From now on a frontend is not served any more.
    pub fn leaves(&mut self, frontend: Frontend) {
        if self.protocols.contains(&frontend.protocol) {
            self.frontends.remove(&frontend);
            self.former.insert(frontend);
        }
    }

    /// Forgets all frontends: what is to be said of them was said.
    pub fn clear(&mut self) {
        self.frontends.clear();
        self.former.clear();
        self.cluster_ips.clear();
        self.unallocated.clear();
    }

    fn claim(&mut self, claim: &Claim<'_>) {
        let Claim { frontend, port, .. } = claim;
        if !self.protocols.contains(&frontend.protocol) {
            return;
        }
        let family = frontend.family();
        let of_family = port.endpoints.iter().filter(|endpoint| family_of(endpoint.address) == family);
        let endpoints = of_family.map(|endpoint| (endpoint.address, endpoint.port));
        let ranges = if claim.restricted { source_ranges(claim, &self.node, family) } else { None };
        self.frontends.insert(*frontend, Expected::new(endpoints, ranges));
    }

    /// Whether a service is served there.
    pub fn is_served(&self, frontend: &Frontend) -> bool {
        self.frontends.contains_key(frontend)
    }

    /// The protocols whose flows are looked at.
    pub fn protocols(&self) -> &[Protocol] {
        &self.protocols
    }

    /// The frontend that all flows are at about which anything can be said; `None` if there are several.
    pub fn only_frontend(&self) -> Option<Frontend> {
        let mut frontends = self.frontends.keys().chain(&self.former);
        let first = *frontends.next()?;
        let is_only = frontends.all(|frontend| *frontend == first) && self.cluster_ips.is_empty();
        (is_only && self.unallocated.is_empty()).then_some(first)
    }

    /// Whether nothing can be said of any flow.
    pub fn is_empty(&self) -> bool {
        self.protocols.is_empty()
            || self.frontends.is_empty()
                && self.former.is_empty()
                && self.cluster_ips.is_empty()
                && self.unallocated.is_empty()
    }

    /// Whether and why a flow is stale. Takes the same time whatever the number of services and flows.
    pub fn judge(&self, flow: &Flow) -> Option<Stale> {
        let protocol = self.protocols.iter().copied().find(|known| known.number() == flow.original.protocol)?;
        let (address, port) = (flow.original.destination, flow.original.ends.destination_port()?);
        if flow.zone.number() != 0 {
            return None;
        }
        let frontend = Frontend { address, protocol, port };
        if let Some(expected) = self.frontends.get(&frontend) {
            return expected.judge(flow);
        }
        let is_left = |frontend: Frontend| self.former.contains(&frontend) && flow.is_destination_translated();
        if self.has_node_ports(address) {
            let node_port = Frontend::node_port(family_of(address), protocol, port);
            if let Some(expected) = self.frontends.get(&node_port) {
                return expected.judge(flow);
            }
            if is_left(node_port) {
                return Some(Stale::NotServed);
            }
        }
        // What is sent to them, and no service has, is refused or dropped.
        let is_ours =
            || self.cluster_ips.contains(&address) || self.unallocated.iter().any(|net| net.contains(&address));
        (is_left(frontend) || is_ours()).then_some(Stale::NotServed)
    }

    /// Whether node ports answer at an address.
    fn has_node_ports(&self, address: IpAddr) -> bool {
        let Some(Answering { networks, loopback }) = &self.answering[usize::from(address.is_ipv6())] else {
            return false;
        };
        let is_local = if address.is_loopback() { *loopback } else { self.local.contains(&address) };
        is_local && networks.as_ref().is_none_or(|networks| networks.iter().any(|net| net.contains(&address)))
    }
}

impl Expected {
    fn new(endpoints: impl IntoIterator<Item = (IpAddr, u16)>, ranges: Option<Vec<IpNet>>) -> Self {
        let mut endpoints: Vec<_> = endpoints.into_iter().collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        Self { endpoints: endpoints.into(), ranges }
    }

    fn judge(&self, flow: &Flow) -> Option<Stale> {
        if self.ranges.as_ref().is_some_and(|ranges| !ranges.iter().any(|net| net.contains(&flow.original.source))) {
            return Some(Stale::NotAdmitted);
        }
        let to = (flow.reply.source, flow.reply.ends.source_port()?);
        if self.endpoints.binary_search(&to).is_ok() {
            return None;
        }
        Some(match (self.endpoints.is_empty(), flow.is_destination_translated()) {
            (true, _) => Stale::NoEndpoint,
            (false, true) => Stale::EndpointGone,
            (false, false) => Stale::Untranslated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Ends, Status, Tuple, Zone};
    use crate::service::{Endpoint, NodePortAddresses, ServiceName, ServicePort};

    /// `192.0.2.2:4711 10.96.0.10:53 10.244.0.11:5353`: from, to, and who answers.
    fn flow(text: &str) -> Flow {
        let ends: Vec<std::net::SocketAddr> = text.split(' ').map(|end| end.parse().unwrap()).collect();
        let tuple = |from: std::net::SocketAddr, to: std::net::SocketAddr| Tuple {
            source: from.ip(),
            destination: to.ip(),
            protocol: Protocol::Udp.number(),
            ends: Ends::Ports { source: from.port(), destination: to.port() },
        };
        Flow {
            original: tuple(ends[0], ends[1]),
            reply: tuple(ends[2], ends[0]),
            status: Status::CONFIRMED,
            mark: 0,
            zone: Zone::Default,
            timeout: Some(30),
            state: None,
            id: 1,
        }
    }

    fn service(name: &str, addresses: &[&str], endpoints: &[&str]) -> Service {
        let endpoint = |text: &&str| {
            let end: std::net::SocketAddr = text.parse().unwrap();
            Endpoint::new(end.ip(), end.port())
        };
        Service {
            name: ServiceName::new("", name),
            cluster_ips: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            ports: vec![ServicePort {
                protocol: Protocol::Udp,
                port: 53,
                node_port: Some(30053),
                endpoints: endpoints.iter().map(endpoint).collect(),
                ..ServicePort::default()
            }],
            ..Service::default()
        }
    }

    fn map(services: Vec<Service>) -> ServiceMap {
        let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap()).to_vec();
        ServiceMap { node: NodeSettings { addresses, ..NodeSettings::default() }, services }
    }

    fn dns() -> ServiceMap {
        map(vec![
            service("dns", &["10.96.0.10", "fd96::10"], &["10.244.0.11:5353", "[fd44::11]:5353"]),
            service("none", &["10.96.0.11"], &[]),
        ])
    }

    fn judged(expected: &ExpectedFlows, cases: &[(&str, Option<Stale>)]) {
        for (text, verdict) in cases {
            assert_eq!(expected.judge(&flow(text)), *verdict, "{text}");
        }
    }

    #[test]
    fn a_flow_is_stale_if_the_rules_would_not_make_it_so() {
        judged(
            &ExpectedFlows::of(&dns(), &[Protocol::Udp]),
            &[
                ("192.0.2.2:1 10.96.0.10:53 10.244.0.11:5353", None),
                ("192.0.2.2:1 10.96.0.10:53 10.244.0.12:5353", Some(Stale::EndpointGone)),
                ("192.0.2.2:1 10.96.0.10:53 10.244.0.11:53", Some(Stale::EndpointGone)),
                ("192.0.2.2:1 10.96.0.10:53 10.96.0.10:53", Some(Stale::Untranslated)),
                ("192.0.2.2:1 10.96.0.11:53 10.244.0.11:5353", Some(Stale::NoEndpoint)),
                ("192.0.2.2:1 10.96.0.11:53 10.96.0.11:53", Some(Stale::NoEndpoint)),
                ("[2001:db8::2]:1 [fd96::10]:53 [fd44::11]:5353", None),
                ("[2001:db8::2]:1 [fd96::10]:53 [fd44::12]:5353", Some(Stale::EndpointGone)),
                // The address is ours as a whole.
                ("192.0.2.2:1 10.96.0.10:54 10.244.0.11:5353", Some(Stale::NotServed)),
            ],
        );
    }

    #[test]
    fn nothing_is_said_of_what_is_no_services() {
        let expected = ExpectedFlows::of(&dns(), &[Protocol::Udp]);
        judged(
            &expected,
            &[
                ("192.0.2.2:1 10.244.0.11:5353 10.244.0.11:5353", None),
                ("192.0.2.2:1 192.0.2.1:8053 10.244.0.12:5353", None),
                ("192.0.2.2:1 10.96.0.12:53 10.244.0.12:5353", None),
            ],
        );
        let mut other = flow("192.0.2.2:1 10.96.0.10:53 10.244.0.12:5353");
        other.zone = Zone::Both(7);
        assert_eq!(expected.judge(&other), None);
        other.zone = Zone::Both(0);
        other.original.protocol = Protocol::Tcp.number();
        assert_eq!(expected.judge(&other), None, "TCP was not asked for");
    }

    #[test]
    fn node_ports_are_on_the_nodes_own_addresses_only() {
        let node_ports = |addresses| {
            let mut map = dns();
            map.node.nodeport_addresses = addresses;
            let mut expected = ExpectedFlows::of(&map, &[Protocol::Udp]);
            expected.set_local_addresses(["192.0.2.5".parse().unwrap()]);
            expected
        };
        let gone = Some(Stale::EndpointGone);
        let primary = node_ports(NodePortAddresses::Primary);
        judged(
            &primary,
            &[
                ("192.0.2.2:1 192.0.2.1:30053 10.244.0.11:5353", None),
                ("192.0.2.2:1 192.0.2.1:30053 10.244.0.12:5353", gone),
                ("192.0.2.2:1 192.0.2.1:30053 192.0.2.1:30053", Some(Stale::Untranslated)),
                ("192.0.2.2:1 192.0.2.5:30053 192.0.2.5:30053", None),
                ("192.0.2.2:1 192.0.2.9:30053 192.0.2.9:30053", None),
                ("[2001:db8::2]:1 [2001:db8::1]:30053 [fd44::12]:5353", gone),
            ],
        );
        let all = node_ports(NodePortAddresses::All);
        judged(
            &all,
            &[
                ("192.0.2.2:1 192.0.2.5:30053 10.244.0.12:5353", gone),
                ("192.0.2.2:1 192.0.2.9:30053 10.244.0.12:5353", None),
                ("127.0.0.1:1 127.0.0.1:30053 127.0.0.1:30053", None),
            ],
        );
    }

    #[test]
    fn what_was_served_before_is_stale_if_it_was_translated() {
        let old = |address: &str| Frontend { address: address.parse().unwrap(), protocol: Protocol::Udp, port: 53 };
        let node_port = Frontend::node_port(crate::ir::Family::Ip, Protocol::Udp, 30054);
        let expected =
            ExpectedFlows::of(&dns(), &[Protocol::Udp]).after([old("10.96.0.10"), old("10.96.0.20"), node_port]);
        judged(
            &expected,
            &[
                ("192.0.2.2:1 10.96.0.10:53 10.244.0.11:5353", None),
                ("192.0.2.2:1 10.96.0.20:53 10.244.0.11:5353", Some(Stale::NotServed)),
                ("192.0.2.2:1 10.96.0.20:53 10.96.0.20:53", None),
                ("192.0.2.2:1 192.0.2.1:30054 10.244.0.11:5353", Some(Stale::NotServed)),
                ("192.0.2.2:1 192.0.2.9:30054 10.244.0.11:5353", None),
            ],
        );
    }

    #[test]
    fn a_network_of_services_that_is_ours_as_a_whole_leaves_nothing_to_others() {
        let mut map = dns();
        map.node.service_cidrs = vec!["10.96.0.0/16".parse().unwrap()];
        let unallocated = "192.0.2.2:1 10.96.7.7:53 10.244.0.11:5353";
        judged(&ExpectedFlows::of(&map, &[Protocol::Udp]), &[(unallocated, None)]);
        map.node.drop_unallocated = true;
        judged(&ExpectedFlows::of(&map, &[Protocol::Udp]), &[(unallocated, Some(Stale::NotServed))]);
    }

    #[test]
    fn endpoints_that_terminate_keep_their_flows_and_clients_out_of_range_do_not() {
        let mut map = dns();
        let service = &mut map.services[0];
        service.ports[0].endpoints.push(Endpoint { terminating: true, ..Endpoint::new([10, 244, 0, 12].into(), 5353) });
        service.load_balancer_ips = vec!["198.51.100.7".parse().unwrap()];
        service.source_ranges = vec!["203.0.113.0/24".parse().unwrap()];
        judged(
            &ExpectedFlows::of(&map, &[Protocol::Udp]),
            &[
                ("192.0.2.2:1 10.96.0.10:53 10.244.0.12:5353", None),
                ("203.0.113.2:1 198.51.100.7:53 10.244.0.11:5353", None),
                ("192.0.2.2:1 198.51.100.7:53 10.244.0.11:5353", Some(Stale::NotAdmitted)),
            ],
        );
    }

    #[test]
    fn a_single_frontend_is_told_so_that_the_kernel_can_look_for_it() {
        let map = dns();
        let mut expected = ExpectedFlows::new(&map.node, &[Protocol::Udp]);
        assert!(expected.is_empty() && expected.only_frontend().is_none());
        let frontend = Frontend { address: [10, 96, 0, 20].into(), protocol: Protocol::Udp, port: 53 };
        expected.leaves(frontend);
        assert!(!expected.is_empty());
        assert_eq!(expected.only_frontend(), Some(frontend));
        expected.serves(&map.services[0], |_| true);
        assert_eq!(expected.only_frontend(), None);
    }
}
