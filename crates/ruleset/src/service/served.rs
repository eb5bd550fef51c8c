//! Which frontends the rules of a kernel serve: so it is known of services that are gone.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::iptables::matches::Match;
use crate::iptables::{self, Address, CHAIN_PREFIX, ChainName, Criterion, IptablesRuleset, Rule};
use crate::ir::{Comment, DataKind, Family};
use crate::live::{Live, LiveTable};

use super::{Frontend, Protocol, TABLE_COMMENT};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

/// The frontends that tables of ours serve, in either layout: the keys of their verdict maps. Nothing is read of tables of
/// others.
pub fn served(live: &Live) -> Vec<Frontend> {
    let is_ours = |comment: &Comment| comment.as_str() == TABLE_COMMENT;
    frontends(live.tables.values().filter(|table| table.comment.as_ref().is_some_and(is_ours)))
}

/// The frontends that tables serve, whoever made them, if their verdict maps have keys as ours and kube-proxy's do.
pub fn frontends<'a>(tables: impl IntoIterator<Item = &'a LiveTable>) -> Vec<Frontend> {
    let sets = tables.into_iter().flat_map(|table| table.sets.iter().map(move |set| (table.id.family, &set.set)));
    let mut frontends: Vec<_> = sets
        .filter(|(_, set)| set.data_kind() == DataKind::Verdict)
        .flat_map(|(family, set)| set.elements().iter().map(move |element| (family, element)))
        .filter_map(|(family, element)| frontend_of(family, element.key.bounds()?.0))
        .collect();
    frontends.sort_unstable();
    frontends.dedup();
    frontends
}

/// The frontends that our chains serve.
pub fn served_by_iptables(live: &IptablesRuleset, family: iptables::Family) -> Vec<Frontend> {
    frontends_of_chains(live, family, |name| name.as_str().starts_with(CHAIN_PREFIX))
}

/// The frontends that those chains serve, whoever made them.
pub fn frontends_of_chains(
    live: &IptablesRuleset,
    family: iptables::Family,
    serves: impl Fn(&ChainName) -> bool,
) -> Vec<Frontend> {
    let chains = live.tables.values().flat_map(|table| &table.chains).filter(|(name, _)| serves(name));
    let rules = chains.flat_map(|(_, chain)| &chain.rules);
    let mut frontends: Vec<_> = rules.filter_map(|rule| frontend_of_rule(rule, family.into())).collect();
    frontends.sort_unstable();
    frontends.dedup();
    frontends
}

/// The frontend of a key `daddr . meta l4proto . th dport`, or, of a node port, without the address.
fn frontend_of(family: Family, key: &[u8]) -> Option<Frontend> {
    let (rest, port) = key.split_last_chunk::<4>()?;
    let (address, protocol) = rest.split_last_chunk::<4>()?;
    let protocol = PROTOCOLS.into_iter().find(|known| known.number() == protocol[0])?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    if address.is_empty() {
        return Some(Frontend::node_port(family, protocol, port));
    }
    let address = match family {
        Family::Ip => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
    };
    Some(Frontend { address, protocol, port })
}

/// The frontend that a rule is about: one port, of one address or of the node.
fn frontend_of_rule(rule: &Rule, family: Family) -> Option<Frontend> {
    let number = rule.protocol.filter(|protocol| !protocol.inverted)?.value.number();
    let protocol = PROTOCOLS.into_iter().find(|known| known.number() == number)?;
    let ports = rule.matches.iter().find_map(|criterion| match criterion {
        Match::Tcp(tcp) => tcp.dport,
        Match::Udp(udp) => udp.dport,
        Match::Sctp(sctp) => sctp.dport,
        _ => None,
    });
    let port = ports.filter(|ports| !ports.inverted)?.value;
    let port = (port.first == port.last).then_some(port.first)?;
    match &rule.destination {
        None => Some(Frontend::node_port(family, protocol, port)),
        Some(Criterion { inverted: false, value: Address::Network(net) }) if *net == IpNet::from(net.addr()) => {
            Some(Frontend { address: net.addr(), protocol, port })
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use crate::service::{
        CompileOptions, Layout, NodeSettings, Service, ServiceMap, ServiceName, ServicePort, compile,
        iptables as compile_iptables,
    };

    fn map() -> ServiceMap {
        let port = |protocol, node_port| ServicePort { protocol, port: 53, node_port, ..ServicePort::default() };
        let service = Service {
            name: ServiceName::new("", "dns"),
            cluster_ips: ["10.96.0.10", "fd96::10"].map(|address| address.parse().unwrap()).to_vec(),
            ports: vec![port(Protocol::Udp, Some(30053)), port(Protocol::Sctp, None)],
            ..Service::default()
        };
        let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap()).to_vec();
        ServiceMap { node: NodeSettings { addresses, ..NodeSettings::default() }, services: vec![service] }
    }

    fn texts(frontends: &[Frontend]) -> Vec<String> {
        frontends.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_table_serves_is_read_back() {
        let compiled = compile(&map(), &CompileOptions::default());
        let live = Live::from(lower(compiled.ruleset).unwrap());
        let expected = [
            "IPv4 node port 30053/udp",
            "10.96.0.10:53/udp",
            "10.96.0.10:53/sctp",
            "IPv6 node port 30053/udp",
            "[fd96::10]:53/udp",
            "[fd96::10]:53/sctp",
        ];
        assert_eq!(texts(&served(&live)), expected);
        let chains = CompileOptions { layout: Layout::Chains, ..CompileOptions::default() };
        assert_eq!(texts(&served(&Live::from(lower(compile(&map(), &chains).ruleset).unwrap()))), expected);
        let mut others = live;
        others.tables.values_mut().for_each(|table| table.comment = None);
        assert!(served(&others).is_empty());
    }

    #[test]
    fn what_chains_serve_is_read_back() {
        let ruleset = compile_iptables(&map(), &CompileOptions::default(), iptables::Family::Ip).ruleset;
        let found = texts(&served_by_iptables(&ruleset, iptables::Family::Ip));
        for frontend in ["10.96.0.10:53/udp", "10.96.0.10:53/sctp"] {
            assert!(found.iter().any(|found| found == frontend), "{frontend}: {found:?}");
        }
    }
}
