//! `-m connbytes` (extensions/libxt_connbytes.c, `connbytes_save`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::head::Criterion;
use super::super::value::{keywords, number};

keywords! {
    /// What is counted.
    ConnbytesMode, "`packets`, `bytes` or `avgpkt`";
    /// Packets.
    Packets = "packets",
    /// Bytes.
    Bytes = "bytes",
    /// Bytes of a packet, on average.
    Average = "avgpkt",
}

keywords! {
    /// In which direction it is counted.
    ConnbytesDirection, "`original`, `reply` or `both`";
    /// From the side that began the connection.
    Original = "original",
    /// To that side.
    Reply = "reply",
    /// In both.
    Both = "both",
}

/// A count, from the first to the last; without a last, any above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountRange {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: Option<u64>,
}

impl Value for CountRange {
    const EXPECTED: &'static str = "a count as `10`, `10:` or `10:20`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let (first, last) = word.split_once(':').unwrap_or((word, ""));
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        let first = if first.is_empty() { 0 } else { number(first)? };
        (first <= last && !word.is_empty()).then_some(Self { first, last: Some(last).filter(|last| *last != u64::MAX) })
    }
}

impl fmt::Display for CountRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.last.iter().try_for_each(|last| write!(f, ":{last}"))
    }
}

extension! {
    /// How much a connection carried so far.
    Connbytes, "connbytes";
    /// So much.
    count: Criterion<CountRange>, "--connbytes";
    /// What is counted.
    mode: ConnbytesMode, "--connbytes-mode";
    /// In which direction.
    direction: ConnbytesDirection, "--connbytes-dir";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m connbytes --connbytes 10 --connbytes-mode packets --connbytes-dir both",
            "-m connbytes ! --connbytes 10:20 --connbytes-mode avgpkt --connbytes-dir reply",
        ]);
        let rest = "--connbytes-mode bytes --connbytes-dir original";
        prints_as(&format!("-m connbytes --connbytes 5: {rest}"), &format!("-m connbytes --connbytes 5 {rest}"));
        is_refused(&[
            "-m connbytes",
            "-m connbytes --connbytes 1",
            "-m connbytes --connbytes 9:1 --connbytes-mode bytes --connbytes-dir both",
        ]);
    }
}
