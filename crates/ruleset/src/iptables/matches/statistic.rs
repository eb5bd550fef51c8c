//! `-m statistic` (extensions/libxt_statistic.c). Mode `random` is typed; a match of mode `nth` is opaque.

use std::fmt;

use super::super::head::Criterion;
use super::super::probability::Probability;
use super::super::rule::{Extension, Options};

/// A part of the packets, chosen at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statistic {
    /// With which probability.
    pub probability: Criterion<Probability>,
}

impl Statistic {
    /// `share` of `total` packets.
    pub fn random(share: u64, total: u64) -> Self {
        Self { probability: Criterion::is(Probability::of(share, total)) }
    }
}

impl Extension for Statistic {
    const NAME: &'static str = "statistic";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let ((false, "--mode"), "random") = (options.option()?, options.value()?) else { return None };
        let (inverted, "--probability") = options.option()? else { return None };
        let value = Probability::from_decimal(options.value()?)?;
        Some(Self { probability: Criterion { inverted, value } })
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(" --mode random")?;
        self.probability.print(f, "--probability")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn probabilities_round_trip() {
        round_trips(&[
            "-m statistic --mode random --probability 0.33333333349",
            "-m statistic --mode random ! --probability 0.50000000000",
        ]);
        prints_as(
            "-m statistic --mode random --probability 0.3333333333",
            "-m statistic --mode random --probability 0.33333333349",
        );
        is_opaque(&["-m statistic --mode nth --every 3 --packet 0", "-m statistic --mode random --probability 2"]);
    }
}
