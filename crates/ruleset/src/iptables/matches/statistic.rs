//! `-m statistic` (extensions/libxt_statistic.c, `statistic_save`).

use std::fmt;

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::head::Criterion;
use super::super::probability::Probability;
use super::super::problem::Problem;
use super::super::value::Within;

/// A part of the packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// At random.
    Random {
        /// With which probability.
        probability: Criterion<Probability>,
    },
    /// One of every so many.
    Nth {
        /// So many.
        every: Criterion<Within<1, { u32::MAX }>>,
        /// Which of them, from 0.
        packet: u32,
    },
}

impl Statistic {
    /// `share` of `total` packets, at random.
    pub fn random(share: u64, total: u64) -> Self {
        Self::Random { probability: Criterion::is(Probability::of(share, total)) }
    }
}

impl Extension for Statistic {
    const NAMES: &'static [&'static str] = &["statistic"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--mode"]),
        Opt::word(&["--probability"]).or_not(),
        Opt::word(&["--every"]).or_not(),
        Opt::word(&["--packet"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let mode = given.exactly_one_of(&[0])?;
        let built = match mode.value() {
            "random" => {
                given.one_of(&[0, 2, 3])?;
                Self::Random { probability: given.criterion(1)?.ok_or_else(|| given.missing(&[1]))? }
            }
            "nth" => {
                given.one_of(&[0, 1])?;
                let every: Criterion<Within<1, { u32::MAX }>> =
                    given.criterion(2)?.ok_or_else(|| given.missing(&[2]))?;
                let packet = given.value(3)?.unwrap_or(0);
                if packet >= every.value.0 {
                    return Err(given.problem("`--packet` must be less than `--every`"));
                }
                Self::Nth { every, packet }
            }
            _ => return Err(mode.unexpected("`random` or `nth`")),
        };
        Ok(built)
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { probability } => {
                f.write_str(" --mode random")?;
                probability.print(f, "--probability")
            }
            Self::Nth { every, packet } => {
                f.write_str(" --mode nth")?;
                Field::print(every, f, "--every")?;
                write!(f, " --packet {packet}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

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
        is_refused(&[
            "-m statistic --mode random",
            "-m statistic --mode random --probability 1.1",
            "-m statistic --mode random --probability 0.5 --every 2",
            "-m statistic --mode odd",
        ]);
    }

    #[test]
    fn counts_round_trip() {
        round_trips(&[
            "-m statistic --mode nth --every 3 --packet 1",
            "-m statistic --mode nth ! --every 5 --packet 0",
        ]);
        prints_as("-m statistic --mode nth --every 3", "-m statistic --mode nth --every 3 --packet 0");
        is_refused(&[
            "-m statistic --mode nth",
            "-m statistic --mode nth --every 0",
            "-m statistic --mode nth --every 3 --packet 3",
        ]);
    }
}
