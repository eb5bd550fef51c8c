//! `-m udp` (extensions/libxt_udp.c).

use super::super::extension::{Given, Only, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::value::{PortRange, drop_every_port};

extension! {
    /// What a UDP packet must be.
    Udp, "udp", Only::ANYWHERE.protocols(&[Protocol::UDP]);
    /// The ports one of which it must come from.
    sport: Option<Criterion<PortRange>>, "--sport" | "--source-port";
    /// The ports one of which it must go to.
    dport: Option<Criterion<PortRange>>, "--dport" | "--destination-port";
    => Udp::settle;
}

impl Udp {
    /// To one of these ports.
    pub fn to(ports: PortRange) -> Self {
        Self { sport: None, dport: Some(Criterion::is(ports)) }
    }

    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_port(&mut self.sport);
        drop_every_port(&mut self.dport);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn ports_round_trip() {
        round_trips(&["-p udp -m udp --dport 80", "-p udp -m udp --sport 1:1023 ! --dport 80", "-p udp -m udp"]);
        prints_as("-p udp --dport domain", "-p udp -m udp --dport 53");
        prints_as("-p udp -m udp --dport :", "-p udp -m udp");
        is_refused(&["-p tcp -m udp --dport 80", "-p udp --dport 65536"]);
    }
}
