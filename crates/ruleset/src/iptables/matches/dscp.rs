//! `-m dscp` (extensions/libxt_dscp.c, `dscp_save`).

use std::fmt;

use super::super::extension::{Context, Extension, Given, Opt, Value};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::number_in;

/// Names of classes of service (RFC 2474, RFC 2597, RFC 3246).
const CLASSES: &[(&str, u8)] = &[
    ("CS0", 0x00),
    ("CS1", 0x08),
    ("CS2", 0x10),
    ("CS3", 0x18),
    ("CS4", 0x20),
    ("CS5", 0x28),
    ("CS6", 0x30),
    ("CS7", 0x38),
    ("BE", 0x00),
    ("AF11", 0x0a),
    ("AF12", 0x0c),
    ("AF13", 0x0e),
    ("AF21", 0x12),
    ("AF22", 0x14),
    ("AF23", 0x16),
    ("AF31", 0x1a),
    ("AF32", 0x1c),
    ("AF33", 0x1e),
    ("AF41", 0x22),
    ("AF42", 0x24),
    ("AF43", 0x26),
    ("EF", 0x2e),
];

/// A code point, up to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DscpValue(pub u8);

impl DscpValue {
    /// Of a class.
    pub(in crate::iptables) fn of_class(word: &str) -> Option<Self> {
        CLASSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, value)| Self(*value))
    }
}

impl Value for DscpValue {
    const EXPECTED: &'static str = "a code point up to 63";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        number_in(word, 0..=63).map(|value| Self(value as u8))
    }
}

impl fmt::Display for DscpValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// The class of service in a packet's header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dscp {
    /// The code point.
    pub dscp: Criterion<DscpValue>,
}

impl Extension for Dscp {
    const NAMES: &'static [&'static str] = &["dscp"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--dscp"]).or_not(), Opt::word(&["--dscp-class"]).or_not()];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        let value = match option.option {
            0 => option.read(given.context)?,
            _ => DscpValue::of_class(option.value()).ok_or_else(|| option.unexpected("a class as `EF` or `AF11`"))?,
        };
        Ok(Self { dscp: Criterion { inverted: option.inverted, value } })
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dscp.print(f, "--dscp")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m dscp --dscp 0x00", "-m dscp ! --dscp 0x3f"]);
        prints_as("-m dscp --dscp-class af11", "-m dscp --dscp 0x0a");
        is_refused(&["-m dscp", "-m dscp --dscp 0x40", "-m dscp --dscp-class odd", "-m dscp --dscp 1 --dscp-class EF"]);
    }
}
