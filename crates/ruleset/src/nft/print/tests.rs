use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ir::*;

fn name<T: TryFrom<&'static str, Error = NameError>>(text: &'static str) -> T {
    T::try_from(text).unwrap()
}

fn ip(text: &str) -> Value {
    Value::ipv4(text.parse::<Ipv4Addr>().unwrap())
}

fn frontend() -> KeyType {
    KeyType::of_expressions([
        PayloadField::IP_DADDR.into(),
        Expression::Meta(MetaKey::L4proto),
        PayloadField::TH_DPORT.into(),
    ])
    .unwrap()
}

#[test]
fn a_verdict_map_prints_one_element_a_line_in_the_order_of_nft() {
    let mut map = VerdictMap::new(SetSpec::new(name("services"), frontend()).sized(64));
    for (address, port, chain) in [("10.0.0.2", 443, "b"), ("10.0.0.2", 80, "a"), ("10.0.0.1", 443, "c")] {
        let key = [ip(address), Value::protocol(6), Value::port(port)];
        map.insert(&key, Verdict::Goto(name(chain))).unwrap();
    }
    insta::assert_snapshot!(AnySet::from(map).to_string(), @r#"
    map services {
    	typeof ip daddr . meta l4proto . th dport : verdict
    	size 64
    	elements = { 10.0.0.2 . tcp . 80 : goto a,
    		     10.0.0.1 . tcp . 443 : goto c,
    		     10.0.0.2 . tcp . 443 : goto b }
    }
    "#);
}

#[test]
fn elements_of_one_field_share_lines_and_ranges_become_prefixes() {
    let mut set = Set::new(SetSpec::new(name("s"), KeyType::of_types([DataType::Ipv4Addr])).interval());
    for (start, end) in [([10, 0, 0, 0], [10, 0, 0, 255]), ([1, 2, 3, 4], [1, 2, 3, 4]), ([9, 0, 0, 1], [9, 0, 0, 3])] {
        set.elements.insert(Element { key: Key::range(&start, &end), data: Data::None, extra: None });
    }
    let extra = ElementExtra { timeout_ms: Some(3_600_000), comment: Some(name("c")), ..ElementExtra::default() };
    set.elements.insert(Element { key: Key::CatchAll, data: Data::None, extra: Some(Box::new(extra)) });
    insta::assert_snapshot!(AnySet::from(set).to_string(), @r#"
    set s {
    	type ipv4_addr
    	flags interval
    	elements = { 1.2.3.4, 9.0.0.1-9.0.0.3,
    		     10.0.0.0/24, * timeout 1h comment "c" }
    }
    "#);
}

#[test]
fn a_table_prints_as_nft_lists_it() {
    let chain = |text| Chain::new(name(text));
    let base = |hook, chain_type, priority| BaseChain::new(Family::Ip, hook, chain_type, Priority(priority)).unwrap();
    let table = Table::new(Family::Ip, name("t"))
        .with_chain(Chain::base(name("prerouting"), base(Hook::Prerouting, ChainType::Nat, -101)))
        .with_chain(Chain::base(name("output"), base(Hook::Output, ChainType::Nat, -100)).with(Verdict::Accept))
        .with_chain(chain("r").with(Reject::Icmp(3)).with(Reject::Icmp(1)).with(Reject::TcpReset));
    insta::assert_snapshot!(table.to_string(), @r#"
    table ip t {
    	chain prerouting {
    		type nat hook prerouting priority dstnat - 1; policy accept;
    	}

    	chain output {
    		type nat hook output priority -100; policy accept;
    		accept
    	}

    	chain r {
    		reject
    		reject with icmp host-unreachable
    		reject with tcp reset
    	}
    }
    "#);
}

#[test]
fn rules_of_the_service_layouts_print_as_nft_lists_them() {
    let daddr = || Expression::from(PayloadField::IP_DADDR);
    let key = |last: Expression| {
        Expression::concat([daddr(), Expression::Meta(MetaKey::L4proto), PayloadField::TH_DPORT.into(), last])
    };
    let numgen = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 4, offset: 65536 });
    let protocols = AnonymousSet {
        key: KeyType::of_types([DataType::InetProto]),
        data: DataKind::None,
        interval: false,
        elements: [132, 6, 17].map(|number| Element::new([number].into(), Data::None)).into_iter().collect(),
    };
    let fib = Expression::Fib { flags: FibFlags { saddr: true, ..FibFlags::default() }, result: FibResult::Type };
    let masquerade =
        Nat { flags: NatFlags { fully_random: true, ..NatFlags::default() }, ..Nat::new(NatKind::Masquerade) };
    let dnat = Nat { family: Some(Family::Ip), address: Some(key(numgen).map(name("m"))), ..Nat::new(NatKind::Dnat) };
    let rules = [
        Rule::new([dnat.into()]),
        Rule::new([
            Statement::matches(MetaKey::L4proto, Expression::Set(Box::new(protocols))),
            Statement::vmap(
                Expression::concat([Expression::ct_original(CtKey::DaddrIp), Expression::ct_original(CtKey::ProtoDst)]),
                name("v"),
            ),
        ]),
        Rule::new([
            Statement::equals(Expression::ct(CtKey::Status), Value::number(DataType::CtStatus, 0x20)),
            Statement::equals(fib, Value::number(DataType::FibAddrType, 2)),
            masquerade.into(),
        ])
        .commented(name("a comment")),
        Rule::new([Statement::set_mark(Expression::Binary {
            op: BinaryOp::Or,
            left: Box::new(MetaKey::Mark.into()),
            right: Box::new(Value::mark(0x4000).into()),
        })]),
        Rule::new([Statement::differs(daddr(), Expression::Prefix(Box::new(ip("10.0.0.0").into()), 8))]),
    ];
    let text: Vec<String> = rules.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 4 offset 65536 map @m
    meta l4proto { tcp, udp, sctp } ct original ip daddr . ct original proto-dst vmap @v
    ct status dnat fib saddr type local masquerade fully-random comment "a comment"
    meta mark set meta mark | 0x00004000
    ip daddr != 10.0.0.0/8
    "#);
}

#[test]
fn flags_stand_with_commas_or_bars_as_nft_takes_them() {
    let flags = |bits: u8| Expression::from(Value::new(DataType::TcpFlag, [bits]));
    let left = || Expression::from(PayloadField::TCP_FLAGS);
    let masked =
        |mask: Expression| Expression::Binary { op: BinaryOp::And, left: Box::new(left()), right: Box::new(mask) };
    let list = |bits: &[u8]| Expression::List(bits.iter().map(|bit| flags(*bit)).collect());
    let relation = |left, op, right| Statement::Match { left, op, right }.to_string();
    let lines = [
        relation(left(), RelationalOp::Implicit, flags(0x12)),
        relation(left(), RelationalOp::Not, flags(0x12)),
        relation(left(), RelationalOp::Eq, flags(0x12)),
        relation(left(), RelationalOp::Eq, flags(0)),
        relation(masked(flags(3)), RelationalOp::Eq, flags(2)),
        relation(masked(list(&[1, 2])), RelationalOp::Neq, list(&[2])),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    tcp flags syn,ack
    tcp flags ! syn,ack
    tcp flags == syn | ack
    tcp flags == 0x0
    tcp flags & (fin | syn) == syn
    tcp flags != syn / fin,syn
    "#);
}

#[test]
fn addresses_of_ipv6_are_in_brackets_only_before_a_port() {
    let address = Expression::from(Value::ipv6("2001:db8::1".parse::<Ipv6Addr>().unwrap()));
    let to = |address, port: Option<u16>| {
        let nat =
            Nat { address: Some(address), port: port.map(|port| Value::port(port).into()), ..Nat::new(NatKind::Dnat) };
        Statement::Nat(nat).to_string()
    };
    assert_eq!(to(address.clone(), None), "dnat to 2001:db8::1");
    assert_eq!(to(address, Some(80)), "dnat to [2001:db8::1]:80");
    assert_eq!(Value::ipv6("::1.2.3.4".parse::<Ipv6Addr>().unwrap()).to_string(), "::1.2.3.4");
}

#[test]
fn a_quote_in_a_text_cannot_end_it() {
    let log = Log { prefix: Some("a\"b".into()), ..Log::default() };
    assert_eq!(Statement::Log(log).to_string(), "log prefix \"a'b\"");
}
