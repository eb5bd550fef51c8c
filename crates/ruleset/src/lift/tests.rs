//! Laws of lowering and lifting.

use proptest::prelude::*;

use super::*;
use crate::service::{
    CompileOptions, Endpoint, Layout, Protocol, Service, ServiceMap, ServiceName, ServicePort, compile,
};

fn services() -> ServiceMap {
    let service = |name: &str, ip: &str, external: &str, to: &[&str]| Service {
        name: ServiceName::new("default", name),
        cluster_ips: vec![ip.parse().unwrap()],
        external_ips: vec![external.parse().unwrap()],
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            endpoints: to.iter().map(|to| Endpoint::new(to.parse().unwrap(), 8080)).collect(),
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    let mut map = ServiceMap::default();
    map.node.pod_cidrs = vec!["10.0.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()];
    map.services = vec![
        service("web", "10.96.0.1", "192.0.2.1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        service("api", "fd96::1", "2001:db8::1", &["fd00::1"]),
        service("empty", "10.96.0.2", "192.0.2.2", &[]),
    ];
    map
}

#[test]
fn compiled_services_come_back_as_they_went() {
    for layout in [Layout::Maps, Layout::Chains] {
        let options = CompileOptions { layout, ..CompileOptions::default() };
        let ruleset = compile(&services(), &options).ruleset;
        assert!(!ruleset.is_empty());
        for table in ruleset.tables() {
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                let program = lower_rule(table.family, &table.sets, rule).unwrap();
                let lifted = lift_program(table.family, &table.sets, &program);
                let listed = Rule { statements: normal(table.family, rule.statements.clone()), ..rule.clone() };
                assert_eq!(lifted, listed, "{}", listing(&program));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_lifted_rule_lowers_to_its_program(ruleset in crate::ir::arbitrary::ruleset()) {
        for table in ruleset.tables() {
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                let Ok(program) = lower_rule(table.family, &table.sets, rule) else { continue };
                let lifted = lift_program(table.family, &table.sets, &program);
                prop_assert_eq!(&lower_rule(table.family, &table.sets, &lifted).unwrap(), &program);
                prop_assert_eq!(&lift_program(table.family, &table.sets, &program), &lifted);
                let kept = lifted.statements.iter().any(|statement| matches!(statement, Statement::Opaque(_)));
                prop_assert!(!kept, "{}", listing(&program));
            }
        }
    }
}
