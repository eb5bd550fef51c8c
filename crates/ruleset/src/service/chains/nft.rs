//! The chains layout in nft's words.

use std::net::SocketAddr;

use crate::ir::{
    AnonymousSet, BaseChain, BinaryOp, ByteOrder, Chain, ChainName, ChainType, Comment, Data, DataKind, DataType,
    Element, Expression, Family, Field, Hook, KeyType, MetaKey, Nat, NatFlags, NatKind, Numgen, NumgenMode,
    PayloadField, Priority, Reject, RelationalOp, Rule, Set, SetName, SetSpec, Statement, Table, Value, Verdict,
    VerdictMap,
};
use crate::service::{CompileOptions, Frontend, TABLE_COMMENT};

use super::super::frontend::Reach;
use super::layout::{ChainHash, ChainsLayout, EndpointChain, Identity, Outside, ServiceChain};

/// The table of one family.
pub(super) fn table(layout: &ChainsLayout, options: &CompileOptions) -> Table {
    let services = SetName::new("services").expect("a short word is a name");
    let mut table = Table::new(layout.family, options.table.clone());
    table.comment = Some(Comment::new(TABLE_COMMENT).expect("the comment is short"));
    let cluster_ips = SetName::new("cluster-ips").expect("a short word is a name");
    table.sets.insert(frontends(layout, services.clone()).into());
    table.sets.insert(own_addresses(layout, cluster_ips.clone()).into());
    table.chains.extend(base_chains(layout));
    table.chains.insert(frontends_chain(layout.family, services, cluster_ips));
    table.chains.extend([mark_chain(layout), outside_chain(layout), refuse_chain(layout.family)]);
    for service in &layout.services {
        table.chains.extend(service.endpoints.iter().map(|endpoint| endpoint_chain(service, endpoint)));
        table.chains.insert(service_chain(service));
        if service.has_external_ip() {
            table.chains.insert(external_chain(service));
        }
    }
    table
}

/// The names of the fixed chains.
mod fixed {
    pub(super) const FRONTENDS: &str = "frontends";
    pub(super) const MARK: &str = "mark-masquerade";
    pub(super) const OUTSIDE: &str = "mark-outside";
    pub(super) const REFUSE: &str = "refuse";
}

fn name(text: &str) -> ChainName {
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

fn service_name(service: &ServiceChain) -> ChainName {
    chain_name("svc", &service.identity.hash, &service.identity, None)
}

fn external_name(service: &ServiceChain) -> ChainName {
    chain_name("ext", &service.identity.hash, &service.identity, None)
}

fn endpoint_name(service: &ServiceChain, endpoint: &EndpointChain) -> ChainName {
    chain_name("ep", &endpoint.hash, &service.identity, Some(endpoint.address))
}

/// `ip daddr . meta l4proto . th dport`.
fn frontend_key(family: Family) -> [Expression; 3] {
    [Expression::daddr(family), Expression::Meta(MetaKey::L4proto), Expression::field(PayloadField::TH_DPORT)]
}

fn frontends(layout: &ChainsLayout, services: SetName) -> VerdictMap {
    let key = KeyType::of_expressions(frontend_key(layout.family)).expect("these expressions have types");
    let mut map = VerdictMap::new(SetSpec::new(services, key));
    let mut elements = Vec::new();
    let mut element = |frontend: &Frontend, chain: ChainName, comment: Option<Comment>| {
        let Frontend { address, protocol, port } = *frontend;
        let values = [Value::address(address), Value::protocol(protocol.number()), Value::port(port)];
        let key = map.spec.key.pack(&values).expect("the values have the fields' types");
        let element = Element::new(key, Data::Verdict(Verdict::Goto(chain)));
        elements.push(match comment {
            Some(comment) => element.commented(comment),
            None => element,
        });
    };
    for service in &layout.services {
        for (frontend, reach) in &service.frontends {
            let chain = match reach {
                Reach::Cluster => service_name(service),
                Reach::External => external_name(service),
            };
            element(frontend, chain, None);
        }
    }
    for refused in &layout.refused {
        element(&refused.frontend, name(fixed::REFUSE), refused_comment(&refused.identity));
    }
    map.elements = elements.into();
    map
}

/// Whose frontend it is; cut to what fits in the worst case of four bytes a character.
fn refused_comment(identity: &Identity) -> Option<Comment> {
    let label = identity.label();
    let plain = |c: char| if c.is_control() || c == '"' { ' ' } else { c };
    Comment::new(label.chars().map(plain).take(Comment::MAX / 4).collect::<String>()).ok()
}

fn own_addresses(layout: &ChainsLayout, cluster_ips: SetName) -> Set {
    let key = KeyType::of_expressions([Expression::daddr(layout.family)]).expect("an address has a type");
    let mut set = Set::new(SetSpec::new(cluster_ips, key));
    for address in &layout.cluster_ips {
        set.insert(&[Value::address(*address)]).expect("addresses are of the layout's family");
    }
    set
}

/// What no service answers at a cluster IP is refused.
fn frontends_chain(family: Family, services: SetName, cluster_ips: SetName) -> Chain {
    Chain::new(name(fixed::FRONTENDS)).with(Statement::vmap(Expression::concat(frontend_key(family)), services)).with(
        Rule::new([Statement::is_in(Expression::daddr(family), cluster_ips), Statement::goto(name(fixed::REFUSE))]),
    )
}

/// The base chains: translation before those of others, masquerade before theirs.
fn base_chains(layout: &ChainsLayout) -> [Chain; 3] {
    let base = |name_text: &str, hook, priority| {
        let base = BaseChain::new(layout.family, hook, ChainType::Nat, Priority(priority));
        Chain::base(name(name_text), base.expect("a nat chain can be at this hook"))
    };
    let mark = || Expression::Value(Value::mark(layout.mark));
    let masquerade =
        Nat { flags: NatFlags { fully_random: true, ..NatFlags::default() }, ..Nat::new(NatKind::Masquerade) };
    let marked = Statement::Match { left: mark_with(BinaryOp::And, mark()), op: RelationalOp::Eq, right: mark() };
    [
        base("prerouting", Hook::Prerouting, -101).with(Statement::jump(name(fixed::FRONTENDS))),
        base("output", Hook::Output, -101).with(Statement::jump(name(fixed::FRONTENDS))),
        base("postrouting", Hook::Postrouting, 99).with(Rule::new([
            marked,
            Statement::set_mark(mark_with(BinaryOp::Xor, mark())),
            masquerade.into(),
        ])),
    ]
}

/// The packet mark combined with bits.
fn mark_with(op: BinaryOp, bits: Expression) -> Expression {
    Expression::Binary { op, left: Box::new(MetaKey::Mark.into()), right: Box::new(bits) }
}

fn mark_chain(layout: &ChainsLayout) -> Chain {
    let bits = Expression::Value(Value::mark(layout.mark));
    Chain::new(name(fixed::MARK)).with(Statement::set_mark(mark_with(BinaryOp::Or, bits)))
}

/// Marks clients of cluster IPs that are outside the pod networks.
fn outside_chain(layout: &ChainsLayout) -> Chain {
    let chain = Chain::new(name(fixed::OUTSIDE));
    match &layout.outside {
        Outside::Unknown => chain,
        Outside::Everyone => chain.with(Statement::goto(name(fixed::MARK))),
        Outside::AllBut { cidrs, interfaces } => {
            let inside = |left: Expression, right| {
                Rule::new([Statement::matches(left, right), Statement::Verdict(Verdict::Return)])
            };
            let mut chain = chain;
            for cidr in cidrs {
                let network = Expression::Value(Value::address(cidr.addr()));
                let network = Expression::Prefix(Box::new(network), cidr.prefix_len().into());
                chain.rules.push(inside(Expression::saddr(layout.family), network));
            }
            for interface in interfaces {
                chain.rules.push(inside(MetaKey::Iifname.into(), Value::ifname(interface).into()));
            }
            chain.with(Statement::goto(name(fixed::MARK)))
        }
    }
}

/// A reset for TCP, for it is not rate limited as ICMP errors are; port unreachable for the others.
fn refuse_chain(family: Family) -> Chain {
    let tcp = Statement::equals(MetaKey::L4proto, Value::protocol(6));
    Chain::new(name(fixed::REFUSE))
        .with(Rule::new([tcp, Reject::TcpReset.into()]))
        .with(Statement::from(Reject::default_for(family)))
}

fn service_chain(service: &ServiceChain) -> Chain {
    let mut chain = Chain::new(service_name(service));
    if service.has_cluster_ip() {
        chain = chain.with(Statement::jump(name(fixed::OUTSIDE)));
    }
    let (last, others) = service.endpoints.split_last().expect("a service chain has an endpoint");
    if !others.is_empty() {
        chain = chain.with(choice(service, others));
    }
    chain.with(Statement::goto(endpoint_name(service, last)))
}

/// `numgen random mod N vmap { 0 : goto …, 1 : goto … }`: as many numbers for an endpoint as it has shares. Those of
/// the last endpoint are not in the map: a plain `goto` in the next rule takes them.
///
/// That rule also serves the packets that are on their way through the chain when a commit replaces it. They keep to the
/// old rules, whose anonymous map matches nothing from the moment of the commit on (the kernel makes its elements
/// inactive with it: `nft_map_deactivate`); without the last rule they would leave untranslated, and conntrack would
/// keep it so for the whole connection.
fn choice(service: &ServiceChain, endpoints: &[EndpointChain]) -> Statement {
    let key = KeyType::single(Field {
        datatype: DataType::Integer,
        bits: 32,
        byte_order: ByteOrder::Host,
        declared_as: None,
    });
    let chains = endpoints.iter().flat_map(|endpoint| {
        let goto = Verdict::Goto(endpoint_name(service, endpoint));
        std::iter::repeat_n(goto, endpoint.share as usize)
    });
    let element = |(number, verdict)| {
        let number: u32 = number;
        Element::new(number.to_be_bytes().into(), Data::Verdict(verdict))
    };
    let elements = (0..).zip(chains).map(element).collect();
    let map = AnonymousSet { key, data: DataKind::Verdict, interval: false, elements };
    let number = Numgen { mode: NumgenMode::Random, modulus: service.shares, offset: 0 };
    Statement::Vmap { key: Expression::Numgen(number), map: Expression::Set(Box::new(map)) }
}

fn external_chain(service: &ServiceChain) -> Chain {
    Chain::new(external_name(service))
        .with(Statement::jump(name(fixed::MARK)))
        .with(Statement::goto(service_name(service)))
}

fn endpoint_chain(service: &ServiceChain, endpoint: &EndpointChain) -> Chain {
    let address = Value::address(endpoint.address.ip());
    let family = if endpoint.address.is_ipv4() { Family::Ip } else { Family::Ip6 };
    let protocol = Statement::equals(MetaKey::L4proto, Value::protocol(service.identity.protocol.number()));
    let nat = Nat {
        address: Some(address.clone().into()),
        port: Some(Value::port(endpoint.address.port()).into()),
        ..Nat::new(NatKind::Dnat)
    };
    Chain::new(endpoint_name(service, endpoint))
        .with(Rule::new([Statement::equals(Expression::saddr(family), address), Statement::jump(name(fixed::MARK))]))
        .with(Rule::new([protocol, nat.into()]))
}

#[cfg(test)]
mod tests {
    use super::super::compile;
    use super::super::tests::shop;
    use super::*;
    use crate::service::ServiceName;

    #[test]
    fn the_rules_of_a_shop() {
        insta::assert_snapshot!("shop", compile(&shop(), &CompileOptions::default()).ruleset);
    }

    #[test]
    fn every_rule_has_a_program() {
        let lowered = crate::lower::lower(compile(&shop(), &CompileOptions::default()).ruleset);
        assert_eq!(lowered.map(drop), Ok(()));
    }

    #[test]
    fn the_longest_names_make_chains_the_kernel_takes() {
        let mut map = shop();
        map.services[0].name = ServiceName::new(&"ns/é ".repeat(60), &"\"name\n".repeat(60));
        let ruleset = compile(&map, &CompileOptions::default()).ruleset;
        let table = ruleset.tables().next().unwrap();
        let longest = table.chains.iter().map(|chain| chain.name.as_str()).max_by_key(|name| name.len()).unwrap();
        assert!(longest.len() > 200, "{longest}");
        assert!(longest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b)), "{longest}");
    }
}
