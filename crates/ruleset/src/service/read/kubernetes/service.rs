//! v1 Service to service: what is compiled, and what is reported because it is not.

use std::net::IpAddr;

use ipnet::IpNet;

use super::object;
use crate::service::read::schema::is_name;
use crate::service::{Balance, Finding, FindingKind, Protocol, Service, ServicePort, Severity, TrafficPolicy};

/// Who else looks after a service that has this label.
const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// How long the API server has clients stay with their endpoint, where nothing else is said: three hours.
const DEFAULT_AFFINITY: u32 = 10_800;

/// The service an object means, without endpoints yet. `None` for services that have no virtual addresses or are another
/// proxy's.
pub(super) fn service(object: object::Service, findings: &mut Vec<Finding>) -> Option<Service> {
    let name = object.metadata.full_name();
    let mut report = Report { subject: format!("service {name}"), findings };
    if let Some(reason) = not_ours(&object) {
        report.add(Severity::Info, FindingKind::Ignored, reason);
        return None;
    }
    if !is_name(&name.name) || !name.namespace.is_empty() && !is_name(&name.namespace) {
        report.add(Severity::Error, FindingKind::Invalid, "its name is none an API server takes: left out".to_owned());
        return None;
    }
    let spec = &object.spec;
    // The singular is there for old readers and repeats the first of the plural.
    let single = spec.cluster_ip.as_slice().iter().filter(|it| spec.cluster_ips.is_empty() && !it.is_empty());
    let cluster_ips = report.addresses(spec.cluster_ips.iter().chain(single), "clusterIPs");
    let external_ips = report.addresses(spec.external_ips.iter(), "externalIPs");
    let load_balancer_ips = report.addresses(ingress(&object), "loadBalancer.ingress");
    if [&cluster_ips, &external_ips, &load_balancer_ips].into_iter().all(Vec::is_empty) {
        let message = "it has no address: was it given a cluster IP by an API server?".to_owned();
        report.add(Severity::Warning, FindingKind::Invalid, message);
    }
    let external_traffic = report.policy("externalTrafficPolicy", &spec.external_traffic_policy);
    let is_balanced = spec.kind.as_deref() == Some("LoadBalancer") && external_traffic == TrafficPolicy::Local;
    Some(Service {
        name,
        cluster_ips,
        external_ips,
        load_balancer_ips,
        source_ranges: report.source_ranges(&spec.load_balancer_source_ranges),
        host_ips: Vec::new(),
        affinity: report.affinity(spec),
        balance: Balance::Random,
        internal_traffic: report.policy("internalTrafficPolicy", &spec.internal_traffic_policy),
        external_traffic,
        health_check_node_port: spec.health_check_node_port.filter(|port| *port > 0 && is_balanced),
        ports: spec.ports.iter().filter_map(|port| report.port(port)).collect(),
    })
}

/// The addresses a load balancer keeps in the packets it sends. With the mode `Proxy`, and for host names, it ends the
/// connections itself.
fn ingress(object: &object::Service) -> impl Iterator<Item = &String> {
    let ingress = object.status.load_balancer.ingress.iter();
    ingress
        .filter(|it| it.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|it| it.ip.as_ref())
        .filter(|ip| !ip.is_empty())
}

/// A protocol by the API's name for it; TCP where there is none.
pub(super) fn protocol(name: Option<&str>) -> Option<Protocol> {
    match name {
        None | Some("" | "TCP") => Some(Protocol::Tcp),
        Some("UDP") => Some(Protocol::Udp),
        Some("SCTP") => Some(Protocol::Sctp),
        Some(_) => None,
    }
}

/// Why a service is none of our business.
fn not_ours(object: &object::Service) -> Option<String> {
    let spec = &object.spec;
    if let Some(proxy) = object.metadata.labels.get(PROXY_NAME) {
        return Some(format!("the label {PROXY_NAME} gives it to `{proxy}`"));
    }
    if spec.kind.as_deref() == Some("ExternalName") {
        return Some("its type is ExternalName: it is a name in the DNS only".to_owned());
    }
    let mut cluster_ips = spec.cluster_ips.iter().chain(&spec.cluster_ip);
    cluster_ips.any(|address| address == "None").then(|| "it is headless: its clusterIP is None".to_owned())
}

/// Findings about one service.
struct Report<'a> {
    subject: String,
    findings: &'a mut Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, severity: Severity, kind: FindingKind, message: String) {
        self.findings.push(Finding { severity, kind, subject: self.subject.clone(), message });
    }

    fn not_supported(&mut self, message: String) {
        self.add(Severity::Warning, FindingKind::NotSupported, message);
    }

    fn addresses<'a>(&mut self, texts: impl Iterator<Item = &'a String>, field: &str) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for text in texts {
            match text.parse() {
                Ok(address) if addresses.contains(&address) => {}
                Ok(address) => addresses.push(address),
                Err(_) => {
                    let message = format!("{field}: `{text}` is no address: left out");
                    self.add(Severity::Error, FindingKind::Invalid, message);
                }
            }
        }
        addresses
    }

    fn source_ranges(&mut self, texts: &[String]) -> Vec<IpNet> {
        let mut ranges = Vec::new();
        for text in texts.iter().map(|text| text.trim()) {
            match text.parse::<IpNet>() {
                Ok(range) => ranges.push(range.trunc()),
                Err(_) => {
                    let message = format!("loadBalancerSourceRanges: `{text}` is no network: left out");
                    self.add(Severity::Error, FindingKind::Invalid, message);
                }
            }
        }
        ranges
    }

    fn policy(&mut self, field: &str, policy: &Option<String>) -> TrafficPolicy {
        match policy.as_deref() {
            None | Some("" | "Cluster") => TrafficPolicy::Cluster,
            Some("Local") => TrafficPolicy::Local,
            Some(other) => {
                // Of the two, it lets less through.
                let message = format!("{field}: {other} is neither Cluster nor Local: taken for Local");
                self.add(Severity::Error, FindingKind::Invalid, message);
                TrafficPolicy::Local
            }
        }
    }

    fn port(&mut self, port: &object::ServicePort) -> Option<ServicePort> {
        let Some(protocol) = protocol(port.protocol.as_deref()) else {
            let name = port.protocol.as_deref().unwrap_or_default();
            self.not_supported(format!("protocol: {name} of port {} is not supported: left out", port.port));
            return None;
        };
        if port.port == 0 {
            let message = "port: 0 is no port: left out".to_owned();
            self.add(Severity::Error, FindingKind::Invalid, message);
            return None;
        }
        if !port.name.is_empty() && !is_name(&port.name) {
            let message = format!("port {}: `{}` is no name: left out", port.port, port.name.escape_default());
            self.add(Severity::Error, FindingKind::Invalid, message);
            return None;
        }
        let name = (!port.name.is_empty()).then(|| port.name.as_str().into());
        let node_port = port.node_port.filter(|port| *port > 0);
        Some(ServicePort { name, protocol, port: port.port, node_port, ..ServicePort::default() })
    }

    /// For how long clients stay with their endpoint, in seconds.
    fn affinity(&mut self, spec: &object::ServiceSpec) -> Option<u32> {
        match spec.session_affinity.as_deref() {
            None | Some("" | "None") => return None,
            Some("ClientIP") => {}
            Some(other) => {
                self.not_supported(format!(
                    "sessionAffinity: {other} is not supported: each connection goes to any endpoint"
                ));
                return None;
            }
        }
        match spec.session_affinity_config.client_ip.timeout_seconds {
            None => Some(DEFAULT_AFFINITY),
            Some(seconds @ 1..=Service::LONGEST_AFFINITY) => Some(seconds),
            Some(seconds) => {
                let message = format!("timeoutSeconds: {seconds} is not from 1 to 86400: {DEFAULT_AFFINITY} is taken");
                self.add(Severity::Error, FindingKind::Invalid, message);
                Some(DEFAULT_AFFINITY)
            }
        }
    }
}
