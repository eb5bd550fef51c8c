//! `-j TCPMSS` (extensions/libxt_TCPMSS.c, `TCPMSS_save`).

use std::fmt;

use super::super::extension::{Extension, Given, Only, Opt};
use super::super::problem::Problem;
use super::super::protocol::Protocol;

/// The largest segment a TCP connection is told to send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tcpmss {
    /// So many bytes.
    Set(u16),
    /// What fits the path.
    ClampToPmtu,
}

impl Extension for Tcpmss {
    const NAMES: &'static [&'static str] = &["TCPMSS"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--set-mss"]), Opt::flag(&["--clamp-mss-to-pmtu"])];
    const ONLY: Only = Only::ANYWHERE.protocols(&[Protocol::TCP]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        if option.option == 0 {
            return option.read(given.context).map(Self::Set);
        }
        match given.context.built_in() {
            Some(chain @ ("PREROUTING" | "INPUT")) => {
                Err(given.problem(format!("packets in {chain} have no path yet")))
            }
            _ => Ok(Self::ClampToPmtu),
        }
    }
}

impl fmt::Display for Tcpmss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(mss) => write!(f, " --set-mss {mss}"),
            Self::ClampToPmtu => f.write_str(" --clamp-mss-to-pmtu"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        let syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS";
        round_trips(&[format!("{syn} --clamp-mss-to-pmtu").as_str(), format!("{syn} --set-mss 1400").as_str()]);
        is_refused(&[
            "-p tcp -j TCPMSS --set-mss 1 --clamp-mss-to-pmtu",
            "-p tcp -j TCPMSS",
            "-j TCPMSS --set-mss 1400",
        ]);
    }
}
