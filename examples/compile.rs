//! Compiles a service map and prints its rules, as nft text and as iptables-restore text.
//!
//! `cargo run --example compile`

use rulectl_ruleset::iptables::{Family, SaveText};
use rulectl_ruleset::nft;
use rulectl_ruleset::service::{self, CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap};
use rulectl_ruleset::service::{ServiceName, ServicePort};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let map = ServiceMap {
        node: NodeSettings { pod_cidrs: vec!["10.244.0.0/16".parse()?], ..NodeSettings::default() },
        services: vec![Service {
            name: ServiceName::new("shop", "web"),
            cluster_ips: vec!["10.96.0.10".parse()?],
            ports: vec![ServicePort {
                name: None,
                protocol: Protocol::Tcp,
                port: 80,
                endpoints: vec![
                    Endpoint::new("10.244.0.11".parse()?, 8080),
                    Endpoint::new("10.244.1.12".parse()?, 8080),
                ],
                ..ServicePort::default()
            }],
            ..Service::default()
        }],
    };
    let options = CompileOptions::default();

    let compiled = service::compile(&map, &options);
    for finding in &compiled.findings {
        eprintln!("{finding}");
    }
    print!("{}", nft::print(&compiled.ruleset));

    let iptables = service::iptables(&map, &options, Family::Ip);
    print!("{}", SaveText::from(&iptables.ruleset));
    Ok(())
}
