//! `-j TEE` (extensions/libxt_TEE.c).

use std::net::IpAddr;

use super::super::extension::extension;
use super::super::head::Interface;

extension! {
    /// Sends a copy of a packet elsewhere.
    Tee, "TEE";
    /// To that neighbour.
    gateway: IpAddr, "--gateway";
    /// By that interface.
    interface: Option<Interface>, "--oif";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j TEE --gateway 10.0.0.1", "-j TEE --gateway 10.0.0.1 --oif eth0"]);
        round_trips_6(&["-j TEE --gateway fd00::1"]);
        is_refused(&["-j TEE", "-j TEE --gateway host"]);
    }
}
