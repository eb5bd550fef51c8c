//! `-j ULOG` (extensions/libipt_ULOG.c, `ULOG_save`).

use super::super::extension::{Only, extension};
use super::super::ruleset::Family;
use super::super::value::{Text, Within};

extension! {
    /// Hands a packet to a program that logs, as old kernels did.
    Ulog, "ULOG", Only::ANYWHERE.family(Family::Ip);
    /// What stands before it.
    prefix: Option<Text<31>>, "--ulog-prefix";
    /// The group of netlink.
    group: Within<1, 32>, "--ulog-nlgroup" = Within(1);
    /// How many bytes are copied.
    copy_range: Option<u32>, "--ulog-cprange";
    /// How many packets are sent at once.
    threshold: Within<1, 50>, "--ulog-qthreshold" = Within(1);
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j ULOG",
            "-j ULOG --ulog-prefix \"a b\" --ulog-nlgroup 5 --ulog-cprange 50 --ulog-qthreshold 3",
        ]);
        is_refused(&["-j ULOG --ulog-nlgroup 33"]);
    }
}
