//! The kernel a command works on.

use std::path::Path;

use rulectl_netlink::NetlinkKernel;
use rulectl_netlink::netns::Netns;
use rulectl_ruleset::diff::Ownership;
use rulectl_ruleset::ir::{Comment, Family, TableId, TableName};
use rulectl_ruleset::service::TABLE_COMMENT;

use crate::failure::Failure;

/// Moves this process into a network namespace, if one is named.
///
/// The whole process moves, so that programs it starts are in it too.
pub(crate) fn enter(name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    Ok(Netns::open(name)?.enter()?)
}

/// The kernel of the namespace this process is in.
pub(crate) fn kernel() -> Result<NetlinkKernel, Failure> {
    Ok(NetlinkKernel::new()?)
}

/// The tables that services of that name are compiled to.
pub(crate) fn tables(name: &TableName) -> [TableId; 2] {
    [Family::Ip, Family::Ip6].map(|family| TableId::new(family, name.clone()))
}

/// The tables that are ours to change: those with our comment.
pub(crate) fn ours() -> Ownership {
    Ownership::Marked(Comment::new(TABLE_COMMENT).expect("our own comment is a legal one"))
}

/// Has the kernel route what is sent to loopback addresses, if node ports answer there.
///
/// Only after the rules are in place that keep everybody else away from what listens there; and never taken back, for
/// who else relies on it is not known.
pub(crate) fn route_localnet(localhost_nodeports: bool) -> Result<(), Failure> {
    const SETTING: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";
    if !localhost_nodeports {
        return Ok(());
    }
    let path = Path::new(SETTING);
    let failure = |source| Failure::File { path: path.to_owned(), source };
    if std::fs::read_to_string(path).map_err(failure)?.trim() != "1" {
        std::fs::write(path, "1").map_err(failure)?;
        tracing::info!("{SETTING} set to 1: node ports answer on 127.0.0.1");
    }
    Ok(())
}
