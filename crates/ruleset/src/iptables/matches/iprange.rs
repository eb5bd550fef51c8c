//! `-m iprange` (extensions/libxt_iprange.c).

use std::fmt;
use std::net::IpAddr;

use super::super::extension::{Context, Given, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::address;

/// The first and the last of several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The first.
    pub first: IpAddr,
    /// The last.
    pub last: IpAddr,
}

impl Value for AddressRange {
    const EXPECTED: &'static str = "addresses as `10.0.0.1-10.0.0.9`";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let range = Self { first: address(first, context.family)?, last: address(last, context.family)? };
        (range.first <= range.last).then_some(range)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

extension! {
    /// Ranges a packet's addresses must be in.
    Iprange, "iprange";
    /// That of its source.
    source: Option<Criterion<AddressRange>>, "--src-range";
    /// That of its destination.
    destination: Option<Criterion<AddressRange>>, "--dst-range";
    => Iprange::settle;
}

impl Iprange {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if self.source.is_none() && self.destination.is_none() {
            return Err(given.missing(&[0, 1]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m iprange --src-range 10.0.0.1-10.0.0.9",
            "-m iprange ! --src-range 10.0.0.1-10.0.0.1 ! --dst-range 10.1.0.0-10.1.0.5",
        ]);
        round_trips_6(&["-m iprange --dst-range fd00::1-fd00::9"]);
        prints_as("-m iprange --src-range 10.0.0.1", "-m iprange --src-range 10.0.0.1-10.0.0.1");
        is_refused(&["-m iprange", "-m iprange --src-range 10.0.0.9-10.0.0.1", "-m iprange --dst-range x-y"]);
    }
}
