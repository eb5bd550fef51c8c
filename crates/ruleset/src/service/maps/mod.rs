//! The maps layout: a fixed number of chains; services and endpoints are elements.
//!
//! [`skeleton`] is what does not depend on services, [`pool`] the chains that choose an endpoint, [`contents`] the
//! elements, [`sets`] where they are, [`slots`] and [`align()`] what keeps a change small, [`tracker`] what makes it without a compile.
//!
//! A packet may be under way when a commit comes: its rules are still the old ones, but each look-up already sees the new
//! elements. So a chain of [`pool`] whose slot is gone tries again and never lets the packet pass as it came. One case is
//! left: a pod that is removed from a service while its own connection to the service, which happened to choose the pod
//! itself, is between prerouting and postrouting. Its `hairpin` element is gone by then and the connection is not
//! masqueraded, so it fails, as the pod is no endpoint any more.

mod affinity;
mod align;
mod claimant;
mod contents;
mod edit;
mod keys;
mod pool;
mod sets;
mod size;
mod skeleton;
mod slots;
mod state;
mod tracker;

use std::net::IpAddr;

use crate::ir::{Table, TableId};

use super::frontend::{Claim, FAMILIES, claims, distinct, family_of};
use super::report::{node_findings, port_findings, uses};
use super::route::Route;
use super::{CompileOptions, Compiled, Finding, ServiceMap};
pub use align::align;
use contents::{Contents, Leads};
pub use edit::Edit;
pub use tracker::{Change, Tracker};

/// Compiles a service map to the maps layout.
pub(super) fn compile(map: &ServiceMap, options: &CompileOptions) -> Compiled {
    let (claims, mut findings) = claims(map);
    let mut compiled = Compiled::default();
    // Claims are in the order of their addresses: first all of IPv4, then all of IPv6.
    let (ip, ip6) = claims.split_at(claims.partition_point(|claim| claim.frontend.address.is_ipv4()));
    for (family, claims) in FAMILIES.into_iter().zip([ip, ip6]) {
        if uses(map, claims, family) {
            let id = TableId::new(family, options.table.clone());
            compiled.ruleset.insert(table(map, &id, claims, &mut findings));
            findings.extend(node_findings(map, family));
        }
    }
    findings.sort();
    findings.dedup();
    compiled.findings = findings;
    compiled
}

fn table(map: &ServiceMap, id: &TableId, claims: &[Claim<'_>], findings: &mut Vec<Finding>) -> Table {
    let of_family = |address: &IpAddr| family_of(*address) == id.family;
    let endpoints = claims.iter().flat_map(|claim| &claim.port.endpoints);
    let slots = endpoints.filter(|endpoint| of_family(&endpoint.address)).count();
    let leads = Leads::new();
    let mut contents = Contents::with_capacity(&leads, claims.len(), slots);
    for claim in claims {
        let Route { handling, anywhere, here } = Route::of(claim, &map.node);
        findings.extend(port_findings(claim, &anywhere, &here));
        contents.frontend(&claim.frontend, &handling, (0..).zip(anywhere.slots), (0..).zip(here.slots));
    }
    let (services, _) = distinct(map);
    contents.cluster_ips(services.into_iter().flat_map(|service| &service.cluster_ips).copied().filter(of_family));
    contents.into_table(id, &map.node)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
