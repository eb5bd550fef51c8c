//! What every layout says about a map, beside what it makes of it.

use crate::ir::Family;

use super::frontend::{Claim, family_of};
use super::pods::{pod_interfaces, tells_pods};
use super::target::Targets;
use super::{Finding, FindingKind, ServiceMap, ServicePort, Severity};

/// Whether the map has a virtual address or a host port of that family.
pub(super) fn uses(map: &ServiceMap, claims: &[Claim<'_>], family: Family) -> bool {
    map.services.iter().any(|service| service.virtual_addresses().any(|address| family_of(address) == family))
        || claims.iter().any(|claim| claim.host && claim.frontend.family() == family)
}

/// What is worth saying about a port that got a frontend.
pub(super) fn port_findings(claim: &Claim<'_>, anywhere: &Targets, here: &Targets) -> Option<Finding> {
    let ServicePort { protocol, port, endpoints, .. } = claim.port;
    let subject = || format!("service {}", claim.service.name);
    let family = claim.frontend.family();
    if let Some(limit) = anywhere.limit.as_ref().or(here.limit.as_ref()) {
        return Some(Finding {
            severity: Severity::Warning,
            kind: FindingKind::Limit,
            subject: subject(),
            message: format!("port {port}/{protocol}: {limit}"),
        });
    }
    anywhere.slots.is_empty().then(|| Finding {
        severity: Severity::Warning,
        kind: FindingKind::NoEndpoints,
        subject: subject(),
        message: if endpoints.is_empty() {
            format!("port {port}/{protocol} has no endpoint: connections are rejected")
        } else {
            let name = if family == Family::Ip { "IPv4" } else { "IPv6" };
            format!("port {port}/{protocol} has no {name} endpoint: connections to its {name} addresses are rejected")
        },
    })
}

/// What is worth saying about the node's settings, where services of that family need them.
pub(super) fn node_findings(map: &ServiceMap, family: Family) -> Vec<Finding> {
    let subject = || map.node.name.as_ref().map_or_else(|| "node".to_owned(), |name| format!("node {name}"));
    let mut findings = Vec::new();
    for name in pod_interfaces(&map.node).1 {
        findings.push(Finding {
            severity: Severity::Error,
            kind: FindingKind::Invalid,
            subject: subject(),
            message: format!("`{name}` is no name of an interface: pods are not told by it"),
        });
    }
    let cluster_ips = || map.services.iter().flat_map(|service| &service.cluster_ips);
    if cluster_ips().any(|ip| family_of(*ip) == family) && !tells_pods(&map.node, family) {
        let name = if family == Family::Ip { "IPv4" } else { "IPv6" };
        findings.push(Finding {
            severity: Severity::Warning,
            kind: FindingKind::NoPodNetwork,
            subject: subject(),
            message: format!(
                "no {name} pod network is known: clients outside it are not masqueraded, and answers to them may go \
                 astray"
            ),
        });
    }
    findings
}
