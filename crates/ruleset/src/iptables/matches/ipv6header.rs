//! `-m ipv6header` (extensions/libip6t_ipv6header.c, `ipv6header_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;
use super::super::ruleset::Family;
use super::super::value::number;

/// Headers by name, in the order of iptables-save, and short names.
const HEADERS: [(&str, &str, u8); 8] = [
    ("hop-by-hop", "hop", 0x80),
    ("ipv6-opts", "dst", 0x40),
    ("ipv6-route", "route", 0x20),
    ("ipv6-frag", "frag", 0x10),
    ("esp", "esp", 0x08),
    ("ah", "auth", 0x04),
    ("ipv6-nonxt", "none", 0x02),
    ("prot", "prot", 0x01),
];

/// Headers, one bit each (`MASK_…`, linux/netfilter_ipv6/ip6t_ipv6header.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderNames(pub u8);

impl Value for HeaderNames {
    const EXPECTED: &'static str = "headers as `hop-by-hop,esp`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let numbers = [0, 60, 43, 44, 50, 51, 59, 255];
        let bit = |word: &str| {
            let named = HEADERS.iter().position(|(name, short, _)| word.eq_ignore_ascii_case(name) || word == *short);
            let numbered = || numbers.iter().position(|known| Some(*known) == number(word));
            named.or_else(numbered).map(|place| HEADERS[place].2)
        };
        word.split(',').map(bit).try_fold(0, |bits, bit| Some(bits | bit?)).map(Self)
    }
}

impl fmt::Display for HeaderNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = HEADERS.iter().filter(|(.., bit)| self.0 & bit != 0).map(|(name, ..)| *name);
        f.write_str(&names.collect::<Vec<_>>().join(","))
    }
}

extension! {
    /// Which headers a packet has.
    Ipv6Header, "ipv6header", Only::ANYWHERE.family(Family::Ip6);
    /// These.
    headers: Criterion<HeaderNames>, "--header";
    /// It may have others, too.
    soft: bool, "--soft";
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-m ipv6header --header hop-by-hop,ipv6-opts,esp", "-m ipv6header ! --header ah --soft"]);
        prints("-m ipv6header --header dst,hop", "-m ipv6header --header hop-by-hop,ipv6-opts", Family::Ip6);
        is_refused(&["-m ipv6header", "-m ipv6header --header odd"]);
    }
}
