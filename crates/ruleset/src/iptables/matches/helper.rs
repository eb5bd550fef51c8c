//! `-m helper` (extensions/libxt_helper.c).

use super::super::extension::extension;
use super::super::head::Criterion;
use super::super::value::Text;

extension! {
    /// The conntrack helper of the connection.
    Helper, "helper";
    /// Its name.
    helper: Criterion<Text<29>>, "--helper";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m helper --helper ftp", "-m helper ! --helper ftp-2121"]);
        is_refused(&["-m helper"]);
    }
}
