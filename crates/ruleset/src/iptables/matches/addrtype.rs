//! `-m addrtype` (extensions/libxt_addrtype.c). One type of source and one of destination are typed; a match with
//! several types, or with a limit to an interface, is opaque.

use std::fmt;

use super::super::head::Criterion;
use super::super::rule::{Extension, Options};

/// What the kernel's routing tables say of an address (`RTN_…`, linux/rtnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressType {
    /// It is behind a gateway or on a link.
    Unicast,
    /// It is one of this machine's own.
    Local,
    /// It is everyone's on a link.
    Broadcast,
    /// It is a group's.
    Multicast,
}

impl AddressType {
    const ALL: [Self; 4] = [Self::Unicast, Self::Local, Self::Broadcast, Self::Multicast];

    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Unicast => "UNICAST",
            Self::Local => "LOCAL",
            Self::Broadcast => "BROADCAST",
            Self::Multicast => "MULTICAST",
        }
    }
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// What the packet's addresses must be to the routing tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addrtype {
    /// The source address.
    pub source: Option<Criterion<AddressType>>,
    /// The destination address.
    pub destination: Option<Criterion<AddressType>>,
}

impl Addrtype {
    /// The packet comes from this machine.
    pub fn from_local() -> Self {
        Self { source: Some(Criterion::is(AddressType::Local)), destination: None }
    }

    /// The packet goes to this machine.
    pub fn to_local() -> Self {
        Self { source: None, destination: Some(Criterion::is(AddressType::Local)) }
    }
}

impl Extension for Addrtype {
    const NAME: &'static str = "addrtype";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let mut addrtype = Self::default();
        while let Some((inverted, option)) = options.option() {
            let place = match option {
                "--src-type" => &mut addrtype.source,
                "--dst-type" => &mut addrtype.destination,
                _ => return None,
            };
            let word = options.value()?;
            let value = AddressType::ALL.into_iter().find(|kind| kind.keyword().eq_ignore_ascii_case(word))?;
            if place.replace(Criterion { inverted, value }).is_some() {
                return None;
            }
        }
        (addrtype != Self::default()).then_some(addrtype)
    }
}

impl fmt::Display for Addrtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (option, criterion) in [("--src-type", &self.source), ("--dst-type", &self.destination)] {
            criterion.iter().try_for_each(|criterion| criterion.print(f, option))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn types_of_addresses_round_trip() {
        round_trips(&["-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL --dst-type MULTICAST"]);
        prints_as("-m addrtype --dst-type local --src-type UNICAST", "-m addrtype --src-type UNICAST --dst-type LOCAL");
    }

    #[test]
    fn other_options_stay_as_they_are() {
        is_opaque(&[
            "-m addrtype --dst-type LOCAL,BROADCAST",
            "-m addrtype --dst-type LOCAL --limit-iface-in",
            "-m addrtype",
        ]);
    }
}
