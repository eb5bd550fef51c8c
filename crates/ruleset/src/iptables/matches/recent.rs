//! `-m recent` (extensions/libxt_recent.c, `recent_save`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{Name, Within};

/// What is done with the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecentAction {
    /// The address is put there, or seen again.
    Set,
    /// Asks whether it is there.
    Rcheck,
    /// The same, and it is seen again.
    Update,
    /// The same, and it is taken off.
    Remove,
}

impl RecentAction {
    const OPTIONS: [&'static str; 4] = ["--set", "--rcheck", "--update", "--remove"];
}

/// Addresses that were seen lately, in a list by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recent {
    /// What is done.
    pub action: Criterion<RecentAction>,
    /// Seen within so many seconds.
    pub seconds: Option<u32>,
    /// Those not seen within the seconds are taken off.
    pub reap: bool,
    /// Seen so many times.
    pub hitcount: Option<u32>,
    /// The TTL is the same as when it was put there.
    pub rttl: bool,
    /// The name of the list.
    pub name: Name<199>,
    /// Which bits of the address count.
    pub mask: IpAddr,
    /// Whether it is the address of the destination.
    pub destination: bool,
}

impl Recent {
    fn of_sources(name: Name<199>, family: Family, action: RecentAction) -> Self {
        Self {
            action: Criterion::is(action),
            seconds: None,
            reap: false,
            hitcount: None,
            rttl: false,
            name,
            mask: whole(family),
            destination: false,
        }
    }

    /// The source address joins the list, or is renewed.
    pub fn join(name: Name<199>, family: Family) -> Self {
        Self::of_sources(name, family, RecentAction::Set)
    }

    /// The source address must have joined the list in the last so many seconds; older ones leave it.
    pub fn joined(name: Name<199>, family: Family, seconds: u32) -> Self {
        let asked = Self::of_sources(name, family, RecentAction::Rcheck);
        Self { seconds: Some(seconds), reap: true, ..asked }
    }
}

/// The mask under which all bits of an address count.
fn whole(family: Family) -> IpAddr {
    match family {
        Family::Ip => IpAddr::V4(Ipv4Addr::BROADCAST),
        Family::Ip6 => IpAddr::V6(Ipv6Addr::from(u128::MAX)),
    }
}

impl Extension for Recent {
    const NAMES: &'static [&'static str] = &["recent"];
    const OPTIONS: &'static [Opt] = &[
        Opt::flag(&["--set"]).or_not(),
        Opt::flag(&["--rcheck"]).or_not(),
        Opt::flag(&["--update"]).or_not(),
        Opt::flag(&["--remove"]).or_not(),
        Opt::word(&["--seconds"]),
        Opt::flag(&["--reap"]),
        Opt::word(&["--hitcount"]),
        Opt::flag(&["--rttl"]),
        Opt::word(&["--name"]),
        Opt::word(&["--mask"]),
        Opt::flag(&["--rsource"]),
        Opt::flag(&["--rdest"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1, 2, 3])?;
        let action =
            [RecentAction::Set, RecentAction::Rcheck, RecentAction::Update, RecentAction::Remove][option.option];
        let seconds: Option<u32> = given.value(4)?;
        let most: Option<Within<0, 65535>> = given.value(6)?;
        let hitcount = most.map(|count| count.0);
        let default = || Name::new("DEFAULT").ok_or_else(|| given.missing(&[8]));
        let recent = Self {
            action: Criterion { inverted: option.inverted, value: action },
            seconds: seconds.filter(|seconds| *seconds != 0),
            reap: given.flag(5)?,
            hitcount: hitcount.filter(|count| *count != 0),
            rttl: given.flag(7)?,
            name: given.value(8)?.map_or_else(default, Ok)?,
            mask: given.value(9)?.unwrap_or(whole(given.context.family)),
            destination: given.one_of(&[10, 11])?.is_some_and(|side| side.option == 11),
        };
        let asks = matches!(action, RecentAction::Rcheck | RecentAction::Update);
        if !asks && (seconds.is_some() || recent.reap || hitcount.is_some() || recent.rttl) {
            return Err(given.problem("only `--rcheck` and `--update` ask when and how often"));
        }
        if recent.reap && seconds.is_none() {
            return Err(given.problem("`--reap` needs `--seconds`"));
        }
        Ok(recent)
    }
}

impl fmt::Display for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead = if self.action.inverted { " ! " } else { " " };
        write!(f, "{lead}{}", RecentAction::OPTIONS[self.action.value as usize])?;
        Field::print(&self.seconds, f, "--seconds")?;
        Field::print(&self.reap, f, "--reap")?;
        Field::print(&self.hitcount, f, "--hitcount")?;
        Field::print(&self.rttl, f, "--rttl")?;
        write!(f, " --name {} --mask {}", self.name, self.mask)?;
        f.write_str(if self.destination { " --rdest" } else { " --rsource" })
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource",
            "-m recent ! --rcheck --seconds 60 --reap --hitcount 4 --rttl --name ssh --mask 255.255.255.0 --rdest",
        ]);
        round_trips_6(&["-m recent --remove --name x --mask ffff:ffff:ffff:ffff:: --rsource"]);
        prints_as(
            "-m recent --update --seconds 60",
            "-m recent --update --seconds 60 --name DEFAULT --mask 255.255.255.255 --rsource",
        );
        is_refused(&[
            "-m recent",
            "-m recent --set --rcheck",
            "-m recent --set --seconds 1",
            "-m recent --rcheck --reap",
            "-m recent --set --rsource --rdest",
        ]);
    }
}
