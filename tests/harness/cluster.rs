//! Two nodes in network namespaces, with pods behind each and clients outside.
//!
//! ```text
//!   client   192.0.2.2 ───┐                          ┌─── 10.244.0.11 pod-1
//!   stranger 192.0.2.3 ───┤                          ├─── 10.244.0.12 pod-2
//!                         └─── node 192.0.2.1, .10 ──┤
//!                                                    └─── 192.0.2.20 node-2 ─┬─ 10.244.1.11 pod-3
//!                                                                            └─ 10.244.1.12 pod-4
//! ```
//!
//! The rules go into `node`; everyone sends everything to it, `node-2` for its pods too. IPv6 is laid out alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::topology::Host;

/// The cluster.
pub struct Cluster {
    hosts: Vec<Host>,
}

/// Name, IPv4 and IPv6 address of each host, and the last parts of the address of the host it is behind.
const HOSTS: [(&str, [u8; 4], &str, Option<&str>); 8] = [
    ("node", [192, 0, 2, 1], "2001:db8::1", None),
    ("client", [192, 0, 2, 2], "2001:db8::2", Some("node")),
    ("stranger", [192, 0, 2, 3], "2001:db8::3", Some("node")),
    ("node-2", [192, 0, 2, 20], "2001:db8::20", Some("node")),
    ("pod-1", [10, 244, 0, 11], "fd44::11", Some("node")),
    ("pod-2", [10, 244, 0, 12], "fd44::12", Some("node")),
    ("pod-3", [10, 244, 1, 11], "fd44:0:0:1::11", Some("node-2")),
    ("pod-4", [10, 244, 1, 12], "fd44:0:0:1::12", Some("node-2")),
];

impl Cluster {
    /// Other addresses that the node has.
    pub const OTHER_ADDRESSES: [(Ipv4Addr, &str); 1] = [(Ipv4Addr::new(192, 0, 2, 10), "2001:db8::10")];

    /// A cluster, wired, without rules.
    pub fn new() -> Self {
        let host = |(name, ipv4, ipv6, _): (&str, [u8; 4], &str, _)| {
            Host::new(name, Ipv4Addr::from(ipv4), ipv6.parse().expect("literal"))
        };
        let cluster = Self { hosts: HOSTS.map(host).into() };
        cluster.hosts.iter().for_each(|host| host.ip("link set lo up"));
        for name in ["node", "node-2"] {
            cluster.host(name).run(forward);
        }
        for (name, _, _, behind) in HOSTS {
            if let Some(behind) = behind {
                wire(cluster.host(name), cluster.host(behind));
            }
        }
        cluster.host("node").run(answer_without_limit);
        for (ipv4, ipv6) in Self::OTHER_ADDRESSES {
            cluster.host("node").ip(&format!("addr add {ipv4}/32 dev lo\naddr add {ipv6}/128 dev lo\n"));
        }
        // To the pods behind the other node, and to everything else: virtual addresses must have a route, too.
        cluster.host("node").ip("route add 10.244.1.0/24 via 192.0.2.20 dev node-2 src 192.0.2.1\n\
             route add fd44:0:0:1::/64 via 2001:db8::20 dev node-2 src 2001:db8::1\n\
             route add default via 192.0.2.2 dev client src 192.0.2.1\n\
             route add default via 2001:db8::2 dev client src 2001:db8::1\n");
        cluster
    }

    /// The host of that name.
    ///
    /// # Panics
    /// If there is none.
    pub fn host(&self, name: &str) -> &Host {
        self.find(name).unwrap_or_else(|| panic!("there is no host `{name}`"))
    }

    /// The host of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// All hosts; the node first.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The names and addresses of its hosts, without making it.
    pub fn addresses() -> impl Iterator<Item = (&'static str, [IpAddr; 2])> {
        let both = |(name, ipv4, ipv6, _): (&'static str, [u8; 4], &str, _)| {
            (name, [IpAddr::from(ipv4), IpAddr::V6(ipv6.parse().expect("literal"))])
        };
        HOSTS.into_iter().map(both)
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

fn forward() {
    for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        std::fs::write(format!("/proc/sys/net/{setting}"), "1").expect(setting);
    }
}

/// Has the kernel answer every rejected packet: it limits ICMP errors to a few a second, and there are many rows.
fn answer_without_limit() {
    for (setting, value) in [
        ("ipv4/icmp_ratelimit", "0"),
        ("ipv4/icmp_ratemask", "0"),
        ("ipv6/icmp/ratelimit", "0"),
        ("ipv6/icmp/ratemask", ""),
    ] {
        std::fs::write(format!("/proc/sys/net/{setting}"), value).expect(setting);
    }
    // Namespaced only since Linux 6.13; older kernels have one bucket, of a thousand a second, for all.
    let _ = std::fs::write("/proc/sys/net/ipv4/icmp_msgs_per_sec", "100000");
    let _ = std::fs::write("/proc/sys/net/ipv4/icmp_msgs_burst", "100000");
}

/// Connects a host to the one it is behind: each address is a route of its own.
fn wire(host: &Host, behind: &Host) {
    let (path, name, ipv4, ipv6): (String, &str, Ipv4Addr, Ipv6Addr) = (host.path(), &host.name, host.ipv4, host.ipv6);
    let (gateway4, gateway6) = (behind.ipv4, behind.ipv6);
    behind.ip(&format!(
        "link add {name} type veth peer name eth0 netns {path}\n\
         link set {name} up\n\
         addr add {gateway4}/32 dev {name}\n\
         addr add {gateway6}/128 dev {name} nodad\n\
         route add {ipv4}/32 dev {name} src {gateway4}\n\
         route add {ipv6}/128 dev {name} src {gateway6}\n"
    ));
    host.ip(&format!(
        "link set eth0 up\n\
         addr add {ipv4}/32 dev eth0\n\
         addr add {ipv6}/128 dev eth0 nodad\n\
         route add {gateway4}/32 dev eth0\n\
         route add {gateway6}/128 dev eth0\n\
         route add default via {gateway4} src {ipv4}\n\
         route add default via {gateway6} src {ipv6}\n"
    ));
}
