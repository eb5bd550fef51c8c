//! What the first packet of a connection pays on its way through many services, as ratios measured in one run:
//! `cargo bench --bench paths [-- SERVICES…]`.
//!
//! The same services in three shapes, each in a small cluster of its own: the maps layout; chains and maps as kube-proxy
//! makes them for nftables; chains as it makes them for iptables. A client asks services that are spread evenly over the
//! list; the shapes take turns, so that other load on the machine meets all. Times are medians. The kernel takes kube-proxy's
//! shape for nftables in a time that grows with the square of the number of services: beyond 10,000 it is left out unless
//! `--all` is given, and at 10,000 it takes minutes.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rulectl_netlink::{NetlinkKernel, Reconciler};
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort,
};
use rulectl_tests::{Host, Topology, prepare, run};

const POD_PORT: u16 = 8080;
const PORT: u16 = 80;
/// How many services are asked, how often in a turn, and how many turns there are.
const ASKED: u32 = 16;
const PACKETS: usize = 400;
const CONNECTIONS: usize = 200;
const TURNS: usize = 7;
/// Up to how many services kube-proxy's shape for nftables is loaded.
const QUADRATIC: u32 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Direct,
    Maps,
    KubeProxy,
    Iptables,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Err(reason) = prepare() {
        eprintln!("{reason}");
        return ExitCode::FAILURE;
    }
    let all = arguments.iter().any(|argument| argument == "--all");
    let sizes: Vec<u32> = arguments.iter().filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100, 1_000, 10_000, 30_000] } else { sizes };
    println!("first packet there and back (µs, UDP) | new connections a second (TCP, one after the other)");
    println!(
        "services | no service |   maps | kube-proxy nft | iptables || maps/nft | maps/iptables ||   maps | nft | iptables"
    );
    for size in sizes {
        println!("{}", line(size, all || size <= QUADRATIC));
    }
    ExitCode::SUCCESS
}

/// One shape in a cluster of its own, and what was measured.
struct Lane {
    shape: Shape,
    topology: Topology,
    packets: Vec<Duration>,
    connections: Vec<Duration>,
}

fn line(size: u32, with_kube_proxy: bool) -> String {
    let shapes = [Shape::Direct, Shape::Maps, Shape::KubeProxy, Shape::Iptables];
    let shapes = shapes.into_iter().filter(|shape| with_kube_proxy || *shape != Shape::KubeProxy);
    let mut lanes: Vec<Lane> = shapes.map(|shape| Lane::new(shape, size)).collect();
    for turn in 0..=TURNS {
        for lane in &mut lanes {
            lane.measure(size, turn > 0);
        }
    }
    let mut figure =
        |shape, figure: fn(&mut Lane) -> f64| lanes.iter_mut().find(|lane| lane.shape == shape).map(figure);
    let [direct, maps, nft, iptables] =
        [Shape::Direct, Shape::Maps, Shape::KubeProxy, Shape::Iptables].map(|shape| figure(shape, Lane::first_packet));
    let [maps_rate, nft_rate, iptables_rate] =
        [Shape::Maps, Shape::KubeProxy, Shape::Iptables].map(|shape| figure(shape, Lane::rate));
    let ratio = |other: Option<f64>| maps.zip(other).map(|(maps, other)| maps / other);
    format!(
        "{size:8} | {:>10} | {:>6} | {:>14} | {:>8} || {:>8} | {:>13} || {:>6} | {:>5} | {:>8}",
        shown(direct, 1),
        shown(maps, 1),
        shown(nft, 1),
        shown(iptables, 1),
        shown(ratio(nft), 2),
        shown(ratio(iptables), 2),
        shown(maps_rate, 0),
        shown(nft_rate, 0),
        shown(iptables_rate, 0),
    )
}

/// A figure, or a dash where it was not measured.
fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.digits$}"))
}

impl Lane {
    fn new(shape: Shape, size: u32) -> Self {
        let topology = Topology::new(1);
        topology.pods[0].serve(POD_PORT);
        let node = &topology.node;
        match shape {
            Shape::Direct => {
                // Connections are tracked here as well.
                node.run(|| {
                    run("nft", &["-f", "-"], "table ip t {\nchain c { type nat hook prerouting priority 0; }\n}\n")
                });
            }
            Shape::Maps => {
                let kernel = NetlinkKernel::in_namespace(&node.netns).expect("a socket");
                let mut reconciler = Reconciler::new(kernel, CompileOptions::default());
                reconciler.sync(&map(size)).expect("applied");
            }
            Shape::KubeProxy => drop(node.run(|| run("nft", &["-f", "-"], &kube_proxy(size)))),
            Shape::Iptables => drop(node.run(|| run("iptables-legacy-restore", &[], &iptables(size)))),
        }
        Self { shape, topology, packets: Vec::new(), connections: Vec::new() }
    }

    /// Takes a turn; the first one only warms up.
    fn measure(&mut self, size: u32, counts: bool) {
        let targets: Vec<SocketAddr> = (0..ASKED)
            .map(|at| match self.shape {
                Shape::Direct => SocketAddr::new(self.topology.pods[0].ipv4.into(), POD_PORT),
                _ => SocketAddr::new(virtual_ip(size * at / ASKED).into(), PORT),
            })
            .collect();
        let packets = first_packets(&self.topology.client, &targets);
        let connections = connections(&self.topology.client, &targets);
        if counts {
            self.packets.extend(packets);
            self.connections.push(connections / CONNECTIONS as u32);
        }
    }

    /// The median in microseconds.
    fn first_packet(&mut self) -> f64 {
        median(&mut self.packets).as_secs_f64() * 1e6
    }

    /// Connections a second, of the median turn.
    fn rate(&mut self) -> f64 {
        1.0 / median(&mut self.connections).as_secs_f64()
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The time of each packet of a new flow there and of its answer back.
fn first_packets(client: &Host, targets: &[SocketAddr]) -> Vec<Duration> {
    client.run(|| {
        let ask = |target: &SocketAddr| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
            socket.connect(target).expect("a route");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            let start = Instant::now();
            socket.send(b"who?").expect("sent");
            socket.recv(&mut [0; 64]).expect("an answer");
            start.elapsed()
        };
        targets.iter().cycle().take(PACKETS).map(ask).collect()
    })
}

/// The time of many connections, one after the other.
fn connections(client: &Host, targets: &[SocketAddr]) -> Duration {
    client.run(|| {
        let start = Instant::now();
        for target in targets.iter().cycle().take(CONNECTIONS) {
            TcpStream::connect_timeout(target, Duration::from_secs(5)).expect("a connection");
        }
        start.elapsed()
    })
}

fn virtual_ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a60_0000 + number)
}

/// The endpoints of a service: the one pod there is, for those that are asked and all others.
fn endpoint() -> IpAddr {
    [10, 244, 0, 11].into()
}

fn map(size: u32) -> ServiceMap {
    let service = |number: u32| {
        let port = |protocol| ServicePort {
            protocol,
            port: PORT,
            endpoints: vec![Endpoint::new(endpoint(), POD_PORT)],
            ..ServicePort::default()
        };
        Service {
            name: ServiceName::new("bench", &format!("s{number:05}")),
            cluster_ips: vec![virtual_ip(number).into()],
            ports: [Protocol::Tcp, Protocol::Udp].map(port).to_vec(),
            ..Service::default()
        }
    };
    let pod_cidrs = vec!["10.244.0.0/16".parse().expect("literal")];
    ServiceMap {
        node: NodeSettings { pod_cidrs, ..NodeSettings::default() },
        services: (0..size).map(service).collect(),
    }
}

const PROTOCOLS: [&str; 2] = ["tcp", "udp"];

/// A chain and an anonymous map for each service port, and one map of all frontends.
fn kube_proxy(size: u32) -> String {
    let mut text = String::from(
        "table ip kube-proxy {\nset cluster-ips { type ipv4_addr; }\n\
         map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }\n\
         map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n\
         map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n\
         set hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service; \
         elements = { 10.244.0.11 . 10.244.0.11 . tcp . 8080, 10.244.0.11 . 10.244.0.11 . udp . 8080 } }\n\
         chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }\n\
         chain check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }\n\
         chain cluster-ips-check { ip daddr @cluster-ips reject; }\n\
         chain services { ip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x4000; \
         ip daddr . meta l4proto . th dport vmap @service-ips; }\n\
         chain pre { type filter hook prerouting priority -110; ct state new jump firewall-check; }\n\
         chain forward { type filter hook forward priority 0; ct state new jump check; ct state new jump \
         cluster-ips-check; }\n\
         chain nat-prerouting { type nat hook prerouting priority -100; jump services; }\n\
         chain nat-output { type nat hook output priority -100; jump services; }\n\
         chain nat-postrouting { type nat hook postrouting priority 100; meta mark & 0x4000 != 0 meta mark set meta mark ^ \
         0x4000 masquerade fully-random; ct status dnat ip saddr . ip daddr . meta l4proto . th dport \
         @hairpin-connections masquerade fully-random; }\n",
    );
    let mut elements = String::new();
    for (number, protocol) in (0..size).flat_map(|number| PROTOCOLS.map(|protocol| (number, protocol))) {
        let ip = virtual_ip(number);
        writeln!(
            text,
            "chain service-{number}-{protocol} {{ meta l4proto {protocol} dnat ip addr . port to numgen random mod 1 map \
             {{ 0 : {} . {POD_PORT} }}; }}",
            endpoint()
        )
        .expect("a string");
        write!(elements, "{ip} . {protocol} . {PORT} : goto service-{number}-{protocol}, ").expect("a string");
    }
    text.push_str("}\n");
    let ips: String = (0..size).map(|number| format!("{}, ", virtual_ip(number))).collect();
    text + &format!(
        "add element ip kube-proxy cluster-ips {{ {ips} }}\nadd element ip kube-proxy service-ips {{ {elements} }}\n"
    )
}

/// A list of all frontends, and two chains for each service port.
fn iptables(size: u32) -> String {
    let mut text = String::from(
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n\
         -A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n-A POSTROUTING -j KUBE-POSTROUTING\n\
         -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n-A KUBE-POSTROUTING -j MASQUERADE --random-fully\n\
         -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n",
    );
    let mut rules = String::new();
    for (number, protocol) in (0..size).flat_map(|number| PROTOCOLS.map(|protocol| (number, protocol))) {
        let (ip, name) = (virtual_ip(number), format!("{protocol}-{number:010}"));
        let service = format!("-d {ip}/32 -p {protocol} -m {protocol} --dport {PORT}");
        write!(
            rules,
            "-A KUBE-SERVICES {service} -j KUBE-SVC-{name}\n\
             -A KUBE-SVC-{name} {service} ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ\n-A KUBE-SVC-{name} -j KUBE-SEP-{name}\n\
             -A KUBE-SEP-{name} -s {0}/32 -j KUBE-MARK-MASQ\n\
             -A KUBE-SEP-{name} -p {protocol} -m {protocol} -j DNAT --to-destination {0}:{POD_PORT}\n",
            endpoint()
        )
        .expect("a string");
        writeln!(text, ":KUBE-SVC-{name} - [0:0]\n:KUBE-SEP-{name} - [0:0]").expect("a string");
    }
    text + &rules + "COMMIT\n"
}
