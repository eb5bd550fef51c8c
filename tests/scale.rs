//! What large differences cost. The limits hold in the test profile; release builds are faster.

use std::time::Duration;

use rulectl_netlink::{FakeKernel, Kernel, Scope};
use rulectl_ruleset::diff::{Diff, Ownership, diff};
use rulectl_ruleset::ir::{
    AnySet, Data, DataKind, DataType, Element, Elements, Family, KeyType, Named, SetName, SetSpec, TableFlags, TableId,
    TableName,
};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::{Lowered, LoweredTable};
use rulectl_ruleset::plan::plan;
use rustix::time::{ClockId, clock_gettime};

/// A map of services' endpoints with so many elements; every hundredth has another value if `other`.
fn endpoints(count: u32, other: bool) -> Lowered {
    use DataType::{InetProto, InetService, Ipv4Addr, Mark};
    let data = KeyType::of_types([Ipv4Addr, InetService]);
    let key = KeyType::of_types([Ipv4Addr, InetProto, InetService, Mark]);
    let element = |at: u32| {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&at.to_be_bytes());
        let port = if other && at.is_multiple_of(100) { 81 } else { 80 };
        Element::new(key.into(), Data::Value([10, 0, 0, 1, 0, port, 0, 0].into()))
    };
    let elements: Elements = (0..count).map(element).collect();
    let spec = SetSpec::new(SetName::new("endpoints").unwrap(), key);
    let map = AnySet::new(spec, DataKind::Value { data, interval: false }).with_elements(elements);
    let id = TableId::new(Family::Ip, TableName::new("t").unwrap());
    let table = LoweredTable {
        id: id.clone(),
        flags: TableFlags::default(),
        comment: None,
        objects: Named::default(),
        sets: [map].into_iter().collect(),
        flowtables: Named::default(),
        chains: Named::default(),
    };
    Lowered { tables: [(id, table)].into() }
}

fn between(live: &Live, state: &Lowered) -> Diff {
    diff(live, state, &Ownership::Declared).unwrap()
}

/// The processor time this thread has used.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
fn a_hundred_thousand_elements_are_compared_within_60_ms() {
    let mut kernel = FakeKernel::new();
    let empty = kernel.read(&Scope::all()).unwrap();
    kernel.commit(&plan(&between(&empty, &endpoints(100_000, false)), None)).unwrap();
    let live = kernel.read(&Scope::all()).unwrap();
    let wanted = endpoints(100_000, true);
    let start = cpu();
    let diff = between(&live, &wanted);
    let spent = cpu() - start;
    assert_eq!(diff.summary().elements.changed, 1000);
    eprintln!("{spent:?}");
    assert!(spent < Duration::from_millis(60), "{spent:?}");
}

#[test]
fn six_hundred_thousand_elements_are_planned_without_copies() {
    let wanted = endpoints(600_000, false);
    let before = resident();
    let diff = between(&Live::default(), &wanted);
    let plan = plan(&diff, None);
    let mut kernel = FakeKernel::new();
    kernel.commit(&plan).unwrap();
    let grown = resident().saturating_sub(before);
    assert_eq!(diff.summary().elements.added, 600_000);
    eprintln!("{before} + {grown} KiB");
    assert!(grown < 8 * 1024, "{grown} KiB more than the {before} KiB of what is wanted");
}

/// Resident memory in KiB (proc(5), `VmRSS`).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
