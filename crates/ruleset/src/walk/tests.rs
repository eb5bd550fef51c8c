//! Walks through small rulesets, written as nft text.

use std::net::IpAddr;

use super::*;
use crate::lower::{Lowered, lower};

fn rules(text: &str) -> Lowered {
    let parsed = crate::nft::parse("test", text);
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    lower(parsed.ruleset).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn surroundings() -> Surroundings {
    Surroundings {
        local: ["192.0.2.1/32", "127.0.0.0/8"].map(|net| net.parse().unwrap()).to_vec(),
        routes: vec![("10.0.0.0/8".parse().unwrap(), "pods".to_owned())],
    }
}

/// A SYN to a port from outside.
fn syn(destination: &str, port: u16) -> Packet {
    Packet {
        source: "192.0.2.9".parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: 6,
        source_port: 40_000,
        destination_port: port,
        interface: Some("eth0".to_owned()),
        mark: 0,
        connection: Connection::New,
    }
}

/// Where it may end, in words.
fn ends(text: &str, packet: &Packet) -> Vec<String> {
    let walked = walk(&rules(text), &surroundings(), packet, &Memory::default());
    walked.outcomes.iter().map(|outcome| in_words(&outcome.fate)).collect()
}

fn in_words(fate: &Fate) -> String {
    match fate {
        Fate::Passes { destination, port, source, mark: 0 } => format!("{source} > {destination}:{port}"),
        Fate::Passes { destination, port, source, mark } => format!("{source} > {destination}:{port} mark {mark:#x}"),
        Fate::Rejected(refusal) => format!("{refusal:?}"),
        Fate::Dropped => "dropped".to_owned(),
    }
}

#[test]
fn chance_takes_every_way_and_a_miss_goes_on() {
    let text = "table ip t {
        map slots { typeof numgen random mod 4 : ip daddr . th dport; elements = { 0 : 10.0.0.1 . 8080, 1 : 10.0.0.2 . 9090 } }
        chain c { type nat hook prerouting priority -101; ip daddr 10.9.0.1 tcp dport 80 dnat ip to numgen random mod 3 map @slots; }
    }";
    assert_eq!(
        ends(text, &syn("10.9.0.1", 80)),
        ["192.0.2.9 > 10.0.0.1:8080", "192.0.2.9 > 10.0.0.2:9090", "192.0.2.9 > 10.9.0.1:80",]
    );
    assert_eq!(ends(text, &syn("10.9.0.1", 81)), ["192.0.2.9 > 10.9.0.1:81"]);
}

#[test]
fn nat_chains_run_at_the_kernels_place_and_the_first_that_rewrites_wins() {
    let text = "table ip t {
        chain late { type nat hook prerouting priority 0; tcp dport 80 dnat to 10.0.0.2; }
        chain early { type nat hook prerouting priority -150; tcp dport 80 dnat to 10.0.0.1; }
        chain before { type filter hook prerouting priority -120; ip daddr 10.0.0.1 drop; }
        chain after { type filter hook prerouting priority -50; ip daddr 10.0.0.1 meta mark set 7; }
    }";
    assert_eq!(ends(text, &syn("10.9.0.1", 80)), ["192.0.2.9 > 10.0.0.1:80 mark 0x7"]);
}

#[test]
fn intervals_hold_what_is_between_their_ends() {
    let text = "table ip t {
        set s { typeof ip daddr . tcp dport . ip saddr; flags interval; elements = { 10.9.0.1 . 80 . 192.0.2.8/30 } }
        chain c { type filter hook forward priority 0; policy drop; ip daddr . tcp dport . ip saddr @s accept; }
    }";
    assert_eq!(ends(text, &syn("10.9.0.1", 80)), ["192.0.2.9 > 10.9.0.1:80"]);
    assert_eq!(ends(text, &syn("10.9.0.1", 81)), ["dropped"]);
    let stranger = Packet { source: IpAddr::from([192, 0, 2, 12]), ..syn("10.9.0.1", 80) };
    assert_eq!(ends(text, &stranger), ["dropped"]);
}

#[test]
fn the_original_address_and_the_status_decide_after_routing() {
    let text = "table ip t {
        chain pre { type nat hook prerouting priority -100; ip daddr 10.9.0.1 dnat to 10.0.0.1; }
        chain post { type nat hook postrouting priority 100; ct status dnat ct original ip daddr 10.9.0.1 masquerade; }
    }";
    assert_eq!(ends(text, &syn("10.9.0.1", 80)), ["192.0.2.1 > 10.0.0.1:80"]);
    assert_eq!(ends(text, &syn("10.0.0.7", 80)), ["192.0.2.9 > 10.0.0.7:80"]);
}

#[test]
fn what_packets_leave_in_sets_is_there_for_the_next() {
    let text = "table ip t {
        map seen { typeof ip saddr : ip daddr; flags dynamic,timeout; timeout 1h; size 10; }
        chain pre { type nat hook prerouting priority -100; dnat to ip saddr map @seen; dnat to numgen random mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 } }
        chain post { type nat hook postrouting priority 100; update @seen { ip saddr : ip daddr } }
    }";
    let rules = rules(text);
    let first = walk(&rules, &surroundings(), &syn("10.9.0.1", 80), &Memory::default());
    assert_eq!(first.outcomes.len(), 2);
    for outcome in first.outcomes {
        let again = walk(&rules, &surroundings(), &syn("10.9.0.1", 80), &outcome.memory);
        assert_eq!(again.outcomes.into_iter().collect::<Vec<_>>(), [outcome]);
    }
}

#[test]
fn what_is_not_known_goes_both_ways_and_is_told() {
    let text = "table ip t { chain c { type filter hook forward priority 0; meta skuid 0 drop; limit rate 1/second accept; reject with tcp reset; } }";
    let walked = walk(&rules(text), &surroundings(), &syn("10.9.0.1", 80), &Memory::default());
    let fates: Vec<_> = walked.outcomes.iter().map(|outcome| in_words(&outcome.fate)).collect();
    assert_eq!(fates, ["192.0.2.9 > 10.9.0.1:80", "Reset", "dropped"]);
    assert_eq!(walked.unknown.iter().map(String::as_str).collect::<Vec<_>>(), ["limit", "meta skuid"]);
}

#[test]
fn jumps_come_back_and_gotos_do_not() {
    let text = "table ip t {
        chain a { return; }
        chain b { tcp dport 80 goto a; meta mark set 1; }
        chain c { type filter hook forward priority 0; jump b; meta mark set meta mark or 0x10; goto a; drop; }
    }";
    assert_eq!(ends(text, &syn("10.9.0.1", 80)), ["192.0.2.9 > 10.9.0.1:80 mark 0x10"]);
    assert_eq!(ends(text, &syn("10.9.0.1", 81)), ["192.0.2.9 > 10.9.0.1:81 mark 0x11"]);
}

#[test]
fn what_this_machine_sends_to_itself_is_rewritten_once() {
    let text = "table ip t {
        chain out { type nat hook output priority -100; tcp dport 80 dnat to 127.0.0.1:8080; }
        chain pre { type nat hook prerouting priority -100; tcp dport 8080 dnat to 127.0.0.1:1; }
        chain in { type filter hook input priority 0; iifname \"lo\" tcp dport 8080 accept; drop; }
    }";
    let own = Packet { source: IpAddr::from([192, 0, 2, 1]), interface: None, ..syn("192.0.2.1", 80) };
    assert_eq!(ends(text, &own), ["192.0.2.1 > 127.0.0.1:8080"]);
}
