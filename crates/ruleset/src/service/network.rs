//! What the registries of addresses say about an address or network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpFamily {
    V4,
    V6,
}

impl IpFamily {
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Networks anyone may use inside (RFC 1918), and the one of carriers (RFC 6598).
const PRIVATE: [(Ipv4Net, &str); 4] = [
    (Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8), "RFC 1918"),
    (Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12), "RFC 1918"),
    (Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16), "RFC 1918"),
    (Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10), "RFC 6598"),
];

/// Networks for examples (RFC 5737) and for measuring (RFC 2544): nobody on the Internet has them.
const UNUSED: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
];

/// Networks anyone may use inside, IPv6 (RFC 4193).
const UNIQUE_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// What an address is that neither a service nor an endpoint nor a node can have; `None` for all others.
pub(super) fn impossible(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("the unspecified address");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if address.is_multicast() {
        return Some("a multicast address");
    }
    match address {
        IpAddr::V4(address) if address.is_link_local() => Some("a link-local address"),
        IpAddr::V4(address) if address.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(address) if address.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Some("an IPv4 address written as IPv6"),
        _ => None,
    }
}

/// Whether hosts on the Internet have addresses of this IPv4 network.
pub(super) fn is_public_ipv4(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => !PRIVATE.iter().map(|(private, _)| private).chain(&UNUSED).any(|known| known.contains(net)),
        // Pods and services with global IPv6 addresses are usual.
        IpNet::V6(_) => false,
    }
}

/// Where to find networks that do not overlap with this one.
pub(super) fn elsewhere(net: &IpNet) -> String {
    match net {
        IpNet::V4(net) => {
            let free = PRIVATE.iter().filter(|(private, _)| !private.contains(net) && !net.contains(private));
            let free: Vec<String> = free.map(|(private, source)| format!("{private} ({source})")).collect();
            match free.as_slice() {
                [] => "make both smaller".to_owned(),
                _ => format!("other private networks are {}", free.join(", ")),
            }
        }
        IpNet::V6(_) => format!("take other parts of {UNIQUE_LOCAL} (unique local, RFC 4193)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_networks_are_told_from_private_ones() {
        let public = |text: &str| is_public_ipv4(&text.parse().unwrap());
        assert!(public("8.8.0.0/16") && public("172.0.0.0/8") && public("0.0.0.0/0"));
        assert!(!public("10.96.0.0/12") && !public("100.64.1.0/24") && !public("203.0.113.0/25"));
        assert!(!public("2a00::/16"));
    }

    #[test]
    fn the_networks_named_as_free_do_not_overlap() {
        assert_eq!(
            elsewhere(&"10.0.0.0/8".parse().unwrap()),
            "other private networks are 172.16.0.0/12 (RFC 1918), 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598)"
        );
        assert_eq!(elsewhere(&"0.0.0.0/0".parse().unwrap()), "make both smaller");
    }
}
