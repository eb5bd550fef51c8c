//! `-m string` (extensions/libxt_string.c, `string_save`).

use std::fmt;

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::keywords;

keywords! {
    /// How a text is looked for.
    SearchAlgorithm, "`bm` or `kmp`";
    /// Boyer and Moore's way.
    Bm = "bm",
    /// Knuth, Morris and Pratt's way.
    Kmp = "kmp",
}

/// Bytes to look for, and whether they are written in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// The most bytes (`XT_STRING_MAX_PATTERN_SIZE`, linux/netfilter/xt_string.h).
    pub const MAX: usize = 128;

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn checked(bytes: Vec<u8>) -> Option<Self> {
        (1..=Self::MAX).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Text with bytes in hexadecimal digits between bars: `a|0d 0a|b`.
    fn of_hex(text: &str) -> Option<Self> {
        let mut bytes = Vec::new();
        for (index, part) in text.split('|').enumerate() {
            if index.is_multiple_of(2) {
                bytes.extend(part.replace('\\', "").bytes());
                continue;
            }
            let digits: Vec<u8> = part.bytes().filter(|byte| *byte != b' ').collect();
            for pair in digits.chunks(2) {
                bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2)?);
            }
        }
        // Every bar has its other one.
        text.matches('|').count().is_multiple_of(2).then(|| Self::checked(bytes))?
    }

    /// Whether iptables-save writes it in hexadecimal digits: not where all bytes can be printed (`is_hex_string`).
    fn needs_hex(&self) -> bool {
        let printable = |byte: &u8| (0x20..0x7f).contains(byte);
        !self.0.iter().all(printable) || self.0.last() == Some(&b'\\')
    }
}

/// Text that a packet must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StringMatch {
    /// The text.
    pub pattern: Criterion<Pattern>,
    /// How it is looked for.
    pub algorithm: SearchAlgorithm,
    /// From which byte of the packet.
    pub from: u16,
    /// Up to which byte.
    pub to: u16,
    /// Capitals and small letters are the same.
    pub ignore_case: bool,
}

impl Extension for StringMatch {
    const NAMES: &'static [&'static str] = &["string"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--string"]).or_not(),
        Opt::word(&["--hex-string"]).or_not(),
        Opt::word(&["--algo"]),
        Opt::word(&["--from"]),
        Opt::word(&["--to"]),
        Opt::flag(&["--icase"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        let value = match option.option {
            0 => Pattern::checked(option.value().bytes().collect()),
            _ => Pattern::of_hex(option.value()),
        };
        let value = value.ok_or_else(|| option.unexpected("1 to 128 bytes, in hexadecimal digits between `|`"))?;
        Ok(Self {
            pattern: Criterion { inverted: option.inverted, value },
            algorithm: given.value(2)?.ok_or_else(|| given.missing(&[2]))?,
            from: given.value(3)?.unwrap_or(0),
            to: given.value(4)?.unwrap_or(u16::MAX),
            ignore_case: given.flag(5)?,
        })
    }
}

impl fmt::Display for StringMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lead, bytes) = (self.pattern.lead(), &self.pattern.value.0);
        if self.pattern.value.needs_hex() {
            write!(f, "{lead}--hex-string \"|")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("|\"")?;
        } else {
            write!(f, "{lead}--string \"")?;
            for byte in bytes {
                let escape = if matches!(byte, b'"' | b'\\') { "\\" } else { "" };
                write!(f, "{escape}{}", char::from(*byte))?;
            }
            f.write_str("\"")?;
        }
        write!(f, " --algo {}", self.algorithm)?;
        if self.from != 0 {
            write!(f, " --from {}", self.from)?;
        }
        if self.to != 0 && self.to != u16::MAX {
            write!(f, " --to {}", self.to)?;
        }
        Field::print(&self.ignore_case, f, "--icase")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m string --string \"GET /\" --algo bm",
            "-m string ! --string \"a\" --algo kmp --from 1 --to 9 --icase",
            "-m string --hex-string \"|0d0a|\" --algo bm",
        ]);
        prints_as("-m string --algo bm --hex-string \"a|62 63|d\"", "-m string --string \"abcd\" --algo bm");
        is_refused(&[
            "-m string",
            "-m string --string a",
            "-m string --string a --algo odd",
            "-m string --hex-string |0 --algo bm",
        ]);
    }
}
