//! Translated rules and the originals: the same packets hit the same rules, get the same answers and come with the same
//! addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Mutex;

use rulectl_ruleset::iptables::{Family, Line, parse};
use rulectl_tests::{Answer, Failure, Host, Output, Topology, Transport, rulectl, run};

/// The tests.
pub(crate) const TESTS: [(&str, fn()); 5] = [
    ("a_translated_filter_decides_as_the_original", || same_fates(Family::Ip, include_str!("dumps/filter.rules"))),
    ("translated_nat_rewrites_as_the_original", || same_fates(Family::Ip, include_str!("dumps/nat.rules"))),
    ("translated_marks_and_fields_are_those_of_the_original", || {
        same_fates(Family::Ip, include_str!("dumps/mangle.rules"));
    }),
    ("translated_rules_of_ip6tables_decide_as_the_original", || {
        same_fates(Family::Ip6, include_str!("dumps/ipv6.rules"));
    }),
    ("what_the_cases_become_is_loaded_by_nft", cases_load),
];

/// What one packet, or connection, met.
type Fate = Result<Answer, Failure>;

/// The ports at which everybody answers.
const SERVED: [u16; 4] = [100, 101, 102, 103];

fn same_fates(family: Family, dump: &str) {
    let original = || {
        fates(family, |tool| {
            run(&format!("{tool}-legacy-restore"), &[], dump);
            Box::new(move || hits_of_save(family, &run(&format!("{tool}-legacy-save"), &["-c"], "")))
        })
    };
    let translated = || {
        fates(family, |tool| {
            let Output { code, stdout, stderr } = rulectl(&["translate", "--from", tool, "-"], dump);
            assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
            run("nft", &["-f", "-"], &stdout);
            Box::new(|| hits_of_listing(&run("nft", &["list", "ruleset"], "")))
        })
    };
    let ((original, hit), (translated, translated_hit)) = std::thread::scope(|scope| {
        let original = scope.spawn(original);
        let translated = translated();
        (original.join().expect("a fate of each probe"), translated)
    });
    assert!(original.iter().any(|(_, fate)| fate.is_ok()) && original.iter().any(|(_, fate)| fate.is_err()));
    for ((probe, original), (_, translated)) in original.iter().zip(&translated) {
        assert_eq!(translated, original, "{probe}");
    }
    for rule in &hit {
        assert!(translated_hit.contains(rule), "{rule} is hit in iptables only: {translated_hit:?}");
    }
    for rule in &translated_hit {
        assert!(hit.contains(rule), "{rule} is hit in nft only: {hit:?}");
    }
}

/// Loads rules into the node of a new cluster; gives what became of each probe, and which rules were hit.
fn fates(
    family: Family,
    load: impl Fn(&'static str) -> Box<dyn Fn() -> Vec<String> + Send> + Send + Sync,
) -> (Vec<(String, Fate)>, Vec<String>) {
    let topology = Topology::new(2);
    topology.hosts().for_each(|host| SERVED.iter().for_each(|port| host.serve(*port)));
    // Many are refused at once: each must be told so, not one in a second.
    topology.node.run(|| {
        for (setting, value) in [("ipv4/icmp_ratemask", "0"), ("ipv6/icmp/ratelimit", "0")] {
            std::fs::write(format!("/proc/sys/net/{setting}"), value).expect(setting);
        }
    });
    // An address that is rewritten to must be answered.
    topology.node.ip("addr add 203.0.113.7/32 dev lo\n");
    let tool = if family == Family::Ip { "iptables" } else { "ip6tables" };
    let hits = topology.node.run(|| load(tool));
    let probes = probes(&topology, family);
    let fates = Mutex::new(Vec::new());
    // What is dropped is waited for, so all ask at once.
    std::thread::scope(|scope| {
        for (at, (from, transport, to)) in probes.iter().enumerate() {
            let host = topology.hosts().find(|host| host.name == *from).expect("one of them");
            let fates = &fates;
            scope.spawn(move || {
                // An ICMP answer that comes while the socket is in use is not kept: what seems lost is tried again.
                let fate = host.ask(*transport, *to).or_else(|failure| match failure {
                    Failure::TimedOut => host.ask(*transport, *to),
                    other => Err(other),
                });
                fates.lock().expect("no probe panics").push((at, format!("{from} {transport:?} {to}"), fate));
            });
        }
    });
    let mut fates = fates.into_inner().expect("no probe panics");
    fates.sort_by_key(|(at, ..)| *at);
    let hit = topology.node.run(hits);
    (fates.into_iter().map(|(_, probe, fate)| (probe, fate)).collect(), hit)
}

/// Who asks whom.
fn probes(topology: &Topology, family: Family) -> Vec<(String, Transport, SocketAddr)> {
    let address = |host: &Host| -> IpAddr { if family == Family::Ip { host.ipv4.into() } else { host.ipv6.into() } };
    let service: IpAddr = match family {
        Family::Ip => Ipv4Addr::new(198, 51, 100, 1).into(),
        Family::Ip6 => "2001:db8:1::1".parse().expect("literal"),
    };
    let mapped: IpAddr = Ipv4Addr::new(198, 51, 100, 27).into();
    let mut targets = vec![address(&topology.node), address(&topology.pods[0]), address(&topology.pods[1]), service];
    targets.extend((family == Family::Ip).then_some(mapped));
    let mut probes = Vec::new();
    for host in topology.hosts() {
        for target in &targets {
            for port in SERVED {
                // The rest would only wait: a few are enough to see that a rule drops.
                let transports: &[Transport] = match port {
                    100 | 103 => &[Transport::Tcp],
                    _ => &[Transport::Tcp, Transport::Udp],
                };
                let probe = |transport: &Transport| (host.name.clone(), *transport, SocketAddr::new(*target, port));
                probes.extend(transports.iter().map(probe));
            }
        }
    }
    probes
}

/// The rules of a dump through which something passed: table, chain and number.
fn hits_of_save(family: Family, save: &str) -> Vec<String> {
    let (mut hits, mut table) = (Vec::new(), "");
    let mut numbers = std::collections::HashMap::new();
    for line in &parse("-", save, family).text.lines {
        match line {
            Line::Table(name) => table = name.keyword(),
            Line::Rule { counters, command: rulectl_ruleset::iptables::Command::Append { chain, .. } } => {
                let number = numbers.entry((table, chain.clone())).or_insert(0);
                let passed = counters.is_some_and(|counters| counters.packets > 0);
                hits.extend(passed.then(|| format!("{table} {chain} {number}")));
                *number += 1;
            }
            _ => {}
        }
    }
    hits
}

/// The same of a listing of nft.
fn hits_of_listing(listing: &str) -> Vec<String> {
    let (mut hits, mut table, mut chain, mut number) = (Vec::new(), "", "", 0);
    for line in listing.lines().map(str::trim) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["table", _, name, ..] => table = name,
            // A name that nft does not take has another one.
            ["chain", name, ..] => (chain, number) = (name.trim_start_matches('_'), 0),
            _ if line.contains("counter packets") => {
                hits.extend((!line.contains("counter packets 0 ")).then(|| format!("{table} {chain} {number}")));
                number += 1;
            }
            _ => {}
        }
    }
    hits
}

/// Cases that need what a test cannot make: sets of ipset, objects of nfacct, a module that kernels may lack.
const ELSEWHERE: [&str; 3] = ["accounting.txt", "queues.txt", "untranslated.txt"];

/// What every case asks is legal in iptables, and nft takes what it becomes.
fn cases_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/iptables");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of the cases") {
        let path = entry.expect("a case").path();
        if ELSEWHERE.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        let (command, rest) = text.split_once('\n').expect("a command");
        let tool = command.trim_start_matches("translate ");
        let (input, output) = rest.split_once("=> nft\n").expect("what comes out");
        rulectl_netlink::Netns::new()
            .expect("a network namespace")
            .run(|| {
                run(&format!("{tool}-legacy-restore"), &[], input);
                run("nft", &["-c", "-f", "-"], output);
            })
            .expect("a thread in the namespace");
        checked += 1;
    }
    assert!(checked > 10, "{checked} cases");
}
