//! How large sets are declared.
//!
//! The kernel takes a fixed hash table for a set of a declared size, and any other for one without; loading the fixed
//! one is twice to three times as fast. It has `size * 4/3` buckets rounded up to a power of two
//! (`nft_hash_buckets`, net/netfilter/nft_set_hash.c), and binding a rule, or validating verdicts, walks them all. So a
//! size of three quarters of a power of two is the most for its buckets.
//!
//! A set cannot change its size: it must be made anew, with all its elements. So sizes leave room, and
//! [`super::align`] keeps the size of a live set as long as that is enough.

use super::sets::Filled;

/// The size to declare for a new set of that name with so many elements: at least half as much again, at most three
/// times as much, and no less than a floor.
pub(super) fn of(set: Filled, elements: usize) -> u32 {
    let floor: u32 = match set {
        Filled::Endpoints => 3 << 13,
        Filled::Services | Filled::ClusterIps | Filled::Hairpin => 3 << 11,
        Filled::MasqueradeServices | Filled::NodeportEndpoints => 3 << 10,
        _ => 3 << 8,
    };
    // More than a billion elements do not fit into the kernel's memory either.
    let elements = u32::try_from(elements).map_or(1 << 30, |elements| elements.min(1 << 30));
    floor.max(elements.div_ceil(2).next_power_of_two() * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_leave_room_for_half_as_much_again_and_waste_no_bucket() {
        for set in Filled::ALL {
            for elements in (0..200).chain([4095, 4096, 4097, 100_000, 500_000, 1_000_000]) {
                let size = of(set, elements);
                assert!(size as usize >= elements + elements / 2, "{set:?} {elements}: {size}");
                assert!((size / 3).is_power_of_two() && size.is_multiple_of(3), "{set:?} {elements}: {size}");
            }
        }
        assert_eq!(of(Filled::Services, usize::MAX), 3 << 29);
        assert_eq!(of(Filled::Services, 10_000), 24_576);
        assert_eq!(of(Filled::Endpoints, 100_000), 196_608);
    }
}
