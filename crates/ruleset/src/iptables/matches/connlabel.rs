//! `-m connlabel` (extensions/libxt_connlabel.c, `connlabel_mt_save`).

use std::fmt;

use super::super::extension::{Context, Value, extension};
use super::super::head::Criterion;
use super::super::value::{Name, number};

extension! {
    /// A label of the connection. The numbers behind the names are in a file of each machine.
    Connlabel, "connlabel";
    /// Its name or number.
    label: Criterion<QuotedName>, "--label";
    /// The label is set.
    set: bool, "--set";
}

/// A name, always in quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotedName(pub Name<255>);

impl Value for QuotedName {
    const EXPECTED: &'static str = "the name of a label, or its number up to 127";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let fits = number(word).is_none_or(|number| number <= 127);
        Name::new(word).filter(|_| fits).map(Self)
    }
}

impl fmt::Display for QuotedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m connlabel --label \"5\" --set", "-m connlabel ! --label \"bit\""]);
        is_refused(&["-m connlabel", "-m connlabel --label 128"]);
    }
}
