//! `-m ecn` (extensions/libxt_ecn.c, `ecn_save`).

use super::super::extension::{Given, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::value::Within;

extension! {
    /// What the congestion bits of a packet must be.
    Ecn, "ecn";
    /// Whether ECE of TCP must be set.
    tcp_ece: Option<bool>, "--ecn-tcp-ece";
    /// Whether CWR of TCP must be set.
    tcp_cwr: Option<bool>, "--ecn-tcp-cwr";
    /// What the two bits of the IP header must be.
    ip_ect: Option<Criterion<Within<0, 3>>>, "--ecn-ip-ect";
    => Ecn::settle;
}

impl Ecn {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if given.all().next().is_none() {
            return Err(given.missing(&[0, 1, 2]));
        }
        let tcp = given.context.protocol.is_some_and(|p| !p.inverted && p.value.number() == Protocol::TCP);
        match self.tcp_ece.or(self.tcp_cwr) {
            Some(_) if !tcp => Err(given.problem("bits of TCP need -p tcp")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m ecn --ecn-ip-ect 2", "-p tcp -m ecn ! --ecn-tcp-ece --ecn-tcp-cwr ! --ecn-ip-ect 0"]);
        is_refused(&["-m ecn", "-m ecn --ecn-tcp-cwr", "-m ecn --ecn-ip-ect 4"]);
    }
}
