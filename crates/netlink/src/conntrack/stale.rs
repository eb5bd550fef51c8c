//! Flows that go where the rules of services would not send them any more.

use rulectl_ruleset::flow::Flow;
use rulectl_ruleset::service::{ExpectedFlows, Stale};

use super::{Conntrack, ConntrackError, Deleted, Filter, Walked};

impl Conntrack {
    /// Hands over the stale flows, with why they are.
    ///
    /// # Errors
    /// As [`Self::walk`].
    pub fn stale(
        &mut self,
        expected: &mut ExpectedFlows,
        mut report: impl FnMut(&Flow, Stale),
    ) -> Result<Walked, ConntrackError> {
        // Node ports may answer at all of them.
        expected.set_local_addresses(self.local_addresses()?);
        if expected.is_empty() {
            return Ok(Walked::default());
        }
        self.walk(&filter(expected), |flow| {
            if let Some(stale) = expected.judge(&flow) {
                report(&flow, stale);
            }
        })
    }

    /// Deletes the stale flows: the next packet of each is taken for a first one, and goes where the rules send it.
    /// To be done after the rules were changed; `report` is told of each before it goes.
    ///
    /// # Errors
    /// As [`Self::delete_where`].
    pub fn clean(
        &mut self,
        expected: &mut ExpectedFlows,
        mut report: impl FnMut(&Flow, Stale),
    ) -> Result<Deleted, ConntrackError> {
        // Node ports may answer at all of them.
        expected.set_local_addresses(self.local_addresses()?);
        if expected.is_empty() {
            return Ok(Deleted::default());
        }
        self.delete_where(&filter(expected), |flow| {
            let stale = expected.judge(flow);
            stale.into_iter().for_each(|stale| report(flow, stale));
            stale.is_some()
        })
    }
}

/// What the kernel need not send: flows of other protocols, in zones, and, where only one is asked for, at other
/// frontends.
fn filter(expected: &ExpectedFlows) -> Filter {
    let mut filter = Filter { zone: Some(0), ..Filter::default() };
    if let [protocol] = expected.protocols() {
        filter.protocol = Some(protocol.number());
    }
    if let Some(frontend) = expected.only_frontend() {
        filter.family = Some(frontend.family());
        filter.protocol = Some(frontend.protocol.number());
        filter.destination_port = Some(frontend.port);
        filter.destination = (!frontend.is_node_port()).then_some(frontend.address);
    }
    filter
}
