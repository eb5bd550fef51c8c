//! The files of the table: a map, then flows through it, and again.
//!
//! ```text
//! # What the file shows, in a line or more.
//! covers: ClusterIP, 4.1
//!
//! --- map
//! apiVersion: rulectl/v1
//! …with `$vip-1`, `$pod-1:8080`, `$pods` for addresses and networks of the family in turn
//! --- flows
//! client > vip-1:80/tcp    pod-1 pod-3    masqueraded
//! pod-1  > vip-1:80/tcp    pod-1 pod-3    kept
//! pod-1  > vip-1:81/tcp    rejected
//! client > vip-2:80/tcp    A=pod-1 pod-3  kept        # one of them, and from then on the same
//! client > lb-1:80/tcp     dropped                    [chains]
//! ```
//!
//! A flow is who connects, to what, and where that ends: at which endpoints — all of them in turn, and no others —
//! `rejected`, or `dropped`; and whether the endpoint sees the client's own address. An endpoint that is led to itself
//! always sees another. Words in brackets say for which back ends a row or a map is: those whose name begins or ends with
//! the word.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use rulectl_tests::{Cluster, Transport};

/// A file, read.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name without the ending.
    pub(crate) name: String,
    /// What rows of the tables in docs/conformance.md it shows.
    pub(crate) covers: Vec<String>,
    /// The back ends it is for, by a word in their names; empty for all.
    pub(crate) only: Vec<String>,
    /// Maps with their flows, one after the other.
    pub(crate) sections: Vec<Section>,
}

/// A map and what becomes of packets under it.
#[derive(Debug, Default)]
pub(crate) struct Section {
    map: String,
    /// Its rows.
    pub(crate) rows: Vec<Row>,
}

/// One flow and its fate.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The line it stands in, for messages.
    pub(crate) line: usize,
    /// Who connects.
    pub(crate) from: String,
    to: String,
    /// By which protocol.
    pub(crate) transport: Transport,
    /// Where it ends.
    pub(crate) fate: Fate,
    only: Vec<String>,
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It gets to each of these in turn.
    Reaches {
        /// Their names.
        servers: BTreeSet<String>,
        /// Whether they see the client's own address, where they are not the client.
        kept: bool,
        /// If not empty, the name of a memory: it gets to one of them, the one of all rows of that name.
        memory: String,
    },
    /// The client is told no.
    Rejected,
    /// The client is told nothing.
    Dropped,
}

/// IPv4, then IPv6.
pub(crate) const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

/// What a word of a family stands for: an address, or a network that is put in as it is.
fn word(name: &str, family: usize) -> Option<String> {
    if let Some(address) = address(name, family) {
        return Some(address.to_string());
    }
    let networks = match name {
        "pods" => ["10.244.0.0/16", "fd44::/48"],
        "local-pods" => ["10.244.0.0/24", "fd44::/64"],
        "services" => ["10.96.0.0/16", "fd96::/64"],
        "just-client" => ["192.0.2.2/32", "2001:db8::2/128"],
        "just-node" => ["192.0.2.1/32", "2001:db8::1/128"],
        "outside" => ["192.0.2.0/29", "2001:db8::/124"],
        "everyone" => ["0.0.0.0/0", "::/0"],
        "other-family" => ["2001:db8::/64", "192.0.2.0/24"],
        "loopback" => ["127.0.0.0/8", "::1/128"],
        "family" => FAMILIES,
        _ => return None,
    };
    Some(networks[family].to_owned())
}

/// The address of a host, or a virtual one: `vip-N`, `ext-N`, `lb-N`, `free-N` (a service address that none has).
pub(crate) fn address(name: &str, family: usize) -> Option<IpAddr> {
    if let Some((_, addresses)) = Cluster::addresses().find(|(host, _)| *host == name) {
        return Some(addresses[family]);
    }
    match name {
        "node-other" => {
            let (ipv4, ipv6) = Cluster::OTHER_ADDRESSES[0];
            return Some(if family == 0 { ipv4.into() } else { ipv6.parse().expect("literal") });
        }
        "localhost" => return Some(["127.0.0.1", "::1"][family].parse().expect("literal")),
        _ => {}
    }
    let (kind, number) = name.rsplit_once('-')?;
    let number: u8 = number.parse().ok()?;
    let prefixes = match kind {
        "vip" => ["10.96.0.", "fd96::"],
        "free" => ["10.96.9.", "fd96::9:"],
        "ext" => ["198.51.100.", "fdc6::"],
        "lb" => ["203.0.113.", "fdcb::"],
        _ => return None,
    };
    format!("{}{number}", prefixes[family]).parse().ok()
}

impl Section {
    /// The map of a family.
    ///
    /// # Panics
    /// If a name in it is not known.
    pub(crate) fn map(&self, family: usize) -> String {
        let mut parts = self.map.split('$');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            let word = word(name, family).unwrap_or_else(|| panic!("there is no `${name}`"));
            let is_socket = rest.starts_with(':') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
            text += &if is_socket && family == 1 { format!("[{word}]") } else { word };
            text += rest;
        }
        text
    }
}

impl Row {
    /// Where it connects to.
    pub(crate) fn to(&self, family: usize) -> SocketAddr {
        let (name, port) = self.to.rsplit_once(':').expect("checked when it was read");
        let address = address(name, family).unwrap_or_else(|| panic!("line {}: there is no `{name}`", self.line));
        SocketAddr::new(address, port.parse().unwrap_or_else(|_| panic!("line {}: no port: `{port}`", self.line)))
    }

    /// Whether it is for that back end.
    pub(crate) fn is_for(&self, backend: &str) -> bool {
        is_for(&self.only, backend)
    }
}

/// Whether words in brackets mean that back end: `nft` means nft-maps and nft-chains, not iptables-nft-chains.
pub(crate) fn is_for(only: &[String], backend: &str) -> bool {
    only.is_empty() || only.iter().any(|word| backend.starts_with(word.as_str()) || backend.ends_with(word.as_str()))
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, with the number of the line.
pub(crate) fn parse(name: &str, text: &str) -> Result<File, String> {
    let mut file = File { name: name.to_owned(), covers: Vec::new(), only: Vec::new(), sections: Vec::new() };
    let mut in_map = false;
    for (line, text) in (1..).zip(text.lines()) {
        let wrong = |what: &str| format!("{name}.txt:{line}: {what}: `{text}`");
        match text.trim_end() {
            "--- map" => {
                in_map = true;
                file.sections.push(Section::default());
            }
            "--- flows" => in_map = false,
            other if in_map => {
                let section = file.sections.last_mut().expect("a map began it");
                section.map += other;
                section.map += "\n";
            }
            other if other.is_empty() || other.starts_with('#') => {}
            other => match (other.split_once(": "), file.sections.last_mut()) {
                (_, Some(section)) => section.rows.push(row(line, other).map_err(|what| wrong(&what))?),
                (Some(("covers", words)), None) => file.covers.extend(words.split(", ").map(str::to_owned)),
                (Some(("only", words)), None) => file.only.extend(words.split(", ").map(str::to_owned)),
                _ => return Err(wrong("neither `covers:` nor `only:`")),
            },
        }
    }
    if file.covers.is_empty() || file.sections.iter().all(|section| section.rows.is_empty()) {
        return Err(format!("{name}.txt: it covers nothing, or has no flow"));
    }
    Ok(file)
}

fn row(line: usize, text: &str) -> Result<Row, String> {
    let text = text.split('#').next().unwrap_or_default().trim();
    let (text, only) = match text.split_once('[') {
        Some((text, only)) => (text, only.trim_end_matches(']').split_whitespace().map(str::to_owned).collect()),
        None => (text, Vec::new()),
    };
    let (from, rest) = text.split_once('>').ok_or("no `>` in a flow")?;
    let mut words = rest.split_whitespace();
    let (to, protocol) = words.next().and_then(|word| word.split_once('/')).ok_or("no `ADDRESS:PORT/PROTOCOL`")?;
    let transport = match protocol {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        "sctp" => Transport::Sctp,
        _ => return Err("the protocol is none of tcp, udp and sctp".to_owned()),
    };
    if !to.contains(':') {
        return Err("no port".to_owned());
    }
    let fate = fate(&words.collect::<Vec<_>>())?;
    Ok(Row { line, from: from.trim().to_owned(), to: to.to_owned(), transport, fate, only })
}

fn fate(words: &[&str]) -> Result<Fate, String> {
    let (source, servers) = match words {
        ["rejected"] => return Ok(Fate::Rejected),
        ["dropped"] => return Ok(Fate::Dropped),
        [servers @ .., source] if !servers.is_empty() => (*source, servers),
        _ => return Err("no fate".to_owned()),
    };
    let kept = match source {
        "kept" => true,
        "masqueraded" => false,
        _ => return Err("the last word is neither `kept` nor `masqueraded`".to_owned()),
    };
    let (memory, first) = servers[0].split_once('=').unwrap_or(("", servers[0]));
    let servers = std::iter::once(first).chain(servers[1..].iter().copied());
    let servers: BTreeSet<String> = servers.map(str::to_owned).collect();
    if let Some(name) = servers.iter().find(|name| !Cluster::addresses().any(|(host, _)| host == name.as_str())) {
        return Err(format!("there is no host {name}"));
    }
    Ok(Fate::Reaches { servers, kept, memory: memory.to_owned() })
}
