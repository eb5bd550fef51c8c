//! The elements of a table, made all at once.

use std::net::IpAddr;

use crate::ir::{Data, Element, Elements, Table, TableId, Verdict};

use super::super::target::Target;
use super::super::{Frontend, NodeSettings};
use super::keys::Bytes;
use super::pool::{Pool, Verdicts};
use super::size;
use super::skeleton::{self, CLUSTER_IPS, ENDPOINTS, HAIRPIN, MASQUERADE_ALL, MASQUERADE_SERVICES, REFUSE, SERVICES};

/// The verdicts that elements lead to.
#[derive(Debug)]
pub(super) struct Leads {
    services: Verdicts,
    masquerade: Verdict,
}

impl Leads {
    pub(super) fn new() -> Self {
        Self {
            services: Verdicts::new(skeleton::chain_name(REFUSE)),
            masquerade: Verdict::Goto(skeleton::chain_name(MASQUERADE_ALL)),
        }
    }

    /// The element of a frontend with so many targets in the map of services.
    pub(super) fn service(&self, key: Bytes, targets: usize) -> Element {
        Element::new(key.packed(), Data::Verdict(self.services.of(targets).clone()))
    }

    /// The element of a frontend in the map of those that are masqueraded.
    pub(super) fn masquerade(&self, key: Bytes) -> Element {
        Element::new(key.packed(), Data::Verdict(self.masquerade.clone()))
    }
}

/// The element of a slot in the map of endpoints.
pub(super) fn endpoint(frontend: Bytes, slot: u32, target: &Target) -> Element {
    Element::new(frontend.slot(slot).packed(), Data::Value(Bytes::target(target).packed()))
}

/// The elements of one table. Frontends are added in their order, so most need no sorting.
pub(super) struct Contents<'a> {
    leads: &'a Leads,
    services: Vec<Element>,
    endpoints: Vec<Element>,
    cluster_ips: Vec<Element>,
    masquerade_services: Vec<Element>,
    hairpin: Vec<Element>,
    largest: usize,
}

impl<'a> Contents<'a> {
    /// Nothing yet, with room for so many frontends and slots.
    pub(super) fn with_capacity(leads: &'a Leads, frontends: usize, slots: usize) -> Self {
        Self {
            leads,
            services: Vec::with_capacity(frontends),
            endpoints: Vec::with_capacity(slots),
            cluster_ips: Vec::new(),
            masquerade_services: Vec::new(),
            hairpin: Vec::new(),
            largest: 0,
        }
    }

    /// Adds a frontend with the targets in its slots.
    pub(super) fn frontend(&mut self, frontend: &Frontend, external: bool, slots: impl Iterator<Item = (u32, Target)>) {
        let key = Bytes::frontend(frontend);
        let before = self.endpoints.len();
        for (slot, target) in slots {
            self.endpoints.push(endpoint(key, slot, &target));
            if target.here {
                let key = Bytes::hairpin(&target, frontend.protocol);
                self.hairpin.push(Element::new(key.packed(), Data::None));
            }
        }
        let targets = self.endpoints.len() - before;
        self.largest = self.largest.max(targets);
        self.services.push(self.leads.service(key, targets));
        if external {
            self.masquerade_services.push(self.leads.masquerade(key));
        }
    }

    /// Adds virtual addresses that are ours as a whole.
    pub(super) fn cluster_ips(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.cluster_ips.extend(addresses.map(|address| Element::new(Bytes::address(address).packed(), Data::None)));
    }

    /// The table of that content.
    pub(super) fn into_table(self, id: &TableId, node: &NodeSettings) -> Table {
        let largest = Pool::of(self.largest);
        let pools = Pool::beyond_always().take_while(|pool| Some(*pool) <= largest);
        let mut table = skeleton::table(id, node, pools);
        for (name, mut elements) in [
            (SERVICES, self.services),
            (ENDPOINTS, self.endpoints),
            (CLUSTER_IPS, self.cluster_ips),
            (MASQUERADE_SERVICES, self.masquerade_services),
            (HAIRPIN, self.hairpin),
        ] {
            elements.shrink_to_fit();
            let elements = Elements::from(elements);
            let set = table.sets.find_mut(name).expect("the skeleton has it");
            set.spec_mut().size = Some(size::of(name, elements.len()));
            *set.elements_mut() = elements;
        }
        table
    }
}
