//! Sets in rules: keys in registers, and sets without a name.

use std::sync::Arc;

use super::layout::ByteLayout;
use super::literal::{Loaded, shifted};
use super::load::{KeyUse, reg, to_low_bits, to_network};
use super::{LowerErrorKind, Lowering};
use crate::expr::{Expr, SetUse};
use crate::ir::{
    AnonymousSet, AnySet, ByteOrder, Data, DataKind, Element, Elements, Expression, Key, KeyType, Packed, SetFlags,
    SetName, SetSpec,
};
use crate::userdata::plain_key_type;

impl Lowering<'_> {
    /// Loads a key as the set wants it, and gives the set and, for a map, what it leads to.
    pub(super) fn load_key(
        &mut self,
        key: &Expression,
        set: &Expression,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<KeyUse, LowerErrorKind> {
        match set {
            Expression::SetRef(name) => self.load_named_key(key, name, slot, out),
            Expression::Set(set) => self.load_anonymous_key(key, set, slot, out),
            other => Err(LowerErrorKind::Type(format!("{other:?} is no set"))),
        }
    }

    fn load_named_key(
        &mut self,
        key: &Expression,
        name: &SetName,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<KeyUse, LowerErrorKind> {
        let set = self.sets.find(name).ok_or_else(|| LowerErrorKind::UnknownSet(name.to_string()))?;
        let interval = set.spec().flags.interval;
        let data = match set {
            AnySet::Map(map) => data_loaded(&map.data),
            _ => None,
        };
        if let Expression::Concat(parts) = key {
            self.load_concat(parts, slot, interval, out)?;
        } else {
            let loaded = self.load(key, slot, out)?;
            let loaded = to_low_bits(loaded, slot, out)?;
            if interval {
                to_network(&loaded, slot, out)?;
            }
        }
        Ok((SetUse::Named(name.clone()), data))
    }

    fn load_anonymous_key(
        &mut self,
        key: &Expression,
        set: &AnonymousSet,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<KeyUse, LowerErrorKind> {
        let interval = set.interval || set.elements.iter().any(|element| matches!(element.key, Key::Range(_)));
        let data = match &set.data {
            DataKind::Value { data, .. } => data_loaded(data),
            _ => None,
        };
        let shift = if let Expression::Concat(parts) = key {
            self.load_concat(parts, slot, interval, out)?;
            None
        } else {
            let loaded = self.load(key, slot, out)?;
            if interval {
                to_network(&loaded, slot, out)?;
            }
            Some(loaded)
        };
        let set = anonymous(set, interval, shift.as_ref())?;
        Ok((SetUse::Anonymous(Arc::new(set)), data))
    }

    /// `left` is one of several values of one byte string each: a comparison, or a set without a name.
    pub(super) fn match_any(&mut self, left: &Expression, values: &[Packed]) -> Result<(), LowerErrorKind> {
        let (datatype, ..) = left.typed().ok_or_else(|| LowerErrorKind::Type(format!("{left:?} has no type")))?;
        let right = match values {
            [value] => Expression::Value(crate::ir::Value::new(datatype, value.clone())),
            values => Expression::Set(Box::new(AnonymousSet {
                key: KeyType::of_types([datatype]),
                data: DataKind::None,
                interval: false,
                elements: values.iter().map(|value| Element::new(value.clone(), Data::None)).collect(),
            })),
        };
        self.match_statement(left, crate::ir::RelationalOp::Implicit, &right)
    }

    /// Loads the key of a statement that decides or refers by a map.
    pub(super) fn keyed(
        &mut self,
        key: &Expression,
        set: &Expression,
        make: impl FnOnce(crate::expr::Reg, SetUse) -> Expr,
    ) -> Result<Vec<Expr>, LowerErrorKind> {
        let mut out = Vec::new();
        let slot = self.reserve(key)?;
        let (set, _) = self.load_key(key, set, slot, &mut out)?;
        out.push(make(reg(slot)?, set));
        Ok(out)
    }
}

fn data_loaded(data: &KeyType) -> Option<Loaded> {
    match data.fields.as_slice() {
        [field] => Some(Loaded::new(field.datatype, field.bits, field.byte_order)),
        _ => Some(Loaded::new(crate::ir::DataType::Integer, data.len() as u32 * 8, ByteOrder::Network)),
    }
}

/// The set of a rule as the kernel keeps it, in normal form: types as far as the kernel knows them (see
/// [`plain_key_type`]), the name a template, keys of parts of a byte where they stand in the register.
pub(super) fn anonymous(set: &AnonymousSet, interval: bool, loaded: Option<&Loaded>) -> Result<AnySet, LowerErrorKind> {
    let misfit = || LowerErrorKind::Type("an element's key does not fit".to_owned());
    let mut key = set.key.clone();
    let mut elements = set.elements.clone();
    if let ([field], Some(loaded)) = (key.fields.as_mut_slice(), loaded) {
        let len = loaded.len as usize;
        let old = field.bytes();
        (field.bits, field.byte_order) = (loaded.len * 8, loaded.order);
        if loaded.shift > 0 || (old != len && !loaded.is_text()) {
            elements = elements
                .iter()
                .map(|element| {
                    let key = moved(&element.key, loaded.shift, len).ok_or_else(misfit)?;
                    Ok(Element { key, ..element.clone() })
                })
                .collect::<Result<_, LowerErrorKind>>()?;
        }
    }
    let name = match set.data {
        DataKind::None => "__set%d",
        DataKind::Object(_) => "__objmap%d",
        _ => "__map%d",
    };
    let mut spec = SetSpec::new(SetName::new(name).expect("a template is a name"), key);
    spec.flags.interval = interval;
    Ok(normal_form(AnySet::new(spec, set.data.clone()).with_elements(elements)))
}

fn moved(key: &Key, shift: u32, len: usize) -> Option<Key> {
    Some(match key {
        Key::Value(bytes) => Key::Value(Packed::new(&shifted(bytes, shift, len)?)),
        Key::Range(_) => {
            let (start, end) = key.bounds()?;
            Key::range(&shifted(start, shift, len)?, &shifted(end, shift, len)?)
        }
        Key::CatchAll => Key::CatchAll,
    })
}

/// An anonymous set with only what a kernel keeps of it, so that one that was read equals one that was lowered:
/// plain types ([`plain_key_type`]), no size, no merging, the template as its name.
pub fn normal_form(set: AnySet) -> AnySet {
    let spec = set.spec();
    let order = match spec.key.fields.as_slice() {
        [field] => Some(field.byte_order),
        _ => None,
    };
    let template = match &set {
        AnySet::Set(_) => "__set%d",
        AnySet::Map(_) | AnySet::VerdictMap(_) => "__map%d",
        AnySet::ObjectMap(_) => "__objmap%d",
    };
    let mut plain = SetSpec::new(
        SetName::new(template).expect("a template is a name"),
        plain_key_type(spec.key.id(), spec.key.len() as u32, order),
    );
    plain.flags = SetFlags { constant: false, ..spec.flags };
    let keys = Relayout::new(ByteLayout::of_key(spec), ByteLayout::of_key(&plain));
    let (kind, data) = match set.data_kind() {
        DataKind::Value { data, interval } => {
            let order = match data.fields.as_slice() {
                [field] => Some(field.byte_order),
                _ => None,
            };
            let plain = plain_key_type(data.id(), data.len() as u32, order);
            let relayout = Relayout::new(ByteLayout::of_data(&data), ByteLayout::of_data(&plain));
            (DataKind::Value { data: plain, interval }, relayout)
        }
        other => (other, Relayout::default()),
    };
    let elements = if keys.is_identity() && data.is_identity() {
        set.elements().clone()
    } else {
        set.elements().iter().map(|element| keys.element(&data, element)).collect::<Elements>()
    };
    AnySet::new(plain, kind).with_elements(elements)
}

/// From one reading of the kernel's bytes to another.
#[derive(Default)]
struct Relayout {
    from: ByteLayout,
    to: ByteLayout,
}

impl Relayout {
    fn new(from: ByteLayout, to: ByteLayout) -> Self {
        Self { from, to }
    }

    fn is_identity(&self) -> bool {
        self.from == self.to
    }

    fn bytes(&self, bytes: &[u8]) -> Packed {
        let mut bytes = bytes.to_vec();
        self.from.turn(&mut bytes);
        self.to.turn(&mut bytes);
        Packed::new(&bytes)
    }

    fn element(&self, data: &Self, element: &Element) -> Element {
        let key = match &element.key {
            Key::Value(bytes) => Key::Value(self.bytes(bytes)),
            Key::Range(_) => match element.key.bounds() {
                Some((start, end)) => Key::range(&self.bytes(start), &self.bytes(end)),
                None => element.key.clone(),
            },
            Key::CatchAll => Key::CatchAll,
        };
        let data = match &element.data {
            Data::Value(bytes) => Data::Value(data.bytes(bytes)),
            other => other.clone(),
        };
        Element { key, data, extra: element.extra.clone() }
    }
}
