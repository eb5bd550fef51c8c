//! `-j RATEEST` (extensions/libxt_RATEEST.c, `RATEEST_save`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::value::Name;

/// A time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub u32);

impl Value for Duration {
    const EXPECTED: &'static str = "a time as `250ms`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let unit = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let factor = match &word[unit..] {
            "s" | "sec" | "secs" => 1_000_000.0,
            "ms" | "msec" | "msecs" => 1000.0,
            "" | "us" | "usec" | "usecs" => 1.0,
            _ => return None,
        };
        let micros = word[..unit].parse::<f64>().ok()? * factor;
        // In range, so nothing is cut off but a part of a microsecond.
        (0.0..4e9).contains(&micros).then_some(Self(micros as u32))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = f64::from(self.0);
        match self.0 {
            1_000_000.. => write!(f, "{:.1}s", micros / 1_000_000.0),
            1000.. => write!(f, "{:.1}ms", micros / 1000.0),
            _ => write!(f, "{}us", self.0),
        }
    }
}

extension! {
    /// Measures the rate of packets.
    Rateest, "RATEEST";
    /// The name of the measurement.
    name: Name<15>, "--rateest-name";
    /// How often.
    interval: Duration, "--rateest-interval";
    /// Over how long it is averaged.
    average: Duration, "--rateest-ewmalog";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j RATEEST --rateest-name RE1 --rateest-interval 250.0ms --rateest-ewmalog 500.0ms"]);
        is_refused(&["-j RATEEST", "-j RATEEST --rateest-name RE1 --rateest-interval x --rateest-ewmalog 1s"]);
    }
}
