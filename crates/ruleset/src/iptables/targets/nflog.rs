//! `-j NFLOG` (extensions/libxt_NFLOG.c, `nflog_print`).

use super::super::extension::{Given, extension};
use super::super::problem::Problem;
use super::super::value::{Text, Within};

extension! {
    /// Hands a packet to a program that logs, and goes on.
    Nflog, "NFLOG";
    /// What stands before it.
    prefix: Option<Text<63>>, "--nflog-prefix";
    /// The group of netlink.
    group: u16, "--nflog-group" = 0;
    /// How many bytes were once meant to be copied; the kernel copies all.
    range: Option<u32>, "--nflog-range";
    /// How many bytes are copied.
    size: Option<u32>, "--nflog-size";
    /// How many packets are sent at once.
    threshold: Within<0, 65535>, "--nflog-threshold" = Within(1);
    => Nflog::settle;
}

impl Nflog {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        given.one_of(&[2, 3])?;
        match given.single(0)? {
            Some(prefix) if prefix.value().is_empty() => Err(prefix.unexpected("a prefix that is not empty")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j NFLOG",
            "-j NFLOG --nflog-prefix \"a b\" --nflog-group 2 --nflog-size 64 --nflog-threshold 5",
        ]);
        prints_as("-j NFLOG --nflog-group 0 --nflog-threshold 1", "-j NFLOG");
        is_refused(&["-j NFLOG --nflog-group 65536", "-j NFLOG --nflog-range 1 --nflog-size 1"]);
    }
}
