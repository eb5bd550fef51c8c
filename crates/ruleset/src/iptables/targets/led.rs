//! `-j LED` (extensions/libxt_LED.c, `LED_save`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::value::{Name, number_in};

/// How long a light stays on, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedDelay {
    /// So long.
    Milliseconds(u32),
    /// For ever.
    Infinite,
}

impl Value for LedDelay {
    const EXPECTED: &'static str = "milliseconds, or `inf`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        match *word {
            "inf" => Some(Self::Infinite),
            _ => number_in(word, 0..=(u32::MAX - 1).into()).map(|ms| Self::Milliseconds(ms as u32)),
        }
    }
}

impl fmt::Display for LedDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milliseconds(ms) => ms.fmt(f),
            Self::Infinite => f.write_str("inf"),
        }
    }
}

extension! {
    /// Makes a light blink.
    Led, "LED";
    /// The name of its trigger, after `netfilter-`.
    id: QuotedName, "--led-trigger-id";
    /// How long it stays on.
    delay: LedDelay, "--led-delay" = LedDelay::Milliseconds(0);
    /// It also blinks while it is on.
    always_blink: bool, "--led-always-blink";
}

/// A name, always in quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotedName(pub Name<16>);

impl Value for QuotedName {
    const EXPECTED: &'static str = "a shorter name";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Name::new(word).map(Self)
    }
}

impl fmt::Display for QuotedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j LED --led-trigger-id \"foo\" --led-delay 42 --led-always-blink",
            "-j LED --led-trigger-id \"foo\" --led-delay inf",
        ]);
        is_refused(&["-j LED", "-j LED --led-trigger-id a --led-delay x"]);
    }
}
