//! Named sets and maps.

use std::fmt;

use super::detail::Detailed;
use super::{Detail, Out, State, Subject, element, expression, join, quoted, statement};
use crate::ir::symbol;
use crate::ir::{AnySet, DataKind, KeyType, SetFlags, SetPolicy, SetSpec, Statement, TableId};

/// A set or map of a table.
pub(super) fn set(out: Out<'_>, table: Option<&TableId>, set: &AnySet) -> fmt::Result {
    let spec = set.spec();
    let kind = set.data_kind();
    write!(out, "\t{} {} {{", if kind == DataKind::None { "set" } else { "map" }, spec.name)?;
    out.handle(table.map(|table| Subject::Set(table, &spec.name)))?;
    out.write_char('\n')?;
    declaration(out, spec, &kind)?;
    if !set.elements().is_empty() {
        out.write_str("\t\telements = ")?;
        element::elements(out, &spec.key, &kind, spec.flags.interval, set.elements())?;
        out.write_char('\n')?;
    }
    out.write_str("\t}\n")
}

fn declaration(out: Out<'_>, spec: &SetSpec, kind: &DataKind) -> fmt::Result {
    types(out, &spec.key, kind)?;
    if spec.policy == SetPolicy::Memory {
        out.write_str("\t\tpolicy memory\n")?;
    }
    if let Some(size) = spec.size {
        writeln!(out, "\t\tsize {size}")?;
    }
    flags(out, spec)?;
    if spec.auto_merge {
        out.write_str("\t\tauto-merge\n")?;
    }
    if !spec.statements.is_empty() {
        writeln!(out, "\t\t{}", statements(out.detail().state, &spec.statements)?)?;
    }
    if let Some(timeout) = spec.timeout_ms {
        writeln!(out, "\t\ttimeout {}", symbol::duration(timeout))?;
    }
    if let Some(interval) = spec.gc_interval_ms {
        writeln!(out, "\t\tgc-interval {}", symbol::duration(u64::from(interval)))?;
    }
    match &spec.comment {
        Some(comment) => {
            out.write_str("\t\tcomment ")?;
            quoted(out, comment.as_str())?;
            out.write_char('\n')
        }
        None => Ok(()),
    }
}

/// What elements carry from the start. nft lists no state here.
fn statements(state: State, statements: &[Statement]) -> Result<String, fmt::Error> {
    let state = if state == State::All { State::Omitted } else { state };
    let mut text = Detailed::new(Detail { state, ..Detail::default() });
    join(&mut text, " ", statements, |out, stateful| statement::statement(out, None, stateful, 0))?;
    Ok(text.into_text())
}

/// `type ipv4_addr : verdict`, or `typeof ip saddr : verdict` where every field was declared by an expression.
fn types(out: Out<'_>, key: &KeyType, kind: &DataKind) -> fmt::Result {
    let by_expression = |key: &KeyType| key.fields.iter().all(|field| field.declared_as.is_some());
    let data = match kind {
        DataKind::Value { data, .. } => Some(data),
        _ => None,
    };
    let typeof_ = by_expression(key) && data.is_none_or(by_expression);
    out.write_str(if typeof_ { "\t\ttypeof " } else { "\t\ttype " })?;
    fields(out, key, typeof_)?;
    match kind {
        DataKind::None => {}
        DataKind::Verdict => out.write_str(" : verdict")?,
        DataKind::Object(object) => write!(out, " : {object}")?,
        DataKind::Value { data, interval } => {
            out.write_str(if *interval { " : interval " } else { " : " })?;
            fields(out, data, typeof_)?;
        }
    }
    out.write_char('\n')
}

fn fields(out: Out<'_>, key: &KeyType, typeof_: bool) -> fmt::Result {
    join(out, " . ", &key.fields, |out, field| match &field.declared_as {
        Some(declared_as) if typeof_ => expression::expression(out, declared_as),
        _ => write!(out, "{}", field.datatype),
    })
}

/// A time for all elements says already that they have one; nft leaves that flag out, if it is the only one.
fn flags(out: Out<'_>, spec: &SetSpec) -> fmt::Result {
    let flags = spec.flags;
    let named = [
        (flags.constant, "constant"),
        (flags.dynamic, "dynamic"),
        (flags.interval, "interval"),
        (flags.timeout, "timeout"),
    ];
    let said = SetFlags { timeout: flags.timeout && spec.timeout_ms.is_some(), ..SetFlags::default() };
    if flags == SetFlags::default() || flags == said {
        return Ok(());
    }
    out.write_str("\t\tflags ")?;
    join(out, ",", named.iter().filter(|(set, _)| *set), |out, (_, name)| out.write_str(name))?;
    out.write_char('\n')
}
