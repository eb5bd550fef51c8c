//! Real packets through the rules of every back end: who answers, as whom the client is seen, and what stays up.
//!
//! One topology a back end; the tests of a back end share it and clean up after themselves.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rulectl_ruleset::service::{self, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort};
use rulectl_tests::{Failure, Host, Spread, Topology, Transport, chi_squared_bound, kernel_tests, rulectl, run};

const PORT: u16 = 80;
const POD_PORT: u16 = 8080;
const TRANSPORTS: [(Protocol, Transport); 3] =
    [(Protocol::Tcp, Transport::Tcp), (Protocol::Udp, Transport::Udp), (Protocol::Sctp, Transport::Sctp)];

fn main() -> ExitCode {
    kernel_tests(|| {
        let backends = [
            ("nft-maps", &["--backend", "nft", "--layout", "maps"][..]),
            ("nft-chains", &["--backend", "nft", "--layout", "chains"][..]),
            ("iptables-legacy", &["--backend", "iptables-legacy"][..]),
            ("iptables-nft", &["--backend", "iptables-nft"][..]),
        ];
        backends.into_iter().flat_map(|(name, flags)| trials(name, flags)).collect()
    })
}

/// What is tested with every back end.
fn trials(backend: &'static str, flags: &'static [&'static str]) -> Vec<Trial> {
    let tests: [(&str, fn(&Lab)); 7] = [
        ("every_client_reaches_every_endpoint_by_every_protocol_and_family", reaches),
        ("connections_spread_by_weight", spreads),
        ("clients_outside_the_pod_networks_are_masqueraded_and_pods_are_not", masquerades),
        ("a_pod_reaches_itself_through_its_service", hairpins),
        ("traffic_follows_endpoints_and_none_left_means_a_prompt_no", follows),
        ("applying_again_changes_nothing_and_delete_leaves_nothing", idempotent),
        ("a_thousand_changes_lose_no_connection_and_leave_no_packet_untranslated", churns),
    ];
    tests
        .into_iter()
        .map(|(name, test)| {
            Trial::test(format!("{backend}::{name}"), move || {
                let lab = Lab::new(flags);
                test(&lab);
                Ok(())
            })
        })
        .collect()
}

/// A topology, and the back end its node uses.
struct Lab {
    topology: Topology,
    flags: &'static [&'static str],
}

impl Lab {
    fn new(flags: &'static [&'static str]) -> Self {
        let topology = Topology::new(3);
        topology.pods.iter().for_each(|pod| pod.serve(POD_PORT));
        topology.node.run(|| run("nft", &["-f", "-"], WATCH));
        Self { topology, flags }
    }

    fn apply(&self, map: &ServiceMap) -> String {
        let text = service::print(map);
        let arguments: Vec<&str> = ["apply", "-"].iter().chain(self.flags).copied().collect();
        let output = self.topology.node.run(|| rulectl(&arguments, &text));
        assert_eq!(output.code, 0, "rulectl {arguments:?}: {}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// A map of one service with those pods (by index) as endpoints, in all protocols and both families.
    fn map(&self, pods: &[usize]) -> ServiceMap {
        let weighted: Vec<(usize, u16)> = pods.iter().map(|pod| (*pod, 1)).collect();
        self.weighted_map(&weighted)
    }

    fn weighted_map(&self, pods: &[(usize, u16)]) -> ServiceMap {
        let endpoint = |address: IpAddr, weight| Endpoint {
            weight,
            node: Some("node".into()),
            ..Endpoint::new(address, POD_PORT)
        };
        let endpoints: Vec<Endpoint> = pods
            .iter()
            .flat_map(|(index, weight)| {
                let pod = &self.topology.pods[*index];
                [endpoint(pod.ipv4.into(), *weight), endpoint(pod.ipv6.into(), *weight)]
            })
            .collect();
        let ports = TRANSPORTS.map(|(protocol, _)| ServicePort {
            name: Some(protocol.keyword().into()),
            protocol,
            port: PORT,
            endpoints: endpoints.clone(),
            ..ServicePort::default()
        });
        ServiceMap {
            node: NodeSettings {
                name: Some("node".to_owned()),
                pod_cidrs: Topology::POD_CIDRS.map(|cidr| cidr.parse().expect("literal")).to_vec(),
                ..NodeSettings::default()
            },
            services: vec![Service {
                name: ServiceName::new("", "web"),
                cluster_ips: CLUSTER_IPS.map(|ip| ip.parse().expect("literal")).to_vec(),
                external_ips: EXTERNAL_IPS.map(|ip| ip.parse().expect("literal")).to_vec(),
                ports: ports.to_vec(),
                ..Service::default()
            }],
        }
    }

    /// Packets to virtual addresses that left the nat hooks as they came, and packets with a pod's address that left
    /// towards the client.
    fn untranslated(&self) -> u64 {
        let listing = self.topology.node.run(|| run("nft", &["list", "table", "inet", "watch"], ""));
        listing.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
    }
}

const CLUSTER_IPS: [&str; 2] = ["10.96.0.10", "fd96::10"];
const EXTERNAL_IPS: [&str; 2] = ["198.51.100.7", "fdc6::7"];

/// Counts what must never be seen behind the nat hooks.
const WATCH: &str = "table inet watch {
    chain forward {
        type filter hook forward priority 10; policy accept;
        ip daddr { 10.96.0.10, 198.51.100.7 } counter
        ip6 daddr { fd96::10, fdc6::7 } counter
    }
    chain postrouting {
        type filter hook postrouting priority 200; policy accept;
        ip daddr { 10.96.0.10, 198.51.100.7 } counter
        ip6 daddr { fd96::10, fdc6::7 } counter
    }
}
";

fn socket(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("literal"), PORT)
}

fn cluster_ips() -> [SocketAddr; 2] {
    CLUSTER_IPS.map(socket)
}

fn external_ips() -> [SocketAddr; 2] {
    EXTERNAL_IPS.map(socket)
}

fn reaches(lab: &Lab) {
    lab.apply(&lab.map(&[0, 1, 2]));
    let clients = [&lab.topology.pods[0], &lab.topology.node, &lab.topology.client];
    let expected: BTreeSet<&str> = lab.topology.pods.iter().map(|pod| pod.name.as_str()).collect();
    for client in clients {
        for (_, transport) in TRANSPORTS {
            for address in cluster_ips().into_iter().chain(external_ips()) {
                let answers = client.ask_often(transport, address, 40);
                let servers: BTreeSet<&str> = answers
                    .iter()
                    .map(|answer| match answer {
                        Ok(answer) => answer.server.as_str(),
                        Err(failure) => panic!("{} by {transport:?} to {address}: {failure:?}", client.name),
                    })
                    .collect();
                // Forty tries miss one of three endpoints by chance once in three million runs.
                assert_eq!(servers, expected, "{} by {transport:?} to {address}", client.name);
            }
        }
    }
    assert_eq!(lab.untranslated(), 0);
}

fn spreads(lab: &Lab) {
    lab.apply(&lab.weighted_map(&[(0, 1), (1, 2), (2, 1)]));
    for address in cluster_ips() {
        let answers = lab.topology.client.ask_often(Transport::Tcp, address, 600);
        let spread: Spread = answers.into_iter().map(|answer| answer.expect("an answer").server).collect();
        let chi = spread.chi_squared(&[("pod-1", 1.0), ("pod-2", 2.0), ("pod-3", 1.0)]);
        assert!(chi < chi_squared_bound(3), "{address}: {:?}, chi-squared {chi}", spread.counts());
    }
}

fn masquerades(lab: &Lab) {
    lab.apply(&lab.map(&[1, 2]));
    let pod = &lab.topology.pods[0];
    for (_, transport) in TRANSPORTS {
        for address in cluster_ips() {
            let seen = pod.ask(transport, address).expect("an answer").seen_as;
            assert_eq!(seen, pod.address_like(address.ip()), "a pod is seen as itself ({transport:?})");
        }
        for address in cluster_ips().into_iter().chain(external_ips()) {
            let seen = lab.topology.client.ask(transport, address).expect("an answer").seen_as;
            assert_ne!(seen, lab.topology.client.address_like(address.ip()), "{transport:?} to {address}");
        }
        for address in external_ips() {
            let seen = pod.ask(transport, address).expect("an answer").seen_as;
            assert_ne!(seen, pod.address_like(address.ip()), "external addresses are masqueraded for all");
        }
    }
}

fn hairpins(lab: &Lab) {
    lab.apply(&lab.map(&[0]));
    let pod = &lab.topology.pods[0];
    for (_, transport) in TRANSPORTS {
        for address in cluster_ips() {
            let answer = pod.ask(transport, address).expect("an answer");
            assert_eq!(answer.server, pod.name);
            assert_ne!(answer.seen_as, pod.address_like(address.ip()), "the node stands between");
        }
    }
}

fn follows(lab: &Lab) {
    let clients = [&lab.topology.pods[0], &lab.topology.node, &lab.topology.client];
    let servers = |client: &Host, address| -> BTreeSet<String> {
        client
            .ask_often(Transport::Tcp, address, 40)
            .into_iter()
            .map(|answer| answer.expect("an answer").server)
            .collect()
    };
    let names = |pods: &[usize]| -> BTreeSet<String> { pods.iter().map(|pod| format!("pod-{}", pod + 1)).collect() };
    for pods in [&[0][..], &[0, 1], &[0, 1, 2], &[2], &[]] {
        lab.apply(&lab.map(pods));
        for client in clients {
            for address in cluster_ips() {
                if pods.is_empty() {
                    refuses(client, address);
                } else {
                    assert_eq!(servers(client, address), names(pods), "{} to {address}", client.name);
                }
            }
        }
    }
    lab.apply(&lab.map(&[1]));
    assert_eq!(servers(clients[2], cluster_ips()[0]), names(&[1]));
}

/// No endpoint is left: every client is told so at once.
fn refuses(client: &Host, address: SocketAddr) {
    for (_, transport) in TRANSPORTS {
        let start = Instant::now();
        let failure = client.ask(transport, address).expect_err("there is no endpoint");
        assert_eq!(failure, Failure::Rejected, "{} by {transport:?} to {address}", client.name);
        assert!(start.elapsed() < Duration::from_secs(4), "{} waited {:?}", client.name, start.elapsed());
    }
}

fn idempotent(lab: &Lab) {
    let before = lab.topology.node.run(|| run("nft", &["list", "ruleset"], ""));
    let map = lab.map(&[0, 1]);
    lab.apply(&map);
    assert_eq!(lab.apply(&map).trim(), "no change");
    let arguments: Vec<&str> = ["delete"].iter().chain(&lab.flags[..2]).copied().collect();
    let output = lab.topology.node.run(|| rulectl(&arguments, ""));
    assert_eq!(output.code, 0, "{}", output.stderr);
    if lab.flags[1] == "nft" {
        assert_eq!(lab.topology.node.run(|| run("nft", &["list", "ruleset"], "")), before);
    } else {
        let save = format!("{}-save", lab.flags[1]);
        let left = lab.topology.node.run(|| run(&save, &[], ""));
        assert!(!left.contains("RULECTL"), "{left}");
    }
}

/// Clients that connect all the time, and connections that stay, while the service changes a thousand times. One
/// endpoint is there all the time, so no client may ever fail: neither the one outside, nor that endpoint itself, which
/// now and then reaches itself. (The maps layout makes no such promise to an endpoint that is just being removed.)
fn churns(lab: &Lab) {
    let mut map = lab.map(&[0, 1]);
    let mut other = map.services[0].clone();
    other.name = ServiceName::new("", "zother");
    other.cluster_ips = vec!["10.96.0.99".parse().expect("literal")];
    other.external_ips.clear();
    map.services.push(other);
    lab.apply(&map);
    let mut kept: Vec<_> =
        cluster_ips().iter().map(|address| lab.topology.client.converse(*address).expect("a connection")).collect();
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients: Vec<_> = [&lab.topology.client, &lab.topology.pods[0]]
            .into_iter()
            .map(|client| {
                let stop = Arc::clone(&stop);
                scope.spawn(move || connect_until(client, &stop))
            })
            .collect();
        for round in 0..1000_usize {
            let pods: &[usize] = [&[0, 1][..], &[0], &[0, 2], &[0, 1, 2]][round % 4];
            map.services[0] = lab.map(pods).services.remove(0);
            lab.apply(&map);
            if round % 100 == 0 {
                kept.iter_mut().for_each(|conversation| conversation.say("still there?").expect("it stays up"));
            }
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            let connections = client.join().expect("no client failed");
            assert!(connections > 1000, "only {connections} connections were made");
        }
    });
    kept.iter_mut().for_each(|conversation| conversation.say("and now?").expect("it stays up"));
    assert_eq!(lab.untranslated(), 0);
}

/// Connects until told to stop, at most for ten minutes; gives how often.
fn connect_until(client: &Host, stop: &AtomicBool) -> usize {
    let start = Instant::now();
    let mut connections = 0;
    while !stop.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(600) {
        for address in cluster_ips() {
            for answer in client.ask_often(Transport::Tcp, address, 20) {
                answer.unwrap_or_else(|failure| panic!("{} to {address}: {failure:?}", client.name));
                connections += 1;
            }
        }
    }
    connections
}
