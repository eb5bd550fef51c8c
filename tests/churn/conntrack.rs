//! ctnetlink, with `conntrack` as the oracle.

use std::fmt::Write;

use libtest_mimic::Trial;
use rulectl_netlink::conntrack::{Deleted, Filter};
use rulectl_netlink::{Conntrack, Netns};
use rulectl_ruleset::flow::{Flow, Status};
use rulectl_ruleset::ir::Family;
use rulectl_tests::{rulectl, run};

pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 5] = [
        ("flows_are_listed_as_conntrack_lists_them", lists),
        ("the_kernel_and_the_filter_agree_on_what_passes", filters),
        ("a_flow_is_deleted_by_tuple_zone_and_number_and_no_other", deletes),
        ("many_flows_are_picked_and_deleted_while_they_are_walked", streams),
        ("local_addresses_are_those_of_ip", addresses),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(format!("conntrack::{name}"), move || {
            test();
            Ok(())
        })
    };
    tests.into_iter().map(trial).collect()
}

/// Flows of every kind, as commands of conntrack(8).
const FLOWS: &str = "\
-I -p udp -s 192.0.2.2 -d 10.96.0.10 --sport 4711 --dport 53 -r 10.244.0.11 -q 192.0.2.2 --reply-port-src 5353 --reply-port-dst 4711 -t 1000
-I -p udp -s 192.0.2.2 -d 10.96.0.10 --sport 4711 --dport 53 -t 1000 -w 3
-I -p udp -s 192.0.2.2 -d 10.96.0.11 --sport 4712 --dport 53 -t 1000 -m 5 -u SEEN_REPLY,ASSURED
-I -p udp -s 2001:db8::2 -d fd96::10 --sport 4711 --dport 53 -t 1000
-I -p tcp -s 192.0.2.2 -d 10.96.0.10 --sport 4711 --dport 80 --state ESTABLISHED -t 1000 -m 7
-I -p tcp -s 2001:db8::2 -d fd96::10 --sport 4711 --dport 80 --state TIME_WAIT -t 1000 -m 4
-I -p sctp -s 192.0.2.2 -d 10.96.0.10 --sport 1 --dport 2 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 -t 1000
-I -p icmp -s 192.0.2.2 -d 10.96.0.10 --icmp-type 8 --icmp-code 0 --icmp-id 99 -t 1000
-I -p icmpv6 -s 2001:db8::2 -d fd96::10 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 98 -t 1000
-I -p gre -s 192.0.2.2 -d 10.96.0.10 --srckey 1 --dstkey 2 -t 1000
-I -p 89 -s 192.0.2.2 -d 10.96.0.10 -t 1000
";

/// A namespace with those flows.
fn filled(commands: &str) -> Netns {
    let netns = Netns::new().expect("a namespace");
    let insert = |line: &str| run("conntrack", &line.split(' ').collect::<Vec<_>>(), "");
    netns.run(|| commands.lines().for_each(|line| drop(insert(line)))).expect("a thread in the namespace");
    netns
}

fn flows(netns: &Netns, filter: &Filter) -> Vec<Flow> {
    let mut found = Vec::new();
    let mut conntrack = Conntrack::in_namespace(netns).expect("a socket");
    let walked = conntrack.walk(filter, |flow| found.push(flow)).expect("a walk");
    assert_eq!((walked.flows, walked.unread), (found.len(), 0));
    found
}

/// Lines in order, without what differs from one look to the next: seconds, and how many look.
fn comparable(listing: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.split_whitespace().filter(|word| !word.starts_with("use="));
        let timeout = |word: &str| word.parse::<u32>().is_ok_and(|seconds| (900..=1000).contains(&seconds));
        words.map(|word| if timeout(word) { "SECONDS" } else { word }).collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = listing.lines().map(line).collect();
    lines.sort_unstable();
    lines
}

fn lists() {
    let netns = filled(FLOWS);
    let (theirs, ours) = netns
        .run(|| (run("conntrack", &["-L"], ""), rulectl(&["conntrack", "list"], "").stdout))
        .expect("a thread in the namespace");
    assert_eq!(comparable(&ours), comparable(&theirs));
    assert_eq!(ours.lines().count(), FLOWS.lines().count());
    let filtered = ["conntrack", "list", "-p", "udp", "--dport", "53", "--zone", "0", "-m", "4/4", "-f", "ip"];
    let filtered = netns.run(|| rulectl(&filtered, "")).expect("a thread in the namespace");
    assert!(filtered.stdout.lines().count() == 1 && filtered.stdout.contains("10.96.0.11"), "{filtered:?}");
}

fn filters() {
    let netns = filled(FLOWS);
    let all = flows(&netns, &Filter::default());
    assert_eq!(all.len(), FLOWS.lines().count());
    let none = Filter::default();
    let cases = [
        (Filter { family: Some(Family::Ip6), ..none.clone() }, 3),
        (Filter { protocol: Some(17), ..none.clone() }, 4),
        (Filter { protocol: Some(17), zone: Some(0), ..none.clone() }, 3),
        (Filter { zone: Some(3), ..none.clone() }, 1),
        (Filter { destination: Some([10, 96, 0, 10].into()), ..none.clone() }, 7),
        (Filter { destination: Some([10, 96, 0, 10].into()), destination_port: Some(53), ..none.clone() }, 2),
        (Filter { protocol: Some(6), destination_port: Some(80), family: Some(Family::Ip6), ..none.clone() }, 1),
        (Filter { mark: Some((4, 4)), ..none.clone() }, 3),
        (Filter { mark: Some((0, u32::MAX)), ..none.clone() }, 8),
        (Filter { status: Some((Status::ASSURED, Status::ASSURED)), protocol: Some(17), ..none.clone() }, 1),
        (Filter { status: Some((Status::default(), Status::ASSURED)), protocol: Some(17), ..none.clone() }, 3),
        (Filter { family: Some(Family::Arp), ..none }, 0),
    ];
    for (filter, count) in cases {
        let found = flows(&netns, &filter);
        assert_eq!(found.len(), count, "{filter:?}: {found:?}");
        assert_eq!(all.iter().filter(|flow| filter.passes(flow)).count(), count, "{filter:?}");
    }
}

fn deletes() {
    let netns = filled(FLOWS);
    let mut conntrack = Conntrack::in_namespace(&netns).expect("a socket");
    let mut all = flows(&netns, &Filter::default());
    let other = Flow { id: all[0].id.wrapping_add(1), ..all[0].clone() };
    assert!(!conntrack.delete(&other).expect("an answer"), "another flow of this tuple came meanwhile");
    let ids = |flows: &[Flow]| {
        let mut ids: Vec<u32> = flows.iter().map(|flow| flow.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&flows(&netns, &Filter::default())), ids(&all));
    while let Some(flow) = all.pop() {
        assert!(conntrack.delete(&flow).expect("an answer"), "{flow}");
        assert!(!conntrack.delete(&flow).expect("an answer"), "{flow} is gone");
        assert_eq!(ids(&flows(&netns, &Filter::default())), ids(&all), "{flow} went, and no other");
    }
}

fn streams() {
    const COUNT: usize = 3_000;
    let netns = Netns::new().expect("a namespace");
    let mut commands = String::new();
    for at in 0..COUNT {
        let (third, fourth) = (at / 250, 1 + at % 250);
        writeln!(commands, "-I -p udp -s 10.1.{third}.{fourth} -d 10.96.0.10 --sport 4711 --dport 53 -t 1000")
            .expect("a string takes all");
    }
    netns.run(|| run("conntrack", &["-R", "-"], &commands)).expect("a thread in the namespace");
    let mut conntrack = Conntrack::in_namespace(&netns).expect("a socket");
    let filter = Filter { protocol: Some(17), ..Filter::default() };
    let is_even =
        |flow: &Flow| matches!(flow.original.source, std::net::IpAddr::V4(ip) if ip.octets()[3].is_multiple_of(2));
    let deleted = conntrack.delete_where(&filter, is_even).expect("deleted");
    assert_eq!(deleted, Deleted { deleted: COUNT / 2, ..Deleted::default() });
    assert_eq!(conntrack.delete_where(&filter, is_even).expect("deleted"), Deleted::default());
    let left = flows(&netns, &filter);
    assert!(left.len() == COUNT / 2 && !left.iter().any(is_even));
    let twice: Vec<Flow> = left.iter().chain(&left[..7]).cloned().collect();
    let deleted = conntrack.delete_all(&twice).expect("deleted");
    assert_eq!(deleted, Deleted { deleted: COUNT / 2, gone: 7, ..Deleted::default() });
}

fn addresses() {
    let netns = Netns::new().expect("a namespace");
    let lines = "link set lo up\naddr add 192.0.2.1/24 dev lo\naddr add 2001:db8::1/64 dev lo\n\
                 link add d0 type veth peer name d1\naddr add 192.0.2.9 peer 198.51.100.1/32 dev d0\n";
    netns.run(|| run("ip", &["-batch", "-"], lines)).expect("a thread in the namespace");
    let mut found = Conntrack::in_namespace(&netns).expect("a socket").local_addresses().expect("addresses");
    found.sort_unstable();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["127.0.0.1", "192.0.2.1", "192.0.2.9", "::1", "2001:db8::1"]);
}
