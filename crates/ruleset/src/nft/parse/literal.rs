//! Literals: what a word means where a value of some type belongs.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ir::symbol;
use crate::ir::{DataType, Value};

/// A word that is no such value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoValue {
    pub(super) message: String,
    pub(super) expected: Option<String>,
}

/// A number as nft writes them: decimal, `0x…`, or octal with a nought in front.
pub(super) fn number(text: &str) -> Option<u128> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u128::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.len() > 1 && text.starts_with('0') => u128::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// Milliseconds of `1d2h3m4s5ms`, or of a number of seconds.
pub(super) fn duration(text: &str) -> Option<u64> {
    if let Some(seconds) = number(text) {
        return u64::try_from(seconds).ok()?.checked_mul(1000);
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let amount: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = match rest {
            _ if rest.starts_with("ms") => (1, 2),
            _ if rest.starts_with('s') => (1000, 1),
            _ if rest.starts_with('m') => (60_000, 1),
            _ if rest.starts_with('h') => (3_600_000, 1),
            _ if rest.starts_with('d') => (86_400_000, 1),
            _ if rest.starts_with('w') => (604_800_000, 1),
            _ => return None,
        };
        total = total.checked_add(amount.checked_mul(unit)?)?;
        rest = &rest[length..];
    }
    (!text.is_empty()).then_some(total)
}

/// The value that `text` is, of a type and a length in bits (0: whatever it needs).
pub(super) fn literal(text: &str, quoted: bool, datatype: DataType, bits: u32) -> Result<Value, NoValue> {
    match datatype {
        DataType::Ipv4Addr => address::<Ipv4Addr>(text).map(Value::ipv4).or_else(|error| match number(text) {
            Some(number) => sized(number, datatype, 32),
            None => Err(error),
        }),
        DataType::Ipv6Addr => address::<Ipv6Addr>(text).map(Value::ipv6),
        DataType::EtherAddr | DataType::LlAddr => {
            hardware(text).map(|bytes| Value::new(datatype, bytes.as_slice())).ok_or_else(|| NoValue {
                message: format!("`{text}` is no hardware address"),
                expected: Some("six pairs of digits, as `00:1b:44:11:3a:b7`".into()),
            })
        }
        DataType::IfName | DataType::String => text_value(text, datatype, bits),
        DataType::IfIndex if text == "lo" => Ok(Value::number(datatype, 1)),
        // The index of any other interface is known only to a machine.
        DataType::IfIndex if quoted || number(text).is_none() => text_value(text, DataType::IfName, 128),
        DataType::Time => match duration(text) {
            Some(duration) => sized(u128::from(duration), datatype, if bits == 0 { 64 } else { bits }),
            None => no_value(text, "a time", "a time, as `1d2h30m`"),
        },
        DataType::Date => symbol::parse_date(text)
            .or_else(|| u64::try_from(number(text)?).ok()?.checked_mul(1_000_000_000))
            .map(|moment| Value::new(datatype, moment.to_be_bytes()))
            .map_or_else(|| no_value(text, "a date", "a date, as `2026-01-31 12:00:00`"), Ok),
        DataType::Hour => symbol::parse_hour(text).or_else(|| u64::try_from(number(text)?).ok()).map_or_else(
            || no_value(text, "a time of day", "a time, as `17:30`"),
            |hour| sized(u128::from(hour), datatype, 32),
        ),
        DataType::ClassId => class(text, datatype),
        DataType::CtLabel => match number(text) {
            Some(bit @ 0..128) => Ok(Value::new(datatype, (1_u128 << bit).to_be_bytes())),
            _ => no_value(text, "a label", "a number from 0 to 127"),
        },
        DataType::CgroupV2 if number(text).is_none() => text_value(text, DataType::String, 0),
        DataType::Uid | DataType::Gid if text == "root" => Ok(Value::number(datatype, 0)),
        _ => symbolic(text, datatype, bits),
    }
}

/// A number or one of the type's names.
fn symbolic(text: &str, datatype: DataType, bits: u32) -> Result<Value, NoValue> {
    if let Some(number) = number(text) {
        let most = match datatype {
            DataType::Day => 6,
            DataType::Boolean => 1,
            _ => u128::MAX,
        };
        if number > most {
            return Err(range(number, most));
        }
        return sized(number, datatype, bits);
    }
    if let Some(number) = symbol::number_of(datatype, text) {
        return sized(u128::from(number), datatype, bits);
    }
    let nearest = crate::text::nearest(text, symbol::names(datatype)).map(|near| format!("`{near}`"));
    let name = datatype.name().unwrap_or("value");
    Err(NoValue { message: format!("`{text}` is no {name}"), expected: nearest.or_else(|| Some("a number".into())) })
}

fn sized(number: u128, datatype: DataType, bits: u32) -> Result<Value, NoValue> {
    let bits = match (bits, datatype.bits()) {
        (0, 0) => 32.max(128 - number.leading_zeros()),
        (0, own) => own,
        (bits, _) => bits,
    };
    if bits < 128 && number >> bits != 0 {
        return Err(range(number, (1 << bits) - 1));
    }
    let bytes = number.to_be_bytes();
    let length = bits.div_ceil(8).min(16) as usize;
    Ok(Value::new(datatype, &bytes[16 - length..]))
}

fn range(number: u128, most: u128) -> NoValue {
    NoValue { message: format!("{number} is too large here"), expected: Some(format!("a number from 0 to {most}")) }
}

fn no_value<T>(text: &str, what: &str, expected: &str) -> Result<T, NoValue> {
    Err(NoValue {
        message: format!("`{text}` is no {}", what.trim_start_matches("a ")),
        expected: Some(expected.into()),
    })
}

fn address<T: std::str::FromStr>(text: &str) -> Result<T, NoValue> {
    let kind = if size_of::<T>() == 4 { "an IPv4 address" } else { "an IPv6 address" };
    text.parse().map_err(|_| NoValue { message: format!("`{text}` is not {kind}"), expected: Some(kind.to_owned()) })
}

fn hardware(text: &str) -> Option<Vec<u8>> {
    let bytes = text
        .split(':')
        .map(|group| (group.len() <= 2).then(|| u8::from_str_radix(group, 16).ok()).flatten())
        .collect::<Option<Vec<u8>>>()?;
    (bytes.len() == 6).then_some(bytes)
}

fn text_value(text: &str, datatype: DataType, bits: u32) -> Result<Value, NoValue> {
    let most = if bits == 0 { 16 } else { bits as usize / 8 };
    let most = if datatype == DataType::IfName { 15 + usize::from(text.ends_with('*')) } else { most };
    let length = text.len() - usize::from(text.ends_with("\\*"));
    if datatype == DataType::IfName && text == "*" {
        let expected = Some("a name, or its beginning and `*`".to_owned());
        return Err(NoValue { message: "`*` fits every name".to_owned(), expected });
    }
    if length > most || text.is_empty() {
        let message = format!("`{text}` is {} for a name", if text.is_empty() { "too short" } else { "too long" });
        return Err(NoValue { message, expected: Some(format!("1 to {most} characters")) });
    }
    Ok(Value::new(datatype, text.as_bytes()))
}

/// `1:2` in hexadecimal digits, `none`, `root`, or a number.
fn class(text: &str, datatype: DataType) -> Result<Value, NoValue> {
    let parts = text.split_once(':').and_then(|(major, minor)| {
        let part = |text: &str| if text.is_empty() { Some(0) } else { u16::from_str_radix(text, 16).ok() };
        Some(u32::from(part(major)?) << 16 | u32::from(part(minor)?))
    });
    match parts {
        Some(class) => Ok(Value::number(datatype, class)),
        None => symbolic(text, datatype, 32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_their_limits() {
        assert_eq!(number("0x1f"), Some(31));
        assert_eq!(number("010"), Some(8));
        assert_eq!(number("08"), None);
        assert_eq!(number("+1"), None);
        assert_eq!(duration("1d2h3m4s5ms"), Some(93_784_005));
        assert_eq!(duration("99999999999999999999d"), None);
        assert_eq!(duration("30"), Some(30_000));
        assert_eq!(literal("70000", false, DataType::InetService, 16).unwrap_err().message, "70000 is too large here");
        assert_eq!(literal("htttps", false, DataType::InetService, 16).unwrap_err().expected.unwrap(), "`https`");
    }

    #[test]
    fn the_type_decides_what_a_word_means() {
        let text = |text, datatype: DataType| literal(text, false, datatype, datatype.bits()).unwrap().to_string();
        assert_eq!(text("https", DataType::InetService), "443");
        assert_eq!(text("17", DataType::InetProto), "udp");
        assert_eq!(text("1:2", DataType::ClassId), "1:2");
        assert_eq!(text("eth0", DataType::IfIndex), "\"eth0\"");
        assert_eq!(text("lo", DataType::IfIndex), "\"lo\"");
        assert_eq!(text("tue", DataType::Day), "\"Tuesday\"");
        assert_eq!(text("::1", DataType::Ipv6Addr), "::1");
    }
}
