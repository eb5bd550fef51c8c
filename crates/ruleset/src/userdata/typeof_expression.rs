//! The expressions of `typeof`, as nft serialises them: number of the kind of expression, then what tells it apart.
//!
//! nft: `expr_ops.build_udata` and `parse_udata` of each expression (src/payload.c, meta.c, ct.c, rt.c, socket.c,
//! numgen.c, hash.c, fib.c, expression.c).

use super::tlv::{attributes, find, find_u32, put_nested, put_u32};
use crate::ir::{
    CtDirection, CtKey, Expression, FibFlags, FibResult, Hash, Header, MetaKey, Numgen, NumgenMode, Payload,
    PayloadBase, PayloadField, RtKey, SocketKey, Value,
};

/// `NFTNL_UDATA_SET_TYPEOF_EXPR`: the kind of expression.
const KIND: u8 = 0;
/// `NFTNL_UDATA_SET_TYPEOF_DATA`: what tells it apart.
const BODY: u8 = 1;
/// Most fields of a concatenation (`NFT_REG32_SIZE`).
const MAX_FIELDS: u8 = 16;

// `enum expr_types`, nft include/expression.h.
const VERDICT: u32 = 1;
const PAYLOAD: u32 = 7;
const META: u32 = 9;
const SOCKET: u32 = 10;
const CT: u32 = 12;
const CONCAT: u32 = 13;
const NUMGEN: u32 = 23;
const HASH: u32 = 24;
const RT: u32 = 25;
const FIB: u32 = 26;

/// nft's number of a header (`enum proto_desc_id`, include/proto.h).
const HEADERS: [(Header, u32); 21] = [
    (Header::Ah, 1),
    (Header::Esp, 2),
    (Header::Comp, 3),
    (Header::Icmp, 4),
    (Header::Igmp, 5),
    (Header::Udp, 6),
    (Header::Udplite, 7),
    (Header::Tcp, 8),
    (Header::Dccp, 9),
    (Header::Sctp, 10),
    (Header::Th, 11),
    (Header::Ip, 12),
    (Header::Ip6, 13),
    (Header::Icmpv6, 14),
    (Header::Arp, 15),
    (Header::Vlan, 16),
    (Header::Ether, 17),
    (Header::Vxlan, 18),
    (Header::Geneve, 19),
    (Header::Gre, 20),
    (Header::Gretap, 21),
];

/// nft's number of a field in its header: its place from 1, but for `vlan`, where a name nft keeps for old times
/// (`cfi`) takes a place.
fn field_number(field: PayloadField) -> u32 {
    let place = field.index() as u32 + 1;
    if field.header() == Header::Vlan && place > 2 { place + 1 } else { place }
}

fn field_of_number(header: Header, number: u32) -> Option<PayloadField> {
    (0..header.fields().len())
        .filter_map(|index| PayloadField::at(header, index))
        .find(|field| field_number(*field) == number)
}

/// Whether an expression can be written.
pub(super) fn known(expression: &Expression) -> bool {
    body(expression).is_some()
}

/// Writes an expression; nothing for one that is not [`known`].
pub(super) fn put(buffer: &mut Vec<u8>, expression: &Expression) {
    if let Some((kind, body)) = body(expression) {
        put_kind(buffer, kind, &body);
    }
}

/// Writes a concatenation; an empty one where it was declared by types.
pub(super) fn put_concat(buffer: &mut Vec<u8>, expressions: &[&Expression]) {
    let mut body = Vec::new();
    for (at, expression) in (0..MAX_FIELDS).zip(expressions) {
        put_nested(&mut body, at, |inner| put(inner, expression));
    }
    put_kind(buffer, CONCAT, &body);
}

/// Writes the data of a verdict map.
pub(super) fn put_verdict(buffer: &mut Vec<u8>) {
    put_kind(buffer, VERDICT, &[]);
}

fn put_kind(buffer: &mut Vec<u8>, kind: u32, body: &[u8]) {
    put_u32(buffer, KIND, kind);
    put_nested(buffer, BODY, |inner| inner.extend(body));
}

fn numbers(numbers: &[(u8, u32)]) -> Vec<u8> {
    let mut buffer = Vec::new();
    for (kind, number) in numbers {
        put_u32(&mut buffer, *kind, *number);
    }
    buffer
}

/// Kind and body of an expression.
fn body(expression: &Expression) -> Option<(u32, Vec<u8>)> {
    Some(match expression {
        Expression::Payload(payload) => (PAYLOAD, payload_body(payload)?),
        Expression::Meta(key) => (META, numbers(&[(0, key.number())])),
        Expression::Socket { key, .. } => (SOCKET, numbers(&[(0, key.number())])),
        Expression::Ct { key, direction } => {
            (CT, numbers(&[(0, key.number()), (1, direction_number(*key, *direction))]))
        }
        Expression::Numgen(numgen) => {
            (NUMGEN, numbers(&[(0, numgen.mode as u32), (1, numgen.modulus), (2, numgen.offset)]))
        }
        Expression::Hash(hash) => (HASH, hash_body(hash)),
        Expression::Rt(key) => (RT, numbers(&[(0, key.number())])),
        Expression::Fib { flags, result } => (FIB, numbers(&[(0, fib_result(*result)), (1, flags.bits())])),
        _ => return None,
    })
}

fn payload_body(payload: &Payload) -> Option<Vec<u8>> {
    let field_body = |field: &PayloadField| {
        let header = HEADERS.iter().find(|(header, _)| *header == field.header())?.1;
        let mut list = vec![(0, header), (1, field_number(*field))];
        // Types that do not fix their length have it here.
        if field.spec().datatype.id() == crate::ir::DataType::Integer.id() {
            list.push((4, field.spec().bits));
        }
        Some(list)
    };
    Some(match payload {
        Payload::Field(field) => numbers(&field_body(field)?),
        Payload::Inside { tunnel, field } => {
            let mut list = field_body(field)?;
            list.push((5, HEADERS.iter().find(|(header, _)| header == tunnel)?.1));
            numbers(&list)
        }
        Payload::Raw { base, offset_bits, bits } => {
            numbers(&[(0, 0), (1, 0), (2, base.number() + 1), (3, *offset_bits), (4, *bits)])
        }
    })
}

/// The direction as nft numbers it: the facts of an end of the connection have one even if it is not written.
fn direction_number(key: CtKey, direction: Option<CtDirection>) -> u32 {
    let of_an_end = (CtKey::L3proto.number()..=CtKey::ProtoDst.number()).contains(&key.number())
        || (CtKey::SaddrIp.number()..=CtKey::DaddrIp6.number()).contains(&key.number());
    match direction {
        Some(CtDirection::Original) => 0,
        Some(CtDirection::Reply) => 1,
        None if of_an_end => 0,
        None => u32::MAX,
    }
}

fn hash_body(hash: &Hash) -> Vec<u8> {
    let (kind, modulus, seed, offset) = match hash {
        Hash::Jhash { modulus, seed, offset, .. } => (0, *modulus, *seed, *offset),
        Hash::Symhash { modulus, offset } => (1, *modulus, None, *offset),
    };
    let seeded = u32::from(seed.is_some());
    numbers(&[(0, kind), (1, offset), (2, modulus), (3, seed.unwrap_or(0)), (4, seeded)])
}

/// `enum nft_fib_result`; `exists` is a look-up of an interface with a flag.
fn fib_result(result: FibResult) -> u32 {
    match result {
        FibResult::Oif | FibResult::Exists | FibResult::Check => 1,
        FibResult::Oifname => 2,
        FibResult::Type => 3,
    }
}

/// Reads the expressions of a `typeof`: one, or those of a concatenation. `None` where nothing is said, or something
/// we do not know.
pub(super) fn parse(input: &[u8]) -> Option<Vec<Expression>> {
    if find_u32(input, KIND)? != CONCAT {
        return parse_one(input).map(|one| vec![one]);
    }
    let parts: Option<Vec<_>> = attributes(find(input, BODY)?).map(|(_, value)| parse_one(value)).collect();
    parts.filter(|parts| !parts.is_empty())
}

fn parse_one(input: &[u8]) -> Option<Expression> {
    let body = find(input, BODY)?;
    let number = |kind| find_u32(body, kind);
    Some(match find_u32(input, KIND)? {
        PAYLOAD => Expression::Payload(parse_payload(body)?),
        META => Expression::Meta(MetaKey::from_number(number(0)?)?),
        SOCKET => Expression::Socket { key: SocketKey::from_number(number(0)?)?, level: None },
        CT => parse_ct(CtKey::from_number(number(0)?)?, number(1)?),
        NUMGEN => {
            let mode = if number(0)? == NumgenMode::Inc as u32 { NumgenMode::Inc } else { NumgenMode::Random };
            Expression::Numgen(Numgen { mode, modulus: number(1)?, offset: number(2).unwrap_or(0) })
        }
        HASH => Expression::Hash(parse_hash(body)?),
        RT => Expression::Rt(RtKey::from_number(number(0)?)?),
        FIB => parse_fib(number(0)?, number(1)?)?,
        _ => return None,
    })
}

fn parse_payload(body: &[u8]) -> Option<Payload> {
    let desc = find_u32(body, 0)?;
    let Some((header, _)) = HEADERS.iter().find(|(_, number)| *number == desc) else {
        let base = *PayloadBase::ALL.get(find_u32(body, 2)?.checked_sub(1)? as usize)?;
        return Some(Payload::Raw { base, offset_bits: find_u32(body, 3)?, bits: find_u32(body, 4)? });
    };
    let field = field_of_number(*header, find_u32(body, 1)?)?;
    match find_u32(body, 5).and_then(|desc| HEADERS.iter().find(|(_, number)| *number == desc)) {
        Some((tunnel, _)) => Some(Payload::Inside { tunnel: *tunnel, field }),
        None => Some(Payload::Field(field)),
    }
}

fn parse_ct(key: CtKey, direction: u32) -> Expression {
    let unsaid = matches!(key, CtKey::L3proto | CtKey::Protocol);
    let direction = match direction {
        0 if unsaid => None,
        0 => Some(CtDirection::Original),
        1 => Some(CtDirection::Reply),
        _ => None,
    };
    Expression::Ct { key, direction }
}

fn parse_hash(body: &[u8]) -> Option<Hash> {
    let (modulus, offset) = (find_u32(body, 2)?, find_u32(body, 1).unwrap_or(0));
    Some(match find_u32(body, 0)? {
        // What is hashed is not said; nft shows nothing for it.
        0 => Hash::Jhash {
            key: Box::new(Expression::Value(Value::new(crate::ir::DataType::Integer, crate::ir::Packed::EMPTY))),
            modulus,
            seed: find_u32(body, 3).filter(|_| find_u32(body, 4) == Some(1)),
            offset,
        },
        1 => Hash::Symhash { modulus, offset },
        _ => return None,
    })
}

fn parse_fib(result: u32, flags: u32) -> Option<Expression> {
    let result = match result {
        1 => FibResult::Oif,
        2 => FibResult::Oifname,
        3 => FibResult::Type,
        _ => return None,
    };
    Some(Expression::Fib { flags: FibFlags::from_bits(flags), result })
}
