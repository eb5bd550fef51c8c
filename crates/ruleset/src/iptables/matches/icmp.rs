//! `-m icmp` (extensions/libipt_icmp.c, `icmp_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;
use super::super::protocol::Protocol;
use super::super::ruleset::Family;
use super::super::value::{number, number_in};

/// Names of types and codes: the type, and the first and last code.
const NAMES: &[(&str, u8, u8, u8)] = &[
    ("any", 255, 0, 255),
    ("echo-reply", 0, 0, 255),
    ("pong", 0, 0, 255),
    ("destination-unreachable", 3, 0, 255),
    ("network-unreachable", 3, 0, 0),
    ("host-unreachable", 3, 1, 1),
    ("protocol-unreachable", 3, 2, 2),
    ("port-unreachable", 3, 3, 3),
    ("fragmentation-needed", 3, 4, 4),
    ("source-route-failed", 3, 5, 5),
    ("network-unknown", 3, 6, 6),
    ("host-unknown", 3, 7, 7),
    ("network-prohibited", 3, 9, 9),
    ("host-prohibited", 3, 10, 10),
    ("TOS-network-unreachable", 3, 11, 11),
    ("TOS-host-unreachable", 3, 12, 12),
    ("communication-prohibited", 3, 13, 13),
    ("host-precedence-violation", 3, 14, 14),
    ("precedence-cutoff", 3, 15, 15),
    ("source-quench", 4, 0, 255),
    ("redirect", 5, 0, 255),
    ("network-redirect", 5, 0, 0),
    ("host-redirect", 5, 1, 1),
    ("TOS-network-redirect", 5, 2, 2),
    ("TOS-host-redirect", 5, 3, 3),
    ("echo-request", 8, 0, 255),
    ("ping", 8, 0, 255),
    ("router-advertisement", 9, 0, 255),
    ("router-solicitation", 10, 0, 255),
    ("time-exceeded", 11, 0, 255),
    ("ttl-exceeded", 11, 0, 255),
    ("ttl-zero-during-transit", 11, 0, 0),
    ("ttl-zero-during-reassembly", 11, 1, 1),
    ("parameter-problem", 12, 0, 255),
    ("ip-header-bad", 12, 0, 0),
    ("required-option-missing", 12, 1, 1),
    ("timestamp-request", 13, 0, 255),
    ("timestamp-reply", 14, 0, 255),
    ("address-mask-request", 17, 0, 255),
    ("address-mask-reply", 18, 0, 255),
];

/// A type and the codes that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpType {
    /// The type; `None` for any.
    pub kind: Option<u8>,
    /// The first code.
    pub first: u8,
    /// The last code.
    pub last: u8,
}

impl Value for IcmpType {
    const EXPECTED: &'static str = "a type as `8`, `3/1` or `echo-request`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let of = |(_, kind, first, last): &(&str, u8, u8, u8)| Self {
            kind: (*kind != 0xff).then_some(*kind),
            first: *first,
            last: *last,
        };
        if let Some(named) = NAMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word)) {
            return Some(of(named));
        }
        if let Some((kind, code)) = word.split_once('/') {
            let kind = number_in(kind, 0..=255)? as u8;
            let code = number_in(code, 0..=255)? as u8;
            return Some(Self { kind: Some(kind), first: code, last: code });
        }
        if let Some(kind) = number(word) {
            let kind = u8::try_from(kind).ok()?;
            return Some(Self { kind: (kind != 0xff).then_some(kind), first: 0, last: 255 });
        }
        // The start of one name only.
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let mut found = NAMES.iter().filter(|(name, ..)| !word.is_empty() && starts(name));
        found.next().filter(|_| found.next().is_none()).map(of)
    }
}

impl fmt::Display for IcmpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = self.kind else { return f.write_str("any") };
        write!(f, "{kind}")?;
        if self.first == self.last { write!(f, "/{}", self.first) } else { Ok(()) }
    }
}

extension! {
    /// What an ICMP packet must be.
    Icmp, "icmp", Only::ANYWHERE.family(Family::Ip).protocols(&[Protocol::ICMP]);
    /// Its type and code.
    kind: Criterion<IcmpType>, "--icmp-type", else Criterion::is(IcmpType { kind: None, first: 0, last: 255 });
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-p icmp -m icmp --icmp-type 8",
            "-p icmp -m icmp ! --icmp-type 3/1",
            "-p icmp -m icmp --icmp-type any",
        ]);
        prints_as("-p icmp --icmp-type echo-request", "-p icmp -m icmp --icmp-type 8");
        prints_as("-p icmp --icmp-type echo-req", "-p icmp -m icmp --icmp-type 8");
        prints_as("-p icmp -m icmp", "-p icmp -m icmp --icmp-type any");
        is_refused(&[
            "-m icmp --icmp-type 8",
            "-p icmp --icmp-type odd",
            "-p icmp --icmp-type 256",
            "-p icmp --icmp-type echo-re",
        ]);
    }
}
