//! From JSON to the IR.

mod command;
mod element;
mod expression;
mod fields;
mod object;
mod place;
mod statement;

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value as Json, value::RawValue};

use crate::ir::{ChainName, DataKind, Dialect, Family, KeyType, Opaque, Provenance, Ruleset, SetName, TableId};
use crate::text::{ParseError, Span};

/// What was understood of a JSON document, and the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The ruleset that the document makes of an empty one: its objects added, its commands done.
    pub ruleset: Ruleset,
    /// What is wrong, in the order of the document.
    pub errors: Vec<ParseError>,
    /// What is not known: statements, which stand in their rules as [`Opaque`]; objects and fields, which only stand
    /// here. A newer nft may mean something by them, so they are no errors.
    pub kept: Vec<Kept>,
}

/// A piece that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The piece as it came.
    pub piece: Opaque,
    /// Where it stands.
    pub place: ParseError,
}

/// Problems of one object beyond these are counted, not located: each place costs a walk through the object.
const LOCATED: usize = 100;

/// Reads a document of libnftables-json(5): a listing, or commands. `name` is how messages call it.
///
/// Commands are done one after the other; `list` and `reset` leave the ruleset as it is. Rules are found by the handles
/// that the document itself gives them. A statement with a part that is not known, or wrong, is kept as a whole.
pub fn parse(name: &str, text: &str) -> Parsed {
    let mut reader = Reader::new(name, text);
    match items(text) {
        Ok((items, rest)) => {
            rest.into_iter().for_each(|raw| reader.keep_raw(raw));
            items.into_iter().for_each(|raw| reader.item(raw));
        }
        Err(error) => reader.parsed.errors.push(malformed(name, text, &error)),
    }
    reader.parsed
}

/// The objects of a document, and its fields besides.
fn items(text: &str) -> serde_json::Result<(Vec<&RawValue>, Vec<&RawValue>)> {
    if text.trim_start().starts_with('[') {
        return Ok((serde_json::from_str(text)?, Vec::new()));
    }
    let mut fields: IndexMap<String, &RawValue> = serde_json::from_str(text)?;
    let list = fields.shift_remove("nftables").ok_or_else(|| serde::de::Error::missing_field("nftables"))?;
    Ok((serde_json::from_str(list.get())?, fields.into_values().collect()))
}

/// Text that is no JSON, or not of the form that nft has.
fn malformed(name: &str, text: &str, error: &serde_json::Error) -> ParseError {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    if error.line() == 0 {
        return ParseError::whole(name, message).expecting("{ \"nftables\": [ … ] }");
    }
    let line_start: usize = text.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
    let at = line_start + error.column().saturating_sub(1);
    ParseError::at(name, text, at, at + 1, message)
}

/// Why a piece was not understood.
#[derive(Debug)]
enum Trouble<'a> {
    /// It is not known.
    Unknown(&'a Json),
    /// It is known, and this is wrong with it.
    Wrong(&'a Json, String),
}

type Result<'a, T> = std::result::Result<T, Trouble<'a>>;

impl<'a> Trouble<'a> {
    fn wrong(at: &'a Json, message: impl Into<String>) -> Self {
        Self::Wrong(at, message.into())
    }
}

struct Reader<'t> {
    name: &'t str,
    text: &'t str,
    parsed: Parsed,
    /// Handles of the rules of each chain, as the document gave them.
    handles: HashMap<(TableId, ChainName), Vec<Option<u64>>>,
    /// The table whose parts are read.
    table: Option<TableId>,
    /// The object that is read: its text, and where in the document that begins.
    item: &'t str,
    start: usize,
    /// Problems of this object so far.
    problems: usize,
}

impl<'t> Reader<'t> {
    fn new(name: &'t str, text: &'t str) -> Self {
        let handles = HashMap::new();
        Self { name, text, parsed: Parsed::default(), handles, table: None, item: "", start: 0, problems: 0 }
    }

    fn item(&mut self, raw: &'t RawValue) {
        self.item = raw.get();
        // Where the text of an object begins follows from where it lies in memory.
        self.start = (self.item.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.problems = 0;
        match serde_json::from_str::<Json>(self.item) {
            Ok(item) => {
                if let Err(trouble) = self.command(&item) {
                    self.report(&item, trouble);
                }
            }
            Err(error) => {
                let (start, end) = (self.start, self.start + self.item.len());
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                self.parsed.errors.push(ParseError::at(self.name, self.text, start, end, message));
            }
        }
    }

    /// Notes what a part of `item` was not understood for.
    fn report(&mut self, item: &Json, trouble: Trouble<'_>) {
        self.problems += 1;
        match trouble {
            Trouble::Unknown(part) => {
                let place = self.place(item, part, "this is not known");
                self.parsed.kept.push(Kept { piece: opaque(part), place });
            }
            Trouble::Wrong(part, message) => {
                let error = self.place(item, part, message);
                self.parsed.errors.push(error);
            }
        }
    }

    /// The same for every field that nobody asked for.
    fn report_unknown(&mut self, item: &Json, fields: &fields::Fields<'_>) {
        fields.unknown().for_each(|(_, value)| self.report(item, Trouble::Unknown(value)));
    }

    fn place(&self, item: &Json, part: &Json, message: impl Into<String>) -> ParseError {
        let way = if self.problems > LOCATED { None } else { place::way_to(item, part) };
        let range = way.as_deref().map_or(0..self.item.len(), |way| place::locate(self.item, way));
        let mut error = ParseError::at(self.name, self.text, self.start + range.start, self.start + range.end, message);
        if let Some(way) = way.filter(|way| !way.is_empty()) {
            error.message.push_str(&format!(" (at {})", place::pointer(&way)));
        }
        // Documents often are one line.
        error.snippet = error.snippet.filter(|line| line.len() <= 200);
        error
    }

    fn keep_raw(&mut self, raw: &RawValue) {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let place = ParseError::at(self.name, self.text, start, start + raw.get().len(), "this is not known");
        self.parsed.kept.push(Kept { piece: Opaque { dialect: Dialect::Json, text: raw.get().to_owned() }, place });
    }

    /// Where the object that is read stands.
    fn provenance(&self) -> Provenance {
        let span = |start: usize, end: usize| {
            Some(Span { source: 0, start: start.try_into().ok()?, end: end.try_into().ok()? })
        };
        Provenance(span(self.start, self.start + self.item.len()))
    }

    /// The family of the table whose parts are read.
    fn family(&self) -> Family {
        self.table.as_ref().map_or(Family::Ip, |table| table.family)
    }

    /// Types of the keys and data of a set or map of that table.
    fn set_types(&self, name: &SetName) -> Option<(KeyType, DataKind)> {
        let set = self.parsed.ruleset.find(self.table.as_ref()?)?.sets.find(name)?;
        Some((set.spec().key.clone(), set.data_kind()))
    }
}

/// A piece as it came.
fn opaque(piece: &Json) -> Opaque {
    Opaque { dialect: Dialect::Json, text: piece.to_string() }
}
