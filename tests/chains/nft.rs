//! The chains layout as nft text.

use rulectl_netlink::netns::Netns;
use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::service::{CompileOptions, Layout, ServiceMap, compile};
use rulectl_tests::run;

use crate::maps::shop;

/// The tests.
pub(crate) const TESTS: [(&str, fn()); 1] = [("a_listing_of_what_was_loaded_loads_and_lists_the_same", listing)];

fn compiled(map: &ServiceMap) -> Ruleset {
    compile(map, &CompileOptions { layout: Layout::Chains, ..CompileOptions::default() }).ruleset
}

/// Puts our tables in the place of those that are there, in one transaction.
pub(crate) fn apply(map: &ServiceMap) {
    let compiled = compiled(map);
    let old: String = compiled
        .tables()
        .map(|table| format!("table {} {}\ndelete table {0} {1}\n", table.family, table.name))
        .collect();
    run("nft", &["-f", "-"], &format!("{old}{compiled}"));
}

fn in_a_namespace<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    Netns::new().expect("a network namespace").run(test).expect("a thread in the namespace")
}

fn listing() {
    let mut map = shop(Family::Ip);
    for (service, other) in map.services.iter_mut().zip(shop(Family::Ip6).services) {
        service.cluster_ips.extend(other.cluster_ips);
        service.external_ips.extend(other.external_ips);
        service.ports[0].endpoints.extend(other.ports.into_iter().flat_map(|port| port.endpoints));
    }
    let load = |text: &str| {
        run("nft", &["-c", "-f", "-"], text);
        run("nft", &["-f", "-"], text);
        run("nft", &["list", "ruleset"], "")
    };
    let listed = in_a_namespace(|| load(&compiled(&map).to_string()));
    assert!(listed.contains("svc-"), "{listed}");
    assert_eq!(in_a_namespace(|| load(&listed)), listed);
}
