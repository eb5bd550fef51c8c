//! What each kind of change costs: messages, bytes and elements, with a thousand services and with ten thousand.
//!
//! The table is in `docs/changes.md`, which this test checks; `BLESS=1` writes it.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use libtest_mimic::Trial;
use rulectl_netlink::{Applied, CommitError, Kernel, NetlinkKernel, Netns, ReadError, Reconciler, Scope, Watch};
use rulectl_ruleset::ir::{Element, Key, TableId};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Op, Plan, SetHead};
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort, TrafficPolicy,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("cost::a_change_costs_the_same_at_any_size_and_no_more_than_its_like_elsewhere", || {
        costs();
        Ok(())
    })]
}

/// A kernel that counts the elements of what is committed.
struct Counting {
    kernel: NetlinkKernel,
    elements: usize,
}

impl Kernel for Counting {
    fn generation(&mut self) -> Result<Generation, ReadError> {
        self.kernel.generation()
    }

    fn read(&mut self, scope: &Scope) -> Result<Live, ReadError> {
        self.kernel.read(scope)
    }

    fn probe(&mut self, table: &TableId, set: &SetHead, keys: &[Key]) -> Result<Vec<Option<Element>>, ReadError> {
        self.kernel.probe(table, set, keys)
    }

    fn check(&mut self, plan: &Plan) -> Result<(), CommitError> {
        self.kernel.check(plan)
    }

    fn commit(&mut self, plan: &Plan) -> Result<Applied, CommitError> {
        self.elements = plan.steps.iter().map(|step| elements(&step.op)).sum();
        self.kernel.commit(plan)
    }

    fn watch(&mut self) -> Result<Box<dyn Watch>, ReadError> {
        self.kernel.watch()
    }
}

fn elements(op: &Op) -> usize {
    match op {
        Op::AddElements { elements, .. } | Op::DeleteElements { elements, .. } => elements.len(),
        _ => 0,
    }
}

/// What a change costs: messages between the begin and the end of a batch, its bytes, and elements.
type Cost = [usize; 3];

/// A kind of change: its name, the service before and after, and how many operations kube-proxy's tests expect of its
/// nftables mode, where they say so (pkg/proxy/nftables/proxier_test.go, `TestSyncProxyRulesRepeated`).
struct Kind {
    name: &'static str,
    before: Option<Service>,
    after: Option<Service>,
    elsewhere: Option<usize>,
}

fn kinds() -> Vec<Kind> {
    let kind = |name, before, after, elsewhere| Kind { name, before, after, elsewhere };
    let with = |endpoints: &[u8]| Some(service(endpoints));
    let local = |policy| {
        let mut service = service(&[1, 2]);
        service.external_ips = vec![[198, 51, 100, 7].into()];
        service.external_traffic = policy;
        Some(service)
    };
    let mut node_port = service(&[1]);
    node_port.ports[0].node_port = Some(30080);
    vec![
        kind("service added, with one endpoint", None, with(&[1]), Some(6)),
        kind("service added, without endpoints", None, with(&[]), Some(2)),
        kind("service deleted", with(&[1]), None, Some(4)),
        kind("first endpoint", with(&[]), with(&[1]), Some(6)),
        kind("second endpoint", with(&[1]), with(&[1, 2]), Some(4)),
        kind("endpoint added, of many", with(&[1, 2, 3, 4, 5]), with(&[1, 2, 3, 4, 5, 6]), Some(4)),
        kind("endpoint removed, of many", with(&[1, 2, 3, 4, 5, 6]), with(&[1, 2, 3, 4, 6]), Some(4)),
        kind("endpoint replaced", with(&[1]), with(&[2]), Some(5)),
        kind("endpoint replaced, of many", with(&[1, 2, 3, 4, 5, 6]), with(&[1, 2, 3, 4, 5, 7]), Some(5)),
        kind("last endpoint gone", with(&[1]), with(&[]), Some(5)),
        kind("node port added", with(&[1]), Some(node_port.clone()), None),
        kind("node port removed", Some(node_port), with(&[1]), None),
        kind("policy: Cluster to Local", local(TrafficPolicy::Cluster), local(TrafficPolicy::Local), None),
        kind("policy: Local to Cluster", local(TrafficPolicy::Local), local(TrafficPolicy::Cluster), None),
        kind("nothing changed", with(&[1, 2]), with(&[2, 1]), Some(0)),
    ]
}

/// The service that changes, with those endpoints on this node.
fn service(endpoints: &[u8]) -> Service {
    let endpoint = |n: &u8| Endpoint { node: Some("n1".into()), ..Endpoint::new([10, 244, 0, *n].into(), 8080) };
    named("changing", [10, 99, 0, 1].into(), endpoints.iter().map(endpoint).collect())
}

fn named(name: &str, address: IpAddr, endpoints: Vec<Endpoint>) -> Service {
    Service {
        name: ServiceName::new("", name),
        cluster_ips: vec![address],
        ports: vec![ServicePort { protocol: Protocol::Tcp, port: 80, endpoints, ..ServicePort::default() }],
        ..Service::default()
    }
}

/// What each kind costs where there are that many other services, of three endpoints each.
fn measured(services: u32) -> Vec<Cost> {
    let endpoint =
        |n: u32| Endpoint { node: Some("n2".into()), ..Endpoint::new(Ipv4Addr::from(0x0af5_0000 + n).into(), 80) };
    let other = |n: u32| {
        let address = Ipv4Addr::from(0x0a60_0000 + n);
        named(&format!("s{n}"), address.into(), (0..3).map(|at| endpoint(3 * n + at)).collect())
    };
    let node = NodeSettings {
        name: Some("n1".to_owned()),
        addresses: vec![[192, 0, 2, 1].into()],
        pod_cidrs: vec!["10.244.0.0/15".parse().expect("literal")],
        ..NodeSettings::default()
    };
    let map = ServiceMap { node, services: (0..services).map(other).collect() };
    let netns = Netns::new().expect("a namespace");
    let kernel = Counting { kernel: NetlinkKernel::in_namespace(&netns).expect("a socket"), elements: 0 };
    let mut reconciler = Reconciler::new(kernel, CompileOptions::default());
    reconciler.sync(&map).expect("applied");
    // The pool of local endpoints is there from the first time on.
    let name = ServiceName::new("", "changing");
    for kind in kinds() {
        reconciler.update(&name, kind.after.as_ref()).expect("applied");
    }
    kinds()
        .into_iter()
        .map(|kind| {
            reconciler.update(&name, kind.before.as_ref()).expect("applied");
            reconciler.kernel_mut().elements = 0;
            let done = reconciler.update(&name, kind.after.as_ref()).expect("applied");
            assert!(!done.read_all, "{}: nothing is read", kind.name);
            [done.applied.messages.saturating_sub(2), done.applied.bytes, reconciler.kernel().elements]
        })
        .collect()
}

fn costs() {
    let small = measured(1_000);
    let mut table = String::from(
        "# What a change costs\n\nIn the maps layout, through `Reconciler`, for a service with one virtual address and \
         one port, with 1,000 and with 10,000\nother services: the same. Messages are those of the one batch without its \
         begin and end; bytes are all of it. Nothing else is\nsent, and nothing is read but the generation. The last \
         column is how many operations kube-proxy's nftables mode makes of such\na change, by its own tests; beside them \
         it lists its table each time.\n\nEndpoints are on this node, so each is an element of `hairpin` too. A first \
         endpoint, or one that needs a larger pool, changes a\nverdict as well. This table is checked by a \
         test.\n\n| change | messages | bytes | elements | operations of kube-proxy |\n|---|---|---|---|---|\n",
    );
    for (kind, [messages, bytes, elements]) in kinds().iter().zip(&small) {
        let elsewhere = kind.elsewhere.map_or_else(|| "–".to_owned(), |ops| ops.to_string());
        assert!(kind.elsewhere.is_none_or(|ops| *messages <= ops), "{}: {messages} messages", kind.name);
        writeln!(table, "| {} | {messages} | {bytes} | {elements} | {elsewhere} |", kind.name).expect("a string");
    }
    assert_eq!(small, measured(10_000));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/changes.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &table).expect("docs can be written");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), table, "BLESS=1 writes docs/changes.md");
}
