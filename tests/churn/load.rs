//! Changes under load: services come and go and endpoints move while clients connect, talk on, and ask by UDP.
//!
//! Takes some seconds; `RULECTL_CHURN_SECONDS=60` makes it the full minute.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rulectl_netlink::{Conntrack, NetlinkKernel, Reconciler};
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort,
};
use rulectl_tests::{Failure, Topology, Transport, run};

use crate::lab::{POD_PORT, PORT, Talker};

/// Services in all, those clients use among them.
const SERVICES: usize = 10_000;
const USED: usize = 6;
const PODS: usize = 4;
/// So many changes a second.
const RATE: u32 = 200;
/// How long after its removal was committed an endpoint may still be chosen.
const GRACE: Duration = Duration::from_secs(1);
/// Documented in CONTRIBUTING.md.
const SECONDS: &str = "RULECTL_CHURN_SECONDS";

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("load::ten_thousand_services_change_200_times_a_second_and_no_client_notices", || {
        churn();
        Ok(())
    })]
}

/// Who was an endpoint of which used service when: from before the commit that added it until after the one that
/// removed it.
#[derive(Default)]
struct History(HashMap<(usize, usize), Vec<(Instant, Option<Instant>)>>);

impl History {
    fn becomes(&mut self, service: usize, pods: &[bool; PODS], [before, after]: [Instant; 2]) {
        for (pod, is_endpoint) in pods.iter().enumerate() {
            let spans = self.0.entry((service, pod)).or_default();
            match spans.last_mut() {
                Some((_, end @ None)) if !is_endpoint => *end = Some(after),
                Some((_, None)) => {}
                _ if *is_endpoint => spans.push((before, None)),
                _ => {}
            }
        }
    }

    /// Whether a pod may have answered for a service between those times.
    fn allows(&self, service: usize, pod: usize, [from, to]: [Instant; 2]) -> bool {
        let spans = self.0.get(&(service, pod)).map_or(&[][..], Vec::as_slice);
        spans.iter().any(|(begin, end)| *begin <= to && end.is_none_or(|end| end + GRACE >= from))
    }
}

/// What clients met.
#[derive(Default)]
struct Log {
    /// Service, pod, and between which times.
    answers: Mutex<Vec<(usize, usize, [Instant; 2])>>,
    failures: Mutex<Vec<String>>,
    lines: AtomicUsize,
    /// Flows that were deleted, and questions by UDP that were asked twice: an answer that is under way when its flow is
    /// deleted is lost, as any packet of UDP may be.
    deleted: AtomicUsize,
    repeated: AtomicUsize,
}

impl Log {
    fn answered(&self, service: usize, server: &str, times: [Instant; 2]) {
        let pod = server.strip_prefix("pod-").and_then(|number| number.parse::<usize>().ok());
        match pod {
            Some(pod) => self.answers.lock().expect("not poisoned").push((service, pod - 1, times)),
            None => self.failed(format!("service {service} is answered by {server}")),
        }
    }

    fn failed(&self, what: String) {
        self.failures.lock().expect("not poisoned").push(what);
    }
}

fn address(service: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a60_0000 + service as u32)
}

fn socket(service: usize) -> SocketAddr {
    SocketAddr::new(address(service).into(), PORT)
}

/// The services, and who are endpoints of those that are used.
struct World {
    map: ServiceMap,
    pods: [[bool; PODS]; USED],
    addresses: Vec<IpAddr>,
    random: u64,
}

impl World {
    fn new(topology: &Topology) -> Self {
        let node = NodeSettings {
            name: Some("node".to_owned()),
            addresses: vec![topology.node.ipv4.into()],
            pod_cidrs: vec!["10.244.0.0/15".parse().expect("literal")],
            ..NodeSettings::default()
        };
        let addresses = topology.pods.iter().map(|pod| pod.ipv4.into()).collect();
        let mut world =
            Self { map: ServiceMap { node, services: Vec::new() }, pods: [[true; PODS]; USED], addresses, random: 7 };
        world.map.services = (0..SERVICES).map(|number| world.service(number, 3)).collect();
        world
    }

    /// A number below `bound`, by xorshift: the same in each run.
    fn random(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % bound as u64) as usize
    }

    /// A service as it is to be: a used one has its pods, any other that many addresses nobody has.
    fn service(&mut self, number: usize, endpoints: usize) -> Service {
        let addresses: Vec<(IpAddr, u16)> = if number < USED {
            let pods = self.addresses.iter().zip(self.pods[number]);
            pods.filter(|(_, is_endpoint)| *is_endpoint).map(|(address, _)| (*address, POD_PORT)).collect()
        } else {
            (0..endpoints).map(|_| (Ipv4Addr::from(0x0af5_0000 + self.random(1 << 16) as u32).into(), 80)).collect()
        };
        let endpoint = |(address, port)| Endpoint { node: Some("node".into()), ..Endpoint::new(address, port) };
        let endpoints: Vec<Endpoint> = addresses.into_iter().map(endpoint).collect();
        let port =
            |protocol| ServicePort { protocol, port: PORT, endpoints: endpoints.clone(), ..ServicePort::default() };
        let protocols = if number < USED { vec![Protocol::Tcp, Protocol::Udp] } else { vec![Protocol::Tcp] };
        Service {
            name: ServiceName::new("churn", &format!("s{number:05}")),
            cluster_ips: vec![address(number).into()],
            ports: protocols.into_iter().map(port).collect(),
            ..Service::default()
        }
    }

    /// Changes one service: a used one gains or loses a pod and keeps at least one; any other gets other endpoints, or
    /// none, or goes, or comes back.
    fn change(&mut self) -> (usize, Option<Service>) {
        if self.random(10) == 0 {
            let (number, pod) = (self.random(USED), self.random(PODS));
            self.pods[number][pod] ^= true;
            if !self.pods[number].contains(&true) {
                self.pods[number][pod] = true;
            }
            return (number, Some(self.service(number, 0)));
        }
        let number = USED + self.random(SERVICES - USED);
        let endpoints = self.random(8);
        (number, (endpoints < 7).then(|| self.service(number, endpoints)))
    }

    /// The map after all changes.
    fn into_map(self, last: HashMap<usize, Option<Service>>) -> ServiceMap {
        let mut services: Vec<Option<Service>> = self.map.services.into_iter().map(Some).collect();
        last.into_iter().for_each(|(number, service)| services[number] = service);
        ServiceMap { node: self.map.node, services: services.into_iter().flatten().collect() }
    }
}

/// Counts packets that left the node's nat hooks with a virtual address.
const WATCH: &str = "table inet watch {
    chain forward { type filter hook forward priority 10; ip daddr 10.96.0.0/12 counter; }
    chain postrouting { type filter hook postrouting priority 200; ip daddr 10.96.0.0/12 counter; }
}";

fn churn() {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let topology = Topology::new(PODS as u8);
    topology.pods.iter().for_each(|pod| pod.serve(POD_PORT));
    topology.node.run(|| run("nft", &["-f", "-"], WATCH));
    let kernel = NetlinkKernel::in_namespace(&topology.node.netns).expect("a socket");
    let mut reconciler = Reconciler::new(kernel, CompileOptions::default());
    let mut world = World::new(&topology);
    let before = Instant::now();
    reconciler.sync(&world.map).expect("applied");
    let mut history = History::default();
    (0..USED).for_each(|service| history.becomes(service, &world.pods[service], [before, Instant::now()]));
    let (log, done, mut last) = (Log::default(), AtomicBool::new(false), HashMap::new());
    let (changes, elapsed) = std::thread::scope(|scope| {
        scope.spawn(|| connect(&topology, &log, &done));
        scope.spawn(|| talk(&topology, &log, &done));
        scope.spawn(|| ask(&topology, &log, &done));
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let span = Duration::from_secs(seconds);
            change(&topology, &log, &mut reconciler, &mut world, &mut history, &mut last, span)
        }));
        done.store(true, Ordering::Relaxed);
        changed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    report(&topology, &log, &history, changes, elapsed);
    let map = world.into_map(last);
    let kernel = NetlinkKernel::in_namespace(&topology.node.netns).expect("a socket");
    let fresh = Reconciler::new(kernel, CompileOptions::default()).sync(&map).expect("read");
    assert_eq!(fresh.applied.messages, 0, "what is there is what a fresh compile gives");
}

/// Makes changes at the rate, and cleans flows four times a second; how many changes in which time.
fn change(
    topology: &Topology,
    log: &Log,
    reconciler: &mut Reconciler<NetlinkKernel>,
    world: &mut World,
    history: &mut History,
    last: &mut HashMap<usize, Option<Service>>,
    span: Duration,
) -> (u32, Duration) {
    let mut conntrack = Conntrack::in_namespace(&topology.node.netns).expect("a socket");
    let (start, mut changes, mut cleaned) = (Instant::now(), 0, Instant::now());
    while start.elapsed() < span {
        let due = (start.elapsed().as_secs_f64() * f64::from(RATE)) as u32;
        if changes >= due {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        changes += 1;
        let (number, service) = world.change();
        let name = ServiceName::new("churn", &format!("s{number:05}"));
        let before = Instant::now();
        reconciler.update(&name, service.as_ref()).expect("applied");
        if number < USED {
            history.becomes(number, &world.pods[number], [before, Instant::now()]);
        }
        last.insert(number, service);
        if cleaned.elapsed() > Duration::from_millis(250) {
            let cleaned_flows = reconciler.clean_flows(&mut conntrack, |_, _| {}).expect("cleaned");
            log.deleted.fetch_add(cleaned_flows.deleted, Ordering::Relaxed);
            cleaned = Instant::now();
        }
    }
    (changes, start.elapsed())
}

/// New connections, all the time.
fn connect(topology: &Topology, log: &Log, done: &AtomicBool) {
    for service in (0..USED).cycle() {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let from = Instant::now();
        match topology.client.ask(Transport::Tcp, socket(service)) {
            Ok(answer) => log.answered(service, &answer.server, [from, Instant::now()]),
            Err(failure) => log.failed(format!("a connection to service {service}: {failure:?}")),
        }
    }
}

/// Connections that stay, of a client outside and of a pod.
fn talk(topology: &Topology, log: &Log, done: &AtomicBool) {
    let clients = [&topology.client, &topology.pods[0]];
    let mut talks: Vec<_> =
        (0..4 * USED).map(|at| clients[at % 2].converse(socket(at % USED)).expect("a connection")).collect();
    while !done.load(Ordering::Relaxed) {
        for talk in &mut talks {
            match talk.say("still there?") {
                Ok(()) => drop(log.lines.fetch_add(1, Ordering::Relaxed)),
                Err(failure) => log.failed(format!("a long connection to {}: {failure:?}", talk.answer.server)),
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Flows of UDP that stay.
fn ask(topology: &Topology, log: &Log, done: &AtomicBool) {
    let talkers: Vec<Talker> = (0..2 * USED).map(|at| Talker::new(&topology.client, socket(at % USED))).collect();
    while !done.load(Ordering::Relaxed) {
        for (at, talker) in talkers.iter().enumerate() {
            let from = Instant::now();
            let answer = talker.ask_within(Duration::from_millis(500)).or_else(|failure| match failure {
                Failure::TimedOut => {
                    log.repeated.fetch_add(1, Ordering::Relaxed);
                    talker.ask()
                }
                other => Err(other),
            });
            match answer {
                Ok(server) => log.answered(at % USED, &server, [from, Instant::now()]),
                Err(failure) => log.failed(format!("UDP to service {}: {failure:?}", at % USED)),
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn report(topology: &Topology, log: &Log, history: &History, changes: u32, elapsed: Duration) {
    let answers = log.answers.lock().expect("not poisoned");
    let failures = log.failures.lock().expect("not poisoned");
    let late = answers.iter().filter(|(service, pod, times)| !history.allows(*service, *pod, *times)).count();
    let listing = topology.node.run(|| run("nft", &["list", "table", "inet", "watch"], ""));
    let counts = listing.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let untranslated: u64 = counts.sum();
    let removals = history.0.values().flatten().filter(|(_, end)| end.is_some()).count();
    eprintln!(
        "{changes} changes in {elapsed:.1?} ({:.0} a second), {removals} endpoints removed from used services; {} answers, \
         {} lines on long connections, {} failures, {} flows deleted, {} questions repeated, {late} by endpoints removed longer than {GRACE:?} before, \
         {untranslated} packets untranslated",
        f64::from(changes) / elapsed.as_secs_f64(),
        answers.len(),
        log.lines.load(Ordering::Relaxed),
        failures.len(),
        log.deleted.load(Ordering::Relaxed),
        log.repeated.load(Ordering::Relaxed),
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!((late, untranslated), (0, 0));
    assert!(
        log.repeated.load(Ordering::Relaxed) <= log.deleted.load(Ordering::Relaxed),
        "only in-flight answers are lost"
    );
    assert!(removals > 3 && answers.len() > 50 && log.lines.load(Ordering::Relaxed) > 50, "there was load");
    assert!(f64::from(changes) > elapsed.as_secs_f64() * f64::from(RATE) / 4.0, "changes were slow");
}
