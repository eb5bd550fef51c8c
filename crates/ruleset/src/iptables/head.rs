//! What a rule asks without any extension: addresses and interfaces.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::extension::{Context, Value};
use super::ruleset::Family;
use super::value;
use crate::ir::NameError;

/// A value that a packet must have, or must not have (`!`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Criterion<T> {
    /// Whether it must not have it.
    pub inverted: bool,
    /// The value.
    pub value: T,
}

impl<T> Criterion<T> {
    /// The packet must have it.
    pub fn is(value: T) -> Self {
        Self { inverted: false, value }
    }

    /// The packet must not have it.
    pub fn is_not(value: T) -> Self {
        Self { inverted: true, value }
    }

    /// ` ! ` or a space: what stands before the option.
    pub(super) fn lead(&self) -> &'static str {
        if self.inverted { " ! " } else { " " }
    }
}

impl<T: fmt::Display> Criterion<T> {
    /// ` [! ]--option value`.
    pub(super) fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        write!(f, "{}{option} {}", self.lead(), self.value)
    }
}

/// An address or network of a rule's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A network, or an address with all of its bits.
    Network(IpNet),
    /// An address and a mask that is no prefix.
    Masked(IpAddr, IpAddr),
}

impl Address {
    /// One address.
    pub fn host(address: IpAddr) -> Self {
        Self::Network(address.into())
    }

    /// A network; bits behind its prefix are cleared, as iptables does.
    pub fn network(network: IpNet) -> Self {
        Self::Network(network.trunc())
    }

    /// Reads `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.0.0.1` or `fd00::/8`. Whatever stands before `/0` is everything
    /// (`xtables_ipparse_multiple`, libxtables/xtables.c).
    pub(super) fn parse(text: &str, family: Family) -> Option<Self> {
        let Some((address, mask)) = text.split_once('/') else {
            return value::address(text, family).map(Self::host);
        };
        let everything = match family {
            Family::Ip => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::Ip6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let prefix: Option<u8> = mask.parse().ok();
        if prefix == Some(0) && !address.is_empty() {
            return IpNet::new(everything, 0).ok().map(Self::Network);
        }
        let address = value::address(address, family)?;
        if let Some(prefix) = prefix {
            return IpNet::new(address, prefix).ok().map(Self::network);
        }
        let mask = value::address(mask, family)?;
        if let Ok(network) = IpNet::with_netmask(address, mask) {
            return Some(Self::network(network));
        }
        let masked = match (address, mask) {
            (IpAddr::V4(a), IpAddr::V4(m)) => Ipv4Addr::from(u32::from(a) & u32::from(m)).into(),
            (IpAddr::V6(a), IpAddr::V6(m)) => Ipv6Addr::from(u128::from(a) & u128::from(m)).into(),
            _ => return None,
        };
        Some(Self::Masked(masked, mask))
    }

    /// Whether it holds every address, so that iptables-save does not print it.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self, Self::Network(network) if network.prefix_len() == 0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Masked(address, mask) => write!(f, "{address}/{mask}"),
        }
    }
}

impl Value for Address {
    const EXPECTED: &'static str = "an address or network";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        Self::parse(word, context.family)
    }
}

/// The name of an interface, or the start of names and `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface(Box<str>);

impl Interface {
    /// The longest name in bytes (`IFNAMSIZ` - 1, linux/if.h).
    pub const MAX: usize = 15;

    /// Checks a text against what iptables takes.
    ///
    /// # Errors
    /// Empty, longer than [`Self::MAX`], or with a space, a quote or a control character.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let kind = "interface";
        if name.is_empty() {
            return Err(NameError::Empty { kind });
        }
        if name.len() > Self::MAX {
            return Err(NameError::TooLong { kind, name: name.to_owned(), len: name.len(), max: Self::MAX });
        }
        match name.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '"') {
            Some(found) => Err(NameError::Character { kind, name: name.to_owned(), found }),
            None => Ok(Self(name.into())),
        }
    }

    /// The text, with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is every interface, so that iptables-save does not print it.
    pub(super) fn is_every(&self) -> bool {
        &*self.0 == "+"
    }
}

impl Value for Interface {
    const EXPECTED: &'static str = "the name of an interface";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::new(word).ok()
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_iptables_save_does() {
        for (written, printed) in [
            ("10.0.0.1", "10.0.0.1/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/255.255.0.0", "10.1.0.0/16"),
            ("10.1.2.3/255.0.255.0", "10.0.2.0/255.0.255.0"),
            ("any/0", "0.0.0.0/0"),
        ] {
            assert_eq!(Address::parse(written, Family::Ip).unwrap().to_string(), printed);
        }
        for (written, printed) in
            [("fd00::1", "fd00::1/128"), ("fd00::1/8", "fd00::/8"), ("fd00:1::/ff00::", "fd00::/8")]
        {
            assert_eq!(Address::parse(written, Family::Ip6).unwrap().to_string(), printed);
        }
        for refused in ["example.org", "10.0.0.0/33", "10.0.0.1/x", "/0", "", "fd00::1"] {
            assert_eq!(Address::parse(refused, Family::Ip), None, "{refused}");
        }
    }
}
