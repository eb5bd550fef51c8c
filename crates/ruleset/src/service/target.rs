//! Where a frontend's connections go: its endpoints of one family, each as often as its weight says.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::Endpoint;

/// The most slots a frontend has: slot numbers from here on are kept for endpoints of this node.
pub(super) const SLOTS: usize = 65_536;

/// The most slots weights may take; more only where there are more endpoints.
///
/// Shares are exact to a tenth of a percent with it. Each slot is an element in the kernel, for each virtual address.
const WEIGHTED_SLOTS: usize = 1024;

/// An endpoint as the rules see it. Two are equal if address and port are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Whether it is, or may be, on this node: then it can be its own client.
    pub here: bool,
    /// Its port.
    pub port: u16,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.address, self.port).hash(state);
    }
}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.address, self.port).cmp(&(other.address, other.port))
    }
}

/// The targets of a frontend, in the order of its slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// One per slot, from slot 0 on; an endpoint of a weight has several.
    pub slots: Vec<Target>,
    /// What could not be kept of the endpoints or their weights.
    pub limit: Option<String>,
}

impl Targets {
    /// Those endpoints, which are of one family, as a node of that name sees them.
    ///
    /// An endpoint given twice counts once, with the larger weight; one of weight 0 gets nothing. Weights are divided
    /// by what they have in common; the shares of an endpoint are spread evenly over the slots.
    pub(super) fn of(endpoints: &[&Endpoint], node: Option<&str>) -> Self {
        let mut shares: Vec<(Target, u32)> = Vec::with_capacity(endpoints.len());
        shares.extend(endpoints.iter().filter(|endpoint| endpoint.weight > 0).map(|endpoint| {
            let here = match (node, endpoint.node.as_deref()) {
                (Some(node), Some(of_endpoint)) => node == of_endpoint,
                _ => true,
            };
            (Target { address: endpoint.address, here, port: endpoint.port }, u32::from(endpoint.weight))
        }));
        merge(&mut shares);
        let mut limit = None;
        if shares.len() > SLOTS {
            limit = Some(format!("of {} endpoints the first {SLOTS} are used: there are no more slots", shares.len()));
            shares.truncate(SLOTS);
        }
        let divisor = shares.iter().fold(0, |divisor, (_, weight)| gcd(divisor, *weight));
        if shares.iter().all(|(_, weight)| *weight == divisor) {
            return Self { slots: shares.into_iter().map(|(target, _)| target).collect(), limit };
        }
        shares.iter_mut().for_each(|(_, weight)| *weight /= divisor);
        limit = scale(&mut shares).or(limit);
        Self { slots: spread(&shares), limit }
    }

    /// Targets that were taken out of their order, in it again.
    pub(super) fn in_order(mut slots: Vec<Target>) -> Vec<Target> {
        slots.sort_unstable();
        let shares: Vec<_> = slots.chunk_by(Target::eq).map(|shares| (shares[0], shares.len() as u32)).collect();
        spread(&shares)
    }
}

/// Sorts, and leaves each target once: with the larger weight, and here if it is once said to be here.
fn merge(shares: &mut Vec<(Target, u32)>) {
    if shares.is_sorted_by(|(a, _), (b, _)| a < b) {
        return;
    }
    shares.sort_by_key(|(target, _)| *target);
    shares.dedup_by(|(other, other_weight), (target, weight)| {
        let same = other == target;
        if same {
            target.here |= other.here;
            *weight = (*weight).max(*other_weight);
        }
        same
    });
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Makes weights smaller until their sum is within the limit; says so if that was needed.
fn scale(shares: &mut [(Target, u32)]) -> Option<String> {
    let sum: u64 = shares.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let most = WEIGHTED_SLOTS.max(shares.len()) as u64;
    if sum <= most {
        return None;
    }
    // Every endpoint keeps one slot; what is left is given out by weight, so rounding down keeps the sum.
    let rest = most - shares.len() as u64;
    shares.iter_mut().for_each(|(_, weight)| *weight = 1 + (u64::from(*weight) * rest / sum) as u32);
    Some(format!("the weights of its endpoints need {sum} slots: they are scaled to {most}"))
}

/// Puts the `k`th share of an endpoint of weight `w` at `(k + 1/2) / w` of the way, so that the first slots, which are
/// tried more often, hold all endpoints about as often as they deserve.
fn spread(shares: &[(Target, u32)]) -> Vec<Target> {
    let mut places: Vec<(u32, u32, Target)> = shares
        .iter()
        .flat_map(|(target, weight)| (0..*weight).map(move |share| (2 * share + 1, *weight, *target)))
        .collect();
    places.sort_by(|(a, of_a, target_a), (b, of_b, target_b)| {
        let (left, right) = (u64::from(*a) * u64::from(*of_b), u64::from(*b) * u64::from(*of_a));
        left.cmp(&right).then(target_a.cmp(target_b))
    });
    places.into_iter().map(|(_, _, target)| target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(last: u8, weight: u16) -> Endpoint {
        Endpoint { weight, ..Endpoint::new([10, 0, 0, last].into(), 80) }
    }

    fn slots(endpoints: &[Endpoint]) -> Vec<u8> {
        let last = |target: &Target| match target.address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => unreachable!("only IPv4 was asked for"),
        };
        Targets::of(&endpoints.iter().collect::<Vec<_>>(), None).slots.iter().map(last).collect()
    }

    #[test]
    fn equal_weights_need_one_slot_each_in_sorted_order() {
        assert_eq!(slots(&[endpoint(3, 5), endpoint(1, 5), endpoint(2, 5)]), [1, 2, 3]);
    }

    #[test]
    fn weights_are_divided_by_what_they_have_in_common_and_spread() {
        assert_eq!(slots(&[endpoint(1, 20), endpoint(2, 10), endpoint(3, 30)]), [3, 1, 2, 3, 1, 3]);
    }

    #[test]
    fn an_endpoint_given_twice_counts_once_and_one_without_weight_gets_nothing() {
        assert_eq!(slots(&[endpoint(1, 1), endpoint(2, 0), endpoint(1, 1)]), [1]);
    }

    #[test]
    fn targets_out_of_order_come_back_into_it() {
        for endpoints in [vec![endpoint(1, 20), endpoint(2, 10), endpoint(3, 30)], vec![endpoint(2, 7), endpoint(1, 7)]]
        {
            let slots = Targets::of(&endpoints.iter().collect::<Vec<_>>(), None).slots;
            let reversed = slots.iter().rev().copied().collect();
            assert_eq!(Targets::in_order(reversed), slots);
        }
    }

    #[test]
    fn weights_beyond_the_limit_are_scaled_and_every_endpoint_keeps_a_slot() {
        let endpoints = [endpoint(1, 60_000), endpoint(2, 1), endpoint(3, 30_000)];
        let targets = Targets::of(&endpoints.iter().collect::<Vec<_>>(), None);
        let count =
            |last: u8| targets.slots.iter().filter(|target| target.address == endpoint(last, 1).address).count();
        assert_eq!((count(1), count(2), count(3)), (681, 1, 341));
        assert!(targets.limit.unwrap().contains("need 90001 slots"));
    }

    #[test]
    fn only_an_endpoint_known_to_be_elsewhere_is_not_here() {
        let on = |node: Option<&str>| Endpoint { node: node.map(Into::into), ..endpoint(1, 1) };
        let here = |node: Option<&str>, of: Option<&str>| Targets::of(&[&on(of)], node).slots[0].here;
        assert!(here(Some("n1"), Some("n1")) && here(Some("n1"), None) && here(None, Some("n1")));
        assert!(!here(Some("n1"), Some("n2")));
    }
}
