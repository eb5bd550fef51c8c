//! Laws of alignment and of the tracker, over generated maps and histories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Endpoint, Protocol, Service, ServiceName, ServicePort};
use super::sets::{Filled, Group};
use super::tests::{any_service, node};
use super::*;
use crate::ir::{Data, Element, Family, HasName, Key, Named, Ruleset};
use crate::live::{Live, LiveSet, LiveTable};

/// A history: services by name as they come, change and go.
fn any_history() -> impl Strategy<Value = Vec<(u8, Option<Service>)>> {
    let event = (0_u8..4).prop_flat_map(|name| (Just(name), prop::option::weighted(0.8, any_service(name))));
    prop::collection::vec(event, 1..12)
}

fn named(name: u8) -> ServiceName {
    ServiceName::new("", &format!("s{name}"))
}

fn map(services: &BTreeMap<ServiceName, Service>) -> ServiceMap {
    ServiceMap { node: node(), services: services.values().cloned().collect() }
}

fn fresh(services: &BTreeMap<ServiceName, Service>) -> Ruleset {
    compile(&map(services), &CompileOptions::default()).ruleset
}

/// A kernel that holds those tables.
pub(super) fn live(ruleset: &Ruleset) -> Live {
    let table = |table: &Table| LiveTable {
        id: table.id(),
        handle: 1,
        flags: table.flags,
        comment: table.comment.clone(),
        owner: None,
        objects: Named::default(),
        sets: table.sets.iter().map(|set| LiveSet { handle: 1, set: set.clone() }).collect(),
        flowtables: Named::default(),
        chains: Named::default(),
    };
    Live { tables: ruleset.tables().map(|wanted| (wanted.id(), table(wanted))).collect(), ..Live::default() }
}

fn aligned(services: &BTreeMap<ServiceName, Service>, with: &Ruleset) -> Ruleset {
    let mut ruleset = fresh(services);
    align(&mut ruleset, &live(with));
    ruleset
}

/// The elements of each set, without declarations and chains.
fn elements(ruleset: &Ruleset) -> BTreeMap<(Family, String), Vec<Element>> {
    let of_table = |table: &Table| {
        let family = table.family;
        let sets = table.sets.iter().map(move |set| ((family, set.name().to_string()), set.elements().clone().into()));
        sets.collect::<Vec<_>>()
    };
    ruleset.tables().flat_map(of_table).collect()
}

/// What a kernel does with edits; it refuses what a kernel would.
fn apply(ruleset: &mut Ruleset, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::CreateTable(table) => assert!(ruleset.insert((**table).clone()).is_none(), "{} is there", table.id()),
            Edit::DeleteTable(id) => assert!(ruleset.remove(id).is_some(), "{id} is not there"),
            Edit::CreateChain { table, chain } => {
                assert!(ruleset.find_mut(table).unwrap().chains.insert((**chain).clone()).is_none());
            }
            Edit::Elements { table, set, removed, added } => {
                let table = ruleset.find_mut(table).unwrap();
                let elements = table.sets.find_mut(set.name()).unwrap().elements_mut();
                for element in removed {
                    assert_eq!(elements.remove(&element.key).as_ref(), Some(element));
                }
                for element in added {
                    assert_eq!(elements.insert(element.clone()), None);
                    if let Data::Verdict(verdict) = &element.data {
                        assert!(verdict.chain().is_none_or(|chain| table.chains.contains(chain)));
                    }
                }
            }
        }
    }
}

const ENDPOINTS: &str = Filled::Endpoints.name();
const SERVICES: &str = Filled::Services.name();
const HAIRPIN: &str = Filled::Hairpin.name();

/// Whether a set has endpoints in slots.
fn has_slots(set: &str) -> bool {
    Group::ALL.iter().any(|group| group.endpoints().name() == set)
}

/// Endpoints by map and frontend, each as often as it has slots.
fn shares(ruleset: &Ruleset) -> BTreeMap<(String, Vec<u8>), Vec<Data>> {
    let mut shares = BTreeMap::<_, Vec<_>>::new();
    for ((_, set), elements) in elements(ruleset) {
        for element in elements.into_iter().filter(|_| has_slots(&set)) {
            let Key::Value(key) = &element.key else { panic!("{element:?}") };
            shares.entry((set.clone(), key[..key.len() - 4].to_vec())).or_default().push(element.data);
        }
    }
    shares.values_mut().for_each(|targets| targets.sort());
    shares
}

/// The elements of all sets but those of endpoints.
fn others(ruleset: &Ruleset) -> Vec<((Family, String), Vec<Element>)> {
    elements(ruleset).into_iter().filter(|((_, set), _)| !has_slots(set)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn alignment_changes_no_meaning_and_is_done_at_once(history in any_history()) {
        let (mut services, mut with) = (BTreeMap::new(), Ruleset::new());
        for (name, service) in history {
            match service {
                Some(service) => drop(services.insert(named(name), service)),
                None => drop(services.remove(&named(name))),
            }
            let plain = fresh(&services);
            let once = aligned(&services, &with);
            prop_assert_eq!(shares(&plain), shares(&once));
            prop_assert_eq!(others(&plain), others(&once));
            prop_assert_eq!(&aligned(&services, &once), &once);
            prop_assert_eq!(&aligned(&services, &plain), &plain);
            with = once;
        }
    }

    #[test]
    fn a_tracker_tells_exactly_what_a_new_compile_would_change(history in any_history()) {
        let mut services = BTreeMap::new();
        let mut tracker = Tracker::new(node(), &CompileOptions::default());
        let mut kernel = Ruleset::new();
        for (name, service) in history {
            let before = kernel.clone();
            let mut change = tracker.change();
            change.update(&named(name), service.as_ref());
            apply(&mut kernel, change.edits());
            change.accept();
            match service {
                Some(service) => drop(services.insert(named(name), service)),
                None => drop(services.remove(&named(name))),
            }
            prop_assert_eq!(elements(&aligned(&services, &before)), elements(&kernel));
            prop_assert_eq!(tracker.len(), services.len());
            // A kernel has its tables and chains in the order in which they were made, and chains of pools stay.
            let known: Vec<Table> = tracker.ruleset().into();
            let mut held: Vec<Table> = kernel.clone().into();
            held.sort_by_key(Table::id);
            prop_assert_eq!(known.len(), held.len());
            for (known, held) in known.iter().zip(&held) {
                prop_assert_eq!(known.id(), held.id());
                prop_assert_eq!(&known.sets, &held.sets);
                for chain in &known.chains {
                    prop_assert_eq!(Some(chain), held.chains.find(chain.name.as_str()));
                }
            }
        }
    }

    #[test]
    fn a_tracker_that_adopts_knows_what_one_that_saw_all_knows(history in any_history(), then in any_history()) {
        let mut services = BTreeMap::new();
        let mut kernel = Ruleset::new();
        for (name, service) in history {
            let _ = service.map(|service| services.insert(named(name), service));
            kernel = aligned(&services, &kernel);
        }
        let mut tracker = Tracker::adopt(&map(&services), &CompileOptions::default(), &kernel);
        for (name, service) in then {
            let before = kernel.clone();
            let mut change = tracker.change();
            change.update(&named(name), service.as_ref());
            apply(&mut kernel, change.edits());
            change.accept();
            match service {
                Some(service) => drop(services.insert(named(name), service)),
                None => drop(services.remove(&named(name))),
            }
            prop_assert_eq!(elements(&aligned(&services, &before)), elements(&kernel));
        }
    }

    #[test]
    fn a_change_that_is_dropped_never_was(first in any_history(), dropped in any_history(), then in any_history()) {
        let [mut one, mut other] = [(); 2].map(|()| Tracker::new(node(), &CompileOptions::default()));
        let edits = |tracker: &mut Tracker, history: &[(u8, Option<Service>)], accept| {
            let mut change = tracker.change();
            history.iter().for_each(|(name, service)| change.update(&named(*name), service.as_ref()));
            let edits = change.edits().to_vec();
            if accept { change.accept() }
            edits
        };
        edits(&mut one, &first, true);
        edits(&mut other, &first, true);
        edits(&mut one, &dropped, false);
        prop_assert_eq!(edits(&mut one, &then, true), edits(&mut other, &then, true));
    }
}

/// A service of one port with so many endpoints, all on another node.
fn service(name: &str, endpoints: std::ops::Range<u8>) -> Service {
    let endpoint = |n| Endpoint { node: Some("n9".into()), ..Endpoint::new([10, 0, 0, n].into(), 8080) };
    Service {
        name: ServiceName::new("", name),
        cluster_ips: vec!["10.96.0.1".parse().unwrap()],
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            endpoints: endpoints.map(endpoint).collect(),
            ..ServicePort::default()
        }],
        ..Service::default()
    }
}

/// How many elements go and come when `after` replaces `before`, by set.
fn changed(before: &Service, after: &Service) -> Vec<(String, usize, usize)> {
    let mut tracker = Tracker::new(node(), &CompileOptions::default());
    let mut change = tracker.change();
    change.update(&before.name, Some(before));
    change.accept();
    let mut change = tracker.change();
    change.update(&after.name, Some(after));
    let count = |edit: &Edit| match edit {
        Edit::Elements { set, removed, added, .. } => Some((set.name().to_string(), removed.len(), added.len())),
        _ => None,
    };
    change.edits().iter().filter_map(count).collect()
}

#[test]
fn one_endpoint_more_or_less_or_another_is_one_element() {
    let five = service("a", 1..6);
    let endpoints = |removed, added| vec![(ENDPOINTS.to_owned(), removed, added)];
    assert_eq!(changed(&five, &service("a", 1..7)), endpoints(0, 1));
    assert_eq!(changed(&service("a", 1..7), &five), endpoints(1, 0));
    assert_eq!(changed(&service("a", 1..6), &service("a", 2..7)), endpoints(1, 1));
    assert_eq!(changed(&five, &five), []);
}

#[test]
fn an_endpoint_that_comes_to_this_node_is_its_own_client_too() {
    let mut six = service("a", 1..7);
    six.ports[0].endpoints[5].node = Some("n0".into());
    let expected = [(ENDPOINTS.to_owned(), 0, 1), (HAIRPIN.to_owned(), 0, 1)];
    assert_eq!(changed(&service("a", 1..6), &six), expected);
}

#[test]
fn only_another_pool_changes_the_verdict() {
    let expected = [(SERVICES.to_owned(), 1, 1), (ENDPOINTS.to_owned(), 0, 1)];
    assert_eq!(changed(&service("a", 1..7), &service("a", 1..8)), expected);
    let expected = [(SERVICES.to_owned(), 1, 1), (ENDPOINTS.to_owned(), 2, 0)];
    assert_eq!(changed(&service("a", 1..3), &service("a", 1..1)), expected);
}

#[test]
fn a_large_pool_gets_its_chain_before_its_first_verdict() {
    let mut tracker = Tracker::new(node(), &CompileOptions::default());
    let mut change = tracker.change();
    let large = service("a", 0..200);
    change.update(&large.name, Some(&large));
    let chains = |edit: &Edit| match edit {
        Edit::CreateChain { chain, .. } => Some(chain.name.to_string()),
        _ => None,
    };
    assert_eq!(change.edits().iter().filter_map(chains).collect::<Vec<_>>(), ["lb-192", "lb-256"]);
    apply(&mut Ruleset::new(), change.edits());
}

#[test]
fn the_winner_of_a_frontend_may_change_when_a_service_goes() {
    let (a, b) = (service("a", 1..3), service("b", 2..5));
    let mut tracker = Tracker::new(node(), &CompileOptions::default());
    let mut kernel = Ruleset::new();
    let mut update = |name: &str, service: Option<&Service>| {
        let mut change = tracker.change();
        change.update(&ServiceName::new("", name), service);
        apply(&mut kernel, change.edits());
        let findings = change.findings().iter().map(ToString::to_string).collect::<Vec<_>>();
        change.accept();
        (shares(&kernel).into_values().map(|targets| targets.len()).collect::<Vec<_>>(), findings)
    };
    assert_eq!(update("b", Some(&b)), (vec![3], vec![]));
    let lost = "error: service b: 10.96.0.1:80/tcp is already served by service a: this claim is left out".to_owned();
    assert_eq!(update("a", Some(&a)), (vec![2], vec![lost]));
    assert_eq!(update("a", None), (vec![3], vec![]));
    assert_eq!(update("b", None), (vec![], vec![]));
    assert!(kernel.is_empty());
}

#[test]
fn a_set_that_gets_too_small_is_noticed() {
    let mut tracker = Tracker::new(node(), &CompileOptions::default());
    let mut change = tracker.change();
    for n in 0..6145_u16 {
        let mut service = service("a", 0..0);
        service.cluster_ips = vec![[10, 96, (n >> 8) as u8, n as u8].into()];
        change.update(&ServiceName::new("", &n.to_string()), Some(&service));
        assert_eq!(change.outgrows(), n == 6144);
    }
}

#[test]
fn a_live_size_is_kept_while_it_is_enough() {
    let services = BTreeMap::from([(named(0), service("s0", 1..9))]);
    let mut there = fresh(&services);
    let size = |ruleset: &Ruleset| ruleset.tables().next().unwrap().sets.find(ENDPOINTS).unwrap().spec().size;
    for (live_size, kept) in [(Some(8), Some(8)), (None, None), (Some(1 << 20), Some(1 << 20)), (Some(7), size(&there))]
    {
        there.tables_mut().next().unwrap().sets.find_mut(ENDPOINTS).unwrap().spec_mut().size = live_size;
        assert_eq!(size(&aligned(&services, &there)), kept);
    }
    let more = BTreeMap::from([(named(0), service("s0", 1..10))]);
    there.tables_mut().next().unwrap().sets.find_mut(ENDPOINTS).unwrap().spec_mut().size = Some(8);
    assert_eq!(size(&aligned(&more, &there)), size(&fresh(&more)));
}
