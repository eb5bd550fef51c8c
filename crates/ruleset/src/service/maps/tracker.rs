//! The incremental engine: from the change of a service to the change of elements, without looking at other services.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::ir::{Data, Family, Ruleset, Table, TableId};
use crate::lower::LowerError;
use crate::plan::Step;

use super::super::frontend::{Claim, FAMILIES, claims_of, distinct, family_of, taken};
use super::super::report::port_findings;
use super::super::target::{Target, Targets};
use super::super::{CompileOptions, Finding, Frontend, NodeSettings, Service, ServiceMap, ServiceName};
use super::align::slots_of;
use super::contents::{Contents, Leads, endpoint};
use super::edit::{self, Edit};
use super::keys::{Bytes, read_target};
use super::pool::Pool;
use super::skeleton::{ENDPOINTS, MASQUERADE_SERVICES, SERVICES};
use super::slots;
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

/// A service that claims a frontend.
#[derive(Clone, Debug)]
struct Claimant {
    service: ServiceName,
    external: bool,
    /// Its targets: in their slots if it has the frontend, else in those a compile gives them.
    slots: Box<[Option<Target>]>,
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
        let slots = holders.iter().map(|(_, holder)| holder.targets().count()).sum();
        let mut contents = Contents::with_capacity(&self.leads, holders.len(), slots);
        for (frontend, holder) in holders {
            let slots = (0..).zip(&holder.slots).filter_map(|(slot, target)| Some((slot, (*target)?)));
            contents.frontend(frontend, holder.external, slots);
        }
        contents.cluster_ips(state.cluster_ips());
        let mut table = contents.into_table(&state.id, &self.node);
        for (name, size) in state.sizes() {
            table.sets.find_mut(name).expect("the skeleton has it").spec_mut().size = size;
        }
        table
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
        let claims = service.map_or_else(Vec::new, |service| claims_of(service, &mut self.findings));
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
        for (table, counts) in self.tracker.tables.iter_mut().zip(self.before) {
            table.restore(counts);
        }
    }
}

impl Claimed {
    fn of(service: &Service, claims: &[Claim<'_>]) -> Self {
        let external = service.external_ips.iter().filter(|address| !service.cluster_ips.contains(address));
        let cluster = service.cluster_ips.iter().map(|address| (*address, true));
        let mut addresses: Vec<_> = cluster.chain(external.map(|address| (*address, false))).collect();
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

impl Claimant {
    fn of(claim: &Claim<'_>, targets: Targets) -> Self {
        let slots = targets.slots.into_iter().map(Some).collect();
        Self { service: claim.service.name.clone(), external: claim.external, slots }
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        self.slots.iter().flatten().copied()
    }

    /// Puts its targets into the slots a compile gives them, as those of one that waits are: when its turn comes they
    /// are placed from there, whatever slots they were in before.
    fn step_back(&mut self) {
        let targets = Targets::in_order(self.targets().collect());
        self.slots = targets.into_iter().map(Some).collect();
    }

    /// Puts its targets into slots where they, or targets of another, are live.
    fn place(&mut self, live: impl Iterator<Item = (u32, (IpAddr, u16))>) {
        let wanted: Vec<Target> = self.targets().collect();
        let mut slots = slots::assign(&wanted, |target| (target.address, target.port), live);
        slots.truncate(slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        self.slots = slots.into();
    }

    /// Its targets by their slots.
    fn in_slots(&self) -> impl Iterator<Item = (u32, (IpAddr, u16))> {
        (0..).zip(&self.slots).filter_map(|(slot, target)| target.map(|target| (slot, (target.address, target.port))))
    }
}

impl Tracker {
    /// Takes in a service whose elements are in `ruleset`. Services must come in the order of their names.
    fn load(&mut self, service: &Service, ruleset: &Ruleset) {
        let claims = claims_of(service, &mut Vec::new());
        let mut deltas = FAMILIES.map(|_| Deltas::default());
        let claimed = Claimed::of(service, &claims);
        claimed.count(1, &mut deltas);
        self.services.insert(service.name.clone(), claimed);
        for claim in &claims {
            let family = claim.frontend.family();
            let mut claimant =
                Claimant::of(claim, Targets::of(&claim.port.endpoints, family, self.node.name.as_deref()));
            let claimants = self.frontends.entry(claim.frontend).or_default();
            if claimants.is_empty() {
                let table = &self.tables[index(family)];
                let key = Bytes::frontend(&claim.frontend).packed();
                let endpoints = ruleset.find(&table.id).and_then(|table| table.sets.find(ENDPOINTS));
                let live = endpoints.into_iter().flat_map(|set| slots_of(set.elements(), &key));
                claimant.place(live.filter_map(|(slot, element)| match &element.data {
                    Data::Value(value) => Some((slot, read_target(value)?)),
                    _ => None,
                }));
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
            let targets = Targets::of(&claim.port.endpoints, frontend.family(), self.node.name.as_deref());
            gained = port_findings(claim, frontend.family(), &targets);
            let claimant = Claimant { service: name.clone(), ..Claimant::of(claim, targets) };
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
                first.place(had.into_iter().flat_map(Claimant::in_slots));
            }
            let was_first = |other: &&mut Claimant| had.is_some_and(|had| had.service == other.service);
            others.iter_mut().filter(was_first).for_each(Claimant::step_back);
        }
        self.compare(&frontend, had, after.first(), deltas);
        if !after.is_empty() {
            self.frontends.insert(frontend, after);
        }
        Undo::Frontend(frontend, before)
    }

    /// What is another element when a frontend's holder is another, or has other targets.
    fn compare(&self, frontend: &Frontend, before: Option<&Claimant>, after: Option<&Claimant>, deltas: &mut Deltas) {
        let key = Bytes::frontend(frontend);
        let count = |holder: &Claimant| holder.targets().count();
        let service = |holder: &Claimant| self.leads.service(key, count(holder));
        deltas.element(SERVICES, before.map(service), after.map(service));
        let masquerade = |holder: &Claimant| holder.external.then(|| self.leads.masquerade(key));
        deltas.element(MASQUERADE_SERVICES, before.and_then(masquerade), after.and_then(masquerade));
        deltas.pool = deltas.pool.max(after.and_then(|holder| Pool::of(count(holder))));
        let slots = |holder: Option<&Claimant>| holder.map_or(0, |holder| holder.slots.len());
        for slot in 0..slots(before).max(slots(after)) {
            let target = |holder: Option<&Claimant>| holder.and_then(|holder| *holder.slots.get(slot)?);
            let (before, after) = (target(before), target(after));
            let is_here = |target: &Option<Target>| target.filter(|target| target.here);
            for (target, by) in [(is_here(&before), -1), (is_here(&after), 1)] {
                if let Some(target) = target {
                    *deltas.hairpin.entry((target, frontend.protocol)).or_default() += by;
                }
            }
            if before != after {
                let element = |target: Target| endpoint(key, slot as u32, &target);
                deltas.element(ENDPOINTS, before.map(element), after.map(element));
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
