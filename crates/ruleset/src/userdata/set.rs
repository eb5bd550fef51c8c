//! User data of sets and maps: byte orders, the expressions they were declared by, merging, comment.

use super::comment::text;
use super::tlv::{find, find_u32, put_nested, put_text, put_u32};
use super::typeof_expression;
use crate::ir::{AnySet, ByteOrder, Comment, DataKind, DataType, Expression, Field, KeyType};

// `enum nftnl_udata_set_types`, libnftnl/udata.h.
const KEY_BYTE_ORDER: u8 = 0;
const DATA_BYTE_ORDER: u8 = 1;
const MERGE_ELEMENTS: u8 = 2;
const KEY_TYPEOF: u8 = 3;
const DATA_TYPEOF: u8 = 4;
const DATA_INTERVAL: u8 = 6;
const COMMENT: u8 = 7;

/// The user data of a set or map (`NFTA_SET_USERDATA`), as nft 1.0.6 writes it.
pub fn set(set: &AnySet) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(64);
    let spec = set.spec();
    put_u32(&mut buffer, KEY_BYTE_ORDER, key_byte_order(&spec.key));
    let kind = set.data_kind();
    match &kind {
        DataKind::Value { data, .. } => put_u32(&mut buffer, DATA_BYTE_ORDER, key_byte_order(data)),
        DataKind::Verdict => put_u32(&mut buffer, DATA_BYTE_ORDER, 0),
        DataKind::None | DataKind::Object(_) => {}
    }
    if spec.auto_merge {
        put_u32(&mut buffer, MERGE_ELEMENTS, 1);
    }
    put_typeof(&mut buffer, KEY_TYPEOF, &spec.key);
    match &kind {
        DataKind::Value { data, .. } => put_typeof(&mut buffer, DATA_TYPEOF, data),
        // nft knows a verdict's type without it, but writes it beside a key declared by `typeof`.
        DataKind::Verdict if declared(&spec.key).is_some() || spec.name.as_str().starts_with("__map") => {
            put_nested(&mut buffer, DATA_TYPEOF, typeof_expression::put_verdict);
        }
        DataKind::None | DataKind::Verdict | DataKind::Object(_) => {}
    }
    if !matches!(kind, DataKind::None) {
        let interval = matches!(kind, DataKind::Value { interval: true, .. });
        put_u32(&mut buffer, DATA_INTERVAL, interval.into());
    }
    if let Some(comment) = &spec.comment {
        put_text(&mut buffer, COMMENT, comment.as_str());
    }
    buffer
}

/// `enum byteorder` of nft: 0 none, 1 host, 2 network.
fn key_byte_order(key: &KeyType) -> u32 {
    let [field] = key.fields.as_slice() else { return 0 };
    // Types of one byte whose definition in nft leaves the order out.
    let orderless = matches!(
        field.datatype,
        DataType::Nfproto | DataType::InetProto | DataType::DccpPkttype | DataType::CtDir | DataType::Boolean
    );
    match field.byte_order {
        _ if orderless && field.declared_as.is_none() => 0,
        ByteOrder::Host => 1,
        ByteOrder::Network => 2,
    }
}

/// The expressions of all fields, if every one was declared by one.
fn declared(key: &KeyType) -> Option<Vec<&Expression>> {
    key.fields.iter().map(|field| field.declared_as.as_deref()).collect()
}

fn put_typeof(buffer: &mut Vec<u8>, kind: u8, key: &KeyType) {
    let expressions = declared(key).filter(|all| all.iter().all(|one| typeof_expression::known(one)));
    match expressions.as_deref() {
        Some([expression]) => put_nested(buffer, kind, |inner| typeof_expression::put(inner, expression)),
        Some(expressions) => put_nested(buffer, kind, |inner| typeof_expression::put_concat(inner, expressions)),
        None if key.is_concat() => put_nested(buffer, kind, |inner| typeof_expression::put_concat(inner, &[])),
        None => {}
    }
}

/// What the user data of a set or map says. What it does not say, or says in words of a newer nft, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUserdata {
    /// In which order the kernel keeps keys of a single field.
    pub key_byte_order: Option<ByteOrder>,
    /// In which order the kernel keeps data of a single field.
    pub data_byte_order: Option<ByteOrder>,
    /// The expressions its key was declared by, a field each.
    pub key: Option<Vec<Expression>>,
    /// The expressions its data were declared by, a field each.
    pub data: Option<Vec<Expression>>,
    /// Whether the data are ranges.
    pub data_interval: bool,
    /// Whether nft merges adjacent and overlapping intervals.
    pub auto_merge: bool,
    /// Its comment.
    pub comment: Option<Comment>,
}

/// What the user data of a set or map (`NFTA_SET_USERDATA`) says.
pub fn parse_set(userdata: &[u8]) -> SetUserdata {
    let order = |kind| match find_u32(userdata, kind) {
        Some(1) => Some(ByteOrder::Host),
        Some(2) => Some(ByteOrder::Network),
        _ => None,
    };
    SetUserdata {
        key_byte_order: order(KEY_BYTE_ORDER),
        data_byte_order: order(DATA_BYTE_ORDER),
        key: find(userdata, KEY_TYPEOF).and_then(typeof_expression::parse),
        data: find(userdata, DATA_TYPEOF).and_then(typeof_expression::parse),
        data_interval: find_u32(userdata, DATA_INTERVAL).is_some_and(|flag| flag != 0),
        auto_merge: find_u32(userdata, MERGE_ELEMENTS).is_some_and(|flag| flag != 0),
        comment: find(userdata, COMMENT).and_then(text),
    }
}

impl SetUserdata {
    /// The type of the keys, from the number and length the kernel has (`NFTA_SET_KEY_TYPE`, `NFTA_SET_KEY_LEN`).
    pub fn key_type(&self, id: u32, len: u32) -> KeyType {
        key_type(id, len, self.key_byte_order, self.key.as_deref())
    }

    /// The type of the data, from the number and length the kernel has (`NFTA_SET_DATA_TYPE`, `NFTA_SET_DATA_LEN`).
    pub fn data_type(&self, id: u32, len: u32) -> KeyType {
        let len = if self.data_interval { len / 2 } else { len };
        key_type(id, len, self.data_byte_order, self.data.as_deref())
    }
}

/// The type that number, length and order give by themselves, without any `typeof`: what the kernel knows of a set.
///
/// Fields of a concatenation whose type leaves the length open take whole registers: the first ones one each, the last
/// what is left.
pub fn plain_key_type(id: u32, len: u32, byte_order: Option<ByteOrder>) -> KeyType {
    let datatypes = datatypes(id);
    if let [datatype] = datatypes.as_slice() {
        let mut field = Field::of_type(*datatype);
        if field.bytes() != len as usize {
            field.bits = len * 8;
        }
        // A single byte has no order: nft writes now one, now the other, now none.
        if len > 1 {
            field.byte_order = byte_order.unwrap_or(field.byte_order);
        }
        return KeyType::single(field);
    }
    let mut fields: Vec<Field> = datatypes.into_iter().map(Field::of_type).collect();
    let fixed: usize = fields.iter().map(Field::padded).sum();
    let mut left = (len as usize).saturating_sub(fixed);
    let mut open = fields.iter().filter(|field| field.bits == 0).count();
    for field in fields.iter_mut().filter(|field| field.bits == 0) {
        let bytes = if open == 1 { left } else { left.min(4) };
        field.bits = bytes as u32 * 8;
        left -= bytes;
        open -= 1;
    }
    KeyType { fields }
}

/// The data types in a type number, first field first.
fn datatypes(id: u32) -> Vec<DataType> {
    let mask = (1 << DataType::ID_BITS) - 1;
    let mut datatypes = Vec::new();
    let mut rest = id;
    while rest != 0 || datatypes.is_empty() {
        datatypes.push(DataType::from_id(rest & mask));
        rest >>= DataType::ID_BITS;
    }
    datatypes.reverse();
    datatypes
}

fn key_type(id: u32, len: u32, byte_order: Option<ByteOrder>, expressions: Option<&[Expression]>) -> KeyType {
    let plain = plain_key_type(id, len, byte_order);
    let Some(expressions) = expressions else { return plain };
    let Some(mut declared) = KeyType::of_expressions(expressions.iter().cloned()) else { return plain };
    // The user data may be of another set than the kernel's: then the kernel is right.
    if declared.len() != len as usize || declared.fields.len() != plain.fields.len() {
        return plain;
    }
    for (field, plain) in declared.fields.iter_mut().zip(&plain.fields) {
        // Where versions of nft disagree on the type of an expression, the set says which was meant.
        if plain.datatype.id() != 0 {
            field.datatype = plain.datatype;
        }
    }
    if let ([field], Some(order)) = (declared.fields.as_mut_slice(), byte_order) {
        field.byte_order = order;
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{
        CtDirection, CtKey, Map, MetaKey, Numgen, NumgenMode, PayloadField, Set, SetName, SetSpec, VerdictMap,
    };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn spec(key: KeyType) -> SetSpec {
        SetSpec::new(SetName::new("s").unwrap(), key)
    }

    fn typeof_key(expressions: impl IntoIterator<Item = Expression>) -> KeyType {
        KeyType::of_expressions(expressions).unwrap()
    }

    /// `map endpoints { typeof ip daddr . meta l4proto . th dport . numgen random mod 2 : ip daddr . th dport }`.
    fn endpoints() -> AnySet {
        let numgen = Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 });
        let key = [PayloadField::IP_DADDR.into(), MetaKey::L4proto.into(), PayloadField::TH_DPORT.into(), numgen];
        let data = typeof_key([PayloadField::IP_DADDR.into(), PayloadField::TH_DPORT.into()]);
        Map::new(spec(typeof_key(key)), data).into()
    }

    /// What nft 1.0.6 sends on a little-endian machine, taken from its netlink messages.
    #[cfg(target_endian = "little")]
    #[test]
    fn declarations_give_the_bytes_of_nft() {
        insta::assert_snapshot!(hex(&set(&endpoints())), @"000400000000010400000000036000040d00000001580014000407000000010c00040c00000001040c000000010e00040900000001060004100000000214000407000000010c00040b000000010402000000031a0004170000000112000401000000010402000000020400000000043400040d000000012c0014000407000000010c00040c00000001040c0000000114000407000000010c00040b000000010402000000060400000000");
        let saddr =
            Set::new(SetSpec { auto_merge: true, ..spec(typeof_key([PayloadField::IP_SADDR.into()])).interval() });
        insta::assert_snapshot!(hex(&set(&saddr.into())), @"0004020000000204010000000314000407000000010c00040c00000001040b000000");
        let verdicts = VerdictMap::new(spec(typeof_key([PayloadField::IP_DADDR.into()])));
        insta::assert_snapshot!(hex(&set(&verdicts.into())), @"0004020000000104000000000314000407000000010c00040c00000001040c00000004080004010000000100060400000000");
        let by_type = VerdictMap::new(spec(KeyType::of_types([DataType::Ipv4Addr])));
        insta::assert_snapshot!(hex(&set(&by_type.into())), @"000402000000010400000000060400000000");
        let concat = Set::new(spec(KeyType::of_types([DataType::Ipv4Addr, DataType::Mark])));
        insta::assert_snapshot!(hex(&set(&concat.into())), @"000400000000030800040d0000000100");
        let ct = [Expression::ct_original(CtKey::DaddrIp), Expression::ct(CtKey::Mark), Expression::ct(CtKey::State)];
        insta::assert_snapshot!(hex(&set(&Set::new(spec(typeof_key(ct))).into())), @"000400000000034a00040d0000000142001400040c000000010c000414000000010400000000011400040c000000010c0004030000000104ffffffff021400040c000000010c0004000000000104ffffffff");
    }

    #[test]
    fn what_is_written_is_read() {
        let every_field = crate::ir::Header::ALL
            .iter()
            .flat_map(|header| (0..header.fields().len()).filter_map(|at| PayloadField::at(*header, at)))
            .map(Expression::field);
        let every_meta = MetaKey::ALL.iter().copied().map(Expression::from);
        let reply = Expression::Ct { key: CtKey::ProtoSrc, direction: Some(CtDirection::Reply) };
        let raw = Expression::Payload(crate::ir::Payload::Raw {
            base: crate::ir::PayloadBase::Network,
            offset_bits: 96,
            bits: 32,
        });
        for expression in every_field.chain(every_meta).chain([reply, raw]) {
            let key = typeof_key([expression]);
            let read = parse_set(&set(&Set::new(spec(key.clone())).into()));
            assert_eq!(read.key_type(key.id(), key.len() as u32), key);
        }
        let endpoints = endpoints();
        let read = parse_set(&set(&endpoints));
        assert_eq!(read.key_type(endpoints.spec().key.id(), 16), endpoints.spec().key);
        let DataKind::Value { data, .. } = endpoints.data_kind() else { panic!("a map") };
        assert_eq!(read.data_type(data.id(), 8), data);
    }

    #[test]
    fn the_kernel_is_believed_where_user_data_says_otherwise() {
        let read = parse_set(&set(&endpoints()));
        assert_eq!(read.key_type(DataType::Ipv6Addr.id(), 16), KeyType::of_types([DataType::Ipv6Addr]));
        assert_eq!(parse_set(b"\x03\xffgarbage"), SetUserdata::default());
    }

    #[test]
    fn open_types_take_the_length_that_is_left() {
        let id = KeyType::of_types([DataType::Integer, DataType::Ipv4Addr]).id();
        let key = plain_key_type(id, 12, None);
        assert_eq!(key.fields.iter().map(|field| field.bits).collect::<Vec<_>>(), [64, 32]);
        assert_eq!(plain_key_type(DataType::Integer.id(), 2, Some(ByteOrder::Host)).fields[0].bits, 16);
    }
}
