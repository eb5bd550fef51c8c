//! The elements of a table, made all at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::ir::{Data, Element, Elements, Table, TableId, Verdict};

use super::super::route::{Handling, Lead, Masquerade};
use super::super::target::Target;
use super::super::{Balance, Frontend, NodeSettings};
use super::keys::Bytes;
use super::pool::{Pool, Verdicts};
use super::sets::{Filled, Group, Site};
use super::size;
use super::skeleton::{self, MASQUERADE_ALL, MASQUERADE_NODE, RESTRICTED, chain_name};

/// The verdicts that elements lead to.
#[derive(Debug)]
pub(super) struct Leads {
    pools: Verdicts,
    restricted: Verdict,
    /// By site.
    sticky: [Verdict; 2],
    /// By site.
    local: [Verdict; 2],
    masquerade_all: Verdict,
    masquerade_node: Verdict,
}

/// How many targets a frontend has: anywhere, and here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) anywhere: usize,
    pub(super) here: usize,
}

impl Counts {
    pub(super) fn of(self, lead: Lead) -> usize {
        match lead {
            Lead::Anywhere => self.anywhere,
            Lead::Here => self.here,
            Lead::Refuse | Lead::Drop => 0,
        }
    }
}

impl Leads {
    pub(super) fn new() -> Self {
        let goto = |name| Verdict::Goto(chain_name(name));
        Self {
            pools: Verdicts::new(),
            restricted: goto(RESTRICTED),
            sticky: Site::ALL.map(|site| goto(site.sticky_chain())),
            local: Site::ALL.map(|site| goto(site.local_chain())),
            masquerade_all: goto(MASQUERADE_ALL),
            masquerade_node: goto(MASQUERADE_NODE),
        }
    }

    /// The elements of a frontend, but for its slots.
    pub(super) fn elements(
        &self,
        frontend: &Frontend,
        handling: &Handling,
        counts: Counts,
        mut add: impl FnMut(Filled, Element),
    ) {
        let (site, key) = (Site::of(frontend), Bytes::frontend(frontend));
        let mut verdict = |set, verdict: &Verdict| {
            add(set, Element::new(key.packed(), Data::Verdict(verdict.clone())));
        };
        let lead = |lead| self.pools.of(site, lead, balance(handling), counts.of(lead));
        match handling.masquerade {
            Masquerade::Outsiders => {}
            Masquerade::Everyone => verdict(site.masquerade(), &self.masquerade_all),
            Masquerade::Node => verdict(site.masquerade(), &self.masquerade_node),
        }
        let mut first = match handling.same_for_all() {
            Some(same) => lead(same),
            None => {
                verdict(site.short_circuits(), lead(handling.inside));
                verdict(site.local(), lead(handling.outside));
                &self.local[site as usize]
            }
        };
        if let Some(seconds) = handling.affinity {
            verdict(site.sticky(), first);
            verdict(site.records(), &Verdict::Jump(site.remember_chain(seconds)));
            first = &self.sticky[site as usize];
        }
        if handling.ranges.is_some() {
            verdict(Filled::RestrictedServices, first);
            first = &self.restricted;
        }
        verdict(site.services(), first);
        for range in handling.ranges.iter().flatten() {
            add(Filled::SourceRanges, Element { key: key.range(range), data: Data::None, extra: None });
        }
    }
}

/// How one of several endpoints is chosen. Those with affinity that do not say are chosen by a hash: so a client that is
/// not yet remembered at one frontend of a service is led where it was from another.
pub(super) fn balance(handling: &Handling) -> Balance {
    match (handling.balance, handling.affinity) {
        (Balance::Random, Some(_)) => Balance::SourceHash,
        (balance, _) => balance,
    }
}

/// The elements that say whom the memories of a frontend may name, each once; none for a frontend without affinity.
pub(super) fn members(
    frontend: &Frontend,
    handling: &Handling,
    targets: impl Iterator<Item = Target>,
) -> impl Iterator<Item = (Filled, Element)> {
    let (set, key) = (Site::of(frontend).members(), Bytes::frontend(frontend));
    let targets: BTreeSet<Target> = targets.filter(|_| handling.affinity.is_some()).collect();
    targets.into_iter().map(move |target| (set, Element::new(key.member(&target).packed(), Data::None)))
}

/// The element of a slot in a map of endpoints.
pub(super) fn endpoint(frontend: Bytes, slot: u32, target: &Target) -> Element {
    Element::new(frontend.slot(slot).packed(), Data::Value(Bytes::target(target).packed()))
}

/// The elements of one table. Frontends are added in their order, so most need no sorting.
pub(super) struct Contents<'a> {
    leads: &'a Leads,
    elements: [Vec<Element>; Filled::ALL.len()],
    /// The largest pool needed by each group.
    largest: [Option<Pool>; Group::ALL.len()],
    /// For how long clients are remembered, in seconds.
    timeouts: BTreeSet<u32>,
}

impl<'a> Contents<'a> {
    /// Nothing yet, with room for so many frontends and slots.
    pub(super) fn with_capacity(leads: &'a Leads, frontends: usize, slots: usize) -> Self {
        let elements = Filled::ALL.map(|set| match set {
            Filled::Services => Vec::with_capacity(frontends),
            Filled::Endpoints => Vec::with_capacity(slots),
            _ => Vec::new(),
        });
        Self { leads, elements, largest: Group::ALL.map(Pool::always), timeouts: BTreeSet::new() }
    }

    /// Adds a frontend with the targets in its slots, anywhere and here.
    pub(super) fn frontend(
        &mut self,
        frontend: &Frontend,
        handling: &Handling,
        anywhere: impl Iterator<Item = (u32, Target)>,
        here: impl Iterator<Item = (u32, Target)>,
    ) {
        let (mut named, sticky) = (Vec::new(), handling.affinity.is_some());
        let mut name = |target: &Target| named.extend(sticky.then_some(*target));
        let balance = balance(handling);
        let anywhere = anywhere.inspect(|(_, target)| name(target));
        let anywhere = self.slots(frontend, Lead::Anywhere, balance, anywhere);
        let here = here.inspect(|(_, target)| name(target));
        let here = self.slots(frontend, Lead::Here, balance, here);
        let counts = Counts { anywhere, here };
        for (set, element) in members(frontend, handling, named.into_iter()) {
            self.elements[set as usize].push(element);
        }
        self.timeouts.extend(handling.affinity);
        let elements = &mut self.elements;
        self.leads.elements(frontend, handling, counts, |set, element| elements[set as usize].push(element));
    }

    /// Adds the slots of a frontend, and gives how many there are.
    fn slots(
        &mut self,
        frontend: &Frontend,
        lead: Lead,
        balance: Balance,
        slots: impl Iterator<Item = (u32, Target)>,
    ) -> usize {
        let Some(group) = Group::of(Site::of(frontend), lead, balance) else { return 0 };
        let key = Bytes::frontend(frontend);
        let mut targets = 0;
        for (slot, target) in slots {
            targets += 1;
            self.elements[group.endpoints() as usize].push(endpoint(key, slot, &target));
            if target.here {
                let key = Bytes::hairpin(&target, frontend.protocol);
                self.elements[Filled::Hairpin as usize].push(Element::new(key.packed(), Data::None));
            }
        }
        let largest = &mut self.largest[group.index()];
        *largest = Pool::of(targets).max(*largest);
        targets
    }

    /// Adds virtual addresses that are ours as a whole.
    pub(super) fn cluster_ips(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        let element = |address| Element::new(Bytes::address(address).packed(), Data::None);
        self.elements[Filled::ClusterIps as usize].extend(addresses.map(element));
    }

    /// The table of that content.
    pub(super) fn into_table(self, id: &TableId, node: &NodeSettings) -> Table {
        let mut table = skeleton::table(id, node, self.largest, &self.timeouts);
        for (filled, mut elements) in Filled::ALL.into_iter().zip(self.elements) {
            elements.shrink_to_fit();
            let elements = Elements::from(elements);
            let set = table.sets.find_mut(filled.name()).expect("the skeleton has it");
            set.spec_mut().size = Some(size::of(filled, elements.len()));
            *set.elements_mut() = elements;
        }
        table
    }
}
