//! Ports, as the matches of TCP, UDP and SCTP have them.

use std::fmt;

use super::super::head::Criterion;
use super::super::rule::Options;

/// A port, or all from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl PortRange {
    /// One port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// `80`, `1:80`, `:80` or `80:`; names of services are not read.
    fn parse(text: &str) -> Option<Self> {
        let port = |text: &str, default| if text.is_empty() { Some(default) } else { text.parse().ok() };
        let range = match text.split_once(':') {
            Some((first, last)) => Self { first: port(first, 0)?, last: port(last, u16::MAX)? },
            None => Self::single(text.parse().ok()?),
        };
        (range.first <= range.last).then_some(range)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

/// The ports a packet must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    /// The source port.
    pub source: Option<Criterion<PortRange>>,
    /// The destination port.
    pub destination: Option<Criterion<PortRange>>,
}

impl Ports {
    /// What asks nothing, so that iptables-save leaves it out.
    const ALL: Criterion<PortRange> = Criterion { inverted: false, value: PortRange { first: 0, last: u16::MAX } };

    /// One destination port.
    pub fn to(port: u16) -> Self {
        Self { source: None, destination: Some(Criterion::is(PortRange::single(port))) }
    }

    /// `--sport` and `--dport`, in any order, each at most once; nothing else.
    pub(super) fn parse(options: &mut Options<'_>) -> Option<Self> {
        let mut ports = Self::default();
        while let Some((inverted, option)) = options.option() {
            let place = match option {
                "--sport" | "--source-port" => &mut ports.source,
                "--dport" | "--destination-port" => &mut ports.destination,
                _ => return None,
            };
            let value = PortRange::parse(options.value()?)?;
            if place.replace(Criterion { inverted, value }).is_some() {
                return None;
            }
        }
        ports.source.take_if(|ports| *ports == Self::ALL);
        ports.destination.take_if(|ports| *ports == Self::ALL);
        Some(ports)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (option, ports) in [("--sport", &self.source), ("--dport", &self.destination)] {
            if let Some(ports) = ports.as_ref().filter(|ports| **ports != Self::ALL) {
                ports.print(f, option)?;
            }
        }
        Ok(())
    }
}
