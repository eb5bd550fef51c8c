//! Dispatch by rules that are tried one after the other: a tree, so that few are tried.
//!
//! A chain holds up to [`LEAF`] items. More are told apart by the next four bits of their keys: a chain for each value
//! of these bits that several items have, and so on. A packet passes at most 16 rules a level, whatever the number of
//! items, and an item that comes or goes changes the chain it is in, and seldom those around it.

/// The most items a chain holds, if their keys tell them apart.
const LEAF: usize = 16;

/// How many bits a level tells apart.
const LEVEL: u32 = 4;

/// The most chains below one another. The kernel follows 16 jumps (`NFT_JUMP_STACK_SIZE`, net/netfilter/nf_tables.h),
/// and packets go on from here.
const DEPTH: usize = 7;

/// What is looked up: the first of the bits is the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The bits, the last one lowest.
    pub bits: u128,
    /// How many there are.
    pub width: u32,
}

/// The start of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    /// A key that begins so; the rest of it is zero.
    pub first: Key,
    /// How many bits it has.
    pub len: u32,
}

impl Key {
    fn prefix(self, len: u32) -> Prefix {
        let rest = self.width - len;
        let bits = if rest >= u128::BITS { 0 } else { self.bits >> rest << rest };
        Prefix { first: Self { bits, ..self }, len }
    }
}

impl Prefix {
    /// The last key that begins so.
    pub(super) fn last(self) -> Key {
        let rest = self.first.width - self.len;
        let ones = if rest >= u128::BITS { u128::MAX } else { (1 << rest) - 1 };
        Key { bits: self.first.bits | ones, ..self.first }
    }
}

/// What one chain of the tree holds, in the order of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node<T> {
    /// What its keys begin with; `None` for the root.
    pub prefix: Option<Prefix>,
    /// What it holds.
    pub entries: Vec<Branch<T>>,
}

/// An item, or a chain for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Branch<T> {
    /// An item.
    Item(T),
    /// The chain for keys that begin so.
    Chain(Prefix),
}

/// The chains for items, the root first. Items of equal keys stay in their order, in one chain.
pub(super) fn tree<T>(mut items: Vec<(Key, T)>) -> Vec<Node<T>> {
    items.sort_by_key(|(key, _)| *key);
    let mut nodes = Vec::new();
    grow(None, items, DEPTH, &mut nodes);
    nodes
}

fn grow<T>(prefix: Option<Prefix>, items: Vec<(Key, T)>, depth: usize, nodes: &mut Vec<Node<T>>) {
    let at = nodes.len();
    nodes.push(Node { prefix, entries: Vec::new() });
    let common = common(&items);
    let Some(common) = common.filter(|_| items.len() > LEAF && depth > 1) else {
        nodes[at].entries = items.into_iter().map(|(_, item)| Branch::Item(item)).collect();
        return;
    };
    let mut groups: Vec<(Prefix, Vec<(Key, T)>)> = Vec::new();
    for (key, item) in items {
        let prefix = key.prefix(common + LEVEL);
        match groups.last_mut().filter(|(last, _)| *last == prefix) {
            Some((_, group)) => group.push((key, item)),
            None => groups.push((prefix, vec![(key, item)])),
        }
    }
    for (_, mut group) in groups {
        if group.len() == 1 {
            nodes[at].entries.extend(group.pop().map(|(_, item)| Branch::Item(item)));
            continue;
        }
        // As long as it can be, so that most of what is not looked for is turned away here.
        let key = group[0].0;
        let prefix = key.prefix(self::common(&group).unwrap_or(key.width));
        nodes[at].entries.push(Branch::Chain(prefix));
        grow(Some(prefix), group, depth - 1, nodes);
    }
}

/// How many bits all keys begin with alike, in whole levels; `None` if they are all the same.
fn common<T>(items: &[(Key, T)]) -> Option<u32> {
    let ((first, _), (last, _)) = (items.first()?, items.last()?);
    let differing = first.bits ^ last.bits;
    let unused = u128::BITS - first.width;
    (differing != 0).then(|| (differing.leading_zeros() - unused) / LEVEL * LEVEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: impl IntoIterator<Item = u32>) -> Vec<(Key, u32)> {
        keys.into_iter().map(|key| (Key { bits: key.into(), width: 32 }, key)).collect()
    }

    /// How many entries are passed until the item is found.
    fn passed(nodes: &[Node<u32>], item: u32) -> usize {
        let (mut node, mut passed) = (&nodes[0], 0);
        loop {
            let leads = |branch: &Branch<u32>| match branch {
                Branch::Item(other) => *other == item,
                Branch::Chain(prefix) => (prefix.first.bits..=prefix.last().bits).contains(&item.into()),
            };
            let at = node.entries.iter().position(leads).unwrap_or_else(|| panic!("{item} is not there"));
            passed += at + 1;
            match &node.entries[at] {
                Branch::Item(_) => return passed,
                Branch::Chain(prefix) => {
                    node = nodes.iter().find(|node| node.prefix == Some(*prefix)).expect("every chain is there");
                }
            }
        }
    }

    #[test]
    fn every_item_is_found_after_few_others() {
        // Addresses as an allocator takes them, at random from a /16, and some far away.
        let addresses = (0..10_000_u32).map(|n| 0x0a60_0000 + n * 40_503 % 65_536).chain([0xc000_0201, 0xc000_0202]);
        let nodes = tree(keys(addresses.clone()));
        let most = addresses.map(|address| passed(&nodes, address)).max();
        assert!(most.is_some_and(|most| most <= 66), "{most:?}");
    }

    #[test]
    fn chains_do_not_get_deeper_than_the_kernel_follows() {
        // Each key differs from the next in another level.
        let items = (0..32).flat_map(|level| (0..16).map(move |n| Key { bits: n << (4 * level), width: 128 }));
        let nodes = tree(items.map(|key| (key, key)).collect());
        let is_in =
            |inner: &Prefix, outer: &Prefix| (outer.first..=outer.last()).contains(&inner.first) && inner != outer;
        let prefixes: Vec<_> = nodes.iter().filter_map(|node| node.prefix).collect();
        let depth = |prefix: &Prefix| prefixes.iter().filter(|other| is_in(prefix, other)).count() + 2;
        assert_eq!(prefixes.iter().map(depth).max(), Some(DEPTH));
    }

    #[test]
    fn few_items_are_in_one_chain_and_so_are_those_of_one_key() {
        assert_eq!(tree(keys(0..16)).len(), 1);
        assert_eq!(tree(keys([7; 40])).len(), 1);
        assert_eq!(tree(keys([7; 40].into_iter().chain([8]))).len(), 2);
        assert_eq!(tree(keys([])), [Node { prefix: None, entries: Vec::new() }]);
    }

    #[test]
    fn an_item_more_changes_the_chain_it_is_in() {
        let some = |count: u32| tree(keys((0..count).map(|n| n * 7)));
        let (before, after) = (some(4000), some(4001));
        let changed = after.iter().filter(|node| !before.contains(node)).count();
        assert!(changed <= 2, "{changed}");
    }

    #[test]
    fn a_prefix_knows_its_keys() {
        let key = Key { bits: 0xffff_ffff, width: 128 };
        assert_eq!(key.prefix(0).last().bits, u128::MAX);
        assert_eq!(key.prefix(128).last(), key);
        let short = Key { bits: 0x12_3456, width: 24 }.prefix(8);
        assert_eq!((short.first.bits, short.last().bits), (0x12_0000, 0x12_ffff));
    }
}
