//! Types and values.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::ir::{
    CtKey, DataType, Expression, Field, KeyType, MetaKey, Numgen, NumgenMode, PayloadField, Value, symbol,
};

/// Expressions that sets are declared by, and rules look at.
pub(super) fn selectors() -> Vec<Expression> {
    let numgen = Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 };
    vec![
        PayloadField::IP_SADDR.into(),
        PayloadField::IP_DADDR.into(),
        PayloadField::IP6_SADDR.into(),
        PayloadField::IP6_DADDR.into(),
        PayloadField::TH_SPORT.into(),
        PayloadField::TH_DPORT.into(),
        MetaKey::L4proto.into(),
        MetaKey::Mark.into(),
        MetaKey::Iifname.into(),
        Expression::ct(CtKey::Mark),
        Expression::Numgen(numgen),
    ]
}

/// Types that need no `typeof`.
const TYPES: [DataType; 9] = [
    DataType::Ipv4Addr,
    DataType::Ipv6Addr,
    DataType::EtherAddr,
    DataType::InetProto,
    DataType::InetService,
    DataType::Mark,
    DataType::IfName,
    DataType::IcmpType,
    DataType::CtState,
];

/// The type of a key: one to four fields, all by `type` or all by `typeof`.
pub fn key_type() -> impl Strategy<Value = KeyType> {
    prop_oneof![
        2 => vec(select(TYPES.to_vec()), 1..4).prop_map(KeyType::of_types),
        3 => vec(select(selectors()), 1..5)
            .prop_map(|selectors| KeyType::of_expressions(selectors).expect("selectors have types")),
    ]
}

/// A legal value of that field.
pub fn value_of(field: &Field) -> BoxedStrategy<Value> {
    let datatype = field.datatype;
    match datatype {
        DataType::IfName => "[a-z]{1,8}[0-9]{0,4}".prop_map(|name| Value::ifname(&name)).boxed(),
        DataType::CtState => (1..8_u32).prop_map(|bits| Value::number(DataType::CtState, bits << 1)).boxed(),
        DataType::InetProto | DataType::IcmpType => {
            let numbers: Vec<u64> = symbol::symbols(datatype).iter().map(|(_, number)| *number).collect();
            prop_oneof![select(numbers).prop_map(|number| number as u8), any::<u8>()]
                .prop_map(move |number| Value::new(datatype, [number]))
                .boxed()
        }
        _ => bytes(field.bytes(), field.bits).prop_map(move |bytes| Value::new(datatype, &*bytes)).boxed(),
    }
}

/// That many bytes whose number has at most `bits` bits; small numbers and round ones more often.
fn bytes(len: usize, bits: u32) -> BoxedStrategy<Vec<u8>> {
    let free = (len as u32 * 8).saturating_sub(bits);
    prop_oneof![
        2 => vec(any::<u8>(), len),
        1 => any::<u8>().prop_map(move |low| {
            let mut bytes = vec![0; len];
            if let Some(last) = bytes.last_mut() {
                *last = low;
            }
            bytes
        }),
    ]
    .prop_map(move |mut bytes| {
        if let Some(first) = bytes.first_mut() {
            *first &= 0xff_u8.checked_shr(free).unwrap_or(0);
        }
        bytes
    })
    .boxed()
}

/// Values of all fields.
pub(super) fn values_of(key: &KeyType) -> BoxedStrategy<Vec<Value>> {
    key.fields.iter().map(value_of).collect::<Vec<_>>().boxed()
}
