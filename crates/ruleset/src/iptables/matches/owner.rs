//! `-m owner` (extensions/libxt_owner.c, `owner_mt_save`).

use std::fmt;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::range;

/// Numbers of users or groups, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl Value for OwnerRange {
    const EXPECTED: &'static str = "a number, or two as `FIRST-LAST`; names of users and groups are not looked up";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        if *word == "root" {
            return Some(Self { first: 0, last: 0 });
        }
        let separator = if word.contains('-') { '-' } else { ':' };
        let most = u64::from(u32::MAX) - 1;
        range(word, separator, 0..=most).map(|(first, last)| Self { first: first as u32, last: last as u32 })
    }
}

impl fmt::Display for OwnerRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

extension! {
    /// Whose program on this host sent a packet.
    Owner, "owner", Only::ANYWHERE.chains(&["OUTPUT", "POSTROUTING"]);
    /// Whether there is a socket.
    socket_exists: Option<bool>, "--socket-exists";
    /// The user.
    uid: Option<Criterion<OwnerRange>>, "--uid-owner";
    /// The group.
    gid: Option<Criterion<OwnerRange>>, "--gid-owner";
    /// Its other groups count, too.
    supplementary_groups: bool, "--suppl-groups";
    => Owner::settle;
}

impl Owner {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        match given.all().next() {
            Some(_) => Ok(()),
            None => Err(given.missing(&[0, 1, 2])),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m owner --uid-owner 0",
            "-m owner ! --uid-owner 100-200 --gid-owner 5 --suppl-groups",
            "-m owner ! --socket-exists",
        ]);
        prints_as("-m owner --uid-owner root", "-m owner --uid-owner 0");
        is_refused(&["-m owner", "-m owner --uid-owner nosuch", "-m owner --uid-owner 9-1"]);
    }
}
