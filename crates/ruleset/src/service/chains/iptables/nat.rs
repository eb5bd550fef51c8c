//! `nat`: where connections go, and whose are masqueraded.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::iptables::matches::{Addrtype, Mark, Recent, Statistic};
use crate::iptables::{ChainName, Criterion, Family, MaskedMark, Name, Rule, Table, Target, targets};
use crate::service::route::{Handling, Lead, Masquerade};
use crate::service::{Frontend, Protocol};

use super::super::layout::{ChainsLayout, Choice, EndpointChain, Entry, Gate, Outside, Pods, ServiceChains};
use super::words::{
    add, anywhere, built_in, comment, endpoint, external, fixed, from_network, here, host, jump, managed, own,
    restricted, to_frontend, to_network,
};
use super::{dispatch, words};

/// The whole table.
pub(super) fn table(layout: &ChainsLayout) -> Table {
    let mut table = Table::default();
    for (hook, chain) in
        [("PREROUTING", fixed::SERVICES), ("OUTPUT", fixed::SERVICES), ("POSTROUTING", fixed::POSTROUTING)]
    {
        add(&mut table, built_in(hook), [jump(own(chain)).matching(managed())]);
    }
    add(&mut table, own(fixed::POSTROUTING), postrouting(layout.mark, !layout.node.keep_source_ports));
    add(&mut table, own(fixed::MARK), [Rule::to(Target::Action(targets::Mark::or(layout.mark).into()))]);
    add(&mut table, own(fixed::OUTSIDE), outside(layout.outside, &layout.pods));
    frontends(&mut table, layout);
    for service in &layout.services {
        service_chains(&mut table, service, &layout.pods);
    }
    table
}

/// The chains that find what a connection is for: virtual addresses first, then node ports.
fn frontends(table: &mut Table, layout: &ChainsLayout) {
    let (mut addresses, mut ports) = (Vec::new(), Vec::new());
    let node_ports = node_ports_of(layout);
    for service in &layout.services {
        for (frontend, entry) in &service.frontends {
            let Some(rule) = leading(service, frontend, *entry, &node_ports) else { continue };
            if frontend.is_node_port() {
                ports.push((*frontend, rule));
            } else {
                addresses.push((frontend.address, rule));
            }
        }
    }
    addresses.sort_by_key(|(address, _)| *address);
    let mut services = dispatch::by_address(table, "NET", addresses);
    if let Some(answering) = layout.node_ports.as_ref().filter(|_| !ports.is_empty()) {
        services.extend(words::to_node_ports(answering, own(fixed::NODE_PORTS)));
        let mut found = dispatch::by_port(table, ports);
        found.splice(..0, words::except_loopback(answering, layout.family));
        add(table, own(fixed::NODE_PORTS), found);
    }
    add(table, own(fixed::SERVICES), services);
}

fn node_ports_of(layout: &ChainsLayout) -> BTreeSet<(Protocol, u16)> {
    let frontends = layout.services.iter().flat_map(|service| &service.frontends);
    let node_ports = frontends.filter(|(frontend, _)| frontend.is_node_port());
    node_ports.map(|(frontend, _)| (frontend.protocol, frontend.port)).collect()
}

/// The rule that leads a frontend's connections on; `None` if they go nowhere.
fn leading(
    service: &ServiceChains,
    frontend: &Frontend,
    entry: Entry,
    node_ports: &BTreeSet<(Protocol, u16)>,
) -> Option<Rule> {
    let target = match entry {
        Entry { gate: Gate::Closed(_) | Gate::Internal(Lead::Refuse | Lead::Drop), .. } => {
            // The address may be the node's, and a node port have this number: it must not be led there.
            let is_both = !frontend.is_node_port() && node_ports.contains(&(frontend.protocol, frontend.port));
            return is_both.then(|| to_frontend(Rule::to(Target::Accept), frontend, &service.identity.label()));
        }
        Entry { restricted: true, .. } => restricted(service),
        Entry { gate, .. } => gate_chain(service, gate),
    };
    let what = match (entry, frontend.is_node_port()) {
        (Entry { gate: Gate::Host, .. }, _) => "host port",
        (_, true) => "node port",
        (Entry { gate: Gate::Internal(_), .. }, _) => "cluster IP",
        (Entry { restricted: true, .. }, _) => "load balancer",
        _ => "external IP",
    };
    Some(to_frontend(jump(target), frontend, &format!("{} {what}", service.identity.label())))
}

/// The chain of those that get through.
fn gate_chain(service: &ServiceChains, gate: Gate) -> ChainName {
    match gate {
        Gate::Internal(Lead::Here) => here(service),
        Gate::Internal(_) => anywhere(service),
        Gate::Host => host(service),
        Gate::External(_) | Gate::Closed(_) => external(service),
    }
}

fn service_chains(table: &mut Table, service: &ServiceChains, pods: &Pods) {
    if service.is_restricted() {
        add(table, restricted(service), firewall(service));
    }
    for (handling, name) in [(&service.external, external(service)), (&service.host, host(service))] {
        if let Some(handling) = handling {
            add(table, name, by_client(service, handling, pods));
        }
    }
    for (choice, name) in [(&service.anywhere, anywhere(service)), (&service.here, here(service))] {
        if let Some(choice) = choice {
            add(table, name, choosing(service, choice));
        }
    }
    for chain in &service.endpoints {
        add(table, endpoint(chain), translate(service, chain));
    }
}

/// Lets clients in the source ranges on. The others are not led to a node port of the same number either.
fn firewall(service: &ServiceChains) -> Vec<Rule> {
    let mut gates = service.frontends.iter().filter(|(_, entry)| entry.restricted).map(|(_, entry)| entry.gate);
    let is_open = |gate: &Gate| matches!(gate, Gate::External(_) | Gate::Internal(Lead::Anywhere | Lead::Here));
    let mut rules = Vec::new();
    if let Some(gate) = gates.find(is_open) {
        let label = comment(&format!("{} source range", service.identity.label()));
        let rule = jump(gate_chain(service, gate)).matching(label);
        rules.extend(service.ranges.iter().map(|range| from_network(rule.clone(), *range)));
    }
    rules.push(Rule::to(Target::Accept));
    rules
}

/// Leads clients outside the cluster, and those inside that come to addresses for the others.
fn by_client(service: &ServiceChains, handling: &Handling, pods: &Pods) -> Vec<Rule> {
    let label = service.identity.label();
    let said = |rule: Rule, what: &str| rule.matching(comment(&format!("{what} {label}")));
    let from_node = |rule: Rule| rule.matching(Addrtype::from_local());
    let mark = jump(own(fixed::MARK));
    let mut rules = match handling.masquerade {
        Masquerade::Everyone => vec![said(mark, "masquerade for")],
        Masquerade::Node => vec![from_node(said(mark, "masquerade this node for"))],
        Masquerade::Outsiders => Vec::new(),
    };
    let to = |lead: Lead| match lead {
        Lead::Anywhere => Some(jump(anywhere(service))),
        Lead::Here => Some(jump(here(service))),
        Lead::Refuse | Lead::Drop => None,
    };
    if let Some(inside) = to(handling.inside).filter(|_| handling.inside != handling.outside) {
        let of_pod = said(inside.clone(), "pods to");
        rules.extend(pods.cidrs.iter().map(|cidr| from_network(of_pod.clone(), *cidr)));
        rules.extend(pods.interfaces.iter().map(|interface| by_interface(of_pod.clone(), interface)));
        rules.push(from_node(said(inside, "this node to")));
    }
    // What is left is not led to a node port of the same number.
    rules.push(to(handling.outside).unwrap_or_else(|| Rule::to(Target::Accept)));
    rules
}

/// The same rule for what comes in there. iptables writes the start of a name with `+`.
fn by_interface(rule: Rule, interface: &str) -> Rule {
    Rule { in_interface: Some(Criterion::is(words::interface(&interface.replace('*', "+")))), ..rule }
}

/// Masquerades what is marked, and takes the mark off: it is known to be set, so flipping it clears it.
fn postrouting(mark: u32, random_fully: bool) -> [Rule; 3] {
    let unmarked = Mark { mark: Criterion::is_not(MaskedMark { value: mark, mask: mark }) };
    [
        Rule::to(Target::Return).matching(unmarked),
        Rule::to(Target::Action(targets::Mark::xor(mark).into())),
        Rule::to(Target::Action(targets::Masquerade { to_ports: None, random: false, random_fully }.into())),
    ]
}

/// Marks clients of cluster IPs that are outside the pod networks.
fn outside(outside: Outside, pods: &Pods) -> Vec<Rule> {
    let mark = jump(own(fixed::MARK));
    match outside {
        Outside::Unknown => Vec::new(),
        Outside::Everyone => vec![mark],
        Outside::AllButPods => {
            let networks = pods.cidrs.iter().map(|cidr| from_network(Rule::to(Target::Return), *cidr));
            let interfaces = pods.interfaces.iter().map(|name| by_interface(Rule::to(Target::Return), name));
            networks.chain(interfaces).chain([mark]).collect()
        }
    }
}

/// Clients to the endpoint they had; the others to each by its share of what those before it left, the last gets the
/// rest.
fn choosing(service: &ServiceChains, choice: &Choice) -> Vec<Rule> {
    let mark = |address: &IpAddr| to_network(jump(own(fixed::OUTSIDE)), (*address).into());
    let mut rules: Vec<Rule> = choice.cluster_ips.iter().map(mark).collect();
    let label = service.identity.label();
    let leading = |chain| jump(endpoint(chain)).matching(comment(&format!("{label} -> {}", chain.address)));
    if let Some(seconds) = service.affinity {
        let had = |(chain, _)| leading(chain).matching(clients(chain, Some(seconds)));
        rules.extend(service.among(choice).map(had));
    }
    let mut left = choice.total;
    for (chain, share) in service.among(choice) {
        let mut rule = leading(chain);
        if share < left {
            rule = rule.matching(Statistic::random(share.into(), left.into()));
        }
        left -= share;
        rules.push(rule);
    }
    rules
}

/// The list of the clients that an endpoint had: a client that was there in the last seconds, or one that joins.
fn clients(endpoint: &EndpointChain, within: Option<u32>) -> Recent {
    let family = if endpoint.address.is_ipv4() { Family::Ip } else { Family::Ip6 };
    let name = Name::new(words::endpoint(endpoint).as_str()).expect("a chain's name is short and one word");
    match within {
        Some(seconds) => Recent::joined(name, family, seconds),
        None => Recent::join(name, family),
    }
}

/// Marks packets of the endpoint itself, whose answers would not come back through here, and translates.
fn translate(service: &ServiceChains, endpoint: &EndpointChain) -> Vec<Rule> {
    let label = comment(&service.identity.label());
    let hairpin = from_network(jump(own(fixed::MARK)), endpoint.address.ip().into()).matching(label.clone());
    let dnat = Rule {
        protocol: Some(words::above_ip(service.identity.protocol)),
        ..Rule::to(Target::Action(targets::Dnat::to(endpoint.address).into()))
    };
    let mut dnat = dnat.matching(label);
    if service.affinity.is_some() {
        dnat = dnat.matching(clients(endpoint, None));
    }
    endpoint.here.then_some(hairpin).into_iter().chain([dnat]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::layout_of;
    use super::super::super::tests::shop;
    use super::*;

    #[test]
    fn every_packet_finds_an_endpoint_by_its_share() {
        let layout = layout_of(&shop(), crate::ir::Family::Ip, &mut Vec::new()).unwrap();
        let cart = layout.services.iter().find(|service| service.endpoints.len() == 3).unwrap();
        let printed: Vec<_> = choosing(cart, cart.anywhere.as_ref().unwrap()).iter().map(ToString::to_string).collect();
        let probability = |rule: &String| rule.split("--probability ").nth(1).map(|rest| rest[..6].to_owned());
        let probabilities: Vec<_> = printed.iter().map(probability).collect();
        assert_eq!(probabilities, [None, Some("0.5000".to_owned()), Some("0.5000".to_owned()), None]);
    }
}
