//! `-j TCPOPTSTRIP` (extensions/libxt_TCPOPTSTRIP.c).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::protocol::Protocol;
use super::super::ruleset::TableName;
use super::super::value::number_in;

/// Names of options (RFC 9293, RFC 7323, RFC 2018, RFC 2385).
const NAMES: [(&str, u8); 6] =
    [("wscale", 3), ("mss", 2), ("sack-permitted", 4), ("sack", 5), ("timestamp", 8), ("md5", 19)];

/// Kinds of TCP options, sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionKinds(pub Vec<u8>);

impl Value for OptionKinds {
    const EXPECTED: &'static str = "options by number or as `sack,timestamp`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let kind = |word: &str| match NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, kind)) => Some(*kind),
            None => number_in(word, 2..=255).map(|kind| kind as u8),
        };
        let mut kinds = word.split(',').map(kind).collect::<Option<Vec<_>>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Some(Self(kinds))
    }
}

impl fmt::Display for OptionKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

extension! {
    /// Takes options out of TCP packets.
    Tcpoptstrip, "TCPOPTSTRIP", Only::ANYWHERE.tables(&[TableName::Mangle]).protocols(&[Protocol::TCP]);
    /// Which ones.
    options: Option<OptionKinds>, "--strip-options";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-p tcp -j TCPOPTSTRIP --strip-options 2,3,255", "-p tcp -j TCPOPTSTRIP"]);
        prints_as("-p tcp -j TCPOPTSTRIP --strip-options sack,2,2", "-p tcp -j TCPOPTSTRIP --strip-options 2,5");
        is_refused(&["-j TCPOPTSTRIP --strip-options 2", "-p tcp -j TCPOPTSTRIP --strip-options odd"]);
    }
}
