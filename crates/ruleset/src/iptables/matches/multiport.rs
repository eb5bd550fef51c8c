//! `-m multiport` (extensions/libxt_multiport.c, `__multiport_save_v1`).

use std::fmt;

use super::super::extension::{Context, Extension, Given, Only, Opt, Value};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::PortRange;

/// A list of ports, at most fifteen; a range counts twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortList(pub Vec<PortRange>);

impl PortList {
    /// How many numbers it may have (`XT_MULTI_PORTS`, linux/netfilter/xt_multiport.h).
    pub const MAX: usize = 15;
}

impl Value for PortList {
    const EXPECTED: &'static str = "up to 15 ports as `80,443,8000:8080`, where a range counts twice";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let ports = word.split(',').map(|port| PortRange::parse(port, ':')).collect::<Option<Vec<_>>>()?;
        let count: usize = ports.iter().map(|ports| if ports.first == ports.last { 1 } else { 2 }).sum();
        (count <= Self::MAX).then_some(Self(ports))
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ports) in self.0.iter().enumerate() {
            write!(f, "{}{ports}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Which ports of a packet are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The source port.
    Source,
    /// The destination port.
    Destination,
    /// One of both.
    Either,
}

/// The ports one of which a packet must have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiport {
    /// Which of its ports.
    pub side: Side,
    /// The ports.
    pub ports: Criterion<PortList>,
}

impl Extension for Multiport {
    const NAMES: &'static [&'static str] = &["multiport"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--sports", "--source-ports"]).or_not(),
        Opt::word(&["--dports", "--destination-ports"]).or_not(),
        Opt::word(&["--ports"]).or_not(),
    ];
    const ONLY: Only = Only::ANYWHERE.protocols(&[6, 17, 136, 132, 33]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1, 2])?;
        let side = [Side::Source, Side::Destination, Side::Either][option.option];
        Ok(Self { side, ports: Criterion { inverted: option.inverted, value: option.read(given.context)? } })
    }
}

impl fmt::Display for Multiport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ports.print(f, Self::OPTIONS[self.side as usize].names[0])
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-p tcp -m multiport --dports 80,443,8000:8080",
            "-p udp -m multiport ! --ports 53",
            "-p sctp -m multiport --sports 1",
        ]);
        prints_as("-p tcp -m multiport --source-ports ssh,http", "-p tcp -m multiport --sports 22,80");
        is_refused(&[
            "-m multiport --dports 80",
            "-p tcp -m multiport",
            "-p tcp -m multiport --dports 80 --sports 80",
            "-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
            "-p tcp -m multiport --dports 9:1",
        ]);
    }
}
