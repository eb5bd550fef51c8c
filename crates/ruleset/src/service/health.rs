//! What a load balancer is told that asks this node about a service.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::usable::is_here;
use super::{NodeSettings, Service};

/// The answer at a service's [`Service::health_check_node_port`]: for who serves it, not for the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// How many endpoints on this node are ready, each address once. It is also the weight a load balancer may give the
    /// node: kube-proxy's header `X-Load-Balancing-Endpoint-Weight`.
    pub local_endpoints: usize,
}

impl Health {
    /// Of a service on that node. Endpoints that terminate do not count, although they may still serve.
    pub fn of(service: &Service, node: &NodeSettings) -> Self {
        let endpoints = service.ports.iter().flat_map(|port| &port.endpoints);
        let ready = endpoints.filter(|endpoint| !endpoint.terminating && is_here(endpoint, node));
        Self { local_endpoints: ready.map(|endpoint| endpoint.address).collect::<BTreeSet<IpAddr>>().len() }
    }

    /// The status of the answer (RFC 9110): 200 if connections may be sent here, 503 if not. `in_force` is whether the
    /// rules of this node are up to date; who is not sure of that wants no connections.
    pub fn status(self, in_force: bool) -> u16 {
        if in_force && self.local_endpoints > 0 { 200 } else { 503 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Endpoint, ServicePort};

    #[test]
    fn ready_endpoints_of_this_node_count_once_each() {
        let endpoint = |last: u8, node: &str, terminating| Endpoint {
            node: Some(node.into()),
            terminating,
            ..Endpoint::new([10, 0, 0, last].into(), 80)
        };
        let port = |endpoints| ServicePort { endpoints, ..ServicePort::default() };
        let service = Service {
            ports: vec![
                port(vec![endpoint(1, "n1", false), endpoint(2, "n1", true), endpoint(3, "n2", false)]),
                port(vec![endpoint(1, "n1", false)]),
            ],
            ..Service::default()
        };
        let health = |name: &str| {
            let node = NodeSettings { name: Some(name.to_owned()), ..NodeSettings::default() };
            Health::of(&service, &node)
        };
        assert_eq!(health("n1"), Health { local_endpoints: 1 });
        assert_eq!((health("n1").status(true), health("n1").status(false), health("n3").status(true)), (200, 503, 503));
    }
}
