//! Rules.

use std::fmt;

use super::{Out, join, quoted, statement};
use crate::ir::{Dialect, Family, Rule, Statement};

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

/// Whether a part of the rule is in the language of another program. nft could not read it, so the whole rule is a
/// comment: without that part, it would be another rule.
pub(super) fn is_foreign(rule: &Rule) -> bool {
    let foreign = |statement: &Statement| match statement {
        Statement::Opaque(opaque) => opaque.dialect == Dialect::Iptables,
        _ => false,
    };
    rule.statements.iter().any(foreign)
}
