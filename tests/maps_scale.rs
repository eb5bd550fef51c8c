//! What large service maps cost. Figures of the test profile; release builds are faster.

use std::time::Duration;

use rulectl_ruleset::service::{
    CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, Tracker, compile,
};
use rustix::time::{ClockId, clock_gettime};

/// So many services of ten endpoints, a tenth of them on this node.
fn map(services: u32) -> ServiceMap {
    let service = |n: u32| {
        let endpoint = |at: u32| Endpoint {
            node: Some(format!("n{at}").as_str().into()),
            ..Endpoint::new((0x0af4_0000 + n * 10 + at).to_be_bytes().into(), 8080)
        };
        let endpoints = (0..10).map(endpoint).collect();
        Service {
            name: ServiceName::new("shop", &format!("s{n}")),
            cluster_ips: vec![(0x0a60_0000 + n).to_be_bytes().into()],
            ports: vec![ServicePort { protocol: Protocol::Tcp, port: 80, endpoints, ..ServicePort::default() }],
            ..Service::default()
        }
    };
    let node = NodeSettings { name: Some("n1".to_owned()), masquerade_all: true, ..NodeSettings::default() };
    ServiceMap { node, services: (0..services).map(service).collect() }
}

/// The processor time this thread has used.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("time since the thread began")
}

#[test]
fn a_change_costs_the_same_at_any_number_of_services() {
    let mut updates = Vec::new();
    for services in [1_000, 10_000, 50_000] {
        let map = map(services);
        let start = cpu();
        let compiled = compile(&map, &CompileOptions::default());
        let compiling = cpu() - start;
        let start = cpu();
        let mut tracker = Tracker::adopt(&map, &CompileOptions::default(), &compiled.ruleset);
        let adopting = cpu() - start;
        let mut changed: Vec<Service> = map.services[..500].to_vec();
        for service in &mut changed {
            service.ports[0].endpoints[3].port = 8081;
        }
        let start = cpu();
        for service in &changed {
            let mut change = tracker.change();
            change.update(&service.name, Some(service));
            assert_eq!(change.edits().len(), 1);
            change.accept();
        }
        let update = (cpu() - start) / 500;
        eprintln!("{services} services: compile {compiling:?}, adopt {adopting:?}, update {update:?}");
        updates.push(update);
    }
    // Fifty times the services: a cost that grew with them would show, however fast the machine is.
    let (least, most) = (updates.iter().min().expect("three"), updates.iter().max().expect("three"));
    assert!(*most < *least * 10, "{updates:?}");
}
