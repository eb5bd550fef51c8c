//! The reconciler, on a kernel in memory: as the unit test of a controller would.

use std::net::IpAddr;

use rulectl_netlink::{
    Applied, CommitError, FakeKernel, Kernel, ReadError, ReconcileError, Reconciled, Reconciler, Scope, Watch,
};
use rulectl_ruleset::flow::{Ends, Flow, Status, Tuple, Zone};
use rulectl_ruleset::ir::{Element, Elements, Family, Key, TableId, TableName};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Plan, SetHead};
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, Stale,
};

/// A kernel that writes down what it is asked, and may be changed by others before each commit.
#[derive(Default)]
struct Watched {
    kernel: FakeKernel,
    full_reads: usize,
    plans: Vec<Plan>,
    restless: bool,
}

impl Kernel for Watched {
    fn generation(&mut self) -> Result<Generation, ReadError> {
        self.kernel.generation()
    }

    fn read(&mut self, scope: &Scope) -> Result<Live, ReadError> {
        self.full_reads += usize::from(scope.elements);
        self.kernel.read(scope)
    }

    fn probe(&mut self, table: &TableId, set: &SetHead, keys: &[Key]) -> Result<Vec<Option<Element>>, ReadError> {
        self.kernel.probe(table, set, keys)
    }

    fn check(&mut self, plan: &Plan) -> Result<(), CommitError> {
        self.kernel.check(plan)
    }

    fn commit(&mut self, plan: &Plan) -> Result<Applied, CommitError> {
        if self.restless {
            self.kernel.change_as("restless", |_| {});
        }
        if !plan.is_empty() {
            self.plans.push(plan.clone());
        }
        self.kernel.commit(plan)
    }

    fn watch(&mut self) -> Result<Box<dyn Watch>, ReadError> {
        self.kernel.watch()
    }
}

fn service(name: &str, vip: [u8; 4], endpoints: &[u8]) -> Service {
    let endpoint = |n: &u8| Endpoint { node: Some("n2".into()), ..Endpoint::new(IpAddr::from([10, 0, 0, *n]), 8080) };
    let endpoints = endpoints.iter().map(endpoint).collect();
    Service {
        name: ServiceName::new("", name),
        cluster_ips: vec![vip.into()],
        ports: vec![ServicePort { protocol: Protocol::Tcp, port: 80, endpoints, ..ServicePort::default() }],
        ..Service::default()
    }
}

fn web(endpoints: &[u8]) -> Service {
    service("web", [10, 96, 0, 1], endpoints)
}

fn map(services: Vec<Service>) -> ServiceMap {
    let pod_cidrs = vec!["10.0.0.0/16".parse().unwrap()];
    ServiceMap { node: NodeSettings { name: Some("n1".into()), pod_cidrs, ..NodeSettings::default() }, services }
}

fn synced(services: Vec<Service>) -> Reconciler<Watched> {
    let mut reconciler = Reconciler::new(Watched::default(), CompileOptions::default());
    reconciler.sync(&map(services)).unwrap();
    reconciler
}

fn update(reconciler: &mut Reconciler<Watched>, service: &Service) -> Result<Reconciled, ReconcileError> {
    reconciler.update(&service.name, Some(service))
}

fn table_id() -> TableId {
    TableId::new(Family::Ip, TableName::new("rulectl").unwrap())
}

fn endpoints(kernel: &Watched) -> &Elements {
    kernel.kernel.live().tables[&table_id()].sets.find("endpoints").unwrap().set.elements()
}

/// The last parts of the addresses in the slots of the first frontend.
fn slots(reconciler: &Reconciler<Watched>) -> Vec<u8> {
    let last = |element: &Element| match &element.data {
        rulectl_ruleset::ir::Data::Value(value) => value[3],
        other => panic!("{other:?}"),
    };
    endpoints(reconciler.kernel()).iter().map(last).collect()
}

fn remove_an_endpoint(live: &mut Live, at: usize) {
    let set = &mut live.tables.get_mut(&table_id()).unwrap().sets.find_mut("endpoints").unwrap().set;
    let key = set.elements().as_slice()[at].key.clone();
    set.elements_mut().remove(&key).unwrap();
}

#[test]
fn a_map_that_is_there_already_is_not_sent_again() {
    let mut reconciler = synced(vec![web(&[1, 2, 3])]);
    let again = reconciler.sync(&map(vec![web(&[3, 2, 1])])).unwrap();
    assert_eq!(again.applied.messages, 0);
    assert_eq!(reconciler.kernel().plans.len(), 1);
}

#[test]
fn an_endpoint_replaced_is_one_element_that_goes_and_one_that_comes() {
    let mut reconciler = synced(vec![web(&[1, 2, 3]), service("other", [10, 96, 0, 2], &[9])]);
    let done = update(&mut reconciler, &web(&[1, 4, 3])).unwrap();
    assert!(!done.read_all);
    let ops: Vec<_> = reconciler.kernel().plans[1].steps.iter().map(|step| step.op.subject(Some(0))).collect();
    assert_eq!(ops.len(), 2, "{ops:?}");
    assert_eq!(slots(&reconciler), [1, 4, 3, 9]);
    assert_eq!(reconciler.kernel().full_reads, 1, "the first, by sync");
}

#[test]
fn a_new_reconciler_keeps_the_slots_it_finds() {
    let mut first = synced(vec![web(&[1, 2, 3, 4, 5, 6])]);
    update(&mut first, &web(&[2, 3, 4, 5, 6])).unwrap();
    let found = slots(&first);
    assert_eq!(found, [6, 2, 3, 4, 5]);
    let kernel = std::mem::take(first.kernel_mut());
    let mut second = Reconciler::new(kernel, CompileOptions::default());
    assert_eq!(second.sync(&map(vec![web(&[2, 3, 4, 5, 6])])).unwrap().applied.messages, 0);
    update(&mut second, &web(&[2, 3, 4, 5, 6, 7])).unwrap();
    assert_eq!(slots(&second), [6, 2, 3, 4, 5, 7]);
}

#[test]
fn tables_come_with_their_first_virtual_address_and_go_with_the_last() {
    let mut reconciler = synced(Vec::new());
    assert!(reconciler.kernel().kernel.live().tables.is_empty());
    let web = web(&[1]);
    update(&mut reconciler, &web).unwrap();
    assert_eq!(slots(&reconciler), [1]);
    reconciler.update(&web.name, None).unwrap();
    assert!(reconciler.kernel().kernel.live().tables.is_empty());
    assert_eq!(reconciler.kernel().full_reads, 1);
}

#[test]
fn what_is_made_by_update_is_what_sync_would_make() {
    let mut reconciler = synced(Vec::new());
    let all: Vec<u8> = (1..=200).collect();
    update(&mut reconciler, &web(&[1])).unwrap();
    update(&mut reconciler, &web(&all)).unwrap();
    assert_eq!(reconciler.sync(&map(vec![web(&all)])).unwrap().applied.messages, 0);
}

#[test]
fn another_owner_in_between_costs_no_full_read() {
    let mut reconciler = synced(vec![web(&[1, 2, 3])]);
    reconciler.kernel_mut().kernel.change_as("nft", |_| {});
    reconciler.kernel_mut().kernel.before_commit(|kernel| kernel.change_as("nft", |_| {}));
    let done = update(&mut reconciler, &web(&[1, 2, 4])).unwrap();
    assert!(!done.read_all);
    assert_eq!(slots(&reconciler), [1, 2, 4]);
    assert_eq!(reconciler.kernel().full_reads, 1);
}

#[test]
fn an_element_of_the_change_that_somebody_took_away_is_put_right() {
    let mut reconciler = synced(vec![web(&[1, 2, 3]), service("other", [10, 96, 0, 2], &[9])]);
    reconciler.kernel_mut().kernel.change_as("nft", |live| {
        remove_an_endpoint(live, 1);
        remove_an_endpoint(live, 2);
    });
    let done = update(&mut reconciler, &web(&[1, 4, 3])).unwrap();
    assert!(done.read_all);
    assert_eq!(slots(&reconciler), [1, 4, 3, 9]);
    assert!(!update(&mut reconciler, &web(&[1, 5, 3])).unwrap().read_all);
}

#[test]
fn a_table_that_somebody_deleted_is_made_again() {
    let mut reconciler = synced(vec![web(&[1, 2, 3]), service("other", [10, 96, 0, 2], &[9])]);
    reconciler.kernel_mut().kernel.change_as("nft", |live| live.tables.clear());
    assert!(update(&mut reconciler, &web(&[1, 2, 3, 4])).unwrap().read_all);
    assert_eq!(slots(&reconciler), [1, 2, 3, 4, 9]);
}

#[test]
fn a_table_of_our_name_that_is_not_ours_is_a_conflict() {
    let mut kernel = Watched::default();
    let mut theirs = Reconciler::new(Watched::default(), CompileOptions::default());
    theirs.sync(&map(vec![web(&[1])])).unwrap();
    let mut live = theirs.kernel().kernel.live().clone();
    live.tables.values_mut().for_each(|table| table.comment = None);
    kernel.kernel = FakeKernel::with(live);
    let mut reconciler = Reconciler::new(kernel, CompileOptions::default());
    let error = reconciler.sync(&map(vec![web(&[2])])).unwrap_err();
    assert!(matches!(&error, ReconcileError::Conflict { conflicts } if conflicts[0].table == table_id()), "{error}");
    assert!(reconciler.kernel().plans.is_empty());
}

#[test]
fn a_kernel_that_never_rests_ends_the_attempts() {
    let mut reconciler = synced(vec![web(&[1, 2, 3])]);
    reconciler.kernel_mut().restless = true;
    let error = update(&mut reconciler, &web(&[1, 2, 4])).unwrap_err();
    assert!(matches!(error, ReconcileError::Contended { attempts: 8 }), "{error}");
    let error = reconciler.sync(&map(vec![web(&[1, 2, 5])])).unwrap_err();
    assert!(matches!(error, ReconcileError::Contended { attempts: 8 }), "{error}");
    reconciler.kernel_mut().restless = false;
    update(&mut reconciler, &web(&[1, 2, 4])).unwrap();
    assert_eq!(slots(&reconciler), [1, 2, 4]);
}

#[test]
fn a_change_that_is_refused_is_made_again_by_the_next_call() {
    let mut reconciler = synced(vec![web(&[1, 2, 3])]);
    reconciler.kernel_mut().kernel.fail_step(0, 12);
    assert!(matches!(update(&mut reconciler, &web(&[1, 2, 4])), Err(ReconcileError::Commit(_))));
    assert_eq!(slots(&reconciler), [1, 2, 3]);
    update(&mut reconciler, &web(&[1, 2, 4])).unwrap();
    assert_eq!(slots(&reconciler), [1, 2, 4]);
}

#[test]
fn a_set_that_is_full_is_made_anew_once() {
    let mut reconciler = synced(vec![web(&[1, 2, 3])]);
    let many: Vec<_> =
        (0..7000_u16).map(|n| service(&format!("s{n}"), [10, 97, (n >> 8) as u8, n as u8], &[])).collect();
    let done = reconciler.update_all(many.iter().map(|service| (&service.name, Some(service)))).unwrap();
    assert!(done.read_all);
    assert_eq!(done.findings.len(), 7000, "none of them has an endpoint");
    assert!(!update(&mut reconciler, &web(&[1, 2, 4])).unwrap().read_all);
    assert_eq!(slots(&reconciler), [1, 2, 4]);
}

#[test]
fn nothing_is_updated_before_the_first_sync() {
    let mut reconciler = Reconciler::new(Watched::default(), CompileOptions::default());
    assert!(matches!(update(&mut reconciler, &web(&[1])), Err(ReconcileError::NotSynchronised)));
}

#[test]
fn a_flush_is_noticed_while_no_service_changes_and_what_is_missing_comes_back() {
    let mut reconciler = synced(vec![web(&[1, 2])]);
    let before = reconciler.kernel().kernel.live().clone();
    assert!(!reconciler.repair().unwrap().read_all, "nobody changed anything");
    reconciler.kernel_mut().kernel.change_as("nft", |live| live.tables.clear());
    let done = reconciler.repair().unwrap();
    assert!(done.read_all && done.applied.messages > 0);
    let sets = |live: &Live| {
        live.tables.values().next().map(|table| table.sets.iter().map(|set| set.set.clone()).collect::<Vec<_>>())
    };
    assert_eq!(sets(reconciler.kernel().kernel.live()), sets(&before));
    assert!(!reconciler.repair().unwrap().read_all, "all is well again");
    assert!(!update(&mut reconciler, &web(&[1, 3])).unwrap().read_all, "and changes are small as before");
}

#[test]
fn a_change_of_others_tables_repairs_nothing() {
    let mut reconciler = synced(vec![web(&[1, 2])]);
    let reads = reconciler.kernel().full_reads;
    reconciler.kernel_mut().kernel.change_as("other", |_| {});
    assert!(!reconciler.repair().unwrap().read_all);
    assert_eq!(reconciler.kernel().full_reads, reads);
}

/// A flow of TCP to `10.96.0.<vip>:80` that was led to `10.0.0.<endpoint>:8080`.
fn flow(vip: u8, endpoint: u8) -> Flow {
    let tuple = |source: ([u8; 4], u16), destination: ([u8; 4], u16)| Tuple {
        source: source.0.into(),
        destination: destination.0.into(),
        protocol: Protocol::Tcp.number(),
        ends: Ends::Ports { source: source.1, destination: destination.1 },
    };
    let client = ([192, 0, 2, 2], 4711);
    Flow {
        original: tuple(client, ([10, 96, 0, vip], 80)),
        reply: tuple(([10, 0, 0, endpoint], 8080), client),
        status: Status::default(),
        mark: 0,
        zone: Zone::Default,
        timeout: None,
        state: None,
        id: 1,
    }
}

#[test]
fn flows_are_judged_by_what_changed_and_by_who_serves_a_frontend_now() {
    let mut reconciler =
        Reconciler::new(Watched::default(), CompileOptions::default()).cleaning(&[Protocol::Tcp, Protocol::Udp]);
    reconciler.sync(&map(vec![web(&[1, 2]), service("other", [10, 96, 0, 2], &[5])])).unwrap();
    let judge =
        |reconciler: &Reconciler<Watched>, vip, endpoint| reconciler.expected_flows().judge(&flow(vip, endpoint));
    assert_eq!(judge(&reconciler, 1, 3), Some(Stale::EndpointGone));
    assert_eq!(judge(&reconciler, 2, 5), None);
    // Another service waits for the address of `web`, and gets it when `web` goes.
    update(&mut reconciler, &service("www", [10, 96, 0, 1], &[3])).unwrap();
    assert_eq!(judge(&reconciler, 1, 1), None);
    let web = ServiceName::new("", "web");
    reconciler.update(&web, None).unwrap();
    assert_eq!(judge(&reconciler, 1, 1), Some(Stale::EndpointGone));
    assert_eq!(judge(&reconciler, 1, 3), None);
    reconciler.update(&ServiceName::new("", "www"), None).unwrap();
    assert_eq!(judge(&reconciler, 1, 3), Some(Stale::NotServed));
    // A change that the kernel did not take changes nothing here either.
    reconciler.kernel_mut().kernel.fail_step(0, 1);
    update(&mut reconciler, &service("other", [10, 96, 0, 2], &[6])).unwrap_err();
    assert_eq!(judge(&reconciler, 2, 5), None);
}
