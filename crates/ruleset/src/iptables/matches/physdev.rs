//! `-m physdev` (extensions/libxt_physdev.c, `physdev_save`).

use super::super::extension::{Given, extension};
use super::super::head::{Criterion, Interface};
use super::super::problem::Problem;

extension! {
    /// The bridge ports a packet passes.
    Physdev, "physdev";
    /// Whether it came through a bridge port.
    is_in: Option<bool>, "--physdev-is-in";
    /// The port it came through.
    input: Option<Criterion<Interface>>, "--physdev-in";
    /// Whether it leaves through a bridge port.
    is_out: Option<bool>, "--physdev-is-out";
    /// The port it leaves through.
    output: Option<Criterion<Interface>>, "--physdev-out";
    /// Whether it is bridged, not routed.
    is_bridged: Option<bool>, "--physdev-is-bridged";
    => Physdev::settle;
}

impl Physdev {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if given.all().next().is_none() {
            return Err(given.missing(&[0, 1, 2, 3, 4]));
        }
        let leaves = self.is_out.is_some() || self.output.is_some();
        match given.context.built_in() {
            Some(chain @ ("INPUT" | "PREROUTING")) if leaves => {
                Err(given.problem(format!("packets in {chain} have no port to leave through yet")))
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
        round_trips(&[
            "-m physdev --physdev-in tap0",
            "-m physdev --physdev-is-bridged",
            "-m physdev ! --physdev-is-in ! --physdev-out eth+",
        ]);
        is_refused(&["-m physdev", "-m physdev --physdev-in"]);
    }
}
