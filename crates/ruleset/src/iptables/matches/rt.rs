//! `-m rt` (extensions/libip6t_rt.c, `rt_save`).

use std::fmt;
use std::net::Ipv6Addr;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::{NumberRange, drop_every_number};

/// Addresses that packets pass by, at most sixteen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteAddresses(pub Vec<Ipv6Addr>);

impl Value for RouteAddresses {
    const EXPECTED: &'static str = "up to 16 addresses as `fd00::1,fd00::2`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let addresses = word.split(',').map(|address| address.parse().ok()).collect::<Option<Vec<_>>>()?;
        (addresses.len() <= 16).then_some(Self(addresses))
    }
}

impl fmt::Display for RouteAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

extension! {
    /// What the routing header must be.
    Rt, "rt", Only::ANYWHERE.family(Family::Ip6);
    /// Its type.
    kind: Option<Criterion<u32>>, "--rt-type";
    /// How many hops are left.
    segments_left: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--rt-segsleft";
    /// How long it is.
    length: Option<Criterion<u32>>, "--rt-len";
    /// Its reserved field is nought.
    reserved: bool, "--rt-0-res";
    /// The addresses it must hold.
    addresses: Option<RouteAddresses>, "--rt-0-addrs";
    /// It may hold others between them.
    not_strict: bool, "--rt-0-not-strict";
    => Rt::settle;
}

impl Rt {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_number(&mut self.segments_left);
        let is_0 = self.kind.as_ref().is_some_and(|kind| !kind.inverted && kind.value == 0);
        if (self.reserved || self.addresses.is_some()) && !is_0 {
            return Err(given.problem("`--rt-0-…` need `--rt-type 0`"));
        }
        if self.not_strict && self.addresses.is_none() {
            return Err(given.missing(&[4]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&[
            "-m rt",
            "-m rt --rt-type 0 ! --rt-segsleft 1:23 --rt-len 42 --rt-0-res --rt-0-addrs ::1,::2 --rt-0-not-strict",
        ]);
        is_refused(&["-m rt --rt-0-res", "-m rt --rt-type 0 --rt-0-not-strict", "-m rt --rt-type x"]);
    }
}
