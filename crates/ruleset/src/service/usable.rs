//! Which endpoints of a port may be used, for everyone and for what must stay on this node.

use std::sync::Arc;

use super::{Endpoint, Hints, NodeSettings};

/// Where endpoints must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Anywhere: those meant for this node or zone, if all are meant for somebody.
    Anywhere,
    /// On this node. Hints say nothing about these.
    Here,
}

/// The endpoints that may be used of `endpoints`, which are those of a port and of one family.
///
/// Those that do not terminate; where there is none, those that do. So what must stay here may use an endpoint that
/// terminates while others do not.
pub(super) fn usable<'a>(endpoints: &[&'a Endpoint], place: Where, node: &NodeSettings) -> Vec<&'a Endpoint> {
    let is_placed = |endpoint: &&&Endpoint| place == Where::Anywhere || is_here(endpoint, node);
    let ready: Vec<_> = endpoints.iter().filter(is_placed).filter(|endpoint| !endpoint.terminating).copied().collect();
    if ready.is_empty() {
        return endpoints.iter().filter(is_placed).copied().collect();
    }
    if place == Where::Here {
        return ready;
    }
    near(ready, node)
}

/// Whether an endpoint is known to be on that node.
pub(super) fn is_here(endpoint: &Endpoint, node: &NodeSettings) -> bool {
    endpoint.node.is_some() && endpoint.node.as_deref() == node.name.as_deref()
}

/// The endpoints that are meant for the node, or else for its zone; all where not every one of them has such a hint, or
/// none is meant for it.
fn near<'a>(endpoints: Vec<&'a Endpoint>, node: &NodeSettings) -> Vec<&'a Endpoint> {
    let own = [(node.name.as_deref(), names_nodes as fn(&Hints) -> &[_]), (node.zone.as_deref(), names_zones)];
    for (own, names) in own {
        let hinted = |endpoint: &Endpoint| endpoint.hints.as_deref().is_some_and(|hints| !names(hints).is_empty());
        let is_meant = |endpoint: &Endpoint| {
            let mut names = endpoint.hints.as_deref().into_iter().flat_map(names);
            names.any(|name| Some(&**name) == own)
        };
        if endpoints.iter().all(|endpoint| hinted(endpoint)) && endpoints.iter().any(|endpoint| is_meant(endpoint)) {
            return endpoints.into_iter().filter(|endpoint| is_meant(endpoint)).collect();
        }
    }
    endpoints
}

fn names_nodes(hints: &Hints) -> &[Arc<str>] {
    &hints.nodes
}

fn names_zones(hints: &Hints) -> &[Arc<str>] {
    &hints.zones
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1 at n1`, `2 at n1 terminating`, `3 for n1 in z1`.
    fn endpoints(texts: &[&str]) -> Vec<Endpoint> {
        texts.iter().map(|text| endpoint(text)).collect()
    }

    fn endpoint(text: &str) -> Endpoint {
        let mut words = text.split(' ');
        let last: u8 = words.next().unwrap().parse().unwrap();
        let mut endpoint = Endpoint::new([10, 0, 0, last].into(), 80);
        let mut hints = Hints::default();
        while let Some(word) = words.next() {
            match word {
                "terminating" => endpoint.terminating = true,
                "at" => endpoint.node = words.next().map(Into::into),
                "for" => hints.nodes.extend(words.next().map(Into::into)),
                "in" => hints.zones.extend(words.next().map(Into::into)),
                other => panic!("{other}"),
            }
        }
        endpoint.hints = (hints != Hints::default()).then(|| hints.into());
        endpoint
    }

    fn used(texts: &[&str], place: Where) -> Vec<String> {
        let node = NodeSettings { name: Some("n1".into()), zone: Some("z1".into()), ..NodeSettings::default() };
        let endpoints = endpoints(texts);
        let endpoints: Vec<_> = endpoints.iter().collect();
        let last = |endpoint: &&Endpoint| endpoint.address.to_string().trim_start_matches("10.0.0.").to_owned();
        usable(&endpoints, place, &node).iter().map(last).collect()
    }

    #[test]
    fn endpoints_that_terminate_are_used_only_where_no_other_is_for_each_set_by_itself() {
        let some = ["1 at n2", "2 at n1 terminating", "3 at n2 terminating"];
        assert_eq!(used(&some, Where::Anywhere), ["1"]);
        assert_eq!(used(&some, Where::Here), ["2"]);
        assert_eq!(used(&some[1..], Where::Anywhere), ["2", "3"]);
        assert_eq!(used(&["1", "2 at n2"], Where::Here), [""; 0]);
    }

    #[test]
    fn hints_count_if_all_have_one_and_one_is_for_us() {
        assert_eq!(used(&["1 in z1", "2 in z2", "3 in z1"], Where::Anywhere), ["1", "3"]);
        assert_eq!(used(&["1 in z1", "2"], Where::Anywhere), ["1", "2"]);
        assert_eq!(used(&["1 in z2", "2 in z3"], Where::Anywhere), ["1", "2"]);
        assert_eq!(used(&["1 in z1", "2 terminating"], Where::Anywhere), ["1"]);
    }

    #[test]
    fn hints_of_nodes_come_before_those_of_zones() {
        assert_eq!(used(&["1 for n1 in z1", "2 for n2 in z1"], Where::Anywhere), ["1"]);
        assert_eq!(used(&["1 for n3 in z1", "2 for n2 in z2"], Where::Anywhere), ["1"]);
    }

    #[test]
    fn hints_say_nothing_about_endpoints_that_must_be_here() {
        assert_eq!(used(&["1 at n1 in z2", "2 at n1 in z1"], Where::Here), ["1", "2"]);
    }
}
