//! Which endpoint is in which slot, when some of them are in slots already.
//!
//! Three rules hold for the slots of a frontend with `n` targets, whatever was changed in which order:
//! 1. every slot is below the size of the pool for `n`;
//! 2. slot 0 is filled, if there is any target;
//! 3. every target has as many slots as it has shares.
//!
//! Slots between may be free: the pool's chain tries again. That makes most changes one element: a target that goes
//! leaves a free slot, one that comes takes the lowest free slot, one that replaces another takes its slot.

use super::pool::Pool;

/// Puts `wanted` into slots, moving as few as possible of those that are in slots already.
///
/// `live` is what is in slots now, by ascending slot. Targets that are wanted and in a slot the pool has stay there.
/// The others go to slot 0 if it is free, then to slots that just became free, then to free ones, lowest first. If slot
/// 0 is free after all, the last target moves there. Without `live` the targets fill the slots in their order.
///
/// The result has an entry for each slot of the pool.
pub(super) fn assign<T, K>(wanted: &[T], key: impl Fn(&T) -> K, live: impl Iterator<Item = (u32, K)>) -> Vec<Option<T>>
where
    T: Clone,
    K: Ord,
{
    let size = Pool::of(wanted.len()).map_or(0, Pool::size) as usize;
    let mut slots: Vec<Option<T>> = vec![None; size];
    // Wanted targets by key; those of one key in the order of the slots they would take.
    let mut by_key: Vec<usize> = (0..wanted.len()).collect();
    by_key.sort_by_key(|at| key(&wanted[*at]));
    let mut placed = vec![false; wanted.len()];
    let mut left = Vec::new();
    for (slot, target) in live {
        let Some(place) = slots.get_mut(slot as usize) else { continue };
        let from = by_key.partition_point(|at| key(&wanted[*at]) < target);
        let same = by_key[from..].iter().take_while(|at| key(&wanted[**at]) == target);
        match same.copied().find(|at| !placed[*at]) {
            Some(at) => {
                placed[at] = true;
                *place = Some(wanted[at].clone());
            }
            None => left.push(slot as usize),
        }
    }
    let mut missing = placed.iter().enumerate().filter(|(_, placed)| !**placed).map(|(at, _)| &wanted[at]);
    for slot in std::iter::once(0).chain(left).chain(0..size) {
        if slots.get(slot).is_some_and(Option::is_none) {
            let Some(target) = missing.next() else { break };
            slots[slot] = Some(target.clone());
        }
    }
    if let Some(None) = slots.first() {
        let last = slots.iter_mut().rev().find(|slot| slot.is_some()).and_then(Option::take);
        slots[0] = last;
    }
    slots
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moved(wanted: &[u8], live: &[Option<u8>]) -> Vec<Option<u8>> {
        let live = live.iter().enumerate().filter_map(|(slot, target)| Some((slot as u32, (*target)?)));
        assign(wanted, |target| *target, live)
    }

    fn text(slots: &[Option<u8>]) -> String {
        slots.iter().map(|slot| slot.map_or("-".to_owned(), |target| target.to_string())).collect()
    }

    fn after(wanted: &[u8], live: &str) -> String {
        let live: Vec<_> = live.chars().map(|c| c.to_digit(10).map(|digit| digit as u8)).collect();
        text(&moved(wanted, &live))
    }

    #[test]
    fn fresh_targets_fill_slots_in_order() {
        assert_eq!(after(&[1, 2, 3, 4, 5], ""), "12345-");
    }

    #[test]
    fn a_target_that_goes_leaves_its_slot_free() {
        assert_eq!(after(&[1, 2, 4, 5, 6], "123456"), "12-456");
    }

    #[test]
    fn a_target_that_comes_takes_the_lowest_free_slot() {
        assert_eq!(after(&[1, 2, 4, 5, 6, 7], "12-456"), "127456");
    }

    #[test]
    fn a_target_that_replaces_another_takes_its_slot_even_if_a_lower_one_is_free() {
        assert_eq!(after(&[1, 2, 4, 5, 7], "12-456"), "12-457");
    }

    #[test]
    fn the_last_target_moves_when_slot_0_becomes_free() {
        assert_eq!(after(&[2, 3, 4, 5, 6], "123456"), "62345-");
    }

    #[test]
    fn targets_above_a_smaller_pool_move_below_its_size() {
        assert_eq!(after(&[1, 2, 5, 6], "123456"), "1256");
    }

    #[test]
    fn the_pool_of_no_target_has_no_slot() {
        assert_eq!(after(&[], "123"), "");
    }

    /// Slots as any history may have left them, and wanted targets that partly are in them.
    fn any_state() -> impl Strategy<Value = (Vec<u8>, Vec<Option<u8>>)> {
        let target = 0_u8..12;
        (prop::collection::vec(target.clone(), 0..20), prop::collection::vec(prop::option::of(target), 0..24))
    }

    proptest! {
        #[test]
        fn slots_are_valid_whatever_was_live((wanted, live) in any_state()) {
            let slots = moved(&wanted, &live);
            let mut have: Vec<u8> = slots.iter().copied().flatten().collect();
            let mut want = wanted.clone();
            have.sort_unstable();
            want.sort_unstable();
            prop_assert_eq!(have, want);
            prop_assert_eq!(slots.len(), Pool::of(wanted.len()).map_or(0, Pool::size) as usize);
            prop_assert!(wanted.is_empty() || slots[0].is_some());
        }

        #[test]
        fn what_is_right_already_does_not_move((wanted, live) in any_state()) {
            let once = moved(&wanted, &live);
            prop_assert_eq!(moved(&wanted, &once), once);
        }

        #[test]
        fn as_many_targets_as_possible_stay((wanted, live) in any_state()) {
            let slots = moved(&wanted, &live);
            let stayed = slots.iter().zip(&live).filter(|(now, then)| now.is_some() && now == then).count();
            // A target can stay in as many slots of the pool as it is wanted in.
            let mut spare = wanted.clone();
            let could = live.iter().take(slots.len()).flatten().filter(|target| {
                spare.iter().position(|other| other == *target).map(|at| spare.swap_remove(at)).is_some()
            }).count();
            let slot_0_needed_another = slots.first() != live.first();
            prop_assert!(stayed == could || (slot_0_needed_another && stayed + 1 == could), "{} {}", stayed, could);
        }
    }
}
