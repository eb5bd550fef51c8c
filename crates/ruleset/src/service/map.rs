//! What a service map says, whatever it was read from.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Services with their endpoints, and what the compiler must know of the node that serves them.
///
/// Made by the front ends (our own schema, Kubernetes objects) or by an embedder. Order has no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceMap {
    /// The node the rules are for.
    pub node: NodeSettings,
    /// The services.
    pub services: Vec<Service>,
}

/// Which node this is, and how it tells the three networks apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// The node's name, as endpoints name theirs. Without it no endpoint is known to be here.
    pub name: Option<String>,
    /// The node's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The networks nodes are in; for findings only.
    pub node_cidrs: Vec<IpNet>,
    /// The networks pods are in: clients in them are not masqueraded.
    pub pod_cidrs: Vec<IpNet>,
    /// Bridges pods are connected to: what comes from them is pod traffic.
    pub pod_bridges: Vec<String>,
    /// Prefixes of the names of interfaces pods are behind: what comes from them is pod traffic.
    pub pod_interface_prefixes: Vec<String>,
    /// The networks virtual addresses of services are taken from.
    pub service_cidrs: Vec<IpNet>,
    /// The zone the node is in, as hints of endpoints name it.
    pub zone: Option<String>,
    /// On which of the node's addresses node ports answer.
    pub nodeport_addresses: NodePortAddresses,
    /// Whether node ports also answer on 127.0.0.1, if it is among their addresses. Works only where `route_localnet`
    /// is set in the kernel; others than the node itself then reach nothing but node ports at loopback addresses.
    pub localhost_nodeports: bool,
    /// Whether what is sent to an address in `service_cidrs` that no service has is dropped.
    pub drop_unallocated: bool,
    /// Whether all traffic to cluster IPs is masqueraded, also that of pods.
    pub masquerade_all: bool,
    /// The bit of the packet mark that says "masquerade", from 0 to 31. Only the chains layout uses one.
    pub mark_bit: u8,
    /// Whether masquerading keeps the client's port where that is free, instead of choosing one at random.
    pub keep_source_ports: bool,
    /// Whether source ranges that hold no network of a family let everyone of that family through, as kube-proxy does.
    /// Else nobody of it gets through.
    pub admit_unlisted_families: bool,
    /// How clients are told that nothing answers them.
    pub refusal: Refusal,
    /// Whether forwarded packets that belong to no connection conntrack knows are dropped: left alone, they would reach
    /// a client that never heard of the endpoint, and its reset would end the connection.
    pub drop_invalid: bool,
    /// How many clients with a memory of their endpoint ([`Service::affinity`]) there may be at a time, per family; a
    /// new client beyond them is served, but not remembered. `None`: the layout's own number.
    pub affinity_size: Option<u32>,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            name: None,
            addresses: Vec::new(),
            node_cidrs: Vec::new(),
            pod_cidrs: Vec::new(),
            pod_bridges: Vec::new(),
            pod_interface_prefixes: Vec::new(),
            service_cidrs: Vec::new(),
            zone: None,
            nodeport_addresses: NodePortAddresses::Primary,
            localhost_nodeports: false,
            drop_unallocated: false,
            masquerade_all: false,
            mark_bit: 14,
            keep_source_ports: false,
            admit_unlisted_families: false,
            refusal: Refusal::Reset,
            drop_invalid: false,
            affinity_size: None,
        }
    }
}

/// On which addresses of a node node ports answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// The first address of each family.
    #[default]
    Primary,
    /// All local addresses, those of loopback only where that is asked for.
    All,
    /// Local addresses in these networks, those of loopback only where that is asked for.
    Cidrs(Vec<IpNet>),
}

/// How a client is told that nothing answers at a frontend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// By a reset for TCP, by ICMP "port unreachable" for the others. The kernel limits the rate of ICMP answers
    /// (`icmp_ratelimit`, `icmp_ratemask`: of forty at once six are told), not that of resets.
    #[default]
    Reset,
    /// By ICMP "port unreachable" for all protocols, as kube-proxy does.
    Unreachable,
}

/// The name of a service: a namespace, which may be empty, and a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The namespace; empty outside Kubernetes.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ServiceName {
    /// From both parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// `namespace/name`, or the name alone.
impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// A transport protocol that services use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its number above IP.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// Its name in lower case.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// A service: addresses that stand for others.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its name, unique in a map.
    pub name: ServiceName,
    /// Virtual addresses for clients inside the cluster.
    pub cluster_ips: Vec<IpAddr>,
    /// Virtual addresses for clients outside it.
    pub external_ips: Vec<IpAddr>,
    /// Virtual addresses that load balancers send to, for clients outside it that are in the source ranges.
    pub load_balancer_ips: Vec<IpAddr>,
    /// Who gets through to the addresses of load balancers; of a family in which no network is given, nobody
    /// ([`NodeSettings::admit_unlisted_families`]). None at all: everyone.
    pub source_ranges: Vec<IpNet>,
    /// At which of the node's addresses host ports answer; with none, where node ports do.
    pub host_ips: Vec<IpAddr>,
    /// Which endpoints serve what comes to cluster IPs.
    pub internal_traffic: TrafficPolicy,
    /// Which endpoints serve what comes to all other addresses and to node ports.
    pub external_traffic: TrafficPolicy,
    /// For how many seconds after its last new connection a client, by its address, is led to the endpoint it had.
    /// `None`: not at all. The memory is that of a service port: at all its frontends a client has the same endpoint.
    pub affinity: Option<u32>,
    /// How one of several endpoints is chosen for a client that has none.
    pub balance: Balance,
    /// Where the health of the service on this node is asked for, if it is.
    pub health_check_node_port: Option<u16>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// How one of several endpoints is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Balance {
    /// By chance, by their weights.
    #[default]
    Random,
    /// In turn, by their weights. The counter is the kernel's and shared by services with about as many endpoints.
    RoundRobin,
    /// By a hash of the client's address: the same as long as the endpoints are. Nothing is remembered.
    SourceHash,
}

impl Service {
    /// The longest [`Self::affinity`], in seconds: a day, as Kubernetes has it.
    pub const LONGEST_AFFINITY: u32 = 86_400;

    /// All its virtual addresses. Those its host ports are at are not among them: they are the node's.
    pub fn virtual_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.cluster_ips.iter().chain(&self.external_ips).chain(&self.load_balancer_ips).copied()
    }
}

/// Which endpoints may serve a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficPolicy {
    /// All. Clients outside the cluster are masqueraded, so that answers come back this way.
    #[default]
    Cluster,
    /// Those of this node only; where it has none, connections are dropped. Clients outside the cluster keep their
    /// address. Pods and the node itself are served by all endpoints at the addresses for clients outside.
    Local,
}

/// A port of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePort {
    /// Its name, where it has one.
    pub name: Option<Arc<str>>,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port at the virtual addresses.
    pub port: u16,
    /// The port at the node's own addresses, in the families of the service's virtual addresses.
    pub node_port: Option<u16>,
    /// The port at the node's own addresses that belongs to the endpoints on this node, where there is any: a host
    /// port of a pod. Traffic policies have no say in it.
    pub host_port: Option<u16>,
    /// Where its connections go, each by its weight; of both families. None: connections are rejected.
    pub endpoints: Vec<Endpoint>,
}

/// Where connections to a service port may go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// How many shares of the connections it gets, at least 1.
    pub weight: u16,
    /// The node it is on, where that is known.
    pub node: Option<Arc<str>>,
    /// Whether it is about to go: it still answers, but is used only where no other is.
    pub terminating: bool,
    /// For whom it is meant, where somebody chose.
    pub hints: Option<Arc<Hints>>,
}

/// For whom an endpoint is meant. Heeded only if all endpoints that do not terminate have hints of that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hints {
    /// Clients on these nodes.
    pub nodes: Vec<Arc<str>>,
    /// Clients in these zones.
    pub zones: Vec<Arc<str>>,
}

impl Endpoint {
    /// An endpoint of weight 1 on an unknown node.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port, weight: 1, node: None, terminating: false, hints: None }
    }
}
