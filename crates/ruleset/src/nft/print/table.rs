//! Tables and chains.

use std::fmt;

use super::{Out, Subject, join, object, quoted, rule, set};
use crate::ir::{BaseChain, Chain, Family, Hook, Priority, Table, TableFlags, TableId};

/// A table with all it holds, in nft's order: objects, sets, flowtables, chains.
pub(super) fn table(out: Out<'_>, table: &Table) -> fmt::Result {
    let id = &table.id();
    write!(out, "table {id} {{")?;
    out.handle(Some(Subject::Table(id)))?;
    out.write_char('\n')?;
    flags(out, table.flags)?;
    if let Some(comment) = &table.comment {
        out.write_str("\tcomment ")?;
        quoted(out, comment.as_str())?;
        out.write_char('\n')?;
    }
    // A comment alone is followed by no empty line.
    let mut gap = if table.flags != TableFlags::default() { "\n" } else { "" };
    let mut next = |out: Out<'_>| out.write_str(std::mem::replace(&mut gap, "\n"));
    for item in &table.objects {
        next(out)?;
        object::object(out, Some(id), item)?;
    }
    for item in &table.sets {
        next(out)?;
        set::set(out, Some(id), item)?;
    }
    for item in &table.flowtables {
        next(out)?;
        object::flowtable(out, Some(id), item)?;
    }
    for item in &table.chains {
        next(out)?;
        chain(out, Some(id), table.family, item)?;
    }
    out.write_str("}\n")
}

fn flags(out: Out<'_>, flags: TableFlags) -> fmt::Result {
    if flags == TableFlags::default() {
        return Ok(());
    }
    let named = [(flags.dormant, "dormant"), (flags.owner, "owner"), (flags.persist, "persist")];
    out.write_str("\tflags ")?;
    join(out, ",", named.iter().filter(|(set, _)| *set), |out, (_, name)| out.write_str(name))?;
    out.write_char('\n')
}

/// A chain of a table of that family.
pub(super) fn chain(out: Out<'_>, table: Option<&TableId>, family: Family, chain: &Chain) -> fmt::Result {
    write!(out, "\tchain {} {{", chain.name)?;
    out.handle(table.map(|table| Subject::Chain(table, &chain.name)))?;
    out.write_char('\n')?;
    if let Some(comment) = &chain.comment {
        out.write_str("\t\tcomment ")?;
        quoted(out, comment.as_str())?;
        out.write_char('\n')?;
    }
    if let Some(base) = &chain.base {
        self::base(out, base)?;
        out.write_str(if chain.offload { " flags offload;\n" } else { "\n" })?;
    }
    for (at, item) in chain.rules.iter().enumerate() {
        let noted = out.notes(table, &chain.name, at)?;
        let foreign = rule::is_foreign(item);
        if foreign && noted {
            continue;
        }
        out.write_str(if foreign { "\t\t# " } else { "\t\t" })?;
        rule::rule(out, Some(family), item, 2)?;
        out.handle(table.map(|table| Subject::Rule(table, &chain.name, at)))?;
        out.write_char('\n')?;
    }
    out.notes(table, &chain.name, chain.rules.len())?;
    out.write_str("\t}\n")
}

fn base(out: Out<'_>, base: &BaseChain) -> fmt::Result {
    write!(out, "\t\ttype {} hook {}", base.chain_type(), base.hook())?;
    match base.devices() {
        [] => {}
        [device] => write!(out, " device \"{device}\"")?,
        devices => {
            out.write_str(" devices = { ")?;
            join(out, ", ", devices, |out, device| write!(out, "{device}"))?;
            out.write_str(" }")?;
        }
    }
    out.write_str(" priority ")?;
    priority(out, base.family(), Some(base.hook()), base.priority())?;
    write!(out, "; policy {};", base.policy())
}

/// How far a priority may be from a named one to be written as that and an offset (`std_prio_lookup`, src/rule.c).
const REACH: i64 = 10;

/// `dstnat`, `filter + 5`, `-170`. Without a hook every name of the family is legal.
pub(super) fn priority(out: Out<'_>, family: Family, hook: Option<Hook>, priority: Priority) -> fmt::Result {
    let named = Priority::names(family)
        .iter()
        .map(|(name, near)| (*name, i64::from(priority.0) - i64::from(near.0)))
        .find(|(name, offset)| {
            offset.abs() <= REACH && hook.is_none_or(|hook| Priority::name_is_legal(family, hook, name))
        });
    match named {
        Some((name, 0)) => out.write_str(name),
        Some((name, offset @ 1..)) => write!(out, "{name} + {offset}"),
        Some((name, offset)) => write!(out, "{name} - {}", -offset),
        None => write!(out, "{}", priority.0),
    }
}
