//! Literal values as JSON scalars, both ways.
//!
//! nft writes a value as its data type says (`*_type_json`, src/json.c): numbers for ports, marks and users, names
//! where the type has them, text for addresses.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use crate::ir::{DataType, Field, Value, symbol};

/// The value as nft writes it.
pub(super) fn print(value: &Value) -> Json {
    let bytes = value.bytes.as_slice();
    let datatype = value.datatype;
    match (datatype, bytes) {
        (DataType::String | DataType::IfName, _) => text(bytes),
        (DataType::Ipv4Addr, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string().into(),
        (DataType::Ipv6Addr, bytes) if bytes.len() == 16 => ipv6(bytes),
        (DataType::EtherAddr | DataType::LlAddr, _) => link_address(bytes).into(),
        _ => match value.to_u128() {
            Some(number) => print_number(datatype, number),
            None => value.bytes.to_string().into(),
        },
    }
}

/// The value as nft writes it in a range: protocols by their numbers.
pub(super) fn print_numeric(value: &Value) -> Json {
    match value.to_u128().and_then(|number| i64::try_from(number).ok()) {
        Some(number) if value.datatype == DataType::InetProto => number.into(),
        _ => print(value),
    }
}

/// The names of the bits of a value that has several, lowest first; `None` if it has at most one, or one without a name.
pub(super) fn bit_names(value: &Value) -> Option<Vec<Json>> {
    let number = value.to_u128().filter(|number| number.count_ones() > 1 && symbol::is_bitmask(value.datatype))?;
    let bits = (0..128_u32).filter(|bit| number >> bit & 1 == 1);
    let name = |bit: u32| match value.datatype {
        DataType::CtLabel => Some(bit.into()),
        datatype => symbol::name_of(datatype, (1_u128 << bit).try_into().ok()?).map(Json::from),
    };
    bits.map(name).collect()
}

fn text(bytes: &[u8]) -> Json {
    // Names and strings come from text; other bytes cannot stand in JSON at all.
    String::from_utf8_lossy(bytes).into()
}

/// As `inet_ntop` of glibc, which writes the old IPv4-compatible addresses with dots.
fn ipv6(bytes: &[u8]) -> Json {
    let octets: [u8; 16] = bytes.try_into().unwrap_or_default();
    let address = Ipv6Addr::from(octets);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            format!("::{}", Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))).into()
        }
        _ => address.to_string().into(),
    }
}

fn link_address(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (at, byte) in bytes.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

fn print_number(datatype: DataType, number: u128) -> Json {
    // A label is the number of its bit.
    if datatype == DataType::CtLabel && number.is_power_of_two() {
        return number.trailing_zeros().into();
    }
    let Ok(small) = i64::try_from(number) else {
        return format!("{number:#x}").into();
    };
    let numeric = matches!(datatype, DataType::Boolean | DataType::IcmpCode | DataType::Icmpv6Code);
    if let Some(name) = symbol::name_of(datatype, small as u64).filter(|_| !numeric) {
        return name.into();
    }
    match datatype {
        DataType::Boolean if small < 2 => (small == 1).into(),
        DataType::ClassId => format!("{:x}:{:x}", small >> 16, small & 0xffff).into(),
        DataType::Time if small % 1000 == 0 => (small / 1000).into(),
        DataType::Time => symbol::duration(small as u64).into(),
        DataType::Date => symbol::date(small as u64).into(),
        DataType::Hour => symbol::hour(small as u64).into(),
        DataType::IfIndex if small == 1 => "lo".into(),
        // Types that have only a text form in nft.
        DataType::IfIndex | DataType::Realm => small.to_string().into(),
        _ => small.into(),
    }
}

/// The value that a scalar means in a field; `None` if it means none there.
pub(super) fn parse(scalar: &Json, field: &Field) -> Option<Value> {
    match scalar {
        Json::Bool(truth) => number(field, u128::from(*truth)),
        Json::Number(digits) => {
            let digits = u128::from(digits.as_u64()?);
            if field.datatype == DataType::CtLabel {
                return (digits < 128).then(|| Value::new(field.datatype, (1_u128 << digits).to_be_bytes()));
            }
            number(field, if field.datatype == DataType::Time { digits.checked_mul(1000)? } else { digits })
        }
        Json::String(text) => parse_text(text, field),
        _ => None,
    }
}

/// A number in as many bytes as the field has; where it leaves that open, in four, or eight if it needs them.
pub(super) fn number(field: &Field, number: u128) -> Option<Value> {
    let open = if number > u128::from(u32::MAX) { 64 } else { 32 };
    let bits = if field.bits == 0 { open } else { field.bits };
    if bits > 128
        || matches!(field.datatype, DataType::Ipv4Addr | DataType::Ipv6Addr | DataType::IfName | DataType::String)
    {
        return None;
    }
    let fits = bits == 128 || number >> bits == 0;
    fits.then(|| Value::new(field.datatype, &number.to_be_bytes()[16 - bits.div_ceil(8) as usize..]))
}

fn parse_text(text: &str, field: &Field) -> Option<Value> {
    let datatype = field.datatype;
    match datatype {
        DataType::IfName => (text.len() <= 16 && !text.is_empty()).then(|| Value::ifname(text)),
        DataType::String => Some(Value::new(datatype, text.as_bytes())),
        DataType::Ipv4Addr => text.parse().ok().map(Value::ipv4),
        DataType::Ipv6Addr => text.parse().ok().map(Value::ipv6),
        DataType::EtherAddr | DataType::LlAddr => {
            let bytes: Vec<u8> = text
                .split(':')
                .map(|digits| u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() <= 2))
                .collect::<Option<_>>()?;
            (datatype == DataType::LlAddr || bytes.len() == 6).then(|| Value::new(datatype, &*bytes))
        }
        // The index of any other interface than `lo` is known only to a machine.
        DataType::IfIndex => match text_number(text, datatype) {
            Some(index) => number(field, index),
            None => (text.len() <= 16 && !text.is_empty()).then(|| Value::ifname(text)),
        },
        _ => number(field, text_number(text, datatype)?),
    }
}

/// The number that a word or digits mean for a type.
fn text_number(text: &str, datatype: DataType) -> Option<u128> {
    if let Some(number) = symbol::number_of(datatype, text) {
        return Some(number.into());
    }
    let typed = match datatype {
        DataType::Date => symbol::parse_date(text),
        DataType::Hour => symbol::parse_hour(text),
        DataType::Time => milliseconds(text),
        DataType::ClassId => text.split_once(':').and_then(|(major, minor)| {
            let part = |digits: &str| u16::from_str_radix(if digits.is_empty() { "0" } else { digits }, 16).ok();
            Some(u64::from(part(major)?) << 16 | u64::from(part(minor)?))
        }),
        DataType::IfIndex if text == "lo" => Some(1),
        _ => None,
    };
    typed.map(u128::from).or_else(|| match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    })
}

/// A span of time as `1d2h3m4s5ms`; without a unit, seconds.
fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, further) = unit.split_at(end);
        let factor = match unit {
            "ms" => 1,
            "s" | "" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = further;
    }
    (!text.is_empty()).then_some(total)
}
