//! `-j SET` (extensions/libxt_SET.c, `set_target_v3_save`).

use std::fmt;

use super::super::extension::{Extension, Field, Given, Opt};
use super::super::problem::Problem;

use crate::iptables::matches::SetLookup;

/// Adds to sets of ipset(8), and takes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// The set that gets an element.
    pub add: Option<SetLookup>,
    /// An element that is there is set anew.
    pub exist: bool,
    /// When it goes again, in seconds.
    pub timeout: Option<u32>,
    /// The set that loses an element.
    pub del: Option<SetLookup>,
    /// The set that gives the packet what its element holds.
    pub map: Option<SetLookup>,
    /// The packet gets its mark.
    pub map_mark: bool,
    /// The packet gets its priority.
    pub map_priority: bool,
    /// The packet gets its queue.
    pub map_queue: bool,
}

impl Extension for Set {
    const NAMES: &'static [&'static str] = &["SET"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--add-set"]).two_words(),
        Opt::flag(&["--exist"]),
        Opt::word(&["--timeout"]),
        Opt::word(&["--del-set"]).two_words(),
        Opt::word(&["--map-set"]).two_words(),
        Opt::flag(&["--map-mark"]),
        Opt::flag(&["--map-prio"]),
        Opt::flag(&["--map-queue"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let set = Self {
            add: given.value(0)?,
            exist: given.flag(1)?,
            timeout: given.value(2)?,
            del: given.value(3)?,
            map: given.value(4)?,
            map_mark: given.flag(5)?,
            map_priority: given.flag(6)?,
            map_queue: given.flag(7)?,
        };
        if set.add.is_none() && set.del.is_none() && set.map.is_none() {
            return Err(given.missing(&[0, 3, 4]));
        }
        if set.add.is_none() && (set.exist || set.timeout.is_some()) {
            return Err(given.missing(&[0]));
        }
        let gives = set.map_mark || set.map_priority || set.map_queue;
        match (set.map.is_some(), gives) {
            (true, false) => Err(given.missing(&[5, 6, 7])),
            (false, true) => Err(given.missing(&[4])),
            _ => Ok(set),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Field::print(&self.add, f, "--add-set")?;
        Field::print(&self.exist, f, "--exist")?;
        Field::print(&self.timeout, f, "--timeout")?;
        Field::print(&self.del, f, "--del-set")?;
        Field::print(&self.map, f, "--map-set")?;
        Field::print(&self.map_mark, f, "--map-mark")?;
        Field::print(&self.map_priority, f, "--map-prio")?;
        Field::print(&self.map_queue, f, "--map-queue")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j SET --add-set foo src,dst --exist --timeout 60",
            "-j SET --del-set foo src",
            "-j SET --map-set foo src --map-mark --map-queue",
        ]);
        is_refused(&["-j SET", "-j SET --add-set foo", "-j SET --del-set foo src --exist", "-j SET --map-set foo src"]);
    }
}
