//! The tables of the maps layout without their elements: chains, rules and declarations of sets.
//!
//! ```text
//! prerouting, output ─► frontends ─► services ─► [restricted] ─► [sticky] ─► [local] ─► lb-S ─► dnat … map @endpoints
//!                           │            │                           │           ├────► here-S ► dnat … map @local-endpoints
//!                           │            └───────────────────────────┴─► refuse, drop
//!                           ├─ nodeports ─► [nodeport-sticky] ─► [nodeport-local] ─► np-S, np-here-S, refuse, drop
//!                           └─ cluster-ips ─► refuse
//! postrouting ─► translated ─► masquerade-all, masquerade-node     (decided by what the client asked for)
//!                    └─► remember ─► remember-T   ◄─ input
//! ```
//!
//! All of it is in nat chains, which only the first packet of a connection goes through. There are no packet marks: in
//! postrouting, `ct original` still tells which frontend the client meant. Features that concern few frontends are
//! stages, in brackets: chains between `services` and the pools that only those frontends' verdicts lead to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::ir::{
    AnonymousSet, AnySet, BaseChain, Chain, ChainName, ChainType, Comment, CtKey, Data, DataKind, DataType, Element,
    Elements, Expression, Family, FibFlags, FibResult, Field, Hook, Key, KeyType, MetaKey, Nat, NatKind, Numgen,
    NumgenMode, PayloadField, Priority, Reject, Rule, SetName, SetSpec, Statement, Table, TableId, Value, Verdict,
};

use super::super::frontend::family_of;
use super::super::node_ports::{self, Answering};
use super::super::{NodeSettings, Protocol, Refusal, TABLE_COMMENT, pods};
use super::affinity;
use super::pool::Pool;
use super::sets::{Filled, Group, Site};

/// Networks that pods are in.
pub(super) const POD_CIDRS: &str = "pod-cidrs";
/// Networks in which the node's own addresses answer at node ports.
const NODEPORT_ADDRESSES: &str = "nodeport-addresses";
/// Networks of services: what is sent to addresses in them that no service has is dropped.
const SERVICE_CIDRS: &str = "service-cidrs";

/// The chain that rejects.
pub(super) const REFUSE: &str = "refuse";
/// The chain that lets only clients in a frontend's source ranges through.
pub(super) const RESTRICTED: &str = "restricted";
/// The chain that masquerades.
pub(super) const MASQUERADE_ALL: &str = "masquerade-all";
/// The chain that masquerades the node itself.
pub(super) const MASQUERADE_NODE: &str = "masquerade-node";

/// Before the `dstnat` chains of others (-100), so that a virtual address is ours first.
const DSTNAT: Priority = Priority(-101);
/// Before the `srcnat` chains of others (100): after one of them has masqueraded, ours are not asked.
const SRCNAT: Priority = Priority(99);

/// Any number will do: it gives the field its type. It is what nft writes for the map's declaration, byte for byte.
const SLOT: Expression = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 });

/// The chain of that name.
pub(super) fn chain_name(name: &str) -> ChainName {
    ChainName::new(name).expect("the names of this layout are short words")
}

/// The set of that name.
pub(super) fn set_name(name: &str) -> SetName {
    SetName::new(name).expect("the names of this layout are short words")
}

/// A table without services, with pools for each group of endpoints up to `largest`, and chains that remember for those
/// seconds.
pub(super) fn table(
    id: &TableId,
    node: &NodeSettings,
    largest: [Option<Pool>; Group::ALL.len()],
    timeouts: &BTreeSet<u32>,
) -> Table {
    let family = id.family;
    let mut table = Table::new(family, id.name.clone());
    table.comment = Some(Comment::new(TABLE_COMMENT).expect("the comment is short"));
    table.sets.extend(Filled::ALL.map(|filled| set(filled, family)));
    table.sets.extend(affinity::memories(node, family));
    table.sets.extend(network_sets(node, family));
    table.chains.extend(entry_chains(family, node));
    table.chains.extend(stage_chains(family, node));
    for (group, largest) in Group::ALL.into_iter().zip(largest) {
        table.chains.extend(Pool::up_to(largest).map(|pool| pool.chain(group, family)));
    }
    table.chains.extend(Site::ALL.map(|site| affinity::sticky(site, family)));
    for seconds in timeouts {
        table.chains.extend(Site::ALL.map(|site| affinity::remember(site, family, *seconds)));
    }
    table.chains.extend(exit_chains(family, node));
    table
}

/// `ip daddr . meta l4proto . th dport`; without the address for node ports.
pub(super) fn frontend_key(site: Site, family: Family) -> Vec<Expression> {
    let port = [Expression::Meta(MetaKey::L4proto), Expression::field(PayloadField::TH_DPORT)];
    let address = (site == Site::Address).then(|| Expression::daddr(family));
    address.into_iter().chain(port).collect()
}

/// The declaration of one of the sets that services fill.
pub(super) fn set(filled: Filled, family: Family) -> AnySet {
    let key = |site| frontend_key(site, family);
    let target = || DataKind::Value {
        data: type_of(vec![Expression::daddr(family), Expression::field(PayloadField::TH_DPORT)]),
        interval: false,
    };
    let (key, data) = match filled {
        Filled::Endpoints | Filled::LocalEndpoints => ([key(Site::Address), vec![SLOT]].concat(), target()),
        Filled::NodeportEndpoints | Filled::LocalNodeportEndpoints => {
            ([key(Site::NodePort), vec![SLOT]].concat(), target())
        }
        Filled::ClusterIps => (vec![Expression::daddr(family)], DataKind::None),
        Filled::Hairpin => ([vec![Expression::saddr(family)], key(Site::Address)].concat(), DataKind::None),
        Filled::SourceRanges => ([key(Site::Address), vec![Expression::saddr(family)]].concat(), DataKind::None),
        Filled::StickyMembers => (member_key(Site::Address, family), DataKind::None),
        Filled::StickyNodeportMembers => (member_key(Site::NodePort, family), DataKind::None),
        Filled::StickyNodeports | Filled::AffinityNodeports => (key(Site::NodePort), DataKind::Verdict),
        Filled::StickyServices | Filled::AffinityRecords => (key(Site::Address), DataKind::Verdict),
        Filled::Nodeports | Filled::LocalNodeports | Filled::NodeportShortCircuits | Filled::MasqueradeNodeports => {
            (key(Site::NodePort), DataKind::Verdict)
        }
        Filled::Services
        | Filled::RestrictedServices
        | Filled::LocalServices
        | Filled::ShortCircuits
        | Filled::MasqueradeServices => (key(Site::Address), DataKind::Verdict),
    };
    let spec = SetSpec::new(filled.set_name(), type_of(key)).sized(super::size::of(filled, 0));
    AnySet::new(if filled == Filled::SourceRanges { spec.interval() } else { spec }, data)
}

/// … `. daddr . th dport`: a frontend with one of its endpoints.
fn member_key(site: Site, family: Family) -> Vec<Expression> {
    let endpoint = [Expression::daddr(family), Expression::field(PayloadField::TH_DPORT)];
    frontend_key(site, family).into_iter().chain(endpoint).collect()
}

/// Always `typeof`: nft 1.0.6 crashes at what newer versions declare by `type` for single fields and verdict maps.
/// `th dport` and not `tcp dport`: from the latter nft would conclude that the map is for TCP.
pub(super) fn type_of(expressions: Vec<Expression>) -> KeyType {
    KeyType::of_expressions(expressions).expect("header fields and numbers have types of their own")
}

/// The sets of networks: those that are known, each without overlaps.
fn network_sets(node: &NodeSettings, family: Family) -> Vec<AnySet> {
    let (saddr, daddr) = (Expression::saddr(family), Expression::daddr(family));
    let answering = Answering::of(node, family).and_then(|answering| answering.networks);
    [
        (POD_CIDRS, saddr, pods::pod_cidrs(node, family)),
        (NODEPORT_ADDRESSES, daddr.clone(), answering.unwrap_or_default()),
        (SERVICE_CIDRS, daddr, unallocated(node, family)),
    ]
    .into_iter()
    .filter(|(_, _, nets)| !nets.is_empty())
    .map(|(name, field, nets)| {
        let element =
            |net: &IpNet| Element { key: range(net.network(), net.broadcast()), data: Data::None, extra: None };
        let spec = SetSpec::new(set_name(name), type_of(vec![field])).interval();
        AnySet::new(spec, DataKind::None).with_elements(nets.iter().map(element).collect())
    })
    .collect()
}

/// The networks in which what is sent to addresses of no service is dropped.
fn unallocated(node: &NodeSettings, family: Family) -> Vec<IpNet> {
    let of_family = |net: &&IpNet| node.drop_unallocated && family_of(net.addr()) == family;
    IpNet::aggregate(&node.service_cidrs.iter().filter(of_family).copied().collect())
}

fn range(first: IpAddr, last: IpAddr) -> Key {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Key::range(&first.octets(), &last.octets()),
        (IpAddr::V6(first), IpAddr::V6(last)) => Key::range(&first.octets(), &last.octets()),
        _ => unreachable!("both ends of a network are of one family"),
    }
}

/// `key vmap @set`.
pub(super) fn dispatch(site: Site, family: Family, set: Filled) -> Statement {
    Statement::vmap(Expression::concat(frontend_key(site, family)), set.set_name())
}

pub(super) fn drop_all() -> Statement {
    Statement::Verdict(Verdict::Drop)
}

/// The chains every new connection comes through, and the one that refuses.
fn entry_chains(family: Family, node: &NodeSettings) -> Vec<Chain> {
    let mut frontends = Chain::new(chain_name("frontends")).with(dispatch(Site::Address, family, Filled::Services));
    let mut refuse = Chain::new(chain_name(REFUSE));
    let answering = Answering::of(node, family);
    if let Some(answering) = &answering {
        frontends = frontends.with(node_ports(answering, family));
    }
    let on_cluster_ips = Statement::is_in(Expression::daddr(family), Filled::ClusterIps.set_name());
    frontends = frontends.with(Rule::from(on_cluster_ips).with(Statement::goto(chain_name(REFUSE))));
    if !unallocated(node, family).is_empty() {
        let on_services = Statement::is_in(Expression::daddr(family), set_name(SERVICE_CIDRS));
        frontends = frontends.with(Rule::from(on_services).with(drop_all()));
    }
    let base = |hook| base(family, hook, DSTNAT).with(Statement::jump(frontends.name.clone()));
    let (mut prerouting, output) = (base(Hook::Prerouting), base(Hook::Output));
    if answering.is_some_and(|answering| answering.loopback) {
        // Not in output: a reset that we send there for another address comes by.
        prerouting = prerouting.with(Rule::new(is_martian(family)).with(drop_all()));
        refuse = refuse.with(Rule::new(is_martian(family)).with(drop_all()));
    }
    if node.refusal == Refusal::Reset {
        // A reset is for TCP only: the match on it is made with the rule.
        refuse = refuse.with(Statement::from(Reject::TcpReset));
    }
    vec![prerouting, output, frontends, refuse.with(Statement::from(Reject::default_for(family)))]
}

/// Sends what comes to a node port on its way.
fn node_ports(answering: &Answering, family: Family) -> Rule {
    let daddr = || Expression::daddr(family);
    let in_networks = answering.networks.as_ref().map(|_| Statement::is_in(daddr(), set_name(NODEPORT_ADDRESSES)));
    let outside = answering.without(family).map(|net| Statement::differs(daddr(), network(&net)));
    let statements = in_networks
        .into_iter()
        .chain(outside)
        .chain([is_local(FibFlags { daddr: true, ..NO_FLAGS }), dispatch(Site::NodePort, family, Filled::Nodeports)]);
    Rule::new(statements)
}

/// What others than the node itself send to loopback addresses: the kernel routes it where node ports answer there.
fn is_martian(family: Family) -> [Statement; 2] {
    let loopback = || network(&node_ports::loopback(family));
    [
        Statement::matches(Expression::daddr(family), loopback()),
        Statement::differs(Expression::saddr(family), loopback()),
    ]
}

fn network(net: &IpNet) -> Expression {
    let address = Expression::Value(Value::address(net.network()));
    if net.prefix_len() == net.max_prefix_len() {
        return address;
    }
    Expression::Prefix(Box::new(address), net.prefix_len().into())
}

const NO_FLAGS: FibFlags = FibFlags { saddr: false, daddr: false, mark: false, iif: false, oif: false };

/// `fib saddr type local`, `fib daddr type local`: whether an address is one of the node.
fn is_local(flags: FibFlags) -> Statement {
    /// `RTN_LOCAL` (linux/rtnetlink.h).
    const LOCAL: u32 = 2;
    Statement::equals(Expression::Fib { flags, result: FibResult::Type }, Value::number(DataType::FibAddrType, LOCAL))
}

/// The stages between a frontend and its pool, for those that need them. What misses in a stage came in between two
/// generations of the maps: it is dropped, for its sender to try again.
fn stage_chains(family: Family, node: &NodeSettings) -> Vec<Chain> {
    let frontend_and_client = [frontend_key(Site::Address, family), vec![Expression::saddr(family)]].concat();
    let in_ranges = Statement::is_in(Expression::concat(frontend_and_client), Filled::SourceRanges.set_name());
    let restricted = Rule::from(in_ranges).with(dispatch(Site::Address, family, Filled::RestrictedServices));
    let mut chains = vec![Chain::new(chain_name(RESTRICTED)).with(restricted).with(drop_all())];
    for site in Site::ALL {
        let inside = chain_name(site.inside_chain());
        let mut local = Chain::new(chain_name(site.local_chain()));
        for is_inside in pods_or_node(family, node) {
            local = local.with(Rule::from(is_inside).with(Statement::goto(inside.clone())));
        }
        chains.push(local.with(dispatch(site, family, site.local())).with(drop_all()));
        chains.push(Chain::new(inside).with(dispatch(site, family, site.short_circuits())).with(drop_all()));
    }
    chains
}

/// What says, each by itself, that a client is a pod or the node.
fn pods_or_node(family: Family, node: &NodeSettings) -> Vec<Statement> {
    let cidrs = (!pods::pod_cidrs(node, family).is_empty())
        .then(|| Statement::is_in(Expression::saddr(family), set_name(POD_CIDRS)));
    let interfaces = pods::pod_interfaces(node).0.into_iter();
    let interfaces = interfaces.map(|name| Statement::matches(MetaKey::Iifname, Value::ifname(&name)));
    cidrs.into_iter().chain(interfaces).chain([is_local(FibFlags { saddr: true, ..NO_FLAGS })]).collect()
}

/// The chains after routing.
fn exit_chains(family: Family, node: &NodeSettings) -> Vec<Chain> {
    let masquerade_all = chain_name(MASQUERADE_ALL);
    // Only destinations that were rewritten: what the kernel calls IPS_DST_NAT (linux/netfilter/nf_conntrack_common.h).
    let rewritten = Statement::equals(Expression::ct(CtKey::Status), Value::number(DataType::CtStatus, 1 << 5));
    let client = std::iter::once(Expression::saddr(family));
    let hairpin = Expression::concat(client.chain(frontend_key(Site::Address, family)));
    let is_hairpin = Statement::is_in(hairpin, Filled::Hairpin.set_name());
    let remember = Chain::new(chain_name("remember"));
    let mut translated = Chain::new(chain_name("translated"))
        .with(Statement::jump(remember.name.clone()))
        .with(Rule::from(is_hairpin).with(Statement::goto(masquerade_all.clone())));
    if let Some(outside) = outside(node, family) {
        let asked = Statement::is_in(asked_address(family), Filled::ClusterIps.set_name());
        let statements = std::iter::once(asked).chain(outside).chain([Statement::goto(masquerade_all.clone())]);
        translated = translated.with(Rule::new(statements));
    }
    translated = translated.with(Rule::new([transport(), asked(Site::Address, family, Site::masquerade)]));
    let mut remember = remember.with(Rule::new([transport(), asked(Site::Address, family, Site::records)]));
    if let Some(answering) = Answering::of(node, family) {
        // Where all addresses answer, those of the node are not known by themselves; our other ones are.
        let asked_of_node = match answering.networks {
            Some(_) => Statement::is_in(asked_address(family), set_name(NODEPORT_ADDRESSES)),
            None => Statement::differs(asked_address(family), Expression::SetRef(Filled::ClusterIps.set_name())),
        };
        let rule = |set| Rule::new([asked_of_node.clone(), transport(), asked(Site::NodePort, family, set)]);
        translated = translated.with(rule(Site::masquerade));
        remember = remember.with(rule(Site::records));
    }
    let mut nat = Nat::new(NatKind::Masquerade);
    nat.flags.fully_random = !node.keep_source_ports;
    let is_node = is_local(FibFlags { saddr: true, ..NO_FLAGS });
    let rewritten = |chain: &Chain| Rule::from(rewritten.clone()).with(Statement::goto(chain.name.clone()));
    // In input nothing can be masqueraded: what gets to the node itself is only remembered.
    let mut chains = vec![
        base(family, Hook::Postrouting, SRCNAT).with(rewritten(&translated)),
        base(family, Hook::Input, SRCNAT).with(rewritten(&remember)),
        translated,
        remember,
        Chain::new(masquerade_all).with(Statement::from(nat.clone())),
        Chain::new(chain_name(MASQUERADE_NODE)).with(Rule::new([is_node, nat.into()])),
    ];
    chains.extend(node.drop_invalid.then(|| invalid(family)));
    chains
}

/// Drops what conntrack knows no connection for, on its way through the node.
fn invalid(family: Family) -> Chain {
    let base = BaseChain::new(family, Hook::Forward, ChainType::Filter, Priority::FILTER);
    let base = base.expect("every family has filter chains in forward");
    let is_invalid = Statement::equals(Expression::ct(CtKey::State), Value::number(DataType::CtState, 1));
    Chain::base(chain_name(Hook::Forward.keyword()), base).with(Rule::from(is_invalid).with(drop_all()))
}

/// Decides by the frontend the client asked for.
fn asked(site: Site, family: Family, set: fn(Site) -> Filled) -> Statement {
    let port = [Expression::Meta(MetaKey::L4proto), Expression::ct_original(CtKey::ProtoDst)];
    let address = (site == Site::Address).then(|| asked_address(family));
    Statement::vmap(Expression::concat(address.into_iter().chain(port)), set(site).set_name())
}

/// The address the client asked for, before it was rewritten.
pub(super) fn asked_address(family: Family) -> Expression {
    Expression::ct_original(if family == Family::Ip6 { CtKey::DaddrIp6 } else { CtKey::DaddrIp })
}

/// `meta l4proto { tcp, udp, sctp }`: without it nft cannot tell the type of `ct original proto-dst` after it.
pub(super) fn transport() -> Statement {
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
fn outside(node: &NodeSettings, family: Family) -> Option<Vec<Statement>> {
    if node.masquerade_all {
        return Some(Vec::new());
    }
    let mut statements = Vec::new();
    if !pods::pod_cidrs(node, family).is_empty() {
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
