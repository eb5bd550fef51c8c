//! Rules and statements.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::element::verdict;
use super::value::{selectors, value_of};
use super::{comment, matching};
use crate::ir::{
    AnonymousSet, AnySet, BinaryOp, ChainName, CtKey, Data, DataKind, DataType, Element, Elements, Expression, Family,
    Field, KeyType, Limit, LimitUnit, Log, MetaKey, Nat, NatFlags, NatKind, Numgen, NumgenMode, Object, PayloadField,
    Quota, Reject, RelationalOp, Rule, SetUpdate, SetUpdateOp, Statement, TimeUnit, Value,
};

/// What a rule may name.
#[derive(Clone, Debug)]
pub struct Context {
    /// The family of its table.
    pub family: Family,
    /// Regular chains of its table.
    pub chains: Vec<ChainName>,
    /// Sets and maps of its table.
    pub sets: Vec<AnySet>,
    /// Objects of its table.
    pub objects: Vec<Object>,
    /// Whether it is in a nat chain.
    pub nat: bool,
}

/// A rule: matches, statements that go on, and perhaps one that ends it.
pub fn rule(context: Context) -> impl Strategy<Value = Rule> {
    let packets = is_packet_family(context.family);
    let service = option::weighted(0.4, service_match()).prop_map(move |service| service.filter(|_| packets));
    let last = option::of(ending(&context));
    let comment = option::weighted(0.3, comment());
    (service, vec(statement(context), 1..4), last, 1_u16.., comment).prop_map(
        |(service, statements, mut last, port, comment)| {
            // A port needs a protocol before it.
            if let (Some(_), Some(Statement::Nat(nat))) = (&service, &mut last) {
                nat.port = Some(Value::port(port).into());
            }
            let statements = service.into_iter().flatten().chain(statements).chain(last);
            Rule { comment, ..Rule::new(statements) }
        },
    )
}

/// A statement after which the rule can go on.
pub fn statement(context: Context) -> BoxedStrategy<Statement> {
    let mut kinds = vec![
        (6, literal_match(context.family).boxed()),
        (2, state_match().boxed()),
        (2, set_match(context.family).boxed()),
        (1, Just(Statement::counter()).boxed()),
        (1, limit().prop_map(Statement::Limit).boxed()),
        (1, log().boxed()),
        (1, mangle().boxed()),
        (1, quota().boxed()),
    ];
    kinds.extend(named_sets(&context).into_iter().map(|strategy| (3, strategy)));
    if !context.objects.is_empty() {
        let object = select(context.objects);
        let used = |object: Object| Statement::Object { object: object.kind.object_type(), name: object.name };
        kinds.push((1, object.prop_map(used).boxed()));
    }
    proptest::strategy::Union::new_weighted(kinds).boxed()
}

/// A statement that ends a rule.
fn ending(context: &Context) -> BoxedStrategy<Statement> {
    let mut kinds = vec![
        verdict(&context.chains).prop_map(Statement::Verdict).boxed(),
        numgen_vmap(&context.chains).boxed(),
        reject(context.family).boxed(),
    ];
    let maps: Vec<Statement> = context.sets.iter().filter_map(vmap).collect();
    if !maps.is_empty() {
        kinds.push(select(maps).boxed());
    }
    if context.nat {
        kinds.push(nat(context.family).boxed());
    }
    proptest::strategy::Union::new(kinds).boxed()
}

fn is_packet_family(family: Family) -> bool {
    !matches!(family, Family::Arp)
}

/// Expressions that packets of the family have.
fn expressions(family: Family) -> Vec<Expression> {
    let fits = |expression: &Expression| match expression {
        Expression::Payload(_) if !is_packet_family(family) => false,
        Expression::Payload(payload) => match (family, payload.typed().0) {
            (Family::Ip, DataType::Ipv6Addr) | (Family::Ip6, DataType::Ipv4Addr) => false,
            // A port needs a protocol before it.
            (_, DataType::InetService) => false,
            _ => true,
        },
        Expression::Ct { .. } => is_packet_family(family),
        _ => true,
    };
    selectors().into_iter().filter(fits).collect()
}

fn field_of(expression: &Expression) -> Field {
    Field::of_expression(expression.clone()).expect("selectors have types")
}

fn literal_match(family: Family) -> impl Strategy<Value = Statement> {
    let op = select(vec![RelationalOp::Implicit, RelationalOp::Implicit, RelationalOp::Neq]);
    (select(expressions(family)), op, 0..3_u8).prop_flat_map(|(left, op, form)| {
        let field = field_of(&left);
        (value_of(&field), value_of(&field)).prop_map(move |(a, b)| {
            let right = right_side(&field, form, a, b);
            Statement::Match { left: left.clone(), op, right }
        })
    })
}

/// A value, range or prefix of that field.
fn right_side(field: &Field, form: u8, a: Value, b: Value) -> Expression {
    let (start, end) = if a.bytes < b.bytes { (a, b) } else { (b, a) };
    match (form, field.datatype) {
        (1, DataType::Ipv4Addr | DataType::Ipv6Addr | DataType::InetService) if start != end => {
            Expression::Range(Box::new(start.into()), Box::new(end.into()))
        }
        (2, DataType::Ipv4Addr) => {
            let network = Value::new(DataType::Ipv4Addr, [start.bytes[0], start.bytes[1], 0, 0]);
            Expression::Prefix(Box::new(network.into()), 16)
        }
        (2, DataType::Mark) => end.into(),
        _ => start.into(),
    }
}

fn state_match() -> impl Strategy<Value = Statement> {
    let op = select(vec![RelationalOp::Implicit, RelationalOp::Implicit, RelationalOp::Neq]);
    (1..8_u32, op).prop_map(|(bits, op)| {
        // Several flags are compared only by a test for bits.
        let bits = if op == RelationalOp::Neq { 2 } else { bits << 1 };
        let right = Value::number(DataType::CtState, bits).into();
        Statement::Match { left: Expression::ct(CtKey::State), op, right }
    })
}

/// `meta l4proto { … }` and the like: a set in place.
fn set_match(family: Family) -> impl Strategy<Value = Statement> {
    let kinds: Vec<Expression> =
        expressions(family).into_iter().filter(|kind| !matches!(kind, Expression::Numgen(_))).collect();
    (select(kinds), any::<bool>()).prop_flat_map(|(left, negated)| {
        let field = field_of(&left);
        vec(value_of(&field), 2..5).prop_map(move |values| {
            let key = KeyType::single(Field { declared_as: None, ..field.clone() });
            let element = |value: &Value| {
                let key = key.pack(std::slice::from_ref(value)).expect("a value of the field fits");
                Element::new(key, Data::None)
            };
            let elements = values.iter().map(element).collect::<Elements>();
            let set = AnonymousSet { key: key.clone(), data: DataKind::None, interval: false, elements };
            let op = if negated { RelationalOp::Neq } else { RelationalOp::Implicit };
            Statement::Match { left: left.clone(), op, right: Expression::Set(Box::new(set)) }
        })
    })
}

/// The expression that a key declared by `typeof` stands for.
fn key_expression(key: &KeyType) -> Option<Expression> {
    let mut parts: Vec<Expression> =
        key.fields.iter().map(|field| field.declared_as.as_deref().cloned()).collect::<Option<_>>()?;
    Some(if parts.len() == 1 { parts.remove(0) } else { Expression::Concat(parts) })
}

fn vmap(map: &AnySet) -> Option<Statement> {
    (map.data_kind() == DataKind::Verdict).then_some(())?;
    Some(Statement::vmap(key_expression(&map.spec().key)?, map.spec().name.clone()))
}

/// Look-ups in named sets, and changes of them.
fn named_sets(context: &Context) -> Vec<BoxedStrategy<Statement>> {
    let usable = |set: &AnySet| set.data_kind() == DataKind::None && key_expression(&set.spec().key).is_some();
    let sets = matching(&context.sets, usable);
    let dynamic = matching(&sets, |set| set.spec().flags.dynamic);
    let mut kinds = Vec::new();
    if !sets.is_empty() {
        let looked_up = |set: AnySet| Some(Statement::is_in(key_expression(&set.spec().key)?, set.spec().name.clone()));
        kinds.push(select(sets).prop_filter_map("keys that expressions give", looked_up).boxed());
    }
    if !dynamic.is_empty() {
        let op = select(vec![SetUpdateOp::Add, SetUpdateOp::Update, SetUpdateOp::Delete]);
        let changed = |(set, op): (AnySet, SetUpdateOp)| {
            let timeout_ms = set.spec().timeout_ms.filter(|_| op != SetUpdateOp::Delete);
            let key = key_expression(&set.spec().key)?;
            let set = set.spec().name.clone();
            Some(Statement::SetUpdate(Box::new(SetUpdate { op, set, key, data: None, timeout_ms, statements: vec![] })))
        };
        kinds.push((select(dynamic), op).prop_filter_map("keys that expressions give", changed).boxed());
    }
    kinds
}

/// The chains layout: one of several endpoints at random.
fn numgen_vmap(chains: &[ChainName]) -> impl Strategy<Value = Statement> + use<> {
    vec(verdict(chains), 1..5).prop_map(|verdicts| {
        let numgen = Numgen { mode: NumgenMode::Random, modulus: verdicts.len() as u32, offset: 0 };
        let key = Expression::Numgen(numgen);
        let types = KeyType::single(Field { declared_as: None, ..field_of(&key) });
        let element =
            |(at, verdict): (usize, _)| Element::new((at as u32).to_be_bytes().into(), Data::Verdict(verdict));
        let elements = verdicts.into_iter().enumerate().map(element).collect();
        let map = AnonymousSet { key: types, data: DataKind::Verdict, interval: false, elements };
        Statement::Vmap { key, map: Expression::Set(Box::new(map)) }
    })
}

/// A rate of packets or bytes.
pub(super) fn limit() -> impl Strategy<Value = Limit> {
    let per = select(vec![TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week]);
    (any::<bool>(), 1_u64..100_000, any::<bool>(), per, 1_u32..1000).prop_map(|(over, rate, bytes, per, burst)| Limit {
        over,
        rate,
        unit: if bytes { LimitUnit::Bytes } else { LimitUnit::Packets },
        per,
        burst,
    })
}

fn log() -> impl Strategy<Value = Statement> {
    let group = option::of((any::<u16>(), option::of(1_u32..9999)));
    (option::of("[a-zA-Z0-9 :_-]{1,20}"), group, option::of(select(vec![0_u8, 1, 2, 3, 5, 6, 7]))).prop_map(
        |(prefix, group, level)| {
            let level = level.filter(|_| group.is_none());
            let snaplen = group.and_then(|(_, snaplen)| snaplen);
            Statement::Log(Log { prefix, group: group.map(|(group, _)| group), snaplen, level, ..Log::default() })
        },
    )
}

fn mangle() -> impl Strategy<Value = Statement> {
    let mark = any::<u32>().prop_map(|mark| Expression::Value(Value::mark(mark)));
    let kept = any::<u32>().prop_map(|mask| Expression::Binary {
        op: BinaryOp::And,
        left: Box::new(MetaKey::Mark.into()),
        right: Box::new(Value::mark(mask).into()),
    });
    let target = select(vec![Expression::Meta(MetaKey::Mark), Expression::ct(CtKey::Mark)]);
    (target, prop_oneof![mark, kept]).prop_map(|(target, value)| Statement::Mangle { target, value })
}

fn quota() -> impl Strategy<Value = Statement> {
    (any::<bool>(), 1_u64..1 << 40).prop_map(|(over, bytes)| Statement::Quota(Quota { over, bytes, used: 0 }))
}

fn reject(family: Family) -> impl Strategy<Value = Statement> {
    let legal = match family {
        Family::Ip => vec![Reject::TcpReset, Reject::Icmp(1), Reject::Icmp(3), Reject::Icmp(13)],
        Family::Ip6 => vec![Reject::TcpReset, Reject::Icmpv6(1), Reject::Icmpv6(4)],
        _ => vec![Reject::TcpReset, Reject::Icmpx(0), Reject::Icmpx(3)],
    };
    select(legal).prop_map(Statement::Reject)
}

fn nat(family: Family) -> impl Strategy<Value = Statement> {
    let six = family == Family::Ip6;
    let address = any::<u128>()
        .prop_map(move |bits| if six { Value::ipv6(bits.into()) } else { Value::ipv4((bits as u32).into()) });
    let flags = (any::<bool>(), any::<bool>()).prop_map(|(random, persistent)| NatFlags {
        random,
        fully_random: false,
        persistent,
    });
    let kind = select(vec![NatKind::Dnat, NatKind::Snat, NatKind::Masquerade, NatKind::Redirect]);
    (kind, address, flags).prop_map(move |(kind, address, flags)| {
        let to_address = matches!(kind, NatKind::Dnat | NatKind::Snat);
        let written = to_address && family == Family::Inet;
        Statement::Nat(Nat {
            family: written.then_some(Family::Ip),
            address: to_address.then(|| address.into()),
            flags,
            ..Nat::new(kind)
        })
    })
}

/// A port match with the protocol it needs before it.
fn service_match() -> impl Strategy<Value = [Statement; 2]> {
    (select(vec![6_u8, 17, 132]), any::<u16>()).prop_map(|(protocol, port)| {
        [
            Statement::equals(MetaKey::L4proto, Value::protocol(protocol)),
            Statement::equals(PayloadField::TH_DPORT, Value::port(port)),
        ]
    })
}
