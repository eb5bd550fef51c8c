//! The kernel a command works on.

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
