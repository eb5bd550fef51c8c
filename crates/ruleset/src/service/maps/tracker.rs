//! The incremental engine: from the change of a service to the change of elements, without looking at other services.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::ir::{Data, Element, Family, Ruleset, Table, TableId};
use crate::lower::LowerError;
use crate::plan::Step;

use super::super::frontend::{Claim, FAMILIES, claims_of, distinct, family_of, taken};
use super::super::report::port_findings;
use super::super::route::{Lead, Route};
use super::super::{Balance, CompileOptions, Finding, Frontend, NodeSettings, Service, ServiceMap, ServiceName};
use super::align::slots_of;
use super::claimant::{Claimant, Slots};
use super::contents::{Contents, Leads, balance, endpoint, members};
use super::edit::{self, Edit};
use super::keys::{Bytes, read_target};
use super::sets::{Group, Site};
use super::state::{Counts, Deltas, TableState, Used};

/// Knows what is in the tables of a service map in the maps layout, and what a change of one service changes there.
///
/// [`Self::change`] takes time proportional to the services it is about, whatever their number in all. What is tracked
/// is always what [`super::super::compile`] and [`super::align()`] give for the services as they are, but that a chain
/// of a large pool stays when its last frontend went, until [`Self::adopt`] is given a new compile.
///
/// The node's settings are in rules and in every element's making: when they change, compile and adopt anew.
#[derive(Debug)]
pub struct Tracker {
    node: NodeSettings,
    /// The virtual addresses and frontends that each service claims.
    services: HashMap<ServiceName, Claimed>,
    /// Who claims a frontend, by name: the first one has it.
    frontends: HashMap<Frontend, Vec<Claimant>>,
    /// The tables of IPv4 and IPv6.
    tables: [TableState; 2],
    leads: Leads,
}

/// What a service claims.
#[derive(Debug, Default)]
struct Claimed {
    /// Its virtual addresses, sorted, and whether each is a cluster IP.
    addresses: Box<[(IpAddr, bool)]>,
    /// Its frontends, sorted.
    frontends: Box<[Frontend]>,
}

impl Tracker {
    /// Tracks an empty map: no table is there.
    pub fn new(node: NodeSettings, options: &CompileOptions) -> Self {
        let tables = FAMILIES.map(|family| TableState::new(TableId::new(family, options.table.clone()), &node));
        Self { node, services: HashMap::new(), frontends: HashMap::new(), tables, leads: Leads::new() }
    }

    /// Tracks a map whose tables are `ruleset`: what [`super::super::compile`] made of the map in the maps layout, and
    /// [`super::align()`] may have aligned.
    pub fn adopt(map: &ServiceMap, options: &CompileOptions, ruleset: &Ruleset) -> Self {
        let mut tracker = Self::new(map.node.clone(), options);
        tracker.services.reserve(map.services.len());
        tracker.frontends.reserve(map.services.len());
        for service in distinct(map).0 {
            tracker.load(service, ruleset);
        }
        tracker.take_sizes(ruleset);
        tracker
    }

    /// Takes over the sizes of sets, and which chains there are, from what [`Self::ruleset`] gave.
    pub fn take_sizes(&mut self, ruleset: &Ruleset) {
        for state in &mut self.tables {
            if let Some(table) = ruleset.find(&state.id) {
                state.adopt(table);
            }
        }
    }

    /// Begins a change of services. Nothing is changed for good before it is accepted.
    pub fn change(&mut self) -> Change<'_> {
        let before = self.tables.each_ref().map(TableState::counts);
        Change { tracker: self, before, edits: Vec::new(), findings: Vec::new(), undo: Vec::new() }
    }

    /// The tables as they are after all changes. Where a set outgrew its size it has a new one, and
    /// chains that no frontend needs are left out.
    pub fn ruleset(&self) -> Ruleset {
        let mut holders: Vec<_> =
            self.frontends.iter().filter_map(|(frontend, claimants)| Some((frontend, claimants.first()?))).collect();
        holders.sort_unstable_by_key(|(frontend, _)| **frontend);
        let (ip, ip6) = holders.split_at(holders.partition_point(|(frontend, _)| frontend.address.is_ipv4()));
        let tables = self.tables.iter().zip([ip, ip6]);
        tables.filter(|(state, _)| state.is_there()).map(|(state, holders)| self.table(state, holders)).collect()
    }

    fn table(&self, state: &TableState, holders: &[(&Frontend, &Claimant)]) -> Table {
        let slots = holders.iter().map(|(_, holder)| holder.anywhere.targets().count()).sum();
        let mut contents = Contents::with_capacity(&self.leads, holders.len(), slots);
        for (frontend, holder) in holders {
            contents.frontend(frontend, &holder.handling, holder.anywhere.filled(), holder.here.filled());
        }
        contents.cluster_ips(state.cluster_ips());
        let mut table = contents.into_table(&state.id, &self.node);
        for (name, size) in state.sizes() {
            table.sets.find_mut(name).expect("the skeleton has it").spec_mut().size = size;
        }
        table
    }

    /// The frontends that a service claims, in order.
    pub fn claimed(&self, name: &ServiceName) -> &[Frontend] {
        self.services.get(name).map_or(&[], |claimed| &claimed.frontends)
    }

    /// The service that has a frontend, of those that claim it.
    pub fn holder(&self, frontend: &Frontend) -> Option<&ServiceName> {
        self.frontends.get(frontend)?.first().map(|holder| &holder.service)
    }

    /// Where new connections to a frontend may go.
    pub fn endpoints(&self, frontend: &Frontend) -> impl Iterator<Item = (IpAddr, u16)> {
        let holder = self.frontends.get(frontend).and_then(|claimants| claimants.first());
        holder.into_iter().flat_map(Claimant::targets).map(|target| (target.address, target.port))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is no service.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }
}

fn index(family: Family) -> usize {
    usize::from(family == Family::Ip6)
}

/// A change of services that is being made: ask what it does, have a kernel do it, then accept it. Dropped before that,
/// it never was.
#[derive(Debug)]
#[must_use = "a change that is not accepted never was"]
pub struct Change<'t> {
    tracker: &'t mut Tracker,
    before: [Counts; 2],
    edits: Vec<Edit>,
    findings: Vec<Finding>,
    /// What was before, to be put back last first.
    undo: Vec<Undo>,
}

#[derive(Debug)]
enum Undo {
    Service(ServiceName, Option<Claimed>),
    Frontend(Frontend, Vec<Claimant>),
    Used(Family, Used),
}

impl Change<'_> {
    /// Puts a service in the place of the one of that name, or takes it away. The name inside `service` does not count.
    pub fn update(&mut self, name: &ServiceName, service: Option<&Service>) {
        let mut deltas = FAMILIES.map(|_| Deltas::default());
        self.replace(name, service, &mut deltas);
        let Tracker { node, tables, .. } = &mut *self.tracker;
        for (table, deltas) in tables.iter_mut().zip(deltas) {
            let family = table.id.family;
            let mut undo = |used| self.undo.push(Undo::Used(family, used));
            table.conclude(deltas, node, &mut undo, &mut self.edits);
        }
    }

    /// What it does to the tables, in order.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// The steps of a plan that do it.
    ///
    /// # Errors
    /// Where a rule has no program: a defect of this crate.
    pub fn steps(&self) -> Result<Vec<Step>, LowerError> {
        edit::steps(&self.edits, |family| self.tracker.tables[index(family)].sets())
    }

    /// What is to be said about the services that were changed.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The tables as they are after it: [`Tracker::ruleset`].
    pub fn ruleset(&self) -> Ruleset {
        self.tracker.ruleset()
    }

    /// Whether a set gets more elements than its size allows: a kernel would refuse the change. Compile and
    /// [`super::align()`] then choose another size.
    pub fn outgrows(&self) -> bool {
        self.tracker.tables.iter().any(TableState::is_overfull)
    }

    /// The change is in the kernel.
    pub fn accept(mut self) {
        self.undo.clear();
        self.before = self.tracker.tables.each_ref().map(TableState::counts);
    }

    fn replace(&mut self, name: &ServiceName, service: Option<&Service>, deltas: &mut [Deltas; 2]) {
        let claims =
            service.map_or_else(Vec::new, |service| claims_of(service, &self.tracker.node, &mut self.findings));
        let new = service.map(|service| Claimed::of(service, &claims));
        let old = match new {
            Some(new) => self.tracker.services.insert(name.clone(), new),
            None => self.tracker.services.remove(name),
        };
        let new = self.tracker.services.get(name);
        for (claimed, by) in [(old.as_ref(), -1), (new, 1)] {
            if let Some(claimed) = claimed {
                claimed.count(by, deltas);
            }
        }
        let lost = old
            .iter()
            .flat_map(|old| &old.frontends)
            .filter(|frontend| claims.binary_search_by_key(*frontend, |claim| claim.frontend).is_err());
        for frontend in lost {
            let deltas = &mut deltas[index(frontend.family())];
            let undo = self.tracker.contend(*frontend, name, None, deltas, &mut self.findings);
            self.undo.push(undo);
        }
        for claim in &claims {
            let deltas = &mut deltas[index(claim.frontend.family())];
            let undo = self.tracker.contend(claim.frontend, name, Some(claim), deltas, &mut self.findings);
            self.undo.push(undo);
        }
        self.undo.push(Undo::Service(name.clone(), old));
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        while let Some(undo) = self.undo.pop() {
            self.tracker.revert(undo);
        }
        for (table, counts) in self.tracker.tables.iter_mut().zip(self.before.clone()) {
            table.restore(counts);
        }
    }
}

impl Claimed {
    fn of(service: &Service, claims: &[Claim<'_>]) -> Self {
        let is_cluster_ip = |address| (address, service.cluster_ips.contains(&address));
        // A host port needs the table as much as a virtual address does.
        let hosts = claims.iter().filter(|claim| claim.host).map(|claim| (claim.frontend.address, false));
        let mut addresses: Vec<_> = service.virtual_addresses().map(is_cluster_ip).chain(hosts).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Self { addresses: addresses.into(), frontends: claims.iter().map(|claim| claim.frontend).collect() }
    }

    /// Counts its addresses as used `by` times more.
    fn count(&self, by: i32, deltas: &mut [Deltas; 2]) {
        for (address, is_cluster_ip) in &self.addresses {
            let deltas = &mut deltas[index(family_of(*address))];
            deltas.addresses += by as isize;
            if *is_cluster_ip {
                *deltas.cluster_ips.entry(*address).or_default() += i64::from(by);
            }
        }
    }
}

impl Tracker {
    /// Takes in a service whose elements are in `ruleset`. Services must come in the order of their names.
    fn load(&mut self, service: &Service, ruleset: &Ruleset) {
        let claims = claims_of(service, &self.node, &mut Vec::new());
        let mut deltas = FAMILIES.map(|_| Deltas::default());
        let claimed = Claimed::of(service, &claims);
        claimed.count(1, &mut deltas);
        self.services.insert(service.name.clone(), claimed);
        for claim in &claims {
            let family = claim.frontend.family();
            let mut claimant = Claimant::of(service.name.clone(), Route::of(claim, &self.node));
            let claimants = self.frontends.entry(claim.frontend).or_default();
            if claimants.is_empty() {
                let table = ruleset.find(&self.tables[index(family)].id);
                claimant.anywhere.place(live(table, &claim.frontend, Lead::Anywhere).into_iter());
                claimant.here.place(live(table, &claim.frontend, Lead::Here).into_iter());
                for target in claimant.targets().filter(|target| target.here) {
                    *deltas[index(family)].hairpin.entry((target, claim.frontend.protocol)).or_default() += 1;
                }
            }
            claimants.push(claimant);
        }
        for (table, deltas) in self.tables.iter_mut().zip(&mut deltas) {
            table.count(deltas, &mut |_| {});
        }
    }

    /// Lets a service claim a frontend, or claim it no more.
    fn contend(
        &mut self,
        frontend: Frontend,
        name: &ServiceName,
        claim: Option<&Claim<'_>>,
        deltas: &mut Deltas,
        findings: &mut Vec<Finding>,
    ) -> Undo {
        let before = self.frontends.remove(&frontend).unwrap_or_default();
        let mut after: Vec<_> = before.iter().filter(|claimant| claimant.service != *name).cloned().collect();
        let mut gained = None;
        if let Some(claim) = claim {
            let route = Route::of(claim, &self.node);
            gained = port_findings(claim, &route.anywhere, &route.here);
            let claimant = Claimant::of(name.clone(), route);
            let at = after.partition_point(|other| other.service < *name);
            after.insert(at, claimant);
            findings.extend(after[1..].iter().map(|loser| taken(frontend, &loser.service, &after[0].service)));
        }
        let had = before.first();
        if let Some((first, others)) = after.split_first_mut() {
            if first.service == *name {
                findings.extend(gained);
            }
            if first.service == *name || had.is_none_or(|had| had.service == *name) {
                first.anywhere.follow(had.map(|had| &had.anywhere));
                first.here.follow(had.map(|had| &had.here));
            }
            let was_first = |other: &&mut Claimant| had.is_some_and(|had| had.service == other.service);
            for other in others.iter_mut().filter(was_first) {
                other.anywhere.step_back();
                other.here.step_back();
            }
        }
        self.compare(&frontend, had, after.first(), deltas);
        if !after.is_empty() {
            self.frontends.insert(frontend, after);
        }
        Undo::Frontend(frontend, before)
    }

    /// What is another element when a frontend's holder is another, or has other targets.
    fn compare<'a>(
        &self,
        frontend: &Frontend,
        before: Option<&'a Claimant>,
        after: Option<&'a Claimant>,
        deltas: &mut Deltas,
    ) {
        let mut elements: BTreeMap<_, [Option<Element>; 2]> = BTreeMap::new();
        for (at, holder) in [before, after].into_iter().enumerate() {
            let Some(holder) = holder else { continue };
            self.leads.elements(frontend, &holder.handling, holder.counts(), |set, element| {
                let key = (set, element.key.clone());
                elements.entry(key).or_default()[at] = Some(element);
            });
            for (set, element) in members(frontend, &holder.handling, holder.targets()) {
                let key = (set, element.key.clone());
                elements.entry(key).or_default()[at] = Some(element);
            }
        }
        for ((set, _), [before, after]) in elements {
            deltas.element(set, before, after);
        }
        deltas.remember(after.and_then(|holder| holder.handling.affinity));
        let balance = after.map_or_else(Balance::default, |holder| balance(&holder.handling));
        for lead in [Lead::Anywhere, Lead::Here] {
            let slots = |holder: &'a Claimant| if lead == Lead::Here { &holder.here } else { &holder.anywhere };
            let slots = [before.map(slots), after.map(slots)];
            if let Some(group) = Group::of(Site::of(frontend), lead, balance) {
                compare_slots(frontend, group, slots, deltas);
            }
        }
    }

    fn revert(&mut self, undo: Undo) {
        match undo {
            Undo::Service(name, Some(claimed)) => drop(self.services.insert(name, claimed)),
            Undo::Service(name, None) => drop(self.services.remove(&name)),
            Undo::Frontend(frontend, claimants) if claimants.is_empty() => drop(self.frontends.remove(&frontend)),
            Undo::Frontend(frontend, claimants) => drop(self.frontends.insert(frontend, claimants)),
            Undo::Used(family, used) => self.tables[index(family)].put_back(used),
        }
    }
}

/// What is in the slots of a frontend in a table.
fn live(table: Option<&Table>, frontend: &Frontend, lead: Lead) -> Vec<(u32, (IpAddr, u16))> {
    // Whatever the balance, they are in the same map.
    let Some(group) = Group::of(Site::of(frontend), lead, Balance::Random) else { return Vec::new() };
    let Some(set) = table.and_then(|table| table.sets.find(group.endpoints().name())) else { return Vec::new() };
    let key = Bytes::frontend(frontend).packed();
    let target = |element: &Element| match &element.data {
        Data::Value(value) => read_target(value),
        _ => None,
    };
    slots_of(set.elements(), &key).filter_map(|(slot, element)| Some((slot, target(element)?))).collect()
}

/// What is in other slots when the holder of a frontend, or its targets, are others.
fn compare_slots(frontend: &Frontend, group: Group, [before, after]: [Option<&Slots>; 2], deltas: &mut Deltas) {
    let key = Bytes::frontend(frontend);
    deltas.need(group, after.map_or(0, |slots| slots.targets().count()));
    let len = |slots: Option<&Slots>| slots.map_or(0, Slots::len);
    for slot in 0..len(before).max(len(after)) {
        let (before, after) = (before.and_then(|slots| slots.at(slot)), after.and_then(|slots| slots.at(slot)));
        for (target, by) in [(before, -1), (after, 1)] {
            if let Some(target) = target.filter(|target| target.here) {
                *deltas.hairpin.entry((target, frontend.protocol)).or_default() += by;
            }
        }
        if before != after {
            let element = |target| endpoint(key, slot as u32, &target);
            deltas.element(group.endpoints(), before.map(element), after.map(element));
        }
    }
}
