//! What a rule asks without any extension: addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A network, or an address with all of its bits.
    Network(IpNet),
    /// An address and a mask that is no prefix.
    Masked(IpAddr, IpAddr),
    /// A host name, network name or list, as it was written. iptables-save never prints one.
    Text(String),
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

    /// Reads any text: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.0.0.1`, `fd00::/8`, or something else.
    pub(super) fn parse(text: &str) -> Self {
        Self::typed(text).unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    fn typed(text: &str) -> Option<Self> {
        let Some((address, mask)) = text.split_once('/') else {
            return text.parse().ok().map(Self::host);
        };
        let address: IpAddr = address.parse().ok()?;
        if let Ok(prefix) = mask.parse() {
            return IpNet::new(address, prefix).ok().map(Self::network);
        }
        let mask: IpAddr = mask.parse().ok()?;
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
            Self::Text(text) => f.write_str(text),
        }
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
            ("fd00::1", "fd00::1/128"),
            ("fd00::1/8", "fd00::/8"),
            ("example.org", "example.org"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("10.0.0.0/8,10.9.0.0/16", "10.0.0.0/8,10.9.0.0/16"),
        ] {
            assert_eq!(Address::parse(written).to_string(), printed);
        }
    }
}
