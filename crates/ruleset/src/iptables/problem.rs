//! What is wrong in a line.

use super::word::{OpenQuote, Word};

/// What is wrong in a line, and where, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) message: String,
    /// What would have been right there, if it can be said.
    pub(super) expected: Option<String>,
}

impl Problem {
    pub(super) fn at(word: &Word<'_>, message: impl Into<String>) -> Self {
        Self { start: word.start, end: word.end, message: message.into(), expected: None }
    }

    pub(super) fn after(line: &str, message: impl Into<String>) -> Self {
        Self { start: line.len(), end: line.len(), message: message.into(), expected: None }
    }

    pub(super) fn expecting(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }
}

impl From<OpenQuote> for Problem {
    fn from(OpenQuote(at): OpenQuote) -> Self {
        Self { start: at, end: at + 1, message: "a quote is opened and not closed".to_owned(), expected: None }
    }
}
