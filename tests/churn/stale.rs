//! Flows follow services: what is stale after an apply is gone, and nothing else.

use std::net::{IpAddr, SocketAddr};

use libtest_mimic::Trial;
use rulectl_netlink::conntrack::Filter;
use rulectl_netlink::{Conntrack, NetlinkKernel, Reconciler};
use rulectl_ruleset::service::CompileOptions;
use rulectl_tests::{Failure, Transport, run};

use crate::lab::{CLUSTER_IPS, EXTERNAL_IPS, Lab, NODE_PORT, POD_PORT, PORT, Talker, addresses_of, serve_at};

pub(crate) fn trials() -> Vec<Trial> {
    let backends = [
        ("nft-maps", &["--backend", "nft", "--layout", "maps"][..]),
        ("nft-chains", &["--backend", "nft", "--layout", "chains"][..]),
        ("iptables-legacy", &["--backend", "iptables-legacy"][..]),
        ("iptables-nft", &["--backend", "iptables-nft"][..]),
    ];
    let all: [(&str, fn(&Lab)); 2] = [
        ("udp_flows_move_to_a_living_endpoint_with_their_next_packet", move_on),
        ("a_new_address_of_a_service_takes_over_flows_that_went_past_it", take_over),
    ];
    let maps: [(&str, fn(&Lab)); 3] = [
        ("tcp_is_reset_only_where_that_is_asked_for", reset),
        ("node_ports_are_looked_for_at_the_nodes_own_addresses_only", spare),
        ("stale_flows_are_listed_with_why_and_cleaned", list),
    ];
    let repair = Trial::test("reconciler::a_flush_is_noticed_and_repaired_before_any_service_changes", || {
        repair(&Lab::new(&[]));
        Ok(())
    });
    let everywhere = backends.iter().flat_map(|backend| all.iter().map(move |test| (backend, test)));
    let of_maps = backends[..1].iter().flat_map(|backend| maps.iter().map(move |test| (backend, test)));
    everywhere
        .chain(of_maps)
        .map(|((backend, flags), (name, test))| {
            let (flags, test) = (*flags, *test);
            Trial::test(format!("{backend}::{name}"), move || {
                test(&Lab::new(flags));
                Ok(())
            })
        })
        .chain([repair])
        .collect()
}

/// Everything goes, the rules of a table go, a table goes; at last another owner makes a table.
fn repair(lab: &Lab) {
    let node = &lab.topology.node;
    let kernel = NetlinkKernel::in_namespace(&node.netns).expect("a socket");
    let mut reconciler = Reconciler::new(kernel, CompileOptions::default());
    reconciler.sync(&lab.map(&[0])).expect("applied");
    let to = at(CLUSTER_IPS, PORT);
    let reached = || to.iter().all(|to| lab.topology.client.ask(Transport::Tcp, *to).is_ok());
    assert!(reached() && !reconciler.repair().expect("asked").read_all);
    for harm in ["flush ruleset\n", "flush table ip rulectl\n", "delete table ip6 rulectl\n"] {
        node.run(|| run("nft", &["-f", "-"], harm));
        assert!(reconciler.repair().expect("repaired").read_all, "{harm}");
        assert!(reached(), "{harm}");
    }
    node.run(|| run("nft", &["-f", "-"], "add table inet other\n"));
    assert!(!reconciler.repair().expect("asked").read_all, "nothing of ours has changed");
}

fn at(addresses: [&str; 2], port: u16) -> Vec<SocketAddr> {
    addresses_of(addresses).into_iter().map(|address| SocketAddr::new(address, port)).collect()
}

/// An endpoint is replaced, all go, one comes back, the service goes: each time the very next packet tells.
fn move_on(lab: &Lab) {
    lab.apply(&lab.map(&[0]), &[]);
    let hosts = [&lab.topology.client, &lab.topology.pods[1]];
    let talkers: Vec<Talker> =
        at(CLUSTER_IPS, PORT).into_iter().flat_map(|to| hosts.iter().map(move |host| Talker::new(host, to))).collect();
    let all = |expected: Result<&str, Failure>| {
        for talker in &talkers {
            assert_eq!(talker.ask(), expected.clone().map(str::to_owned));
        }
    };
    all(Ok("pod-1"));
    assert_eq!(lab.apply(&lab.map(&[0]), &[]), "no change\n", "no flow is stale");
    lab.apply(&lab.map(&[1]), &["--conntrack", "none"]);
    all(Ok("pod-1"));
    // What was left is found without a change of the rules.
    assert_eq!(lab.apply(&lab.map(&[1]), &[]), "no change\n4 stale connections deleted\n");
    all(Ok("pod-2"));
    let deleted = lab.apply(&lab.map(&[]), &[]);
    assert!(deleted.ends_with("4 stale connections deleted\n"), "{deleted}");
    for talker in &talkers {
        assert!(talker.ask_in_vain().is_err());
    }
    lab.apply(&lab.map(&[0]), &[]);
    // A refusal that came late is heard first.
    talkers.iter().for_each(|talker| drop(talker.ask_in_vain()));
    all(Ok("pod-1"));
    let mut none = lab.map(&[0]);
    none.services.clear();
    let deleted = lab.apply(&none, &[]);
    assert!(deleted.ends_with("4 stale connections deleted\n"), "{deleted}");
    for talker in &talkers {
        assert!(talker.ask_in_vain().is_err());
    }
}

/// A service gets addresses to which flows exist that nobody translated.
fn take_over(lab: &Lab) {
    lab.apply(&lab.map(&[0]), &[]);
    let talkers: Vec<Talker> =
        at(EXTERNAL_IPS, PORT).into_iter().map(|to| Talker::new(&lab.topology.client, to)).collect();
    for talker in &talkers {
        assert!(talker.ask_in_vain().is_err(), "nobody has the address");
    }
    let mut map = lab.map(&[0]);
    map.services[0].external_ips = addresses_of(EXTERNAL_IPS);
    lab.apply(&map, &["--conntrack", "none"]);
    for talker in &talkers {
        assert!(talker.ask_in_vain().is_err(), "the flow goes past the service");
    }
    assert_eq!(lab.apply(&map, &[]), "no change\n2 stale connections deleted\n");
    for talker in &talkers {
        assert_eq!(talker.ask(), Ok("pod-1".to_owned()));
    }
}

fn reset(lab: &Lab) {
    lab.apply(&lab.map(&[0]), &[]);
    let mut talks: Vec<_> =
        at(CLUSTER_IPS, PORT).into_iter().map(|to| lab.topology.client.converse(to).expect("a connection")).collect();
    lab.apply(&lab.map(&[1]), &[]);
    for talk in &mut talks {
        assert_eq!(talk.answer.server, "pod-1");
        assert_eq!(talk.say("still there?"), Ok(()));
    }
    assert_eq!(lab.apply(&lab.map(&[1]), &["--conntrack", "all"]), "no change\n2 stale connections deleted\n");
    for talk in &mut talks {
        assert_eq!(talk.say("and now?"), Err(Failure::Rejected));
    }
}

/// What goes to the number of a node port elsewhere is none of ours.
fn spare(lab: &Lab) {
    let node = &lab.topology.node;
    node.ip("addr add 192.0.2.5/24 dev eth0\n");
    for address in [node.ipv4, [192, 0, 2, 5].into()] {
        serve_at(node, SocketAddr::new(address.into(), NODE_PORT));
    }
    lab.topology.pods[0].serve(NODE_PORT);
    let (client, pod) = (&lab.topology.client, &lab.topology.pods[0]);
    let mut map = lab.map(&[0]);
    lab.apply(&map, &[]);
    let to = |address: IpAddr| Talker::new(client, SocketAddr::new(address, NODE_PORT));
    let (primary, secondary, forwarded) = (to(node.ipv4.into()), to([192, 0, 2, 5].into()), to(pod.ipv4.into()));
    let answers = || [&primary, &secondary, &forwarded].map(|talker| talker.ask().expect("an answer"));
    assert_eq!(answers(), ["node", "node", "pod-1"]);
    let [own, other] = [[192, 0, 2, 1], [192, 0, 2, 5]].map(IpAddr::from);
    let pod_ip = IpAddr::from(pod.ipv4);
    assert_eq!(ends(lab), [(pod_ip, pod_ip), (own, own), (other, other)]);
    map.services[0].ports.iter_mut().for_each(|port| port.node_port = Some(NODE_PORT));
    let applied = lab.apply(&map, &[]);
    assert!(applied.ends_with("\n1 stale connection deleted\n"), "{applied}");
    assert_eq!(answers(), ["pod-1", "node", "pod-1"]);
    assert_eq!(ends(lab), [(pod_ip, pod_ip), (own, pod_ip), (other, other)]);
    // With node ports at all addresses, an address that came later counts too; one that is not the node's does not.
    map.node.nodeport_addresses = rulectl_ruleset::service::NodePortAddresses::All;
    node.ip("addr add 192.0.2.6/24 dev eth0\n");
    let applied = lab.apply(&map, &[]);
    assert!(applied.ends_with("\n1 stale connection deleted\n"), "{applied}");
    assert_eq!(answers(), ["pod-1", "pod-1", "pod-1"]);
    assert_eq!(to([192, 0, 2, 6].into()).ask(), Ok("pod-1".to_owned()), "node ports answer at once at a new address");
}

/// Where flows to the number of the node port went, and who answers; in order.
fn ends(lab: &Lab) -> Vec<(IpAddr, IpAddr)> {
    let mut conntrack = Conntrack::in_namespace(&lab.topology.node.netns).expect("a socket");
    let mut found = Vec::new();
    let filter = Filter { protocol: Some(17), destination_port: Some(NODE_PORT), ..Filter::default() };
    conntrack.walk(&filter, |flow| found.push((flow.original.destination, flow.reply.source))).expect("flows");
    found.sort_unstable();
    found
}

fn list(lab: &Lab) {
    lab.apply(&lab.map(&[0]), &[]);
    let talker = Talker::new(&lab.topology.client, at(CLUSTER_IPS, PORT)[0]);
    assert_eq!(talker.ask(), Ok("pod-1".to_owned()));
    assert_eq!(lab.rulectl(&["conntrack", "stale", "-"], &lab.map(&[0]), 0), "");
    let stale = lab.rulectl(&["conntrack", "stale", "-"], &lab.map(&[1]), 1);
    assert!(stale.starts_with("udp      17 ") && stale.ends_with("  # endpoint gone\n"), "{stale}");
    assert!(stale.contains("dst=10.96.0.10 ") && stale.contains(&format!("sport={POD_PORT}")), "{stale}");
    assert_eq!(lab.rulectl(&["conntrack", "stale", "-", "--conntrack", "none"], &lab.map(&[1]), 0), "");
    assert_eq!(lab.rulectl(&["conntrack", "clean", "-"], &lab.map(&[1]), 0), "1 stale connection deleted\n");
    assert_eq!(lab.rulectl(&["conntrack", "clean", "-"], &lab.map(&[1]), 0), "");
}
