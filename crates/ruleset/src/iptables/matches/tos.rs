//! `-m tos` (extensions/libxt_tos.c, `tos_mt_save`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::head::Criterion;
use super::super::value::number_in;

/// Names of the old types of service, which stand for six bits.
const NAMES: &[(&str, u8)] = &[
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

/// A type of service under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TosValue {
    /// The bits.
    pub value: u8,
    /// Which of them count.
    pub mask: u8,
}

impl TosValue {
    /// One of the names.
    pub(in crate::iptables) fn of_name(word: &str) -> Option<u8> {
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        NAMES.iter().find(|(name, _)| !word.is_empty() && starts(name)).map(|(_, value)| *value)
    }
}

impl Value for TosValue {
    const EXPECTED: &'static str = "a type of service as `0x10`, `0x10/0x3f` or `Minimize-Delay`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        if let Some(value) = Self::of_name(word) {
            return Some(Self { value, mask: 0x3f });
        }
        let (value, mask) = word.split_once('/').unwrap_or((word, "0xff"));
        Some(Self { value: number_in(value, 0..=255)? as u8, mask: number_in(mask, 0..=255)? as u8 })
    }
}

impl fmt::Display for TosValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}/{:#04x}", self.value, self.mask)
    }
}

extension! {
    /// The type of service in a packet's header.
    Tos, "tos";
    /// The bits and which of them count.
    tos: Criterion<TosValue>, "--tos";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m tos --tos 0x10/0x3f", "-m tos ! --tos 0x00/0xff"]);
        prints_as("-m tos --tos 0x10", "-m tos --tos 0x10/0xff");
        prints_as("-m tos --tos Minimize-Delay", "-m tos --tos 0x10/0x3f");
        is_refused(&["-m tos", "-m tos --tos 256", "-m tos --tos odd"]);
    }
}
