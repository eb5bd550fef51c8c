//! `-j SECMARK` (extensions/libxt_SECMARK.c).

use super::super::extension::{Only, extension};
use super::super::ruleset::TableName;
use super::super::value::Name;

extension! {
    /// Gives a packet a security context.
    Secmark, "SECMARK", Only::ANYWHERE.tables(&[TableName::Mangle, TableName::Security]);
    /// The context.
    context: Name<255>, "--selctx";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j SECMARK --selctx system_u:object_r:httpd_packet_t:s0"]);
        is_refused(&["-j SECMARK"]);
    }
}
