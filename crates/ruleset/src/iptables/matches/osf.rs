//! `-m osf` (extensions/libxt_osf.c).

use super::super::extension::{Only, extension};
use super::super::head::Criterion;
use super::super::protocol::Protocol;
use super::super::ruleset::Family;
use super::super::value::{Name, Within};

extension! {
    /// Which system a TCP connection seems to come from.
    Osf, "osf", Only::ANYWHERE.family(Family::Ip).protocols(&[Protocol::TCP]).chains(&["PREROUTING", "INPUT", "FORWARD"]);
    /// The kind of system.
    genre: Criterion<Name<31>>, "--genre";
    /// How the TTL is compared: 0 as it is, 1 at most that, 2 not at all.
    ttl: Option<Within<0, 2>>, "--ttl";
    /// What is logged: 0 all, 1 the first that fits, 2 all known.
    log: Option<Within<0, 2>>, "--log";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -m osf --genre linux", "-p tcp -m osf ! --genre linux --ttl 0 --log 2"]);
        is_refused(&["-p tcp -m osf", "-m osf --genre linux", "-p tcp -m osf --genre linux --ttl 3"]);
    }
}
