//! A small cluster in network namespaces: a node, a client outside it, and pods behind it.
//!
//! ```text
//!   client 192.0.2.2 ──────── 192.0.2.1 node 10.244.0.1 ──────── 10.244.0.11 pod-1
//!          2001:db8::2        2001:db8::1    fd44::1             fd44::11
//!                                            10.244.0.1 ──────── 10.244.0.12 pod-2 …
//! ```
//!
//! The node routes between all of them; the client sends everything to the node. The namespaces are held by descriptors
//! only, so they are gone when the topology is dropped or the process ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use rulectl_netlink::netns::Netns;

use crate::command::run;

/// A machine of its own: a network namespace with addresses.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub netns: Netns,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
}

impl Host {
    pub(crate) fn new(name: &str, ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Self {
        let netns = Netns::new().expect("a network namespace");
        Self { name: name.to_owned(), netns, ipv4, ipv6 }
    }

    /// Its address of the family of `other`.
    pub fn address_like(&self, other: IpAddr) -> IpAddr {
        if other.is_ipv4() { self.ipv4.into() } else { self.ipv6.into() }
    }

    /// Runs a closure in its namespace, in a thread of its own.
    ///
    /// # Panics
    /// If the closure does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.netns.run(work).expect("a thread in the namespace")
    }

    /// Runs lines of `ip` in its namespace.
    pub fn ip(&self, lines: &str) {
        self.run(|| run("ip", &["-batch", "-"], lines));
    }

    /// A path that names its namespace for programs this process starts.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.netns.as_fd().as_raw_fd())
    }
}

/// The cluster.
pub struct Topology {
    /// Where the rules go.
    pub node: Host,
    /// Somebody outside.
    pub client: Host,
    /// Where the endpoints are.
    pub pods: Vec<Host>,
}

impl Topology {
    /// The network of the pods.
    pub const POD_CIDRS: [&str; 2] = ["10.244.0.0/16", "fd44::/48"];

    /// A cluster with that many pods (at most 200).
    pub fn new(pods: u8) -> Self {
        let node = Host::new("node", Ipv4Addr::new(192, 0, 2, 1), "2001:db8::1".parse().expect("literal"));
        let client = Host::new("client", Ipv4Addr::new(192, 0, 2, 2), "2001:db8::2".parse().expect("literal"));
        let pods: Vec<Host> = (1..=pods)
            .map(|number| {
                let ipv4 = Ipv4Addr::new(10, 244, 0, 10 + number);
                let ipv6 = Ipv6Addr::new(0xfd44, 0, 0, 0, 0, 0, 0, u16::from(number) + 0x10);
                Host::new(&format!("pod-{number}"), ipv4, ipv6)
            })
            .collect();
        let topology = Self { node, client, pods };
        topology.wire();
        topology
    }

    /// The client and the node and the pods, in this order.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        [&self.client, &self.node].into_iter().chain(&self.pods)
    }

    fn wire(&self) {
        for host in self.hosts() {
            host.ip("link set lo up");
        }
        self.node.run(|| {
            for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(format!("/proc/sys/net/{setting}"), "1").expect(setting);
            }
        });
        let client = self.client.path();
        self.node.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {client}\n\
             link set eth0 up\n\
             addr add 192.0.2.1/24 dev eth0\n\
             addr add 2001:db8::1/64 dev eth0 nodad\n\
             route add default via 192.0.2.2\n\
             route add default via 2001:db8::2\n"
        ));
        self.client.ip("link set eth0 up\n\
             addr add 192.0.2.2/24 dev eth0\n\
             addr add 2001:db8::2/64 dev eth0 nodad\n\
             route add default via 192.0.2.1\n\
             route add default via 2001:db8::1\n");
        for pod in &self.pods {
            let (path, name, ipv4, ipv6) = (pod.path(), &pod.name, pod.ipv4, pod.ipv6);
            self.node.ip(&format!(
                "link add {name} type veth peer name eth0 netns {path}\n\
                 link set {name} up\n\
                 addr add 10.244.0.1/32 dev {name}\n\
                 addr add fd44::1/128 dev {name} nodad\n\
                 route add {ipv4}/32 dev {name} src 10.244.0.1\n\
                 route add {ipv6}/128 dev {name} src fd44::1\n"
            ));
            pod.ip(&format!(
                "link set eth0 up\n\
                 addr add {ipv4}/32 dev eth0\n\
                 addr add {ipv6}/128 dev eth0 nodad\n\
                 route add 10.244.0.1/32 dev eth0\n\
                 route add fd44::1/128 dev eth0\n\
                 route add default via 10.244.0.1 src {ipv4}\n\
                 route add default via fd44::1 src {ipv6}\n"
            ));
        }
    }
}
