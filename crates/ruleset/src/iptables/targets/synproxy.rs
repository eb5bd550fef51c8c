//! `-j SYNPROXY` (extensions/libxt_SYNPROXY.c, `SYNPROXY_save`).

use super::super::extension::{Only, extension};
use super::super::protocol::Protocol;
use super::super::value::Within;

extension! {
    /// Answers the beginning of TCP connections itself.
    Synproxy, "SYNPROXY", Only::ANYWHERE.protocols(&[Protocol::TCP]).chains(&["INPUT", "FORWARD"]);
    /// With selective acknowledgements.
    sack_perm: bool, "--sack-perm";
    /// With time stamps.
    timestamp: bool, "--timestamp";
    /// With that scale of windows.
    window_scale: Option<Within<0, 14>>, "--wscale";
    /// With that largest segment.
    mss: Option<u16>, "--mss";
    /// With congestion bits.
    ecn: bool, "--ecn";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -j SYNPROXY", "-p tcp -j SYNPROXY --sack-perm --timestamp --wscale 9 --mss 1460 --ecn"]);
        is_refused(&["-j SYNPROXY", "-p tcp -j SYNPROXY --wscale 15", "-p tcp -j SYNPROXY --mss 65536"]);
    }
}
