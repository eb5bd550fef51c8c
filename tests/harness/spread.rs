//! How connections spread, and whether that can be chance.

use std::collections::BTreeMap;

/// How many connections each endpoint got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread(BTreeMap<String, usize>);

impl Spread {
    /// Counts one connection to an endpoint.
    pub fn count(&mut self, endpoint: &str) {
        *self.0.entry(endpoint.to_owned()).or_default() += 1;
    }

    /// The endpoints that got any, with how many.
    pub fn counts(&self) -> &BTreeMap<String, usize> {
        &self.0
    }

    /// Pearson's chi-squared statistic against the shares given, by endpoint; endpoints not named count as expected to
    /// get none, and make it infinite if they got any.
    pub fn chi_squared(&self, shares: &[(&str, f64)]) -> f64 {
        let total = self.0.values().sum::<usize>() as f64;
        let whole = shares.iter().map(|(_, share)| share).sum::<f64>();
        if self.0.keys().any(|endpoint| !shares.iter().any(|(name, _)| name == endpoint)) {
            return f64::INFINITY;
        }
        shares
            .iter()
            .map(|(name, share)| {
                let expected = total * share / whole;
                let observed = self.0.get(*name).copied().unwrap_or_default() as f64;
                (observed - expected).powi(2) / expected
            })
            .sum()
    }
}

/// The value that chi-squared of that many endpoints exceeds by chance once in about 100,000 runs
/// (quantile 0.99999; Wilson and Hilferty's approximation, within 1 % from two degrees of freedom on).
pub fn chi_squared_bound(endpoints: usize) -> f64 {
    let degrees = (endpoints.max(2) - 1) as f64;
    let normal = 4.265;
    let root = 2.0 / (9.0 * degrees);
    degrees * (1.0 - root + normal * root.sqrt()).powi(3)
}

impl<S: AsRef<str>> FromIterator<S> for Spread {
    fn from_iter<I: IntoIterator<Item = S>>(endpoints: I) -> Self {
        let mut spread = Self::default();
        endpoints.into_iter().for_each(|endpoint| spread.count(endpoint.as_ref()));
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_spread_passes_and_a_skewed_one_does_not() {
        let spread = |counts: [usize; 3]| -> Spread {
            ["a", "b", "c"].iter().zip(counts).flat_map(|(name, count)| vec![*name; count]).collect()
        };
        let even = [("a", 1.0), ("b", 1.0), ("c", 1.0)];
        assert!(spread([105, 98, 97]).chi_squared(&even) < chi_squared_bound(3));
        assert!(spread([200, 50, 50]).chi_squared(&even) > chi_squared_bound(3));
        assert_eq!(spread([1, 1, 1]).chi_squared(&even[..2]), f64::INFINITY);
        assert!(spread([200, 50, 50]).chi_squared(&[("a", 4.0), ("b", 1.0), ("c", 1.0)]) < chi_squared_bound(3));
    }
}
