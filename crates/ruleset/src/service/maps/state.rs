//! One table of the maps layout, as far as services change it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::ir::{AnySet, Data, Element, Named, SetName, Table, TableId};
use crate::plan::SetHead;

use super::super::target::Target;
use super::super::{NodeSettings, Protocol};
use super::edit::Edit;
use super::keys::Bytes;
use super::pool::Pool;
use super::sets::{Filled, Group, Site};
use super::{affinity, skeleton};

/// A target that may be its own client.
pub(super) type Hairpin = (Target, Protocol);

/// A table: what its sets declare, how many elements they have, and how often what several services share is used.
#[derive(Debug)]
pub(super) struct TableState {
    pub(super) id: TableId,
    /// The sets without elements.
    sets: Named<AnySet>,
    heads: [SetHead; Filled::ALL.len()],
    counts: Counts,
    cluster_ips: HashMap<IpAddr, u32>,
    hairpin: HashMap<Hairpin, u32>,
}

/// A pool for each group of endpoints.
type Largest = [Option<Pool>; Group::ALL.len()];

/// The pools every table has.
fn always() -> Largest {
    Group::ALL.map(Pool::always)
}

/// What is counted in a table.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// Virtual addresses, for each service that has one. The table is there as long as there is any.
    addresses: usize,
    /// The largest pool of each group that has a chain; all smaller ones have theirs.
    largest: Largest,
    /// For how many seconds there are chains that remember.
    timeouts: BTreeSet<u32>,
    /// Elements of each set.
    lens: [usize; Filled::ALL.len()],
}

impl Counts {
    /// Those of a table that is not there.
    fn none() -> Self {
        Self { addresses: 0, largest: always(), timeouts: BTreeSet::new(), lens: [0; Filled::ALL.len()] }
    }
}

/// What was before a change, to be put back.
#[derive(Debug)]
pub(super) enum Used {
    ClusterIp(IpAddr, u32),
    Hairpin(Hairpin, u32),
}

/// What a change of services changes in a table.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    /// Elements that go, by set.
    removed: [Vec<Element>; Filled::ALL.len()],
    /// Elements that come, by set.
    added: [Vec<Element>; Filled::ALL.len()],
    /// How many virtual addresses more.
    pub(super) addresses: isize,
    /// How often each cluster IP is used more.
    pub(super) cluster_ips: HashMap<IpAddr, i64>,
    /// How often each target is used more.
    pub(super) hairpin: HashMap<Hairpin, i64>,
    /// The largest pool of each group that is needed.
    pools: Largest,
    /// For how many seconds clients are to be remembered.
    timeouts: BTreeSet<u32>,
}

impl Deltas {
    /// That an element of that set is another one, or comes, or goes.
    pub(super) fn element(&mut self, set: Filled, before: Option<Element>, after: Option<Element>) {
        if before != after {
            self.removed[set as usize].extend(before);
            self.added[set as usize].extend(after);
        }
    }

    /// That clients are to be remembered for so many seconds.
    pub(super) fn remember(&mut self, seconds: Option<u32>) {
        self.timeouts.extend(seconds);
    }

    /// That a group needs a pool for so many targets.
    pub(super) fn need(&mut self, group: Group, targets: usize) {
        let pool = &mut self.pools[group.index()];
        *pool = Pool::of(targets).max(*pool);
    }
}

impl TableState {
    /// A table that is not there.
    pub(super) fn new(id: TableId, node: &NodeSettings) -> Self {
        let sets = skeleton::table(&id, node, always(), &BTreeSet::new()).sets;
        let heads = Filled::ALL.map(|set| SetHead::of(sets.find(set.name()).expect("the skeleton has it")));
        let counts = Counts::none();
        Self { id, sets, heads, counts, cluster_ips: HashMap::new(), hairpin: HashMap::new() }
    }

    /// Takes over the sizes and chains of a table, and how many elements its sets have.
    pub(super) fn adopt(&mut self, table: &Table) {
        for (at, filled) in Filled::ALL.into_iter().enumerate() {
            let Some(set) = table.sets.find(filled.name()) else { continue };
            self.heads[at] = SetHead::of(set);
            self.sets.insert(self.heads[at].set().clone());
            self.counts.lens[at] = set.elements().len();
        }
        self.counts.largest = Group::ALL.map(|group| {
            let pools = std::iter::successors(Pool::of(1), |pool| pool.larger());
            pools.take_while(|pool| table.chains.contains(&pool.chain_name(group))).last()
        });
        let prefix = |name: &str| name.strip_prefix("remember-").and_then(|seconds| seconds.parse().ok());
        self.counts.timeouts = table.chains.iter().filter_map(|chain| prefix(chain.name.as_str())).collect();
    }

    /// The declarations of its sets.
    pub(super) fn sets(&self) -> &Named<AnySet> {
        &self.sets
    }

    /// Whether the table is there.
    pub(super) fn is_there(&self) -> bool {
        self.counts.addresses > 0
    }

    /// The virtual addresses that are ours as a whole.
    pub(super) fn cluster_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.cluster_ips.keys().copied()
    }

    /// The size of each set that is still enough for it.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&SetName, Option<u32>)> {
        let sizes = self.heads.iter().zip(self.counts.lens);
        sizes
            .map(|(head, len)| (head.name(), head.set().spec().size, len))
            .filter_map(|(name, size, len)| size.is_none_or(|size| len <= size as usize).then_some((name, size)))
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    pub(super) fn restore(&mut self, counts: Counts) {
        self.counts = counts;
    }

    pub(super) fn put_back(&mut self, used: Used) {
        match used {
            Used::ClusterIp(address, 0) => drop(self.cluster_ips.remove(&address)),
            Used::ClusterIp(address, count) => drop(self.cluster_ips.insert(address, count)),
            Used::Hairpin(target, 0) => drop(self.hairpin.remove(&target)),
            Used::Hairpin(target, count) => drop(self.hairpin.insert(target, count)),
        }
    }

    /// Whether a set has more elements than it can.
    pub(super) fn is_overfull(&self) -> bool {
        self.heads
            .iter()
            .zip(self.counts.lens)
            .any(|(head, len)| head.set().spec().size.is_some_and(|size| len > size as usize))
    }

    /// Counts uses; what is used for the first time, or no more, becomes elements. `undo` gets what was before.
    pub(super) fn count(&mut self, deltas: &mut Deltas, undo: &mut impl FnMut(Used)) {
        self.counts.addresses = self.counts.addresses.saturating_add_signed(deltas.addresses);
        for (address, by) in std::mem::take(&mut deltas.cluster_ips) {
            let (before, after) = add(&mut self.cluster_ips, address, by);
            undo(Used::ClusterIp(address, before));
            let element = |count: u32| (count > 0).then(|| Element::new(Bytes::address(address).packed(), Data::None));
            deltas.element(Filled::ClusterIps, element(before), element(after));
        }
        for (target, by) in std::mem::take(&mut deltas.hairpin) {
            let (before, after) = add(&mut self.hairpin, target, by);
            undo(Used::Hairpin(target, before));
            let key = || Bytes::hairpin(&target.0, target.1).packed();
            let element = |count: u32| (count > 0).then(|| Element::new(key(), Data::None));
            deltas.element(Filled::Hairpin, element(before), element(after));
        }
    }

    /// Counts uses, and tells what that and the other deltas mean for the table.
    pub(super) fn conclude(
        &mut self,
        mut deltas: Deltas,
        node: &NodeSettings,
        undo: &mut impl FnMut(Used),
        edits: &mut Vec<Edit>,
    ) {
        let was_there = self.is_there();
        self.count(&mut deltas, undo);
        if !self.is_there() {
            self.counts = Counts::none();
            edits.extend(was_there.then(|| Edit::DeleteTable(self.id.clone())));
            return;
        }
        if !was_there {
            let mut table = skeleton::table(&self.id, node, always(), &BTreeSet::new());
            // Those of the skeleton, but with sizes as they were.
            table.sets = self.sets.clone();
            edits.push(Edit::CreateTable(Box::new(table)));
        }
        self.grow(deltas.pools, edits);
        self.remember(std::mem::take(&mut deltas.timeouts), edits);
        for (at, (removed, added)) in deltas.removed.into_iter().zip(deltas.added).enumerate() {
            if removed.is_empty() && added.is_empty() {
                continue;
            }
            self.counts.lens[at] = (self.counts.lens[at] + added.len()).saturating_sub(removed.len());
            let (table, set) = (self.id.clone(), self.heads[at].clone());
            edits.push(Edit::Elements { table, set, removed: removed.into(), added: added.into() });
        }
    }

    /// Makes chains that remember for so many seconds.
    fn remember(&mut self, timeouts: BTreeSet<u32>, edits: &mut Vec<Edit>) {
        for seconds in timeouts {
            if self.counts.timeouts.insert(seconds) {
                edits.extend(Site::ALL.map(|site| {
                    let chain = Box::new(affinity::remember(site, self.id.family, seconds));
                    Edit::CreateChain { table: self.id.clone(), chain }
                }));
            }
        }
    }

    /// Makes chains for pools up to those.
    fn grow(&mut self, needed: Largest, edits: &mut Vec<Edit>) {
        for (group, needed) in Group::ALL.into_iter().zip(needed) {
            let there = self.counts.largest[group.index()];
            let missing = Pool::up_to(needed).filter(|pool| Some(*pool) > there);
            edits.extend(missing.map(|pool| {
                let chain = Box::new(pool.chain(group, self.id.family));
                Edit::CreateChain { table: self.id.clone(), chain }
            }));
            self.counts.largest[group.index()] = there.max(needed);
        }
    }
}

/// Uses something so many times more; how often it was used before, and how often after.
fn add<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: K, by: i64) -> (u32, u32) {
    let before = counts.get(&key).copied().unwrap_or(0);
    let after = u32::try_from(i64::from(before) + by).unwrap_or(0);
    if after == 0 {
        counts.remove(&key);
    } else {
        counts.insert(key, after);
    }
    (before, after)
}
