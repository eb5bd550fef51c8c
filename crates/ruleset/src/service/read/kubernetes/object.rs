//! The objects, with the fields that concern us. The API's own reference says what each means.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// What a field holds that may also be `null`: nothing, then.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// v1 Service.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Service {
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: ServiceSpec,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: ServiceStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs", deserialize_with = "or_default")]
    pub(super) cluster_ips: Vec<String>,
    #[serde(rename = "externalIPs", deserialize_with = "or_default")]
    pub(super) external_ips: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<ServicePort>,
    pub(super) session_affinity: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) session_affinity_config: SessionAffinityConfig,
    pub(super) internal_traffic_policy: Option<String>,
    pub(super) external_traffic_policy: Option<String>,
    pub(super) traffic_distribution: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) load_balancer_source_ranges: Vec<String>,
    pub(super) health_check_node_port: Option<u16>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SessionAffinityConfig {
    #[serde(rename = "clientIP", deserialize_with = "or_default")]
    pub(super) client_ip: ClientIpConfig,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientIpConfig {
    pub(super) timeout_seconds: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
    pub(super) protocol: Option<String>,
    pub(super) port: u16,
    pub(super) node_port: Option<u16>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) load_balancer: LoadBalancerStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoadBalancerStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) ingress: Vec<LoadBalancerIngress>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LoadBalancerIngress {
    pub(super) ip: Option<String>,
    pub(super) ip_mode: Option<String>,
}

/// discovery.k8s.io/v1 EndpointSlice.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSlice {
    pub(super) metadata: Metadata,
    pub(super) address_type: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) endpoints: Vec<SliceEndpoint>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ports: Vec<SlicePort>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliceEndpoint {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) addresses: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) conditions: Conditions,
    pub(super) node_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) hints: Hints,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Conditions {
    pub(super) ready: Option<bool>,
    pub(super) serving: Option<bool>,
    pub(super) terminating: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Hints {
    #[serde(deserialize_with = "or_default")]
    pub(super) for_zones: Vec<Hint>,
    #[serde(deserialize_with = "or_default")]
    pub(super) for_nodes: Vec<Hint>,
}

/// A zone or node an endpoint is meant for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Hint {
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct SlicePort {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
    pub(super) protocol: Option<String>,
    /// None: all ports, which no service means.
    pub(super) port: Option<u16>,
}

/// v1 Node.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Node {
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: NodeSpec,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeSpec {
    #[serde(rename = "podCIDR")]
    pub(super) pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs", deserialize_with = "or_default")]
    pub(super) pod_cidrs: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) addresses: Vec<NodeAddress>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeAddress {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) address: String,
}

impl Node {
    /// Its addresses, the internal ones first, as kube-proxy takes them; what is none goes to `wrong`.
    pub(super) fn addresses(&self, wrong: &mut Vec<String>) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for kind in ["InternalIP", "ExternalIP"] {
            for address in self.status.addresses.iter().filter(|address| address.kind == kind) {
                match address.address.parse() {
                    Ok(address) if addresses.contains(&address) => {}
                    Ok(address) => addresses.push(address),
                    Err(_) => wrong.push(address.address.clone()),
                }
            }
        }
        addresses
    }

    /// The networks of its pods; what is none goes to `wrong`.
    pub(super) fn pod_cidrs(&self, wrong: &mut Vec<String>) -> Vec<IpNet> {
        // The singular is there for old readers and repeats the first of the plural.
        let single = self.spec.pod_cidr.iter().filter(|text| self.spec.pod_cidrs.is_empty() && !text.is_empty());
        let mut nets = Vec::new();
        for text in self.spec.pod_cidrs.iter().chain(single) {
            match text.parse::<IpNet>() {
                Ok(net) => nets.push(net.trunc()),
                Err(_) => wrong.push(text.clone()),
            }
        }
        nets
    }
}

/// networking.k8s.io/v1 ServiceCIDR.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ServiceCidr {
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) spec: ServiceCidrSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceCidrSpec {
    #[serde(deserialize_with = "or_default")]
    pub(super) cidrs: Vec<String>,
}
