//! `-m nfacct` (extensions/libxt_nfacct.c, `nfacct_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Opt};
use super::super::problem::Problem;
use super::super::value::Text;

/// Counts packets in an object of nfacct(8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nfacct {
    /// Its name.
    pub name: Text<31>,
}

impl Extension for Nfacct {
    const NAMES: &'static [&'static str] = &["nfacct"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--nfacct-name"])];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0])?;
        match option.value() {
            "" => Err(option.unexpected("the name of an object")),
            _ => option.read(given.context).map(|name| Self { name }),
        }
    }
}

/// With two spaces, as iptables-save 1.8.9 does.
impl fmt::Display for Nfacct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --nfacct-name  {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as};

    #[test]
    fn it_prints_as_iptables_save_does() {
        prints_as("-m nfacct --nfacct-name a", "-m nfacct --nfacct-name  a");
        is_refused(&["-m nfacct", "-m nfacct --nfacct-name \"\""]);
    }
}
