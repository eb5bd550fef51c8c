//! The sets that services fill, and what in them is of frontends at addresses or of node ports.

use crate::ir::SetName;

use super::super::Frontend;
use super::super::route::Lead;

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

/// A group of endpoints: which frontends they are of, and which of their connections they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// All endpoints of frontends at addresses.
    Any,
    /// Those of this node.
    Here,
    /// All endpoints of node ports.
    NodePort,
    /// Those of this node.
    NodePortHere,
}

impl Group {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Any, Self::Here, Self::NodePort, Self::NodePortHere];

    /// The group that `lead` goes to; `None` where it goes to no endpoint.
    pub(super) fn of(site: Site, lead: Lead) -> Option<Self> {
        match lead {
            Lead::Anywhere => Some(site.choose(Self::Any, Self::NodePort)),
            Lead::Here => Some(site.choose(Self::Here, Self::NodePortHere)),
            Lead::Refuse | Lead::Drop => None,
        }
    }

    /// Its frontends.
    pub(super) fn site(self) -> Site {
        if matches!(self, Self::Any | Self::Here) { Site::Address } else { Site::NodePort }
    }

    /// Whether its endpoints are those of this node only.
    pub(super) fn is_here(self) -> bool {
        matches!(self, Self::Here | Self::NodePortHere)
    }

    /// The map that has them in slots.
    pub(super) fn endpoints(self) -> Filled {
        match self {
            Self::Any => Filled::Endpoints,
            Self::Here => Filled::LocalEndpoints,
            Self::NodePort => Filled::NodeportEndpoints,
            Self::NodePortHere => Filled::LocalNodeportEndpoints,
        }
    }

    /// How the names of its chains begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Any => "lb",
            Self::Here => "here",
            Self::NodePort => "np",
            Self::NodePortHere => "np-here",
        }
    }
}
