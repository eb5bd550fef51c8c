//! Our own schema of a service map, version `rulectl/v1`: the types its JSON Schema is made of.
//!
//! Every unknown field is an error. Where several values may stand, one may stand without a list.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::service::{
    Balance, Endpoint, Hints, NodePortAddresses, NodeSettings, Protocol, Refusal, Service, ServiceMap, ServiceName,
    ServicePort, TrafficPolicy,
};

/// What the field `apiVersion` says.
pub(super) const API_VERSION: &str = "rulectl/v1";

/// A service map: virtual addresses and ports, and the endpoints that answer for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "rulectl service map, version rulectl/v1")]
pub(super) struct MapDocument {
    /// The version of this schema.
    pub(super) api_version: ApiVersion,
    /// What this document is.
    pub(super) kind: Kind,
    /// The node the rules are for.
    #[serde(default, skip_serializing_if = "NodeBlock::is_default")]
    pub(super) node: NodeBlock,
    /// The services.
    #[serde(default)]
    pub(super) services: Vec<ServiceBlock>,
}

/// The version of the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// The first.
    #[default]
    #[serde(rename = "rulectl/v1")]
    V1,
}

/// What a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// A service map.
    #[default]
    ServiceMap,
}

/// Which node the rules are for, and how it tells the node, pod and service networks apart. Command line flags of the
/// same names replace what stands here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct NodeBlock {
    /// The node's name; endpoints that name it are local.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Name>,
    /// The node's own addresses.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) addresses: OneOrMany<Address>,
    /// The networks nodes are in.
    #[serde(rename = "nodeCIDRs", skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) node_cidrs: OneOrMany<Cidr>,
    /// The networks pods are in; clients outside them are masqueraded.
    #[serde(rename = "podCIDRs", skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) pod_cidrs: OneOrMany<Cidr>,
    /// Bridges that pods are connected to, instead of networks.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) pod_bridges: OneOrMany<Name>,
    /// First letters of the names of interfaces that pods are behind, instead of networks.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) pod_interface_prefixes: OneOrMany<Name>,
    /// The networks that virtual addresses are taken from.
    #[serde(rename = "serviceCIDRs", skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) service_cidrs: OneOrMany<Cidr>,
    /// The zone the node is in; endpoints may be meant for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<Name>,
    /// On which of the node's addresses node ports answer: `primary`, `all`, or networks.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub(super) nodeport_addresses: OneOrMany<String>,
    /// Node ports also answer on 127.0.0.1, if it is among their addresses.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) localhost_nodeports: bool,
    /// Drop what is sent to an address in the service networks that no service has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) drop_unallocated: bool,
    /// Masquerade all traffic to cluster IPs, also that of pods.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) masquerade_all: bool,
    /// The bit of the packet mark that says "masquerade", 0 to 31; 14 if not given. Only the chains layout uses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 31))]
    pub(super) mark_bit: Option<u8>,
    /// Masquerading keeps the client's port where that is free, instead of choosing one at random.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) keep_source_ports: bool,
    /// Source ranges that hold no network of a family let everyone of that family through, as kube-proxy does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) admit_unlisted_families: bool,
    /// How clients are told that nothing answers: `Reset` if not given.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) refusal: RefusalWord,
    /// Drop forwarded packets that belong to no connection conntrack knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) drop_invalid: bool,
    /// How many clients with affinity may be remembered at a time, per family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(super) affinity_size: Option<NonZeroU32>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How clients are told that nothing answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum RefusalWord {
    /// By a reset for TCP, by ICMP for the others.
    #[default]
    Reset,
    /// By ICMP.
    Unreachable,
}

impl From<RefusalWord> for Refusal {
    fn from(word: RefusalWord) -> Self {
        match word {
            RefusalWord::Reset => Self::Reset,
            RefusalWord::Unreachable => Self::Unreachable,
        }
    }
}

impl From<Refusal> for RefusalWord {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Reset => Self::Reset,
            Refusal::Unreachable => Self::Unreachable,
        }
    }
}

impl NodeBlock {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ServiceBlock {
    /// Its name, unique in its namespace.
    name: Name,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Name>,
    /// Virtual addresses for clients inside the cluster.
    #[serde(rename = "clusterIPs", default, skip_serializing_if = "OneOrMany::is_empty")]
    cluster_ips: OneOrMany<Address>,
    /// Virtual addresses for clients outside it.
    #[serde(rename = "externalIPs", default, skip_serializing_if = "OneOrMany::is_empty")]
    external_ips: OneOrMany<Address>,
    /// Virtual addresses that load balancers send to, for clients in the source ranges.
    #[serde(rename = "loadBalancerIPs", default, skip_serializing_if = "OneOrMany::is_empty")]
    load_balancer_ips: OneOrMany<Address>,
    /// Who gets through to the addresses of load balancers: everyone if not given; nobody of a family without a network
    /// here.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    source_ranges: OneOrMany<Cidr>,
    /// At which of the node's addresses its host ports answer; where node ports do if not given.
    #[serde(rename = "hostIPs", default, skip_serializing_if = "OneOrMany::is_empty")]
    host_ips: OneOrMany<Address>,
    /// Which endpoints serve what comes to cluster IPs: `Cluster` if not given.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    internal_traffic: Policy,
    /// Which endpoints serve what comes to other addresses and node ports: `Cluster` if not given.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    external_traffic: Policy,
    /// For how many seconds after its last new connection a client, by its address, is led to the endpoint it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    affinity_seconds: Option<Seconds>,
    /// How one of several endpoints is chosen: `Random` if not given.
    #[serde(default, skip_serializing_if = "is_default")]
    balance: BalanceWord,
    /// The port at which the health of the service on this node is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health_check_node_port: Option<Port>,
    /// Its ports.
    ports: Vec<PortBlock>,
}

/// How one of several endpoints is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum BalanceWord {
    /// By chance, by their weights.
    #[default]
    Random,
    /// In turn, by their weights.
    RoundRobin,
    /// By a hash of the client's address.
    SourceHash,
}

impl From<BalanceWord> for Balance {
    fn from(word: BalanceWord) -> Self {
        match word {
            BalanceWord::Random => Self::Random,
            BalanceWord::RoundRobin => Self::RoundRobin,
            BalanceWord::SourceHash => Self::SourceHash,
        }
    }
}

impl From<Balance> for BalanceWord {
    fn from(balance: Balance) -> Self {
        match balance {
            Balance::Random => Self::Random,
            Balance::RoundRobin => Self::RoundRobin,
            Balance::SourceHash => Self::SourceHash,
        }
    }
}

/// A time to remember something, from a second to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
struct Seconds(u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            seconds @ 1..=Service::LONGEST_AFFINITY => Ok(Self(seconds)),
            seconds => {
                let expected = "seconds from 1 to 86400";
                Err(de::Error::invalid_value(de::Unexpected::Unsigned(seconds.into()), &expected))
            }
        }
    }
}

/// Which endpoints may serve a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Policy {
    /// All.
    #[default]
    Cluster,
    /// Those of this node only. Pods and the node itself are served by all at the addresses for clients outside.
    Local,
}

impl Policy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Policy> for TrafficPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Cluster => Self::Cluster,
            Policy::Local => Self::Local,
        }
    }
}

impl From<TrafficPolicy> for Policy {
    fn from(policy: TrafficPolicy) -> Self {
        match policy {
            TrafficPolicy::Cluster => Self::Cluster,
            TrafficPolicy::Local => Self::Local,
        }
    }
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PortBlock {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Name>,
    /// Its protocol: TCP if not given.
    #[serde(default)]
    #[schemars(with = "ProtocolName")]
    protocol: AnyCase,
    /// The port at the virtual addresses.
    port: Port,
    /// The port at the node's own addresses, in the families of the service's addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_port: Option<Port>,
    /// The port at the node's own addresses that leads to the endpoints on this node: a host port of a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_port: Option<Port>,
    /// Where its connections go. None: they are rejected.
    #[serde(default)]
    endpoints: Vec<EndpointBlock>,
}

/// A transport protocol.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "only its schema is used")]
enum ProtocolName {
    Tcp,
    Udp,
    Sctp,
}

/// A protocol's name in upper or lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct AnyCase(Protocol);

impl<'de> Deserialize<'de> for AnyCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .into_iter()
            .find(|protocol| protocol.keyword().eq_ignore_ascii_case(&word))
            .map(Self)
            .ok_or_else(|| de::Error::unknown_variant(&word, &["TCP", "UDP", "SCTP"]))
    }
}

/// A port number from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Port(u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Port;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 1 to 65535")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port, E> {
                match u16::try_from(number) {
                    Ok(port @ 1..) => Ok(Port(port)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }
        }
        deserializer.deserialize_u64(Number)
    }
}

impl JsonSchema for Port {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": 65535})
    }
}

/// An address of IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Address(pub(super) IpAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "an address, as `10.96.0.10` or `fd00:96::a`";
        text.parse().map(Self).map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &expected))
    }
}

impl JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
    }
}

/// The name of a node, namespace, service, port or interface: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Name(pub(super) String);

/// Whether a text can be a [`Name`]: it stands in comments and is printed, so it must not be just anything.
pub(super) fn is_name(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !text.is_empty() && text.chars().all(letter)
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !is_name(&text) {
            let expected = "a name of letters, digits, `-`, `_` and `.`";
            return Err(de::Error::invalid_value(de::Unexpected::Str(&text), &expected));
        }
        Ok(Self(text))
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9._-]+$"})
    }
}

/// A network, as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(super) struct Cidr(pub(super) IpNet);

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |expected: &str| de::Error::invalid_value(de::Unexpected::Str(&text), &expected);
        match text.parse::<IpNet>() {
            Ok(net) if net == net.trunc() => Ok(Self(net)),
            Ok(net) => Err(wrong(&format!("the network alone: `{}`", net.trunc()))),
            Err(_) => Err(wrong("a network, as `10.0.0.0/8`")),
        }
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cidr".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"})
    }
}

/// An endpoint: `10.244.0.11:8080`, `[fd44::11]:8080`, an address alone (then at the port of the service), or a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointBlock {
    address: IpAddr,
    port: Option<u16>,
    weight: u16,
    node: Option<Arc<str>>,
    terminating: bool,
    hints: Option<Arc<Hints>>,
}

/// An endpoint as a mapping.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndpointFields {
    /// Its address.
    address: Address,
    /// Its port; that of the service if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
    /// How many shares of the connections it gets, at least 1; 1 if not given.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1))]
    weight: u16,
    /// The node it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Name>,
    /// It is about to go, and is used only where no other is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    terminating: bool,
    /// The nodes whose clients it is meant for, if all endpoints say so.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    for_nodes: OneOrMany<Name>,
    /// The zones whose clients it is meant for, if all endpoints say so.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    for_zones: OneOrMany<Name>,
}

fn one() -> u16 {
    1
}

fn is_one(weight: &u16) -> bool {
    *weight == 1
}

impl<'de> Deserialize<'de> for EndpointBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = EndpointBlock;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an endpoint, as `10.244.0.11:8080`, `[fd44::11]:8080`, or `{address: …, port: …}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<EndpointBlock, E> {
                let plain = |address, port| {
                    let Endpoint { weight, node, terminating, hints, .. } = Endpoint::new(address, 0);
                    EndpointBlock { address, port, weight, node, terminating, hints }
                };
                if let Ok(address) = text.parse::<IpAddr>() {
                    return Ok(plain(address, None));
                }
                match text.parse::<SocketAddr>() {
                    // Rust also reads scopes, as in `[fd00::1%2]:80`; the kernel's maps have no place for one.
                    Ok(socket) if socket.port() > 0 && !text.contains('%') => {
                        Ok(plain(socket.ip(), Some(socket.port())))
                    }
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<EndpointBlock, A::Error> {
                let fields = EndpointFields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                if fields.weight == 0 {
                    return Err(de::Error::custom("an endpoint of weight 0 gets nothing: leave it out"));
                }
                let names = |names: OneOrMany<Name>| names.0.into_iter().map(|name| name.0.into()).collect();
                let hints = Hints { nodes: names(fields.for_nodes), zones: names(fields.for_zones) };
                Ok(EndpointBlock {
                    address: fields.address.0,
                    port: fields.port.map(|port| port.0),
                    weight: fields.weight,
                    node: fields.node.map(|it| it.0.into()),
                    terminating: fields.terminating,
                    hints: (hints != Hints::default()).then(|| hints.into()),
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for EndpointBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self { address, port, weight: 1, node: None, terminating: false, hints: None } => match port {
                Some(port) => serializer.collect_str(&SocketAddr::new(*address, *port)),
                None => serializer.collect_str(address),
            },
            _ => self.fields().serialize(serializer),
        }
    }
}

impl EndpointBlock {
    fn fields(&self) -> EndpointFields {
        let name = |name: &Arc<str>| Name(name.to_string());
        let names = |of: fn(&Hints) -> &[Arc<str>]| {
            OneOrMany(self.hints.as_deref().into_iter().flat_map(of).map(name).collect())
        };
        EndpointFields {
            address: Address(self.address),
            port: self.port.map(Port),
            weight: self.weight,
            node: self.node.as_ref().map(name),
            terminating: self.terminating,
            for_nodes: names(|hints| &hints.nodes),
            for_zones: names(|hints| &hints.zones),
        }
    }
}

impl JsonSchema for EndpointBlock {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Endpoint".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<EndpointFields>();
        json_schema!({
            "description": "An endpoint: `10.244.0.11:8080`, `[fd44::11]:8080`, an address alone (then at the port of the service), or a mapping.",
            "anyOf": [{"type": "string"}, fields]
        })
    }
}

/// Values of which one may stand without a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T> OneOrMany<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }
            fn visit_unit<E: de::Error>(self) -> Result<OneOrMany<T>, E> {
                Ok(OneOrMany::default())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|value| OneOrMany(vec![value]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany<T>, A::Error> {
                let mut values = Vec::with_capacity(items.size_hint().unwrap_or_default());
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(OneOrMany(values))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

impl ServiceBlock {
    /// The service it says, without ports; the same address twice is once.
    pub(super) fn into_service(self) -> Service {
        let unique = |addresses: OneOrMany<Address>| -> Vec<IpAddr> {
            let mut seen = BTreeSet::new();
            addresses.0.into_iter().map(|address| address.0).filter(|address| seen.insert(*address)).collect()
        };
        let namespace = self.namespace.map_or_else(String::new, |namespace| namespace.0);
        Service {
            name: ServiceName::new(&namespace, &self.name.0),
            cluster_ips: unique(self.cluster_ips),
            external_ips: unique(self.external_ips),
            load_balancer_ips: unique(self.load_balancer_ips),
            source_ranges: self.source_ranges.0.into_iter().map(|range| range.0).collect(),
            host_ips: unique(self.host_ips),
            internal_traffic: self.internal_traffic.into(),
            external_traffic: self.external_traffic.into(),
            affinity: self.affinity_seconds.map(|seconds| seconds.0),
            balance: self.balance.into(),
            health_check_node_port: self.health_check_node_port.map(|port| port.0),
            ports: Vec::new(),
        }
    }
}

impl PortBlock {
    /// The port at the virtual addresses.
    pub(super) fn number(&self) -> u16 {
        self.port.0
    }

    /// The port it says, without endpoints.
    pub(super) fn into_port(self) -> ServicePort {
        let Self { name, protocol: AnyCase(protocol), port: Port(port), node_port, host_port, endpoints: _ } = self;
        let number = |port: Option<Port>| port.map(|port| port.0);
        let (name, node_port, host_port) = (name.map(|name| name.0.into()), number(node_port), number(host_port));
        ServicePort { name, protocol, port, node_port, host_port, endpoints: Vec::new() }
    }
}

impl EndpointBlock {
    /// The endpoint it says, at that port if it names none.
    pub(super) fn into_endpoint(self, default: u16) -> Endpoint {
        let Self { address, port, weight, node, terminating, hints } = self;
        Endpoint { address, port: port.unwrap_or(default), weight, node, terminating, hints }
    }
}

impl From<&ServiceMap> for MapDocument {
    fn from(map: &ServiceMap) -> Self {
        Self {
            api_version: ApiVersion::V1,
            kind: Kind::ServiceMap,
            node: NodeBlock::from(&map.node),
            services: map.services.iter().map(ServiceBlock::from).collect(),
        }
    }
}

impl From<&NodeSettings> for NodeBlock {
    fn from(node: &NodeSettings) -> Self {
        let cidrs = |networks: &[IpNet]| OneOrMany(networks.iter().copied().map(Cidr).collect());
        Self {
            name: node.name.clone().map(Name),
            addresses: addresses(&node.addresses),
            node_cidrs: cidrs(&node.node_cidrs),
            pod_cidrs: cidrs(&node.pod_cidrs),
            pod_bridges: OneOrMany(node.pod_bridges.iter().cloned().map(Name).collect()),
            pod_interface_prefixes: OneOrMany(node.pod_interface_prefixes.iter().cloned().map(Name).collect()),
            service_cidrs: cidrs(&node.service_cidrs),
            zone: node.zone.clone().map(Name),
            localhost_nodeports: node.localhost_nodeports,
            drop_unallocated: node.drop_unallocated,
            nodeport_addresses: OneOrMany(match &node.nodeport_addresses {
                NodePortAddresses::Primary => Vec::new(),
                NodePortAddresses::All => vec!["all".to_owned()],
                NodePortAddresses::Cidrs(networks) => networks.iter().map(ToString::to_string).collect(),
            }),
            masquerade_all: node.masquerade_all,
            mark_bit: (node.mark_bit != NodeSettings::default().mark_bit).then_some(node.mark_bit),
            keep_source_ports: node.keep_source_ports,
            admit_unlisted_families: node.admit_unlisted_families,
            refusal: node.refusal.into(),
            drop_invalid: node.drop_invalid,
            affinity_size: node.affinity_size.and_then(NonZeroU32::new),
        }
    }
}

impl From<&Service> for ServiceBlock {
    fn from(service: &Service) -> Self {
        let endpoint = |endpoint: &Endpoint| EndpointBlock {
            address: endpoint.address,
            port: Some(endpoint.port),
            weight: endpoint.weight,
            node: endpoint.node.clone(),
            terminating: endpoint.terminating,
            hints: endpoint.hints.clone(),
        };
        let port = |port: &ServicePort| PortBlock {
            name: port.name.as_deref().map(|name| Name(name.to_owned())),
            protocol: AnyCase(port.protocol),
            port: Port(port.port),
            node_port: port.node_port.map(Port),
            host_port: port.host_port.map(Port),
            endpoints: port.endpoints.iter().map(endpoint).collect(),
        };
        Self {
            name: Name(service.name.name.to_string()),
            namespace: Some(&service.name.namespace).filter(|it| !it.is_empty()).map(|it| Name(it.to_string())),
            cluster_ips: addresses(&service.cluster_ips),
            external_ips: addresses(&service.external_ips),
            load_balancer_ips: addresses(&service.load_balancer_ips),
            source_ranges: OneOrMany(service.source_ranges.iter().copied().map(Cidr).collect()),
            host_ips: addresses(&service.host_ips),
            internal_traffic: service.internal_traffic.into(),
            external_traffic: service.external_traffic.into(),
            affinity_seconds: service.affinity.map(Seconds),
            balance: service.balance.into(),
            health_check_node_port: service.health_check_node_port.map(Port),
            ports: service.ports.iter().map(port).collect(),
        }
    }
}

fn addresses(addresses: &[IpAddr]) -> OneOrMany<Address> {
    OneOrMany(addresses.iter().copied().map(Address).collect())
}
