//! A snapshot test that shows a reviewer what a change of a map does to the rules: exactly the elements concerned.
//!
//! `cargo test --example snapshot`

use rulectl_netlink::{FakeKernel, Reconciler};
use rulectl_ruleset::diff::{Ownership, diff};
use rulectl_ruleset::lower::lower;
use rulectl_ruleset::service::{CompileOptions, Input, NodeOverrides, ServiceMap, align, compile, read};

const MAP: &str = "{apiVersion: rulectl/v1, kind: ServiceMap, node: {podCIDRs: 10.244.0.0/16}, services: [
    {name: web, clusterIPs: 10.96.0.10, ports: [{port: 80, endpoints: ['10.244.0.11:8080', '10.244.0.12:8080']}]},
    {name: dns, clusterIPs: 10.96.0.53, ports: [{port: 53, protocol: UDP, endpoints: ['10.244.0.11:5353']}]}]}";

fn map(text: &str) -> ServiceMap {
    read(&[Input { name: "map", text }], &NodeOverrides::default()).expect("the map is right").0
}

/// What changes in a kernel that holds one map when another takes its place.
fn change(from: &str, to: &str) -> String {
    let mut kernel = Reconciler::new(FakeKernel::new(), CompileOptions::default());
    kernel.sync(&map(from)).expect("the kernel takes it");
    let live = kernel.kernel().live();

    let mut desired = compile(&map(to), &CompileOptions::default()).ruleset;
    align(&mut desired, live);
    let desired = lower(desired).expect("what is compiled can be lowered");
    diff(live, &desired, &Ownership::Declared).expect("the tables are ours").to_string()
}

fn main() {
    print!("{}", change(MAP, &MAP.replace("10.244.0.12", "10.244.0.99")));
}

#[test]
fn one_endpoint_replaced_is_one_element_changed() {
    insta::assert_snapshot!(change(MAP, &MAP.replace("10.244.0.12", "10.244.0.99")), @r"
    ~ table ip rulectl
    ~   map endpoints: 1 element changed
    -     10.96.0.10 . tcp . 80 . 1 : 10.244.0.12 . 8080
    +     10.96.0.10 . tcp . 80 . 1 : 10.244.0.99 . 8080
    ~   set hairpin: 1 element added, 1 removed
    -     10.244.0.12 . 10.244.0.12 . tcp . 8080
    +     10.244.0.99 . 10.244.0.99 . tcp . 8080
    ");
}
