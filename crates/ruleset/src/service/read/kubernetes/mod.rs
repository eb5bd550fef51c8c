//! Kubernetes objects as `kubectl get -o yaml` and `-o json` print them: one, several documents, or a List.
//!
//! Read are v1 Service and Node, discovery.k8s.io/v1 EndpointSlice and networking.k8s.io/v1 ServiceCIDR. Fields we do not
//! know are fine, the API grows; an object that cannot be meant so is left out with a finding, and the rest is read.
//! What a service asks for beyond what is compiled is reported by name of the field, never guessed.

mod endpoints;
mod object;
mod service;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::DeserializeOwned;

use super::decode::{Problem, decode};
use super::document::{Content, Node};
use super::{Errors, Input};
use crate::service::{Finding, FindingKind, NodeSettings, Service, ServiceName, Severity};
use endpoints::Slices;
use object::{EndpointSlice, Metadata, ServiceCidr};

/// The label of a node that names its zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The objects read so far.
#[derive(Default)]
pub(super) struct Objects {
    services: BTreeMap<ServiceName, Service>,
    /// Services that are left out whole: nothing is wrong with slices of theirs.
    ignored: BTreeSet<ServiceName>,
    slices: Slices,
    nodes: BTreeMap<String, object::Node>,
    service_cidrs: BTreeSet<IpNet>,
    findings: Vec<Finding>,
}

impl Objects {
    /// Takes an object, or each of a list of them.
    pub(super) fn add(&mut self, input: Input<'_>, document: &Node, errors: &mut Errors) {
        self.add_as(input, document, None, errors);
    }

    /// Takes an object that is of that version and kind if it does not say so itself: those in a `ServiceList` do not.
    fn add_as(&mut self, input: Input<'_>, document: &Node, implied: Option<(&str, &str)>, errors: &mut Errors) {
        let word = |key, implied| document.field(key).and_then(Node::text).or(implied);
        let version = word("apiVersion", implied.map(|(version, _)| version));
        let kind = word("kind", implied.map(|(_, kind)| kind));
        let (Some(version), Some(kind)) = (version, kind) else {
            let missing = if version.is_none() { "apiVersion" } else { "kind" };
            return errors.add(input, document, Problem::new(format!("the field `{missing}` is missing")));
        };
        match (version, kind) {
            ("v1", "Service") => self.service(input, document, errors),
            ("v1", "Node") => {
                if let Some(node) = self.object::<object::Node>(input, document, kind) {
                    self.nodes.insert(node.metadata.name.clone(), node);
                }
            }
            ("discovery.k8s.io/v1", "EndpointSlice") => {
                if let Some(slice) = self.object::<EndpointSlice>(input, document, kind) {
                    self.slices.add(slice, &mut self.findings);
                }
            }
            ("networking.k8s.io/v1" | "networking.k8s.io/v1beta1", "ServiceCIDR") => self.service_cidr(input, document),
            (_, kind) if kind.ends_with("List") && document.field("items").is_some() => {
                let implied = kind.strip_suffix("List").filter(|kind| !kind.is_empty()).map(|kind| (version, kind));
                self.list(input, document, implied, errors);
            }
            _ => {
                let message = format!("objects of kind {kind} ({version}) are not read");
                self.findings.push(finding(Severity::Info, FindingKind::Ignored, subject(kind, document), message));
            }
        }
    }

    fn list(&mut self, input: Input<'_>, document: &Node, implied: Option<(&str, &str)>, errors: &mut Errors) {
        let Some(items) = document.field("items").filter(|items| !items.is_null()) else { return };
        match &items.content {
            Content::Sequence(items) => {
                for item in items {
                    self.add_as(input, item, implied, errors);
                }
            }
            _ => errors.add(input, items, Problem::new("`items` is no list")),
        }
    }

    fn service(&mut self, input: Input<'_>, document: &Node, errors: &mut Errors) {
        let Some(object) = self.object::<object::Service>(input, document, "Service") else { return };
        let name = object.metadata.full_name();
        if self.services.contains_key(&name) || self.ignored.contains(&name) {
            let place = document.field("metadata").and_then(|it| it.field("name")).unwrap_or(document);
            return errors.add(input, place, Problem::new(format!("there is a service `{name}` already")));
        }
        match service::service(object, &mut self.findings) {
            Some(service) => {
                self.services.insert(name, service);
            }
            None => {
                self.ignored.insert(name);
            }
        }
    }

    fn service_cidr(&mut self, input: Input<'_>, document: &Node) {
        let Some(object) = self.object::<ServiceCidr>(input, document, "ServiceCIDR") else { return };
        for text in &object.spec.cidrs {
            match text.parse::<IpNet>() {
                Ok(net) => {
                    self.service_cidrs.insert(net.trunc());
                }
                Err(_) => {
                    let message = format!("`{text}` is no network");
                    let subject = format!("ServiceCIDR {}", object.metadata.name);
                    self.findings.push(finding(Severity::Error, FindingKind::Invalid, subject, message));
                }
            }
        }
    }

    /// The object, or a finding that says why it is none.
    fn object<T: DeserializeOwned>(&mut self, input: Input<'_>, document: &Node, kind: &str) -> Option<T> {
        match decode(document) {
            Ok(object) => Some(object),
            Err(problem) => {
                let place = problem.place.unwrap_or(document.place);
                let expected = problem.expected.map_or_else(String::new, |expected| format!(", expected {expected}"));
                let Problem { message, .. } = problem;
                let message = format!("{message}{expected} ({}:{}:{}): left out", input.name, place.line, place.column);
                self.findings.push(finding(Severity::Error, FindingKind::Invalid, subject(kind, document), message));
                None
            }
        }
    }

    /// Makes services of what was read, and fills in what the objects know of the node where it has no settings.
    pub(super) fn finish(
        mut self,
        node: &mut NodeSettings,
        services: &mut BTreeMap<ServiceName, Service>,
        findings: &mut Vec<Finding>,
    ) {
        self.fill(node);
        self.foreign_nodes(node);
        self.slices.report_strays(|name| self.services.contains_key(name) || self.ignored.contains(name), findings);
        findings.append(&mut self.findings);
        for (name, mut service) in self.services {
            self.slices.fill(&mut service, findings);
            if service.virtual_addresses().next().is_none() {
                continue;
            }
            match services.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(service);
                }
                Entry::Occupied(entry) => {
                    let message = "a map has a service of this name too: this one is left out".to_owned();
                    let subject = format!("service {}", entry.key());
                    findings.push(finding(Severity::Error, FindingKind::Invalid, subject, message));
                }
            }
        }
    }

    /// Fills in what the Node of that name and the ServiceCIDRs say.
    fn fill(&mut self, node: &mut NodeSettings) {
        if node.service_cidrs.is_empty() {
            node.service_cidrs = self.service_cidrs.iter().copied().collect();
        }
        let Some(name) = &node.name else {
            if !self.nodes.is_empty() {
                let message = "without the name of the node, the Node objects say nothing about it".to_owned();
                self.findings.push(finding(Severity::Info, FindingKind::Ignored, "node".to_owned(), message));
            }
            return;
        };
        let Some(object) = self.nodes.get(name) else {
            if !self.nodes.is_empty() {
                let message = "there is no Node object of this name".to_owned();
                self.findings.push(finding(Severity::Warning, FindingKind::Invalid, format!("node {name}"), message));
            }
            return;
        };
        if node.zone.is_none() {
            node.zone = object.metadata.labels.get(ZONE).filter(|zone| !zone.is_empty()).cloned();
        }
        let mut wrong = Vec::new();
        if node.addresses.is_empty() {
            node.addresses = object.addresses(&mut wrong);
        }
        if node.pod_cidrs.is_empty() {
            node.pod_cidrs = object.pod_cidrs(&mut wrong);
        }
        self.findings.extend(wrong.into_iter().map(|text| {
            let message = format!("`{text}` is no address or network");
            finding(Severity::Error, FindingKind::Invalid, format!("node {name}"), message)
        }));
    }

    /// Holds cluster IPs against the addresses of the other nodes; those of this one are checked for all maps.
    fn foreign_nodes(&mut self, node: &NodeSettings) {
        let others = self.nodes.values().filter(|other| Some(&other.metadata.name) != node.name.as_ref());
        let addresses: BTreeMap<IpAddr, &str> = others
            .flat_map(|other| {
                other.addresses(&mut Vec::new()).into_iter().map(|address| (address, other.metadata.name.as_str()))
            })
            .collect();
        if addresses.is_empty() {
            return;
        }
        for service in self.services.values() {
            for address in &service.cluster_ips {
                if let Some(other) = addresses.get(address) {
                    let message = format!("cluster IP {address} is an address of the node {other}");
                    let subject = format!("service {}", service.name);
                    self.findings.push(finding(Severity::Warning, FindingKind::MisplacedAddress, subject, message));
                }
            }
        }
    }
}

fn finding(severity: Severity, kind: FindingKind, subject: String, message: String) -> Finding {
    Finding { severity, kind, subject, message }
}

/// `service shop/cart`, `Deployment shop/cart`: of an object that may be anything.
fn subject(kind: &str, document: &Node) -> String {
    let kind = match kind {
        "Service" => "service",
        "Node" => "node",
        kind => kind,
    };
    let metadata = |key| document.field("metadata").and_then(|it| it.field(key)).and_then(Node::text);
    match (metadata("namespace"), metadata("name")) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        (_, None) => format!("{kind} without a name"),
    }
}

impl Metadata {
    /// Namespace and name; objects that name no namespace are in `default`.
    fn full_name(&self) -> ServiceName {
        ServiceName::new(self.namespace.as_deref().unwrap_or("default"), &self.name)
    }
}

#[cfg(test)]
mod tests;
