//! `-m tcpmss` (extensions/libxt_tcpmss.c).

use super::super::extension::{Only, extension};
use super::super::head::Criterion;
use super::super::protocol::Protocol;
use super::super::value::NumberRange;

extension! {
    /// The largest segment that a TCP packet announces.
    Tcpmss, "tcpmss", Only::ANYWHERE.protocols(&[Protocol::TCP]);
    /// In bytes.
    mss: Criterion<NumberRange<65535>>, "--mss";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -m tcpmss --mss 536", "-p tcp -m tcpmss ! --mss 1:535"]);
        is_refused(&["-m tcpmss --mss 1", "-p tcp -m tcpmss", "-p tcp -m tcpmss --mss 65536"]);
    }
}
