//! What encoding and decoding cost, beside what the kernel does: ratios of one run.
//!
//! `cargo test --release -p rulectl-netlink figures -- --ignored --nocapture`

use std::time::{Duration, Instant};

use rulectl_ruleset::ir::{
    AnySet, ChainName, Data, DataKind, Element, Expression, Family, KeyType, MetaKey, Numgen, NumgenMode, Packed,
    PayloadField, SetName, SetSpec, TableFlags, TableId, TableName, Verdict,
};
use rulectl_ruleset::plan::{Op, Plan, Reason, SetHead, Step};

use crate::attr::Writer;
use crate::encode::Batch;
use crate::message;
use crate::socket::Socket;
use crate::uapi::{self, msg};
use crate::{Kernel, NetlinkKernel, Netns, Scope};

const SERVICES: u32 = 10_000;
const ENDPOINTS: u32 = 10;

fn table() -> TableId {
    TableId::new(Family::Ip, TableName::new("t").unwrap())
}

fn frontend(service: u32) -> Vec<u8> {
    let mut key = (0x0a00_0000 + service).to_be_bytes().to_vec();
    key.extend([6, 0, 0, 0, 0, 80, 0, 0]);
    key
}

fn filled(name: &str, key: KeyType, kind: DataKind, elements: Vec<Element>) -> AnySet {
    let spec = SetSpec::new(SetName::new(name).unwrap(), key).sized(2 * elements.len() as u32);
    AnySet::new(spec, kind).with_elements(elements.into())
}

fn maps() -> [AnySet; 2] {
    let key = || -> [Expression; 3] {
        [PayloadField::IP_DADDR.into(), MetaKey::L4proto.into(), PayloadField::TH_DPORT.into()]
    };
    let goto = Data::Verdict(Verdict::Goto(ChainName::new("lb-12").unwrap()));
    let services = (0..SERVICES).map(|service| Element::new(Packed::new(&frontend(service)), goto.clone())).collect();
    let numgen = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 12, offset: 0 });
    let slots = KeyType::of_expressions(key().into_iter().chain([numgen])).unwrap();
    let data = KeyType::of_expressions([PayloadField::IP_DADDR.into(), PayloadField::TH_DPORT.into()]).unwrap();
    let endpoint = |at: u32| {
        let mut key = frontend(at / ENDPOINTS);
        key.extend((at % ENDPOINTS).to_be_bytes());
        let mut value = (0xac10_0000 + at).to_be_bytes().to_vec();
        value.extend([31, 144, 0, 0]);
        Element::new(Packed::new(&key), Data::Value(Packed::new(&value)))
    };
    let endpoints = (0..SERVICES * ENDPOINTS).map(endpoint).collect();
    [
        filled("services", KeyType::of_expressions(key()).unwrap(), DataKind::Verdict, services),
        filled("endpoints", slots, DataKind::Value { data, interval: false }, endpoints),
    ]
}

fn whole(maps: &[AnySet]) -> Plan {
    let chain = ChainName::new("lb-12").unwrap();
    let mut ops = vec![
        Op::AddTable { table: table(), flags: TableFlags::default(), comment: None },
        Op::AddChain { table: table(), chain, base: None, comment: None },
    ];
    ops.extend(maps.iter().map(|map| Op::AddSet { table: table(), set: SetHead::of(map) }));
    ops.extend(maps.iter().map(add));
    Plan { generation: None, steps: ops.into_iter().map(|op| Step { op, reason: Reason::Missing }).collect() }
}

fn add(map: &AnySet) -> Op {
    Op::AddElements { table: table(), set: SetHead::of(map), elements: map.elements().clone() }
}

/// The shortest of five runs.
fn best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..5).map(|_| run()).min().unwrap()
}

fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let outcome = run();
    let elapsed = start.elapsed();
    drop(outcome);
    elapsed
}

/// A dump of which nothing is decoded.
fn bare_dump(socket: &mut Socket, map: &str) {
    let mut request = Writer::default();
    let seq = socket.sequence(1);
    let start = message::begin_nft(&mut request, msg::GETSETELEM, uapi::NLM_F_DUMP, seq, Some(Family::Ip));
    request.put_str(uapi::elem_list::TABLE, "t");
    request.put_str(uapi::elem_list::SET, map);
    message::end(&mut request, start);
    socket.send(request.bytes()).unwrap();
    let mut done = false;
    while !done {
        socket.wait(|message| done |= message.kind == uapi::NLMSG_DONE).unwrap();
    }
}

#[test]
#[ignore = "measures; run it alone in a release build"]
fn figures() {
    let maps = maps();
    let plan = whole(&maps);
    let elements = f64::from(SERVICES * (ENDPOINTS + 1));
    for map in &maps {
        let only = Plan { generation: None, steps: vec![Step { op: add(map), reason: Reason::Missing }] };
        let encode = best(|| timed(|| Batch::of(&only)));
        println!(
            "encode {}: {:.1} ns/element",
            map.spec().name,
            encode.as_nanos() as f64 / map.elements().len() as f64
        );
    }
    let encode = best(|| timed(|| Batch::of(&plan)));
    let commit = best(|| {
        let mut kernel = NetlinkKernel::in_namespace(&Netns::new().unwrap()).unwrap();
        timed(|| kernel.commit(&plan).unwrap())
    });
    println!(
        "10k x 10: encode {encode:?}, encode and commit {commit:?}, {:.2} x the bare commit",
        commit.as_secs_f64() / (commit - encode).as_secs_f64()
    );
    println!("{:.1} ns/element in all", encode.as_nanos() as f64 / elements);

    let netns = Netns::new().unwrap();
    let mut kernel = NetlinkKernel::in_namespace(&netns).unwrap();
    kernel.commit(&plan).unwrap();
    let mut socket = netns.run(Socket::open).unwrap().unwrap();
    let bare = best(|| timed(|| maps.iter().for_each(|map| bare_dump(&mut socket, map.spec().name.as_str()))));
    let read = best(|| timed(|| kernel.read(&Scope::all()).unwrap()));
    println!("read {read:?}, bare dump {bare:?}: {:.2} x", read.as_secs_f64() / bare.as_secs_f64());

    let change = Plan {
        generation: None,
        steps: [true, false]
            .map(|delete| {
                let set = SetHead::of(&maps[1]);
                let elements = maps[1].elements().as_slice()[..1].iter().cloned().collect();
                let op = if delete {
                    Op::DeleteElements { table: table(), set, elements }
                } else {
                    Op::AddElements { table: table(), set, elements }
                };
                Step { op, reason: Reason::Differs }
            })
            .to_vec(),
    };
    let one = best(|| {
        timed(|| {
            (0..1_000).for_each(|_| {
                kernel.commit(&change).unwrap();
            })
        })
    });
    println!("-1 +1 element: {:.1} us a commit", one.as_secs_f64() * 1e3);
    let mut naming = NetlinkKernel::naming_writers_in(&Netns::new().unwrap()).unwrap();
    let named = timed(|| naming.commit(&plan).unwrap());
    println!("encode and commit while writers are named: {named:?}");
}
