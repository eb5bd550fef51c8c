//! Rules.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::{Comment, Statement};
use crate::text::Span;

/// Where a thing was read. Not part of its value: any two are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance(pub Option<Span>);

impl PartialEq for Provenance {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Provenance {}

impl PartialOrd for Provenance {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Provenance {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Provenance {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A rule: statements, run from the first to the last until one does not match or decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// What it does, first to last.
    pub statements: Vec<Statement>,
    /// What people wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Where it was read.
    #[serde(skip)]
    pub provenance: Provenance,
}

impl Rule {
    /// A rule of those statements.
    pub fn new(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self { statements: statements.into_iter().collect(), ..Self::default() }
    }

    /// The same with one more statement at the end.
    #[must_use]
    pub fn with(mut self, statement: impl Into<Statement>) -> Self {
        self.statements.push(statement.into());
        self
    }

    /// The same with a comment.
    #[must_use]
    pub fn commented(self, comment: Comment) -> Self {
        Self { comment: Some(comment), ..self }
    }
}

impl<S: Into<Statement>> From<S> for Rule {
    fn from(statement: S) -> Self {
        Self::new([statement.into()])
    }
}
