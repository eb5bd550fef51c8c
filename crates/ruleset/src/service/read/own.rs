//! Documents of our own schema. Every service, port and endpoint is decoded by itself, so that each has its own errors.

use std::collections::BTreeSet;

use super::decode::{Problem, decode};
use super::document::Node;
use super::schema::{EndpointBlock, MapDocument, NodeBlock, PortBlock, ServiceBlock};
use super::{Input, Reader};
use crate::service::{NodePortAddresses, NodeSettings, Service, ServicePort};

impl Reader {
    /// Reads a document that says it is of our schema.
    pub(super) fn map(&mut self, input: Input<'_>, mut document: Node) {
        let services = document.take_items("services");
        if let Some(map) = self.keep(input, &document, decode::<MapDocument>(&document)) {
            self.node_block(input, &document, map.node);
        }
        for item in services {
            self.service(input, item);
        }
    }

    fn node_block(&mut self, input: Input<'_>, document: &Node, block: NodeBlock) {
        if block == NodeBlock::default() {
            return;
        }
        let place = document.field("node").unwrap_or(document);
        let settings = match settings(block) {
            Ok(settings) => settings,
            Err((field, problem)) => {
                return self.errors.add(input, place.field(field).unwrap_or(place), problem);
            }
        };
        match &self.node {
            Some((other, name)) if *other != settings => {
                let problem = Problem::new(format!("a `node` block that is not the same as the one in {name}"));
                self.errors.add(input, place, problem.expecting("one `node` block"));
            }
            _ => self.node = Some((settings, input.name.to_owned())),
        }
    }

    fn service(&mut self, input: Input<'_>, mut item: Node) {
        let port_items = item.take_items("ports");
        let block = self.keep(input, &item, decode::<ServiceBlock>(&item));
        let mut ports: Vec<ServicePort> = Vec::with_capacity(port_items.len());
        for port_item in port_items {
            let Some((port_item, port)) = self.port(input, port_item) else { continue };
            let same = |other: &ServicePort| (other.port, other.protocol) == (port.port, port.protocol);
            if ports.iter().any(same) {
                let message = format!("the port {}/{} is here twice", port.port, port.protocol);
                self.errors.add(input, port_item.field("port").unwrap_or(&port_item), Problem::new(message));
            } else if let Some(name) =
                port.name.as_ref().filter(|name| ports.iter().any(|it| it.name.as_ref() == Some(*name)))
            {
                let message = format!("a port named `{name}` is here twice");
                self.errors.add(input, port_item.field("name").unwrap_or(&port_item), Problem::new(message));
            } else {
                ports.push(port);
            }
        }
        let Some(block) = block else { return };
        let service = Service { ports, ..block.into_service() };
        if self.services.contains_key(&service.name) {
            let message = format!("there is a service `{}` already", service.name);
            self.errors.add(input, item.field("name").unwrap_or(&item), Problem::new(message));
            return;
        }
        self.services.insert(service.name.clone(), service);
    }

    fn port(&mut self, input: Input<'_>, mut item: Node) -> Option<(Node, ServicePort)> {
        let endpoint_items = item.take_items("endpoints");
        let block = self.keep(input, &item, decode::<PortBlock>(&item));
        // The port of the service is not known if it is wrong; the endpoints' own errors are told all the same.
        let default = block.as_ref().map_or(1, PortBlock::number);
        let mut seen = BTreeSet::new();
        let mut endpoints = Vec::with_capacity(endpoint_items.len());
        for endpoint_item in &endpoint_items {
            let Some(block) = self.keep(input, endpoint_item, decode::<EndpointBlock>(endpoint_item)) else { continue };
            let endpoint = block.into_endpoint(default);
            if !seen.insert((endpoint.address, endpoint.port)) {
                let message = format!("the endpoint {} port {} is here twice", endpoint.address, endpoint.port);
                let problem = Problem::new(message).expecting("each once; `weight` gives one more connections");
                self.errors.add(input, endpoint_item, problem);
            }
            endpoints.push(endpoint);
        }
        Some((item, ServicePort { endpoints, ..block?.into_port() }))
    }

    fn keep<T>(&mut self, input: Input<'_>, node: &Node, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.errors.add(input, node, problem)).ok()
    }
}

/// The settings a block says.
///
/// # Errors
/// A field that cannot be meant so, by its name.
fn settings(block: NodeBlock) -> Result<NodeSettings, (&'static str, Problem)> {
    let default = NodeSettings::default();
    let mark_bit = block.mark_bit.unwrap_or(default.mark_bit);
    if mark_bit > 31 {
        let problem = Problem::new(format!("`{mark_bit}` is no bit of a mark")).expecting("a bit from 0 to 31");
        return Err(("markBit", problem));
    }
    let nodeport_addresses = NodePortAddresses::from_words(&block.nodeport_addresses.0)
        .map_err(|message| ("nodeportAddresses", Problem::new(message)))?;
    Ok(NodeSettings {
        name: block.name.map(|name| name.0),
        addresses: block.addresses.0.into_iter().map(|address| address.0).collect(),
        node_cidrs: block.node_cidrs.0.into_iter().map(|cidr| cidr.0).collect(),
        pod_cidrs: block.pod_cidrs.0.into_iter().map(|cidr| cidr.0).collect(),
        pod_bridges: block.pod_bridges.0.into_iter().map(|name| name.0).collect(),
        pod_interface_prefixes: block.pod_interface_prefixes.0.into_iter().map(|name| name.0).collect(),
        service_cidrs: block.service_cidrs.0.into_iter().map(|cidr| cidr.0).collect(),
        zone: block.zone.map(|zone| zone.0),
        nodeport_addresses,
        localhost_nodeports: block.localhost_nodeports,
        drop_unallocated: block.drop_unallocated,
        masquerade_all: block.masquerade_all,
        mark_bit,
        keep_source_ports: block.keep_source_ports,
        admit_unlisted_families: block.admit_unlisted_families,
        refusal: block.refusal.into(),
        drop_invalid: block.drop_invalid,
        affinity_size: block.affinity_size.map(Into::into),
    })
}

impl NodePortAddresses {
    /// From `primary`, `all`, or networks; from nothing, `primary`.
    ///
    /// # Errors
    /// A word that is none of these, in words.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        match words {
            [] => Ok(Self::Primary),
            [word] if word.as_ref() == "primary" => Ok(Self::Primary),
            [word] if word.as_ref() == "all" => Ok(Self::All),
            words => words
                .iter()
                .map(|word| {
                    let word = word.as_ref();
                    word.parse()
                        .map_err(|_| format!("`{word}` is none of `primary`, `all` and networks like `10.0.0.0/8`"))
                })
                .collect::<Result<_, _>>()
                .map(Self::Cidrs),
        }
    }
}
