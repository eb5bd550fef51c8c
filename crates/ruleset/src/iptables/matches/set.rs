//! `-m set` (extensions/libxt_set.c, `set_print_v4_matchinfo`).

use std::fmt;

use super::super::extension::{Context, Extension, Field, Given, Opt, Value};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::Name;

/// A set, and which of a packet's addresses, ports and so on are looked up there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetLookup {
    /// The name of the set.
    pub name: Name<31>,
    /// For each part of its elements, whether it is the source's.
    pub sources: Vec<bool>,
}

impl SetLookup {
    /// How many parts an element may have (`IPSET_DIM_MAX`, linux/netfilter/ipset/ip_set.h).
    pub const MAX_PARTS: usize = 6;
}

impl Value for SetLookup {
    const EXPECTED: &'static str = "the name of a set, and up to 6 of `src` and `dst` as `src,dst`";
    const WORDS: usize = 2;

    fn read([name, sources]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let source = |word: &str| match word {
            "src" => Some(true),
            "dst" => Some(false),
            _ => None,
        };
        let sources = sources.split(',').map(source).collect::<Option<Vec<_>>>()?;
        (sources.len() <= Self::MAX_PARTS).then_some(Self { name: Name::new(name)?, sources })
    }
}

impl fmt::Display for SetLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name)?;
        for (index, source) in self.sources.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "," }, if *source { "src" } else { "dst" })?;
        }
        Ok(())
    }
}

/// How a counter of an element is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterTest {
    /// It is that.
    Is(u64),
    /// It is not.
    IsNot(u64),
    /// It is less.
    Below(u64),
    /// It is more.
    Above(u64),
}

impl CounterTest {
    /// Reads the options for equal, less and more, which are the next ones from `first`.
    fn read(given: &Given<'_, '_>, first: usize) -> Result<Option<Self>, Problem> {
        let Some(option) = given.one_of(&[first, first + 1, first + 2])? else { return Ok(None) };
        let value = option.read(given.context)?;
        Ok(Some(match (option.option - first, option.inverted) {
            (0, false) => Self::Is(value),
            (0, true) => Self::IsNot(value),
            (1, _) => Self::Below(value),
            _ => Self::Above(value),
        }))
    }

    fn print(self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        match self {
            Self::Is(value) => write!(f, " --{what}-eq {value}"),
            Self::IsNot(value) => write!(f, " ! --{what}-eq {value}"),
            Self::Below(value) => write!(f, " --{what}-lt {value}"),
            Self::Above(value) => write!(f, " --{what}-gt {value}"),
        }
    }
}

/// Whether a packet is in a set of ipset(8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// The set and what is looked up.
    pub lookup: Criterion<SetLookup>,
    /// An element marked `nomatch` counts as found.
    pub return_nomatch: bool,
    /// Whether the counters of the element go up.
    pub update_counters: bool,
    /// Whether the counters of a member of a list of sets go up.
    pub update_subcounters: bool,
    /// What its packets must be.
    pub packets: Option<CounterTest>,
    /// What its bytes must be.
    pub bytes: Option<CounterTest>,
}

impl Extension for Set {
    const NAMES: &'static [&'static str] = &["set"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--match-set", "--set"]).two_words().or_not(),
        Opt::flag(&["--return-nomatch"]),
        Opt::flag(&["--update-counters"]).or_not(),
        Opt::flag(&["--update-subcounters"]).or_not(),
        Opt::word(&["--packets-eq"]).or_not(),
        Opt::word(&["--packets-lt"]),
        Opt::word(&["--packets-gt"]),
        Opt::word(&["--bytes-eq"]).or_not(),
        Opt::word(&["--bytes-lt"]),
        Opt::word(&["--bytes-gt"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let goes_up = |option| given.single(option).map(|given| given.is_none_or(|given| !given.inverted));
        Ok(Self {
            lookup: given.criterion(0)?.ok_or_else(|| given.missing(&[0]))?,
            return_nomatch: given.flag(1)?,
            update_counters: goes_up(2)?,
            update_subcounters: goes_up(3)?,
            packets: CounterTest::read(given, 4)?,
            bytes: CounterTest::read(given, 7)?,
        })
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lookup.print(f, "--match-set")?;
        Field::print(&self.return_nomatch, f, "--return-nomatch")?;
        f.write_str(if self.update_counters { "" } else { " ! --update-counters" })?;
        f.write_str(if self.update_subcounters { "" } else { " ! --update-subcounters" })?;
        self.packets.iter().try_for_each(|test| test.print(f, "packets"))?;
        self.bytes.iter().try_for_each(|test| test.print(f, "bytes"))
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m set --match-set block src",
            "-m set ! --match-set a-b src,dst,src --return-nomatch ! --update-counters",
            "-m set --match-set a dst ! --update-subcounters --packets-gt 5 ! --bytes-eq 0",
        ]);
        prints_as("-m set --set block src", "-m set --match-set block src");
        is_refused(&[
            "-m set",
            "-m set --match-set a",
            "-m set --match-set a odd",
            "-m set --match-set a src --packets-eq 1 --packets-lt 2",
        ]);
    }
}
