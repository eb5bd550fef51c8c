//! What rules and chains are built of.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::ir::{ChainName, DataType, Expression, FibFlags, FibResult, MetaKey, SetName, Statement, Value, Verdict};
use crate::service::route::Lead;

use super::super::layout::{ChainsLayout, EndpointChain, Gate, ServiceChains};
use super::super::names::{ChainHash, Identity};

/// The names of the fixed chains.
pub(super) mod fixed {
    pub(in super::super) const FRONTENDS: &str = "frontends";
    pub(in super::super) const MARK: &str = "mark-masquerade";
    pub(in super::super) const OUTSIDE: &str = "mark-outside";
    pub(in super::super) const REFUSE: &str = "refuse";
}

/// The chain of that name.
pub(super) fn name(text: &str) -> ChainName {
    ChainName::new(text).expect("the names of this layout are short and plain")
}

/// `kind-hash-namespace/name/protocol/port…`: the hash tells chains apart, the rest is for people, and cut where it is
/// too long.
fn chain_name(kind: &str, hash: &ChainHash, identity: &Identity, endpoint: Option<SocketAddr>) -> ChainName {
    // A chain's name has 255 bytes; this leaves room for the endpoint.
    const READABLE: usize = 180;
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_') { c } else { '.' };
    let readable = format!("{}/{}/{}", identity.service, identity.protocol, identity.port_name);
    let mut text = format!("{kind}-{}-", hash.as_str().to_ascii_lowercase());
    text.extend(readable.chars().take(READABLE).map(plain));
    if let Some(endpoint) = endpoint {
        text.extend(format!("/{}/{}", endpoint.ip(), endpoint.port()).chars().map(plain));
    }
    name(&text)
}

/// The chain of a service port of that kind.
fn of_service(kind: &str, service: &ServiceChains) -> ChainName {
    chain_name(kind, &service.identity.hash, &service.identity, None)
}

/// The chain that chooses among the endpoints anywhere.
pub(super) fn anywhere_name(service: &ServiceChains) -> ChainName {
    of_service("svc", service)
}

/// The chain that chooses among the endpoints on this node.
pub(super) fn here_name(service: &ServiceChains) -> ChainName {
    of_service("svl", service)
}

/// The chain for clients outside the cluster.
pub(super) fn external_name(service: &ServiceChains) -> ChainName {
    of_service("ext", service)
}

/// The chain for the host port.
pub(super) fn host_name(service: &ServiceChains) -> ChainName {
    of_service("host", service)
}

/// The chain that lets only clients in the source ranges on.
pub(super) fn restricted_name(service: &ServiceChains) -> ChainName {
    of_service("fw", service)
}

/// The chain of an endpoint.
pub(super) fn endpoint_name(service: &ServiceChains, endpoint: &EndpointChain) -> ChainName {
    chain_name("ep", &endpoint.hash, &service.identity, Some(endpoint.address))
}

/// The set of clients that an endpoint had.
pub(super) fn clients_name(service: &ServiceChains, endpoint: &EndpointChain) -> SetName {
    let name = chain_name("clients", &endpoint.hash, &service.identity, Some(endpoint.address));
    SetName::new(name.as_str()).expect("names of sets are as those of chains")
}

/// The chain of those that get through, where that leads to endpoints.
pub(super) fn gate_chain(service: &ServiceChains, gate: Gate) -> ChainName {
    match gate {
        Gate::Internal(Lead::Here) => here_name(service),
        Gate::Internal(_) => anywhere_name(service),
        Gate::Host => host_name(service),
        Gate::External(_) | Gate::Closed(_) => external_name(service),
    }
}

/// What becomes of connections that are led to no endpoint.
pub(super) fn lead_nowhere(lead: Lead) -> Verdict {
    if lead == Lead::Refuse { Verdict::Goto(name(fixed::REFUSE)) } else { Verdict::Drop }
}

/// One of a packet's addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
}

/// `fib saddr type local`, `fib daddr type local`: whether an address is one of the node.
pub(super) fn is_local(side: Side) -> Statement {
    let (address_type, local) = address_type(side);
    Statement::equals(address_type, local)
}

/// `fib saddr type != local`: whether a packet comes from others than the node.
pub(super) fn is_foreign() -> Statement {
    let (address_type, local) = address_type(Side::Source);
    Statement::differs(address_type, Expression::Value(local))
}

/// `fib saddr type`, `fib daddr type`, and what it is for an address of the node.
fn address_type(side: Side) -> (Expression, Value) {
    /// `RTN_LOCAL` (linux/rtnetlink.h).
    const LOCAL: u32 = 2;
    let flags =
        FibFlags { saddr: side == Side::Source, daddr: side == Side::Destination, mark: false, iif: false, oif: false };
    (Expression::Fib { flags, result: FibResult::Type }, Value::number(DataType::FibAddrType, LOCAL))
}

/// A network; one address where it is that.
pub(super) fn network(net: &IpNet) -> Expression {
    let address = Expression::Value(Value::address(net.network()));
    if net.prefix_len() == net.max_prefix_len() {
        return address;
    }
    Expression::Prefix(Box::new(address), net.prefix_len().into())
}

/// What says, each by itself, that a client is a pod.
pub(super) fn are_pods(layout: &ChainsLayout) -> Vec<Statement> {
    let saddr = || Expression::saddr(layout.family);
    let cidrs = layout.pods.cidrs.iter().map(|cidr| Statement::matches(saddr(), network(cidr)));
    let interfaces = layout.pods.interfaces.iter();
    cidrs.chain(interfaces.map(|interface| Statement::matches(MetaKey::Iifname, Value::ifname(interface)))).collect()
}
