//! EndpointSlices to endpoints: those of all slices of a service, each once, usable ones only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::object::{self, Conditions, EndpointSlice, SliceEndpoint, SlicePort};
use super::{finding, service};
use crate::service::{Endpoint, Finding, FindingKind, Hints, Protocol, Service, ServiceName, ServicePort, Severity};

/// Whose endpoints a slice holds.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// All slices, by service.
#[derive(Default)]
pub(super) struct Slices(BTreeMap<ServiceName, Vec<EndpointSlice>>);

impl Slices {
    pub(super) fn add(&mut self, slice: EndpointSlice, findings: &mut Vec<Finding>) {
        let name = slice.metadata.full_name();
        let mut ignore = |message: String| {
            findings.push(finding(Severity::Info, FindingKind::Ignored, format!("EndpointSlice {name}"), message));
        };
        if !matches!(slice.address_type.as_str(), "IPv4" | "IPv6") {
            return ignore(format!("endpoints of the address type {} are not read", slice.address_type));
        }
        match slice.metadata.labels.get(SERVICE_NAME) {
            Some(service) => {
                let service = ServiceName::new(&name.namespace, service);
                self.0.entry(service).or_default().push(slice);
            }
            None => ignore(format!("without the label {SERVICE_NAME} it belongs to no service")),
        }
    }

    /// Reports slices of services that were not read.
    pub(super) fn report_strays(&self, known: impl Fn(&ServiceName) -> bool, findings: &mut Vec<Finding>) {
        for (service, slices) in self.0.iter().filter(|(service, _)| !known(service)) {
            for slice in slices {
                let subject = format!("EndpointSlice {}", slice.metadata.full_name());
                let message = format!("its service {service} was not given");
                findings.push(finding(Severity::Info, FindingKind::Ignored, subject, message));
            }
        }
    }

    /// Gives a service its endpoints.
    pub(super) fn fill(&self, service: &mut Service, findings: &mut Vec<Finding>) {
        let Some(slices) = self.0.get(&service.name) else { return };
        let subject = format!("service {}", service.name);
        for port in &mut service.ports {
            port.endpoints = endpoints(slices, port, &subject, findings);
        }
    }
}

/// How fit an endpoint is to be sent connections to. The better one of duplicates counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Unfit,
    /// On its way out but still answering: better than none.
    Terminating,
    Ready,
}

impl Fitness {
    /// As kube-proxy reads the conditions: `ready` and `serving` are true where they are not given, `terminating` is not.
    fn of(conditions: Conditions) -> Self {
        if conditions.ready.unwrap_or(true) {
            Self::Ready
        } else if conditions.serving.unwrap_or(true) && conditions.terminating.unwrap_or(false) {
            Self::Terminating
        } else {
            Self::Unfit
        }
    }
}

/// How fit an endpoint is, the node it is on, and for whom it is meant.
type Candidate = (Fitness, Option<Arc<str>>, Option<Arc<Hints>>);

/// The endpoints of one port, sorted: those that are ready, and those that terminate but still serve.
fn endpoints(
    slices: &[EndpointSlice],
    port: &ServicePort,
    subject: &str,
    findings: &mut Vec<Finding>,
) -> Vec<Endpoint> {
    let mut candidates: BTreeMap<(IpAddr, u16), Candidate> = BTreeMap::new();
    for slice in slices {
        for target in slice.ports.iter().filter_map(|it| target(it, port)) {
            for endpoint in &slice.endpoints {
                // Only the first address means anything (EndpointSlice API, `addresses`).
                let Some(text) = endpoint.addresses.first() else { continue };
                let Ok(address) = text.parse() else {
                    let message = format!("endpoint address `{text}` is no address: left out");
                    findings.push(finding(Severity::Error, FindingKind::Invalid, subject.to_owned(), message));
                    continue;
                };
                let candidate = (Fitness::of(endpoint.conditions), node(endpoint), hints(&endpoint.hints));
                let known = candidates.entry((address, target)).or_insert_with(|| candidate.clone());
                if candidate > *known {
                    *known = candidate;
                }
            }
        }
    }
    let usable = candidates.into_iter().filter(|(_, (fitness, ..))| *fitness > Fitness::Unfit);
    let endpoint = |((address, port), (fitness, node, hints))| {
        let terminating = fitness == Fitness::Terminating;
        Endpoint { address, port, weight: 1, node, terminating, hints }
    };
    usable.map(endpoint).collect()
}

/// The port endpoints of a slice listen on for that service port: ports meet by name and protocol, the numbers in
/// slices are already resolved.
fn target(slice_port: &SlicePort, port: &ServicePort) -> Option<u16> {
    let protocol: Option<Protocol> = service::protocol(slice_port.protocol.as_deref());
    let same = slice_port.name == port.name.as_deref().unwrap_or_default() && protocol == Some(port.protocol);
    slice_port.port.filter(|target| same && *target > 0)
}

fn node(endpoint: &SliceEndpoint) -> Option<Arc<str>> {
    endpoint.node_name.as_deref().filter(|name| !name.is_empty()).map(Arc::from)
}

fn hints(hints: &object::Hints) -> Option<Arc<Hints>> {
    let names = |hints: &[object::Hint]| hints.iter().map(|hint| hint.name.as_str().into()).collect();
    let hints = Hints { nodes: names(&hints.for_nodes), zones: names(&hints.for_zones) };
    (hints != Hints::default()).then(|| hints.into())
}
