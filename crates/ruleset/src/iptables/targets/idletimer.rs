//! `-j IDLETIMER` (extensions/libxt_IDLETIMER.c).

use super::super::extension::extension;
use super::super::value::{Name, Within};

extension! {
    /// Tells programs when no packet came for some time.
    Idletimer, "IDLETIMER";
    /// So many seconds.
    timeout: Within<1, { u32::MAX }>, "--timeout";
    /// The name of the timer.
    label: Name<27>, "--label";
    /// It also goes on while the machine sleeps.
    alarm: bool, "--alarm";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j IDLETIMER --timeout 42 --label foo", "-j IDLETIMER --timeout 42 --label foo --alarm"]);
        is_refused(&["-j IDLETIMER", "-j IDLETIMER --timeout 0 --label a"]);
    }
}
