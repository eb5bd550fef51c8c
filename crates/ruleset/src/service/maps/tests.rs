//! Tests of the whole layout.

use proptest::prelude::*;

use super::super::{Endpoint, Protocol, ServiceName};
use super::sets::{Filled, Group, Site};
use super::skeleton::RESTRICTED;
use super::*;
use crate::ir::{Data, HasName, Key, SetName};
use crate::service::{FindingKind, NodeSettings, Service, ServicePort, TrafficPolicy, pods};

/// Service maps small enough for claims to collide.
pub(super) fn any_service(name: u8) -> impl Strategy<Value = Service> {
    let vip = (0_u8..4).prop_map(|n| if n < 3 { [10, 96, 0, n].into() } else { "fd96::1".parse().unwrap() });
    let endpoint = (0_u8..8, 1_u16..4, prop::option::of(0_u8..2), prop::bool::weighted(0.2));
    let endpoint = endpoint.prop_map(|(n, weight, node, terminating)| {
        let address = if n < 6 { [10, 0, 0, n].into() } else { format!("fd00::{n}").parse().unwrap() };
        let node = node.map(|node| format!("n{node}").into());
        let weight = if weight == 3 { 1 } else { weight };
        Endpoint { weight, node, terminating, ..Endpoint::new(address, 8080) }
    });
    let number = || prop::option::weighted(0.3, 30_000_u16..30_003);
    let port = (0_u16..3, 0_u8..2, (number(), number()), prop::collection::vec(endpoint, 0..8));
    let port = port.prop_map(|(port, protocol, (node_port, host_port), endpoints)| {
        let protocol = if protocol == 0 { Protocol::Tcp } else { Protocol::Udp };
        ServicePort { protocol, port: 80 + port, node_port, host_port, endpoints, ..ServicePort::default() }
    });
    let (vip, vips) = (prop::option::of(vip.clone()), prop::collection::vec(vip, 0..3));
    let local = || prop::bool::weighted(0.3);
    let range = (0_u8..3).prop_map(|n| format!("192.0.2.{}/30", 4 * n).parse().unwrap());
    let parts = (vips, vip.clone(), vip, prop::collection::vec(port, 0..4));
    let affinity = prop::option::weighted(0.3, prop_oneof![Just(10_800_u32), Just(60)]);
    (parts, local(), local(), prop::collection::vec(range, 0..3), affinity).prop_map(
        move |(parts, internal, external, ranges, affinity)| {
            let (cluster_ips, external_ip, load_balancer_ip, ports) = parts;
            let policy = |local| if local { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
            Service {
                name: ServiceName::new("", &format!("s{name}")),
                cluster_ips,
                external_ips: external_ip.into_iter().collect(),
                load_balancer_ips: load_balancer_ip.into_iter().collect(),
                source_ranges: ranges,
                internal_traffic: policy(internal),
                external_traffic: policy(external),
                affinity,
                ports,
                ..Service::default()
            }
        },
    )
}

pub(super) fn node() -> NodeSettings {
    NodeSettings {
        name: Some("n0".to_owned()),
        addresses: vec!["192.0.2.1".parse().unwrap()],
        pod_cidrs: vec!["10.0.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()],
        ..NodeSettings::default()
    }
}

fn any_map() -> impl Strategy<Value = ServiceMap> {
    (0_u8..6).prop_flat_map(|count| {
        let services: Vec<_> = (0..count).map(|n| any_service(n % 5)).collect();
        services.prop_map(|services| ServiceMap { node: node(), services })
    })
}

proptest! {
    #[test]
    fn order_of_the_input_does_not_matter(map in any_map(), seed in any::<u64>()) {
        let mut shuffled = map.clone();
        let turn = |len: usize| if len == 0 { 0 } else { seed as usize % len };
        shuffled.services.rotate_left(turn(map.services.len()));
        for service in &mut shuffled.services {
            service.cluster_ips.reverse();
            let by = turn(service.ports.len());
            service.ports.rotate_left(by);
            for port in &mut service.ports {
                port.endpoints.reverse();
            }
        }
        let options = CompileOptions::default();
        prop_assert_eq!(compile(&map, &options), compile(&shuffled, &options));
    }

    #[test]
    fn every_verdict_leads_to_a_chain_and_every_pool_finds_slot_0(map in any_map()) {
        for table in compile(&map, &CompileOptions::default()).ruleset.tables() {
            let elements = |set: Filled| table.sets.find(set.name()).unwrap().elements();
            let verdicts = Filled::ALL.into_iter().flat_map(elements).filter_map(|element| match &element.data {
                Data::Verdict(verdict) => Some((&element.key, verdict)),
                _ => None,
            });
            for (key, verdict) in verdicts {
                let Some(chain) = verdict.chain() else { continue };
                prop_assert!(table.chains.contains(chain), "{chain}");
                let Key::Value(frontend) = key else { panic!("{key:?}") };
                let slot_0 = Key::Value([frontend.as_slice(), &[0; 4]].concat().as_slice().into());
                let leads_to = |group: &Group| chain.as_str().rsplit_once('-').is_some_and(|(name, _)| name == group.prefix());
                if let Some(group) = Group::ALL.into_iter().find(leads_to) {
                    prop_assert!(elements(group.endpoints()).find(&slot_0).is_some(), "{group:?}");
                }
            }
        }
    }

    #[test]
    fn every_stage_knows_the_frontends_that_lead_to_it(map in any_map()) {
        for table in compile(&map, &CompileOptions::default()).ruleset.tables() {
            let leading_to = |sets: &[Filled], chain: &str| -> Vec<Key> {
                let elements = sets.iter().flat_map(|set| table.sets.find(set.name()).unwrap().elements());
                let leads = elements.filter(|element| match &element.data {
                    Data::Verdict(verdict) => verdict.chain().is_some_and(|name| name.as_str() == chain),
                    _ => false,
                });
                let mut keys: Vec<Key> = leads.map(|element| element.key.clone()).collect();
                keys.sort();
                keys
            };
            let keys = |set: Filled| -> Vec<Key> {
                table.sets.find(set.name()).unwrap().elements().iter().map(|element| element.key.clone()).collect()
            };
            prop_assert_eq!(leading_to(&[Filled::Services], RESTRICTED), keys(Filled::RestrictedServices));
            for site in Site::ALL {
                let leading = leading_to(&[site.services(), Filled::RestrictedServices, site.sticky()], site.local_chain());
                prop_assert_eq!(&leading, &keys(site.local()));
                prop_assert_eq!(&leading, &keys(site.short_circuits()));
            }
        }
    }
}

fn service(name: &str, endpoints: usize) -> Service {
    let endpoints = (0..endpoints).map(|n| Endpoint::new([10, 0, (n / 256) as u8, n as u8].into(), 8080)).collect();
    let port = ServicePort { protocol: Protocol::Tcp, port: 80, endpoints, ..ServicePort::default() };
    Service {
        name: ServiceName::new("", name),
        cluster_ips: vec!["10.96.0.1".parse().unwrap()],
        ports: vec![port],
        ..Service::default()
    }
}

fn compiled(services: Vec<Service>, node: NodeSettings) -> Compiled {
    compile(&ServiceMap { node, services }, &CompileOptions::default())
}

fn names(table: &Table) -> Vec<&str> {
    table.chains.iter().map(|chain| chain.name().as_str()).collect()
}

#[test]
fn a_map_without_virtual_addresses_compiles_to_nothing() {
    let mut headless = service("a", 1);
    headless.cluster_ips.clear();
    assert_eq!(compiled(vec![headless], node()), Compiled::default());
}

#[test]
fn pools_beyond_128_are_there_only_if_needed() {
    let large = compiled(vec![service("a", 129)], node()).ruleset;
    let small = compiled(vec![service("a", 128)], node()).ruleset;
    let (large, small) = (large.tables().next().unwrap(), small.tables().next().unwrap());
    let more: Vec<_> = names(large).into_iter().filter(|name| !small.chains.contains(*name)).collect();
    assert_eq!(more, ["lb-192"]);
}

#[test]
fn nobody_is_masqueraded_where_pods_cannot_be_told_and_that_is_said() {
    let compiled = compiled(vec![service("a", 1)], NodeSettings::default());
    let kinds: Vec<_> = compiled.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::NoPodNetwork]);
    let table = compiled.ruleset.tables().next().unwrap();
    let translated = &table.chains.find("translated").unwrap().rules;
    assert!(!format!("{translated:?}").contains(Filled::ClusterIps.name()), "{translated:?}");
}

#[test]
fn overlapping_pod_networks_become_one() {
    let cidrs = ["10.0.0.0/16", "10.0.7.0/24", "10.1.0.0/16", "10.9.9.9/32"];
    let node = NodeSettings { pod_cidrs: cidrs.map(|cidr| cidr.parse().unwrap()).to_vec(), ..node() };
    let ruleset = compiled(vec![service("a", 1)], node).ruleset;
    let set = ruleset.tables().next().unwrap().sets.find(&SetName::new(skeleton::POD_CIDRS).unwrap()).unwrap().clone();
    let keys: Vec<_> = set.elements().iter().map(|element| element.key.clone()).collect();
    assert_eq!(keys, [Key::Value([10, 9, 9, 9].into()), Key::range(&[10, 0, 0, 0], &[10, 1, 255, 255])]);
}

#[test]
fn names_that_no_interface_can_have_are_reported_and_left_out() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let node = NodeSettings {
        pod_bridges: names(&["cni0", "a/b", "cni0", "sixteen-letters-"]),
        pod_interface_prefixes: names(&["veth", "", "fifteen-letters"]),
        ..NodeSettings::default()
    };
    let (legal, wrong) = pods::pod_interfaces(&node);
    assert_eq!(legal, ["cni0", "fifteen-letters", "veth*"]);
    assert_eq!(wrong, ["*", "a/b", "sixteen-letters-"]);
    let findings = compiled(vec![service("a", 1)], node).findings;
    assert_eq!(findings.iter().filter(|finding| finding.kind == FindingKind::Invalid).count(), 3);
}

/// The map of the printed example: of each feature one.
fn example() -> ServiceMap {
    let address = |text: &str| text.parse().unwrap();
    let endpoint =
        |ip: &str, weight, node: &str| Endpoint { weight, node: Some(node.into()), ..Endpoint::new(address(ip), 8080) };
    let port = |protocol, port, endpoints| ServicePort { protocol, port, endpoints, ..ServicePort::default() };
    let web = Service {
        name: ServiceName::new("shop", "web"),
        cluster_ips: vec![address("10.96.0.10"), address("fd96::10")],
        external_ips: vec![address("198.51.100.7")],
        ports: vec![port(
            Protocol::Tcp,
            80,
            vec![endpoint("10.244.0.11", 2, "n0"), endpoint("10.244.1.21", 1, "n1"), endpoint("fd44::11", 1, "n0")],
        )],
        ..Service::default()
    };
    let empty = Service {
        name: ServiceName::new("shop", "empty"),
        cluster_ips: vec![address("10.96.0.13")],
        ports: vec![port(Protocol::Udp, 53, Vec::new())],
        ..Service::default()
    };
    let node = NodeSettings {
        name: Some("n0".to_owned()),
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        pod_bridges: vec!["cni0".to_owned()],
        pod_interface_prefixes: vec!["veth".to_owned()],
        addresses: vec![address("192.0.2.1")],
        service_cidrs: vec!["10.96.0.0/16".parse().unwrap()],
        drop_unallocated: true,
        ..NodeSettings::default()
    };
    let edge = Service {
        name: ServiceName::new("shop", "edge"),
        cluster_ips: vec![address("10.96.0.14")],
        load_balancer_ips: vec![address("203.0.113.10")],
        source_ranges: vec!["192.0.2.64/26".parse().unwrap(), "198.51.100.9/32".parse().unwrap()],
        external_traffic: TrafficPolicy::Local,
        ports: vec![ServicePort {
            port: 443,
            node_port: Some(30443),
            endpoints: vec![endpoint("10.244.0.12", 1, "n0"), endpoint("10.244.1.22", 1, "n1")],
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    let agent = Service {
        name: ServiceName::new("shop", "agent"),
        cluster_ips: vec![address("10.96.0.15")],
        internal_traffic: TrafficPolicy::Local,
        ports: vec![ServicePort {
            port: 9100,
            endpoints: vec![endpoint("10.244.1.23", 1, "n1")],
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    ServiceMap { node, services: vec![web, empty, edge, agent] }
}

#[test]
fn a_compiled_map_reads_like_this() {
    let compiled = compile(&example(), &CompileOptions::default());
    insta::assert_snapshot!(compiled.ruleset);
    let findings: Vec<_> = compiled.findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, ["warning: service shop/empty: port 53/udp has no endpoint: connections are rejected"]);
}
