//! The maps layout on the real kernel, by the reconciler: what packets do, and what a change costs.

#[path = "../chains/maps.rs"]
mod maps;
#[path = "../chains/traffic.rs"]
mod traffic;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Failed, Trial};
use rulectl_netlink::{Kernel, NetlinkKernel, Netns, Reconciler, Scope};
use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::service::{CompileOptions, Endpoint, Protocol, Service, ServiceMap};
use rulectl_tests::{Failure, Topology, Transport, kernel_tests, run};

use maps::{node, port, service, shop, vip};

fn main() -> ExitCode {
    kernel_tests(|| {
        let mut trials = Vec::new();
        let mut trial = |name: String, test: Box<dyn FnOnce() + Send>| {
            trials.push(Trial::test(name, move || -> Result<(), Failed> {
                test();
                Ok(())
            }));
        };
        for (prefix, family) in [("ipv4", Family::Ip), ("ipv6", Family::Ip6)] {
            for (name, test) in traffic::TESTS {
                trial(format!("{prefix}::{name}"), Box::new(move || test(family, &apply)));
            }
        }
        let tests: [(&str, fn()); 4] = [
            ("what_was_applied_is_not_applied_again", again),
            ("updates_end_where_a_compile_would", updates),
            ("another_owner_does_not_disturb_and_what_it_breaks_is_put_right", others),
            ("connections_survive_a_thousand_changes", under_change),
        ];
        tests.into_iter().for_each(|(name, test)| trial(name.to_owned(), Box::new(test)));
        trials
    })
}

fn reconciler() -> Reconciler<NetlinkKernel> {
    Reconciler::new(NetlinkKernel::new().expect("a netlink socket"), CompileOptions::default())
}

fn apply(map: &ServiceMap) {
    reconciler().sync(map).expect("the kernel takes it");
}

fn in_a_namespace(test: impl FnOnce() + Send) {
    Netns::new().expect("a network namespace").run(test).expect("a thread in the namespace");
}

fn again() {
    in_a_namespace(|| {
        for family in [Family::Ip, Family::Ip6] {
            apply(&shop(family));
            let second = reconciler().sync(&shop(family)).unwrap();
            assert_eq!(second.applied.messages, 0);
        }
        apply(&ServiceMap::default());
        assert_eq!(run("nft", &["list", "ruleset"], ""), "");
    });
}

/// One service with those pods' addresses as endpoints.
fn pool(endpoints: impl IntoIterator<Item = u8>) -> Service {
    let endpoint = |n| Endpoint::new([10, 244, 0, n].into(), 8080);
    service(Family::Ip, 1, port(Protocol::Tcp, endpoints.into_iter().map(endpoint)))
}

fn map(services: Vec<Service>) -> ServiceMap {
    ServiceMap { node: node(), services }
}

fn updates() {
    in_a_namespace(|| {
        let mut reconciler = reconciler();
        reconciler.sync(&map(Vec::new())).unwrap();
        let name = pool([]).name;
        let states: Vec<Option<Service>> = (0..60_u8)
            .map(|n| (n % 7 != 6).then(|| pool((n..n + n % 13).filter(|other| other % 5 != n % 5))))
            .chain([Some(pool(0..120)), Some(pool(0..200))])
            .collect();
        for state in &states {
            let done = reconciler.update(&name, state.as_ref()).unwrap();
            assert!(!done.read_all);
            let wanted = map(state.iter().cloned().collect());
            // A sync by another socket, with all that is read and compared, finds nothing to do.
            assert_eq!(self::reconciler().sync(&wanted).unwrap().applied.messages, 0);
        }
    });
}

fn others() {
    in_a_namespace(|| {
        let mut reconciler = reconciler();
        reconciler.sync(&map(vec![pool(1..6)])).unwrap();
        run("nft", &["-f", "-"], "table ip theirs { chain c { counter; }; }");
        let name = pool([]).name;
        assert!(!reconciler.update(&name, Some(&pool(1..7))).unwrap().read_all);
        run(
            "nft",
            &["-f", "-"],
            "delete element ip rulectl services { 10.96.0.1 . tcp . 80 }\nflush map ip rulectl endpoints",
        );
        let done = reconciler.update(&name, Some(&pool(1..6))).unwrap();
        assert!(done.read_all);
        assert_eq!(self::reconciler().sync(&map(vec![pool(1..6)])).unwrap().applied.messages, 0);
        run("nft", &["-f", "-"], "delete table ip rulectl");
        assert!(reconciler.update(&name, Some(&pool(2..9))).unwrap().read_all);
        let mut kernel = NetlinkKernel::new().unwrap();
        assert_eq!(kernel.read(&Scope::all()).unwrap().tables.len(), 2, "ours and theirs");
    });
}

fn under_change() {
    let topology = Topology::new(4);
    topology.pods.iter().for_each(|pod| pod.serve(8080));
    let endpoint = |pod: usize| Endpoint::new(topology.pods[pod].ipv4.into(), 8080);
    let state = |bits: usize| {
        let pods = (0..4).filter(|pod| bits >> pod & 1 == 1);
        service(Family::Ip, 1, port(Protocol::Tcp, pods.map(endpoint)))
    };
    let to = SocketAddr::new(vip(Family::Ip, 1), 80);
    let done = AtomicBool::new(false);
    topology.node.run(|| apply(&map(vec![state(15)])));
    let mut established = topology.client.converse(to).expect("a connection");
    let answers = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                answers.extend(topology.client.ask_often(Transport::Tcp, to, 50));
            }
            answers
        });
        topology.node.run(|| {
            let mut reconciler = reconciler();
            reconciler.sync(&map(vec![state(15)])).unwrap();
            for n in 0..1000_usize {
                // Never none: 1 to 15, in an order that jumps between sizes.
                let wanted = state(1 + n * 7 % 15);
                assert!(!reconciler.update(&wanted.name, Some(&wanted)).unwrap().read_all);
            }
        });
        done.store(true, Ordering::Relaxed);
        asking.join().expect("no panic")
    });
    let failures: Vec<&Failure> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(answers.len() >= 50 && failures.is_empty(), "{} of {}: {failures:?}", failures.len(), answers.len());
    established.say("still there").expect("the connection stays");
}
