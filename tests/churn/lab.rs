//! A small cluster whose services come and go, and clients that keep their sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rulectl_ruleset::service::{self, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort};
use rulectl_tests::{Failure, Host, Topology, rulectl};

/// Where the service answers, and where the pods do.
pub(crate) const PORT: u16 = 80;
pub(crate) const POD_PORT: u16 = 8080;
pub(crate) const NODE_PORT: u16 = 30080;
/// The service's own addresses, and those it gets later.
pub(crate) const CLUSTER_IPS: [&str; 2] = ["10.96.0.10", "fd96::10"];
pub(crate) const EXTERNAL_IPS: [&str; 2] = ["198.51.100.7", "fdc6::7"];

/// A topology, and the back end its node uses.
pub(crate) struct Lab {
    pub(crate) topology: Topology,
    flags: &'static [&'static str],
}

impl Lab {
    /// With two pods that answer.
    pub(crate) fn new(flags: &'static [&'static str]) -> Self {
        let topology = Topology::new(2);
        topology.pods.iter().for_each(|pod| pod.serve(POD_PORT));
        Self { topology, flags }
    }

    /// Applies a map, with further flags; gives what was printed.
    pub(crate) fn apply(&self, map: &ServiceMap, more: &[&str]) -> String {
        let arguments: Vec<&str> = ["apply", "-"].iter().chain(self.flags).chain(more).copied().collect();
        self.rulectl(&arguments, map, 0)
    }

    /// Runs `rulectl` on the node with a map on its standard input; gives what was printed.
    pub(crate) fn rulectl(&self, arguments: &[&str], map: &ServiceMap, code: i32) -> String {
        let text = service::print(map);
        let output = self.topology.node.run(|| rulectl(arguments, &text));
        assert_eq!(output.code, code, "rulectl {arguments:?}: {}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// A map of one service with those pods (by index) as endpoints, by TCP and UDP and in both families.
    pub(crate) fn map(&self, pods: &[usize]) -> ServiceMap {
        let addresses = pods.iter().map(|pod| &self.topology.pods[*pod]);
        let endpoints: Vec<Endpoint> = addresses
            .flat_map(|pod| [IpAddr::from(pod.ipv4), pod.ipv6.into()])
            .map(|address| Endpoint { node: Some("node".into()), ..Endpoint::new(address, POD_PORT) })
            .collect();
        let port = |protocol: Protocol| ServicePort {
            name: Some(protocol.keyword().into()),
            protocol,
            port: PORT,
            endpoints: endpoints.clone(),
            ..ServicePort::default()
        };
        ServiceMap {
            node: NodeSettings {
                name: Some("node".to_owned()),
                addresses: vec![self.topology.node.ipv4.into(), self.topology.node.ipv6.into()],
                pod_cidrs: Topology::POD_CIDRS.map(|cidr| cidr.parse().expect("literal")).to_vec(),
                ..NodeSettings::default()
            },
            services: vec![Service {
                name: ServiceName::new("", "web"),
                cluster_ips: addresses_of(CLUSTER_IPS),
                ports: vec![port(Protocol::Tcp), port(Protocol::Udp)],
                ..Service::default()
            }],
        }
    }
}

pub(crate) fn addresses_of(texts: [&str; 2]) -> Vec<IpAddr> {
    texts.map(|text| text.parse().expect("literal")).to_vec()
}

/// A client of UDP that keeps its socket, and so its flow.
pub(crate) struct Talker(UdpSocket);

impl Talker {
    pub(crate) fn new(host: &Host, to: SocketAddr) -> Self {
        let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(to)?;
            Ok(socket)
        };
        Self(host.run(open).unwrap_or_else(|error| panic!("{}: a socket to {to}: {error}", host.name)))
    }

    /// Sends one packet; the name of who answers.
    pub(crate) fn ask(&self) -> Result<String, Failure> {
        self.ask_within(Duration::from_secs(3))
    }

    /// The same where no answer is expected; an answer that came would come at once.
    pub(crate) fn ask_in_vain(&self) -> Result<String, Failure> {
        self.ask_within(Duration::from_millis(150))
    }

    /// Sends one packet and waits so long.
    pub(crate) fn ask_within(&self, patience: Duration) -> Result<String, Failure> {
        self.0.set_read_timeout(Some(patience))?;
        self.0.send(b"who?")?;
        let mut packet = [0; 512];
        let len = self.0.recv(&mut packet)?;
        let answer = String::from_utf8_lossy(&packet[..len]).into_owned();
        Ok(answer.split(' ').next().unwrap_or_default().to_owned())
    }
}

/// Serves UDP at one address of a host, for the rest of the process.
pub(crate) fn serve_at(host: &Host, at: SocketAddr) {
    let socket = host.run(|| UdpSocket::bind(at)).unwrap_or_else(|error| panic!("{}: {at}: {error}", host.name));
    let answer = format!("{} at {}", host.name, at.ip());
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((_, peer)) = socket.recv_from(&mut packet) {
            // A client that is gone is no reason to stop.
            let _ = socket.send_to(answer.as_bytes(), peer);
        }
    });
}
