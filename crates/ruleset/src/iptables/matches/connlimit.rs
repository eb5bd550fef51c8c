//! `-m connlimit` (extensions/libxt_connlimit.c, `connlimit_save4`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::extension::{Extension, Given, Opt};
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{address, number_in};

/// How many connections there are already, of addresses that share a prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connlimit {
    /// So many.
    pub count: u32,
    /// Whether it is more than that; else at most that.
    pub above: bool,
    /// The mask of the prefix.
    pub mask: IpAddr,
    /// Whether it is the address of the destination.
    pub destination: bool,
}

/// The mask of a prefix of that length.
fn mask(length: u64, family: Family) -> IpAddr {
    match family {
        Family::Ip => Ipv4Addr::from(u32::MAX.checked_shl(32 - length as u32).unwrap_or(0)).into(),
        Family::Ip6 => Ipv6Addr::from(u128::MAX.checked_shl(128 - length as u32).unwrap_or(0)).into(),
    }
}

impl Connlimit {
    /// How many bits of the address count, if they are its first ones.
    pub fn prefix(&self) -> Option<u8> {
        ipnet::ip_mask_to_prefix(self.mask).ok()
    }
}

impl Extension for Connlimit {
    const NAMES: &'static [&'static str] = &["connlimit"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--connlimit-upto"]).or_not(),
        Opt::word(&["--connlimit-above"]).or_not(),
        Opt::word(&["--connlimit-mask"]),
        Opt::flag(&["--connlimit-saddr"]),
        Opt::flag(&["--connlimit-daddr"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        let family = given.context.family;
        let longest = if family == Family::Ip { 32 } else { 128 };
        let mask = match given.single(2)? {
            None => mask(longest, family),
            Some(option) => number_in(option.value(), 0..=longest)
                .map(|length| mask(length, family))
                .or_else(|| address(option.value(), family).filter(|_| family == Family::Ip))
                .ok_or_else(|| option.unexpected("the length of a prefix"))?,
        };
        Ok(Self {
            count: option.read(given.context)?,
            above: (option.option == 1) != option.inverted,
            mask,
            destination: given.one_of(&[3, 4])?.is_some_and(|side| side.option == 4),
        })
    }
}

impl fmt::Display for Connlimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = if self.above { "--connlimit-above" } else { "--connlimit-upto" };
        let length = match self.mask {
            IpAddr::V4(mask) => u32::from(mask).count_ones(),
            IpAddr::V6(mask) => u128::from(mask).count_ones(),
        };
        let side = if self.destination { "--connlimit-daddr" } else { "--connlimit-saddr" };
        write!(f, " {option} {} --connlimit-mask {length} {side}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_refused, prints, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m connlimit --connlimit-upto 0 --connlimit-mask 24 --connlimit-daddr",
            "-m connlimit --connlimit-above 10 --connlimit-mask 0 --connlimit-saddr",
        ]);
        prints_as(
            "-m connlimit ! --connlimit-above 1",
            "-m connlimit --connlimit-upto 1 --connlimit-mask 32 --connlimit-saddr",
        );
        prints(
            "-m connlimit --connlimit-above 1",
            "-m connlimit --connlimit-above 1 --connlimit-mask 128 --connlimit-saddr",
            Family::Ip6,
        );
        is_refused(&[
            "-m connlimit",
            "-m connlimit --connlimit-upto 1 --connlimit-above 1",
            "-m connlimit --connlimit-upto 1 --connlimit-mask 129",
        ]);
    }
}
