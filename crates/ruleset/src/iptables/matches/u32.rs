//! `-m u32` (extensions/libxt_u32.c, `u32_dump`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::head::Criterion;
use super::super::value::number;

/// A step to a value: shift it, mask it, or go on from that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum U32Step {
    /// Shifts it to the left.
    Left(u32),
    /// Shifts it to the right.
    Right(u32),
    /// Masks it.
    And(u32),
    /// Takes it for a place, and reads so far behind it.
    At(u32),
}

/// A test: four bytes somewhere, what is done with them, and what they must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U32Test {
    /// Where they are read.
    pub start: u32,
    /// What is done, first to last.
    pub steps: Vec<U32Step>,
    /// The ranges in one of which the result must be.
    pub ranges: Vec<(u32, u32)>,
}

/// All of these tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U32Tests(pub Vec<U32Test>);

/// The most of each there may be (`XT_U32_MAXSIZE`, linux/netfilter/xt_u32.h).
const MAX: usize = 10;

/// A number at the start of a text, and the rest behind spaces.
fn leading(text: &str) -> Option<(u32, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    Some((u32::try_from(number(&text[..end])?).ok()?, text[end..].trim_start()))
}

fn test(text: &str) -> Option<U32Test> {
    let (location, values) = text.split_once('=')?;
    let (start, mut rest) = leading(location)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let kinds: [(&str, fn(u32) -> U32Step); 4] =
            [("<<", U32Step::Left), (">>", U32Step::Right), ("&", U32Step::And), ("@", U32Step::At)];
        let (after, make) = kinds.iter().find_map(|(sign, make)| Some((rest.strip_prefix(sign)?, make)))?;
        let (number, after) = leading(after)?;
        steps.push(make(number));
        rest = after;
    }
    let range = |text: &str| {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        let read = |text: &str| leading(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number);
        Some((read(first)?, read(last)?))
    };
    let ranges = values.split(',').map(range).collect::<Option<Vec<_>>>()?;
    (steps.len() < MAX && ranges.len() <= MAX).then_some(U32Test { start, steps, ranges })
}

impl Value for U32Tests {
    const EXPECTED: &'static str = "tests as `0x0>>0x16&0x3c@0x4=0x29&&0x6&0xff=0x1:0x5`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let tests = word.split("&&").map(test).collect::<Option<Vec<_>>>()?;
        (tests.len() <= MAX).then_some(Self(tests))
    }
}

impl fmt::Display for U32Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for (index, test) in self.0.iter().enumerate() {
            write!(f, "{}{:#x}", if index == 0 { "" } else { "&&" }, test.start)?;
            for step in &test.steps {
                match step {
                    U32Step::Left(bits) => write!(f, "<<{bits:#x}")?,
                    U32Step::Right(bits) => write!(f, ">>{bits:#x}")?,
                    U32Step::And(mask) => write!(f, "&{mask:#x}")?,
                    U32Step::At(place) => write!(f, "@{place:#x}")?,
                }
            }
            for (index, (first, last)) in test.ranges.iter().enumerate() {
                write!(f, "{}{first:#x}", if index == 0 { "=" } else { "," })?;
                if first != last {
                    write!(f, ":{last:#x}")?;
                }
            }
        }
        f.write_str("\"")
    }
}

extension! {
    /// Bytes anywhere in a packet.
    U32, "u32";
    /// What they must be.
    tests: Criterion<U32Tests>, "--u32";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m u32 --u32 \"0x0=0x0&&0x6&0xff=0x1:0x5,0x7&&0x0>>0x16&0x3c@0x4=0x29\"",
            "-m u32 ! --u32 \"0x0<<0x2=0x1\"",
        ]);
        prints_as("-m u32 --u32 \"6 & 0xFF = 1 : 5\"", "-m u32 --u32 \"0x6&0xff=0x1:0x5\"");
        is_refused(&["-m u32", "-m u32 --u32 x", "-m u32 --u32 1", "-m u32 --u32 \"1=\""]);
    }
}
