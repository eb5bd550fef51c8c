//! Literal values.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Out, join, quoted};
use crate::ir::symbol::{self, NumberBase};
use crate::ir::{DataType, Value};

/// How a value is written where its type does not decide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// Plain numbers in hexadecimal digits, as next to a raw payload.
    pub(super) hex: bool,
    /// Several flags as `a | b`, as in a set or after a sign, rather than `a,b`.
    pub(super) pipes: bool,
    /// Numbers in place of names, as at the ends of a range.
    pub(super) plain: bool,
    /// Booleans as 0 and 1, as next to `socket`.
    pub(super) numeric: bool,
}

pub(super) fn value(out: Out<'_>, value: &Value, style: Style) -> fmt::Result {
    bytes(out, value.datatype, &value.bytes, style)
}

/// Bytes as a value of that type.
pub(super) fn bytes(out: Out<'_>, datatype: DataType, bytes: &[u8], style: Style) -> fmt::Result {
    match datatype {
        DataType::IfName | DataType::String => return quoted(out, &text(bytes)),
        DataType::EtherAddr | DataType::LlAddr if !bytes.is_empty() => {
            return join(out, ":", bytes, |out, byte| write!(out, "{byte:02x}"));
        }
        DataType::Ipv4Addr => {
            if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
                return write!(out, "{}", Ipv4Addr::from(octets));
            }
        }
        DataType::Ipv6Addr => {
            if let Ok(octets) = <[u8; 16]>::try_from(bytes) {
                return ipv6(out, octets.into());
            }
        }
        _ => {}
    }
    if bytes.len() > 16 {
        out.write_str("0x")?;
        return bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"));
    }
    number(out, datatype, bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)), style)
}

/// Text up to the first zero, whatever its bytes.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// As `inet_ntop` of glibc, which also writes the old IPv4-compatible addresses with dots.
fn ipv6(out: Out<'_>, address: Ipv6Addr) -> fmt::Result {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
            write!(out, "::{}", Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => write!(out, "{address}"),
    }
}

fn number(out: Out<'_>, datatype: DataType, number: u128, style: Style) -> fmt::Result {
    let small = u64::try_from(number).ok();
    if symbol::is_bitmask(datatype) {
        return flags(out, datatype, number, style);
    }
    match datatype {
        DataType::Boolean if style.numeric => return write!(out, "{number}"),
        DataType::Integer | DataType::Bitmask if style.hex => return write!(out, "{number:#x}"),
        DataType::Mark => return write!(out, "{number:#010x}"),
        // nft writes the ends of a range as plain numbers of seconds.
        DataType::Time if style.plain && number.is_multiple_of(1000) => return write!(out, "{}s", number / 1000),
        DataType::Time => return out.write_str(&symbol::duration(small.unwrap_or(u64::MAX))),
        DataType::Date => return quoted(out, &symbol::date(small.unwrap_or(u64::MAX))),
        DataType::Hour => return quoted(out, &symbol::hour(small.unwrap_or(u64::MAX))),
        DataType::IfIndex => {
            if let Some(name) = interface(out, number) {
                return quoted(out, &name);
            }
        }
        DataType::ClassId if symbol::name_of(datatype, small.unwrap_or(1)).is_none() => {
            return write!(out, "{:x}:{:x}", number >> 16, number & 0xffff);
        }
        _ => {}
    }
    // What a code means depends on the type of the message; nft 1.1 writes its number, which every version reads.
    let code = matches!(datatype, DataType::IcmpCode | DataType::Icmpv6Code);
    let protocol = datatype == DataType::InetProto && out.detail().numeric_protocols;
    match small.filter(|_| !style.plain && !code && !protocol).and_then(|number| symbol::name_of(datatype, number)) {
        Some(name) if symbol::is_quoted(datatype) => quoted(out, name),
        Some(name) => out.write_str(name),
        None => unnamed(out, datatype, number),
    }
}

/// The name of an interface: the loopback is number 1 everywhere.
fn interface(out: Out<'_>, index: u128) -> Option<String> {
    match index {
        1 => Some("lo".to_owned()),
        _ => out.detail().interface?(index.try_into().ok()?),
    }
}

/// A number without a name, in the base of its type.
fn unnamed(out: Out<'_>, datatype: DataType, number: u128) -> fmt::Result {
    match (symbol::number_base(datatype), datatype.bits()) {
        (NumberBase::Decimal, _) => write!(out, "{number}"),
        (NumberBase::Hexadecimal, 16) => write!(out, "{number:#06x}"),
        (NumberBase::Hexadecimal, 2..=6) => write!(out, "{number:#04x}"),
        (NumberBase::Hexadecimal, _) => write!(out, "{number:#x}"),
    }
}

/// The set bits by name, lowest first.
fn flags(out: Out<'_>, datatype: DataType, number: u128, style: Style) -> fmt::Result {
    if number == 0 {
        return out.write_str("0x0");
    }
    // All of them is no list of some.
    if datatype == DataType::TcpFlag && number == 0xff && style.pipes {
        return write!(out, "{number:#x}");
    }
    let separator = if style.pipes { " | " } else { "," };
    let bits = (0..128_u32).filter(|bit| number >> bit & 1 == 1);
    join(out, separator, bits, |out, bit| match datatype {
        DataType::CtLabel => write!(out, "{bit}"),
        _ => match u64::try_from(1_u128 << bit).ok().and_then(|flag| symbol::name_of(datatype, flag)) {
            Some(name) => out.write_str(name),
            None => write!(out, "{:#x}", 1_u128 << bit),
        },
    })
}
