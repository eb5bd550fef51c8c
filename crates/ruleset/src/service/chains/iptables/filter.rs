//! `filter`: what becomes of new connections that were not translated. iptables cannot refuse where it translates.

use std::net::IpAddr;

use crate::iptables::matches::{Conntrack, CtState, CtStates};
use crate::iptables::{Criterion, Family, Rule, Table, Target, targets};
use crate::service::route::Lead;
use crate::service::{Frontend, Protocol, Refusal, node_ports};

use super::super::layout::{ChainsLayout, ServiceChains};
use super::dispatch;
use super::words::{self, add, built_in, comment, fixed, from_network, jump, managed, own, to_frontend, to_network};

/// The whole table.
pub(super) fn table(layout: &ChainsLayout, family: Family) -> Table {
    let mut table = Table::default();
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        add(
            &mut table,
            built_in(hook),
            [jump(own(fixed::UNSERVED))
                .matching(Conntrack::new_connection())
                .matching(Conntrack::of_states(Criterion::is_not(CtStates::single(CtState::Dnat))))
                .matching(managed())],
        );
    }
    if layout.node_ports.as_ref().is_some_and(|answering| answering.loopback) {
        martians(&mut table, layout.family);
    }
    if layout.node.drop_invalid {
        invalid(&mut table);
    }
    add(&mut table, own(fixed::REJECT), reject(family, layout.node.refusal));
    let unserved = unserved(&mut table, layout);
    add(&mut table, own(fixed::UNSERVED), unserved);
    table
}

/// Drops what others than the node itself send to loopback addresses: the kernel routes it where node ports answer
/// there. Also what is no new connection, for it may be one that began before we came. By the interface, not by the
/// source address: others may send from a loopback address, too.
fn martians(table: &mut Table, family: crate::ir::Family) {
    let known = CtStates::of([CtState::Related, CtState::Established, CtState::Dnat]).expect("these are three");
    let unknown = Conntrack::of_states(Criterion::is_not(known));
    add(table, own(fixed::MARTIAN), [Rule::to(Target::Drop).matching(unknown)]);
    let first = to_network(jump(own(fixed::MARTIAN)).matching(managed()), node_ports::loopback(family));
    let first = Rule { in_interface: Some(Criterion::is_not(words::interface("lo"))), ..first };
    table.chain_mut(&built_in("INPUT")).rules.insert(0, first);
}

/// A reset for TCP, for it is not rate limited as ICMP errors are; port unreachable for the others.
fn reject(family: Family, refusal: Refusal) -> Vec<Rule> {
    let with = |with| Rule::to(Target::Action(targets::Reject { with }.into()));
    let tcp = Some(words::above_ip(Protocol::Tcp));
    let reset = Rule { protocol: tcp, ..with(targets::RejectWith::TcpReset) };
    let told = (refusal == Refusal::Reset).then_some(reset);
    told.into_iter().chain([with(targets::RejectWith::PortUnreachable(family))]).collect()
}

/// Drops what belongs to no connection that conntrack knows, where it would be forwarded.
fn invalid(table: &mut Table) {
    add(table, own(fixed::INVALID), [Rule::to(Target::Drop)]);
    let invalid = Conntrack::of_states(Criterion::is(CtStates::single(CtState::Invalid)));
    let first = jump(own(fixed::INVALID)).matching(invalid).matching(managed());
    table.chain_mut(&built_in("FORWARD")).rules.insert(0, first);
}

/// Frontends, then node ports, then what is no frontend: in the order in which they are looked up in `nat`.
fn unserved(table: &mut Table, layout: &ChainsLayout) -> Vec<Rule> {
    let (mut addresses, mut ports) = (Vec::new(), Vec::new());
    for service in &layout.services {
        for (frontend, rule) in left_over(service) {
            if frontend.is_node_port() {
                ports.push((frontend, rule));
            } else {
                addresses.push((frontend.address, rule));
            }
        }
    }
    addresses.sort_by_key(|(address, _)| *address);
    let mut rules = dispatch::by_address(table, "NET", addresses);
    if let Some(answering) = layout.node_ports.as_ref().filter(|_| !ports.is_empty()) {
        rules.extend(words::to_node_ports(answering, own(fixed::NODE_PORTS)));
        let mut found = dispatch::by_port(table, ports);
        found.splice(..0, words::except_loopback(answering, layout.family));
        add(table, own(fixed::NODE_PORTS), found);
    }
    let refused =
        |address: &IpAddr| (*address, to_network(Rule::to(Target::Goto(own(fixed::REJECT))), (*address).into()));
    rules.extend(dispatch::by_address(table, "OWN", layout.cluster_ips.iter().map(refused).collect()));
    let label = comment("no service has this address");
    rules.extend(layout.unallocated.iter().map(|net| to_network(Rule::to(Target::Drop).matching(label.clone()), *net)));
    rules
}

/// What becomes of connections at a service's frontends that `nat` led to no endpoint.
fn left_over(service: &ServiceChains) -> Vec<(Frontend, Rule)> {
    let label = service.identity.label();
    let mut rules = Vec::new();
    for (frontend, entry) in &service.frontends {
        let left_over = entry.left_over().map(|lead| {
            let what = if lead == Lead::Refuse { "no endpoints" } else { "no local endpoints" };
            (lead, to_frontend(fate(lead), frontend, &format!("{label} has {what}")))
        });
        match (left_over, entry.restricted) {
            (Some((Lead::Refuse, rule)), true) => {
                rules.extend(service.ranges.iter().map(|range| (*frontend, from_network(rule.clone(), *range))));
            }
            (Some((_, rule)), false) => rules.push((*frontend, rule)),
            _ => {}
        }
        if entry.restricted {
            let label = format!("{label} is for its source ranges");
            rules.push((*frontend, to_frontend(Rule::to(Target::Drop), frontend, &label)));
        }
    }
    rules
}

fn fate(lead: Lead) -> Rule {
    Rule::to(if lead == Lead::Refuse { Target::Goto(own(fixed::REJECT)) } else { Target::Drop })
}
