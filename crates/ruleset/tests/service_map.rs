//! Service maps as users hold them: laws of reading and printing, the checked-in schema, the examples, real objects.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use rulectl_ruleset::service::{
    Balance, Endpoint, Finding, Hints, Input, NodeOverrides, NodePortAddresses, NodeSettings, Protocol, Refusal,
    Service, ServiceMap, ServiceName, ServicePort, Severity, TrafficPolicy, json_schema, looks_like, print, read,
};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read_one(text: &str) -> (ServiceMap, Vec<Finding>) {
    read(&[Input { name: "map", text }], &NodeOverrides::default())
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

#[test]
fn the_checked_in_schema_is_that_of_the_types() {
    let path = file("docs/service-map.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, json_schema()).expect("the docs can be written");
    }
    let checked_in = std::fs::read_to_string(&path).expect("the schema is checked in");
    assert!(checked_in == json_schema(), "the types changed: run this test with BLESS=1 and look at the difference");
}

#[test]
fn the_examples_read_alone_and_together() {
    let texts =
        ["examples/shop.yaml", "examples/kubernetes.yaml"].map(|path| std::fs::read_to_string(file(path)).unwrap());
    assert!(texts.iter().all(|text| looks_like(text)));
    let inputs = [Input { name: "shop", text: &texts[0] }, Input { name: "kubernetes", text: &texts[1] }];
    let node1 = NodeOverrides { name: Some("node1".to_owned()), ..NodeOverrides::default() };
    let sound = |inputs: &[Input<'_>]| {
        let (map, findings) = read(inputs, &node1).expect("the examples are sound");
        assert_eq!(findings, []);
        map
    };
    let (shop, objects, both) = (sound(&inputs[..1]), sound(&inputs[1..]), sound(&inputs));
    assert_eq!((shop.services.len(), objects.services.len(), both.services.len()), (5, 2, 7));
    assert_eq!(objects.node.addresses, shop.node.addresses);
    assert_eq!(both.node, shop.node);
    assert_eq!(read_one(&print(&both)).0, both);
}

/// The objects of a real API server, where the environment says they are.
#[test]
fn objects_of_a_real_api_server_read_as_they_are() {
    let Some(corpus) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("skipped: RULECTL_CORPUS is not set");
        return;
    };
    let overrides = NodeOverrides {
        name: Some("node1".to_owned()),
        pod_cidrs: vec!["10.128.0.0/14".parse().unwrap()],
        ..NodeOverrides::default()
    };
    let objects = |name: &str| {
        let text =
            std::fs::read_to_string(Path::new(&corpus).join("kubernetes").join(name)).expect("the corpus has it");
        assert!(looks_like(&text));
        read(&[Input { name: "objects", text: &text }], &overrides).expect("the objects read as they are")
    };
    let (map, findings) = objects("objects.yaml");
    assert_eq!(objects("objects.json"), (map.clone(), findings.clone()));
    assert_eq!(map.node.service_cidrs, ["10.96.0.0/12".parse().unwrap()]);
    assert_eq!(map.node.pod_cidrs, overrides.pod_cidrs);
    assert_eq!(map.node.addresses, ["172.31.99.2".parse::<IpAddr>().unwrap()]);
    // Of 43 services, two have an internal policy `Local` and nothing but a cluster IP.
    assert_eq!(map.services.len(), 41);
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{findings:?}");
    for finding in &findings {
        eprintln!("{finding}");
    }
    assert_eq!(read_one(&print(&map)).0, map);
}

fn address() -> impl Strategy<Value = IpAddr> {
    let v4 = (1u8..120, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    let v6 = any::<u64>().prop_map(|low| IpAddr::V6(Ipv6Addr::from((0xfd00_u128 << 112) | u128::from(low))));
    prop_oneof![v4, v6]
}

fn net() -> impl Strategy<Value = ipnet::IpNet> {
    (address(), 8u8..=32).prop_map(|(address, len)| ipnet::IpNet::new(address, len).unwrap().trunc())
}

/// Also names that look like something else in YAML.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9][a-z0-9.-]{0,8}",
        Just("null".to_owned()),
        Just("true".into()),
        Just("1e3".into()),
        Just("80".into())
    ]
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let names = || vec(name().prop_map(Into::into), 0..2);
    let hints = (names(), names()).prop_map(|(nodes, zones)| Hints { nodes, zones });
    let more = (1..=u16::MAX, option::of(name()), any::<bool>(), hints);
    btree_map((address(), 1..=u16::MAX), more, 0..4).prop_map(|endpoints| {
        let endpoint = |((address, port), (weight, node, terminating, hints)): (_, (_, Option<String>, _, Hints))| {
            let hints = (hints != Hints::default()).then(|| hints.into());
            Endpoint { address, port, weight, node: node.map(Into::into), terminating, hints }
        };
        endpoints.into_iter().map(endpoint).collect()
    })
}

fn ports() -> impl Strategy<Value = Vec<ServicePort>> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let numbers = || (option::of(1..=u16::MAX), option::of(1..=u16::MAX));
    let ports = btree_map((protocol, 1..=u16::MAX), (numbers(), endpoints()), 0..4);
    (ports, any::<bool>()).prop_map(|(ports, named)| {
        let port = |(index, ((protocol, port), ((node_port, host_port), endpoints))): (usize, _)| {
            let name = named.then(|| format!("port-{index}").into());
            ServicePort { name, protocol, port, node_port, host_port, endpoints }
        };
        ports.into_iter().enumerate().map(port).collect()
    })
}

fn service() -> impl Strategy<Value = Service> {
    let addresses = || btree_set(address(), 0..3).prop_map(|set| set.into_iter().collect());
    let policy = || prop_oneof![Just(TrafficPolicy::Cluster), Just(TrafficPolicy::Local)];
    let balance = prop_oneof![Just(Balance::Random), Just(Balance::RoundRobin), Just(Balance::SourceHash)];
    let rest = (policy(), policy(), option::of(1..=u16::MAX), option::of(1..=86_400_u32), balance);
    ((addresses(), addresses(), addresses(), addresses()), vec(net(), 0..3), rest, ports()).prop_map(
        |((cluster_ips, external_ips, load_balancer_ips, host_ips), source_ranges, rest, ports)| {
            let (internal_traffic, external_traffic, health_check_node_port, affinity, balance) = rest;
            Service {
                name: ServiceName::default(),
                cluster_ips,
                external_ips,
                load_balancer_ips,
                source_ranges,
                host_ips,
                internal_traffic,
                external_traffic,
                affinity,
                balance,
                health_check_node_port,
                ports,
            }
        },
    )
}

fn node() -> impl Strategy<Value = NodeSettings> {
    let nodeports = prop_oneof![
        Just(NodePortAddresses::Primary),
        Just(NodePortAddresses::All),
        vec(net(), 1..3).prop_map(NodePortAddresses::Cidrs)
    ];
    let nets = || vec(net(), 0..3);
    let names = || vec(name(), 0..2);
    let networks = (nets(), nets(), nets(), vec(address(), 0..3));
    let place = (option::of(name()), option::of(name()));
    (place, networks, names(), names(), nodeports, any::<[bool; 6]>(), (0u8..32, option::of(1_u32..))).prop_map(
        |(place, networks, pod_bridges, pod_interface_prefixes, nodeport_addresses, switches, numbers)| {
            let (name, zone) = place;
            let [localhost_nodeports, drop_unallocated, masquerade_all, keep_source_ports, drop_invalid, compatible] =
                switches;
            let (mark_bit, affinity_size) = numbers;
            let (node_cidrs, pod_cidrs, service_cidrs, addresses) = networks;
            NodeSettings {
                name,
                addresses,
                node_cidrs,
                pod_cidrs,
                pod_bridges,
                pod_interface_prefixes,
                service_cidrs,
                zone,
                nodeport_addresses,
                localhost_nodeports,
                drop_unallocated,
                masquerade_all,
                mark_bit,
                keep_source_ports,
                admit_unlisted_families: compatible,
                refusal: if compatible { Refusal::Unreachable } else { Refusal::Reset },
                drop_invalid,
                affinity_size,
            }
        },
    )
}

fn map() -> impl Strategy<Value = ServiceMap> {
    let namespace = prop_oneof![Just(String::new()), name()];
    (node(), btree_map((namespace, name()), service(), 0..4)).prop_map(|(node, services)| {
        let named = |((namespace, name), service): ((String, String), Service)| Service {
            name: ServiceName::new(&namespace, &name),
            ..service
        };
        ServiceMap { node, services: services.into_iter().map(named).collect() }
    })
}

/// The same map as people write it: block style, plain scalars where YAML allows them.
fn as_yaml(value: &serde_json::Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                write!(out, "\n{pad}{key}:").unwrap();
                as_yaml(value, indent + 2, out);
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{pad}-").unwrap();
                as_yaml(item, indent + 2, out);
            }
        }
        serde_json::Value::String(text) if text.parse::<IpAddr>().is_ok() => write!(out, " {text}").unwrap(),
        value => write!(out, " {value}").unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(map in map()) {
        prop_assert_eq!(read_one(&print(&map)).0, map);
    }

    #[test]
    fn json_and_yaml_of_a_map_read_the_same(map in map()) {
        let json = print(&map);
        let mut yaml = String::new();
        as_yaml(&serde_json::from_str(&json).unwrap(), 0, &mut yaml);
        prop_assert_eq!(read_one(&yaml), read_one(&json));
        let short = serde_json::from_str::<serde_json::Value>(&json).unwrap().to_string();
        prop_assert_eq!(read_one(&short).0, map);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", words in vec(yaml_word(), 0..40)) {
        for text in [text, words.concat()] {
            let _ = looks_like(&text);
            let _ = read(&[Input { name: "-", text: &text }], &NodeOverrides::default());
        }
    }

    #[test]
    fn no_damage_to_a_map_makes_it_panic(map in map(), at in any::<prop::sample::Index>(), letter in "[\\PC\n\t]") {
        let mut text = print(&map);
        let at = at.index(text.len());
        text.replace_range(at..=at, &letter);
        let _ = read(&[Input { name: "-", text: &text }], &NodeOverrides::default());
        let _ = read(&[Input { name: "-", text: &text[..at] }], &NodeOverrides::default());
    }
}

/// Pieces that maps and objects are made of.
fn yaml_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "apiVersion: rulectl/v1\n",
        "apiVersion: v1\n",
        "kind: ServiceMap\n",
        "kind: List\n",
        "kind: Service\n",
        "items:\n",
        "services:\n",
        "node:\n",
        "ports:\n",
        "endpoints:\n",
        "spec:\n",
        "metadata:\n",
        "name: x\n",
        "port: 80\n",
        "  ",
        "    ",
        "- ",
        "\t",
        "\n",
        "---\n",
        "...\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "? ",
        "&a ",
        "*a ",
        "!!str ",
        "!x ",
        "<<: *a\n",
        "\"",
        "'",
        "|\n",
        ">\n",
        "# c\n",
        "10.0.0.1:80\n",
        "\u{feff}",
        "é",
        "%YAML 1.2\n",
        "null",
        "-1",
        "1e9",
    ])
}
