//! `-m cluster` (extensions/libxt_cluster.c, `cluster_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Opt};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{Within, number_in};

/// Which share of all connections this node of a cluster takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cluster {
    /// The shares, one bit each.
    pub local_nodes: Criterion<u32>,
    /// How many nodes there are.
    pub total_nodes: u32,
    /// What the hash begins with.
    pub seed: u32,
}

impl Extension for Cluster {
    const NAMES: &'static [&'static str] = &["cluster"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--cluster-total-nodes"]),
        Opt::word(&["--cluster-local-node"]).or_not(),
        Opt::word(&["--cluster-local-nodemask"]).or_not(),
        Opt::word(&["--cluster-hash-seed"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let total: Within<1, 32> = given.value(0)?.ok_or_else(|| given.missing(&[0]))?;
        let option = given.exactly_one_of(&[1, 2])?;
        let value = match option.option {
            1 => number_in(option.value(), 1..=total.0.into()).map(|node| 1 << (node - 1)),
            _ => number_in(option.value(), 0..=(1 << total.0) - 1).map(|mask| mask as u32),
        };
        Ok(Self {
            local_nodes: Criterion {
                inverted: option.inverted,
                value: value.ok_or_else(|| option.unexpected("one of the nodes"))?,
            },
            total_nodes: total.0,
            seed: given.value(3)?.ok_or_else(|| given.missing(&[3]))?,
        })
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}--cluster-local-nodemask {:#010x}", self.local_nodes.lead(), self.local_nodes.value)?;
        write!(f, " --cluster-total-nodes {} --cluster-hash-seed {:#010x}", self.total_nodes, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m cluster ! --cluster-local-nodemask 0x00000005 --cluster-total-nodes 4 --cluster-hash-seed 0x00000001",
        ]);
        prints_as(
            "-m cluster --cluster-total-nodes 4 --cluster-local-node 3 --cluster-hash-seed 7",
            "-m cluster --cluster-local-nodemask 0x00000004 --cluster-total-nodes 4 --cluster-hash-seed 0x00000007",
        );
        is_refused(&["-m cluster", "-m cluster --cluster-total-nodes 2 --cluster-local-node 3 --cluster-hash-seed 7"]);
    }
}
