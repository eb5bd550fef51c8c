//! Chains that find the rule for an address or a node port among many, by a [`tree`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::iptables::{PortRange, Rule, Table};
use crate::service::{Frontend, Protocol};

use super::super::names::ChainHash;
use super::super::tree::{Branch, Key, Prefix, tree};
use super::words::{add, hashed, jump, to_network, to_ports};

/// The rules that find one for a destination address. Chains they need are named by `kind`, and join the table.
pub(super) fn by_address(table: &mut Table, kind: &str, rules: Vec<(IpAddr, Rule)>) -> Vec<Rule> {
    let keyed = rules.into_iter().map(|(address, rule)| (key_of(address), rule)).collect();
    chains(table, keyed, |prefix| {
        let network = network(prefix);
        to_network(jump(hashed(kind, &ChainHash::of(&network.to_string()))), network)
    })
}

/// The rules that find one for a protocol and port, whatever the address is.
pub(super) fn by_port(table: &mut Table, rules: Vec<(Frontend, Rule)>) -> Vec<Rule> {
    let key = |frontend: &Frontend| u128::from(frontend.protocol.number()) << 16 | u128::from(frontend.port);
    let key = |frontend: &Frontend| Key { bits: key(frontend), width: 24 };
    let keyed = rules.into_iter().map(|(frontend, rule)| (key(&frontend), rule)).collect();
    chains(table, keyed, |prefix| {
        let (protocol, range) = ports(prefix);
        let name = ChainHash::of(&format!("{protocol}/{range}"));
        to_ports(jump(hashed("NP", &name)), protocol, range)
    })
}

/// The rules of the root; the other chains join the table.
fn chains(table: &mut Table, rules: Vec<(Key, Rule)>, leading: impl Fn(Prefix) -> Rule) -> Vec<Rule> {
    let mut root = Vec::new();
    for node in tree(rules) {
        let rules = node.entries.into_iter().map(|branch| match branch {
            Branch::Item(rule) => rule,
            Branch::Chain(prefix) => leading(prefix),
        });
        match node.prefix.and_then(|prefix| leading(prefix).chain().cloned()) {
            Some(chain) => add(table, chain, rules),
            None => root.extend(rules),
        }
    }
    root
}

fn key_of(address: IpAddr) -> Key {
    match address {
        IpAddr::V4(address) => Key { bits: address.to_bits().into(), width: Ipv4Addr::BITS },
        IpAddr::V6(address) => Key { bits: address.to_bits(), width: Ipv6Addr::BITS },
    }
}

fn network(prefix: Prefix) -> IpNet {
    let address = match u32::try_from(prefix.first.bits) {
        Ok(bits) if prefix.first.width == Ipv4Addr::BITS => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(prefix.first.bits).into(),
    };
    let len = u8::try_from(prefix.len).expect("no address has more than 128 bits");
    IpNet::new(address, len).expect("a prefix is not longer than its address")
}

fn ports(prefix: Prefix) -> (Protocol, PortRange) {
    let port = |key: Key| u16::try_from(key.bits & 0xffff).expect("these are 16 bits");
    let number = prefix.first.bits >> 16;
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| u128::from(protocol.number()) == number)
        .expect("the numbers differ in their first four bits, so a prefix of several keys has one whole");
    (protocol, PortRange { first: port(prefix.first), last: port(prefix.last()) })
}

#[cfg(test)]
mod tests {
    use super::super::words::own;
    use super::*;

    #[test]
    fn many_addresses_are_told_apart_by_networks_and_many_ports_by_ranges() {
        let mut table = Table::default();
        let address = |n: u16| IpAddr::from([10, 96, (n >> 8) as u8, n as u8]);
        let rule = |n: u16| (address(n), to_network(jump(own("A")), address(n).into()));
        let root = by_address(&mut table, "NET", (0..1024).step_by(32).map(rule).collect());
        let printed = |rules: &[Rule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lead = |rules: &[Rule], place: usize| printed(rules)[place].split("RULECTL").next().map(str::to_owned);
        assert_eq!(lead(&root, 1).as_deref(), Some("-d 10.96.1.0/24 -j "));
        assert_eq!(table.chains.len(), 4);
        let node_port = |protocol: Protocol, n| Frontend { address: [0; 4].into(), protocol, port: 30_000 + n };
        let ports = (0..64_u16).flat_map(|n| [Protocol::Tcp, Protocol::Udp].map(|protocol| node_port(protocol, n)));
        let root = by_port(&mut table, ports.map(|port| (port, jump(own("A")))).collect());
        let leads: Vec<_> = (0..root.len()).filter_map(|place| lead(&root, place)).collect();
        assert_eq!(leads, ["-p tcp -m tcp --dport 29952:30207 -j ", "-p udp -m udp --dport 29952:30207 -j "]);
        let listed = printed(&table.chains[root[0].chain().unwrap()].rules);
        assert!(listed[0].starts_with("-p tcp -m tcp --dport 30000:30015 -j RULECTL-NP-"), "{listed:?}");
    }
}
