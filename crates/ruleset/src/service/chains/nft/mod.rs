//! The chains layout in nft's words.
//!
//! ```text
//! prerouting, output ─► frontends ─► [fw-…] ─► [ext-…] ─► svc-…, svl-… ─► ep-… ─► dnat
//!                           ├─► node ports ─► ext-…
//!                           └─► refuse, drop
//! postrouting: masquerades what is marked
//! ```
//!
//! What is in brackets is there for the services that need it. As in the maps layout, all is decided in nat chains.

mod service;
mod words;

use crate::ir::{
    BaseChain, BinaryOp, Chain, ChainType, Comment, CtKey, Data, DataType, Element, Expression, Family, Hook, KeyType,
    MetaKey, Nat, NatFlags, NatKind, PayloadField, Priority, Reject, RelationalOp, Rule, Set, SetName, SetSpec,
    Statement, Table, Value, Verdict, VerdictMap,
};
use crate::service::node_ports::{self, Answering};
use crate::service::route::Lead;
use crate::service::{CompileOptions, Frontend, Refusal, TABLE_COMMENT};

use super::layout::{ChainsLayout, Entry, Gate, Outside, ServiceChains};
use words::{fixed, gate_chain, is_local, lead_nowhere, name, network, restricted_name};

/// The table of one family.
pub(super) fn table(layout: &ChainsLayout, options: &CompileOptions) -> Table {
    let mut table = Table::new(layout.family, options.table.clone());
    table.comment = Some(Comment::new(TABLE_COMMENT).expect("the comment is short"));
    table.sets.insert(frontends(layout, Site::Address).into());
    let node_ports = frontends(layout, Site::NodePort);
    let answering = layout.node_ports.as_ref().filter(|_| !node_ports.elements.is_empty());
    if answering.is_some() {
        table.sets.insert(node_ports.into());
    }
    table.sets.insert(own_addresses(layout).into());
    table.chains.extend(base_chains(layout));
    table.chains.insert(frontends_chain(layout, answering));
    table.chains.extend([mark_chain(layout), outside_chain(layout), refuse_chain(layout)]);
    table.chains.extend(layout.node.drop_invalid.then(|| invalid_chain(layout.family)));
    for service in &layout.services {
        for set in service::clients(service, layout) {
            table.sets.insert(set.into());
        }
        table.chains.extend(service::chains(service, layout));
    }
    table
}

/// What a map of frontends is looked up by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Site {
    /// Virtual addresses.
    Address,
    /// Node ports.
    NodePort,
}

impl Site {
    fn set_name(self) -> SetName {
        set_name(if self == Self::Address { "services" } else { "node-ports" })
    }

    /// `ip daddr . meta l4proto . th dport`; without the address for node ports.
    fn key(self, family: Family) -> Vec<Expression> {
        let port = [Expression::Meta(MetaKey::L4proto), Expression::field(PayloadField::TH_DPORT)];
        let address = (self == Self::Address).then(|| Expression::daddr(family));
        address.into_iter().chain(port).collect()
    }

    /// `… vmap @services`.
    fn dispatch(self, family: Family) -> Statement {
        Statement::vmap(Expression::concat(self.key(family)), self.set_name())
    }
}

fn set_name(text: &str) -> SetName {
    SetName::new(text).expect("a short word is a name")
}

/// The map from a frontend to its first chain.
fn frontends(layout: &ChainsLayout, site: Site) -> VerdictMap {
    let key = KeyType::of_expressions(site.key(layout.family)).expect("these expressions have types");
    let mut map = VerdictMap::new(SetSpec::new(site.set_name(), key));
    let mut elements = Vec::new();
    for service in &layout.services {
        for (frontend, entry) in &service.frontends {
            if frontend.is_node_port() == (site == Site::NodePort) {
                elements.push(element(&map.spec.key, service, frontend, *entry));
            }
        }
    }
    map.elements = elements.into();
    map
}

fn element(key: &KeyType, service: &ServiceChains, frontend: &Frontend, entry: Entry) -> Element {
    let Frontend { address, protocol, port } = *frontend;
    let values = [Value::address(address), Value::protocol(protocol.number()), Value::port(port)];
    let values = if frontend.is_node_port() { &values[1..] } else { &values[..] };
    let verdict = match entry {
        Entry { restricted: true, .. } => Verdict::Goto(restricted_name(service)),
        Entry { gate, .. } => gate_verdict(service, gate),
    };
    let element = Element::new(key.pack(values).expect("the values have the fields' types"), Data::Verdict(verdict));
    match service_comment(service).filter(|_| matches!(entry.gate, Gate::Closed(_))) {
        Some(comment) => element.commented(comment),
        None => element,
    }
}

/// Where those go that get through.
fn gate_verdict(service: &ServiceChains, gate: Gate) -> Verdict {
    match gate {
        Gate::Closed(lead) | Gate::Internal(lead @ (Lead::Refuse | Lead::Drop)) => lead_nowhere(lead),
        _ => Verdict::Goto(gate_chain(service, gate)),
    }
}

/// Whose frontend it is; cut to what fits in the worst case of four bytes a character.
fn service_comment(service: &ServiceChains) -> Option<Comment> {
    let label = service.identity.label();
    let plain = |c: char| if c.is_control() || c == '"' { ' ' } else { c };
    Comment::new(label.chars().map(plain).take(Comment::MAX / 4).collect::<String>()).ok()
}

/// The addresses that are ours as a whole.
fn own_addresses(layout: &ChainsLayout) -> Set {
    let key = KeyType::of_expressions([Expression::daddr(layout.family)]).expect("an address has a type");
    let mut set = Set::new(SetSpec::new(set_name(CLUSTER_IPS), key));
    for address in &layout.cluster_ips {
        set.insert(&[Value::address(*address)]).expect("addresses are of the layout's family");
    }
    set
}

const CLUSTER_IPS: &str = "cluster-ips";

/// What no service answers at a cluster IP is refused; in the networks of services, what is sent to no service's
/// address is dropped.
fn frontends_chain(layout: &ChainsLayout, answering: Option<&Answering>) -> Chain {
    let family = layout.family;
    let on_cluster_ips = || Statement::is_in(Expression::daddr(family), set_name(CLUSTER_IPS));
    let mut chain = Chain::new(name(fixed::FRONTENDS));
    if layout.outside != Outside::Unknown {
        chain = chain.with(Rule::new([on_cluster_ips(), Statement::jump(name(fixed::OUTSIDE))]));
    }
    chain = chain.with(Site::Address.dispatch(family));
    for rule in answering.into_iter().flat_map(|answering| node_ports(answering, family)) {
        chain = chain.with(rule);
    }
    chain = chain.with(Rule::new([on_cluster_ips(), Statement::goto(name(fixed::REFUSE))]));
    for net in &layout.unallocated {
        let on_net = Statement::matches(Expression::daddr(family), network(net));
        chain = chain.with(Rule::new([on_net, Statement::Verdict(Verdict::Drop)]));
    }
    chain
}

/// Sends what comes to a node port on its way.
fn node_ports(answering: &Answering, family: Family) -> Vec<Rule> {
    let daddr = || Expression::daddr(family);
    let except = answering.without(family).map(|net| Statement::differs(daddr(), network(&net)));
    let at = |net: Option<Statement>| {
        let local = [is_local(words::Side::Destination), Site::NodePort.dispatch(family)];
        Rule::new(net.into_iter().chain(except.clone()).chain(local))
    };
    match &answering.networks {
        None => vec![at(None)],
        Some(networks) => networks.iter().map(|net| at(Some(Statement::matches(daddr(), network(net))))).collect(),
    }
}

/// Drops what others than the node itself send to loopback addresses: the kernel routes it where node ports answer
/// there. `from_others` says that it is from others.
fn martians(family: Family, from_others: Statement) -> Rule {
    let to_loopback = Statement::matches(Expression::daddr(family), network(&node_ports::loopback(family)));
    Rule::new([from_others, to_loopback, Statement::Verdict(Verdict::Drop)])
}

/// Whether node ports answer at loopback addresses.
fn is_at_loopback(layout: &ChainsLayout) -> bool {
    layout.node_ports.as_ref().is_some_and(|answering| answering.loopback)
}

/// The base chains: translation before those of others, masquerade before theirs.
fn base_chains(layout: &ChainsLayout) -> [Chain; 3] {
    let base = |name_text: &str, hook, priority| {
        let base = BaseChain::new(layout.family, hook, ChainType::Nat, Priority(priority));
        Chain::base(name(name_text), base.expect("a nat chain can be at this hook"))
    };
    let mark = || Expression::Value(Value::mark(layout.mark));
    let flags = NatFlags { fully_random: !layout.node.keep_source_ports, ..NatFlags::default() };
    let masquerade = Nat { flags, ..Nat::new(NatKind::Masquerade) };
    let marked = Statement::Match { left: mark_with(BinaryOp::And, mark()), op: RelationalOp::Eq, right: mark() };
    let mut prerouting = base("prerouting", Hook::Prerouting, -101).with(Statement::jump(name(fixed::FRONTENDS)));
    if is_at_loopback(layout) {
        // By the interface, not by the source address: others may send from a loopback address, too.
        let from_others = Statement::differs(MetaKey::Iifname, Expression::Value(Value::ifname("lo")));
        prerouting = prerouting.with(martians(layout.family, from_others));
    }
    [
        prerouting,
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
    let mark = Statement::goto(name(fixed::MARK));
    match layout.outside {
        Outside::Unknown => chain,
        Outside::Everyone => chain.with(mark),
        Outside::AllButPods => {
            let returns = |is_pod| Rule::new([is_pod, Statement::Verdict(Verdict::Return)]);
            words::are_pods(layout).into_iter().map(returns).fold(chain, Chain::with).with(mark)
        }
    }
}

/// A reset for TCP, for it is not rate limited as ICMP errors are; port unreachable for the others.
fn refuse_chain(layout: &ChainsLayout) -> Chain {
    let mut chain = Chain::new(name(fixed::REFUSE));
    if is_at_loopback(layout) {
        chain = chain.with(martians(layout.family, words::is_foreign()));
    }
    if layout.node.refusal == Refusal::Reset {
        // The match on TCP is made with the rule.
        chain = chain.with(Statement::from(Reject::TcpReset));
    }
    chain.with(Statement::from(Reject::default_for(layout.family)))
}

/// Drops what belongs to no connection that conntrack knows, where it would be forwarded.
fn invalid_chain(family: Family) -> Chain {
    /// `NF_CT_STATE_INVALID_BIT` (linux/netfilter/nf_conntrack_common.h).
    const INVALID: u32 = 1;
    let base = BaseChain::new(family, Hook::Forward, ChainType::Filter, Priority(0));
    let invalid = Statement::equals(Expression::ct(CtKey::State), Value::number(DataType::CtState, INVALID));
    Chain::base(name("forward"), base.expect("a filter chain can be at every hook"))
        .with(Rule::new([invalid, Statement::Verdict(Verdict::Drop)]))
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
