//! Protocols above IP, by name and number.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The names that /etc/protocols has everywhere, and those that iptables knows without it
/// (`xtables_chain_protos`, libxtables/xtables.c). The first of a number is printed.
const NAMES: &[(&str, u8)] = &[
    ("all", 0),
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("ip-encap", 4),
    ("ipv4", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ipsec-esp", 50),
    ("ah", 51),
    ("ipsec-ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("icmp6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ospfigp", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
];

/// A protocol. Its spelling is kept, and does not count in comparisons: whether iptables-save writes a name depends on
/// the machine's /etc/protocols.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    number: u8,
    /// The place of its name in [`NAMES`]; `u8::MAX` for digits.
    name: u8,
}

impl Protocol {
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;

    /// The protocol of that number, by its name where it has one.
    pub fn of(number: u8) -> Self {
        let name = NAMES.iter().position(|(_, known)| *known == number);
        Self { number, name: name.map_or(u8::MAX, |place| place as u8) }
    }

    /// Reads a name or a number. Digits stay digits unless iptables itself knows the protocol.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = super::value::number(text) {
            let number = u8::try_from(number).ok()?;
            let known_to_iptables = matches!(number, 0 | 1 | 6 | 17 | 50 | 51 | 58 | 132 | 135 | 136);
            return Some(if known_to_iptables { Self::of(number) } else { Self { number, name: u8::MAX } });
        }
        let place = NAMES.iter().position(|(name, _)| name.eq_ignore_ascii_case(text))?;
        Some(Self { number: NAMES[place].1, name: place as u8 })
    }

    /// Its number; 0 stands for all.
    pub fn number(self) -> u8 {
        self.number
    }

    /// Its name, or `None` where it is written as a number.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.name)).map(|(name, _)| *name)
    }

    /// The names that are known, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => self.number.fmt(f),
        }
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Protocol {}

impl PartialOrd for Protocol {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Protocol {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl Hash for Protocol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_print_as_they_were_written_but_for_those_of_iptables() {
        for (written, printed) in
            [("TCP", "tcp"), ("6", "tcp"), ("0x11", "udp"), ("47", "47"), ("gre", "gre"), ("icmpv6", "icmpv6")]
        {
            assert_eq!(Protocol::parse(written).unwrap().to_string(), printed);
        }
        assert_eq!(Protocol::parse("47"), Protocol::parse("GRE"));
        for refused in ["", "256", "-1", "nosuch"] {
            assert_eq!(Protocol::parse(refused), None);
        }
    }
}
