//! What rules and chains are built of.

use ipnet::IpNet;

use crate::iptables::matches::{Addrtype, Comment, Match, Sctp, Tcp, Udp};
use crate::iptables::{Address, CHAIN_PREFIX, Chain, ChainName, Criterion, Interface, PortRange, Rule, Table, Target};
use crate::service::node_ports::Answering;
use crate::service::{Frontend, Protocol};

use super::super::layout::{EndpointChain, ServiceChains};
use super::super::names::ChainHash;

/// The names of the fixed chains, after the prefix.
pub(super) mod fixed {
    pub(in super::super) const SERVICES: &str = "SERVICES";
    pub(in super::super) const NODE_PORTS: &str = "NODEPORTS";
    pub(in super::super) const POSTROUTING: &str = "POSTROUTING";
    pub(in super::super) const MARK: &str = "MARK-MASQ";
    pub(in super::super) const OUTSIDE: &str = "MARK-OUTSIDE";
    pub(in super::super) const UNSERVED: &str = "UNSERVED";
    pub(in super::super) const INVALID: &str = "INVALID";
    pub(in super::super) const MARTIAN: &str = "MARTIAN";
    pub(in super::super) const REJECT: &str = "REJECT";
}

/// The chain of ours of that name.
pub(super) fn own(name: &str) -> ChainName {
    built_in(&format!("{CHAIN_PREFIX}{name}"))
}

/// The chain of exactly that name.
pub(super) fn built_in(name: &str) -> ChainName {
    ChainName::new(name).expect("the names of this layout are short and plain")
}

/// The chain of ours of that kind and hash.
pub(super) fn hashed(kind: &str, hash: &ChainHash) -> ChainName {
    own(&format!("{kind}-{}", hash.as_str()))
}

/// The chain that chooses among the endpoints anywhere.
pub(super) fn anywhere(service: &ServiceChains) -> ChainName {
    hashed("SVC", &service.identity.hash)
}

/// The chain that chooses among the endpoints on this node.
pub(super) fn here(service: &ServiceChains) -> ChainName {
    hashed("SVL", &service.identity.hash)
}

/// The chain for clients outside the cluster.
pub(super) fn external(service: &ServiceChains) -> ChainName {
    hashed("EXT", &service.identity.hash)
}

/// The chain for the host port.
pub(super) fn host(service: &ServiceChains) -> ChainName {
    hashed("HP", &service.identity.hash)
}

/// The chain that lets only clients in the source ranges on.
pub(super) fn restricted(service: &ServiceChains) -> ChainName {
    hashed("FW", &service.identity.hash)
}

/// The chain of an endpoint.
pub(super) fn endpoint(endpoint: &EndpointChain) -> ChainName {
    hashed("SEP", &endpoint.hash)
}

/// A comment; what does not fit is cut off.
pub(super) fn comment(text: &str) -> Match {
    Comment::clipped(text).into()
}

/// A rule that has a chain passed.
pub(super) fn jump(chain: ChainName) -> Rule {
    Rule::to(Target::Jump(chain))
}

/// The comment on our rules in chains of the kernel.
pub(super) fn managed() -> Match {
    comment("managed by rulectl")
}

/// Adds a chain.
pub(super) fn add(table: &mut Table, name: ChainName, rules: impl IntoIterator<Item = Rule>) {
    table.chains.insert(name, Chain { policy: None, rules: rules.into_iter().collect() });
}

/// The same rule for what is sent to that network.
pub(super) fn to_network(rule: Rule, network: IpNet) -> Rule {
    Rule { destination: Some(Criterion::is(Address::network(network))), ..rule }
}

/// The same rule for what comes from that network.
pub(super) fn from_network(rule: Rule, network: IpNet) -> Rule {
    Rule { source: Some(Criterion::is(Address::network(network))), ..rule }
}

/// The same rule for what is sent to those ports.
pub(super) fn to_ports(rule: Rule, protocol: Protocol, range: PortRange) -> Rule {
    let matched: Match = match protocol {
        Protocol::Tcp => Tcp::to(range).into(),
        Protocol::Udp => Udp::to(range).into(),
        Protocol::Sctp => Sctp::to(range).into(),
    };
    Rule { protocol: Some(above_ip(protocol)), ..rule }.matching(matched)
}

/// The interface of that name.
pub(super) fn interface(name: &str) -> Interface {
    Interface::new(name).expect("names of interfaces were checked when the settings were read")
}

/// What `-p` says of a protocol.
pub(super) fn above_ip(protocol: Protocol) -> Criterion<crate::iptables::Protocol> {
    Criterion::is(crate::iptables::Protocol::of(protocol.number()))
}

/// The same rule for what connects to a frontend, with a comment. At a node port, whatever the address is.
pub(super) fn to_frontend(rule: Rule, frontend: &Frontend, label: &str) -> Rule {
    let rule = to_ports(rule.matching(comment(label)), frontend.protocol, PortRange::single(frontend.port));
    if frontend.is_node_port() { rule } else { to_network(rule, frontend.address.into()) }
}

/// The rules that lead what is sent to where node ports answer.
pub(super) fn to_node_ports(answering: &Answering, chain: ChainName) -> Vec<Rule> {
    let rule = jump(chain).matching(comment("node ports")).matching(Addrtype::to_local());
    match &answering.networks {
        None => vec![rule],
        Some(networks) => networks.iter().map(|net| to_network(rule.clone(), *net)).collect(),
    }
}

/// The rule that sends back what is sent to loopback addresses, if node ports do not answer there.
pub(super) fn except_loopback(answering: &Answering, family: crate::ir::Family) -> Option<Rule> {
    answering.without(family).map(|net| to_network(Rule::to(Target::Return), net))
}
