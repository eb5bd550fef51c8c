//! The chains of one family as data, before any language.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::ir::Family;
use crate::service::frontend::{Claim, Frontend, Reach};
use crate::service::pods::{pod_cidrs, pod_interfaces, tells_pods};
use crate::service::report::port_findings;
use crate::service::route::{Lead, Route};
use crate::service::target::Target;
use crate::service::{Finding, FindingKind, NodeSettings, Protocol, ServiceName, ServicePort, Severity};

/// What the chains of one family are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChainsLayout {
    /// The family: `ip` or `ip6`.
    pub family: Family,
    /// The bit of the packet mark that says "masquerade".
    pub mark: u32,
    /// Which clients of cluster IPs are masqueraded.
    pub outside: Outside,
    /// Virtual addresses that are ours as a whole.
    pub cluster_ips: BTreeSet<IpAddr>,
    /// The service ports that have endpoints, in the order of their identity.
    pub services: Vec<ServiceChain>,
    /// The frontends of service ports that have none, in their order.
    pub refused: Vec<Refused>,
}

/// How clients outside the pod networks are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// Everyone is masqueraded.
    Everyone,
    /// Nobody tells: no one is masqueraded.
    Unknown,
    /// All but these.
    AllBut {
        /// Networks of pods, of the family.
        cidrs: Vec<IpNet>,
        /// Interfaces pods are behind; those that end in `*` are starts of names.
        interfaces: Vec<String>,
    },
}

/// The chain of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceChain {
    /// What it is for.
    pub identity: Identity,
    /// Where it answers.
    pub frontends: Vec<(Frontend, Reach)>,
    /// Its endpoints' chains, by address and port.
    pub endpoints: Vec<EndpointChain>,
    /// The sum of their shares.
    pub shares: u32,
}

/// The chain of an endpoint of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointChain {
    /// Its address and port.
    pub address: SocketAddr,
    /// How many of the service port's connections it gets, of all shares.
    pub share: u32,
    /// What tells it from every other endpoint's chain.
    pub hash: ChainHash,
}

/// A frontend whose service port has no endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The frontend.
    pub frontend: Frontend,
    /// What it is for.
    pub identity: Identity,
}

/// What a service port is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// `namespace/name`, or the name alone.
    pub service: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port's name, or its number.
    pub port_name: String,
    /// What tells it from every other service port's chain.
    pub hash: ChainHash,
}

impl Identity {
    fn of(claim: &Claim<'_>) -> Self {
        let ServicePort { name, protocol, port, .. } = claim.port;
        let ServiceName { namespace, name: service_name } = &claim.service.name;
        Self {
            hash: ChainHash::of(&format!("{namespace}\0{service_name}\0{protocol}\0{port}")),
            service: claim.service.name.to_string(),
            protocol: *protocol,
            port_name: name.as_ref().map_or_else(|| port.to_string(), ToString::to_string),
        }
    }

    /// `namespace/name:port`, for people.
    pub(super) fn label(&self) -> String {
        format!("{}:{}", self.service, self.port_name)
    }
}

/// 80 bits of a SHA-256, as 16 upper-case characters of base 32 (RFC 4648).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChainHash(String);

impl ChainHash {
    fn of(text: &str) -> Self {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits = Sha256::digest(text)[..10].iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |at: u32| char::from(ALPHABET[(bits >> (75 - 5 * at)) as usize & 31]);
        Self((0..16).map(digit).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ChainsLayout {
    /// The chains for those of the claims that are of `family`; what is wrong with them joins `findings`.
    pub(super) fn of(node: &NodeSettings, claims: &[Claim<'_>], family: Family, findings: &mut Vec<Finding>) -> Self {
        let mut layout = Self {
            family,
            mark: 1_u32.checked_shl(node.mark_bit.into()).unwrap_or(1 << 31),
            outside: Outside::of(node, family),
            cluster_ips: BTreeSet::new(),
            services: Vec::new(),
            refused: Vec::new(),
        };
        let mut chains: BTreeMap<_, Option<ServiceChain>> = BTreeMap::new();
        for claim in claims.iter().filter(|claim| claim.frontend.family() == family) {
            if !is_held(claim, node) {
                findings.push(not_held(claim));
                continue;
            }
            let key = (&claim.service.name, claim.frontend.protocol, claim.frontend.port);
            let chain = chains.entry(key).or_insert_with(|| {
                let route = Route::of(claim, node);
                findings.extend(port_findings(claim, &route.anywhere, &route.here));
                ServiceChain::of(claim, &route.anywhere.slots)
            });
            let reach = claim.reach;
            if reach == Reach::Cluster {
                layout.cluster_ips.insert(claim.frontend.address);
            }
            match chain {
                Some(chain) => chain.frontends.push((claim.frontend, reach)),
                None => layout.refused.push(Refused { frontend: claim.frontend, identity: Identity::of(claim) }),
            }
        }
        layout.services = chains.into_values().flatten().collect();
        layout
    }
}

/// Whether the layout has chains for what a claim asks for.
fn is_held(claim: &Claim<'_>, node: &NodeSettings) -> bool {
    let handling = Route::of(claim, node).handling;
    let everywhere = matches!(handling.same_for_all(), Some(Lead::Anywhere | Lead::Refuse));
    !claim.frontend.is_node_port() && handling.ranges.is_none() && everywhere
}

fn not_held(claim: &Claim<'_>) -> Finding {
    Finding {
        severity: Severity::Warning,
        kind: FindingKind::NotSupported,
        subject: format!("service {}", claim.service.name),
        message: format!("{}: not supported in the chains layout: it does not answer", claim.frontend),
    }
}

impl Outside {
    fn of(node: &NodeSettings, family: Family) -> Self {
        if node.masquerade_all {
            return Self::Everyone;
        }
        if !tells_pods(node, family) {
            return Self::Unknown;
        }
        Self::AllBut { cidrs: pod_cidrs(node, family), interfaces: pod_interfaces(node).0 }
    }
}

impl ServiceChain {
    /// The chain of the service port that claims, for endpoints in those slots; `None` for none.
    fn of(claim: &Claim<'_>, slots: &[Target]) -> Option<Self> {
        let mut shares: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        for target in slots {
            *shares.entry(SocketAddr::new(target.address, target.port)).or_default() += 1;
        }
        let identity = Identity::of(claim);
        let chain = |(address, share): (SocketAddr, u32)| EndpointChain {
            address,
            share,
            hash: ChainHash::of(&format!("{}\0{address}", identity.hash.as_str())),
        };
        let endpoints: Vec<_> = shares.into_iter().map(chain).collect();
        let shares = endpoints.iter().map(|endpoint| endpoint.share).sum();
        (shares > 0).then(|| Self { identity, frontends: Vec::new(), endpoints, shares })
    }

    /// Whether a client inside the cluster can come.
    pub(super) fn has_cluster_ip(&self) -> bool {
        self.frontends.iter().any(|(_, reach)| *reach == Reach::Cluster)
    }

    /// Whether a client outside it can come.
    pub(super) fn has_external_ip(&self) -> bool {
        self.frontends.iter().any(|(_, reach)| *reach == Reach::External)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_base_32_of_sha_256() {
        // `printf a | sha256sum | xxd -r -p | base32 | cut -c-16`
        assert_eq!(ChainHash::of("a").as_str(), "ZKLYCEWKDO64V6WC");
    }
}
