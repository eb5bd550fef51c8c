//! The tables of the maps layout without their elements: chains, rules and declarations of sets.
//!
//! ```text
//! prerouting, output ─► frontends ─► services ─► lb-S ─► dnat … map @endpoints
//!                           │            └─────► refuse
//!                           └─ cluster-ips ────► refuse
//! postrouting ─► translated ─► masquerade-all      (decided by the address the client asked for)
//! ```
//!
//! All of it is in nat chains, which only the first packet of a connection goes through. There are no packet marks: in
//! postrouting, `ct original` still tells which frontend the client meant. Features that concern few frontends become
//! stages: chains between `services` and `lb-S` that only those frontends' verdicts lead to.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ir::{
    AnonymousSet, AnySet, BaseChain, Chain, ChainName, ChainType, Comment, CtKey, Data, DataKind, DataType, Element,
    Elements, Expression, Family, Field, Hook, Key, KeyType, MetaKey, Nat, NatKind, Numgen, NumgenMode, PayloadField,
    Priority, Reject, Rule, SetName, SetSpec, Statement, Table, TableId, Value,
};

use super::super::{NodeSettings, Protocol, TABLE_COMMENT, pods};
use super::pool::Pool;

/// Frontends to verdicts: `daddr . meta l4proto . th dport : verdict`.
pub(super) const SERVICES: &str = "services";
/// Slots to endpoints: `daddr . meta l4proto . th dport . numgen random mod 2 : daddr . th dport`.
pub(super) const ENDPOINTS: &str = "endpoints";
/// Virtual addresses that are ours as a whole: what no service answers there is refused.
pub(super) const CLUSTER_IPS: &str = "cluster-ips";
/// Networks that pods are in.
pub(super) const POD_CIDRS: &str = "pod-cidrs";
/// Frontends whose traffic is masqueraded, and how.
pub(super) const MASQUERADE_SERVICES: &str = "masquerade-services";
/// Endpoints of this node as clients of themselves: `saddr . daddr . meta l4proto . th dport`.
pub(super) const HAIRPIN: &str = "hairpin";

/// The chain that rejects.
pub(super) const REFUSE: &str = "refuse";
/// The chain that masquerades.
pub(super) const MASQUERADE_ALL: &str = "masquerade-all";

/// Before the `dstnat` chains of others (-100), so that a virtual address is ours first.
const DSTNAT: Priority = Priority(-101);
/// Before the `srcnat` chains of others (100): after one of them has masqueraded, ours are not asked.
const SRCNAT: Priority = Priority(99);

/// Any number will do: it gives the field its type. It is what nft writes for the map's declaration, byte for byte.
const SLOT: Expression = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 });

/// The sets that change with services, in the order of their declaration.
pub(super) const CHANGING: [&str; 5] = [SERVICES, ENDPOINTS, CLUSTER_IPS, MASQUERADE_SERVICES, HAIRPIN];

/// The chain of that name.
pub(super) fn chain_name(name: &str) -> ChainName {
    ChainName::new(name).expect("the names of this layout are short words")
}

/// The set of that name.
pub(super) fn set_name(name: &str) -> SetName {
    SetName::new(name).expect("the names of this layout are short words")
}

/// A table without services: `pools` are the pools it has beside those every table has.
pub(super) fn table(id: &TableId, node: &NodeSettings, pools: impl IntoIterator<Item = Pool>) -> Table {
    let family = id.family;
    let mut table = Table::new(family, id.name.clone());
    table.comment = Some(Comment::new(TABLE_COMMENT).expect("the comment is short"));
    table.sets.extend(CHANGING.map(|name| set(name, family)));
    table.sets.extend(pod_cidrs(node, family));
    table.chains.extend(entry_chains(family));
    let (endpoints, refuse) = (set_name(ENDPOINTS), chain_name(REFUSE));
    let pools = Pool::ALWAYS.into_iter().chain(pools);
    table.chains.extend(pools.map(|pool| pool.chain(family, &endpoints, &refuse)));
    table.chains.extend(exit_chains(family, &table, node));
    table
}

/// The declaration of one of the sets that change with services.
pub(super) fn set(name: &str, family: Family) -> AnySet {
    let daddr = || Expression::daddr(family);
    let frontend = || vec![daddr(), Expression::Meta(MetaKey::L4proto), Expression::field(PayloadField::TH_DPORT)];
    let (key, data) = match name {
        ENDPOINTS => {
            let data = type_of(vec![daddr(), Expression::field(PayloadField::TH_DPORT)]);
            ([frontend(), vec![SLOT]].concat(), DataKind::Value { data, interval: false })
        }
        CLUSTER_IPS => (vec![daddr()], DataKind::None),
        HAIRPIN => ([vec![Expression::saddr(family)], frontend()].concat(), DataKind::None),
        _ => (frontend(), DataKind::Verdict),
    };
    AnySet::new(SetSpec::new(set_name(name), type_of(key)).sized(super::size::of(name, 0)), data)
}

/// Always `typeof`: nft 1.0.6 crashes at what newer versions declare by `type` for single fields and verdict maps.
/// `th dport` and not `tcp dport`: from the latter nft would conclude that the map is for TCP.
fn type_of(expressions: Vec<Expression>) -> KeyType {
    KeyType::of_expressions(expressions).expect("header fields and numbers have types of their own")
}

/// The networks pods are in, as a set without overlaps; `None` if no such network of the family is known.
fn pod_cidrs(node: &NodeSettings, family: Family) -> Option<AnySet> {
    let nets = pods::pod_cidrs(node, family);
    if nets.is_empty() {
        return None;
    }
    let element = |net: &IpNet| Element { key: range(net.network(), net.broadcast()), data: Data::None, extra: None };
    let spec = SetSpec::new(set_name(POD_CIDRS), type_of(vec![Expression::saddr(family)])).interval();
    Some(AnySet::new(spec, DataKind::None).with_elements(nets.iter().map(element).collect()))
}

fn range(first: IpAddr, last: IpAddr) -> Key {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Key::range(&first.octets(), &last.octets()),
        (IpAddr::V6(first), IpAddr::V6(last)) => Key::range(&first.octets(), &last.octets()),
        _ => unreachable!("both ends of a network are of one family"),
    }
}

/// The chains up to the pools.
fn entry_chains(family: Family) -> Vec<Chain> {
    let frontends = chain_name("frontends");
    let frontend = Expression::concat([
        Expression::daddr(family),
        Expression::Meta(MetaKey::L4proto),
        Expression::field(PayloadField::TH_DPORT),
    ]);
    let on_cluster_ips = Statement::is_in(Expression::daddr(family), set_name(CLUSTER_IPS));
    let tcp = Statement::equals(MetaKey::L4proto, Value::protocol(Protocol::Tcp.number()));
    vec![
        base(family, Hook::Prerouting, DSTNAT).with(Statement::jump(frontends.clone())),
        base(family, Hook::Output, DSTNAT).with(Statement::jump(frontends.clone())),
        Chain::new(frontends)
            .with(Statement::vmap(frontend, set_name(SERVICES)))
            .with(Rule::from(on_cluster_ips).with(Statement::goto(chain_name(REFUSE)))),
        Chain::new(chain_name(REFUSE))
            .with(Rule::from(tcp).with(Reject::TcpReset))
            .with(Statement::from(Reject::default_for(family))),
    ]
}

/// The chains after routing.
fn exit_chains(family: Family, table: &Table, node: &NodeSettings) -> Vec<Chain> {
    let masquerade_all = chain_name(MASQUERADE_ALL);
    // Only destinations that were rewritten: what the kernel calls IPS_DST_NAT (linux/netfilter/nf_conntrack_common.h).
    let rewritten = Statement::equals(Expression::ct(CtKey::Status), Value::number(DataType::CtStatus, 1 << 5));
    let hairpin = Expression::concat([
        Expression::saddr(family),
        Expression::daddr(family),
        Expression::Meta(MetaKey::L4proto),
        Expression::field(PayloadField::TH_DPORT),
    ]);
    let mut translated = Chain::new(chain_name("translated"))
        .with(Rule::from(Statement::is_in(hairpin, set_name(HAIRPIN))).with(Statement::goto(masquerade_all.clone())));
    if let Some(outside) = outside(node, table.sets.contains(POD_CIDRS), family) {
        let asked = Statement::is_in(asked_address(family), set_name(CLUSTER_IPS));
        let statements = std::iter::once(asked).chain(outside).chain([Statement::goto(masquerade_all.clone())]);
        translated = translated.with(Rule::new(statements));
    }
    let asked = Expression::concat([
        asked_address(family),
        Expression::Meta(MetaKey::L4proto),
        Expression::ct_original(CtKey::ProtoDst),
    ]);
    let masquerade = Statement::vmap(asked, set_name(MASQUERADE_SERVICES));
    let mut nat = Nat::new(NatKind::Masquerade);
    nat.flags.fully_random = true;
    vec![
        base(family, Hook::Postrouting, SRCNAT)
            .with(Rule::from(rewritten).with(Statement::goto(translated.name.clone()))),
        translated.with(Rule::from(transport()).with(masquerade)),
        Chain::new(masquerade_all).with(Statement::from(nat)),
    ]
}

/// The address the client asked for, before it was rewritten.
fn asked_address(family: Family) -> Expression {
    Expression::ct_original(if family == Family::Ip6 { CtKey::DaddrIp6 } else { CtKey::DaddrIp })
}

/// `meta l4proto { tcp, udp, sctp }`: without it nft cannot tell the type of `ct original proto-dst` after it.
fn transport() -> Statement {
    let key = |protocol: Protocol| Element::new([protocol.number()].into(), Data::None);
    let elements: Elements = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(key).into_iter().collect();
    let set = AnonymousSet {
        key: KeyType::single(Field::of_type(DataType::InetProto)),
        data: DataKind::None,
        interval: false,
        elements,
    };
    Statement::matches(MetaKey::L4proto, Expression::Set(Box::new(set)))
}

/// What says that a client is outside the pod networks: all of it must hold. `None` if pods cannot be told from others.
///
/// The interface a packet came in by is known in postrouting, too (`ip_output`, net/ipv4/ip_output.c); what the node
/// itself sends has none and is outside.
fn outside(node: &NodeSettings, cidrs: bool, family: Family) -> Option<Vec<Statement>> {
    if node.masquerade_all {
        return Some(Vec::new());
    }
    let mut statements = Vec::new();
    if cidrs {
        statements.push(Statement::differs(Expression::saddr(family), Expression::SetRef(set_name(POD_CIDRS))));
    }
    for name in pods::pod_interfaces(node).0 {
        statements.push(Statement::differs(MetaKey::Iifname, Expression::Value(Value::ifname(&name))));
    }
    (!statements.is_empty()).then_some(statements)
}

fn base(family: Family, hook: Hook, priority: Priority) -> Chain {
    let base = BaseChain::new(family, hook, ChainType::Nat, priority).expect("ip and ip6 have nat chains at all three");
    Chain::base(chain_name(hook.keyword()), base)
}
