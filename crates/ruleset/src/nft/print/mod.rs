//! From the IR to text.

mod detail;
mod element;
mod expression;
mod object;
mod rule;
mod set;
mod statement;
mod table;
mod value;

use std::fmt;

use crate::ir::{
    AnySet, Chain, Element, Expression, Family, Flowtable, Object, Rule, Ruleset, Statement, Table, Value,
};

pub use detail::{Detail, State, Subject};

use detail::{Detailed, Text};

/// Where text goes.
type Out<'a> = &'a mut dyn Text;

/// A whole ruleset, as `nft list ruleset` shows it.
pub fn print(ruleset: &Ruleset) -> String {
    let mut text = String::new();
    ruleset.tables().try_for_each(|table| table::table(&mut text, table)).expect("a string takes all text");
    text
}

/// The same with more or less detail.
pub fn print_with(ruleset: &Ruleset, detail: Detail<'_>) -> String {
    let mut text = Detailed::new(detail);
    ruleset.tables().try_for_each(|table| table::table(&mut text, table)).expect("a string takes all text");
    text.into_text()
}

/// A declaration on one line: `map m { type ipv4_addr : verdict; size 64 }`.
pub fn on_one_line(declaration: &impl fmt::Display) -> String {
    let text = declaration.to_string();
    let mut lines = text.lines().map(str::trim);
    let head = lines.next().unwrap_or_default().trim_end_matches('{').trim_end();
    let body: Vec<_> = lines.filter(|line| *line != "}").map(|line| line.trim_end_matches(';')).collect();
    if body.is_empty() { head.to_owned() } else { format!("{head} {{ {} }}", body.join("; ")) }
}

/// A rule on one line, as in any family, with more or less detail.
pub fn print_rule(rule: &Rule, detail: Detail<'_>) -> String {
    let mut text = Detailed::new(detail);
    rule::rule(&mut text, None, rule, 0).expect("a string takes all text");
    text.into_text()
}

/// An element of a set or map, as it stands between the braces.
pub fn print_element(set: &AnySet, element: &Element) -> String {
    let mut text = String::new();
    element::element(&mut text, &set.spec().key, &set.data_kind(), element).expect("a string takes all text");
    text
}

/// Writes items with `separator` between them.
fn join<T>(
    out: Out<'_>,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(Out<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (at, value) in items.into_iter().enumerate() {
        if at > 0 {
            out.write_str(separator)?;
        }
        item(out, value)?;
    }
    Ok(())
}

/// Text in quotes. nft knows no escapes: a quote inside cannot be written and becomes an apostrophe.
fn quoted(out: Out<'_>, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for piece in text.split('"').enumerate() {
        if piece.0 > 0 {
            out.write_char('\'')?;
        }
        out.write_str(piece.1)?;
    }
    out.write_char('"')
}

/// All tables, as [`print()`].
impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables().try_for_each(|table| table::table(f, table))
    }
}

/// `table inet t { … }`.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table::table(f, self)
    }
}

/// `chain c { … }`.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table::chain(f, None, Family::Inet, self)
    }
}

/// `set s { … }` or `map m { … }`.
impl fmt::Display for AnySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        set::set(f, None, self)
    }
}

/// `counter c { … }`.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        object::object(f, None, self)
    }
}

/// `flowtable f { … }`.
impl fmt::Display for Flowtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        object::flowtable(f, None, self)
    }
}

/// The rule on one line, as in any family: what a family implies is written out.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rule::rule(f, None, self, 0)
    }
}

/// The statement as in any family.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        statement::statement(f, None, self, 0)
    }
}

/// The expression as it stands alone.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expression::expression(f, self)
    }
}

/// The value as it stands alone: flags with commas between them.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        value::value(f, self, value::Style::default())
    }
}

#[cfg(test)]
mod tests;
