//! `-j CT` (extensions/libxt_CT.c, `ct_save_v1`).

use std::fmt;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::problem::Problem;
use super::super::ruleset::TableName;
use super::super::value::{Name, keywords, number_in};

keywords! {
    /// What conntrack reports of a connection.
    CtEvent, "an event as `new`";
    /// It began.
    New = "new",
    /// Another one expects it.
    Related = "related",
    /// It ended.
    Destroy = "destroy",
    /// It was answered.
    Reply = "reply",
    /// It is never dropped early.
    Assured = "assured",
    /// The state of its protocol.
    Protoinfo = "protoinfo",
    /// Its helper.
    Helper = "helper",
    /// Its mark.
    Mark = "mark",
    /// Sequence numbers that were rewritten.
    Natseqinfo = "natseqinfo",
    /// Its security context.
    Secmark = "secmark",
}

/// Several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtEvents(u16);

impl CtEvents {
    /// The events, in the order of iptables-save.
    pub fn iter(self) -> impl Iterator<Item = CtEvent> {
        CtEvent::ALL.iter().copied().filter(move |event| self.0 & 1 << *event as u8 != 0)
    }
}

impl Value for CtEvents {
    const EXPECTED: &'static str = "events as `new,destroy`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let bit = |word: &str| CtEvent::from_keyword(word).map(|event| 1 << event as u8);
        word.split(',').map(bit).try_fold(0, |bits: u16, bit: Option<u16>| Some(bits | bit?)).map(Self)
    }
}

impl fmt::Display for CtEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, event) in self.iter().enumerate() {
            write!(f, "{}{event}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The events of expectations: only `new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpectEvents;

impl Value for ExpectEvents {
    const EXPECTED: &'static str = "`new`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        word.eq_ignore_ascii_case("new").then_some(Self)
    }
}

impl fmt::Display for ExpectEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("new")
    }
}

/// Which part of conntrack's table a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CtZone {
    /// That one.
    Id(u16),
    /// The one of its mark.
    Mark,
}

impl Value for CtZone {
    const EXPECTED: &'static str = "a zone up to 65535, or `mark`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        match *word {
            "mark" => Some(Self::Mark),
            _ => number_in(word, 0..=65535).map(|zone| Self::Id(zone as u16)),
        }
    }
}

impl fmt::Display for CtZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(zone) => zone.fmt(f),
            Self::Mark => f.write_str("mark"),
        }
    }
}

extension! {
    /// Says how conntrack treats a packet's connection, before it does.
    Ct, "CT", Only::ANYWHERE.tables(&[TableName::Raw]);
    /// Not at all.
    notrack: bool, "--notrack";
    /// The helper it gets.
    helper: Option<Name<15>>, "--helper";
    /// The policy of timeouts it gets.
    timeout: Option<Name<31>>, "--timeout";
    /// What is reported of it.
    events: Option<CtEvents>, "--ctevents";
    /// What is reported of those it expects.
    expect_events: Option<ExpectEvents>, "--expevents";
    /// Its zone, in the original direction.
    zone_original: Option<CtZone>, "--zone-orig";
    /// Its zone, in the reply direction.
    zone_reply: Option<CtZone>, "--zone-reply";
    /// Its zone, in both directions.
    zone: Option<CtZone>, "--zone";
    => Ct::settle;
}

impl Ct {
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        if self.notrack {
            // The kernel takes nothing else for a packet that is not tracked.
            given.one_of(&[0, 1, 2, 3, 4])?;
        }
        given.one_of(&[5, 7])?;
        given.one_of(&[6, 7]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j CT --notrack",
            "-j CT --helper ftp",
            "-j CT --ctevents new,destroy --expevents new",
            "-j CT --zone 7",
            "-j CT --zone mark",
            "-j CT --zone-orig 1 --zone-reply mark",
            "-j CT",
        ]);
        is_refused(&[
            "-j CT --zone 65536",
            "-j CT --ctevents odd",
            "-j CT --notrack --helper ftp",
            "-j CT --zone 1 --zone-orig 1",
        ]);
    }
}
