//! `-j NFQUEUE` (extensions/libxt_NFQUEUE.c, `NFQUEUE_save_v3`).

use std::fmt;

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::problem::Problem;
use super::super::value::NumberRange;

/// Hands a packet to a program that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nfqueue {
    /// The first queue.
    pub first: u16,
    /// The last queue; connections are spread over all.
    pub last: u16,
    /// Packets pass if no program listens.
    pub bypass: bool,
    /// The processor chooses the queue, not the connection.
    pub cpu_fanout: bool,
}

impl Extension for Nfqueue {
    const NAMES: &'static [&'static str] = &["NFQUEUE"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--queue-num"]),
        Opt::word(&["--queue-balance"]),
        Opt::flag(&["--queue-bypass"]),
        Opt::flag(&["--queue-cpu-fanout"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let (first, last) = match given.one_of(&[0, 1])? {
            None => (0, 0),
            Some(option) if option.option == 0 => {
                let number: u16 = option.read(given.context)?;
                (number, number)
            }
            Some(option) => {
                let queues: NumberRange<65535> = option.read(given.context)?;
                if queues.first == queues.last {
                    return Err(option.unexpected("two queues as `FIRST:LAST`"));
                }
                (queues.first as u16, queues.last as u16)
            }
        };
        let cpu_fanout = given.flag(3)?;
        if cpu_fanout && first == last {
            return Err(given.missing(&[1]));
        }
        Ok(Self { first, last, bypass: given.flag(2)?, cpu_fanout })
    }
}

impl fmt::Display for Nfqueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, " --queue-num {}", self.first)?;
        } else {
            write!(f, " --queue-balance {}:{}", self.first, self.last)?;
        }
        Field::print(&self.bypass, f, "--queue-bypass")?;
        Field::print(&self.cpu_fanout, f, "--queue-cpu-fanout")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j NFQUEUE --queue-num 5 --queue-bypass",
            "-j NFQUEUE --queue-balance 0:3 --queue-bypass --queue-cpu-fanout",
        ]);
        prints_as("-j NFQUEUE", "-j NFQUEUE --queue-num 0");
        is_refused(&[
            "-j NFQUEUE --queue-num 65536",
            "-j NFQUEUE --queue-balance 3:1",
            "-j NFQUEUE --queue-cpu-fanout",
        ]);
    }
}
