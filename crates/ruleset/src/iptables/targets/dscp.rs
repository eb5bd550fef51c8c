//! `-j DSCP` (extensions/libxt_DSCP.c, `DSCP_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::TableName;

use crate::iptables::matches::DscpValue;

/// Sets the class of service in a packet's header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dscp {
    /// The code point.
    pub dscp: DscpValue,
}

impl Extension for Dscp {
    const NAMES: &'static [&'static str] = &["DSCP"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--set-dscp"]), Opt::word(&["--set-dscp-class"])];
    const ONLY: Only = Only::ANYWHERE.tables(&[TableName::Mangle]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        let dscp = match option.option {
            0 => option.read(given.context)?,
            _ => DscpValue::of_class(option.value()).ok_or_else(|| option.unexpected("a class as `EF` or `AF11`"))?,
        };
        Ok(Self { dscp })
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --set-dscp {}", self.dscp)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j DSCP --set-dscp 0x00", "-j DSCP --set-dscp 0x3f"]);
        prints_as("-j DSCP --set-dscp-class EF", "-j DSCP --set-dscp 0x2e");
        is_refused(&["-j DSCP", "-j DSCP --set-dscp 0x40", "-j DSCP --set-dscp-class odd"]);
    }
}
