//! Types that must fit one another, and values that must fit their place.

use super::{Check, Checked, Refusal};
use crate::ir::{
    AnySet, BinaryOp, DataKind, DataType, Expression, Hash, KeyType, LimitUnit, Numgen, RelationalOp, SetUpdate,
    SetUpdateOp, Statement,
};

impl Check<'_> {
    /// Whether the parts of a statement fit one another.
    pub(super) fn fits(&self, statement: &Statement) -> Checked {
        match statement {
            Statement::Match { left, right: Expression::SetRef(name), .. } => self.looked_up(left, name.as_str()),
            Statement::Match { left, op, right } => relation(left, *op, right),
            Statement::Vmap { key, map: Expression::SetRef(name) } => self.looked_up(key, name.as_str()),
            Statement::Mangle { target, value } => mangle(target, value),
            Statement::SetUpdate(update) => self.update(update),
            Statement::Nat(nat) => nat.address.iter().chain(&nat.port).try_for_each(no_set),
            Statement::Queue { queue, .. } => queue.iter().try_for_each(no_set),
            Statement::Limit(limit) if limit.rate == 0 => {
                Refusal::expecting("nothing passes at this rate", "1 or more")
            }
            Statement::Limit(limit) if limit.unit == LimitUnit::Packets && limit.burst == 0 => {
                Refusal::expecting("a limit needs room for a packet", "a burst of 1 or more")
            }
            _ => Ok(()),
        }
    }

    /// Whether an expression is right in itself.
    pub(super) fn expression_fits(&self, expression: &Expression) -> Checked {
        match expression {
            Expression::Map { key, map } => match &**map {
                Expression::SetRef(name) => {
                    self.looked_up(key, name.as_str())?;
                    match self.set(name.as_str()).map(AnySet::data_kind) {
                        Some(DataKind::None) => Refusal::expecting(format!("`{name}` is a set, not a map"), "a map"),
                        Some(DataKind::Verdict) => Refusal::expecting(format!("`{name}` leads to verdicts"), "`vmap`"),
                        _ => Ok(()),
                    }
                }
                _ => Ok(()),
            },
            Expression::Numgen(Numgen { modulus, offset, .. })
            | Expression::Hash(Hash::Jhash { modulus, offset, .. } | Hash::Symhash { modulus, offset })
                if offset.checked_add(modulus - 1).is_none() =>
            {
                Refusal::new("the numbers from this offset do not fit 32 bits")
            }
            _ => Ok(()),
        }
    }

    fn set(&self, name: &str) -> Option<&AnySet> {
        self.site.table?.sets.find(name)
    }

    /// A key that is looked up in a named set must be of the set's type.
    fn looked_up(&self, key: &Expression, name: &str) -> Checked {
        let Some(set) = self.set(name) else { return Ok(()) };
        let parts = match key {
            Expression::Concat(parts) => parts.clone(),
            single => vec![single.clone()],
        };
        let Some(key) = KeyType::of_expressions(parts) else { return Ok(()) };
        let declared = &set.spec().key;
        if fits_together(declared, &key) {
            return Ok(());
        }
        let message = format!("`{name}` holds {}, not {}", words(declared), words(&key));
        Refusal::expecting(message, format!("a {} of {}", set.keyword(), words(&key)))
    }

    fn update(&self, update: &SetUpdate) -> Checked {
        let name = update.set.as_str();
        self.looked_up(&update.key, name)?;
        let Some(set) = self.set(name) else { return Ok(()) };
        let leads = !matches!(set.data_kind(), DataKind::None);
        match (&update.data, leads) {
            (None, true) if update.op != SetUpdateOp::Delete => {
                Refusal::expecting(format!("`{name}` is a map: its elements lead to something"), "`:` and data")
            }
            (Some(_), false) => Refusal::new(format!("`{name}` is a set: its elements lead to nothing")),
            _ if update.timeout_ms.is_some() && !set.spec().flags.timeout && set.spec().timeout_ms.is_none() => {
                Refusal::expecting(
                    format!("elements of `{name}` do not time out"),
                    "`flags timeout` in its declaration",
                )
            }
            _ => Ok(()),
        }
    }
}

fn relation(left: &Expression, op: RelationalOp, right: &Expression) -> Checked {
    shifts(left)?;
    match (left, right) {
        (Expression::Concat(_), Expression::Concat(_)) => {
            Refusal::expecting("several values at once are looked up in a set", "`{ … }` around them")
        }
        (Expression::Binary { .. }, _) if op == RelationalOp::Not => {
            Refusal::expecting("`!` asks for flags that are not masked", "`!=`")
        }
        _ => Ok(()),
    }
}

fn mangle(target: &Expression, value: &Expression) -> Checked {
    no_set(value)?;
    if matches!(value, Expression::Range(..) | Expression::Prefix(..)) {
        return Refusal::expecting("which of these values is not said", "a single value");
    }
    let (Some((wanted, ..)), Some((given, ..))) = (target.typed(), value.typed()) else { return Ok(()) };
    let fixed = |datatype| {
        matches!(
            datatype,
            DataType::Ipv4Addr | DataType::Ipv6Addr | DataType::EtherAddr | DataType::IfName | DataType::String
        )
    };
    let literal = matches!(value, Expression::Value(_));
    if wanted != given && fixed(given) && !literal && wanted != DataType::Integer {
        return Refusal::expecting(format!("this is {given}, where {wanted} belongs"), format!("{wanted}"));
    }
    Ok(())
}

/// Where one value belongs, sets and ranges do not.
fn no_set(value: &Expression) -> Checked {
    match value {
        Expression::Set(_) | Expression::SetRef(_) => {
            Refusal::expecting("which of these values is not said", "a single value, or a map")
        }
        _ => Ok(()),
    }
}

/// What is compared must not be shifted away.
fn shifts(compared: &Expression) -> Checked {
    let Expression::Binary { op, left, right } = compared else { return Ok(()) };
    if let (BinaryOp::Lshift | BinaryOp::Rshift, Some((_, bits, _)), Expression::Value(by)) =
        (op, left.typed(), &**right)
        && let Some(by) = by.to_u128().filter(|by| bits > 0 && *by >= u128::from(bits))
    {
        let message = format!("`{}` by {by} leaves nothing of {bits} bits", op.sign());
        return Refusal::expecting(message, format!("0 to {}", bits - 1));
    }
    shifts(left)
}

fn fits_together(declared: &KeyType, key: &KeyType) -> bool {
    declared.fields.len() == key.fields.len()
        && declared
            .fields
            .iter()
            .zip(&key.fields)
            .all(|(a, b)| a.datatype == b.datatype || !(is_typed(a.datatype) && is_typed(b.datatype)))
}

/// Types that say what their values mean, unlike plain numbers and text.
fn is_typed(datatype: DataType) -> bool {
    !matches!(datatype, DataType::Integer | DataType::String | DataType::Bitmask | DataType::IfName | DataType::IfIndex)
}

fn words(key: &KeyType) -> String {
    key.fields.iter().map(|field| field.datatype.to_string()).collect::<Vec<_>>().join(" . ")
}
