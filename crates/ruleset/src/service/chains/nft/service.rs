//! The chains of a service port.

use crate::ir::{
    AnonymousSet, ByteOrder, Chain, ChainName, Data, DataKind, DataType, Element, Expression, Family, Field, Hash,
    KeyType, MetaKey, Nat, NatKind, Numgen, NumgenMode, Rule, Set, SetSpec, SetUpdate, SetUpdateOp, Statement, Value,
    Verdict,
};
use crate::service::Balance;
use crate::service::route::{Handling, Lead, Masquerade};

use super::super::layout::{ChainsLayout, Choice, EndpointChain, ServiceChains};
use super::words::{
    Side, anywhere_name, are_pods, clients_name, endpoint_name, external_name, fixed, here_name, host_name, is_local,
    lead_nowhere, name, network, restricted_name,
};

/// All of them.
pub(super) fn chains(service: &ServiceChains, layout: &ChainsLayout) -> Vec<Chain> {
    let mut chains: Vec<Chain> = service.endpoints.iter().map(|endpoint| endpoint_chain(service, endpoint)).collect();
    let choices = [(&service.anywhere, anywhere_name(service)), (&service.here, here_name(service))];
    for (choice, name) in choices {
        chains.extend(choice.as_ref().map(|choice| service_chain(name, service, choice)));
    }
    for (handling, name) in [(&service.external, external_name(service)), (&service.host, host_name(service))] {
        chains.extend(handling.as_ref().map(|handling| external_chain(name, service, handling, layout)));
    }
    if service.is_restricted() {
        chains.push(restricted_chain(service, layout.family));
    }
    chains
}

/// Lets clients in the source ranges on.
fn restricted_chain(service: &ServiceChains, family: Family) -> Chain {
    let mut chain = Chain::new(restricted_name(service));
    let gate = service.frontends.iter().find(|(_, entry)| entry.restricted).map(|(_, entry)| entry.gate);
    for (range, gate) in service.ranges.iter().zip(std::iter::repeat(gate)) {
        let is_within = Statement::matches(Expression::saddr(family), network(range));
        let verdict = gate.map(|gate| Statement::Verdict(super::gate_verdict(service, gate)));
        chain = chain.with(Rule::new(std::iter::once(is_within).chain(verdict)));
    }
    chain.with(Statement::Verdict(Verdict::Drop))
}

/// Leads clients outside the cluster, and those inside that come to addresses for the others.
fn external_chain(own: ChainName, service: &ServiceChains, handling: &Handling, layout: &ChainsLayout) -> Chain {
    let mark = || Statement::jump(name(fixed::MARK));
    let mut chain = Chain::new(own);
    match handling.masquerade {
        Masquerade::Everyone => chain = chain.with(mark()),
        Masquerade::Node => chain = chain.with(Rule::new([is_local(Side::Source), mark()])),
        Masquerade::Outsiders => {}
    }
    let to = |lead| {
        Statement::Verdict(match lead {
            Lead::Anywhere => Verdict::Goto(anywhere_name(service)),
            Lead::Here => Verdict::Goto(here_name(service)),
            Lead::Refuse | Lead::Drop => lead_nowhere(lead),
        })
    };
    if handling.inside != handling.outside {
        for is_inside in are_pods(layout).into_iter().chain([is_local(Side::Source)]) {
            chain = chain.with(Rule::new([is_inside, to(handling.inside)]));
        }
    }
    chain.with(to(handling.outside))
}

/// The sets of clients that endpoints had, where a client is to have the same again.
pub(super) fn clients(service: &ServiceChains, layout: &ChainsLayout) -> Vec<Set> {
    let Some(seconds) = service.affinity else { return Vec::new() };
    let set = |endpoint| {
        let key = KeyType::of_expressions([Expression::saddr(layout.family)]).expect("an address has a type");
        let mut spec = SetSpec::new(clients_name(service, endpoint), key);
        spec = spec.sized(layout.node.affinity_size.unwrap_or(CLIENTS));
        spec.flags.dynamic = true;
        spec.flags.timeout = true;
        spec.timeout_ms = Some(u64::from(seconds) * 1000);
        Set::new(spec)
    };
    service.endpoints.iter().map(set).collect()
}

/// How many clients an endpoint remembers, if nothing else is said.
const CLIENTS: u32 = 65_536;

/// Leads a client to the endpoint it had, or chooses one by its share.
fn service_chain(name: ChainName, service: &ServiceChains, choice: &Choice) -> Chain {
    let endpoints: Vec<_> = service.among(choice).collect();
    let mut chain = Chain::new(name);
    for (endpoint, _) in endpoints.iter().filter(|_| service.affinity.is_some()) {
        let family = if endpoint.address.is_ipv4() { Family::Ip } else { Family::Ip6 };
        let had_it = Statement::is_in(Expression::saddr(family), clients_name(service, endpoint));
        chain = chain.with(Rule::new([had_it, Statement::goto(endpoint_name(service, endpoint))]));
    }
    let (last, others) = endpoints.split_last().expect("what leads to endpoints has one");
    if !others.is_empty() {
        chain = chain.with(choose(service, others, choice.total));
    }
    chain.with(Statement::goto(endpoint_name(service, last.0)))
}

/// `numgen random mod N vmap { 0 : goto …, 1 : goto … }`: as many numbers for an endpoint as it has shares. Those of
/// the last endpoint are not in the map: a plain `goto` in the next rule takes them.
///
/// That rule also serves the packets that are on their way through the chain when a commit replaces it. They keep to the
/// old rules, whose anonymous map matches nothing from the moment of the commit on (the kernel makes its elements
/// inactive with it: `nft_map_deactivate`); without the last rule they would leave untranslated, and conntrack would
/// keep it so for the whole connection.
fn choose(service: &ServiceChains, endpoints: &[(&EndpointChain, u32)], total: u32) -> Statement {
    let key = KeyType::single(Field {
        datatype: DataType::Integer,
        bits: 32,
        byte_order: ByteOrder::Host,
        declared_as: None,
    });
    let chains = endpoints.iter().flat_map(|(endpoint, share)| {
        let goto = Verdict::Goto(endpoint_name(service, endpoint));
        std::iter::repeat_n(goto, *share as usize)
    });
    let element = |(number, verdict)| {
        let number: u32 = number;
        Element::new(number.to_be_bytes().into(), Data::Verdict(verdict))
    };
    let elements = (0..).zip(chains).map(element).collect();
    let map = AnonymousSet { key, data: DataKind::Verdict, interval: false, elements };
    let family = if endpoints[0].0.address.is_ipv4() { Family::Ip } else { Family::Ip6 };
    let numgen = |mode| Expression::Numgen(Numgen { mode, modulus: total, offset: 0 });
    let key = match service.balance {
        Balance::Random => numgen(NumgenMode::Random),
        Balance::RoundRobin => numgen(NumgenMode::Inc),
        Balance::SourceHash => Expression::Hash(Hash::Jhash {
            key: Box::new(Expression::saddr(family)),
            modulus: total,
            seed: Some(SEED),
            offset: 0,
        }),
    };
    Statement::Vmap { key, map: Expression::Set(Box::new(map)) }
}

/// Where hashes start: the same everywhere, so that a client has the same endpoint after the rules were made anew.
const SEED: u32 = 0x7275_6c65;

/// Marks packets of the endpoint itself, whose answers would not come back through here, and translates.
fn endpoint_chain(service: &ServiceChains, endpoint: &EndpointChain) -> Chain {
    let address = Value::address(endpoint.address.ip());
    let family = if endpoint.address.is_ipv4() { Family::Ip } else { Family::Ip6 };
    let protocol = Statement::equals(MetaKey::L4proto, Value::protocol(service.identity.protocol.number()));
    let nat = Nat {
        address: Some(address.clone().into()),
        port: Some(Value::port(endpoint.address.port()).into()),
        ..Nat::new(NatKind::Dnat)
    };
    let mut chain = Chain::new(endpoint_name(service, endpoint));
    if endpoint.here {
        let is_itself = Statement::equals(Expression::saddr(family), address);
        chain = chain.with(Rule::new([is_itself, Statement::jump(name(fixed::MARK))]));
    }
    if service.affinity.is_some() {
        // A rule of its own: where the set is full, it ends here, and the client is served all the same.
        chain = chain.with(Statement::SetUpdate(Box::new(SetUpdate {
            op: SetUpdateOp::Update,
            set: clients_name(service, endpoint),
            key: Expression::saddr(family),
            data: None,
            timeout_ms: None,
            statements: Vec::new(),
        })));
    }
    chain.with(Rule::new([protocol, nat.into()]))
}
