//! `-m hashlimit` (extensions/libxt_hashlimit.c, `hashlimit_mt_save`).

use std::fmt;

use super::super::extension::{Context, Extension, Field, Given, Opt, Value};
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{Name, Rate, Within, number_in};

/// A rate of packets or of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashlimitRate {
    /// Of packets.
    Packets(Rate<1_000_000>),
    /// So many times 16 bytes in a second.
    Bytes(u32),
}

/// Bytes are counted in steps of so many (`XT_HASHLIMIT_BYTE_EXPIRE`, 1 << 4).
const STEP: u64 = 16;

/// `512kb/s`: digits, `b`, `kb` or `mb`, and `/s`.
fn bytes_per_second(text: &str) -> Option<u64> {
    let (amount, time) = text.split_once('/')?;
    "second".starts_with(time).then_some(())?;
    bytes(amount)
}

/// `512`, `512b`, `512kb` or `512mb`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match &text[digits..] {
        "" | "b" => 1,
        "kb" => 1024,
        "mb" => 1024 * 1024,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| u32::try_from(*bytes).is_ok() && *bytes > 0)
}

/// As large units as hold it exactly.
fn print_bytes(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{}mb", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{}kb", bytes >> 10),
        _ => write!(f, "{bytes}b"),
    }
}

impl Value for HashlimitRate {
    const EXPECTED: &'static str = "a rate as `10/sec` or `512kb/s`";

    fn read(words: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        let digits = words[0].trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.starts_with(['b', 'k', 'm']) {
            return bytes_per_second(words[0]).map(|bytes| Self::Bytes((bytes / STEP).max(1) as u32));
        }
        <Rate<1_000_000> as Value>::read(words, context).map(Self::Packets)
    }
}

impl fmt::Display for HashlimitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(rate) => rate.fmt(f),
            Self::Bytes(steps) => {
                print_bytes(f, u64::from(*steps) * STEP)?;
                f.write_str("/s")
            }
        }
    }
}

/// Which fields tell packets apart, one bit each, in the order of iptables-save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashlimitMode(u8);

impl HashlimitMode {
    const NAMES: [&'static str; 4] = ["srcip", "srcport", "dstip", "dstport"];

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 & 1 << bit != 0).map(|(_, name)| name)
    }
}

impl Value for HashlimitMode {
    const EXPECTED: &'static str = "fields as `srcip,dstport`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let bit = |word: &str| Self::NAMES.iter().position(|name| word.eq_ignore_ascii_case(name)).map(|bit| 1 << bit);
        word.split(',').map(bit).try_fold(0, |bits, bit: Option<u8>| Some(bits | bit?)).map(Self)
    }
}

impl fmt::Display for HashlimitMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(","))
    }
}

/// A rate for each value of some fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashlimit {
    /// The rate.
    pub rate: HashlimitRate,
    /// Whether it is what is above the rate; else what is not.
    pub above: bool,
    /// How many at once: packets, or bytes where the rate is one of bytes.
    pub burst: Option<u32>,
    /// Which fields.
    pub mode: Option<HashlimitMode>,
    /// The name of the table.
    pub name: Name<14>,
    /// How many slots the table has.
    pub size: Option<u32>,
    /// How many entries it may have.
    pub most: Option<u32>,
    /// How often it is cleaned up, in milliseconds.
    pub interval: Option<u32>,
    /// When an entry is forgotten, in milliseconds.
    pub expire: Option<u32>,
    /// How many bits of the source count.
    pub source_bits: Option<u8>,
    /// How many bits of the destination count.
    pub destination_bits: Option<u8>,
    /// Only matches the rate, without regard to bursts.
    pub rate_match: bool,
    /// Over so many seconds.
    pub rate_interval: Option<u32>,
}

impl Extension for Hashlimit {
    const NAMES: &'static [&'static str] = &["hashlimit"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--hashlimit-upto", "--hashlimit"]).or_not(),
        Opt::word(&["--hashlimit-above"]).or_not(),
        Opt::word(&["--hashlimit-burst"]),
        Opt::word(&["--hashlimit-mode"]),
        Opt::word(&["--hashlimit-name"]),
        Opt::word(&["--hashlimit-htable-size"]),
        Opt::word(&["--hashlimit-htable-max"]),
        Opt::word(&["--hashlimit-htable-gcinterval"]),
        Opt::word(&["--hashlimit-htable-expire"]),
        Opt::word(&["--hashlimit-srcmask"]),
        Opt::word(&["--hashlimit-dstmask"]),
        Opt::flag(&["--hashlimit-rate-match"]),
        Opt::word(&["--hashlimit-rate-interval"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        let rate: HashlimitRate = option.read(given.context)?;
        let longest: u8 = if given.context.family == Family::Ip { 32 } else { 128 };
        let bits = |option| match given.single(option)? {
            None => Ok(None),
            Some(found) => match number_in(found.value(), 0..=longest.into()) {
                Some(bits) => Ok(Some(bits as u8).filter(|bits| *bits != longest)),
                None => Err(found.unexpected("the length of a prefix")),
            },
        };
        let burst = match (given.single(2)?, rate) {
            (None, HashlimitRate::Packets(_)) => Some(5),
            (None, HashlimitRate::Bytes(_)) => None,
            (Some(found), HashlimitRate::Packets(_)) => {
                let count: Within<1, 1_000_000> = found.read(given.context)?;
                Some(count.0)
            }
            (Some(found), HashlimitRate::Bytes(_)) => {
                Some(bytes(found.value()).ok_or_else(|| found.unexpected("bytes as `1mb`"))? as u32)
            }
        };
        let rate_match = given.flag(11)?;
        let rate_interval: Option<u32> = given.value(12)?;
        if rate_interval.is_some() && !rate_match {
            return Err(given.missing(&[11]));
        }
        Ok(Self {
            rate,
            above: (option.option == 1) != option.inverted,
            burst,
            mode: given.value(3)?,
            name: given.value(4)?.ok_or_else(|| given.missing(&[4]))?,
            size: given.value(5)?,
            most: given.value(6)?,
            interval: given.value::<u32>(7)?.filter(|ms| *ms != 1000),
            expire: given.value::<u32>(8)?.filter(|ms| *ms != 10_000),
            source_bits: bits(9)?,
            destination_bits: bits(10)?,
            rate_match,
            rate_interval: rate_interval.filter(|seconds| *seconds != 1),
        })
    }
}

impl fmt::Display for Hashlimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --hashlimit-{} {}", if self.above { "above" } else { "upto" }, self.rate)?;
        if let Some(burst) = self.burst {
            f.write_str(" --hashlimit-burst ")?;
            match self.rate {
                HashlimitRate::Packets(_) => write!(f, "{burst}")?,
                HashlimitRate::Bytes(_) => print_bytes(f, burst.into())?,
            }
        }
        Field::print(&self.mode, f, "--hashlimit-mode")?;
        Field::print(&self.name, f, "--hashlimit-name")?;
        Field::print(&self.size, f, "--hashlimit-htable-size")?;
        Field::print(&self.most, f, "--hashlimit-htable-max")?;
        Field::print(&self.interval, f, "--hashlimit-htable-gcinterval")?;
        Field::print(&self.expire, f, "--hashlimit-htable-expire")?;
        Field::print(&self.source_bits, f, "--hashlimit-srcmask")?;
        Field::print(&self.destination_bits, f, "--hashlimit-dstmask")?;
        Field::print(&self.rate_match, f, "--hashlimit-rate-match")?;
        Field::print(&self.rate_interval, f, "--hashlimit-rate-interval")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m hashlimit --hashlimit-upto 3/hour --hashlimit-burst 5 --hashlimit-name a",
            "-m hashlimit --hashlimit-above 10/sec --hashlimit-burst 7 --hashlimit-mode srcip,dstport --hashlimit-name a --hashlimit-htable-size 100 --hashlimit-htable-max 200 --hashlimit-htable-gcinterval 300 --hashlimit-htable-expire 400 --hashlimit-srcmask 24",
            "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-name a",
        ]);
        prints_as(
            "-m hashlimit ! --hashlimit-upto 40/minute --hashlimit-name b --hashlimit-dstmask 32",
            "-m hashlimit --hashlimit-above 40/min --hashlimit-burst 5 --hashlimit-name b",
        );
        is_refused(&[
            "-m hashlimit",
            "-m hashlimit --hashlimit-upto 1/sec",
            "-m hashlimit --hashlimit-upto 1/sec --hashlimit-name a --hashlimit-mode odd",
        ]);
    }
}
