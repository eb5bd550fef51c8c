//! `-j AUDIT` (extensions/libxt_AUDIT.c).

use super::super::extension::extension;
use super::super::value::keywords;

keywords! {
    /// What is recorded.
    AuditType, "`accept`, `drop` or `reject`";
    /// That it passes.
    Accept = "accept",
    /// That it is lost.
    Drop = "drop",
    /// That it is refused.
    Reject = "reject",
}

extension! {
    /// Records what becomes of a packet.
    Audit, "AUDIT";
    /// What is recorded.
    kind: AuditType, "--type";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j AUDIT --type accept", "-j AUDIT --type reject"]);
        is_refused(&["-j AUDIT", "-j AUDIT --type odd"]);
    }
}
