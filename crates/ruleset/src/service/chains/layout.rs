//! The chains of one family as data, before any language.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::ir::Family;
use crate::service::frontend::{Claim, Frontend, Reach, family_of};
use crate::service::node_ports::Answering;
use crate::service::pods::{pod_cidrs, pod_interfaces, tells_pods};
use crate::service::report::port_findings;
use crate::service::route::{Handling, Lead, Masquerade, Route};
use crate::service::target::Target;
use crate::service::{Balance, Finding, NodeSettings};

use super::names::{ChainHash, Identity, Names};

/// What the chains of one family are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChainsLayout {
    /// The family: `ip` or `ip6`.
    pub family: Family,
    /// The bit of the packet mark that says "masquerade".
    pub mark: u32,
    /// Which clients of cluster IPs are masqueraded.
    pub outside: Outside,
    /// How pods are told.
    pub pods: Pods,
    /// Where node ports answer, if they do.
    pub node_ports: Option<Answering>,
    /// Virtual addresses that are ours as a whole.
    pub cluster_ips: BTreeSet<IpAddr>,
    /// Networks in which what is sent to addresses of no service is dropped.
    pub unallocated: Vec<IpNet>,
    /// What is not the same on every node.
    pub node: NodeSettings,
    /// The service ports, in the order of their names.
    pub services: Vec<ServiceChains>,
}

/// How pods are told from other clients: one of these is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pods {
    /// Networks of pods, of the family.
    pub cidrs: Vec<IpNet>,
    /// Interfaces pods are behind; those that end in `*` are starts of names.
    pub interfaces: Vec<String>,
}

/// Which clients of cluster IPs count as outside the pod networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// Everyone is masqueraded.
    Everyone,
    /// Nobody tells: no one is masqueraded.
    Unknown,
    /// All but pods.
    AllButPods,
}

/// The chains of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceChains {
    /// What it is for.
    pub identity: Identity,
    /// Where it answers, and what becomes of connections there.
    pub frontends: Vec<(Frontend, Entry)>,
    /// What becomes of connections of clients outside the cluster, if some are translated.
    pub external: Option<Handling>,
    /// What becomes of connections to its host port, if they are translated.
    pub host: Option<Handling>,
    /// For how many seconds a client is led to the endpoint it had.
    pub affinity: Option<u32>,
    /// How an endpoint is chosen for the others.
    pub balance: Balance,
    /// Who gets through to the frontends that are restricted.
    pub ranges: Vec<IpNet>,
    /// All endpoints' chains, by address and port.
    pub endpoints: Vec<EndpointChain>,
    /// The choice among the endpoints anywhere, if something leads there.
    pub anywhere: Option<Choice>,
    /// The choice among those on this node, if something leads there.
    pub here: Option<Choice>,
}

/// What a frontend leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whether only clients in the source ranges get through.
    pub restricted: bool,
    /// Where those that get through go.
    pub gate: Gate,
}

/// The first chain behind a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// For clients inside the cluster: an endpoint, or none.
    Internal(Lead),
    /// For clients outside it: by who they are to an endpoint; the others as that says.
    External(Lead),
    /// For a host port: an endpoint on this node.
    Host,
    /// None: no endpoint may be reached by anybody.
    Closed(Lead),
}

impl Entry {
    /// What becomes of packets at the frontend that get through and are not led to an endpoint: `None` if all are.
    pub(super) fn left_over(self) -> Option<Lead> {
        match self.gate {
            Gate::Internal(lead) | Gate::External(lead) | Gate::Closed(lead) => {
                matches!(lead, Lead::Refuse | Lead::Drop).then_some(lead)
            }
            Gate::Host => None,
        }
    }
}

/// Endpoints and their shares of the connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The endpoints, by their place in [`ServiceChains::endpoints`], and how many of all shares each gets.
    pub shares: Vec<(usize, u32)>,
    /// The sum of the shares.
    pub total: u32,
    /// Cluster IPs that lead here: their clients are masqueraded if they are outside the pod networks.
    pub cluster_ips: Vec<IpAddr>,
}

/// The chain of an endpoint of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointChain {
    /// Its address and port.
    pub address: SocketAddr,
    /// Whether it can be its own client: it is, or may be, on this node.
    pub here: bool,
    /// What tells it from every other endpoint's chain.
    pub hash: ChainHash,
}

impl ChainsLayout {
    /// The chains for those of the claims that are of `family`; what is wrong with them joins `findings`.
    pub(super) fn of(node: &NodeSettings, claims: &[Claim<'_>], family: Family, findings: &mut Vec<Finding>) -> Self {
        let mut layout = Self {
            family,
            mark: 1_u32.checked_shl(node.mark_bit.into()).unwrap_or(1 << 31),
            outside: Outside::of(node, family),
            pods: Pods { cidrs: pod_cidrs(node, family), interfaces: pod_interfaces(node).0 },
            node_ports: Answering::of(node, family),
            cluster_ips: BTreeSet::new(),
            unallocated: unallocated(node, family),
            node: node.clone(),
            services: Vec::new(),
        };
        let mut ports: BTreeMap<_, Vec<&Claim<'_>>> = BTreeMap::new();
        for claim in claims.iter().filter(|claim| claim.frontend.family() == family) {
            if claim.reach == Reach::Cluster {
                layout.cluster_ips.insert(claim.frontend.address);
            }
            // Two ports may have one name and number; they then have different node ports.
            let port = claim.port;
            let key = (&claim.service.name, port.protocol, port.port, &port.name, port.node_port);
            ports.entry(key).or_default().push(claim);
        }
        let mut names = Names::new();
        layout.services = ports.into_values().map(|claims| port_chains(&claims, node, &mut names, findings)).collect();
        layout
    }
}

/// The networks in which what is sent to addresses of no service is dropped.
fn unallocated(node: &NodeSettings, family: Family) -> Vec<IpNet> {
    let of_family = |net: &&IpNet| node.drop_unallocated && family_of(net.addr()) == family;
    IpNet::aggregate(&node.service_cidrs.iter().filter(of_family).copied().collect())
}

impl Outside {
    fn of(node: &NodeSettings, family: Family) -> Self {
        match node.masquerade_all {
            true => Self::Everyone,
            false if tells_pods(node, family) => Self::AllButPods,
            false => Self::Unknown,
        }
    }
}

/// The chains of the service port that makes those claims, of which there is at least one.
fn port_chains(
    claims: &[&Claim<'_>],
    node: &NodeSettings,
    names: &mut Names,
    findings: &mut Vec<Finding>,
) -> ServiceChains {
    let mut chains = ServiceChains::new(claims[0], names);
    for claim in claims {
        let route = route(claim, node);
        if !claim.host {
            findings.extend(port_findings(claim, &route.anywhere, &route.here));
        }
        let entry = Entry::of(&route.handling, claim.host);
        let cluster_ip = matches!(entry.gate, Gate::Internal(_)).then_some(claim.frontend.address);
        for lead in BTreeSet::from([route.handling.inside, route.handling.outside]) {
            chains.lead(lead, &route, names, cluster_ip);
        }
        let handling = || Some(Handling { ranges: None, ..route.handling.clone() });
        match entry.gate {
            Gate::External(_) => chains.external = handling(),
            Gate::Host => chains.host = handling(),
            Gate::Internal(_) | Gate::Closed(_) => {}
        }
        chains.ranges.extend(route.handling.ranges.into_iter().flatten());
        chains.frontends.push((claim.frontend, entry));
    }
    chains.ranges = IpNet::aggregate(&chains.ranges);
    chains
}

/// What becomes of connections at the frontend of a claim. Behind a host port there is nothing but what is here.
fn route(claim: &Claim<'_>, node: &NodeSettings) -> Route {
    let mut route = Route::of(claim, node);
    if claim.host {
        std::mem::swap(&mut route.anywhere, &mut route.here);
        for lead in [&mut route.handling.inside, &mut route.handling.outside] {
            *lead = if *lead == Lead::Anywhere { Lead::Here } else { *lead };
        }
    }
    route
}

impl Entry {
    fn of(handling: &Handling, host: bool) -> Self {
        let gate = match (handling.same_for_all(), handling.masquerade) {
            (Some(lead @ (Lead::Refuse | Lead::Drop)), _) => Gate::Closed(lead),
            _ if host => Gate::Host,
            (Some(lead), Masquerade::Outsiders) => Gate::Internal(lead),
            _ => Gate::External(handling.outside),
        };
        Self { restricted: handling.ranges.is_some(), gate }
    }
}

impl ServiceChains {
    fn new(claim: &Claim<'_>, names: &mut Names) -> Self {
        Self {
            identity: Identity::of(claim, names),
            frontends: Vec::new(),
            external: None,
            host: None,
            affinity: claim.service.affinity,
            balance: claim.service.balance,
            ranges: Vec::new(),
            endpoints: Vec::new(),
            anywhere: None,
            here: None,
        }
    }

    /// Has the choice that a frontend leads to, if it leads to one; and the frontend's address there if that is a
    /// cluster IP.
    fn lead(&mut self, lead: Lead, route: &Route, names: &mut Names, cluster_ip: Option<IpAddr>) {
        let targets = match lead {
            Lead::Anywhere => &route.anywhere,
            Lead::Here => &route.here,
            Lead::Refuse | Lead::Drop => return,
        };
        let made = self.chosen(lead).take();
        let mut choice = made.unwrap_or_else(|| self.choice(&targets.slots, names));
        choice.cluster_ips.extend(cluster_ip);
        *self.chosen(lead) = Some(choice);
    }

    fn chosen(&mut self, lead: Lead) -> &mut Option<Choice> {
        if lead == Lead::Here { &mut self.here } else { &mut self.anywhere }
    }

    /// A choice among endpoints in those slots; those that are new get chains.
    fn choice(&mut self, slots: &[Target], names: &mut Names) -> Choice {
        let mut targets: BTreeMap<SocketAddr, (u32, bool)> = BTreeMap::new();
        for target in slots {
            let (share, here) = targets.entry(SocketAddr::new(target.address, target.port)).or_default();
            *share += 1;
            *here |= target.here;
        }
        // There are two choices: when the second is made, those of the first are here, in order.
        let known = self.endpoints.len();
        let mut shares = Vec::with_capacity(targets.len());
        for (address, (share, here)) in targets {
            let found = self.endpoints[..known].binary_search_by_key(&address, |endpoint| endpoint.address);
            shares.push((found.unwrap_or(self.endpoints.len()), share));
            if found.is_err() {
                let hash = self.identity.endpoint(address, names);
                self.endpoints.push(EndpointChain { address, here, hash });
            }
        }
        Choice { total: shares.iter().map(|(_, share)| share).sum(), shares, cluster_ips: Vec::new() }
    }

    /// The endpoints of a choice, with their shares.
    pub(super) fn among<'a>(&'a self, choice: &'a Choice) -> impl Iterator<Item = (&'a EndpointChain, u32)> {
        choice.shares.iter().map(|(at, share)| (&self.endpoints[*at], *share))
    }

    /// Whether a frontend leads to its chain for clients in the source ranges.
    pub(super) fn is_restricted(&self) -> bool {
        self.frontends.iter().any(|(_, entry)| entry.restricted)
    }
}
