//! Services are taken over from rules in the shapes of kube-proxy's, and no connection fails meanwhile.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use rulectl_ruleset::service::{self, NodePortAddresses};
use rulectl_tests::{Failure, Transport, rulectl, run};

use crate::lab::{Lab, POD_PORT, PORT};

pub(crate) fn trials() -> Vec<Trial> {
    let shapes: [(&'static str, &'static str, fn(&Lab)); 3] = [
        ("nftables", "kube-proxy", load_nft),
        ("iptables-legacy", "iptables", |lab| load_iptables(lab, "legacy")),
        ("iptables-nft", "iptables", |lab| load_iptables(lab, "nft")),
    ];
    let mut trials: Vec<Trial> = shapes
        .into_iter()
        .map(|(name, from, load)| {
            Trial::test(format!("migrate::from_{name}_without_a_failed_connection"), move || {
                migrates(from, load);
                Ok(())
            })
        })
        .collect();
    trials.push(Trial::test("migrate::real_rules_of_kube_proxy_go_and_the_kubelets_stay", || {
        real();
        Ok(())
    }));
    trials
}

/// Its rules lead to the first pod, ours to the second: so answers tell who decides.
const NFT: &str = "table ip kube-proxy {
    map service-ips {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 10.96.0.10 . tcp . 80 : goto service-web }
    }
    map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
    set hairpin-connections {
        type ipv4_addr . ipv4_addr . inet_proto . inet_service
        elements = { 10.244.0.11 . 10.244.0.11 . tcp . 8080 }
    }
    chain services { ip daddr . meta l4proto . th dport vmap @service-ips; }
    chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
    chain nat-output { type nat hook output priority -100; jump services; }
    chain nat-postrouting {
        type nat hook postrouting priority srcnat
        meta mark & 0x4000 != 0 meta mark set meta mark ^ 0x4000 masquerade fully-random
        ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
    }
    chain reject-chain { reject; }
    chain check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
    chain filter-forward { type filter hook forward priority filter; ct state new jump check; }
    chain service-web {
        ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x4000
        meta l4proto tcp dnat ip addr . port to numgen random mod 1 map { 0 : 10.244.0.11 . 8080 }
    }
}
";
const IPTABLES: &str = "*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A FORWARD -p icmp -j ACCEPT
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment \"web cluster IP\" -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SVC-AAAAAAAAAAAAAAAA ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.0.11/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.0.11:8080
COMMIT
";

fn load_nft(lab: &Lab) {
    lab.topology.node.run(|| run("nft", &["-f", "-"], NFT));
}

fn load_iptables(lab: &Lab, variant: &str) {
    lab.topology.node.run(|| run(&format!("iptables-{variant}-restore"), &["--noflush"], IPTABLES));
}

/// All rules of the node that are not ours, without counters.
fn theirs(lab: &Lab) -> String {
    lab.topology.node.run(|| {
        let tables = run("nft", &["-s", "list", "ruleset"], "");
        let ours = ["table ip rulectl {", "table ip6 rulectl {"];
        let nft: String =
            tables.split_inclusive("\n}\n").filter(|table| !ours.iter().any(|it| table.contains(it))).collect();
        let legacy = run("iptables-legacy-save", &[], "");
        let legacy = legacy.lines().filter(|line| !line.starts_with(['#', ':'])).collect::<Vec<_>>().join("\n");
        let warning = "# Warning: table ip nat is managed by iptables-nft, do not touch!\n";
        nft.replace(warning, "") + &legacy
    })
}

fn migrates(from: &str, load: fn(&Lab)) {
    let lab = Lab::new(&[]);
    load(&lab);
    let map = lab.map(&[1]);
    let to: SocketAddr = ([10, 96, 0, 10], PORT).into();
    let who = || lab.topology.client.ask(Transport::Tcp, to).map(|answer| answer.server);
    assert_eq!(who(), Ok("pod-1".to_owned()));
    let before = theirs(&lab);
    let shown = lab.rulectl(&["migrate", "--from", from, "-", "--remove", "--dry-run"], &map, 0);
    assert!(shown.contains("- ") && shown.contains("+ table ip rulectl"), "{shown}");
    assert_eq!((theirs(&lab), who()), (before.clone(), Ok("pod-1".to_owned())), "a dry run changes nothing");
    let mut kept = lab.topology.client.converse(to).expect("a connection");
    let done = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let clients = [&lab.topology.client, &lab.topology.pods[0], &lab.topology.node].map(|host| {
            let done = &done;
            scope.spawn(move || {
                let mut answers = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    answers.push(host.ask(Transport::Tcp, to).map(|answer| answer.server));
                }
                answers
            })
        });
        std::thread::sleep(Duration::from_millis(150));
        lab.rulectl(&["migrate", "--from", from, "-"], &map, 0);
        assert_eq!(theirs(&lab), before, "nothing of theirs goes unless that is asked for");
        assert_eq!(who(), Ok("pod-2".to_owned()), "but ours decides");
        lab.rulectl(&["migrate", "--from", from, "-", "--remove"], &map, 0);
        std::thread::sleep(Duration::from_millis(150));
        done.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().expect("no panic"))
    });
    for answers in answers {
        let failed: Vec<&Failure> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert!(failed.is_empty(), "of {} connections: {failed:?}", answers.len());
        let switch = answers.iter().position(|answer| *answer == Ok("pod-2".to_owned())).expect("ours answered");
        assert!(switch > 0 && answers[switch..].iter().all(|answer| *answer == Ok("pod-2".to_owned())), "one moment");
    }
    assert_eq!(kept.say("still there?"), Ok(()), "connections of before go on");
    let left = theirs(&lab);
    assert!(!left.contains("kube-proxy") && !left.contains("KUBE-S") && !left.contains("KUBE-FORWARD"), "{left}");
    assert_eq!(left.contains("KUBE-FIREWALL"), before.contains("KUBE-FIREWALL"), "that is the kubelet's: {left}");
    assert_eq!(left.contains("icmp"), before.contains("icmp"), "that is somebody's: {left}");
    assert_eq!(who(), Ok("pod-2".to_owned()));
}

/// Rules that the real kube-proxy made, where there are some.
fn real() {
    let Some(folder) = std::env::var_os("RULECTL_CORPUS").map(PathBuf::from) else {
        eprintln!("\n!!! RULECTL_CORPUS is not set: rules of a real kube-proxy are not taken over\n");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join("kube-proxy-live").join(name)).expect(name);
    let (nft, save) = (read("kp-nft-features.nft"), read("kp-ipt-features.save"));
    // nft 1.0.6 does not read all that later ones print.
    let nft = nft.replace("hook output priority dstnat - 10", "hook output priority -110");
    let nft = nft.replace("hook output priority dstnat", "hook output priority -100");
    // An object of nfacct that only kube-proxy makes.
    let save: String = save.lines().filter(|line| !line.contains("nfacct")).map(|line| format!("{line}\n")).collect();
    let lab = Lab::new(&[]);
    lab.topology.node.run(|| {
        run("nft", &["-f", "-"], &nft);
        run("iptables-legacy-restore", &[], &save);
    });
    let mut map = lab.map(&[1]);
    map.node.nodeport_addresses = NodePortAddresses::All;
    let arguments = ["migrate", "--from", "kube-proxy", "-", "--remove"];
    let text = service::print(&map);
    let refused = lab.topology.node.run(|| rulectl(&arguments, &text));
    assert!(refused.code == 2 && refused.stderr.contains("frontends of kube-proxy are not in the map"), "{refused:?}");
    assert!(theirs(&lab).contains("table ip kube-proxy"), "nothing has changed");
    lab.rulectl(&[&arguments[..], &["--abandon"]].concat(), &map, 0);
    let left = theirs(&lab);
    assert!(!left.contains("kube-proxy") && !left.contains("KUBE-SVC") && left.contains("KUBE-FIREWALL"), "{left}");
    let answer = lab.topology.client.ask(Transport::Tcp, ([10, 96, 0, 10], PORT).into());
    assert_eq!(answer.map(|answer| answer.server), Ok("pod-2".to_owned()), "at {POD_PORT}");
}
