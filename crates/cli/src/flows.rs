//! Tracked connections that go where the rules would not send them any more.

use rulectl_netlink::Conntrack;
use rulectl_ruleset::service::{ExpectedFlows, Frontend, ServiceMap};

use crate::args::FlowProtocols;
use crate::failure::Failure;
use crate::output::Terminal;

/// Deletes the stale connections of this namespace after its rules became those of a map; `before` is what they served.
///
/// The rules are in place by now. So what goes wrong here is told, and no reason to say that nothing was done.
pub(crate) fn clean(map: &ServiceMap, before: Vec<Frontend>, protocols: FlowProtocols, terminal: &Terminal) {
    let mut expected = ExpectedFlows::of(map, protocols.protocols()).after(before);
    if let Err(failure) = delete(&mut expected, terminal) {
        terminal.note(&format!("warning: connections may go on to where they went before: {failure}"));
    }
}

/// Deletes what is stale; says how many there were, if any.
pub(crate) fn delete(expected: &mut ExpectedFlows, terminal: &Terminal) -> Result<(), Failure> {
    if expected.is_empty() {
        return Ok(());
    }
    let deleted = Conntrack::new()?.clean(expected, |flow, stale| tracing::info!("{stale}: {flow}"))?;
    let count = deleted.deleted + deleted.gone;
    if count > 0 {
        terminal.print(&format!("{count} stale connection{} deleted\n", if count == 1 { "" } else { "s" }))?;
    }
    if deleted.offloaded > 0 {
        terminal.note(&format!("warning: {} stale connections are in a flowtable and stay", deleted.offloaded));
    }
    Ok(())
}
