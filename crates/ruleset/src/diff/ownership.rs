//! Who a table belongs to.

use std::fmt;

use serde::Serialize;

use crate::ir::{Comment, Family, TableFlags, TableId};
use crate::live::LiveTable;

/// Which live tables are ours to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownership {
    /// Those whose comment is this mark.
    Marked(Comment),
    /// Those that are declared: who names a table means that one.
    Declared,
}

impl Ownership {
    /// The conflict there is if `table` is to be changed. `as_owner` is whether by a process that may own it.
    pub(super) fn conflict(&self, table: &LiveTable, as_owner: bool) -> Option<Conflict> {
        // The kernel lets nobody but the owner near such a table (`nft_table_lookup`, EPERM).
        let locked = table.owner.is_some() && !as_owner;
        let ours = match self {
            Self::Marked(mark) => table.comment.as_ref() == Some(mark),
            Self::Declared => true,
        };
        (locked || !ours).then(|| Conflict {
            table: table.id.clone(),
            flags: table.flags,
            port: table.owner,
            comment: table.comment.clone(),
            program: known_program(&table.id),
        })
    }
}

/// A table of the wanted name that belongs to somebody else, and what is known about who.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Conflict {
    /// The table.
    pub table: TableId,
    /// Its flags.
    pub flags: TableFlags,
    /// The netlink port of the process that owns it, most often its process number.
    pub port: Option<u32>,
    /// Its comment.
    pub comment: Option<Comment>,
    /// The program that is known to name its tables so.
    pub program: Option<&'static str>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table `{}` is there already and is not ours", self.table)?;
        if let Some(program) = self.program {
            write!(f, "; by its name it belongs to {program}")?;
        }
        if let Some(port) = self.port {
            write!(f, "; it is owned by the process at netlink port {port}")?;
        }
        match &self.comment {
            Some(comment) => write!(f, "; its comment is {:?}", comment.as_str()),
            None => Ok(()),
        }
    }
}

/// Beginnings of table names and the programs that use them.
const PROGRAMS: [(&str, &str); 19] = [
    ("kube-proxy", "kube-proxy"),
    ("firewalld", "firewalld"),
    ("docker-", "Docker"),
    ("netavark", "netavark (podman)"),
    ("libvirt", "libvirt"),
    ("cni_", "the CNI plugins"),
    ("cilium", "Cilium"),
    ("calico", "Calico"),
    ("kube-router", "kube-router"),
    ("kube-network-policies", "kube-network-policies"),
    ("kindnet", "kindnet"),
    ("f2b-", "fail2ban"),
    ("crowdsec", "CrowdSec"),
    ("io.systemd.", "systemd"),
    ("lxc", "LXC"),
    ("lxd", "LXD"),
    ("incus", "Incus"),
    ("mullvad", "the Mullvad VPN app"),
    ("miniupnpd", "miniupnpd"),
];

/// Tables of iptables, as iptables-nft names them.
const IPTABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];

/// The program that is known to name its tables so.
pub fn known_program(table: &TableId) -> Option<&'static str> {
    let name = table.name.as_str();
    if matches!(table.family, Family::Ip | Family::Ip6) && IPTABLES.contains(&name) {
        return Some("iptables");
    }
    PROGRAMS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, program)| *program)
}
