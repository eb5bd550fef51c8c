//! Comparing without state: counters, used quota and times of last use are not what a rule says.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use super::{CmpOp, Expr, Program, SetUse};
use crate::ir::{AnySet, DataKind, Element, Elements, Field, KeyType, Quota, Statement};

impl Program {
    /// Whether both do the same: equal but for what packets have left in them, and for how a range is tested.
    pub fn same(&self, other: &Self) -> bool {
        self.comment == other.comment
            && if self.exprs.len() == other.exprs.len() {
                all_same(&self.exprs, &other.exprs, Expr::same)
            } else {
                let (mut ours, mut theirs) = (in_whole_ranges(&self.exprs), in_whole_ranges(&other.exprs));
                ours.by_ref().all(|ours| theirs.next().is_some_and(|theirs| ours.same(&theirs)))
                    && theirs.next().is_none()
            }
    }

    /// Hashes so that programs that are [`Self::same`] hash alike.
    pub fn hash_behaviour<H: Hasher>(&self, state: &mut H) {
        self.comment.hash(state);
        in_whole_ranges(&self.exprs).for_each(|expr| expr.hash_behaviour(state));
    }
}

/// The expressions, where two comparisons that are one range are that: nft before 1.0.7 writes them so.
fn in_whole_ranges(exprs: &[Expr]) -> impl Iterator<Item = Cow<'_, Expr>> {
    let mut rest = exprs;
    std::iter::from_fn(move || {
        if let [
            Expr::Cmp { sreg, op: CmpOp::Gte, data: from },
            Expr::Cmp { sreg: other, op: CmpOp::Lte, data: to },
            behind @ ..,
        ] = rest
            && sreg == other
        {
            rest = behind;
            return Some(Cow::Owned(Expr::Range { sreg: *sreg, inverted: false, from: from.clone(), to: to.clone() }));
        }
        let (first, behind) = rest.split_first()?;
        rest = behind;
        Some(Cow::Borrowed(first))
    })
}

impl Expr {
    /// Whether both do the same: equal but for what packets have left in them.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counter { .. }, Self::Counter { .. }) | (Self::Last { .. }, Self::Last { .. }) => true,
            (
                Self::Quota { bytes, inverted, consumed: _ },
                Self::Quota { bytes: other_bytes, inverted: other_inverted, consumed: _ },
            ) => bytes == other_bytes && inverted == other_inverted,
            (
                Self::Lookup { sreg, set, dreg, inverted },
                Self::Lookup { sreg: other_sreg, set: other_set, dreg: other_dreg, inverted: other_inverted },
            ) => (sreg, dreg, inverted) == (other_sreg, other_dreg, other_inverted) && set.same(other_set),
            (
                Self::Dynset { op, set, key, data, timeout_ms, exprs, inverted },
                Self::Dynset {
                    op: other_op,
                    set: other_set,
                    key: other_key,
                    data: other_data,
                    timeout_ms: other_timeout,
                    exprs: other_exprs,
                    inverted: other_inverted,
                },
            ) => {
                (op, key, data, timeout_ms, inverted)
                    == (other_op, other_key, other_data, other_timeout, other_inverted)
                    && set.same(other_set)
                    && all_same(exprs, other_exprs, Self::same)
            }
            _ => self == other,
        }
    }

    fn hash_behaviour<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Counter { .. } | Self::Last { .. } => discriminant(self).hash(state),
            Self::Quota { bytes, .. } => (discriminant(self), bytes).hash(state),
            Self::Lookup { sreg, set, .. } => {
                (discriminant(self), sreg).hash(state);
                set.hash_behaviour(state);
            }
            Self::Dynset { op, set, key, .. } => {
                (discriminant(self), op, key).hash(state);
                set.hash_behaviour(state);
            }
            _ => self.hash(state),
        }
    }
}

impl SetUse {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anonymous(set), Self::Anonymous(other)) => {
                same_keys(&set.spec().key, &other.spec().key)
                    && set.spec().flags.interval == other.spec().flags.interval
                    && same_data(&set.data_kind(), &other.data_kind())
                    && set.elements().same(other.elements())
            }
            _ => self == other,
        }
    }

    fn hash_behaviour<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Named(name) => name.hash(state),
            Self::Anonymous(set) => hash_elements(set, state),
        }
    }
}

/// Whether both hold keys of the same types and lengths. How a set was declared, and in which order a single byte is
/// said to be kept, is told differently by different writers and makes no difference to a look-up.
fn same_keys(key: &KeyType, other: &KeyType) -> bool {
    let shape = |field: &Field| (field.datatype, field.bits);
    key.fields.iter().map(shape).eq(other.fields.iter().map(shape))
}

fn same_data(data: &DataKind, other: &DataKind) -> bool {
    match (data, other) {
        (DataKind::Value { data, interval }, DataKind::Value { data: other_data, interval: other_interval }) => {
            interval == other_interval && same_keys(data, other_data)
        }
        _ => data == other,
    }
}

fn hash_elements<H: Hasher>(set: &AnySet, state: &mut H) {
    for element in set.elements() {
        (&element.key, &element.data).hash(state);
    }
}

impl Elements {
    /// Whether both hold the same elements, whatever packets and time have left in them.
    pub fn same(&self, other: &Self) -> bool {
        self.shares_with(other) || all_same(self.as_slice(), other.as_slice(), Element::same)
    }
}

impl Element {
    /// Whether both say the same: equal but for counters and the time that is left.
    pub fn same(&self, other: &Self) -> bool {
        if self.key != other.key || self.data != other.data {
            return false;
        }
        let (Some(ours), Some(theirs)) = (&self.extra, &other.extra) else {
            return self.extra.is_none() == other.extra.is_none() || says_nothing(self) && says_nothing(other);
        };
        ours.timeout_ms == theirs.timeout_ms
            && ours.comment == theirs.comment
            && all_same(&ours.statements, &theirs.statements, same_statement)
    }
}

/// Whether what it has extra is only state.
fn says_nothing(element: &Element) -> bool {
    element
        .extra
        .as_ref()
        .is_none_or(|extra| extra.timeout_ms.is_none() && extra.comment.is_none() && extra.statements.is_empty())
}

/// Whether two statements say the same, whatever packets have left in them.
pub(crate) fn same_statement(one: &Statement, other: &Statement) -> bool {
    match (one, other) {
        (Statement::Counter(_), Statement::Counter(_)) => true,
        (Statement::Quota(one), Statement::Quota(other)) => same_quota(one, other),
        _ => one == other,
    }
}

/// Whether two quotas are the same, however much of them is used.
pub(crate) fn same_quota(one: &Quota, other: &Quota) -> bool {
    (one.over, one.bytes) == (other.over, other.bytes)
}

/// Whether two lists are as long and `same` place by place.
pub(crate) fn all_same<T>(ones: &[T], others: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| same(one, other))
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;
    use crate::expr::Reg;

    #[test]
    fn a_range_is_one_however_it_is_tested() {
        let cmp = |op, byte: u8| Expr::Cmp { sreg: Reg::R1, op, data: [byte].into() };
        let program = |exprs| Program { exprs, comment: None };
        let split = program(vec![cmp(CmpOp::Gte, 1), cmp(CmpOp::Lte, 5)]);
        let range =
            |to: u8| program(vec![Expr::Range { sreg: Reg::R1, inverted: false, from: [1].into(), to: [to].into() }]);
        let hash = |program: &Program| {
            let mut hasher = DefaultHasher::new();
            program.hash_behaviour(&mut hasher);
            hasher.finish()
        };
        assert!(split.same(&range(5)) && range(5).same(&split) && hash(&split) == hash(&range(5)));
        assert!(!split.same(&range(6)) && !split.same(&program(vec![])) && !program(vec![]).same(&split));
    }
}
