//! `-m devgroup` (extensions/libxt_devgroup.c, `devgroup_save`).

use std::fmt;

use super::super::extension::{Context, Given, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::MaskedMark;

/// A group of interfaces under a mask. Without a mask, 0 has the name `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceGroup(pub MaskedMark);

impl Value for DeviceGroup {
    const EXPECTED: &'static str = "a group as `0x1` or `0x1/0xff`";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        match *word {
            "default" => Some(Self(MaskedMark { value: 0, mask: u32::MAX })),
            _ => MaskedMark::read(&[word, ""], context).map(Self),
        }
    }
}

impl fmt::Display for DeviceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MaskedMark { value: 0, mask: u32::MAX } => f.write_str("default"),
            mark => mark.fmt(f),
        }
    }
}

extension! {
    /// The groups of a packet's interfaces.
    Devgroup, "devgroup";
    /// That of the one it came in by.
    source: Option<Criterion<DeviceGroup>>, "--src-group";
    /// That of the one it leaves by.
    destination: Option<Criterion<DeviceGroup>>, "--dst-group";
    => Devgroup::settle;
}

impl Devgroup {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if self.source.is_none() && self.destination.is_none() {
            return Err(given.missing(&[0, 1]));
        }
        match given.context.built_in() {
            Some(chain @ ("OUTPUT" | "POSTROUTING")) if self.source.is_some() => {
                Err(given.problem(format!("packets in {chain} came in by no interface")))
            }
            Some(chain @ ("INPUT" | "PREROUTING")) if self.destination.is_some() => {
                Err(given.problem(format!("packets in {chain} leave by no interface yet")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m devgroup --src-group 0x1", "-m devgroup --src-group default ! --dst-group 0x1/0xff"]);
        is_refused(&["-m devgroup", "-m devgroup --src-group x"]);
    }
}
