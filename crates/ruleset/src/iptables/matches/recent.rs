//! `-m recent` (extensions/libxt_recent.c). What sessions need is typed: a list of whole source addresses, that an
//! address joins, or must have joined within a time. Everything else is opaque.

use std::fmt;

use super::super::rule::{Extension, Options};
use super::super::ruleset::Family;

/// What is done with a list of source addresses that the kernel keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recent {
    /// The name of the list.
    pub name: String,
    /// What is done.
    pub action: RecentAction,
    /// The family of the addresses.
    pub family: Family,
}

/// What is done with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecentAction {
    /// The source address joins it, or is renewed.
    Set,
    /// The source address must have joined it in the last so many seconds; older ones leave it.
    Check(u32),
}

impl Recent {
    /// All bits of an address, as iptables-save prints them.
    const fn mask(family: Family) -> &'static str {
        match family {
            Family::Ip => "255.255.255.255",
            Family::Ip6 => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        }
    }
}

impl Extension for Recent {
    const NAME: &'static str = "recent";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let family = options.family();
        let (mut set, mut check, mut reap, mut seconds, mut name) = (false, false, false, None, None);
        while let Some((inverted, option)) = options.option() {
            match option {
                _ if inverted => return None,
                "--set" => set = true,
                "--rcheck" => check = true,
                "--reap" => reap = true,
                "--seconds" => seconds = Some(options.value()?.parse().ok()?),
                "--name" => name = Some(options.value()?.to_owned()),
                "--mask" => {
                    let mask: std::net::IpAddr = options.value()?.parse().ok()?;
                    let all = Self::mask(family).parse().is_ok_and(|all: std::net::IpAddr| all == mask);
                    all.then_some(())?;
                }
                "--rsource" => {}
                _ => return None,
            }
        }
        let action = match (set, check, reap, seconds) {
            (true, false, false, None) => RecentAction::Set,
            (false, true, true, Some(seconds)) => RecentAction::Check(seconds),
            _ => return None,
        };
        Some(Self { name: name?, action, family })
    }
}

impl fmt::Display for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            RecentAction::Set => f.write_str(" --set")?,
            RecentAction::Check(seconds) => write!(f, " --rcheck --seconds {seconds} --reap")?,
        }
        write!(f, " --name {} --mask {} --rsource", self.name, Self::mask(self.family))
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::Family;
    use crate::iptables::rule::tests::{is_opaque, parsed, prints_as, round_trips};

    #[test]
    fn lists_of_sources_round_trip() {
        round_trips(&[
            "-m recent --set --name A --mask 255.255.255.255 --rsource",
            "-m recent --rcheck --seconds 10800 --reap --name A --mask 255.255.255.255 --rsource",
        ]);
        prints_as("-m recent --name A --set", "-m recent --set --name A --mask 255.255.255.255 --rsource");
        let ip6 = "-m recent --set --name A --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource";
        assert_eq!(parsed(ip6, Family::Ip6).to_string(), ip6);
    }

    #[test]
    fn other_options_stay_as_they_are() {
        is_opaque(&[
            "-m recent --update --seconds 9 --name A --mask 255.255.255.255 --rsource",
            "-m recent --rcheck --seconds 9 --name A --mask 255.255.255.255 --rsource",
            "-m recent --set --name A --mask 255.255.255.0 --rsource",
            "-m recent --set --name A --mask 255.255.255.255 --rdest",
            "-m recent ! --set --name A --mask 255.255.255.255 --rsource",
        ]);
    }
}
