//! Values that options of many extensions have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::extension::{Context, Value};
use super::head::{Address, Criterion};
use super::protocol::Protocol;
use super::ruleset::Family;
use super::word::Quoted;
use crate::ir::symbol;

/// A number as `strtoull` reads it in base 0: hexadecimal, decimal or, with a leading zero, octal digits.
pub(super) fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    digits.starts_with(|c: char| c.is_digit(radix)).then(|| u64::from_str_radix(digits, radix).ok())?
}

/// A number in a range.
pub(super) fn number_in(text: &str, range: RangeInclusive<u64>) -> Option<u64> {
    number(text).filter(|number| range.contains(number))
}

/// Two numbers with `separator` between them, or one that stands for both; what is left out at an end is the end of the
/// range. The first is not above the last.
pub(super) fn range(text: &str, separator: char, range: RangeInclusive<u64>) -> Option<(u64, u64)> {
    let read = |text: &str, default: &u64| {
        if text.is_empty() { Some(*default) } else { number_in(text, range.clone()) }
    };
    let (first, last) = match text.split_once(separator) {
        Some((first, last)) => (read(first, range.start())?, read(last, range.end())?),
        None => number_in(text, range.clone()).map(|number| (number, number))?,
    };
    (first <= last).then_some((first, last))
}

/// A port by number or by the name of its service.
pub(super) fn port(text: &str) -> Option<u16> {
    match number(text) {
        Some(number) => u16::try_from(number).ok(),
        None => symbol::service_port(text),
    }
}

/// An address of the family. Host names are not looked up.
pub(super) fn address(text: &str, family: Family) -> Option<IpAddr> {
    match family {
        Family::Ip => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Family::Ip6 => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

macro_rules! numbers {
    ($($type:ty, $expected:literal;)*) => {
        $(impl Value for $type {
            const EXPECTED: &'static str = $expected;

            fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
                number(word).and_then(|number| Self::try_from(number).ok())
            }
        })*
    };
}

numbers! {
    u8, "a number up to 255";
    u16, "a number up to 65535";
    u32, "a number up to 4294967295";
    u64, "a number";
}

impl Value for Protocol {
    const EXPECTED: &'static str = "a protocol";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::parse(word)
    }
}

/// An address of the rule's family.
impl Value for IpAddr {
    const EXPECTED: &'static str = "an address";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        address(word, context.family)
    }
}

/// A number from `MIN` to `MAX`, in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Within<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Value for Within<MIN, MAX> {
    const EXPECTED: &'static str = "a number in range";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        number_in(word, MIN.into()..=MAX.into()).map(|number| Self(number as u32))
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Display for Within<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number up to `MAX`, in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const MAX: u32>(pub u32);

impl<const MAX: u32> Value for Hex<MAX> {
    const EXPECTED: &'static str = "a number in range";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        number_in(word, 0..=MAX.into()).map(|number| Self(number as u32))
    }
}

impl<const MAX: u32> fmt::Display for Hex<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A text of up to `MAX` bytes, in quotes where it needs them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Box<str>);

impl<const MAX: usize> Text<MAX> {
    /// That text; `None` if it is too long, or has a character that no line can hold.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= MAX && !text.contains(['\n', '\0'])).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Value for Text<MAX> {
    const EXPECTED: &'static str = "a shorter text";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::new(word)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(&self.0).fmt(f)
    }
}

/// A name of 1 to `MAX` bytes without spaces, printed as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<const MAX: usize>(Box<str>);

impl<const MAX: usize> Name<MAX> {
    /// That name; `None` if it is empty, too long, or does not stay one word.
    pub fn new(name: &str) -> Option<Self> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '"';
        (!name.is_empty() && name.len() <= MAX && !name.contains(odd)).then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Value for Name<MAX> {
    const EXPECTED: &'static str = "a shorter name, without spaces";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::new(word)
    }
}

impl<const MAX: usize> fmt::Display for Name<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mark under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskedMark {
    /// The bits.
    pub value: u32,
    /// Which of them count.
    pub mask: u32,
}

impl MaskedMark {
    /// `0x1/0xff`, or `0x1` for all bits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        let read = |text: &str| number_in(text, 0..=u32::MAX.into()).map(|number| number as u32);
        Some(Self { value: read(value)?, mask: mask.map_or(Some(u32::MAX), read)? })
    }
}

impl Value for MaskedMark {
    const EXPECTED: &'static str = "a mark as `0x1` or `0x1/0xff`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::parse(word)
    }
}

/// Without the mask where it is all bits.
impl fmt::Display for MaskedMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.value)?;
        if self.mask == u32::MAX { Ok(()) } else { write!(f, "/{:#x}", self.mask) }
    }
}

/// A port, or all from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// `80`, `http`, `1:80`, `:80` or `80:`, with that separator.
    pub(super) fn parse(text: &str, separator: char) -> Option<Self> {
        // Names of services may hold a `-`.
        if let Some(port) = port(text) {
            return Some(Self::single(port));
        }
        let (first, last) = text.split_once(separator)?;
        let read = |text: &str, default| if text.is_empty() { Some(default) } else { port(text) };
        let range = Self { first: read(first, 0)?, last: read(last, u16::MAX)? };
        (range.first <= range.last).then_some(range)
    }
}

impl Value for PortRange {
    const EXPECTED: &'static str = "a port, or two as `FIRST:LAST`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Self::parse(word, ':')
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

/// Takes away what asks for every port and so asks nothing; iptables-save leaves it out.
pub(super) fn drop_every_port(ports: &mut Option<Criterion<PortRange>>) {
    ports.take_if(|ports| !ports.inverted && ports.value == PortRange::ALL);
}

/// The same of numbers: the whole range asks nothing.
pub(super) fn drop_every_number<const MAX: u32>(numbers: &mut Option<Criterion<NumberRange<MAX>>>) {
    numbers.take_if(|numbers| !numbers.inverted && numbers.value == NumberRange { first: 0, last: MAX });
}

/// An address or network; one address without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BareAddress(pub Address);

impl Value for BareAddress {
    const EXPECTED: &'static str = "an address or network";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        Address::parse(word, context.family).map(Self)
    }
}

impl fmt::Display for BareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Network(network) if network.prefix_len() == network.max_prefix_len() => network.addr().fmt(f),
            other => other.fmt(f),
        }
    }
}

/// Numbers from the first to the last, as `5` or `1:5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberRange<const MAX: u32> {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl<const MAX: u32> Value for NumberRange<MAX> {
    const EXPECTED: &'static str = "a number in range, or two as `FIRST:LAST`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        range(word, ':', 0..=MAX.into()).map(|(first, last)| Self { first: first as u32, last: last as u32 })
    }
}

impl<const MAX: u32> fmt::Display for NumberRange<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

/// So many in a time, as the time between two in units of 1/`SCALE` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate<const SCALE: u32>(u64);

impl<const SCALE: u32> Rate<SCALE> {
    const UNITS: [(&'static str, u64); 4] = [("day", 86_400), ("hour", 3600), ("min", 60), ("sec", 1)];

    /// So many in so many seconds. None at all counts as one.
    pub fn of(count: u64, seconds: u64) -> Self {
        Self(seconds * u64::from(SCALE) / count.max(1))
    }

    /// The time between two, in units of 1/`SCALE` seconds.
    pub fn period(self) -> u64 {
        self.0
    }

    /// The count and the unit in seconds that come nearest (`print_rate`, extensions/libxt_limit.c).
    pub fn per_unit(self) -> (u64, u64) {
        let (_, count, seconds) = self.printed();
        (count, seconds)
    }

    fn printed(self) -> (&'static str, u64, u64) {
        let mult = |unit: usize| Self::UNITS[unit].1 * u64::from(SCALE);
        let period = self.0.max(1);
        let fits = |unit: &usize| period <= mult(*unit) && mult(*unit) / period >= mult(*unit) % period;
        let unit = (1..4).take_while(fits).last().unwrap_or(0);
        (Self::UNITS[unit].0, mult(unit) / period, Self::UNITS[unit].1)
    }
}

impl<const SCALE: u32> Value for Rate<SCALE> {
    const EXPECTED: &'static str =
        "a rate as `10/sec`, `3/minute`, `3/hour` or `1/day`, not above what the kernel counts";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let (count, unit) = word.split_once('/').unwrap_or((word, "second"));
        let starts = |name: &&str| name.get(..unit.len()).is_some_and(|start| start.eq_ignore_ascii_case(unit));
        let units = ["day", "hour", "minute", "second"];
        let seconds = units.iter().position(starts).map(|unit| Self::UNITS[unit].1);
        let count = number_in(count, 1..=u32::MAX.into())?;
        Some(Self::of(count, seconds.filter(|_| !unit.is_empty())?)).filter(|rate| rate.0 > 0)
    }
}

impl<const SCALE: u32> fmt::Display for Rate<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, count, _) = self.printed();
        write!(f, "{count}/{unit}")
    }
}

/// Makes an enum of words that iptables has for the values of an option.
macro_rules! keywords {
    (
        $(#[$doc:meta])* $name:ident, $expected:literal;
        $($(#[$vdoc:meta])* $variant:ident = $word:literal $(| $alias:literal)*,)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// Every one, in the order of iptables-save.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// iptables' word.
            pub const fn keyword(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one of that word, in capitals or not.
            pub fn from_keyword(word: &str) -> Option<Self> {
                $(if word.eq_ignore_ascii_case($word) $(|| word.eq_ignore_ascii_case($alias))* {
                    return Some(Self::$variant);
                })*
                None
            }
        }

        impl $crate::iptables::extension::Value for $name {
            const EXPECTED: &'static str = $expected;

            fn read([word, _]: &[&str; 2], _: &$crate::iptables::extension::Context<'_>) -> Option<Self> {
                Self::from_keyword(word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.keyword())
            }
        }
    };
}

pub(super) use keywords;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_three_bases() {
        assert_eq!((number("010"), number("0x1F"), number("9"), number("0")), (Some(8), Some(31), Some(9), Some(0)));
        for refused in ["", "0x", "-1", "+1", "08", "1x", "18446744073709551616"] {
            assert_eq!(number(refused), None, "{refused}");
        }
    }

    #[test]
    fn ranges_may_be_open() {
        assert_eq!(range(":", ':', 1..=9), Some((1, 9)));
        assert_eq!(range("4:", ':', 1..=9), Some((4, 9)));
        assert_eq!((range("4:2", ':', 1..=9), range("10", ':', 1..=9), range("", ':', 1..=9)), (None, None, None));
    }

    #[test]
    fn ports_may_be_services() {
        assert_eq!(PortRange::parse("ssh:http", ':'), Some(PortRange { first: 22, last: 80 }));
        assert_eq!(PortRange::parse("nosuch", ':'), None);
    }
}
