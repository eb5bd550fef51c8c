//! The sets that services fill, and what in them is of frontends at addresses or of node ports.

use crate::ir::{ChainName, SetName};

use super::super::route::Lead;
use super::super::{Balance, Frontend};
use super::skeleton::chain_name;

macro_rules! filled {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A set that services fill, in the order of their declaration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Filled {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Filled {
            /// All of them.
            pub(super) const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Its name.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

filled! {
    /// Frontends to verdicts: `daddr . meta l4proto . th dport : verdict`.
    Services = "services",
    /// Slots to endpoints: `daddr . meta l4proto . th dport . numgen random mod 2 : daddr . th dport`.
    Endpoints = "endpoints",
    /// The same for endpoints of this node, where only those are meant.
    LocalEndpoints = "local-endpoints",
    /// Node ports to verdicts: `meta l4proto . th dport : verdict`.
    Nodeports = "nodeports",
    /// Slots to endpoints of node ports.
    NodeportEndpoints = "nodeport-endpoints",
    /// The same for endpoints of this node.
    LocalNodeportEndpoints = "nodeport-local-endpoints",
    /// Where a frontend with source ranges goes on, for clients in them.
    RestrictedServices = "restricted-services",
    /// Frontends with their source ranges: `daddr . meta l4proto . th dport . saddr`.
    SourceRanges = "source-ranges",
    /// Where frontends of the policy Local go on for clients outside the cluster.
    LocalServices = "local-services",
    /// Where frontends of the policy Local go on for pods and the node itself.
    ShortCircuits = "short-circuits",
    /// Where node ports of the policy Local go on for clients outside the cluster.
    LocalNodeports = "local-nodeports",
    /// Where node ports of the policy Local go on for pods and the node itself.
    NodeportShortCircuits = "nodeport-short-circuits",
    /// Virtual addresses that are ours as a whole: what no service answers there is refused.
    ClusterIps = "cluster-ips",
    /// Frontends whose traffic is masqueraded, and how.
    MasqueradeServices = "masquerade-services",
    /// Node ports whose traffic is masqueraded, and how.
    MasqueradeNodeports = "masquerade-nodeports",
    /// Where frontends with affinity go on for clients they have no memory of.
    StickyServices = "sticky-services",
    /// Where node ports with affinity go on for clients they have no memory of.
    StickyNodeports = "sticky-nodeports",
    /// Frontends with affinity to the chain that remembers for as long as they ask.
    AffinityRecords = "affinity-records",
    /// Node ports with affinity to the chain that remembers.
    AffinityNodeports = "affinity-nodeports",
    /// Frontends with affinity with their endpoints: whom a memory may name. `daddr . meta l4proto . th dport . daddr .
    /// th dport`.
    StickyMembers = "sticky-members",
    /// The same for node ports.
    StickyNodeportMembers = "sticky-nodeport-members",
    /// Endpoints of this node as clients of themselves: `saddr . daddr . meta l4proto . th dport`.
    Hairpin = "hairpin",
}

impl Filled {
    /// Its name in a table.
    pub(super) fn set_name(self) -> SetName {
        SetName::new(self.name()).expect("the names of this layout are short words")
    }
}

/// What kind of frontend: each has maps and chains of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// At a virtual address.
    Address,
    /// At the node's own addresses, which are no part of the keys.
    NodePort,
}

impl Site {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Address, Self::NodePort];

    /// That of a frontend.
    pub(super) fn of(frontend: &Frontend) -> Self {
        if frontend.is_node_port() { Self::NodePort } else { Self::Address }
    }

    /// From frontends to their first verdicts.
    pub(super) fn services(self) -> Filled {
        self.choose(Filled::Services, Filled::Nodeports)
    }

    /// From frontends to the verdicts for clients outside the cluster, if those for others are different.
    pub(super) fn local(self) -> Filled {
        self.choose(Filled::LocalServices, Filled::LocalNodeports)
    }

    /// From frontends to the verdicts for pods and the node itself, if those for others are different.
    pub(super) fn short_circuits(self) -> Filled {
        self.choose(Filled::ShortCircuits, Filled::NodeportShortCircuits)
    }

    /// From frontends to chains that masquerade.
    pub(super) fn masquerade(self) -> Filled {
        self.choose(Filled::MasqueradeServices, Filled::MasqueradeNodeports)
    }

    /// From frontends to where clients go that are not remembered.
    pub(super) fn sticky(self) -> Filled {
        self.choose(Filled::StickyServices, Filled::StickyNodeports)
    }

    /// From frontends to the chains that remember.
    pub(super) fn records(self) -> Filled {
        self.choose(Filled::AffinityRecords, Filled::AffinityNodeports)
    }

    /// Frontends with those endpoints that a memory may name.
    pub(super) fn members(self) -> Filled {
        self.choose(Filled::StickyMembers, Filled::StickyNodeportMembers)
    }

    /// The map that packets write their memories to: client and frontend to endpoint.
    pub(super) fn affinity(self) -> &'static str {
        self.choose("affinity", "nodeport-affinity")
    }

    /// The chain that leads clients to the endpoint they had.
    pub(super) fn sticky_chain(self) -> &'static str {
        self.choose("sticky", "nodeport-sticky")
    }

    /// The chain that remembers for so many seconds.
    pub(super) fn remember_chain(self, seconds: u32) -> ChainName {
        chain_name(&format!("{}-{seconds}", self.choose("remember", "nodeport-remember")))
    }

    /// The chain that tells clients inside the cluster from others.
    pub(super) fn local_chain(self) -> &'static str {
        self.choose("local", "nodeport-local")
    }

    /// The chain for clients inside the cluster.
    pub(super) fn inside_chain(self) -> &'static str {
        self.choose("local-inside", "nodeport-local-inside")
    }

    fn choose<T>(self, address: T, node_port: T) -> T {
        match self {
            Self::Address => address,
            Self::NodePort => node_port,
        }
    }
}

/// A group of endpoints: which frontends they are of, which of their connections they get, and how one is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its frontends.
    pub(super) site: Site,
    /// Whether its endpoints are those of this node only.
    pub(super) here: bool,
    /// How one is chosen.
    pub(super) balance: Balance,
}

impl Group {
    /// All endpoints of frontends at addresses, by chance: what most services use.
    pub(super) const ANY: Self = Self { site: Site::Address, here: false, balance: Balance::Random };

    /// All of them, in the order of [`Self::index`].
    pub(super) const ALL: [Self; 12] = {
        let balances = [Balance::Random, Balance::RoundRobin, Balance::SourceHash];
        let mut groups = [Self::ANY; 12];
        let mut at = 0;
        while at < groups.len() {
            groups[at] = Self { site: Site::ALL[at / 2 % 2], here: at % 2 == 1, balance: balances[at / 4] };
            at += 1;
        }
        groups
    };

    /// Its place in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        self.balance as usize * 4 + self.site as usize * 2 + usize::from(self.here)
    }

    /// The group that `lead` goes to; `None` where it goes to no endpoint.
    pub(super) fn of(site: Site, lead: Lead, balance: Balance) -> Option<Self> {
        let here = match lead {
            Lead::Anywhere => false,
            Lead::Here => true,
            Lead::Refuse | Lead::Drop => return None,
        };
        Some(Self { site, here, balance })
    }

    /// The map that has them in slots.
    pub(super) fn endpoints(self) -> Filled {
        match (self.site, self.here) {
            (Site::Address, false) => Filled::Endpoints,
            (Site::Address, true) => Filled::LocalEndpoints,
            (Site::NodePort, false) => Filled::NodeportEndpoints,
            (Site::NodePort, true) => Filled::LocalNodeportEndpoints,
        }
    }

    /// How the names of its chains begin.
    pub(super) fn prefix(self) -> &'static str {
        let names = match self.balance {
            Balance::Random => ["lb", "here", "np", "np-here"],
            Balance::RoundRobin => ["turn", "turn-here", "turn-np", "turn-np-here"],
            Balance::SourceHash => ["hash", "hash-here", "hash-np", "hash-np-here"],
        };
        names[self.index() % 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_places_and_names_of_their_own() {
        let mut names = std::collections::BTreeSet::new();
        for (at, group) in Group::ALL.into_iter().enumerate() {
            assert_eq!(group.index(), at);
            assert!(names.insert(group.prefix()), "{group:?}");
        }
    }
}
