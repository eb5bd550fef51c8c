//! Pools: chains `lb-S` that send a connection to one of up to `S` endpoints; `here-S` to one on this node; `np-S` and
//! `np-here-S` the same for node ports. By chance; `turn-…` do it in turn, `hash-…` by a hash of the client's address.
//!
//! A pool's chain looks for an endpoint in a random one of its `S` slots, several times, for the slot may be free; then
//! in one of the slots of the next smaller pool, of which fewer are free; at last in slot 0, which is filled as long as
//! there is any endpoint ([`super::slots`]). So no look-up can miss but that of a frontend without endpoints, and that
//! is refused. The same holds between two generations: a packet that read its verdict before a commit and its endpoint
//! after it tries again.
//!
//! One endpoint more or less is one element as long as the pool is the same, and the verdict stays: adding a verdict
//! makes the kernel walk the verdict maps (`nft_table_validate`, net/netfilter/nf_tables_api.c), removing and adding
//! plain elements costs it nothing more.

use crate::ir::{
    Chain, ChainName, Expression, Family, Hash, Nat, NatKind, Numgen, NumgenMode, Rule, Statement, Verdict,
};

use super::super::Balance;
use super::super::route::Lead;
use super::super::target::SLOTS;
use super::sets::{Group, Site};
use super::skeleton::{REFUSE, chain_name, frontend_key};

/// A pool by its size: 1 2 3 4 6 8 12 16 24 32 48 …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pool(u32);

impl Pool {
    /// The pools every table has for all endpoints at addresses. A rule that looks up in a filled map makes the kernel walk the map, so chains are
    /// made before the maps are filled.
    pub(super) const ALWAYS: [Self; 14] = {
        let sizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
        let mut pools = [Self(0); 14];
        let mut at = 0;
        while at < sizes.len() {
            pools[at] = Self(sizes[at]);
            at += 1;
        }
        pools
    };

    /// The pools a table has for a group of endpoints if the largest one needed is that, by size.
    pub(super) fn up_to(largest: Option<Self>) -> impl Iterator<Item = Self> {
        std::iter::successors(Self::of(1), |pool| pool.larger()).take_while(move |pool| Some(*pool) <= largest)
    }

    /// The largest pool every table has for a group of endpoints.
    pub(super) fn always(group: Group) -> Option<Self> {
        (group == Group::ANY).then_some(Self::LARGEST_ALWAYS)
    }

    /// The largest of [`Self::ALWAYS`].
    pub(super) const LARGEST_ALWAYS: Self = Self::ALWAYS[Self::ALWAYS.len() - 1];

    /// The smallest pool for so many targets; `None` for none.
    pub(super) fn of(targets: usize) -> Option<Self> {
        let targets = u32::try_from(targets).ok().filter(|targets| *targets > 0)?;
        let power = targets.next_power_of_two();
        let between = power / 4 * 3;
        Some(Self(if between >= targets { between } else { power }))
    }

    /// How many slots it has.
    pub(super) fn size(self) -> u32 {
        self.0
    }

    /// Its chain for a group of endpoints.
    pub(super) fn chain_name(self, group: Group) -> ChainName {
        chain_name(&format!("{}-{}", group.prefix(), self.0))
    }

    /// The next larger pool; `None` after the largest.
    pub(super) fn larger(self) -> Option<Self> {
        (self.0 < SLOTS as u32).then(|| Self::of(self.0 as usize + 1)).flatten()
    }

    /// The next smaller pool.
    fn smaller(self) -> Option<Self> {
        let size = if self.0.is_power_of_two() { self.0 * 3 / 4 } else { self.0 / 3 * 2 };
        (size > 0).then_some(Self(size))
    }

    /// Among how many slots each look-up of the chain chooses.
    ///
    /// A pool of up to 4 serves one number of targets, so it has no free slot; it tries again only for packets between
    /// two generations. Of larger pools up to a third of the slots may be free. How often they are tried is chosen so
    /// that what is left for slot 0 does not make its share larger than a fair one by a sixth, even if the lowest slots
    /// are free; the tests calculate it.
    fn moduli(self) -> Vec<u32> {
        let Self(size) = self;
        if size <= 4 {
            return (1..=size).rev().collect();
        }
        let tries = match size {
            ..=16 => 3,
            17..=48 => 4,
            49..=128 => 5,
            129..=256 => 6,
            257..=768 => 7,
            769..=2048 => 8,
            2049..=6144 => 9,
            6145..=16_384 => 10,
            _ => 12,
        };
        let mut moduli = vec![size; tries];
        moduli.extend(self.smaller().map(|Self(smaller)| smaller));
        moduli.push(1);
        moduli
    }

    /// Its chain for a group of endpoints in a table of that family.
    ///
    /// A frontend that leads to endpoints of this node has others too, so what finds none here is not refused.
    pub(super) fn chain(self, group: Group, family: Family) -> Chain {
        let mut chain = Chain::new(self.chain_name(group));
        let tries = (1..).zip(self.moduli());
        chain.rules.extend(tries.map(|(seed, modulus)| translate(group, family, seed, modulus)));
        chain.with(if group.here { Statement::Verdict(Verdict::Drop) } else { Statement::goto(chain_name(REFUSE)) })
    }
}

/// `dnat ip to ip daddr . meta l4proto . th dport . numgen random mod M map @endpoints`.
///
/// By a hash, each try has a seed of its own: two clients that meet at a free slot part at the next. The seeds are fixed,
/// so a client is led to the same slot at all frontends that have as many.
fn translate(group: Group, family: Family, seed: u32, modulus: u32) -> Rule {
    let numgen = |mode| Expression::Numgen(Numgen { mode, modulus, offset: 0 });
    let slot = match group.balance {
        Balance::RoundRobin => numgen(NumgenMode::Inc),
        Balance::SourceHash if modulus > 1 => {
            let key = Box::new(Expression::saddr(family));
            Expression::Hash(Hash::Jhash { key, modulus, seed: Some(seed), offset: 0 })
        }
        Balance::Random | Balance::SourceHash => numgen(NumgenMode::Random),
    };
    let key = frontend_key(group.site, family).into_iter().chain([slot]);
    let mut nat = Nat::new(NatKind::Dnat);
    nat.family = Some(family);
    nat.address = Some(Expression::concat(key).map(group.endpoints().set_name()));
    Rule::from(Statement::Nat(nat))
}

/// The verdicts that lead to endpoints or say that there is none, made once: elements share the names of chains.
#[derive(Debug)]
pub(super) struct Verdicts {
    refuse: Verdict,
    /// By group and size.
    pools: [Vec<(Pool, Verdict)>; Group::ALL.len()],
}

impl Verdicts {
    /// The verdicts for all pools.
    pub(super) fn new() -> Self {
        let pools = Group::ALL.map(|group| {
            let pools = std::iter::successors(Pool::of(1), |pool| pool.larger());
            pools.map(|pool| (pool, Verdict::Goto(pool.chain_name(group)))).collect()
        });
        Self { refuse: Verdict::Goto(chain_name(REFUSE)), pools }
    }

    /// The verdict where a frontend leads there, to so many targets, at most [`SLOTS`].
    pub(super) fn of(&self, site: Site, lead: Lead, balance: Balance, targets: usize) -> &Verdict {
        match (Group::of(site, lead, balance), Pool::of(targets)) {
            (Some(group), Some(pool)) => {
                let pools = &self.pools[group.index()];
                let at = pools.partition_point(|(other, _)| *other < pool);
                &pools[at.min(pools.len() - 1)].1
            }
            _ if lead == Lead::Drop || lead == Lead::Here => &Verdict::Drop,
            _ => &self.refuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of each slot, times the number of filled slots: 1 is fair. `free` lists the free slots of the pool.
    fn shares(pool: Pool, free: &[std::ops::Range<u32>]) -> Vec<f64> {
        let filled: Vec<u32> = (0..pool.size()).filter(|slot| !free.iter().any(|range| range.contains(slot))).collect();
        let mut shares = vec![0.0; filled.len()];
        let mut left = 1.0;
        for modulus in pool.moduli() {
            let hits = filled.partition_point(|slot| *slot < modulus);
            shares[..hits].iter_mut().for_each(|share| *share += left / f64::from(modulus));
            left *= 1.0 - hits as f64 / f64::from(modulus);
        }
        assert!(left.abs() < 1e-12, "a look-up misses in {pool:?} with {free:?} free");
        let count = filled.len() as f64;
        shares.into_iter().map(|share| share * count).collect()
    }

    fn pools_up_to(size: u32) -> impl Iterator<Item = Pool> {
        std::iter::successors(Pool::of(1), |pool| pool.larger()).take_while(move |pool| pool.size() <= size)
    }

    fn extremes(shares: &[f64]) -> (f64, f64) {
        shares.iter().fold((f64::MAX, 0.0), |(least, most), share| (least.min(*share), most.max(*share)))
    }

    #[test]
    fn pools_grow_by_a_third_or_a_half() {
        let sizes: Vec<u32> = pools_up_to(128).map(Pool::size).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]);
        assert_eq!(sizes, Pool::ALWAYS.map(Pool::size));
        for targets in 1..=1000 {
            let pool = Pool::of(targets).unwrap();
            assert!(pool.size() as usize >= targets);
            assert!(pool.smaller().is_none_or(|smaller| (smaller.size() as usize) < targets), "{targets}");
        }
        assert_eq!(Pool::of(0), None);
        assert_eq!(Pool::of(SLOTS).unwrap().size() as usize, SLOTS);
        assert_eq!(Pool::of(SLOTS).unwrap().larger(), None);
    }

    #[test]
    fn shares_are_within_three_percent_of_fair_when_no_slot_between_is_free() {
        for pool in pools_up_to(256) {
            let fewest = pool.smaller().map_or(1, |smaller| smaller.size() + 1);
            for targets in fewest..=pool.size() {
                let (least, most) = extremes(&shares(pool, std::slice::from_ref(&(targets..pool.size()))));
                assert!(least > 0.97 && most < 1.01, "{targets} of {pool:?}: {least}..{most}");
            }
        }
    }

    #[test]
    fn shares_are_within_a_sixth_of_fair_wherever_slots_are_free() {
        for pool in pools_up_to(1024).filter(|pool| pool.size() > 4) {
            let smaller = pool.smaller().unwrap().size();
            // The fewest targets a pool serves leave most to later look-ups. What counts is how many free slots are
            // below the size of the smaller pool.
            for targets in [smaller + 1, smaller.midpoint(pool.size()), pool.size() - 1] {
                let free = pool.size() - targets;
                for low in (0..=free.min(smaller - 1)).rev().step_by(1 + pool.size() as usize / 128) {
                    let high = free - low;
                    if high > pool.size() - smaller {
                        continue;
                    }
                    let (least, most) = extremes(&shares(pool, &[1..1 + low, pool.size() - high..pool.size()]));
                    assert!(least > 0.97 && most < 7.0 / 6.0, "{targets} of {pool:?}, {low} low: {least}..{most}");
                }
            }
        }
    }

    #[test]
    fn the_chain_of_a_pool_ends_in_slot_0_and_then_refuses() {
        let refuse: ChainName = "refuse".try_into().unwrap();
        for pool in pools_up_to(65_536) {
            assert_eq!(pool.moduli().last(), Some(&1));
            let chain = pool.chain(Group::ANY, Family::Ip);
            assert_eq!(chain.rules.last(), Some(&Statement::goto(refuse.clone()).into()));
            assert!(chain.rules.len() <= 15);
            let here = pool.chain(Group { site: Site::NodePort, here: true, ..Group::ANY }, Family::Ip);
            assert_eq!(here.rules.last(), Some(&Statement::Verdict(Verdict::Drop).into()));
        }
    }
}
