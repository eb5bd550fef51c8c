//! `-m icmp6` (extensions/libip6t_icmp6.c, `icmp6_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;
use super::super::protocol::Protocol;
use super::super::ruleset::Family;
use super::super::value::{number, number_in};

/// Names of types and codes: the type, and the first and last code.
const NAMES: &[(&str, u8, u8, u8)] = &[
    ("destination-unreachable", 1, 0, 255),
    ("no-route", 1, 0, 0),
    ("communication-prohibited", 1, 1, 1),
    ("beyond-scope", 1, 2, 2),
    ("address-unreachable", 1, 3, 3),
    ("port-unreachable", 1, 4, 4),
    ("failed-policy", 1, 5, 5),
    ("reject-route", 1, 6, 6),
    ("packet-too-big", 2, 0, 255),
    ("time-exceeded", 3, 0, 255),
    ("ttl-exceeded", 3, 0, 255),
    ("ttl-zero-during-transit", 3, 0, 0),
    ("ttl-zero-during-reassembly", 3, 1, 1),
    ("parameter-problem", 4, 0, 255),
    ("bad-header", 4, 0, 0),
    ("unknown-header-type", 4, 1, 1),
    ("unknown-option", 4, 2, 2),
    ("echo-request", 128, 0, 255),
    ("ping", 128, 0, 255),
    ("echo-reply", 129, 0, 255),
    ("pong", 129, 0, 255),
    ("mld-listener-query", 130, 0, 255),
    ("mld-listener-report", 131, 0, 255),
    ("mld-listener-done", 132, 0, 255),
    ("mld-listener-reduction", 132, 0, 255),
    ("router-solicitation", 133, 0, 255),
    ("router-advertisement", 134, 0, 255),
    ("neighbour-solicitation", 135, 0, 255),
    ("neighbor-solicitation", 135, 0, 255),
    ("neighbour-advertisement", 136, 0, 255),
    ("neighbor-advertisement", 136, 0, 255),
    ("redirect", 137, 0, 255),
];

/// A type and the codes that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Icmpv6Type {
    /// The type.
    pub kind: u8,
    /// The first code.
    pub first: u8,
    /// The last code.
    pub last: u8,
}

impl Value for Icmpv6Type {
    const EXPECTED: &'static str = "a type as `8`, `3/1` or `echo-request`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let of = |(_, kind, first, last): &(&str, u8, u8, u8)| Self { kind: *kind, first: *first, last: *last };
        if let Some(named) = NAMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word)) {
            return Some(of(named));
        }
        if let Some((kind, code)) = word.split_once('/') {
            let kind = number_in(kind, 0..=255)? as u8;
            let code = number_in(code, 0..=255)? as u8;
            return Some(Self { kind, first: code, last: code });
        }
        if let Some(kind) = number(word) {
            let kind = u8::try_from(kind).ok()?;
            return Some(Self { kind, first: 0, last: 255 });
        }
        // The start of one name only.
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let mut found = NAMES.iter().filter(|(name, ..)| !word.is_empty() && starts(name));
        found.next().filter(|_| found.next().is_none()).map(of)
    }
}

impl fmt::Display for Icmpv6Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.first == self.last { write!(f, "/{}", self.first) } else { Ok(()) }
    }
}

extension! {
    /// What an ICMPv6 packet must be.
    Icmp6, "icmp6" | "icmpv6" | "ipv6-icmp", Only::ANYWHERE.family(Family::Ip6).protocols(&[Protocol::ICMPV6]);
    /// Its type and code.
    kind: Criterion<Icmpv6Type>, "--icmpv6-type";
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-p ipv6-icmp -m icmp6 --icmpv6-type 128", "-p ipv6-icmp -m icmp6 ! --icmpv6-type 1/3"]);
        prints("-p icmpv6 --icmpv6-type echo-request", "-p icmpv6 -m icmp6 --icmpv6-type 128", Family::Ip6);
        is_refused(&["-m icmp6 --icmpv6-type 8", "-p ipv6-icmp --icmpv6-type odd", "-p ipv6-icmp -m icmp6"]);
    }
}
