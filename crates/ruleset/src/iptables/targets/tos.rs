//! `-j TOS` (extensions/libxt_TOS.c, `tos_tg_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::ruleset::TableName;

use crate::iptables::matches::TosValue;

/// Sets the type of service in a packet's header: clears the bits of the mask, then flips those of the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tos {
    /// The bits and their mask.
    pub tos: TosValue,
}

impl Extension for Tos {
    const NAMES: &'static [&'static str] = &["TOS"];
    const OPTIONS: &'static [Opt] =
        &[Opt::word(&["--set-tos"]), Opt::word(&["--and-tos"]), Opt::word(&["--or-tos"]), Opt::word(&["--xor-tos"])];
    const ONLY: Only = Only::ANYWHERE.tables(&[TableName::Mangle]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1, 2, 3])?;
        if option.option == 0 {
            return option.read(given.context).map(|tos| Self { tos });
        }
        let bits: u8 = option.read(given.context)?;
        let (value, mask) = [(0, !bits), (bits, bits), (bits, 0)][option.option - 1];
        Ok(Self { tos: TosValue { value, mask } })
    }
}

impl fmt::Display for Tos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --set-tos {}", self.tos)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j TOS --set-tos 0x10/0xff", "-j TOS --set-tos 0x01/0x00"]);
        prints_as("-j TOS --set-tos Minimize-Cost", "-j TOS --set-tos 0x02/0x3f");
        prints_as("-j TOS --and-tos 0xf0", "-j TOS --set-tos 0x00/0x0f");
        prints_as("-j TOS --or-tos 1", "-j TOS --set-tos 0x01/0x01");
        prints_as("-j TOS --xor-tos 1", "-j TOS --set-tos 0x01/0x00");
        is_refused(&["-j TOS", "-j TOS --set-tos 1 --or-tos 1", "-j TOS --or-tos 256"]);
    }
}
