//! What packets do.

use std::net::SocketAddr;

use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::service::{Endpoint, Protocol, ServiceMap};
use rulectl_tests::{Failure, Host, Spread, Topology, Transport, chi_squared_bound};

use crate::maps::{node, port, service, vip};

/// Brings the rules of the calling thread's namespace to what a map says.
type Apply<'a> = &'a (dyn Fn(&ServiceMap) + Sync);

/// The tests, for any way to apply.
pub(crate) const TESTS: [(&str, fn(Family, Apply<'_>)); 3] = [
    ("pods_the_node_and_clients_reach_services", reach),
    ("connections_spread_and_an_endpoint_reaches_itself", spread),
    ("a_service_without_endpoints_is_refused_at_once", refused),
];

fn cluster(pods: u8) -> Topology {
    let topology = Topology::new(pods);
    topology.pods.iter().for_each(|pod| pod.serve(8080));
    topology
}

fn endpoint(pod: &Host, family: Family) -> Endpoint {
    Endpoint::new(pod.address_like(vip(family, 0)), 8080)
}

fn reach(family: Family, apply: Apply<'_>) {
    let topology = cluster(2);
    let pods = &topology.pods;
    let protocols =
        [(Protocol::Tcp, Transport::Tcp), (Protocol::Udp, Transport::Udp), (Protocol::Sctp, Transport::Sctp)];
    let services = (1..).zip(protocols).map(|(number, (protocol, _))| {
        let mut service = service(family, number, port(protocol, pods.iter().map(|pod| endpoint(pod, family))));
        service.external_ips = vec![vip(family, 100 + number)];
        service
    });
    let map = ServiceMap { node: node(), services: services.collect() };
    topology.node.run(|| apply(&map));
    for (number, (_, transport)) in (1..).zip(protocols) {
        for client in topology.hosts() {
            for (vip, external) in [(vip(family, number), false), (vip(family, 100 + number), true)] {
                let answer = client.ask(transport, SocketAddr::new(vip, 80));
                let answer = answer.unwrap_or_else(|failure| panic!("{} by {transport:?}: {failure:?}", client.name));
                let inside = pods.iter().any(|pod| pod.name == client.name);
                let own = client.address_like(vip);
                if inside && !external && answer.server != client.name {
                    assert_eq!(answer.seen_as, own, "a pod keeps its address");
                } else {
                    assert_ne!(answer.seen_as, own, "{} is masqueraded", client.name);
                }
            }
        }
    }
}

fn spread(family: Family, apply: Apply<'_>) {
    let topology = cluster(3);
    let pods = &topology.pods;
    let weighted = [(0, 3), (1, 1)].map(|(pod, weight)| Endpoint { weight, ..endpoint(&pods[pod], family) });
    let services = vec![
        service(family, 1, port(Protocol::Tcp, weighted)),
        service(family, 2, port(Protocol::Tcp, [endpoint(&pods[0], family)])),
    ];
    topology.node.run(|| apply(&ServiceMap { node: node(), services }));
    let hairpin = pods[0].ask(Transport::Tcp, SocketAddr::new(vip(family, 2), 80)).expect("a pod reaches itself");
    assert_eq!(hairpin.server, "pod-1");
    assert_ne!(hairpin.seen_as, pods[0].address_like(vip(family, 2)));
    let mut spread = Spread::default();
    for answer in pods[2].ask_often(Transport::Tcp, SocketAddr::new(vip(family, 1), 80), 400) {
        spread.count(&answer.expect("an answer").server);
    }
    let chi_squared = spread.chi_squared(&[("pod-1", 0.75), ("pod-2", 0.25)]);
    assert!(chi_squared < chi_squared_bound(2), "{:?}: {chi_squared}", spread.counts());
}

fn refused(family: Family, apply: Apply<'_>) {
    let topology = cluster(2);
    let map = |endpoints: &[Endpoint]| {
        let mut services = vec![
            service(family, 1, port(Protocol::Tcp, endpoints.to_vec())),
            service(family, 2, port(Protocol::Udp, endpoints.to_vec())),
        ];
        services[0].external_ips = vec![vip(family, 101)];
        ServiceMap { node: node(), services }
    };
    let some = [endpoint(&topology.pods[0], family)];
    for endpoints in [&some[..], &[][..], &some[..], &[][..]] {
        topology.node.run(|| apply(&map(endpoints)));
        for client in topology.hosts() {
            for (transport, number) in [(Transport::Tcp, 1), (Transport::Tcp, 101), (Transport::Udp, 2)] {
                let answer = client.ask(transport, SocketAddr::new(vip(family, number), 80));
                let expected = if endpoints.is_empty() { Err(Failure::Rejected) } else { Ok("pod-1".to_owned()) };
                assert_eq!(answer.map(|answer| answer.server), expected, "{} by {transport:?}", client.name);
            }
        }
    }
}
