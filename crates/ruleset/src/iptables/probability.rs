//! Probabilities as the kernel keeps them.

use std::fmt;

use super::extension::{Context, Value};

/// A probability in units of 2^-31 (`xt_statistic_info`, linux/netfilter/xt_statistic.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u32);

impl Probability {
    const ONE: u32 = 1 << 31;

    /// Of `share` in `total`, rounded to the nearest unit. At most 1; 1 also where `total` is 0.
    pub fn of(share: u64, total: u64) -> Self {
        if total == 0 || share >= total {
            return Self(Self::ONE);
        }
        let (share, total) = (u128::from(share), u128::from(total));
        let units = (share * u128::from(Self::ONE) * 2 + total) / (total * 2);
        Self(u32::try_from(units).unwrap_or(Self::ONE))
    }

    /// From decimal digits, rounded as iptables does (`statistic_parse`, extensions/libxt_statistic.c).
    pub fn from_decimal(text: &str) -> Option<Self> {
        let value: f64 = text.parse().ok()?;
        // In range, so the product is at most 2^31 and exact enough: a double has 53 bits.
        (0.0..=1.0).contains(&value).then(|| Self((value * f64::from(Self::ONE)).round() as u32))
    }
}

impl Value for Probability {
    const EXPECTED: &'static str = "a probability from 0 to 1";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::from_decimal(word)
    }
}

/// Eleven decimals, as iptables-save prints it. These digits lead back to the same units.
impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.11}", f64::from(self.0) / f64::from(Self::ONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_iptables_save() {
        // Seen in iptables-save 1.8.9; the last two are ties that the C library rounds to even.
        for (share, total, printed) in [
            (1, 3, "0.33333333349"),
            (1, 2, "0.50000000000"),
            (1, 10, "0.10000000009"),
            (1, 4096, "0.00024414062"),
            (3, 4096, "0.00073242188"),
        ] {
            assert_eq!(Probability::of(share, total).to_string(), printed);
        }
    }

    #[test]
    fn digits_lead_back_to_the_same_units() {
        for total in (1..2000).chain([65_535, 1_000_003, u64::MAX]) {
            let probability = Probability::of(1, total);
            assert_eq!(Probability::from_decimal(&probability.to_string()), Some(probability), "1 of {total}");
        }
        for refused in ["", "x", "-0.1", "1.1", "NaN", "inf"] {
            assert_eq!(Probability::from_decimal(refused), None, "{refused}");
        }
    }
}
