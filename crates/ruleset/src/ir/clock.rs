//! Times of day and dates, as clocks on the wall show them and as the kernel counts them.
//!
//! People write `meta hour "17:00"` of their own time zone, the kernel counts from midnight in UTC. Texts and what is read
//! from them hold the time on the wall; here it becomes the kernel's, and back. nft does the same when it parses and
//! prints (`hour_type_parse`, `date_type_parse`, src/meta.c): a time of day is shifted by what the zone differs from UTC
//! now, a date by what it differed then.

use super::{DataType, Element, Elements, Expression, Field, Key, KeyType, Ruleset, Statement, Value};

/// By how many seconds a place's clocks are before UTC.
pub struct Zone<'a> {
    /// Now.
    pub now: i32,
    /// At a moment, in seconds since 1970 in UTC.
    pub at: &'a dyn Fn(i64) -> i32,
}

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000_000;

impl Ruleset {
    /// From times on the wall in that zone to those of the kernel.
    pub fn to_utc(&mut self, zone: &Zone<'_>) {
        self.shift(&|datatype, time| match datatype {
            DataType::Hour => (time - i64::from(zone.now)).rem_euclid(DAY),
            // The difference is that of the moment itself, which is not known before it is subtracted.
            _ => time - i64::from((zone.at)((time - i64::from((zone.at)(time / SECOND)) * SECOND) / SECOND)) * SECOND,
        });
    }

    /// From the times of the kernel to those on the wall in that zone.
    pub fn to_local(&mut self, zone: &Zone<'_>) {
        self.shift(&|datatype, time| match datatype {
            DataType::Hour => (time + i64::from(zone.now)).rem_euclid(DAY),
            _ => time + i64::from((zone.at)(time / SECOND)) * SECOND,
        });
    }

    fn shift(&mut self, time: &dyn Fn(DataType, i64) -> i64) {
        let shift = Shift { time };
        for table in self.tables_mut() {
            for set in table.sets.iter_mut() {
                let key = set.spec().key.clone();
                shift.elements(&key, set.elements_mut());
            }
            let rules = table.chains.iter_mut().flat_map(|chain| &mut chain.rules);
            rules.for_each(|rule| rule.statements.iter_mut().for_each(|statement| shift.statement(statement)));
        }
    }
}

struct Shift<'a> {
    time: &'a dyn Fn(DataType, i64) -> i64,
}

impl Shift<'_> {
    fn statement(&self, statement: &mut Statement) {
        match statement {
            Statement::Match { left, right, .. } => [left, right].into_iter().for_each(|side| self.expression(side)),
            Statement::Vmap { key, map } | Statement::ObjectMap { key, map, .. } => {
                [key, map].into_iter().for_each(|side| self.expression(side));
            }
            Statement::Mangle { value, .. } => self.expression(value),
            Statement::Block { rules, .. } => {
                let statements = rules.iter_mut().flat_map(|rule| &mut rule.statements);
                statements.for_each(|statement| self.statement(statement));
            }
            _ => {}
        }
    }

    fn expression(&self, expression: &mut Expression) {
        match expression {
            Expression::Value(value) => self.value(value),
            Expression::Concat(parts) => parts.iter_mut().for_each(|part| self.expression(part)),
            Expression::Range(start, end) => [start, end].into_iter().for_each(|side| self.expression(side)),
            Expression::Map { key, map } => [key, map].into_iter().for_each(|side| self.expression(side)),
            Expression::Set(set) => self.elements(&set.key, &mut set.elements),
            _ => {}
        }
    }

    fn value(&self, value: &mut Value) {
        if let Some(bytes) = self.bytes(value.datatype, &value.bytes) {
            value.bytes = bytes.as_slice().into();
        }
    }

    /// The bytes of the time they stand for elsewhere; `None` if they stand for none.
    fn bytes(&self, datatype: DataType, bytes: &[u8]) -> Option<Vec<u8>> {
        if !is_time(datatype) || bytes.len() > 8 {
            return None;
        }
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let shifted = (self.time)(datatype, i64::try_from(number).ok()?);
        Some(shifted.to_be_bytes()[8 - bytes.len()..].to_vec())
    }

    fn elements(&self, key: &KeyType, elements: &mut Elements) {
        if key.fields.iter().any(|field| is_time(field.datatype)) {
            *elements = elements.iter().flat_map(|element| self.element(key, element)).collect();
        }
    }

    /// The element at its time elsewhere: two where that goes over midnight.
    fn element(&self, key: &KeyType, element: &Element) -> Vec<Element> {
        let Some((start, end)) = element.key.bounds() else { return vec![element.clone()] };
        let (start, end) = (self.key(key, start), self.key(key, end));
        let with = |key| Element { key, ..element.clone() };
        let [Field { datatype: DataType::Hour, .. }] = key.fields.as_slice() else {
            return vec![with(Key::range(&start, &end))];
        };
        if start <= end {
            return vec![with(Key::range(&start, &end))];
        }
        let last = (DAY as u32 - 1).to_be_bytes();
        vec![with(Key::range(&[0; 4], &end)), with(Key::range(&start, &last))]
    }

    fn key(&self, key: &KeyType, bytes: &[u8]) -> Vec<u8> {
        let mut shifted = Vec::with_capacity(bytes.len());
        for (field, bytes) in key.split(bytes) {
            shifted.extend(self.bytes(field.datatype, bytes).unwrap_or_else(|| bytes.to_vec()));
            if key.is_concat() {
                shifted.resize(shifted.len().next_multiple_of(4), 0);
            }
        }
        shifted
    }
}

const fn is_time(datatype: DataType) -> bool {
    matches!(datatype, DataType::Hour | DataType::Date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft;

    const TEXT: &str = "table ip t {
\tchain c {
\t\tmeta hour \"00:00\"-\"02:02\" drop
\t\tmeta hour { \"01:00\", \"17:00\"-\"18:00\" } accept
\t\tmeta time \"2019-06-21 16:00:00\" drop
\t\tmeta day . meta hour { \"Monday\" . \"17:00\" } accept
\t}
}
";

    #[test]
    fn times_go_to_utc_and_come_back() {
        let zone = Zone { now: 7200, at: &|_| 7200 };
        let mut ruleset = nft::parse("t", TEXT).ruleset;
        ruleset.to_utc(&zone);
        let utc = nft::print(&ruleset);
        for part in [
            "\"22:00\"-\"00:02\"",
            "{ \"15:00\"-\"16:00\", \"23:00\" }",
            "2019-06-21 14:00:00",
            "{ \"Monday\" . \"15:00\" }",
        ] {
            assert!(utc.contains(part), "{part} in {utc}");
        }
        ruleset.to_local(&zone);
        assert_eq!(nft::print(&ruleset), nft::print(&nft::parse("t", TEXT).ruleset));
    }
}
