//! `-m addrtype` (extensions/libxt_addrtype.c, `addrtype_save_v1`).

use std::fmt;

use super::super::extension::{Context, Given, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::keywords;

keywords! {
    /// What the routing table says of an address.
    AddressType, "a type as `LOCAL`";
    /// Not known.
    Unspec = "UNSPEC",
    /// Of another host.
    Unicast = "UNICAST",
    /// Of this host.
    Local = "LOCAL",
    /// For all of a network.
    Broadcast = "BROADCAST",
    /// For one of several.
    Anycast = "ANYCAST",
    /// For a group.
    Multicast = "MULTICAST",
    /// Dropped.
    Blackhole = "BLACKHOLE",
    /// Unreachable.
    Unreachable = "UNREACHABLE",
    /// Prohibited.
    Prohibit = "PROHIBIT",
    /// Looked up elsewhere.
    Throw = "THROW",
    /// Rewritten.
    Nat = "NAT",
    /// Resolved by a program.
    Xresolve = "XRESOLVE",
}

/// Several types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressTypes(u16);

impl AddressTypes {
    /// One type.
    pub fn single(kind: AddressType) -> Self {
        Self(1 << kind as u8)
    }

    /// The types, in the order of iptables-save.
    pub fn iter(self) -> impl Iterator<Item = AddressType> {
        AddressType::ALL.iter().copied().filter(move |kind| self.0 & 1 << *kind as u8 != 0)
    }
}

impl Value for AddressTypes {
    const EXPECTED: &'static str = "types as `LOCAL,UNICAST`; IPv6 has no broadcast and none above UNREACHABLE";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        let bit = |word: &str| AddressType::from_keyword(word).map(|kind| 1 << kind as u8);
        let bits = word.split(',').map(bit).try_fold(0, |bits: u16, bit: Option<u16>| Some(bits | bit?))?;
        let ip6 = 1 << AddressType::Broadcast as u8 | !((1 << AddressType::Prohibit as u8) - 1);
        (context.family == Family::Ip || bits & ip6 == 0).then_some(Self(bits))
    }
}

impl fmt::Display for AddressTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.iter().enumerate() {
            write!(f, "{}{kind}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

extension! {
    /// What the routing table says of a packet's addresses.
    Addrtype, "addrtype";
    /// The types one of which the source must have.
    source: Option<Criterion<AddressTypes>>, "--src-type";
    /// The types one of which the destination must have.
    destination: Option<Criterion<AddressTypes>>, "--dst-type";
    /// Only as seen from the incoming interface.
    limit_in: bool, "--limit-iface-in";
    /// Only as seen from the outgoing interface.
    limit_out: bool, "--limit-iface-out";
    => Addrtype::settle;
}

impl Addrtype {
    /// The packet comes from this machine.
    pub fn from_local() -> Self {
        let source = Some(Criterion::is(AddressTypes::single(AddressType::Local)));
        Self { source, destination: None, limit_in: false, limit_out: false }
    }

    /// The packet goes to this machine.
    pub fn to_local() -> Self {
        let destination = Some(Criterion::is(AddressTypes::single(AddressType::Local)));
        Self { source: None, destination, limit_in: false, limit_out: false }
    }

    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        given.one_of(&[2, 3])?;
        if self.source.is_none() && self.destination.is_none() {
            return Err(given.missing(&[0, 1]));
        }
        match given.context.built_in() {
            Some(chain @ ("OUTPUT" | "POSTROUTING")) if self.limit_in => {
                Err(given.problem(format!("packets in {chain} have no incoming interface")))
            }
            Some(chain @ ("INPUT" | "PREROUTING")) if self.limit_out => {
                Err(given.problem(format!("packets in {chain} have no outgoing interface")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m addrtype --dst-type LOCAL",
            "-m addrtype ! --src-type UNICAST,LOCAL --dst-type BROADCAST --limit-iface-in",
        ]);
        round_trips_6(&["-m addrtype --dst-type LOCAL"]);
        prints_as("-m addrtype --dst-type local,unspec", "-m addrtype --dst-type UNSPEC,LOCAL");
        is_refused(&[
            "-m addrtype",
            "-m addrtype --dst-type ODD",
            "-m addrtype --dst-type LOCAL --limit-iface-in --limit-iface-out",
        ]);
    }
}
