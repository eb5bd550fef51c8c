//! Places in a text and what is wrong there: shared by all front ends.

mod nearest;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use nearest::nearest;

/// A range of bytes of one input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Which input, by the order in which inputs were given or included.
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The texts that were read, by the number in [`Span::source`]: to show places in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<(String, Arc<str>)>);

impl Sources {
    /// Adds a text; `name` is how messages call it. Gives its number.
    pub fn add(&mut self, name: &str, text: &str) -> u32 {
        self.0.push((name.to_owned(), text.into()));
        self.0.len() as u32 - 1
    }

    /// Adds the texts of others behind these; gives what must be added to their numbers.
    pub fn append(&mut self, others: Self) -> u32 {
        let offset = self.0.len() as u32;
        self.0.extend(others.0);
        offset
    }

    /// The texts with their numbers.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).zip(self.0.iter().map(|(_, text)| &**text))
    }

    /// The name of the text a span is in.
    pub fn name(&self, span: Span) -> &str {
        self.0.get(span.source as usize).map_or("", |(name, _)| name)
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        self.0
            .get(span.source as usize)
            .and_then(|(_, text)| text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }

    /// A problem at a span.
    pub fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        match self.0.get(span.source as usize) {
            Some((name, text)) => ParseError::at(name, text, span.start as usize, span.end as usize, message),
            None => ParseError::whole("", message),
        }
    }
}

/// A problem at a place in a text: where, what, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// The name of the input, as the user knows it: a path, or `-`.
    pub source_name: String,
    /// Line, from 1. 0 where the whole input is meant.
    pub line: usize,
    /// Column in characters, from 1. 0 where the whole line is meant.
    pub column: usize,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What would have been right there, if it can be said.
    pub expected: Option<String>,
    /// The line itself, for people. None if it is too long for them, as a file on one line is.
    pub snippet: Option<String>,
    /// How many characters the problem is long, at least 1.
    pub width: usize,
}

/// How many bytes a line may have that is shown.
const LONGEST_SNIPPET: usize = 1000;

impl ParseError {
    /// A problem at a byte range of `text`.
    pub fn at(source_name: &str, text: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let start = floor_char_boundary(text, start);
        let end = floor_char_boundary(text, end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Self {
            source_name: source_name.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message: message.into(),
            expected: None,
            snippet: (line_end - line_start <= LONGEST_SNIPPET).then(|| text[line_start..line_end].to_owned()),
            width: text[start..end.min(line_end).max(start)].chars().count().max(1),
        }
    }

    /// A problem of a whole input.
    pub fn whole(source_name: &str, message: impl Into<String>) -> Self {
        Self {
            source_name: source_name.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            expected: None,
            snippet: None,
            width: 1,
        }
    }

    /// The same with what would have been right.
    #[must_use]
    pub fn expecting(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }
}

/// The largest character boundary of `text` that is not above `at`.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `file:line:column: error: message, expected x`, and below it the line with a caret.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source_name)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": error: {}", self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, ", expected {expected}")?;
        }
        if let (Some(snippet), 1..) = (&self.snippet, self.column) {
            let indent: String =
                snippet.chars().take(self.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            write!(f, "\n{snippet}\n{indent}{}", "^".repeat(self.width))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_problem() {
        let error = ParseError::at("f.nft", "table ip t {\n\tchian c\n}\n", 14, 19, "unknown word `chian`")
            .expecting("`chain`");
        assert_eq!(error.to_string(), "f.nft:2:2: error: unknown word `chian`, expected `chain`\n\tchian c\n\t^^^^^");
    }

    #[test]
    fn a_line_too_long_for_people_is_not_shown() {
        let text = "x".repeat(100_000);
        assert_eq!(ParseError::at("f", &text, 99_999, 100_000, "bad").to_string(), "f:1:100000: error: bad");
    }

    #[test]
    fn places_outside_the_text_or_inside_a_character_do_not_panic() {
        for at in 0..8 {
            let _ = ParseError::at("f", "é\né", at, at + 9, "m").to_string();
        }
    }
}
