//! What we write, read by libnftnl: an independent decoder, and the one nft uses.

use std::ffi::{CStr, c_char};
use std::process::Command;

use nftnl_sys as sys;
use rulectl_ruleset::expr::{BitwiseOp, CmpOp, Expr, Program, Reg, SetUse};
use rulectl_ruleset::ir::{
    AnySet, BaseChain, ChainName, ChainType, Comment, Data, DataKind, DataType, DeviceName, Element, Family, Flowtable,
    Hook, KeyType, LimitUnit, MetaKey, NatKind, ObjectName, Packed, PayloadBase, Policy, Priority, SetName, SetSpec,
    SetUpdateOp, TableFlags, TableId, TableName, Verdict,
};
use rulectl_ruleset::plan::{Op, Place, SetHead};

use super::Encoder;

/// A message of libnftnl's, printed.
macro_rules! printed {
    ($message:expr, $alloc:ident $parse:ident $print:ident $free:ident) => {{
        let message = aligned($message);
        let mut text = vec![0_u8; 65_536];
        // SAFETY: the object is allocated and freed here; `message` is a whole netlink message, aligned to 4 bytes, of
        // the length in its header; the text's buffer has the length given.
        unsafe {
            let object = sys::$alloc();
            assert!(!object.is_null());
            assert_eq!(sys::$parse(message.as_ptr().cast(), object), 0, "libnftnl cannot read it");
            let start = text.as_mut_ptr().cast::<c_char>();
            assert!(sys::$print(start, text.len(), object, sys::NFTNL_OUTPUT_DEFAULT, 0) >= 0);
            sys::$free(object);
        }
        CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap().trim_end().to_owned()
    }};
}

/// The last message of a step.
fn encoded(op: &Op) -> Vec<u8> {
    let mut encoder = Encoder::new(0);
    encoder.op(op).unwrap();
    let (bytes, mut at) = (encoder.bytes(), 0);
    loop {
        let len = u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if at + len >= bytes.len() {
            return bytes[at..].to_vec();
        }
        at += len;
    }
}

fn aligned(bytes: Vec<u8>) -> Vec<u32> {
    bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn table() -> TableId {
    TableId::new(Family::Ip, TableName::new("t").unwrap())
}

fn chain(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

fn rule(exprs: Vec<Expr>) -> String {
    let program = Program { exprs, comment: Some(Comment::new("why").unwrap()) };
    let op = Op::AddRule { table: table(), chain: chain("c"), place: Place::Last, program };
    printed!(encoded(&op), nftnl_rule_alloc nftnl_rule_nlmsg_parse nftnl_rule_snprintf nftnl_rule_free)
}

#[test]
fn expressions_the_test_kernels_may_lack_are_what_libnftnl_reads() {
    let reg = |slot| Reg::from_slot(slot).unwrap();
    let name = |name| ObjectName::new(name).unwrap();
    let set = SetUse::Named(SetName::new("s").unwrap());
    let text = rule(vec![
        Expr::Payload { dreg: Reg::R1, base: PayloadBase::Transport, offset: 2, len: 2 },
        Expr::Range { sreg: Reg::R1, inverted: true, from: [0, 1].into(), to: [0, 9].into() },
        Expr::Cmp { sreg: reg(1), op: CmpOp::Gte, data: Packed::from([1, 2, 3, 4]) },
        Expr::Bitwise { dreg: Reg::R1, sreg: Reg::R1, len: 4, op: BitwiseOp::Lshift(3) },
        Expr::Queue { num: 5, total: 3, flags: 1, sreg: None },
        Expr::Dup { addr: Some(Reg::R1), dev: Some(reg(4)) },
        Expr::Fwd { dev: Reg::R1, addr: Some(reg(4)), nfproto: Some(2) },
        Expr::FlowOffload { table: name("fast") },
        Expr::Connlimit { count: 7, inverted: true },
        Expr::Limit { rate: 5, unit: 60, burst: 9, kind: LimitUnit::Bytes, inverted: true },
        Expr::Dynset {
            op: SetUpdateOp::Update,
            set,
            key: Reg::R1,
            data: Some(reg(1)),
            timeout_ms: Some(5_000),
            exprs: vec![Expr::Counter { packets: 0, bytes: 0 }],
            inverted: false,
        },
        Expr::Nat {
            kind: NatKind::Snat,
            family: 2,
            addr_min: Some(Reg::R1),
            addr_max: Some(reg(1)),
            proto_min: Some(reg(2)),
            proto_max: None,
            flags: 0x10,
        },
        Expr::MetaSet { sreg: Reg::R1, key: MetaKey::Mark },
        Expr::Verdict(Verdict::Goto(chain("d"))),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn tables_and_chains_are_what_libnftnl_reads() {
    let comment = Some(Comment::new("why").unwrap());
    let flags = TableFlags { dormant: true, ..TableFlags::default() };
    let op = Op::AddTable { table: table(), flags, comment: comment.clone() };
    let text = printed!(encoded(&op), nftnl_table_alloc nftnl_table_nlmsg_parse nftnl_table_snprintf nftnl_table_free);
    insta::assert_snapshot!(text, @"table t ip flags 1 use 0 handle 0");
    let early = TableId::new(Family::Netdev, TableName::new("early").unwrap());
    let devices = ["lo", "eth0"].map(|name| DeviceName::new(name).unwrap()).to_vec();
    let base = BaseChain::new(Family::Netdev, Hook::Ingress, ChainType::Filter, Priority(-5)).unwrap();
    let base = base.with_policy(Policy::Drop).with_devices(devices).unwrap();
    let op = Op::AddChain { table: early, chain: chain("in"), base: Some(base), comment };
    let text = printed!(encoded(&op), nftnl_chain_alloc nftnl_chain_nlmsg_parse nftnl_chain_snprintf nftnl_chain_free);
    insta::assert_snapshot!(text, @"netdev early in use 0 type filter hook ingress prio -5 policy drop packets 0 bytes 0 dev {  lo  eth0  }");
}

#[test]
fn flowtables_are_what_libnftnl_reads() {
    let flowtable = Flowtable {
        name: ObjectName::new("fast").unwrap(),
        priority: Priority(-5),
        devices: vec![DeviceName::new("lo").unwrap()],
        counter: true,
        offload: true,
    };
    let op = Op::AddFlowtable { table: table(), flowtable };
    let text = printed!(
        encoded(&op),
        nftnl_flowtable_alloc nftnl_flowtable_nlmsg_parse nftnl_flowtable_snprintf nftnl_flowtable_free
    );
    insta::assert_snapshot!(text, @"flow table t fast use 0 size 0 flags 3 hook prerouting prio -5  dev {  lo  }");
}

#[test]
fn sets_and_elements_are_what_libnftnl_reads() {
    let key = KeyType::of_types([DataType::Ipv4Addr, DataType::InetService]);
    let set = AnySet::new(SetSpec::new(SetName::new("m").unwrap(), key).interval().sized(9), DataKind::Verdict);
    let op = Op::AddSet { table: table(), set: SetHead::of(&set) };
    let text = printed!(encoded(&op), nftnl_set_alloc nftnl_set_nlmsg_parse nftnl_set_snprintf nftnl_set_free);
    insta::assert_snapshot!(text, @"m t 8c size 9");
    let goto = Data::Verdict(Verdict::Goto(chain("d")));
    let elements = [Element::new([10, 0, 0, 1, 0, 80, 0, 0].into(), goto)].into_iter().collect();
    let op = Op::AddElements { table: table(), set: SetHead::of(&set), elements };
    let text = printed!(encoded(&op), nftnl_set_alloc nftnl_set_elems_nlmsg_parse nftnl_set_snprintf nftnl_set_free);
    insta::assert_snapshot!(text, @r"
    m t 0
    	element 0100000a 00005000  - 0100000a 00005000  : goto -> d 0 [end]
    ");
}

/// Runs an ignored test of this file in a process of its own; its exit code and what it wrote.
fn in_a_child(name: &str) -> (Option<i32>, String) {
    let own = std::env::current_exe().unwrap();
    let name = format!("encode::oracle::{name}");
    let output = Command::new(own).args(["--exact", "--ignored", "--nocapture", &name]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The trap: libnftnl ends the process when it is given what it does not know.
#[test]
fn libnftnl_ends_processes_but_not_ours() {
    let (code, said) = in_a_child("an_unknown_attribute");
    assert!(code == Some(1) && said.contains("assertion failed") && !said.contains("survived"), "{said}");
    let (code, said) = in_a_child("every_message_of_libnftnl");
    assert!(code == Some(0) && said.contains("survived"), "{said}");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn an_unknown_attribute() {
    // SAFETY: the object is freed; that the attribute does not exist is the point.
    unsafe {
        let object = sys::nftnl_table_alloc();
        sys::nftnl_table_set_u32(object, 1_000, 0);
        sys::nftnl_table_free(object);
    }
    println!("survived");
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn every_message_of_libnftnl() {
    let longest = "n".repeat(TableName::MAX);
    let table = TableId::new(Family::Netdev, TableName::new(&longest).unwrap());
    let comment = Some(Comment::new("c".repeat(Comment::MAX)).unwrap());
    let devices: Vec<DeviceName> =
        (0..256).map(|number| DeviceName::new(format!("a-long-name-{number:03}")).unwrap()).collect();
    for count in [0, 1, 2, 256] {
        let base = BaseChain::new(Family::Netdev, Hook::Ingress, ChainType::Filter, Priority(i32::MIN)).unwrap();
        let base = Some(base.with_devices(devices[..count].to_vec()).unwrap());
        let name = chain(&longest);
        for op in [
            Op::AddTable { table: table.clone(), flags: TableFlags::default(), comment: comment.clone() },
            Op::AddChain { table: table.clone(), chain: name.clone(), base, comment: comment.clone() },
            Op::SetPolicy { table: table.clone(), chain: name.clone(), policy: Policy::Drop },
            Op::DeleteChain { table: table.clone(), chain: name.clone() },
            Op::DeleteTable { table: table.clone() },
        ] {
            assert!(encoded(&op).len() > 256, "{op:?}");
        }
    }
    println!("survived");
}
