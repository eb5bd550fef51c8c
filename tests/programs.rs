//! Programs against nft's own: what we lower is what `nft --debug=netlink` makes of the text we print.
//!
//! nft before 1.1 writes a range as two comparisons; they are taken together before comparing. It also mends the
//! checksum of UDP as if it were always there; we let the kernel look, as nft 1.1 does, and so write no UDP field here.

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rulectl_ruleset::expr::listing;
use rulectl_ruleset::ir::{
    AnonymousSet, BinaryOp, ChainName, CtKey, Data, DataKind, DataType, Element, Expression, Family, FibFlags,
    FibResult, Hash, Header, KeyType, MetaKey, Nat, NatKind, Numgen, NumgenMode, PayloadField, Reject, RelationalOp,
    Rule, Ruleset, Statement, Table, TableName, Value, Verdict,
};
use rulectl_ruleset::lower::{Lowered, lower};
use rulectl_ruleset::nft;
use rulectl_ruleset::service::{
    CompileOptions, Endpoint, Layout, Protocol, Service, ServiceMap, ServiceName, ServicePort, compile,
};
use rulectl_tests::{kernel_tests, run};

fn main() -> ExitCode {
    kernel_tests(|| {
        vec![
            Trial::test("compiled_services_lower_as_nft_does", services),
            Trial::test("matches_lower_as_nft_does", || compare(rules(Family::Inet, matches()))),
            Trial::test("statements_lower_as_nft_does", || compare(rules(Family::Ip, statements()))),
        ]
    })
}

/// Our programs, a rule each, and nft's of the text of the same ruleset.
fn compare(ruleset: Ruleset) -> Result<(), Failed> {
    let text = nft::print(&ruleset);
    let lowered = lower(ruleset).map_err(|errors| format!("{errors:?}"))?;
    let ours = programs_of(&lowered);
    let theirs = programs_in(&run("nft", &["--debug=netlink", "-c", "-f", "-"], &text));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        if ours != theirs {
            return Err(format!("ours:\n{ours}\nnft's:\n{theirs}\nof:\n{text}").into());
        }
    }
    assert_eq!(ours.len(), theirs.len(), "{text}");
    Ok(())
}

fn programs_of(lowered: &Lowered) -> Vec<String> {
    let chains = lowered.tables.values().flat_map(|table| &table.chains);
    chains.flat_map(|chain| &chain.rules).map(|(program, _)| listing(program).in_words().to_string()).collect()
}

/// The programs in the output of `nft --debug=netlink`: lines in brackets, between empty ones.
fn programs_in(output: &str) -> Vec<String> {
    let mut programs = vec![String::new()];
    for line in output.lines() {
        if line.starts_with("  [") && !is_idle(line) {
            let program = programs.last_mut().expect("never empty");
            push_joined(program, line.trim_end());
        } else if line.is_empty() {
            programs.push(String::new());
        }
    }
    programs.retain(|program| !program.is_empty());
    programs
}

/// A byte order of one byte: nft 1.0.6 writes it where a key of an interval set is concatenated, 1.1 does not, and the
/// kernel, which swaps whole pairs of bytes, does nothing for it (`nft_byteorder_eval`).
fn is_idle(line: &str) -> bool {
    line.starts_with("  [ byteorder reg ") && line.trim_end().ends_with(", 2, 1) ]")
}

/// Adds a line; a `cmp lte` after a `cmp gte` of the same register makes it a range.
fn push_joined(program: &mut String, line: &str) {
    let last = program.trim_end().rsplit('\n').next().unwrap_or_default().to_owned();
    let gte = last.strip_prefix("  [ cmp gte reg ").and_then(|rest| rest.strip_suffix(" ]"));
    let lte = line.strip_prefix("  [ cmp lte reg ").and_then(|rest| rest.strip_suffix(" ]"));
    if let (Some((reg, from)), Some((other, to))) =
        (gte.and_then(|gte| gte.split_once(' ')), lte.and_then(|lte| lte.split_once(' ')))
        && reg == other
    {
        program.truncate(program.len() - last.len() - 1);
        program.push_str(&format!("  [ range eq reg {reg} {from} {to} ]\n"));
        return;
    }
    program.push_str(line);
    program.push('\n');
}

fn services() -> Result<(), Failed> {
    let service = |name: &str, ip: &str, external: &str, to: &[&str]| Service {
        name: ServiceName::new("default", name),
        cluster_ips: vec![ip.parse().expect("an address")],
        external_ips: vec![external.parse().expect("an address")],
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            endpoints: to.iter().map(|to| Endpoint::new(to.parse().expect("an address"), 8080)).collect(),
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    let mut map = ServiceMap::default();
    map.node.pod_cidrs = vec!["10.0.0.0/16".parse()?, "fd00::/64".parse()?];
    map.services = vec![
        service("web", "10.96.0.1", "192.0.2.1", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        service("api", "fd96::1", "2001:db8::1", &["fd00::1"]),
        service("empty", "10.96.0.2", "192.0.2.2", &[]),
    ];
    for layout in [Layout::Maps, Layout::Chains] {
        compare(compile(&map, &CompileOptions { layout, ..CompileOptions::default() }).ruleset)?;
    }
    Ok(())
}

fn rules(family: Family, statements: Vec<Vec<Statement>>) -> Ruleset {
    let name = ChainName::new("c").expect("a name");
    let mut table = Table::new(family, TableName::new("t").expect("a name"));
    table.chain_mut(&name).rules = statements.into_iter().map(Rule::new).collect();
    [table].into_iter().collect()
}

fn field(header: Header, name: &str) -> Expression {
    Expression::field(PayloadField::find(header, name).expect("a field"))
}

fn number(datatype: DataType, bytes: &[u8]) -> Expression {
    Expression::Value(Value::new(datatype, bytes))
}

fn ipv4(address: [u8; 4]) -> Expression {
    number(DataType::Ipv4Addr, &address)
}

fn range(start: Expression, end: Expression) -> Expression {
    Expression::Range(Box::new(start), Box::new(end))
}

fn compared(left: Expression, op: RelationalOp, right: Expression) -> Statement {
    Statement::Match { left, op, right }
}

fn set(types: &[DataType], keys: &[&[u8]]) -> Expression {
    Expression::Set(Box::new(AnonymousSet {
        key: KeyType::of_types(types.iter().copied()),
        data: DataKind::None,
        interval: false,
        elements: keys.iter().map(|key| Element::new((*key).into(), Data::None)).collect(),
    }))
}

fn matches() -> Vec<Vec<Statement>> {
    let is = |left: Expression, right: Expression| Statement::matches(left, right);
    let port = |port: u16| Expression::Value(Value::port(port));
    let prefix = |bits| Expression::Prefix(Box::new(ipv4([10, 0, 0, 0])), bits);
    let tcp = |name: &str| field(Header::Tcp, name);
    let flags = |bits| number(DataType::TcpFlag, &[bits]);
    let masked = |mask| Expression::Binary {
        op: BinaryOp::And,
        left: Box::new(MetaKey::Mark.into()),
        right: Box::new(Value::mark(mask).into()),
    };
    let state = |bits: u32| Expression::Value(Value::number(DataType::CtState, bits));
    let fib = |result| Expression::Fib { flags: FibFlags { saddr: true, iif: true, ..FibFlags::default() }, result };
    vec![
        vec![is(tcp("dport"), port(5)), is(tcp("sport"), port(6))],
        vec![is(tcp("dport"), range(port(5), port(6)))],
        vec![compared(tcp("dport"), RelationalOp::Neq, range(port(5), port(6)))],
        vec![is(tcp("dport"), set(&[DataType::InetService], &[&[0, 5], &[0, 6]]))],
        vec![is(tcp("flags"), flags(2)), compared(tcp("flags"), RelationalOp::Eq, flags(2))],
        vec![compared(tcp("flags"), RelationalOp::Not, flags(2))],
        vec![is(tcp("doff"), number(DataType::Integer, &[5]))],
        vec![is(field(Header::Ip, "saddr"), prefix(8)), is(field(Header::Ip, "daddr"), prefix(9))],
        vec![is(field(Header::Ip, "saddr"), ipv4([1, 1, 1, 1])), is(field(Header::Ip, "daddr"), ipv4([2, 2, 2, 2]))],
        vec![
            is(field(Header::Ip, "length"), number(DataType::Integer, &[0, 5])),
            is(field(Header::Ip, "id"), number(DataType::Integer, &[0, 6])),
        ],
        vec![is(field(Header::Ip6, "flowlabel"), number(DataType::Integer, &[0, 0, 5]))],
        vec![
            is(field(Header::Icmp, "type"), number(DataType::IcmpType, &[8])),
            is(field(Header::Icmp, "code"), number(DataType::IcmpCode, &[0])),
        ],
        vec![is(field(Header::Icmpv6, "type"), number(DataType::Icmpv6Type, &[128]))],
        vec![
            is(field(Header::Ether, "saddr"), number(DataType::EtherAddr, &[0, 1, 2, 3, 4, 5])),
            is(field(Header::Ip, "saddr"), ipv4([1, 1, 1, 1])),
        ],
        vec![
            is(field(Header::Vlan, "id"), number(DataType::Integer, &[0, 5])),
            is(field(Header::Ip, "saddr"), ipv4([1, 1, 1, 1])),
        ],
        vec![
            is(MetaKey::Mark.into(), Value::mark(5).into()),
            compared(MetaKey::Mark.into(), RelationalOp::Gt, Value::mark(5).into()),
        ],
        vec![is(MetaKey::Mark.into(), range(Value::mark(1).into(), Value::mark(5).into()))],
        vec![compared(masked(0x4000), RelationalOp::Eq, Value::mark(0x4000).into())],
        vec![
            is(MetaKey::Iifname.into(), Value::ifname("eth*").into()),
            is(MetaKey::Oifname.into(), Value::ifname("lo").into()),
        ],
        vec![
            is(Expression::ct(CtKey::State), state(10)),
            compared(Expression::ct(CtKey::State), RelationalOp::Neq, state(8)),
        ],
        vec![is(fib(FibResult::Type), Value::number(DataType::FibAddrType, 2).into())],
        vec![is(Expression::ct_original(CtKey::DaddrIp), prefix(9))],
        vec![is(
            Expression::concat([field(Header::Ip, "saddr"), tcp("dport")]),
            set(&[DataType::Ipv4Addr, DataType::InetService], &[&[1, 1, 1, 1, 0, 5, 0, 0], &[1, 1, 1, 2, 0, 5, 0, 0]]),
        )],
    ]
}

fn statements() -> Vec<Vec<Statement>> {
    let tcp = Statement::equals(MetaKey::L4proto, Value::protocol(6));
    let nat = |address: Option<Expression>, port: Option<u16>| {
        Statement::Nat(Nat { address, port: port.map(|port| Value::port(port).into()), ..Nat::new(NatKind::Dnat) })
    };
    let or = |bits| Expression::Binary {
        op: BinaryOp::Or,
        left: Box::new(MetaKey::Mark.into()),
        right: Box::new(Value::mark(bits).into()),
    };
    let hash = Expression::Hash(Hash::Jhash {
        key: Box::new(Expression::concat([field(Header::Ip, "saddr"), field(Header::Tcp, "dport")])),
        modulus: 5,
        seed: Some(0x11),
        offset: 0,
    });
    let numgen = Expression::Numgen(Numgen { mode: NumgenMode::Inc, modulus: 10, offset: 0 });
    let small = Expression::Value(Value::new(DataType::Integer, [0, 0, 0, 2]));
    let set_field = |header, name: &str, value: Expression| Statement::Mangle { target: field(header, name), value };
    vec![
        vec![nat(Some(ipv4([1, 2, 3, 4])), None)],
        vec![tcp.clone(), nat(Some(ipv4([1, 2, 3, 4])), Some(80))],
        vec![nat(Some(range(ipv4([1, 2, 3, 4]), ipv4([1, 2, 3, 9]))), None)],
        vec![Statement::Nat(Nat::new(NatKind::Masquerade))],
        vec![tcp, Statement::Nat(Nat { port: Some(Value::port(80).into()), ..Nat::new(NatKind::Redirect) })],
        vec![Statement::Reject(Reject::TcpReset)],
        vec![Statement::Reject(Reject::default_for(Family::Ip))],
        vec![Statement::set_mark(Value::mark(7)), Statement::set_mark(or(0x10))],
        vec![compared(hash, RelationalOp::Eq, small.clone())],
        vec![compared(numgen, RelationalOp::Lt, small)],
        vec![set_field(Header::Ip, "dscp", number(DataType::Dscp, &[8]))],
        vec![set_field(Header::Ip, "ttl", number(DataType::Integer, &[5]))],
        vec![set_field(Header::Tcp, "dport", Value::port(80).into())],
        vec![set_field(Header::Ip, "saddr", ipv4([1, 2, 3, 4]))],
        vec![Statement::counter(), Statement::Verdict(Verdict::Accept)],
    ]
}
