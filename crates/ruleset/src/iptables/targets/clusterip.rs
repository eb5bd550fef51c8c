//! `-j CLUSTERIP` (extensions/libipt_CLUSTERIP.c, `CLUSTERIP_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{Within, keywords};

use crate::iptables::matches::MacAddress;

keywords! {
    /// What tells connections apart.
    ClusterHash, "`sourceip`, `sourceip-sourceport` or `sourceip-sourceport-destport`";
    /// The source address.
    Source = "sourceip",
    /// That and its port.
    SourcePort = "sourceip-sourceport",
    /// That and the port of the destination.
    SourcePortDestinationPort = "sourceip-sourceport-destport",
}

/// Shares one address among several nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clusterip {
    /// The rule that makes the share.
    New {
        /// What tells connections apart.
        hash: ClusterHash,
        /// The Ethernet address of all nodes.
        mac: MacAddress,
        /// How many nodes there are.
        total_nodes: u16,
        /// Which one this is.
        local_node: u16,
        /// What the hash begins with.
        seed: u32,
    },
    /// Another rule for the same address.
    Existing,
}

impl Extension for Clusterip {
    const NAMES: &'static [&'static str] = &["CLUSTERIP"];
    const OPTIONS: &'static [Opt] = &[
        Opt::flag(&["--new"]),
        Opt::word(&["--hashmode"]),
        Opt::word(&["--clustermac"]),
        Opt::word(&["--total-nodes"]),
        Opt::word(&["--local-node"]),
        Opt::word(&["--hash-init"]),
    ];
    const ONLY: Only = Only::ANYWHERE.family(Family::Ip).chains(&["INPUT"]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        if !given.flag(0)? {
            return match given.all().next() {
                Some(option) => Err(Problem::at(option.word, "only `--new` has options")),
                None => Ok(Self::Existing),
            };
        }
        let number = |option| {
            given.value(option)?.ok_or_else(|| given.missing(&[option])).map(|number: Within<1, 16>| number.0 as u16)
        };
        Ok(Self::New {
            hash: given.value(1)?.ok_or_else(|| given.missing(&[1]))?,
            mac: given.value(2)?.ok_or_else(|| given.missing(&[2]))?,
            total_nodes: number(3)?,
            local_node: number(4)?,
            seed: given.value(5)?.unwrap_or(0),
        })
    }
}

impl fmt::Display for Clusterip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::New { hash, mac, total_nodes, local_node, seed } = self else { return Ok(()) };
        write!(f, " --new --hashmode {hash} --clustermac {mac}")?;
        write!(f, " --total-nodes {total_nodes} --local-node {local_node} --hash-init {seed}")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j CLUSTERIP",
            "-j CLUSTERIP --new --hashmode sourceip --clustermac 01:02:03:04:05:06 --total-nodes 9 --local-node 2 --hash-init 1",
        ]);
        is_refused(&["-j CLUSTERIP --new", "-j CLUSTERIP --total-nodes 2"]);
    }
}
