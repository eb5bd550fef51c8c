use insta::assert_snapshot;

use crate::service::{
    Endpoint, Finding, Hints, Input, NodeOverrides, Service, ServiceMap, ServiceName, ServicePort, TrafficPolicy, read,
};

fn overrides(node: Option<&str>) -> NodeOverrides {
    NodeOverrides { name: node.map(str::to_owned), ..NodeOverrides::default() }
}

fn read_as(node: Option<&str>, texts: &[&str]) -> (ServiceMap, Vec<Finding>) {
    let inputs: Vec<Input<'_>> = texts.iter().map(|text| Input { name: "objects.yaml", text }).collect();
    read(&inputs, &overrides(node)).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A service with one TCP port, and what stands in its spec beside.
fn service(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop, uid: made-up}}\n\
         spec: {{clusterIP: 10.96.0.1, ports: [{{name: http, port: 80, targetPort: web, protocol: TCP}}], {spec}}}\n"
    )
}

/// A slice of the service `web` with that port and those endpoints.
fn slice(name: &str, endpoints: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: shop, labels: \
         {{kubernetes.io/service-name: web}}}}\naddressType: IPv4\nports: [{{name: http, port: 8080, protocol: TCP}}]\n\
         endpoints: {endpoints}\n"
    )
}

fn endpoints(service: &Service) -> Vec<String> {
    let endpoint = |it: &Endpoint| {
        let state = if it.terminating { " terminating" } else { "" };
        format!("{}:{}@{}{state}", it.address, it.port, it.node.as_deref().unwrap_or("?"))
    };
    service.ports[0].endpoints.iter().map(endpoint).collect()
}

fn endpoints_of_web(slices: &[&str]) -> Vec<String> {
    let mut documents = vec![service("web", "")];
    documents.extend(slices.iter().enumerate().map(|(index, endpoints)| slice(&format!("web-{index}"), endpoints)));
    endpoints(&read_as(None, &[&documents.join("---\n")]).0.services[0])
}

#[test]
fn what_is_no_name_is_left_out_for_it_would_be_printed() {
    let port = service("web", "").replace("name: http", r#"name: "a%\n""#);
    let (map, findings) = read_as(None, &[&port]);
    assert_eq!(map.services[0].ports, []);
    assert!(lines(&findings).contains(r"port 80: `a%\n` is no name: left out"), "{}", lines(&findings));
    let (map, findings) = read_as(None, &[&service("\"we b\"", "")]);
    assert_eq!(map.services, []);
    assert!(lines(&findings).contains("its name is none an API server takes: left out"), "{}", lines(&findings));
}

#[test]
fn services_and_slices_meet_by_name_and_ports_by_name_and_protocol() {
    let text = r#"
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: kube-system}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10, "fd00:96::a"]
  externalIPs: [192.0.2.53]
  ports:
  - {name: dns, port: 53, protocol: UDP, targetPort: 5353}
  - {name: dns-tcp, port: 53, protocol: TCP, targetPort: dns-tcp}
  - {name: gone, port: 9153, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: dns-4, namespace: kube-system, labels: {kubernetes.io/service-name: dns}}
addressType: IPv4
ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 5354, protocol: TCP}, {name: all, port: null}]
endpoints: [{addresses: [10.1.0.2], nodeName: node1, conditions: {ready: true}, zone: a}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: dns-6, namespace: kube-system, labels: {kubernetes.io/service-name: dns}}
addressType: IPv6
ports: [{name: dns, port: 5353, protocol: UDP}]
endpoints: [{addresses: ["fd00:1::2"]}]
"#;
    let (map, findings) = read_as(None, &[text]);
    assert_snapshot!(crate::service::print(&map), @r#"
    {
      "apiVersion": "rulectl/v1",
      "kind": "ServiceMap",
      "services": [
        {
          "name": "dns",
          "namespace": "kube-system",
          "clusterIPs": [
            "10.96.0.10",
            "fd00:96::a"
          ],
          "externalIPs": [
            "192.0.2.53"
          ],
          "ports": [
            {
              "name": "dns",
              "protocol": "UDP",
              "port": 53,
              "endpoints": [
                {
                  "address": "10.1.0.2",
                  "port": 5353,
                  "node": "node1"
                },
                "[fd00:1::2]:5353"
              ]
            },
            {
              "name": "dns-tcp",
              "protocol": "TCP",
              "port": 53,
              "endpoints": [
                {
                  "address": "10.1.0.2",
                  "port": 5354,
                  "node": "node1"
                }
              ]
            },
            {
              "name": "gone",
              "protocol": "TCP",
              "port": 9153,
              "endpoints": []
            }
          ]
        }
      ]
    }
    "#);
    assert_snapshot!(lines(&findings), @"");
}

#[test]
fn one_object_several_documents_and_lists_read_the_same() {
    let (web, slice) = (service("web", ""), slice("web-0", "[{addresses: [10.1.0.2]}]"));
    let documents = read_as(None, &[&format!("{web}---\n{slice}")]);
    assert_eq!(documents.0.services[0].ports[0].endpoints.len(), 1);
    assert_eq!(read_as(None, &[&slice, &web]), documents);
    let indented = |text: &str| text.replace('\n', "\n  ");
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n", indented(&web), indented(&slice));
    assert_eq!(read_as(None, &[&list]), documents);
    let typed = |text: &str| text.split_once("metadata").map(|(_, rest)| format!("metadata{rest}")).unwrap();
    let services = format!("apiVersion: v1\nkind: ServiceList\nitems:\n- {}\n", indented(&typed(&web)));
    assert_eq!(read_as(None, &[&services, &slice]), documents);
}

#[test]
fn an_endpoint_without_conditions_is_ready() {
    assert_eq!(
        endpoints_of_web(&["[{addresses: [10.1.0.2]}, {addresses: [10.1.0.3], conditions: {ready: null}}]"]),
        ["10.1.0.2:8080@?", "10.1.0.3:8080@?"]
    );
}

#[test]
fn endpoints_that_are_not_ready_and_do_not_serve_are_left_out() {
    let mixed = "[{addresses: [10.1.0.2], conditions: {ready: false}}, \
                  {addresses: [10.1.0.3], conditions: {ready: false, serving: true, terminating: true}}, \
                  {addresses: [10.1.0.4], conditions: {ready: true, serving: true}}]";
    assert_eq!(endpoints_of_web(&[mixed]), ["10.1.0.3:8080@? terminating", "10.1.0.4:8080@?"]);
}

#[test]
fn endpoints_that_terminate_must_still_serve() {
    let terminating = "[{addresses: [10.1.0.2], conditions: {ready: false, serving: false, terminating: true}}, \
                        {addresses: [10.1.0.3], conditions: {ready: false, serving: true, terminating: true}}, \
                        {addresses: [10.1.0.4], conditions: {ready: false, serving: true, terminating: false}}]";
    assert_eq!(endpoints_of_web(&[terminating]), ["10.1.0.3:8080@? terminating"]);
    assert!(endpoints_of_web(&["null"]).is_empty());
}

#[test]
fn an_endpoint_in_two_slices_is_one_and_its_better_state_counts() {
    let gone = "[{addresses: [10.1.0.2], nodeName: node1, conditions: {ready: false}}]";
    let ready = "[{addresses: [10.1.0.2], nodeName: node1}, {addresses: [10.1.0.2, 10.1.0.9], nodeName: node1}]";
    for slices in [[gone, ready], [ready, gone]] {
        assert_eq!(endpoints_of_web(&slices), ["10.1.0.2:8080@node1"]);
    }
}

#[test]
fn what_a_service_asks_for_is_read_and_what_is_not_compiled_is_reported_by_field() {
    let text = r#"
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec:
  type: LoadBalancer
  clusterIPs: [10.96.0.7]
  externalIPs: [192.0.2.7]
  ports: [{port: 80, nodePort: 30080}, {port: 81, protocol: QUIC}]
  sessionAffinity: ClientIP
  internalTrafficPolicy: Local
  externalTrafficPolicy: Local
  healthCheckNodePort: 31000
  loadBalancerSourceRanges: [" 198.51.100.0/24", 198.51.100.0]
  trafficDistribution: PreferClose
status: {loadBalancer: {ingress: [{ip: 203.0.113.1, ipMode: VIP}, {ip: 203.0.113.2, ipMode: Proxy}, {hostname: lb}]}}
"#;
    let (map, findings) = read_as(None, &[text]);
    let expected = Service {
        name: ServiceName::new("shop", "front"),
        cluster_ips: vec!["10.96.0.7".parse().unwrap()],
        external_ips: vec!["192.0.2.7".parse().unwrap()],
        load_balancer_ips: vec!["203.0.113.1".parse().unwrap()],
        source_ranges: vec!["198.51.100.0/24".parse().unwrap()],
        internal_traffic: TrafficPolicy::Local,
        external_traffic: TrafficPolicy::Local,
        affinity: Some(10_800),
        health_check_node_port: Some(31000),
        ports: vec![ServicePort { port: 80, node_port: Some(30080), ..ServicePort::default() }],
        ..Service::default()
    };
    assert_eq!(map.services, [expected]);
    assert_snapshot!(lines(&findings), @"
    warning: service shop/front: protocol: QUIC of port 81 is not supported: left out
    error: service shop/front: loadBalancerSourceRanges: `198.51.100.0` is no network: left out
    ");
}

#[test]
fn a_policy_that_is_unknown_lets_least_through() {
    let (map, findings) = read_as(None, &[&service("web", "externalTrafficPolicy: Near")]);
    assert_eq!(map.services[0].external_traffic, TrafficPolicy::Local);
    assert_snapshot!(lines(&findings), @"error: service shop/web: externalTrafficPolicy: Near is neither Cluster nor Local: taken for Local");
}

#[test]
fn a_health_check_is_for_load_balancers_of_the_policy_local() {
    let of = |spec: &str| read_as(None, &[&service("web", spec)]).0.services[0].health_check_node_port;
    assert_eq!(of("type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000"), Some(31000));
    assert_eq!(of("type: LoadBalancer, healthCheckNodePort: 31000"), None);
    assert_eq!(of("externalTrafficPolicy: Local, healthCheckNodePort: 31000"), None);
}

#[test]
fn topology_hints_and_the_zone_of_the_node_are_read() {
    let hinted = "[{addresses: [10.1.0.2], hints: {forZones: [{name: a}]}}, \
                   {addresses: [10.1.0.3], hints: {forNodes: [{name: n}]}}]";
    let text = format!(
        "{}---\n{}---\n{}",
        service("web", ""),
        slice("web-0", hinted),
        "apiVersion: v1\nkind: Node\nmetadata: {name: node1, labels: {topology.kubernetes.io/zone: a}}\n"
    );
    let map = read_as(Some("node1"), &[&text]).0;
    assert_eq!(map.node.zone.as_deref(), Some("a"));
    let hints = |at: usize| map.services[0].ports[0].endpoints[at].hints.clone().unwrap();
    assert_eq!(*hints(0), Hints { zones: vec!["a".into()], ..Hints::default() });
    assert_eq!(*hints(1), Hints { nodes: vec!["n".into()], ..Hints::default() });
}

#[test]
fn what_is_none_of_our_business_is_ignored_aloud() {
    let text = format!(
        "{}---\n{}---\n{}---\n{}---\n{}",
        service("headless", "").replace("10.96.0.1", "None"),
        service("named", "type: ExternalName, externalName: example.org"),
        service("foreign", "").replace("uid: made-up", "labels: {service.kubernetes.io/service-proxy-name: mesh}"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n",
        slice("stray-0", "[]"),
    );
    let (map, findings) = read_as(None, &[&text]);
    assert!(map.services.is_empty());
    assert_snapshot!(lines(&findings), @"
    info: Deployment shop/web: objects of kind Deployment (apps/v1) are not read
    info: EndpointSlice shop/stray-0: its service shop/web was not given
    info: service shop/foreign: the label service.kubernetes.io/service-proxy-name gives it to `mesh`
    info: service shop/headless: it is headless: its clusterIP is None
    info: service shop/named: its type is ExternalName: it is a name in the DNS only
    ");
}

#[test]
fn one_bad_object_costs_only_itself() {
    let text = format!(
        "{}---\n{}---\n{}",
        service("broken", "externalIPs: 7").replace("port: 80", "port: eighty"),
        service("half", "externalIPs: [example.org]"),
        service("whole", "").replace("10.96.0.1", "10.96.0.2"),
    );
    let (map, findings) = read_as(None, &[&text]);
    assert_eq!(map.services.len(), 2);
    assert_snapshot!(lines(&findings), @"
    error: service shop/broken: `eighty` cannot be here, expected a whole number from 0 to 65535 (objects.yaml:4:57): left out
    error: service shop/half: externalIPs: `example.org` is no address: left out
    ");
}

#[test]
fn the_same_service_twice_is_an_error_at_the_second() {
    let text = format!("{}---\n{}", service("web", ""), service("web", ""));
    let errors = read(&[Input { name: "objects.yaml", text: &text }], &NodeOverrides::default()).unwrap_err();
    assert_snapshot!(lines(&errors), @"
    objects.yaml:8:18: error: there is a service `shop/web` already
    metadata: {name: web, namespace: shop, uid: made-up}
                     ^^^
    ");
}

#[test]
fn a_service_of_a_map_wins_over_an_object_of_its_name() {
    let map = "apiVersion: rulectl/v1\nkind: ServiceMap\nservices: [{name: web, namespace: shop, ports: []}]\n";
    let (map, findings) = read_as(None, &[&service("web", ""), map]);
    assert!(map.services[0].cluster_ips.is_empty());
    assert_eq!(lines(&findings), "error: service shop/web: a map has a service of this name too: this one is left out");
}

const NODES: &str = r#"
apiVersion: v1
kind: NodeList
items:
- metadata: {name: node1}
  spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00:1::/64"]}
  status:
    addresses:
    - {type: Hostname, address: node1}
    - {type: ExternalIP, address: 198.51.100.1}
    - {type: InternalIP, address: 192.0.2.1}
    - {type: InternalIP, address: "2001:db8::1"}
- metadata: {name: node2}
  spec: {podCIDR: 10.1.1.0/24}
  status: {addresses: [{type: InternalIP, address: 10.96.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: kubernetes}
spec: {cidrs: [10.96.0.0/12, "fd00:96::/112"]}
"#;

#[test]
fn the_node_of_that_name_and_the_service_networks_fill_the_settings() {
    let node = read_as(Some("node1"), &[NODES]).0.node;
    let text = |items: &[std::net::IpAddr]| lines(items);
    assert_eq!(text(&node.addresses), "192.0.2.1\n2001:db8::1\n198.51.100.1");
    assert_eq!(lines(&node.pod_cidrs), "10.1.0.0/24\nfd00:1::/64");
    assert_eq!(lines(&node.service_cidrs), "10.96.0.0/12\nfd00:96::/112");
    assert_eq!(lines(&read_as(Some("node2"), &[NODES]).0.node.pod_cidrs), "10.1.1.0/24");
}

#[test]
fn flags_and_the_node_block_win_over_node_objects() {
    let block = "apiVersion: rulectl/v1\nkind: ServiceMap\nnode: {name: node1, podCIDRs: 10.128.0.0/14}\n";
    let node = read_as(None, &[NODES, block]).0.node;
    assert_eq!(lines(&node.pod_cidrs), "10.128.0.0/14");
    assert_eq!(node.addresses.len(), 3);
    let flags = NodeOverrides { addresses: vec!["192.0.2.99".parse().unwrap()], ..overrides(Some("node1")) };
    let (map, _) = read(&[Input { name: "-", text: NODES }], &flags).unwrap();
    assert_eq!(lines(&map.node.addresses), "192.0.2.99");
}

#[test]
fn a_node_that_is_not_there_and_an_address_of_another_node_are_reported() {
    assert_snapshot!(lines(&read_as(Some("node9"), &[NODES, &service("web", "")]).1), @"
    warning: node node9: there is no Node object of this name
    warning: service shop/web: cluster IP 10.96.0.1 is an address of the node node2
    ");
    assert_snapshot!(lines(&read_as(None, &[NODES]).1), @"info: node: without the name of the node, the Node objects say nothing about it");
}
