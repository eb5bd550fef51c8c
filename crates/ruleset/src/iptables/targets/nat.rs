//! Addresses and ports that DNAT, SNAT, MASQUERADE and REDIRECT rewrite to (extensions/libxt_NAT.c).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::super::extension::{Context, Value};
use super::super::ruleset::Family;
use super::super::value::{address, number_in, port};

/// Ports to choose from. Only packets of a protocol with ports may have them rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToPorts {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl ToPorts {
    fn parse(text: &str) -> Option<Self> {
        if let Some(port) = port(text) {
            return Some(Self { first: port, last: port });
        }
        let (first, last) = text.split_once('-')?;
        // Names of services may hold a `-`, so only numbers make a range.
        let number = |text: &str| number_in(text, 0..=65535).map(|port| port as u16);
        let ports = Self { first: number(first)?, last: number(last)? };
        (ports.first <= ports.last).then_some(ports)
    }
}

/// Whether the rule says a protocol that has ports, or ICMP with its identifiers.
fn has_ports(context: &Context<'_>) -> bool {
    context
        .protocol
        .is_some_and(|protocol| !protocol.inverted && matches!(protocol.value.number(), 1 | 6 | 17 | 33 | 58 | 132))
}

impl Value for ToPorts {
    const EXPECTED: &'static str = "a port, or two as `FIRST-LAST`, after `-p` with a protocol that has ports";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        Self::parse(word).filter(|_| has_ports(context))
    }
}

impl fmt::Display for ToPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// What an address, a port or both are rewritten to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatRange {
    /// The addresses to choose from: the first and the last.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The ports to choose from.
    pub ports: Option<ToPorts>,
    /// The port that becomes the first of `ports`, so that each port keeps its distance from it.
    pub base: Option<u16>,
}

impl NatRange {
    /// One address and port.
    pub fn to(socket: SocketAddr) -> Self {
        let ports = ToPorts { first: socket.port(), last: socket.port() };
        Self { addresses: Some((socket.ip(), socket.ip())), ports: Some(ports), base: None }
    }

    fn parse(text: &str, context: &Context<'_>, bases: bool) -> Option<Self> {
        let (addresses, ports) = split_ports(text, context.family);
        let addresses = match addresses {
            "" => None,
            _ => Some(addresses_of(addresses, context.family)?),
        };
        let (ports, base) = match ports {
            None => (None, None),
            Some(_) if !has_ports(context) => return None,
            Some(ports) => match ports.split_once('/').filter(|_| bases) {
                Some((ports, base)) => (Some(ToPorts::parse(ports)?), Some(port(base).filter(|base| *base != 0)?)),
                None => (Some(ToPorts::parse(ports)?), None),
            },
        };
        let zero = ports.is_some_and(|ports| ports.first == 0);
        (!zero && (addresses.is_some() || ports.is_some())).then_some(Self { addresses, ports, base })
    }
}

/// Addresses, and ports behind the colon. IPv6 addresses with ports are in brackets.
fn split_ports(text: &str, family: Family) -> (&str, Option<&str>) {
    let colon = match family {
        Family::Ip => text.find(':'),
        Family::Ip6 if text.starts_with(':') && !text.starts_with("::") => Some(0),
        Family::Ip6 => text.rfind("]:").map(|at| at + 1),
    };
    colon.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])))
}

fn addresses_of(text: &str, family: Family) -> Option<(IpAddr, IpAddr)> {
    let read = |text: &str| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        address(bare, family)
    };
    // As in `[fd00::1-fd00::9]:80`.
    let text = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) if !inner.contains(']') => inner,
        _ => text,
    };
    match text.split_once('-') {
        Some((first, last)) => Some((read(first)?, read(last)?)).filter(|(first, last)| first <= last),
        None => read(text).map(|address| (address, address)),
    }
}

impl fmt::Display for NatRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((first, last)) = self.addresses {
            let (open, close) = if first.is_ipv6() && self.ports.is_some() { ("[", "]") } else { ("", "") };
            write!(f, "{open}{first}")?;
            if first != last {
                write!(f, "-{last}")?;
            }
            f.write_str(close)?;
        }
        if let Some(ports) = self.ports {
            write!(f, ":{ports}")?;
        }
        self.base.iter().try_for_each(|base| write!(f, "/{base}"))
    }
}

/// What a source is rewritten to.
impl Value for NatRange {
    const EXPECTED: &'static str = "addresses as `FIRST[-LAST]`, ports as `:FIRST[-LAST]` where the protocol has ports";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        Self::parse(word, context, false)
    }
}

/// What a destination is rewritten to: ports may be shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationRange(pub NatRange);

impl Value for DestinationRange {
    const EXPECTED: &'static str =
        "addresses as `FIRST[-LAST]`, ports as `:FIRST[-LAST[/BASE]]` where the protocol has ports";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        NatRange::parse(word, context, true).map(Self)
    }
}

impl fmt::Display for DestinationRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
