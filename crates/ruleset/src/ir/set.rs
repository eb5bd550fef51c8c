//! Sets, maps, verdict maps and object maps.

use serde::{Deserialize, Serialize};

use super::{
    ByteOrder, Comment, Data, DataType, Element, Elements, Expression, HasName, ObjectName, ObjectType, Packed,
    SetName, Statement, Value, Verdict,
};

/// One field of a key or of a map's data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Field {
    /// What a value of the field means.
    pub datatype: DataType,
    /// Its length in bits; where the type fixes the length, that one.
    pub bits: u32,
    /// How the kernel keeps it. Values in this crate are in network order all the same.
    pub byte_order: ByteOrder,
    /// The expression it was declared by (`typeof`), `None` if declared by `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_as: Option<Box<Expression>>,
}

impl Field {
    /// A field declared by `type`.
    pub fn of_type(datatype: DataType) -> Self {
        Self { datatype, bits: datatype.bits(), byte_order: datatype.byte_order(), declared_as: None }
    }

    /// A field declared by `typeof`, with the type, length and order of that expression.
    ///
    /// `None` for an expression that has no type of its own: a literal set, a wildcard, opaque text.
    pub fn of_expression(expression: Expression) -> Option<Self> {
        let (datatype, bits, byte_order) = expression.typed()?;
        Some(Self { datatype, bits, byte_order, declared_as: Some(Box::new(expression)) })
    }

    /// Its length in bytes, without padding.
    pub fn bytes(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    /// Its length in bytes inside a concatenation: whole registers of four bytes.
    pub fn padded(&self) -> usize {
        self.bytes().next_multiple_of(4)
    }
}

/// The type of a key or of a map's data: one field, or several concatenated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyType {
    /// The fields, first to last; never empty.
    pub fields: Vec<Field>,
}

impl KeyType {
    /// A single field.
    pub fn single(field: Field) -> Self {
        Self { fields: vec![field] }
    }

    /// Several fields, or one.
    pub fn concat(fields: impl IntoIterator<Item = Field>) -> Self {
        Self { fields: fields.into_iter().collect() }
    }

    /// Fields declared by `type`.
    pub fn of_types(datatypes: impl IntoIterator<Item = DataType>) -> Self {
        Self::concat(datatypes.into_iter().map(Field::of_type))
    }

    /// Fields declared by `typeof`; `None` if one of the expressions has no type of its own.
    pub fn of_expressions(expressions: impl IntoIterator<Item = Expression>) -> Option<Self> {
        expressions.into_iter().map(Field::of_expression).collect::<Option<Vec<_>>>().map(|fields| Self { fields })
    }

    /// Whether there is more than one field.
    pub fn is_concat(&self) -> bool {
        self.fields.len() > 1
    }

    /// The length of a key in bytes, as the kernel counts it (`NFTA_SET_KEY_LEN`).
    pub fn len(&self) -> usize {
        match self.fields.as_slice() {
            [field] => field.bytes(),
            fields => fields.iter().map(Field::padded).sum(),
        }
    }

    /// Whether a key has no bytes; never so for a type that parsed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the type (`NFTA_SET_KEY_TYPE`): six bits a field, the first field highest.
    pub fn id(&self) -> u32 {
        self.fields.iter().fold(0, |id, field| id << DataType::ID_BITS | field.datatype.id())
    }

    /// Puts values into the layout of a key: each field from the left in whole registers, or, for a single field,
    /// as it is.
    ///
    /// `None` if the number of values is another than that of the fields, or a value is longer than its field.
    pub fn pack(&self, values: &[Value]) -> Option<Packed> {
        if values.len() != self.fields.len() {
            return None;
        }
        let mut bytes = [0_u8; 64];
        let mut at = 0;
        for (field, value) in self.fields.iter().zip(values) {
            if value.bytes.len() > field.bytes() || at + field.padded() > bytes.len() {
                return None;
            }
            // Numbers shorter than their field are widened; text starts at the left.
            let lead = match field.datatype {
                DataType::IfName | DataType::String => 0,
                _ => field.bytes() - value.bytes.len(),
            };
            bytes[at + lead..at + lead + value.bytes.len()].copy_from_slice(&value.bytes);
            at += field.padded();
        }
        Some(Packed::new(&bytes[..self.len()]))
    }

    /// Takes a key of [`Self::len`] bytes apart into the bytes of its fields, without padding.
    pub fn split<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = (&'a Field, &'a [u8])> {
        let mut at = 0;
        self.fields.iter().map_while(move |field| {
            let bytes = key.get(at..at + field.bytes())?;
            at += field.padded();
            Some((field, bytes))
        })
    }

    /// The values of a key of [`Self::len`] bytes.
    pub fn unpack(&self, key: &[u8]) -> Vec<Value> {
        self.split(key).map(|(field, bytes)| Value::new(field.datatype, bytes)).collect()
    }
}

/// How the kernel chooses the structure behind a set (`enum nft_set_policies`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetPolicy {
    /// The fastest.
    #[default]
    Performance,
    /// The smallest.
    Memory,
}

/// Flags of a set that a user can give (`enum nft_set_flags`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct SetFlags {
    /// Its elements never change while it is bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub constant: bool,
    /// Its keys are intervals.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interval: bool,
    /// Its elements can time out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub timeout: bool,
    /// Rules add elements to it (`NFT_SET_EVAL`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dynamic: bool,
}

/// What sets and maps of every kind declare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetSpec {
    /// Its name, unique in its table among sets and maps.
    pub name: SetName,
    /// The type of its keys.
    pub key: KeyType,
    /// Its flags.
    #[serde(default)]
    pub flags: SetFlags,
    /// After how many milliseconds an element goes, if it has no time of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often expired elements are collected, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gc_interval_ms: Option<u32>,
    /// The most elements it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// What the kernel optimises for.
    #[serde(default)]
    pub policy: SetPolicy,
    /// Whether nft merges adjacent and overlapping intervals.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_merge: bool,
    /// What people wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Stateful statements every element carries (`counter`, `limit …`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
}

impl SetSpec {
    /// A plain declaration: no flags, no limits.
    pub fn new(name: SetName, key: KeyType) -> Self {
        Self {
            name,
            key,
            flags: SetFlags::default(),
            timeout_ms: None,
            gc_interval_ms: None,
            size: None,
            policy: SetPolicy::default(),
            auto_merge: false,
            comment: None,
            statements: Vec::new(),
        }
    }

    /// The same for at most `size` elements. The kernel counts additions of a batch before its deletions, so leave
    /// headroom.
    #[must_use]
    pub fn sized(self, size: u32) -> Self {
        Self { size: Some(size), ..self }
    }

    /// The same with intervals as keys.
    #[must_use]
    pub fn interval(mut self) -> Self {
        self.flags.interval = true;
        self
    }
}

/// Which kind of data a map leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataKind {
    /// None: a set.
    None,
    /// Values of a type; `interval` where the data are ranges.
    Value {
        /// Their type.
        #[serde(rename = "type")]
        data: KeyType,
        /// Whether each is a range: the first half of the bytes its start, the second its end.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interval: bool,
    },
    /// Verdicts.
    Verdict,
    /// Stateful objects.
    Object(ObjectType),
}

/// A set: keys only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Set {
    /// Its declaration.
    #[serde(flatten)]
    pub spec: SetSpec,
    /// Its elements.
    #[serde(default, skip_serializing_if = "Elements::is_empty")]
    pub elements: Elements,
}

/// A map: keys to values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Map {
    /// Its declaration.
    #[serde(flatten)]
    pub spec: SetSpec,
    /// The type of its values.
    pub data: KeyType,
    /// Whether its values are ranges.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub data_interval: bool,
    /// Its elements.
    #[serde(default, skip_serializing_if = "Elements::is_empty")]
    pub elements: Elements,
}

/// A verdict map: keys to verdicts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VerdictMap {
    /// Its declaration.
    #[serde(flatten)]
    pub spec: SetSpec,
    /// Its elements.
    #[serde(default, skip_serializing_if = "Elements::is_empty")]
    pub elements: Elements,
}

/// An object map: keys to stateful objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectMap {
    /// Its declaration.
    #[serde(flatten)]
    pub spec: SetSpec,
    /// The type of the objects.
    pub object: ObjectType,
    /// Its elements.
    #[serde(default, skip_serializing_if = "Elements::is_empty")]
    pub elements: Elements,
}

/// Why an element does not belong into a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key or data does not fit the types of `{set}`")]
pub struct ElementError {
    /// The set.
    pub set: SetName,
}

fn packed(spec: &SetSpec, key: &KeyType, values: &[Value]) -> Result<Packed, ElementError> {
    key.pack(values).ok_or_else(|| ElementError { set: spec.name.clone() })
}

impl Set {
    /// An empty set.
    pub fn new(spec: SetSpec) -> Self {
        Self { spec, elements: Elements::default() }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Where the values do not fit the key's fields.
    pub fn insert(&mut self, key: &[Value]) -> Result<(), ElementError> {
        let key = packed(&self.spec, &self.spec.key, key)?;
        self.elements.insert(Element::new(key, Data::None));
        Ok(())
    }
}

impl Map {
    /// An empty map to values of type `data`.
    pub fn new(spec: SetSpec, data: KeyType) -> Self {
        Self { spec, data, data_interval: false, elements: Elements::default() }
    }

    /// Adds a key and its value, or replaces the value of that key.
    ///
    /// # Errors
    /// Where the values do not fit the fields of key or data.
    pub fn insert(&mut self, key: &[Value], data: &[Value]) -> Result<(), ElementError> {
        let key = packed(&self.spec, &self.spec.key, key)?;
        let data = packed(&self.spec, &self.data, data)?;
        self.elements.insert(Element::new(key, Data::Value(data)));
        Ok(())
    }
}

impl VerdictMap {
    /// An empty verdict map.
    pub fn new(spec: SetSpec) -> Self {
        Self { spec, elements: Elements::default() }
    }

    /// Adds a key and its verdict, or replaces the verdict of that key.
    ///
    /// # Errors
    /// Where the values do not fit the key's fields.
    pub fn insert(&mut self, key: &[Value], verdict: Verdict) -> Result<(), ElementError> {
        let key = packed(&self.spec, &self.spec.key, key)?;
        self.elements.insert(Element::new(key, Data::Verdict(verdict)));
        Ok(())
    }
}

impl ObjectMap {
    /// An empty object map.
    pub fn new(spec: SetSpec, object: ObjectType) -> Self {
        Self { spec, object, elements: Elements::default() }
    }

    /// Adds a key and the name of its object, or replaces the object of that key.
    ///
    /// # Errors
    /// Where the values do not fit the key's fields.
    pub fn insert(&mut self, key: &[Value], object: ObjectName) -> Result<(), ElementError> {
        let key = packed(&self.spec, &self.spec.key, key)?;
        self.elements.insert(Element::new(key, Data::Object(object)));
        Ok(())
    }
}

/// A set or map of any kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnySet {
    /// Keys only.
    Set(Set),
    /// Keys to values.
    Map(Map),
    /// Keys to verdicts.
    VerdictMap(VerdictMap),
    /// Keys to stateful objects.
    ObjectMap(ObjectMap),
}

impl AnySet {
    /// An empty set or map that leads to that kind of data.
    pub fn new(spec: SetSpec, kind: DataKind) -> Self {
        match kind {
            DataKind::None => Self::Set(Set::new(spec)),
            DataKind::Value { data, interval } => Self::Map(Map { data_interval: interval, ..Map::new(spec, data) }),
            DataKind::Verdict => Self::VerdictMap(VerdictMap::new(spec)),
            DataKind::Object(object) => Self::ObjectMap(ObjectMap::new(spec, object)),
        }
    }

    /// The same with those elements in place of its own. Their keys and data must fit its types.
    #[must_use]
    pub fn with_elements(mut self, elements: Elements) -> Self {
        *self.elements_mut() = elements;
        self
    }

    /// What it declares.
    pub fn spec(&self) -> &SetSpec {
        match self {
            Self::Set(set) => &set.spec,
            Self::Map(map) => &map.spec,
            Self::VerdictMap(map) => &map.spec,
            Self::ObjectMap(map) => &map.spec,
        }
    }

    /// What it declares, to change it.
    pub fn spec_mut(&mut self) -> &mut SetSpec {
        match self {
            Self::Set(set) => &mut set.spec,
            Self::Map(map) => &mut map.spec,
            Self::VerdictMap(map) => &mut map.spec,
            Self::ObjectMap(map) => &mut map.spec,
        }
    }

    /// nft's word for it: `set` or `map`.
    pub fn keyword(&self) -> &'static str {
        if matches!(self, Self::Set(_)) { "set" } else { "map" }
    }

    /// The kind of data it leads to.
    pub fn data_kind(&self) -> DataKind {
        match self {
            Self::Set(_) => DataKind::None,
            Self::Map(map) => DataKind::Value { data: map.data.clone(), interval: map.data_interval },
            Self::VerdictMap(_) => DataKind::Verdict,
            Self::ObjectMap(map) => DataKind::Object(map.object),
        }
    }

    /// Its elements.
    pub fn elements(&self) -> &Elements {
        match self {
            Self::Set(set) => &set.elements,
            Self::Map(map) => &map.elements,
            Self::VerdictMap(map) => &map.elements,
            Self::ObjectMap(map) => &map.elements,
        }
    }

    /// Its elements, to change them. Keys and data must fit its types.
    pub fn elements_mut(&mut self) -> &mut Elements {
        match self {
            Self::Set(set) => &mut set.elements,
            Self::Map(map) => &mut map.elements,
            Self::VerdictMap(map) => &mut map.elements,
            Self::ObjectMap(map) => &mut map.elements,
        }
    }
}

impl HasName for AnySet {
    type Name = SetName;
    type Key = SetName;
    fn name(&self) -> &SetName {
        &self.spec().name
    }
    fn key(&self) -> SetName {
        self.name().clone()
    }
}

impl From<Set> for AnySet {
    fn from(set: Set) -> Self {
        Self::Set(set)
    }
}

impl From<Map> for AnySet {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<VerdictMap> for AnySet {
    fn from(map: VerdictMap) -> Self {
        Self::VerdictMap(map)
    }
}

impl From<ObjectMap> for AnySet {
    fn from(map: ObjectMap) -> Self {
        Self::ObjectMap(map)
    }
}
