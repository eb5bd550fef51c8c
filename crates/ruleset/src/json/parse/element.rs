//! Elements of sets and maps from JSON.

use serde_json::Value as Json;

use super::fields::{self, Fields};
use super::{Reader, Result, Trouble};
use crate::ir::{
    AnonymousSet, Data, DataKind, DataType, Element, ElementExtra, Elements, Expression, Field, Key, KeyType,
};

impl Reader<'_> {
    /// A set or map in place, whose keys have these fields.
    pub(super) fn anonymous_set<'a>(&self, body: &'a Json, key: &[Field], data: &DataKind) -> Result<'a, Expression> {
        let items = fields::items(body);
        let mut key =
            if key.is_empty() { self.guess(items)? } else { KeyType::concat(key.iter().cloned()).anonymous() };
        names_for_indices(&mut key, items);
        let data = match data {
            // nft finds out what data are where nothing else says it; so do we.
            DataKind::Value { data, .. } if data.fields.is_empty() => self.guess_data(items)?,
            data => data.clone(),
        };
        let mut elements = Vec::with_capacity(items.len());
        for item in items {
            elements.push(self.element(item, &key, &data)?);
        }
        let interval = elements.iter().any(|element| matches!(element.key, Key::Range(_)));
        let data = with_intervals(data, &mut elements);
        let elements = Elements::from(elements);
        Ok(Expression::Set(Box::new(AnonymousSet { key, data, interval, elements })))
    }

    /// The type of keys that nothing else says, from the first.
    fn guess<'a>(&self, items: &'a [Json]) -> Result<'a, KeyType> {
        let first = items.first().map(|item| item.as_array().and_then(|pair| pair.first()).unwrap_or(item));
        self.guess_from(first)
    }

    fn guess_data<'a>(&self, items: &'a [Json]) -> Result<'a, DataKind> {
        let first = items.first().and_then(|item| item.as_array()?.get(1));
        Ok(DataKind::Value { data: self.guess_from(first)?, interval: false })
    }

    fn guess_from<'a>(&self, first: Option<&'a Json>) -> Result<'a, KeyType> {
        let fields = match first {
            Some(first) => self.fields_of(&self.expression(first, &[])?),
            None => Vec::new(),
        };
        if fields.is_empty() {
            return Ok(KeyType::of_types([DataType::Integer]));
        }
        Ok(KeyType::concat(fields))
    }

    /// An element: a key, or a pair of key and data.
    pub(super) fn element<'a>(&self, item: &'a Json, key: &KeyType, data: &DataKind) -> Result<'a, Element> {
        let (name, leads_to) = match (data, item) {
            (DataKind::None, item) => (item, None),
            (_, Json::Array(pair)) if pair.len() == 2 => (&pair[0], Some(&pair[1])),
            // Elements to be deleted are named by their keys alone.
            (_, item) => (item, None),
        };
        let (key, extra) = self.element_key(name, key)?;
        let data = leads_to.map_or(Ok(Data::None), |leads_to| self.data(leads_to, data))?;
        Ok(Element { key, data, extra })
    }

    fn element_key<'a>(&self, item: &'a Json, types: &KeyType) -> Result<'a, (Key, Option<Box<ElementExtra>>)> {
        let Some(body) = item.as_object().and_then(|object| object.get("elem")) else {
            return Ok((self.key(item, types)?, None));
        };
        let fields = Fields::of(body)?;
        let key = self.key(fields.need("val")?, types)?;
        let extra = ElementExtra {
            timeout_ms: milliseconds(&fields, "timeout")?,
            expires_ms: milliseconds(&fields, "expires")?,
            comment: fields.find("comment").map(fields::name).transpose()?,
            statements: self.statements_among(&fields)?,
        };
        Ok((key, (extra != ElementExtra::default()).then(|| Box::new(extra))))
    }

    fn key<'a>(&self, item: &'a Json, types: &KeyType) -> Result<'a, Key> {
        // Whatever the type: nft has no other wildcard that is nothing else.
        if item.as_str() == Some("*") {
            return Ok(Key::CatchAll);
        }
        let written = self.expression(item, &types.fields)?;
        types.key_of(&written).ok_or_else(|| Trouble::wrong(item, "this does not fit the type of the set"))
    }

    fn data<'a>(&self, item: &'a Json, kind: &DataKind) -> Result<'a, Data> {
        match kind {
            DataKind::None => Err(Trouble::wrong(item, "a set has no data")),
            DataKind::Verdict => self.verdict(item).map(Data::Verdict),
            DataKind::Object(_) => fields::name(item).map(Data::Object),
            DataKind::Value { data, interval } => match self.key(item, data)? {
                Key::Value(bytes) if *interval => Ok(Data::Value(bytes.repeat(2).as_slice().into())),
                Key::Value(bytes) | Key::Range(bytes) => Ok(Data::Value(bytes)),
                Key::CatchAll => Err(Trouble::wrong(item, "data cannot be a wildcard")),
            },
        }
    }
}

/// Interfaces that are given by names whose indices only a machine knows are kept by their names, all of the set.
fn names_for_indices(key: &mut KeyType, items: &[Json]) {
    if let [field] = key.fields.as_mut_slice()
        && field.datatype == DataType::IfIndex
    {
        let name = |item: &Json| item.as_array().and_then(|pair| pair.first()).unwrap_or(item).as_str() != Some("lo");
        let text = |item: &Json| item.as_array().and_then(|pair| pair.first()).unwrap_or(item).is_string();
        if items.iter().any(|item| text(item) && name(item)) {
            *field = Field::of_type(DataType::IfName);
        }
    }
}

/// Data that are ranges in one element are so in all: each holds a first and a last value.
pub(super) fn with_intervals(kind: DataKind, elements: &mut [Element]) -> DataKind {
    let DataKind::Value { data, interval } = kind else { return kind };
    let len = data.len();
    let ranges = |element: &Element| matches!(&element.data, Data::Value(bytes) if bytes.len() == 2 * len);
    if !interval && !elements.iter().any(ranges) {
        return DataKind::Value { data, interval };
    }
    for element in elements {
        if let Data::Value(bytes) = &mut element.data
            && bytes.len() == len
        {
            *bytes = bytes.repeat(2).as_slice().into();
        }
    }
    DataKind::Value { data, interval: true }
}

/// A time that JSON gives in seconds.
pub(super) fn milliseconds<'a>(fields: &Fields<'a>, name: &str) -> Result<'a, Option<u64>> {
    Ok(fields.find_number::<u64>(name)?.map(|seconds| seconds.saturating_mul(1000)))
}
