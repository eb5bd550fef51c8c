//! `-m mh` (extensions/libip6t_mh.c, `mh_save`).

use std::fmt;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::number;

/// Names of types (RFC 6275).
const TYPES: &[(&str, u8)] = &[
    ("binding-refresh-request", 0),
    ("brr", 0),
    ("home-test-init", 1),
    ("hoti", 1),
    ("careof-test-init", 2),
    ("coti", 2),
    ("home-test", 3),
    ("hot", 3),
    ("careof-test", 4),
    ("cot", 4),
    ("binding-update", 5),
    ("bu", 5),
    ("binding-acknowledgement", 6),
    ("ba", 6),
    ("binding-error", 7),
    ("be", 7),
];

fn kind(text: &str) -> Option<u8> {
    match number(text) {
        Some(number) => u8::try_from(number).ok(),
        None => TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind),
    }
}

/// Types of mobility headers, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MhTypes {
    /// The first.
    pub first: u8,
    /// The last.
    pub last: u8,
}

impl Value for MhTypes {
    const EXPECTED: &'static str = "a type as `5` or `binding-update`, or two as `FIRST:LAST`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let (first, last) = word.split_once(':').unwrap_or((word, word));
        let first = if first.is_empty() { 0 } else { kind(first)? };
        let last = if last.is_empty() { 255 } else { kind(last)? };
        (first <= last && !word.is_empty()).then_some(Self { first, last })
    }
}

impl fmt::Display for MhTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

extension! {
    /// What the mobility header must be.
    Mh, "mh" | "ipv6-mh" | "mobility-header", Only::ANYWHERE.family(Family::Ip6).protocols(&[135]);
    /// Its type.
    kind: Option<Criterion<MhTypes>>, "--mh-type";
    => Mh::settle;
}

impl Mh {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        self.kind.take_if(|kind| !kind.inverted && kind.value == MhTypes { first: 0, last: 255 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&[
            "-p mobility-header -m mh --mh-type 0:7",
            "-p mobility-header -m mh ! --mh-type 5",
            "-p mobility-header -m mh",
        ]);
        prints("-p mobility-header --mh-type brr:be", "-p mobility-header -m mh --mh-type 0:7", Family::Ip6);
        is_refused(&["-m mh --mh-type 1", "-p mobility-header -m mh --mh-type odd"]);
    }
}
