//! Differences for people, and their counts.
//!
//! Each line begins with its mark, so that a terminal can colour it: `+` comes, `-` goes, `~` changes, a space tells
//! more. Text is nft's.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::elements::Merge;
use super::inverse::going;
use super::why;
use super::{ChainChange, ChainDiff, ChainHead, Change, Diff, RuleEdit, SetDiff, TableChange, TableDiff};
use crate::expr::Program;
use crate::ir::{AnySet, Chain, ChainName, Element, Family, HasName, Named, Statement, TableFlags};
use crate::lift::lift_program;
use crate::nft::{Detail, on_one_line, print_element, print_rule};

/// How many things come, go and change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// They come.
    pub added: usize,
    /// They go.
    pub removed: usize,
    /// They change, in place or by being made anew.
    pub changed: usize,
}

/// The counts of a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Tables, chains, sets, objects and flowtables. Those that differ only inside are not counted.
    pub declarations: Count,
    /// Rules. Those that are made anew without a change are not counted.
    pub rules: Count,
    /// Elements.
    pub elements: Count,
}

/// A difference as text: [`Diff::render`].
pub struct Rendering<'a> {
    diff: &'a Diff,
    most: usize,
    interface: Option<&'a dyn Fn(u32) -> Option<String>>,
}

impl<'a> Rendering<'a> {
    /// The same with the names of interfaces in place of their indices.
    #[must_use]
    pub fn naming(self, interface: &'a dyn Fn(u32) -> Option<String>) -> Self {
        Self { interface: Some(interface), ..self }
    }
}

impl Diff {
    /// The difference as text, with at most so many elements of each set and rules of each chain; what is left out is
    /// counted. [`Display`] leaves out nothing.
    pub fn render(&self, most: usize) -> Rendering<'_> {
        Rendering { diff: self, most, interface: None }
    }

    /// How many things come, go and change.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for table in &self.tables {
            match table.table {
                TableChange::Added { .. } => summary.declarations.added += 1,
                TableChange::Removed { .. } => summary.declarations.removed += 1,
                TableChange::Flags { .. } => summary.declarations.changed += 1,
                TableChange::Inside => {}
            }
            table.objects.iter().for_each(|change| summary.declarations.count(change));
            table.flowtables.iter().for_each(|change| summary.declarations.count(change));
            table.sets.iter().for_each(|set| summary.count_set(set));
            table.chains.iter().for_each(|chain| summary.count_chain(chain));
        }
        summary
    }
}

impl Count {
    fn count<T>(&mut self, change: &Change<T>) {
        match change {
            Change::Added(_) => self.added += 1,
            Change::Removed(_) => self.removed += 1,
            Change::Changed { .. } => self.changed += 1,
        }
    }

    fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// `3 added, 1 removed`.
impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = [(self.added, "added"), (self.removed, "removed"), (self.changed, "changed")];
        let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

impl Summary {
    fn count_set(&mut self, set: &SetDiff) {
        if let SetDiff::Whole(change) = set {
            self.declarations.count(change);
        }
        for change in element_changes(set) {
            self.elements.count(&change);
        }
    }

    fn count_chain(&mut self, chain: &ChainDiff) {
        match &chain.chain {
            ChainChange::Whole(change) => self.declarations.count(change),
            ChainChange::Policy { .. } => self.declarations.changed += 1,
            ChainChange::Rules => {}
        }
        chain.rules.iter().filter(|edit| !edit.dependent).for_each(|edit| self.rules.count(&edit.rule));
    }
}

/// `rules: 2 added; elements: 3 added, 1 removed`.
impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = [("declarations", self.declarations), ("rules", self.rules), ("elements", self.elements)];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(_, count)| !count.is_zero())
            .map(|(what, count)| format!("{what}: {count}"))
            .collect();
        f.write_str(if parts.is_empty() { "no difference" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

/// What becomes of the elements of a set, by key. Those that are made anew as they are make no change.
fn element_changes(set: &SetDiff) -> impl Iterator<Item = Change<&Element>> {
    let (before, after) = match set {
        SetDiff::Elements { removed, added, .. } => (removed.as_slice(), added.as_slice()),
        SetDiff::Whole(change) => (elements_of(change.before()), elements_of(change.after())),
    };
    Merge { live: before, wanted: after }.filter_map(|pair| match pair {
        (None, Some(element)) => Some(Change::Added(element)),
        (Some(element), None) => Some(Change::Removed(element)),
        (Some(from), Some(to)) => (!from.same(to)).then_some(Change::Changed { from, to }),
        (None, None) => None,
    })
}

fn elements_of(set: Option<&AnySet>) -> &[Element] {
    set.map_or(&[], |set| set.elements().as_slice())
}

impl Display for Diff {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.render(usize::MAX).fmt(f)
    }
}

impl Display for Rendering<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut page = Page { f, most: self.most, interface: self.interface };
        self.diff.tables.iter().try_for_each(|table| page.table(table))
    }
}

/// Where lines go.
struct Page<'a, 'f> {
    f: &'a mut Formatter<'f>,
    most: usize,
    interface: Option<&'a dyn Fn(u32) -> Option<String>>,
}

/// How deep lines are.
const TABLE: usize = 1;
const ITEM: usize = 3;
const PART: usize = 5;

impl Page<'_, '_> {
    fn line(&mut self, mark: char, indent: usize, text: impl Display) -> fmt::Result {
        writeln!(self.f, "{mark}{:indent$}{text}", "")
    }

    fn table(&mut self, diff: &TableDiff) -> fmt::Result {
        let (mark, flags) = match &diff.table {
            TableChange::Added { flags, .. } => ('+', flag_words(*flags)),
            TableChange::Removed { flags, .. } => ('-', flag_words(*flags)),
            TableChange::Flags { from, to } => ('~', format!(": flags {} -> {}", flag_list(*from), flag_list(*to))),
            TableChange::Inside => ('~', String::new()),
        };
        self.line(mark, TABLE, format_args!("table {}{flags}", diff.id))?;
        diff.objects.iter().try_for_each(|change| self.replaced(change))?;
        diff.sets.iter().try_for_each(|set| self.set(set))?;
        diff.flowtables.iter().try_for_each(|change| self.replaced(change))?;
        let sets = sets(diff);
        let interface = self.interface;
        let text = |program: &Program| rule_text(diff.id.family, &sets, program, interface);
        diff.chains.iter().try_for_each(|chain| self.chain(diff, chain, &text))
    }

    /// An object or flowtable, and why it is made anew.
    fn replaced<T: Display>(&mut self, change: &Change<T>) -> fmt::Result {
        self.item(change, on_one_line)?;
        why::replaced(change).map_or(Ok(()), |why| self.line(' ', PART, format_args!("# {why}")))
    }

    /// Something on one line, or on two if it changes.
    fn item<T>(&mut self, change: &Change<T>, text: impl Fn(&T) -> String) -> fmt::Result {
        match change {
            Change::Added(item) => self.line('+', ITEM, text(item)),
            Change::Removed(item) => self.line('-', ITEM, text(item)),
            Change::Changed { from, to } => {
                self.line('-', ITEM, text(from))?;
                self.line('+', ITEM, text(to))
            }
        }
    }

    fn set(&mut self, diff: &SetDiff) -> fmt::Result {
        let mut count = Count::default();
        element_changes(diff).for_each(|change| count.count(&change));
        match diff {
            SetDiff::Whole(change) => {
                self.item(change, |set| on_one_line(&bare(set)))?;
                if let Change::Changed { from, to } = change {
                    self.line(' ', PART, format_args!("# {}", why::set(from, to)))?;
                }
            }
            SetDiff::Elements { set, .. } => {
                self.line('~', ITEM, format_args!("{} {}: {}", set.keyword(), set.name(), of_elements(count)))?;
            }
        }
        let text = |element: &Element| match diff {
            SetDiff::Whole(change) => change.after().or(change.before()).map(|set| print_element(set, element)),
            SetDiff::Elements { set, .. } => Some(print_element(set, element)),
        };
        let mut left_out = Count::default();
        for (at, change) in element_changes(diff).enumerate() {
            if at >= self.most {
                left_out.count(&change);
                continue;
            }
            let [before, after] = [change.before(), change.after()].map(|it| it.and_then(|it| text(it)));
            before.map_or(Ok(()), |text| self.line('-', PART, text))?;
            after.map_or(Ok(()), |text| self.line('+', PART, text))?;
        }
        self.left_out(left_out)
    }

    fn chain(&mut self, table: &TableDiff, diff: &ChainDiff, text: &dyn Fn(&Program) -> String) -> fmt::Result {
        match &diff.chain {
            ChainChange::Whole(change) => {
                self.item(change, |head| on_one_line(&chain(&diff.name, head)))?;
                if let Change::Changed { from, to } = change {
                    self.line(' ', PART, format_args!("# {}", why::chain(from, to)))?;
                }
            }
            ChainChange::Policy { from, to } => {
                self.line('~', ITEM, format_args!("chain {}: policy {from} -> {to}", diff.name))?;
            }
            ChainChange::Rules => self.line('~', ITEM, format_args!("chain {}", diff.name))?,
        }
        let mut left_out = Count::default();
        let edits = diff.rules.iter().filter(|edit| !edit.dependent);
        for (at, edit) in edits.enumerate() {
            if at < self.most { self.rule(edit, text)? } else { left_out.count(&edit.rule) }
        }
        self.left_out(left_out)?;
        match diff.rules.iter().filter(|edit| edit.dependent).count() / 2 {
            0 => Ok(()),
            renewed => self.renewed(renewed, &why::dependents(diff, &going(table))),
        }
    }

    fn renewed(&mut self, count: usize, causes: &str) -> fmt::Result {
        let what = if count == 1 { "rule is made anew as it is" } else { "rules are made anew as they are" };
        let because = if causes.is_empty() { String::new() } else { format!(", because of {causes}") };
        self.line(' ', PART, format_args!("# {count} {what}{because}"))
    }

    fn rule(&mut self, edit: &RuleEdit, text: &dyn Fn(&Program) -> String) -> fmt::Result {
        let handle = edit.handle.map_or_else(String::new, |handle| format!(" # handle {handle}"));
        if let Some(program) = edit.rule.before() {
            self.line('-', PART, format_args!("{}{handle}", text(program)))?;
        }
        edit.rule.after().map_or(Ok(()), |program| self.line('+', PART, text(program)))
    }

    fn left_out(&mut self, count: Count) -> fmt::Result {
        if count.is_zero() { Ok(()) } else { self.line(' ', PART, format_args!("# and more: {count}")) }
    }
}

/// `3 elements added, 1 removed`.
fn of_elements(count: Count) -> String {
    if count.is_zero() {
        return "elements made anew as they are".to_owned();
    }
    let text = count.to_string();
    let (number, rest) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{number} {} {rest}", if number == "1" { "element" } else { "elements" })
}

fn flag_words(flags: TableFlags) -> String {
    if flags == TableFlags::default() { String::new() } else { format!(" {{ flags {} }}", flag_list(flags)) }
}

fn flag_list(flags: TableFlags) -> String {
    let named = [(flags.dormant, "dormant"), (flags.owner, "owner"), (flags.persist, "persist")];
    let words: Vec<_> = named.into_iter().filter_map(|(set, name)| set.then_some(name)).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(",") }
}

/// A set without its elements.
fn bare(set: &AnySet) -> AnySet {
    AnySet::new(set.spec().clone(), set.data_kind())
}

fn chain(name: &ChainName, head: &ChainHead) -> Chain {
    Chain { base: head.base.clone(), comment: head.comment.clone(), ..Chain::new(name.clone()) }
}

/// The sets that rules of the difference look into, without elements.
fn sets(diff: &TableDiff) -> Named<AnySet> {
    let sets = diff.sets.iter().filter_map(|set| match set {
        SetDiff::Whole(change) => change.after().or(change.before()).map(bare),
        SetDiff::Elements { set, .. } => Some(set.clone()),
    });
    sets.chain(diff.context.iter().cloned()).collect()
}

/// A rule as nft writes it; as the kernel's expressions where it cannot be.
fn rule_text(
    family: Family,
    sets: &Named<AnySet>,
    program: &Program,
    interface: Option<&dyn Fn(u32) -> Option<String>>,
) -> String {
    let rule = lift_program(family, sets, program);
    if !rule.statements.iter().any(|statement| matches!(statement, Statement::Opaque(_))) {
        return print_rule(&rule, Detail { interface, ..Detail::default() });
    }
    let exprs: Vec<_> = program.exprs.iter().map(ToString::to_string).collect();
    let comment = program.comment.as_ref().map_or_else(String::new, |comment| format!(" comment \"{comment}\""));
    format!("{}{comment}", exprs.join(" "))
}
