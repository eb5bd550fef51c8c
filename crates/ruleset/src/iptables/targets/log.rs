//! `-j LOG` (extensions/libxt_LOG.c, `LOG_save`).

use std::fmt;

use super::super::extension::{Context, Given, Value, extension};
use super::super::problem::Problem;
use super::super::value::{Text, number, number_in};

/// Names of levels (syslog(3)).
const LEVELS: &[(&str, u8)] = &[
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("crit", 2),
    ("error", 3),
    ("err", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];

/// A syslog level, from 0 (emergency) to 7 (debug).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogLevel(pub u8);

impl Value for LogLevel {
    const EXPECTED: &'static str = "a level from 0 to 7, or as `info`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        if number(word).is_some() {
            return number_in(word, 0..=7).map(|level| Self(level as u8));
        }
        let starts = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let found = LEVELS.iter().find(|(name, _)| !word.is_empty() && starts(name));
        found.map(|(_, level)| Self(*level))
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

extension! {
    /// Writes about a packet into the kernel's log, and goes on.
    Log, "LOG";
    /// What stands before it.
    prefix: Option<Text<29>>, "--log-prefix";
    /// The level.
    level: LogLevel, "--log-level" = LogLevel(4);
    /// Also TCP sequence numbers.
    tcp_sequence: bool, "--log-tcp-sequence";
    /// Also TCP options.
    tcp_options: bool, "--log-tcp-options";
    /// Also IP options.
    ip_options: bool, "--log-ip-options";
    /// Also whose socket it is.
    uid: bool, "--log-uid";
    /// Also Ethernet addresses and type.
    macdecode: bool, "--log-macdecode";
    => Log::settle;
}

impl Log {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        self.prefix.take_if(|prefix| prefix.as_str().is_empty());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j LOG",
            "-j LOG --log-prefix \"IN: \" --log-level 7 --log-tcp-options --log-uid",
            "-j LOG --log-prefix x --log-macdecode",
        ]);
        prints_as("-j LOG --log-level warn --log-ip-options", "-j LOG --log-ip-options");
        prints_as("-j LOG --log-level debug", "-j LOG --log-level 7");
        is_refused(&[
            "-j LOG --log-level 8",
            "-j LOG --log-level odd",
            "-j LOG --log-prefix 012345678901234567890123456789",
        ]);
    }
}
