//! A rule while it is translated.

use std::ops::Range;

use super::shared::Shared;
use super::{No, Told};
use crate::iptables::ruleset::TableName;
use crate::ir::{Expression, Family, Header, Statement};

/// A rule while it is translated, and what is known of where it stands.
pub(super) struct Draft<'a> {
    /// `ip` or `ip6`.
    pub(super) family: Family,
    /// The table of iptables.
    pub(super) table: TableName,
    /// The built-in chains from which the rule is reached.
    pub(super) hooks: &'a [&'static str],
    /// The protocol above IP that the packet has, by number.
    pub(super) protocol: Option<u8>,
    /// Whether a match has the name of that protocol: as in nft, the protocol is then asked for as what it is above IP.
    pub(super) named: bool,
    /// What rules of the table have in common.
    pub(super) shared: &'a mut Shared,
    /// What it is so far.
    pub(super) statements: Vec<Statement>,
    /// What becomes of packets that the target does not decide about: a second rule.
    pub(super) otherwise: Option<Statement>,
    /// What a second rule asks in place of some of the statements. No packet fits both.
    pub(super) fork: Option<Fork>,
    /// What must be known about it.
    pub(super) notes: Vec<String>,
}

/// What a second rule asks in place of some statements of the first.
pub(super) struct Fork {
    /// Those of the first.
    pub(super) of: Range<usize>,
    /// Those of the second.
    pub(super) other: Vec<Statement>,
}

impl Draft<'_> {
    /// Adds statements, of which a packet fits the ones or the others.
    pub(super) fn either(&mut self, one: Vec<Statement>, other: Vec<Statement>) -> Told<()> {
        let start = self.statements.len();
        self.statements.extend(one);
        let fork = Fork { of: start..self.statements.len(), other };
        match self.fork.replace(fork) {
            None => Ok(()),
            Some(_) => Err(No::because("nft needs a rule for each of more than two cases")),
        }
    }

    /// Adds a statement.
    pub(super) fn push(&mut self, statement: impl Into<Statement>) {
        self.statements.push(statement.into());
    }

    /// Adds statements.
    pub(super) fn extend(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements);
    }

    /// Adds what must be known.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// Whether it is about IPv6.
    pub(super) fn is_ip6(&self) -> bool {
        self.family == Family::Ip6
    }

    /// The network header of its family.
    pub(super) fn network(&self) -> Header {
        if self.is_ip6() { Header::Ip6 } else { Header::Ip }
    }

    /// The source or destination address.
    pub(super) fn address(&self, source: bool) -> Expression {
        if source { Expression::saddr(self.family) } else { Expression::daddr(self.family) }
    }

    /// The header of its transport protocol, if it has ports.
    pub(super) fn transport(&self) -> Option<Header> {
        Some(match self.protocol? {
            6 => Header::Tcp,
            17 => Header::Udp,
            33 => Header::Dccp,
            132 => Header::Sctp,
            136 => Header::Udplite,
            _ => return None,
        })
    }
}
