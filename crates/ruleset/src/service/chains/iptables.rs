//! The chains layout in iptables' words.

use crate::iptables::matches::{Comment, Conntrack, Mark, Match, Ports, Sctp, Statistic, Tcp, Udp};
use crate::iptables::{
    Address, CHAIN_PREFIX, Chain, ChainName, Criterion, Family, IptablesRuleset, MaskedMark, Rule, Table, TableName,
    Target, targets,
};
use crate::service::{CompileOptions, Finding, Frontend, Protocol, ServiceMap};

use super::super::frontend::Reach;
use super::layout::{ChainHash, ChainsLayout, EndpointChain, Identity, Outside, ServiceChain};
use super::{layout_of, sort};

/// What a map compiles to for iptables or ip6tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledIptables {
    /// Our chains, and our rules in built-in chains; empty if the map has no virtual address of the family.
    pub ruleset: IptablesRuleset,
    /// What was left out or looks wrong, sorted.
    pub findings: Vec<Finding>,
}

/// Compiles a service map for iptables or ip6tables. The layout is always [`super::super::Layout::Chains`]; the name of
/// the table has no meaning here.
///
/// The text of the result is for an empty state. To bring a state there that already holds rules of ours,
/// [`crate::iptables::plan()`].
pub fn iptables(map: &ServiceMap, _options: &CompileOptions, family: Family) -> CompiledIptables {
    let mut findings = Vec::new();
    let mut ruleset = IptablesRuleset::default();
    if let Some(layout) = layout_of(map, family.into(), &mut findings) {
        ruleset.tables.insert(TableName::Filter, filter(&layout, family));
        ruleset.tables.insert(TableName::Nat, nat(&layout));
    }
    sort(&mut findings);
    CompiledIptables { ruleset, findings }
}

/// The names of the fixed chains, after the prefix.
mod fixed {
    pub(super) const SERVICES: &str = "SERVICES";
    pub(super) const POSTROUTING: &str = "POSTROUTING";
    pub(super) const MARK: &str = "MARK-MASQ";
    pub(super) const OUTSIDE: &str = "MARK-OUTSIDE";
    pub(super) const REJECT: &str = "REJECT";
}

fn own(name: &str) -> ChainName {
    built_in(&format!("{CHAIN_PREFIX}{name}"))
}

fn built_in(name: &str) -> ChainName {
    ChainName::new(name).expect("the names of this layout are short and plain")
}

fn hashed(kind: &str, hash: &ChainHash) -> ChainName {
    own(&format!("{kind}-{}", hash.as_str()))
}

fn service_name(service: &ServiceChain) -> ChainName {
    hashed("SVC", &service.identity.hash)
}

fn external_name(service: &ServiceChain) -> ChainName {
    hashed("EXT", &service.identity.hash)
}

fn endpoint_name(endpoint: &EndpointChain) -> ChainName {
    hashed("SEP", &endpoint.hash)
}

fn comment(text: &str) -> Match {
    Comment::clipped(text).into()
}

fn jump(chain: ChainName) -> Rule {
    Rule::to(Target::Jump(chain))
}

fn add(table: &mut Table, name: ChainName, rules: impl IntoIterator<Item = Rule>) {
    table.chains.insert(name, Chain { policy: None, rules: rules.into_iter().collect() });
}

/// What connects to a frontend, with a comment.
fn to_frontend(frontend: &Frontend, comment_text: &str, target: impl Into<Target>) -> Rule {
    let ports = Ports::to(frontend.port);
    let port: Match = match frontend.protocol {
        Protocol::Tcp => Tcp { ports }.into(),
        Protocol::Udp => Udp { ports }.into(),
        Protocol::Sctp => Sctp { ports }.into(),
    };
    let rule = Rule {
        destination: Some(Criterion::is(Address::host(frontend.address))),
        protocol: Some(Criterion::is(frontend.protocol.keyword().to_owned())),
        ..Rule::to(target)
    };
    rule.matching(comment(comment_text)).matching(port)
}

fn nat(layout: &ChainsLayout) -> Table {
    let mut table = Table::default();
    for (hook, chain) in
        [("PREROUTING", fixed::SERVICES), ("OUTPUT", fixed::SERVICES), ("POSTROUTING", fixed::POSTROUTING)]
    {
        add(&mut table, built_in(hook), [jump(own(chain)).matching(comment("managed by rulectl"))]);
    }
    add(&mut table, own(fixed::SERVICES), services(layout));
    add(&mut table, own(fixed::POSTROUTING), postrouting(layout.mark));
    add(&mut table, own(fixed::MARK), [Rule::to(Target::Action(targets::Mark::or(layout.mark).into()))]);
    add(&mut table, own(fixed::OUTSIDE), outside(&layout.outside));
    for service in &layout.services {
        add(&mut table, service_name(service), choice(service));
        if service.has_external_ip() {
            add(&mut table, external_name(service), [jump(own(fixed::MARK)), jump(service_name(service))]);
        }
        for endpoint in &service.endpoints {
            add(&mut table, endpoint_name(endpoint), translate(&service.identity, endpoint));
        }
    }
    table
}

/// Frontends in the order of their addresses.
fn services(layout: &ChainsLayout) -> Vec<Rule> {
    let frontends = layout
        .services
        .iter()
        .flat_map(|service| service.frontends.iter().map(move |(frontend, reach)| (*frontend, *reach, service)));
    let mut frontends: Vec<_> = frontends.collect();
    frontends.sort_by_key(|(frontend, ..)| *frontend);
    let rule = |(frontend, reach, service): (Frontend, Reach, &ServiceChain)| {
        let (chain, what) = match reach {
            Reach::Cluster => (service_name(service), "cluster IP"),
            Reach::External => (external_name(service), "external IP"),
        };
        to_frontend(&frontend, &format!("{} {what}", service.identity.label()), Target::Jump(chain))
    };
    frontends.into_iter().map(rule).collect()
}

/// Masquerades what is marked, and takes the mark off: it is known to be set, so flipping it clears it.
fn postrouting(mark: u32) -> [Rule; 3] {
    let unmarked = Mark { mark: Criterion::is_not(MaskedMark { value: mark, mask: mark }) };
    [
        Rule::to(Target::Return).matching(unmarked),
        Rule::to(Target::Action(targets::Mark::xor(mark).into())),
        Rule::to(Target::Action(targets::Masquerade { random_fully: true }.into())),
    ]
}

/// Marks clients of cluster IPs that are outside the pod networks.
fn outside(outside: &Outside) -> Vec<Rule> {
    let mark = jump(own(fixed::MARK));
    match outside {
        Outside::Unknown => Vec::new(),
        Outside::Everyone => vec![mark],
        Outside::AllBut { cidrs, interfaces } => {
            let networks = cidrs
                .iter()
                .map(|cidr| Rule { source: Some(Criterion::is(Address::network(*cidr))), ..Rule::to(Target::Return) });
            // iptables writes the start of a name with `+`.
            let interfaces = interfaces.iter().map(|interface| Rule {
                in_interface: Some(Criterion::is(interface.replace('*', "+"))),
                ..Rule::to(Target::Return)
            });
            networks.chain(interfaces).chain([mark]).collect()
        }
    }
}

/// Each endpoint by its share of what those before it left; the last gets the rest.
fn choice(service: &ServiceChain) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(service.endpoints.len() + 1);
    if service.has_cluster_ip() {
        rules.push(jump(own(fixed::OUTSIDE)));
    }
    let label = service.identity.label();
    let mut left = service.shares;
    for endpoint in &service.endpoints {
        let mut rule = jump(endpoint_name(endpoint)).matching(comment(&format!("{label} -> {}", endpoint.address)));
        if endpoint.share < left {
            rule = rule.matching(Statistic::random(endpoint.share.into(), left.into()));
        }
        left -= endpoint.share;
        rules.push(rule);
    }
    rules
}

/// Marks packets of the endpoint itself, whose answers would not come back through here, and translates.
fn translate(identity: &Identity, endpoint: &EndpointChain) -> [Rule; 2] {
    let label = comment(&identity.label());
    let hairpin = Rule { source: Some(Criterion::is(Address::host(endpoint.address.ip()))), ..jump(own(fixed::MARK)) };
    let dnat = Rule {
        protocol: Some(Criterion::is(identity.protocol.keyword().to_owned())),
        ..Rule::to(Target::Action(targets::Dnat { to: endpoint.address }.into()))
    };
    [hairpin.matching(label.clone()), dnat.matching(label)]
}

/// `filter`: refuses new connections to frontends without endpoints, from wherever they come.
fn filter(layout: &ChainsLayout, family: Family) -> Table {
    let mut table = Table::default();
    for hook in ["INPUT", "FORWARD", "OUTPUT"] {
        let rule = jump(own(fixed::REJECT)).matching(Conntrack::new_connection());
        add(&mut table, built_in(hook), [rule.matching(comment("managed by rulectl"))]);
    }
    let refused = layout.refused.iter().map(|refused| {
        let with = match refused.frontend.protocol {
            Protocol::Tcp => targets::RejectWith::TcpReset,
            Protocol::Udp | Protocol::Sctp => targets::RejectWith::PortUnreachable(family),
        };
        let comment = format!("{} has no endpoints", refused.identity.label());
        to_frontend(&refused.frontend, &comment, Target::Action(targets::Reject { with }.into()))
    });
    add(&mut table, own(fixed::REJECT), refused);
    table
}

#[cfg(test)]
mod tests {
    use super::super::tests::shop;
    use super::*;
    use crate::iptables::{IptablesPlan, SaveText, parse, plan};

    fn compiled(map: &ServiceMap, family: Family) -> IptablesRuleset {
        iptables(map, &CompileOptions::default(), family).ruleset
    }

    #[test]
    fn the_rules_of_a_shop() {
        let map = shop();
        insta::assert_snapshot!("shop-ip", SaveText::from(&compiled(&map, Family::Ip)));
        insta::assert_snapshot!("shop-ip6", SaveText::from(&compiled(&map, Family::Ip6)));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for family in [Family::Ip, Family::Ip6] {
            let ruleset = compiled(&shop(), family);
            let parsed = parse("-", &SaveText::from(&ruleset).to_string(), family);
            assert_eq!(parsed.problems, []);
            assert_eq!(parsed.text.ruleset(), ruleset);
        }
    }

    fn step(before: &ServiceMap, after: &ServiceMap) -> IptablesPlan {
        plan(&compiled(before, Family::Ip), &compiled(after, Family::Ip)).unwrap()
    }

    #[test]
    fn an_endpoint_that_goes_changes_its_own_chain_and_that_of_its_service() {
        let mut fewer = shop();
        fewer.services[0].ports[0].endpoints.remove(1);
        insta::assert_snapshot!(step(&shop(), &fewer), @r#"
        table nat
          - chain RULECTL-SEP-6TZDVDYQEDVD3W3Q
            - -s 10.128.0.6/32 -m comment --comment "shop/cart:http" -j RULECTL-MARK-MASQ
            - -p tcp -m comment --comment "shop/cart:http" -j DNAT --to-destination 10.128.0.6:8080
          ~ chain RULECTL-SVC-UMHZ2XP4VNHVP4FI
            - -m comment --comment "shop/cart:http -> 10.128.0.5:8080" -m statistic --mode random --probability 0.50000000000 -j RULECTL-SEP-25XD2D75PI4CSVTQ
            - -m comment --comment "shop/cart:http -> 10.128.0.6:8080" -m statistic --mode random --probability 0.50000000000 -j RULECTL-SEP-6TZDVDYQEDVD3W3Q
            + -m comment --comment "shop/cart:http -> 10.128.0.5:8080" -m statistic --mode random --probability 0.66666666651 -j RULECTL-SEP-25XD2D75PI4CSVTQ
        "#);
    }

    #[test]
    fn a_change_of_the_pod_networks_changes_one_chain() {
        let mut other = shop();
        other.node.pod_cidrs.clear();
        insta::assert_snapshot!(step(&shop(), &other), @"
        table nat
          ~ chain RULECTL-MARK-OUTSIDE
            - -s 10.128.0.0/14 -j RETURN
        ");
    }

    #[test]
    fn every_packet_finds_an_endpoint_by_its_share() {
        let layout = layout_of(&shop(), crate::ir::Family::Ip, &mut Vec::new()).unwrap();
        let cart = layout.services.iter().find(|service| service.endpoints.len() == 3).unwrap();
        let printed: Vec<_> = choice(cart).iter().map(ToString::to_string).collect();
        let probability = |rule: &String| rule.split("--probability ").nth(1).map(|rest| rest[..6].to_owned());
        let probabilities: Vec<_> = printed.iter().map(probability).collect();
        assert_eq!(probabilities, [None, Some("0.5000".to_owned()), Some("0.5000".to_owned()), None]);
    }
}
