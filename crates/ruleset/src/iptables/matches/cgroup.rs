//! `-m cgroup` (extensions/libxt_cgroup.c).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::Text;

/// The control group whose process sent or gets a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cgroup {
    /// That of version 1, by its class.
    Class(Criterion<u32>),
    /// One of version 2, or one below it, by its path.
    Path(Criterion<Text<511>>),
}

impl Extension for Cgroup {
    const NAMES: &'static [&'static str] = &["cgroup"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--cgroup"]).or_not(), Opt::word(&["--path"]).or_not()];
    const ONLY: Only = Only::ANYWHERE.chains(&["INPUT", "OUTPUT", "POSTROUTING"]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        given.exactly_one_of(&[0, 1])?;
        match (given.criterion(0)?, given.criterion(1)?) {
            (Some(class), _) => Ok(Self::Class(class)),
            (None, Some(path)) => Ok(Self::Path(path)),
            (None, None) => Err(given.missing(&[0, 1])),
        }
    }
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => class.print(f, "--cgroup"),
            Self::Path(path) => path.print(f, "--path"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m cgroup --cgroup 5", "-m cgroup ! --cgroup 0", "-m cgroup ! --path \"a/b\""]);
        is_refused(&["-m cgroup", "-m cgroup --cgroup 1 --path /", "-m cgroup --cgroup x"]);
    }
}
