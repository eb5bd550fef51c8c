//! Random service maps, compiled.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use rulectl_ruleset::lower::{Lowered, lower};
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, Layout, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, compile,
};

/// The rulesets of a service map before and after a change, in one of the layouts.
pub fn service_pairs(layout: Layout) -> impl Strategy<Value = (Lowered, Lowered)> {
    let services = || vec(service(), 0..5);
    (services(), services(), any::<u8>()).prop_map(move |(old, other, replaced)| {
        let mut new = old.clone();
        for (at, service) in other.into_iter().enumerate() {
            match new.get_mut(at) {
                Some(old) if replaced >> at & 1 == 1 => *old = service,
                Some(_) => {}
                None => new.push(service),
            }
        }
        new.truncate(usize::from(replaced >> 5));
        (compiled(old, layout), compiled(new, layout))
    })
}

/// What of a service is random: whether it is outside the cluster too, its protocol and its endpoints.
type Draft = (bool, Protocol, Vec<(u8, u16)>);

fn service() -> impl Strategy<Value = Draft> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    (any::<bool>(), protocol, vec((1_u8..12, 80_u16..82), 0..10))
}

fn compiled(drafts: Vec<Draft>, layout: Layout) -> Lowered {
    let node = NodeSettings {
        pod_cidrs: vec!["10.1.0.0/16".parse().expect("a network"), "fd00:1::/64".parse().expect("a network")],
        service_cidrs: vec!["10.96.0.0/16".parse().expect("a network"), "fd00:96::/112".parse().expect("a network")],
        ..NodeSettings::default()
    };
    let mut services: Vec<Service> = (1..).zip(drafts).map(|(at, draft)| named(at, draft)).collect();
    // Both families are always there: a table that is not declared is not ours to take away.
    services.push(named(99, (false, Protocol::Tcp, Vec::new())));
    let compiled = compile(&ServiceMap { node, services }, &CompileOptions { layout, ..CompileOptions::default() });
    lower(compiled.ruleset).expect("what is compiled has programs")
}

fn named(at: u8, (outside, protocol, endpoints): Draft) -> Service {
    let endpoints = endpoints.into_iter().flat_map(|(last, port)| {
        let v6 = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, u16::from(last));
        [Endpoint::new(Ipv4Addr::new(10, 1, 0, last).into(), port), Endpoint::new(v6.into(), port)]
    });
    let v6 = Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 0, u16::from(at));
    Service {
        name: ServiceName::new("laws", &format!("service-{at}")),
        cluster_ips: vec![Ipv4Addr::new(10, 96, 0, at).into(), v6.into()],
        external_ips: if outside { vec![Ipv4Addr::new(192, 0, 2, at).into()] } else { Vec::new() },
        ports: vec![ServicePort { protocol, port: 80, endpoints: endpoints.collect(), ..ServicePort::default() }],
        ..Service::default()
    }
}
