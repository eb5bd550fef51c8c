//! Alignment of two lists: which items stay, so that as few as possible come and go.

use std::collections::HashMap;
use std::hash::Hash;

/// How many pairs of equal items are looked at. Above it, the n-th of equal items is paired with the n-th only: the
/// alignment is right but may not be the longest.
const PAIRS: usize = 4_000_000;

/// The pairs of indices of items that stay: a longest common subsequence, both indices growing.
pub(crate) fn align<T: Eq + Hash>(old: &[T], new: &[T]) -> Vec<(usize, usize)> {
    let same = |(a, b): &(&T, &T)| a == b;
    let head = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let old_middle = &old_rest[..old_rest.len() - tail];
    let new_middle = &new_rest[..new_rest.len() - tail];

    let mut pairs: Vec<_> = (0..head).map(|at| (at, at)).collect();
    pairs.extend(longest_common(old_middle, new_middle).into_iter().map(|(i, j)| (head + i, head + j)));
    pairs.extend((0..tail).map(|at| (old.len() - tail + at, new.len() - tail + at)));
    pairs
}

/// Hunt and Szymanski, "A fast algorithm for computing longest common subsequences", 1977: the longest rising chain
/// through all pairs of equal items, in O((n + pairs) log n).
fn longest_common<T: Eq + Hash>(old: &[T], new: &[T]) -> Vec<(usize, usize)> {
    let places = places(old, new);
    // The last pair of the best chain of each length, and each pair's predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut links: Vec<(usize, usize, Option<usize>)> = Vec::new();
    for (i, matches) in places.iter().enumerate() {
        for &j in matches.iter().rev() {
            let length = ends.partition_point(|&end| links[end].1 < j);
            let before = length.checked_sub(1).map(|length| ends[length]);
            links.push((i, j, before));
            let link = links.len() - 1;
            match ends.get_mut(length) {
                Some(end) => *end = link,
                None => ends.push(link),
            }
        }
    }
    let mut chain = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(link) = at {
        let (i, j, before) = links[link];
        chain.push((i, j));
        at = before;
    }
    chain.reverse();
    chain
}

/// For each old item the indices of its equals in the new list, rising.
fn places<T: Eq + Hash>(old: &[T], new: &[T]) -> Vec<Vec<usize>> {
    let mut by_item: HashMap<&T, (Vec<usize>, usize)> = HashMap::new();
    for (j, item) in new.iter().enumerate() {
        by_item.entry(item).or_default().0.push(j);
    }
    let pairs: usize = old.iter().filter_map(|item| Some(by_item.get(item)?.0.len())).sum();
    old.iter()
        .map(|item| match by_item.get_mut(item) {
            None => Vec::new(),
            Some((places, _)) if pairs <= PAIRS => places.clone(),
            Some((places, used)) => {
                *used += 1;
                places.get(*used - 1).copied().into_iter().collect()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(old: &str, new: &str) -> String {
        let pairs = align(old.as_bytes(), new.as_bytes());
        assert!(pairs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{pairs:?}");
        pairs
            .into_iter()
            .map(|(i, j)| {
                assert_eq!(old.as_bytes()[i], new.as_bytes()[j]);
                char::from(old.as_bytes()[i])
            })
            .collect()
    }

    /// The textbook table.
    fn longest(old: &[u8], new: &[u8]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut diagonal = 0;
            for (j, b) in new.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = if a == b { diagonal + 1 } else { above.max(row[j]) };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    #[test]
    fn what_stays_is_found() {
        assert_eq!(common("abcdef", "abXdef"), "abdef");
        assert_eq!(common("abc", "cab"), "ab");
        assert_eq!(common("", "abc"), "");
        assert_eq!(common("aaaa", "aa"), "aa");
    }

    proptest::proptest! {
        #[test]
        fn no_alignment_is_longer(old in "[a-d]{0,12}", new in "[a-d]{0,12}") {
            assert_eq!(common(&old, &new).len(), longest(old.as_bytes(), new.as_bytes()));
        }
    }
}
