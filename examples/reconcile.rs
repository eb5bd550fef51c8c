//! A reconcile loop on the real kernel, in a network namespace of its own: services come, change and go, and each
//! change sends what it changes; then connections that go where they went before are made to start anew.
//!
//! `cargo run --example reconcile`

use std::error::Error;

use rulectl_netlink::{Conntrack, NetlinkKernel, Reconciler, netns};
use rulectl_ruleset::service::{CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName};
use rulectl_ruleset::service::{ServicePort, TABLE_COMMENT};

fn main() -> Result<(), Box<dyn Error>> {
    // A controller would stay where it is.
    netns::isolate()?;
    let mut reconciler = Reconciler::new(NetlinkKernel::new()?, CompileOptions::default());
    let mut conntrack = Conntrack::new()?;

    let map = ServiceMap {
        node: NodeSettings { pod_cidrs: vec!["10.244.0.0/16".parse()?], ..NodeSettings::default() },
        services: vec![web(&["10.244.0.11", "10.244.1.12"])?],
    };
    let done = reconciler.sync(&map)?;
    println!("the whole map, in tables \"{TABLE_COMMENT}\": {} messages", done.applied.messages);

    // What an API server would tell, one event after the other.
    let events = [&["10.244.0.11", "10.244.1.99"][..], &["10.244.0.11"], &[], &["10.244.0.11"]];
    for endpoints in events {
        let service = web(endpoints)?;
        let done = reconciler.update(&service.name, Some(&service))?;
        println!("{endpoints:?}: {} messages, {} bytes", done.applied.messages, done.applied.bytes);
        // Dear with many connections: a controller with many changes would do it once a second.
        reconciler.clean_flows(&mut conntrack, |flow, stale| println!("  {stale}: {flow}"))?;
        done.findings.iter().for_each(|finding| println!("  {finding}"));
    }
    Ok(())
}

fn web(endpoints: &[&str]) -> Result<Service, Box<dyn Error>> {
    let endpoints = endpoints.iter().map(|address| Ok(Endpoint::new(address.parse()?, 8080)));
    Ok(Service {
        name: ServiceName::new("shop", "web"),
        cluster_ips: vec!["10.96.0.10".parse()?],
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            endpoints: endpoints.collect::<Result<_, Box<dyn Error>>>()?,
            ..ServicePort::default()
        }],
        ..Service::default()
    })
}
