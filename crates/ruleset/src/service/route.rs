//! What becomes of a new connection at a frontend: the one place where that is decided, for all layouts.

use ipnet::IpNet;

use crate::ir::Family;

use super::frontend::{Claim, Reach, family_of};
use super::target::Targets;
use super::usable::{Where, usable};
use super::{Balance, Endpoint, NodeSettings, TrafficPolicy};

/// What becomes of a new connection at a frontend, and which endpoints there are for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// What is done.
    pub handling: Handling,
    /// The endpoints of [`Lead::Anywhere`].
    pub anywhere: Targets,
    /// The endpoints of [`Lead::Here`]; empty where nothing leads there.
    pub here: Targets,
}

/// What is done with a new connection at a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handling {
    /// Who gets through, as networks without overlaps; what others send is dropped. `None`: everyone.
    pub ranges: Option<Vec<IpNet>>,
    /// Who is masqueraded.
    pub masquerade: Masquerade,
    /// Where connections of pods and of the node itself go.
    pub inside: Lead,
    /// Where the connections of all others go.
    pub outside: Lead,
    /// How one of several endpoints is chosen.
    pub balance: Balance,
    /// For how many seconds a client is led to the endpoint it had.
    pub affinity: Option<u32>,
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lead {
    /// To any endpoint.
    Anywhere,
    /// To an endpoint on this node.
    Here,
    /// Nowhere, and the client is told: there is no endpoint at all.
    Refuse,
    /// Nowhere, and the client is not told: there are endpoints, but it must not get to them from here. It may try
    /// again and be led to another node.
    Drop,
}

/// Whose connections get the node's address as source. An endpoint that is led to itself always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Masquerade {
    /// Clients outside the pod networks: the frontend is at a cluster IP.
    Outsiders,
    /// Everyone: the endpoint may be on another node, and its answers must come back this way.
    Everyone,
    /// The node itself: all others that are led to other nodes are pods.
    Node,
}

impl Route {
    /// What becomes of connections at the frontend of a claim.
    pub(super) fn of(claim: &Claim<'_>, node: &NodeSettings) -> Self {
        let family = claim.frontend.family();
        let endpoints: Vec<&Endpoint> =
            claim.port.endpoints.iter().filter(|endpoint| family_of(endpoint.address) == family).collect();
        let targets = |place| Targets::of(&usable(&endpoints, place, node), node.name.as_deref());
        let policy = match claim.reach {
            Reach::Cluster => claim.service.internal_traffic,
            Reach::External if claim.host => TrafficPolicy::Cluster,
            Reach::External => claim.service.external_traffic,
        };
        // Behind a host port there is nothing but what is here.
        let anywhere = targets(if claim.host { Where::Here } else { Where::Anywhere });
        let here = if policy == TrafficPolicy::Local { targets(Where::Here) } else { Targets::default() };
        let local = if here.slots.is_empty() { Lead::Drop } else { Lead::Here };
        let (inside, outside) = match (claim.reach, policy) {
            _ if anywhere.slots.is_empty() => (Lead::Refuse, Lead::Refuse),
            (_, TrafficPolicy::Cluster) => (Lead::Anywhere, Lead::Anywhere),
            (Reach::Cluster, TrafficPolicy::Local) => (local, local),
            (Reach::External, TrafficPolicy::Local) => (Lead::Anywhere, local),
        };
        let masquerade = match (claim.reach, policy) {
            (Reach::Cluster, _) => Masquerade::Outsiders,
            _ if claim.host => Masquerade::Node,
            (Reach::External, TrafficPolicy::Cluster) => Masquerade::Everyone,
            (Reach::External, TrafficPolicy::Local) => Masquerade::Node,
        };
        let ranges = if claim.restricted { source_ranges(claim, node, family) } else { None };
        // A host port has its endpoint, and no memory to fill.
        let affinity = claim.service.affinity.filter(|_| !claim.host && !anywhere.slots.is_empty());
        let balance = claim.service.balance;
        Self { handling: Handling { ranges, masquerade, inside, outside, balance, affinity }, anywhere, here }
    }
}

impl Handling {
    /// Where all connections go, if it is the same for all.
    pub(super) fn same_for_all(&self) -> Option<Lead> {
        (self.inside == self.outside).then_some(self.inside)
    }
}

/// Who gets through to a frontend with source ranges; `None` if that is everyone.
///
/// Where an address of the node is among them, so are the addresses of the load balancer: the node may have them too,
/// and then they are what it connects to itself from.
pub(super) fn source_ranges(claim: &Claim<'_>, node: &NodeSettings, family: Family) -> Option<Vec<IpNet>> {
    let given = &claim.service.source_ranges;
    if given.is_empty() {
        return None;
    }
    let mut ranges: Vec<IpNet> = given.iter().filter(|range| family_of(range.addr()) == family).copied().collect();
    if ranges.is_empty() && node.admit_unlisted_families {
        return None;
    }
    if ranges.iter().any(|range| range.prefix_len() == 0) {
        return None;
    }
    if node.addresses.iter().any(|address| ranges.iter().any(|range| range.contains(address))) {
        let own = claim.service.load_balancer_ips.iter().filter(|address| family_of(**address) == family);
        ranges.extend(own.map(|address| IpNet::from(*address)));
    }
    Some(IpNet::aggregate(&ranges))
}
