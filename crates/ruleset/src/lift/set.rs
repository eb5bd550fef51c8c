//! Sets in programs: keys in registers, and sets without a name.

use super::Lifting;
use super::held::{Held, unshifted};
use crate::expr::{Reg, SetUse};
use crate::ir::{AnonymousSet, AnySet, DataType, Element, Expression, Field, Key, KeyType, Packed};
use crate::lower::ByteLayout;
use crate::lower::literal::Loaded;

impl Lifting<'_> {
    /// The key that a set looks up.
    pub(super) fn key(&self, reg: Reg, set: &SetUse) -> Option<Expression> {
        let set = match set {
            SetUse::Named(name) => self.sets.find(name)?,
            SetUse::Anonymous(set) => set,
        };
        let key = &set.spec().key;
        if key.is_concat() { self.concat(reg, key.len()) } else { Some(self.named(self.at(reg)?)?.0) }
    }

    /// `len` bytes of registers from there on: one value, or several.
    pub(super) fn concat(&self, reg: Reg, len: usize) -> Option<Expression> {
        let mut parts: Vec<Expression> = self.parts(reg, len)?.into_iter().map(|(part, _)| part).collect();
        if parts.len() == 1 { parts.pop() } else { Some(Expression::Concat(parts)) }
    }

    fn parts(&self, reg: Reg, len: usize) -> Option<Vec<(Expression, Loaded)>> {
        let mut slot = reg.slot();
        let end = slot + len.div_ceil(4);
        let mut parts = Vec::new();
        while slot < end {
            let held = self.held.get(slot)?.as_ref()?;
            let (expression, loaded) = self.named(held)?;
            slot += match held {
                Held::Literal(bytes) => bytes.len().div_ceil(4),
                _ => loaded.len.div_ceil(4) as usize,
            };
            parts.push((expression, loaded));
        }
        (slot == end).then_some(parts)
    }

    /// The set, with the types of the key that looks it up.
    pub(super) fn lift_set(&self, key: &Expression, set: &SetUse) -> Option<Expression> {
        match set {
            SetUse::Named(name) => Some(Expression::SetRef(name.clone())),
            SetUse::Anonymous(set) => anonymous(key, set).map(|set| Expression::Set(Box::new(set))),
        }
    }
}

/// A set of a rule, its keys typed by the expression that is looked up: the kernel keeps less than that.
fn anonymous(key: &Expression, set: &AnySet) -> Option<AnonymousSet> {
    let spec = set.spec();
    let typed = match key {
        Expression::Concat(parts) => parts.iter().map(field).collect::<Option<Vec<_>>>()?,
        one => vec![field(one)?],
    };
    let mut typed = KeyType { fields: typed };
    let shift = place_shift(key);
    if typed.len() != spec.key.len() && shift == 0 || typed.fields.len() != spec.key.fields.len() {
        typed = spec.key.clone();
    }
    for (field, plain) in typed.fields.iter_mut().zip(&spec.key.fields) {
        // The set's own type is the more exact one, where it is not just a number.
        if field.datatype == DataType::Integer || plain.datatype != DataType::Integer {
            field.datatype = plain.datatype;
        }
    }
    let plain = ByteLayout::of_key(spec);
    let layout = ByteLayout::of_typed_key(&typed, spec.flags.interval);
    let len = typed.len();
    let turn = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if shift > 0 {
            bytes = unshifted(&bytes, shift, len);
        } else {
            plain.turn(&mut bytes);
            layout.turn(&mut bytes);
        }
        Packed::new(&bytes)
    };
    let elements = set
        .elements()
        .iter()
        .map(|element| {
            let key = match &element.key {
                Key::Value(bytes) => Key::Value(turn(bytes)),
                Key::Range(_) => {
                    let (start, end) = element.key.bounds()?;
                    Key::range(&turn(start), &turn(end))
                }
                Key::CatchAll => Key::CatchAll,
            };
            Some(Element { key, ..element.clone() })
        })
        .collect::<Option<_>>()?;
    Some(AnonymousSet { key: typed, data: set.data_kind(), interval: spec.flags.interval, elements })
}

fn field(expression: &Expression) -> Option<Field> {
    let (datatype, bits, byte_order) = expression.typed()?;
    // A single byte has no order, whatever the expression says.
    let byte_order = if bits <= 8 { datatype.byte_order() } else { byte_order };
    Some(Field { datatype, bits, byte_order, declared_as: None })
}

/// How far left a part of a byte stands when it is looked up alone.
fn place_shift(key: &Expression) -> u32 {
    let Expression::Payload(payload) = key else { return 0 };
    let (offset_bits, bits) = match payload {
        crate::ir::Payload::Field(field) => (field.spec().offset_bits, field.spec().bits),
        crate::ir::Payload::Raw { offset_bits, bits, .. } => (*offset_bits, *bits),
        crate::ir::Payload::Inside { .. } => return 0,
    };
    crate::lower::load::Place::of(offset_bits, bits).shift
}
