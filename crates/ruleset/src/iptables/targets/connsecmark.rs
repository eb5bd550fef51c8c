//! `-j CONNSECMARK` (extensions/libxt_CONNSECMARK.c).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::TableName;

/// The security context of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connsecmark {
    /// Sets it to the packet's.
    Save,
    /// Sets the packet's to it.
    Restore,
}

impl Extension for Connsecmark {
    const NAMES: &'static [&'static str] = &["CONNSECMARK"];
    const OPTIONS: &'static [Opt] = &[Opt::flag(&["--save"]), Opt::flag(&["--restore"])];
    const ONLY: Only = Only::ANYWHERE.tables(&[TableName::Mangle, TableName::Security]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        given.exactly_one_of(&[0, 1]).map(|option| if option.option == 0 { Self::Save } else { Self::Restore })
    }
}

impl fmt::Display for Connsecmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Save => " --save",
            Self::Restore => " --restore",
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j CONNSECMARK --save", "-j CONNSECMARK --restore"]);
        is_refused(&["-j CONNSECMARK", "-j CONNSECMARK --save --restore"]);
    }
}
