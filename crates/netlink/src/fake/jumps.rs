//! How deep jumps go.

use std::collections::{BTreeSet, HashMap};

use rulectl_ruleset::expr::{Expr, SetUse};
use rulectl_ruleset::ir::{AnySet, ChainName, Data, SetName};
use rulectl_ruleset::live::{LiveChain, LiveTable};

/// How many chains may be on the way, the base chain included (`NFT_JUMP_STACK_SIZE`, net/netfilter/nf_tables.h).
const DEPTH: usize = 16;

/// Whether no way from a base chain is deeper than the kernel goes (`nft_chain_validate`). A loop is deeper.
pub(super) fn are_shallow(table: &LiveTable) -> bool {
    let mut walk = Walk { table, targets: HashMap::new(), reached: HashMap::new() };
    table.chains.iter().filter(|chain| chain.base.is_some()).all(|chain| walk.fits(chain, 1))
}

struct Walk<'a> {
    table: &'a LiveTable,
    /// Where the named verdict maps lead.
    targets: HashMap<&'a SetName, BTreeSet<&'a ChainName>>,
    /// At which depth each chain was found to fit.
    reached: HashMap<&'a ChainName, usize>,
}

impl<'a> Walk<'a> {
    fn fits(&mut self, chain: &'a LiveChain, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        if self.reached.get(&chain.name).is_some_and(|reached| *reached >= depth) {
            return true;
        }
        let mut next = BTreeSet::new();
        for expr in chain.rules.iter().flat_map(|rule| &rule.program.exprs) {
            match expr {
                Expr::Verdict(verdict) => next.extend(verdict.chain()),
                Expr::Vmap { set: SetUse::Anonymous(set), .. } => next.extend(targets(set)),
                Expr::Vmap { set: SetUse::Named(name), .. } => next.extend(self.targets(name)),
                _ => {}
            }
        }
        let table = self.table;
        let fits = next.into_iter().filter_map(|name| table.chains.find(name)).all(|chain| self.fits(chain, depth + 1));
        if fits {
            self.reached.insert(&chain.name, depth);
        }
        fits
    }

    fn targets(&mut self, map: &'a SetName) -> BTreeSet<&'a ChainName> {
        let table = self.table;
        let found = || table.sets.find(map).map(|set| targets(&set.set).collect()).unwrap_or_default();
        self.targets.entry(map).or_insert_with(found).clone()
    }
}

fn targets(map: &AnySet) -> impl Iterator<Item = &ChainName> {
    map.elements().iter().filter_map(|element| match &element.data {
        Data::Verdict(verdict) => verdict.chain(),
        _ => None,
    })
}
