//! Rules.

use std::fmt;

use super::{Out, join, quoted, statement};
use crate::ir::{Family, Rule};

/// A rule. `depth` is how far blocks inside it are indented.
pub(super) fn rule(out: Out<'_>, family: Option<Family>, rule: &Rule, depth: usize) -> fmt::Result {
    join(out, " ", &rule.statements, |out, statement| statement::statement(out, family, statement, depth))?;
    match &rule.comment {
        Some(comment) => {
            out.write_str(" comment ")?;
            quoted(out, comment.as_str())
        }
        None => Ok(()),
    }
}
