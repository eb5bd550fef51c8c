//! Objects read field by field.

use std::cell::Cell;

use serde_json::{Map, Value as Json};

use super::{Result, Trouble};

/// The fields of a JSON object. What nobody asks for is unknown.
pub(super) struct Fields<'a> {
    object: &'a Json,
    map: &'a Map<String, Json>,
    asked: Cell<u64>,
}

impl<'a> Fields<'a> {
    /// The fields of an object; a `null` is one without fields.
    pub(super) fn of(object: &'a Json) -> Result<'a, Self> {
        static EMPTY: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
        match object {
            Json::Object(map) => Ok(Self { object, map, asked: Cell::new(0) }),
            Json::Null => Ok(Self { object, map: &EMPTY, asked: Cell::new(0) }),
            _ => Err(Trouble::wrong(object, "this is no object")),
        }
    }

    /// The field of that name, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<&'a Json> {
        let (at, (_, value)) = self.map.iter().enumerate().find(|(_, (key, _))| *key == name)?;
        self.asked.set(self.asked.get() | 1_u64.checked_shl(at as u32).unwrap_or(0));
        Some(value)
    }

    /// The field of that name.
    pub(super) fn need(&self, name: &str) -> Result<'a, &'a Json> {
        self.find(name).ok_or_else(|| Trouble::wrong(self.object, format!("`{name}` is missing")))
    }

    /// The text of a field that must be there.
    pub(super) fn text(&self, name: &str) -> Result<'a, &'a str> {
        text(self.need(name)?)
    }

    /// The text of a field, if it is there.
    pub(super) fn find_text(&self, name: &str) -> Result<'a, Option<&'a str>> {
        self.find(name).map(text).transpose()
    }

    /// The number of a field, if it is there and fits.
    pub(super) fn find_number<N: TryFrom<u64>>(&self, name: &str) -> Result<'a, Option<N>> {
        self.find(name).map(number).transpose()
    }

    /// The truth of a field; a missing one is not.
    pub(super) fn flag(&self, name: &str) -> Result<'a, bool> {
        match self.find(name) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(other) => Err(Trouble::wrong(other, "this is neither true nor false")),
        }
    }

    /// The names in a field: a text, or a list of texts.
    pub(super) fn names(&self, name: &str) -> Result<'a, Vec<(&'a Json, &'a str)>> {
        match self.find(name) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(list)) => list.iter().map(|item| Ok((item, text(item)?))).collect(),
            Some(item) => Ok(vec![(item, text(item)?)]),
        }
    }

    /// Sets the flags that a field names, each to true.
    pub(super) fn flags<const N: usize>(&self, name: &str, known: [(&str, &mut bool); N]) -> Result<'a, ()> {
        let mut known = known;
        for (item, text) in self.names(name)? {
            match known.iter_mut().find(|(name, _)| *name == text) {
                Some((_, flag)) => **flag = true,
                None => return Err(Trouble::Unknown(item)),
            }
        }
        Ok(())
    }

    /// The fields nobody asked for.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&'a str, &'a Json)> + use<'a> {
        let asked = self.asked.get();
        let fields = self.map.iter().enumerate();
        fields.filter(move |(at, _)| *at >= 64 || asked >> at & 1 == 0).map(|(_, (key, value))| (key.as_str(), value))
    }

    /// Fails if there are fields that nobody asked for.
    pub(super) fn all_known(&self) -> Result<'a, ()> {
        self.unknown().next().map_or(Ok(()), |(_, value)| Err(Trouble::Unknown(value)))
    }
}

/// The text of a value.
pub(super) fn text(value: &Json) -> Result<'_, &str> {
    value.as_str().ok_or_else(|| Trouble::wrong(value, "this is no text"))
}

/// The number of a value, if it fits.
pub(super) fn number<N: TryFrom<u64>>(value: &Json) -> Result<'_, N> {
    let number = value.as_u64().ok_or_else(|| Trouble::wrong(value, "this is no number from 0"))?;
    N::try_from(number).map_err(|_| Trouble::wrong(value, format!("{number} is too large here")))
}

/// A checked name.
pub(super) fn name<N>(value: &Json) -> Result<'_, N>
where
    N: for<'t> TryFrom<&'t str, Error = crate::ir::NameError>,
{
    N::try_from(text(value)?).map_err(|error| Trouble::wrong(value, error.to_string()))
}

/// The only field of an object: its name and value.
pub(super) fn only(value: &Json) -> Result<'_, (&str, &Json)> {
    let map = value.as_object().filter(|map| map.len() == 1);
    let field = map.and_then(|map| map.iter().next()).ok_or(Trouble::Unknown(value))?;
    Ok((field.0.as_str(), field.1))
}

/// The items of a list; anything else is a list of itself.
pub(super) fn items(value: &Json) -> &[Json] {
    match value {
        Json::Array(list) => list,
        single => std::slice::from_ref(single),
    }
}
