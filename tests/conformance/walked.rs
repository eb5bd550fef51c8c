//! Rows by walking the compiled programs in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use rulectl_ruleset::lower::{Lowered, lower};
use rulectl_ruleset::service::{CompileOptions, Input, Layout, NodeOverrides, compile, quarantine, read};
use rulectl_ruleset::walk::{Connection, Fate as Way, Memory, Packet, Surroundings, walk};
use rulectl_tests::{Cluster, Transport};

use crate::file::{FAMILIES, Fate, File, Row, address};
use crate::lab::PORTS;

/// A layout, by the name its tests have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    /// Its name.
    pub(crate) name: &'static str,
    /// The layout.
    pub(crate) layout: Layout,
}

/// What was remembered for a name: where that client got to.
type Memories = BTreeMap<(String, String), String>;

impl Walked {
    /// Checks all rows of a file; gives what is wrong, a line each.
    pub(crate) fn check(self, file: &File) -> Vec<String> {
        let mut wrong = Vec::new();
        for (family, family_name) in FAMILIES.into_iter().enumerate() {
            let (mut memory, mut memories) = (Memory::default(), Memories::new());
            for section in &file.sections {
                let rules = self.compile(&section.map(family));
                for row in section.rows.iter().filter(|row| row.is_for(self.name)) {
                    if let Some(problem) = check(&rules, row, family, &mut memory, &mut memories) {
                        let (name, Row { line, from, fate, .. }) = (&file.name, row);
                        wrong.push(format!("{name}.txt:{line}: {from} in {family_name}: {fate:?}, but {problem}"));
                    }
                }
            }
        }
        wrong
    }

    fn compile(self, text: &str) -> Lowered {
        let input = Input { name: "map", text };
        let (mut map, _) = read(&[input], &NodeOverrides::default()).unwrap_or_else(|errors| panic!("{errors:?}"));
        quarantine(&mut map);
        let options = CompileOptions { layout: self.layout, ..CompileOptions::default() };
        lower(compile(&map, &options).ruleset).unwrap_or_else(|errors| panic!("{errors:?}"))
    }
}

/// What is wrong with a row, if anything.
fn check(rules: &Lowered, row: &Row, family: usize, memory: &mut Memory, memories: &mut Memories) -> Option<String> {
    let packet = packet(row, family);
    let mut walked = walk(rules, &surroundings(family), &packet, memory);
    // A memory of an endpoint that went costs one packet; the client sends it again.
    if let (Fate::Reaches { .. }, [only]) = (&row.fate, walked.outcomes.iter().collect::<Vec<_>>().as_slice())
        && only.fate == Way::Dropped
        && only.memory != *memory
    {
        *memory = only.memory.clone();
        walked = walk(rules, &surroundings(family), &packet, memory);
    }
    if !walked.unknown.is_empty() {
        return Some(format!("{:?} is not known", walked.unknown));
    }
    let ends: Vec<End> = walked.outcomes.iter().map(|outcome| End::of(&outcome.fate, family)).collect();
    match &row.fate {
        Fate::Rejected => (ends != [End::Rejected]).then(|| format!("{ends:?}")),
        Fate::Dropped => (ends != [End::Dropped]).then(|| format!("{ends:?}")),
        Fate::Reaches { servers, kept, memory: name } => {
            let own = |seen: IpAddr| seen == packet.source;
            // From the node itself all addresses are its own; an endpoint that reaches itself must not see itself.
            let is_seen_right = |server: &str, seen| {
                row.from == "node" || if server == row.from { !own(seen) } else { own(seen) == *kept }
            };
            for end in &ends {
                match end {
                    End::Reaches(server, seen) if servers.contains(server) && is_seen_right(server, *seen) => {}
                    _ => return Some(format!("{ends:?}")),
                }
            }
            let reached: BTreeSet<String> = ends.iter().filter_map(End::server).collect();
            if name.is_empty() {
                return (reached != *servers).then(|| format!("{ends:?}"));
            }
            let key = (row.from.clone(), name.clone());
            if let Some(known) = memories.get(&key) {
                return (!reached.iter().eq([known])).then(|| format!("{ends:?}, remembered {known}"));
            }
            *memory = walked.outcomes.first()?.memory.clone();
            memories.insert(key, ends.first()?.server()?);
            None
        }
    }
}

/// Where a way ends, by name.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Reaches(String, IpAddr),
    Rejected,
    Dropped,
    /// Where nobody is.
    Nowhere(IpAddr, u16),
}

impl End {
    fn of(way: &Way, family: usize) -> Self {
        let (destination, port, source) = match way {
            Way::Passes { destination, port, source, .. } => (*destination, *port, *source),
            Way::Rejected(_) => return Self::Rejected,
            Way::Dropped => return Self::Dropped,
        };
        let is_nodes =
            ["node", "node-other", "localhost"].iter().any(|name| address(name, family) == Some(destination));
        let mut hosts = Cluster::addresses();
        let name = if is_nodes { Some("node") } else { hosts.find(|(_, it)| it[family] == destination).map(|it| it.0) };
        match name {
            Some(name) if PORTS.contains(&port) => Self::Reaches(name.to_owned(), source),
            // A closed port of the node.
            Some("node") => Self::Rejected,
            _ => Self::Nowhere(destination, port),
        }
    }

    fn server(&self) -> Option<String> {
        match self {
            Self::Reaches(server, _) => Some(server.clone()),
            _ => None,
        }
    }
}

fn packet(row: &Row, family: usize) -> Packet {
    let to = row.to(family);
    let from = address(&row.from, family).unwrap_or_else(|| panic!("line {}: no host {}", row.line, row.from));
    let is_node = row.from == "node";
    // To an address of its own the node connects from that.
    let source =
        if is_node && surroundings(family).local.iter().any(|net| net.contains(&to.ip())) { to.ip() } else { from };
    let protocol = match row.transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
        Transport::Sctp => 132,
    };
    let behind = if matches!(row.from.as_str(), "pod-3" | "pod-4") { "node-2" } else { row.from.as_str() };
    Packet {
        source,
        destination: to.ip(),
        protocol,
        source_port: 40_000,
        destination_port: to.port(),
        interface: (!is_node).then(|| behind.to_owned()),
        mark: 0,
        connection: Connection::New,
    }
}

/// What the node of [`Cluster`] knows.
fn surroundings(family: usize) -> Surroundings {
    let net = |text: &str| text.parse::<IpNet>().expect("literal");
    let own = ["node", "node-other"].map(|name| IpNet::from(address(name, family).expect("a host")));
    let loopback = [net("127.0.0.0/8"), net("::1/128")][family];
    let hosts = Cluster::addresses().filter(|(name, _)| *name != "node" && !matches!(*name, "pod-3" | "pod-4"));
    let mut routes: Vec<_> = hosts.map(|(name, it)| (IpNet::from(it[family]), name.to_owned())).collect();
    routes.push(([net("10.244.1.0/24"), net("fd44:0:0:1::/64")][family], "node-2".to_owned()));
    routes.push(([net("0.0.0.0/0"), net("::/0")][family], "client".to_owned()));
    Surroundings { local: [own.as_slice(), &[loopback]].concat(), routes }
}
