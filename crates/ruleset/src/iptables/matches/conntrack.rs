//! `-m conntrack` (extensions/libxt_conntrack.c, `conntrack_dump`).

use std::fmt;

use super::super::extension::{Context, Given, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::value::{BareAddress, NumberRange, PortRange, keywords};

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

impl Value for CtStates {
    const EXPECTED: &'static str = "states as `NEW,ESTABLISHED`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let state = |word: &str| CtState::ALL.into_iter().find(|state| state.keyword().eq_ignore_ascii_case(word));
        let states: Option<Vec<_>> = word.split(',').map(state).collect();
        Self::of(states?)
    }
}

keywords! {
    /// What became of a connection.
    CtStatus, "a status as `SEEN_REPLY`";
    /// Another connection expects it.
    Expected = "EXPECTED",
    /// It was answered.
    SeenReply = "SEEN_REPLY",
    /// It is never dropped early.
    Assured = "ASSURED",
    /// Its first packet left.
    Confirmed = "CONFIRMED",
}

/// Several statuses; none is `NONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtStatuses(u8);

impl CtStatuses {
    /// The statuses in the order of iptables-save.
    pub fn iter(self) -> impl Iterator<Item = CtStatus> {
        CtStatus::ALL.iter().copied().filter(move |status| self.0 & 1 << *status as u8 != 0)
    }
}

impl Value for CtStatuses {
    const EXPECTED: &'static str = "statuses as `SEEN_REPLY,ASSURED`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let bit = |word: &str| match word {
            _ if word.eq_ignore_ascii_case("NONE") => Some(0),
            _ => CtStatus::from_keyword(word).map(|status| 1 << status as u8),
        };
        word.split(',').map(bit).try_fold(0, |bits, bit| Some(bits | bit?)).map(Self)
    }
}

impl fmt::Display for CtStatuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, status) in self.iter().enumerate() {
            write!(f, "{}{status}", if index == 0 { "" } else { "," })?;
        }
        if self.0 == 0 { f.write_str("NONE") } else { Ok(()) }
    }
}

keywords! {
    /// The direction of a packet in its connection.
    CtDirection, "`ORIGINAL` or `REPLY`";
    /// From the side that began it.
    Original = "ORIGINAL",
    /// To that side.
    Reply = "REPLY",
}

/// A protocol as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolNumber(pub u8);

impl Value for ProtocolNumber {
    const EXPECTED: &'static str = "a protocol by name or number";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        Protocol::parse(word).map(|protocol| Self(protocol.number()))
    }
}

impl fmt::Display for ProtocolNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

extension! {
    /// What conntrack must know of the connection.
    Conntrack, "conntrack";
    /// The states one of which it must be in.
    states: Option<Criterion<CtStates>>, "--ctstate";
    /// Its protocol.
    protocol: Option<Criterion<ProtocolNumber>>, "--ctproto";
    /// Where it came from, before any rewriting.
    original_source: Option<Criterion<BareAddress>>, "--ctorigsrc";
    /// Where it went to, before any rewriting.
    original_destination: Option<Criterion<BareAddress>>, "--ctorigdst";
    /// Who answers.
    reply_source: Option<Criterion<BareAddress>>, "--ctreplsrc";
    /// Who is answered.
    reply_destination: Option<Criterion<BareAddress>>, "--ctrepldst";
    /// The port it came from, before any rewriting.
    original_source_port: Option<Criterion<PortRange>>, "--ctorigsrcport";
    /// The port it went to, before any rewriting.
    original_destination_port: Option<Criterion<PortRange>>, "--ctorigdstport";
    /// The port that answers.
    reply_source_port: Option<Criterion<PortRange>>, "--ctreplsrcport";
    /// The port that is answered.
    reply_destination_port: Option<Criterion<PortRange>>, "--ctrepldstport";
    /// The statuses one of which it must have.
    statuses: Option<Criterion<CtStatuses>>, "--ctstatus";
    /// How long it lives if nothing comes, in seconds.
    expires: Option<Criterion<NumberRange<{ u32::MAX }>>>, "--ctexpire";
    /// The direction of the packet.
    direction: Option<CtDirection>, "--ctdir";
    => Conntrack::settle;
}

impl Conntrack {
    /// A match of states only.
    pub fn of_states(states: Criterion<CtStates>) -> Self {
        Self {
            states: Some(states),
            protocol: None,
            original_source: None,
            original_destination: None,
            reply_source: None,
            reply_destination: None,
            original_source_port: None,
            original_destination_port: None,
            reply_source_port: None,
            reply_destination_port: None,
            statuses: None,
            expires: None,
            direction: None,
        }
    }

    /// The packet begins a connection.
    pub fn new_connection() -> Self {
        Self::of_states(Criterion::is(CtStates::single(CtState::New)))
    }

    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if given.all().next().is_none() {
            return Err(given.problem("`conntrack` needs an option"));
        }
        if self.protocol.is_some_and(|protocol| protocol.value.0 == 0) {
            return Err(given.problem("no connection is of no protocol"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips, round_trips_6};

    #[test]
    fn states_round_trip() {
        round_trips(&["-m conntrack --ctstate NEW", "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"]);
        prints_as("-m conntrack --ctstate established,RELATED", "-m conntrack --ctstate RELATED,ESTABLISHED");
        is_refused(&["-m conntrack --ctstate ODD", "-m conntrack", "-m conntrack --ctstate "]);
    }

    #[test]
    fn what_else_conntrack_knows_round_trips() {
        round_trips(&[
            "-m conntrack --ctproto 6 --ctorigsrc 10.0.0.1 --ctorigdstport 80:90 --ctdir REPLY",
            "-m conntrack ! --ctorigdst 10.0.0.0/8 ! --ctstatus EXPECTED,ASSURED --ctexpire 1:10",
            "-m conntrack --ctstatus NONE",
        ]);
        round_trips_6(&["-m conntrack --ctreplsrc fd00::1 --ctrepldst fd00::/8"]);
        prints_as("-m conntrack --ctdir original --ctproto tcp", "-m conntrack --ctproto 6 --ctdir ORIGINAL");
        is_refused(&["-m conntrack --ctexpire 9:1", "-m conntrack ! --ctdir REPLY", "-m conntrack ! --ctproto 0"]);
    }
}
