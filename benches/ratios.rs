//! What applying costs, as ratios measured in one run: `cargo bench --bench ratios [-- SERVICES…]`.
//!
//! Each figure is taken in a process and a network namespace of its own. Times are CPU times of the process (and, for
//! nft, of the program), user and system, so other load on the machine changes little. Ten endpoints a service.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rulectl_netlink::{Kernel, NetlinkKernel, Reconciler, netns};
use rulectl_ruleset::plan::plan;
use rulectl_ruleset::service::{
    self, CompileOptions, Endpoint, NodeSettings, Protocol, Service, ServiceMap, ServiceName, ServicePort,
};
use rulectl_ruleset::{diff, live::Live, lower, nft};

const ENDPOINTS: u32 = 10;
const CHANGES: u32 = 4000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [mode, measure, services] = arguments.as_slice()
        && mode == "measure"
    {
        netns::isolate().expect("namespaces");
        println!("{}", measure_one(measure, services.parse().expect("a number")));
        return ExitCode::SUCCESS;
    }
    let sizes: Vec<u32> = arguments.iter().filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 50_000] } else { sizes };
    full_apply(&sizes);
    one_change(&sizes);
    ExitCode::SUCCESS
}

fn full_apply(sizes: &[u32]) {
    println!("full apply from a map in memory (CPU ms; {ENDPOINTS} endpoints a service)");
    println!("services |   apply | commit alone | nft -f  | apply/commit | nft/apply | peak MiB | messages |   bytes");
    for size in sizes {
        let [apply, peak, messages, bytes] = figures("apply", *size)[..] else { panic!("four figures") };
        let [commit, ..] = figures("commit", *size)[..] else { panic!("a figure") };
        let [nft, ..] = figures("nft", *size)[..] else { panic!("a figure") };
        println!(
            "{size:8} | {apply:7.1} | {commit:12.1} | {nft:7.0} | {:12.2} | {:9.1} | {peak:8.0} | {messages:8.0} | {bytes:8.0}",
            apply / commit,
            nft / apply
        );
    }
}

fn one_change(sizes: &[u32]) {
    println!("\none endpoint replaced, through the library (CPU µs a change, mean of {CHANGES})");
    println!("services |   user |  system | messages | bytes");
    for size in sizes {
        let [user, system, messages, bytes] = figures("change", *size)[..] else { panic!("four figures") };
        println!("{size:8} | {user:6.1} | {system:7.1} | {messages:8.0} | {bytes:5.0}");
    }
}

/// Runs one measurement in a process of its own.
fn figures(measure: &str, services: u32) -> Vec<f64> {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program)
        .args(["measure", measure, &services.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("the program starts again");
    assert!(output.status.success(), "{measure} {services} failed");
    let text = String::from_utf8(output.stdout).expect("figures are text");
    text.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

fn measure_one(measure: &str, services: u32) -> String {
    let map = map(services);
    match measure {
        "apply" => apply(&map),
        "commit" => commit(&map),
        "nft" => nft_file(&map),
        "change" => change(&map),
        _ => panic!("no such measurement"),
    }
}

/// Everything: read what is there, compile, compare, plan, encode, send, and remember.
fn apply(map: &ServiceMap) -> String {
    let mut reconciler = Reconciler::new(NetlinkKernel::new().expect("a socket"), CompileOptions::default());
    let before = usage(UsageWho::RUSAGE_SELF);
    let done = reconciler.sync(map).expect("applied");
    let cpu = (usage(UsageWho::RUSAGE_SELF) - before).total();
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let peak: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
        .expect("a peak");
    format!("{} {} {} {}", cpu * 1e3, peak / 1024.0, done.applied.messages, done.applied.bytes)
}

/// The kernel's part of it: system time of the one `sendmsg`, of the same batch.
fn commit(map: &ServiceMap) -> String {
    let lowered = lower::lower(service::compile(map, &CompileOptions::default()).ruleset).expect("lowered");
    let diff = diff::diff(&Live::default(), &lowered, &diff::Ownership::Declared).expect("nobody owns anything");
    let mut kernel = NetlinkKernel::new().expect("a socket");
    let generation = kernel.generation().expect("a generation").id;
    let plan = plan(&diff, Some(generation));
    let before = usage(UsageWho::RUSAGE_SELF);
    kernel.commit(&plan).expect("applied");
    format!("{}", (usage(UsageWho::RUSAGE_SELF) - before).system * 1e3)
}

/// The same rules as text, through nft.
fn nft_file(map: &ServiceMap) -> String {
    let text = nft::print(&service::compile(map, &CompileOptions::default()).ruleset);
    let before = usage(UsageWho::RUSAGE_CHILDREN);
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    nft.stdin.take().expect("piped").write_all(text.as_bytes()).expect("nft reads");
    assert!(nft.wait().expect("nft ends").success());
    format!("{}", (usage(UsageWho::RUSAGE_CHILDREN) - before).total() * 1e3)
}

/// One endpoint of one service replaced, again and again, each time of another service.
fn change(map: &ServiceMap) -> String {
    let mut reconciler = Reconciler::new(NetlinkKernel::new().expect("a socket"), CompileOptions::default());
    reconciler.sync(map).expect("applied");
    let mut services = map.services.clone();
    let count = services.len();
    let mut sent = (0, 0);
    let before = usage(UsageWho::RUSAGE_SELF);
    for round in 0..CHANGES {
        let service = &mut services[(round as usize * 7919) % count];
        service.ports[0].endpoints[3].address = Ipv4Addr::from(0x0ac8_0000 + round).into();
        let done = reconciler.update(&service.name, Some(service)).expect("applied");
        assert!(!done.read_all, "nothing is dumped");
        sent = (done.applied.messages, done.applied.bytes);
    }
    let cpu = usage(UsageWho::RUSAGE_SELF) - before;
    let each = f64::from(CHANGES) / 1e6;
    format!("{} {} {} {}", cpu.user / each, cpu.system / each, sent.0, sent.1)
}

/// CPU seconds.
#[derive(Clone, Copy)]
struct Cpu {
    user: f64,
    system: f64,
}

impl Cpu {
    fn total(self) -> f64 {
        self.user + self.system
    }
}

impl std::ops::Sub for Cpu {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

fn usage(who: UsageWho) -> Cpu {
    let usage: Usage = getrusage(who).expect("the kernel counts");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Cpu { user: seconds(usage.user_time()), system: seconds(usage.system_time()) }
}

fn map(services: u32) -> ServiceMap {
    let nodes: Vec<Arc<str>> = (0..50).map(|node| format!("node-{node}").into()).collect();
    let endpoint = |number: u32| Endpoint {
        node: Some(Arc::clone(&nodes[number as usize % nodes.len()])),
        ..Endpoint::new(Ipv4Addr::from(0x0a80_0000 + number).into(), 8080)
    };
    let service = |number: u32| Service {
        name: ServiceName::new("bench", &format!("svc-{number:05}")),
        cluster_ips: vec![Ipv4Addr::from(0x0a60_0000 + number).into()],
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            endpoints: (0..ENDPOINTS).map(|slot| endpoint(number * ENDPOINTS + slot)).collect(),
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    let node = NodeSettings {
        name: Some("node-0".to_owned()),
        pod_cidrs: vec!["10.128.0.0/9".parse().expect("literal")],
        ..NodeSettings::default()
    };
    ServiceMap { node, services: (0..services).map(service).collect() }
}
