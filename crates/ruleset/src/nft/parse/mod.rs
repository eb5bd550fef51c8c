//! From text to the IR.
//!
//! The text is read in two passes. First everything but rules: tables, chains, sets, objects. Then rules, with the types
//! of all sets at hand: a literal means what the type on its left says. A statement that cannot be understood is
//! reported and left out; reading goes on behind it.

mod command;
mod cursor;
mod declaration;
mod elements;
mod expression;
mod literal;
mod objects;
mod raw;
mod rule;
mod selector;
mod statement;
mod target;
mod typed;

use std::ops::Range;

pub use command::is_likely;

use super::lex::Token;
use super::source::{Loader, NoIncludes, Reader};
use crate::ir::check::{Check, Site};
use crate::ir::{ChainName, Family, Ruleset, TableId};
use crate::text::{ParseError, Sources, Span};

/// What was understood of a text, and what is wrong with the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The ruleset that the text makes of an empty one: all its commands done, what could not be understood left out.
    pub ruleset: Ruleset,
    /// The problems, in the order in which they were found.
    pub errors: Vec<ParseError>,
    /// The texts that were read, also those that were included: where each rule stands is a place in one of them.
    pub sources: Sources,
}

/// Reads a text that includes nothing. `name` is how messages call it.
pub fn parse(name: &str, text: &str) -> Parsed {
    parse_with(name, text, &mut NoIncludes)
}

/// Reads a text and what it includes.
pub fn parse_with(name: &str, text: &str, loader: &mut dyn Loader) -> Parsed {
    parse_all([(name, text)], loader)
}

/// Reads texts, each with its name, as if one included them all one after the other.
pub fn parse_all<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>, loader: &mut dyn Loader) -> Parsed {
    let mut reader = Reader::new(loader);
    for (name, text) in texts {
        reader.read(name, text);
    }
    let (sources, tokens, errors) = reader.finish();
    let problems = errors.len();
    let mut parser = Parser {
        machine: loader,
        sources: &sources,
        tokens: &tokens,
        at: 0,
        end: tokens.len(),
        depth: 0,
        ruleset: Ruleset::new(),
        pending: Vec::new(),
        family: Family::Ip,
        table: None,
        chain: None,
        known: Check::new(Site::of(Family::Ip)),
        errors,
    };
    parser.commands();
    parser.rules();
    let Parser { ruleset, mut errors, .. } = parser;
    errors[problems..].sort_by_key(|error| (error.source_name.clone(), error.line, error.column));
    Parsed { ruleset, errors, sources }
}

/// What is wrong at a place.
#[derive(Debug)]
struct Fail {
    span: Span,
    message: String,
    expected: Option<String>,
}

type Result<T> = std::result::Result<T, Box<Fail>>;

impl Fail {
    fn new<T>(span: Span, message: impl Into<String>) -> Result<T> {
        Err(Box::new(Self { span, message: message.into(), expected: None }))
    }

    fn expected<T>(span: Span, message: impl Into<String>, expected: impl Into<String>) -> Result<T> {
        Err(Box::new(Self { span, message: message.into(), expected: Some(expected.into()) }))
    }
}

/// Where a rule goes.
#[derive(Debug)]
enum Place {
    /// Behind the others.
    Last,
    /// Before the others.
    First,
    /// Before (`true`) or behind the rule of that number, from 0.
    Beside(usize, bool),
}

/// A rule that was seen, but not read yet.
#[derive(Debug)]
struct Pending {
    table: TableId,
    chain: ChainName,
    place: Place,
    tokens: Range<usize>,
}

struct Parser<'a> {
    /// Knows users and groups by name.
    machine: &'a dyn Loader,
    sources: &'a Sources,
    tokens: &'a [Token],
    at: usize,
    /// One past the last token that may be read.
    end: usize,
    /// How many brackets are open, see [`Parser::nested`].
    depth: usize,
    ruleset: Ruleset,
    pending: Vec<Pending>,
    /// The family of the table whose rule is read.
    family: Family,
    /// The table whose rule is read.
    table: Option<TableId>,
    /// The chain whose rule is read; none inside a chain without a name.
    chain: Option<ChainName>,
    /// What the statements of the rule so far say of the packet.
    known: Check<'static>,
    errors: Vec<ParseError>,
}

#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod tests;
