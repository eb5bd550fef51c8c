//! A set as text: its flags and size, and the elements that are sent with it.

use std::fmt::{self, Formatter, Result};

use super::{Expr, Program, SetUse};
use crate::ir::{AnySet, Data, DataKind, Element, Key, KeyType, SetSpec, TableName};

/// A set in the format of `nft --debug=netlink`.
#[derive(Clone, Copy, Debug)]
pub struct SetListing<'a> {
    table: &'a TableName,
    set: &'a AnySet,
    anonymous: bool,
}

/// The text of a named set of a table: `name table flags`, and a line of elements if it has some.
///
/// Bytes stand in the order of their meaning, dots between the fields, as libnftnl 1.3.1 writes them. An interval is one
/// element here, first and last value; in a set of plain intervals nft shows two, the second behind the last value.
pub fn set_listing<'a>(table: &'a TableName, set: &'a AnySet) -> SetListing<'a> {
    SetListing { table, set, anonymous: false }
}

/// The text of the sets that belong to a rule.
pub fn anonymous_sets<'a>(
    table: &'a TableName,
    program: &'a Program,
) -> impl Iterator<Item = SetListing<'a>> + use<'a> {
    program.exprs.iter().filter_map(move |expr| match expr {
        Expr::Lookup { set: SetUse::Anonymous(set), .. }
        | Expr::Vmap { set: SetUse::Anonymous(set), .. }
        | Expr::ObjrefMap { set: SetUse::Anonymous(set), .. }
        | Expr::Dynset { set: SetUse::Anonymous(set), .. } => Some(SetListing { table, set, anonymous: true }),
        _ => None,
    })
}

impl fmt::Display for SetListing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let SetSpec { name, size, timeout_ms, .. } = self.set.spec();
        write!(f, "{name} {} {:x}", self.table, self.flags())?;
        let elements = self.set.elements();
        let counted = (self.anonymous && !elements.is_empty()).then(|| elements.len());
        if let Some(size) = size.map(|size| size as usize).or(counted) {
            write!(f, " size {size}")?;
        }
        if let Some(timeout) = timeout_ms {
            write!(f, " timeout {timeout}ms")?;
        }
        f.write_str("\n")?;
        if elements.is_empty() {
            return Ok(());
        }
        writeln!(f, "{name} {} 0", self.table)?;
        elements.iter().try_for_each(|element| self.element(f, element))?;
        f.write_str("\n")
    }
}

impl SetListing<'_> {
    /// `enum nft_set_flags` of linux/netfilter/nf_tables.h.
    fn flags(&self) -> u32 {
        let SetSpec { key, flags, .. } = self.set.spec();
        let (map, object) = match self.set {
            AnySet::Set(_) => (false, false),
            AnySet::Map(_) | AnySet::VerdictMap(_) => (true, false),
            AnySet::ObjectMap(_) => (false, true),
        };
        let bits = [
            self.anonymous,
            self.anonymous && !flags.dynamic || flags.constant,
            flags.interval,
            map,
            flags.timeout,
            flags.dynamic,
            object,
            flags.interval && key.is_concat(),
        ];
        bits.into_iter().enumerate().map(|(bit, set)| u32::from(set) << bit).sum()
    }

    fn element(&self, f: &mut Formatter<'_>, element: &Element) -> Result {
        let key = &self.set.spec().key;
        f.write_str("\telement ")?;
        match element.key.bounds() {
            Some((start, end)) => {
                write_fields(f, key, start)?;
                if matches!(element.key, Key::Range(_)) || self.set.spec().flags.interval && key.is_concat() {
                    f.write_str(" - ")?;
                    write_fields(f, key, end)?;
                }
            }
            None => f.write_str("*")?,
        }
        self.data(f, &element.data)
    }

    fn data(&self, f: &mut Formatter<'_>, data: &Data) -> Result {
        match (data, self.set.data_kind()) {
            (Data::Value(bytes), DataKind::Value { data, interval }) => {
                f.write_str(" : ")?;
                let (start, end) = if interval { bytes.split_at(bytes.len() / 2) } else { (&**bytes, &[][..]) };
                write_fields(f, &data, start)?;
                if interval {
                    f.write_str(" . ")?;
                    write_fields(f, &data, end)?;
                }
                Ok(())
            }
            (Data::Verdict(verdict), _) => match verdict.chain() {
                Some(chain) => {
                    let word = if matches!(verdict, crate::ir::Verdict::Jump(_)) { "jump" } else { "goto" };
                    write!(f, " : {word} -> {chain}")
                }
                None => write!(f, " : {verdict}"),
            },
            (Data::Object(name), _) => write!(f, " : {name}"),
            _ => Ok(()),
        }
    }
}

/// The fields with dots between them, each in words of four bytes.
fn write_fields(f: &mut Formatter<'_>, key: &KeyType, bytes: &[u8]) -> Result {
    let mut lead = "";
    key.split(bytes).try_for_each(|(_, field)| {
        f.write_str(std::mem::replace(&mut lead, " . "))?;
        field.chunks(4).enumerate().try_for_each(|(at, word)| {
            f.write_str(if at == 0 { "" } else { " " })?;
            word.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_as_nft_shows_them() {
        let text = "table ip t {
            set a { type ipv4_addr . inet_service; flags interval; elements = { 1.2.3.4 . 1-3 } }
            map b { type inet_service : verdict; flags timeout; size 9; timeout 1s; elements = { 80 : jump c } }
            map m { type mark : ipv4_addr; elements = { 2 : 1.1.1.1 } }
            chain c { }
        }";
        let parsed = crate::nft::parse("t.nft", text);
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        let shown: String = parsed
            .ruleset
            .tables()
            .flat_map(|table| table.sets.iter().map(|set| set_listing(&table.name, set).to_string()))
            .collect();
        insta::assert_snapshot!(shown.replace('\t', " "), @r"
        a t 84
        a t 0
         element 01020304 . 0001 - 01020304 . 0003
        b t 18 size 9 timeout 1000ms
        b t 0
         element 0050 : jump -> c
        m t 8
        m t 0
         element 00000002 : 01010101
        ");
    }
}
