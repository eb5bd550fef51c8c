//! `-m conntrack` (extensions/libxt_conntrack.c). Its `--ctstate` is typed; a match with another option is opaque.

use std::fmt;

use super::super::head::Criterion;
use super::super::rule::{Extension, Options};

/// What conntrack says of a packet's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CtState {
    /// It fits no connection.
    Invalid,
    /// It begins one.
    New,
    /// It begins one that another expects, or reports its error.
    Related,
    /// It belongs to one that was answered.
    Established,
    /// It is left out of conntrack.
    Untracked,
    /// Its connection's source was rewritten.
    Snat,
    /// Its connection's destination was rewritten.
    Dnat,
}

impl CtState {
    /// Every state, in the order of iptables-save.
    const ALL: [Self; 7] =
        [Self::Invalid, Self::New, Self::Related, Self::Established, Self::Untracked, Self::Snat, Self::Dnat];

    /// iptables' word.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::New => "NEW",
            Self::Related => "RELATED",
            Self::Established => "ESTABLISHED",
            Self::Untracked => "UNTRACKED",
            Self::Snat => "SNAT",
            Self::Dnat => "DNAT",
        }
    }
}

/// Several states; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtStates(u8);

impl CtStates {
    /// Those states; `None` if there is none.
    pub fn of(states: impl IntoIterator<Item = CtState>) -> Option<Self> {
        let bits = states.into_iter().fold(0, |bits, state| bits | 1 << state as u8);
        (bits != 0).then_some(Self(bits))
    }

    /// One state.
    pub fn single(state: CtState) -> Self {
        Self(1 << state as u8)
    }

    /// The states in the order of iptables-save.
    pub fn iter(self) -> impl Iterator<Item = CtState> {
        CtState::ALL.into_iter().filter(move |state| self.0 & 1 << *state as u8 != 0)
    }
}

impl fmt::Display for CtStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, state) in self.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "," }, state.keyword())?;
        }
        Ok(())
    }
}

/// What conntrack must know of the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conntrack {
    /// The states one of which it must be in.
    pub states: Criterion<CtStates>,
}

impl Conntrack {
    /// The packet begins a connection.
    pub fn new_connection() -> Self {
        Self { states: Criterion::is(CtStates::single(CtState::New)) }
    }
}

impl Extension for Conntrack {
    const NAME: &'static str = "conntrack";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let (inverted, "--ctstate") = options.option()? else { return None };
        let states: Option<Vec<_>> = options
            .value()?
            .split(',')
            .map(|word| CtState::ALL.into_iter().find(|state| state.keyword().eq_ignore_ascii_case(word)))
            .collect();
        Some(Self { states: Criterion { inverted, value: CtStates::of(states?)? } })
    }
}

impl fmt::Display for Conntrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.states.print(f, "--ctstate")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn states_round_trip() {
        round_trips(&["-m conntrack --ctstate NEW", "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"]);
        prints_as("-m conntrack --ctstate established,RELATED", "-m conntrack --ctstate RELATED,ESTABLISHED");
    }

    #[test]
    fn other_options_stay_as_they_are() {
        is_opaque(&["-m conntrack --ctstate NEW --ctdir ORIGINAL", "-m conntrack --ctstate ODD", "-m conntrack"]);
    }
}
