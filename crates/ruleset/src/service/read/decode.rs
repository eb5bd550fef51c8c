//! From located trees to types, by serde: an error knows the node that caused it.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::document::{Content, Node, Place};
use crate::text;

/// What is wrong with a tree, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The innermost node it is about.
    pub(super) place: Option<Place>,
    pub(super) message: String,
    pub(super) expected: Option<String>,
}

impl Problem {
    /// A problem of a place that is not known yet.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), expected: None }
    }

    /// The same with what would have been right.
    pub(super) fn expecting(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// The same at `place`, if it does not know a place yet: the innermost node speaks first.
    fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { place: None, message: message.to_string(), expected: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self { place: None, message: format!("{} cannot be here", words(found)), expected: Some(meant(expected)) }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self {
            place: None,
            message: format!("there is no field `{field}` here"),
            expected: Some(nearest(field, known)),
        }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self { place: None, message: format!("`{variant}` cannot be here"), expected: Some(nearest(variant, known)) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { place: None, message: format!("the field `{field}` is missing"), expected: None }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { place: None, message: format!("the field `{field}` is here twice"), expected: None }
    }
}

/// What was found, in the words of YAML and JSON rather than Rust's.
fn words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("`{value}`"),
        de::Unexpected::Unsigned(value) => format!("`{value}`"),
        de::Unexpected::Signed(value) => format!("`{value}`"),
        de::Unexpected::Float(value) => format!("`{value}`"),
        // A number that is no number to YAML stands in quotes.
        de::Unexpected::Str(text) if text.parse::<f64>().is_ok() => format!("`\"{text}\"`"),
        de::Unexpected::Str(text) => format!("`{text}`"),
        de::Unexpected::Unit => "nothing".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// What was expected, in the same words.
fn meant(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        text if text == "a map" || text.starts_with("struct ") => "a mapping".to_owned(),
        text => text.to_owned(),
    }
}

/// The known word that was most likely meant, else all of them.
fn nearest(word: &str, known: &[&str]) -> String {
    match text::nearest(word, known.iter().copied()) {
        Some(candidate) => format!("`{candidate}`"),
        None => known.iter().map(|candidate| format!("`{candidate}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Makes a value of a tree.
pub(super) fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Problem> {
    T::deserialize(Decoder(node))
}

#[derive(Clone, Copy)]
struct Decoder<'a>(&'a Node);

impl<'de> Decoder<'de> {
    fn scalar<V: Visitor<'de>>(self, text: &str, plain: bool, visitor: V) -> Result<V::Value, Problem> {
        if !plain {
            return visitor.visit_str(text);
        }
        match text {
            "true" | "True" | "TRUE" => return visitor.visit_bool(true),
            "false" | "False" | "FALSE" => return visitor.visit_bool(false),
            _ if self.0.is_null() => return visitor.visit_unit(),
            _ => {}
        }
        if let Ok(number) = text.parse::<u64>() {
            return visitor.visit_u64(number);
        }
        if let Ok(number) = text.parse::<i64>() {
            return visitor.visit_i64(number);
        }
        match text.parse::<f64>() {
            Ok(number) if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                visitor.visit_f64(number)
            }
            _ => visitor.visit_str(text),
        }
    }
}

impl<'de> de::Deserializer<'de> for Decoder<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.0.content {
            Content::Scalar { text, plain } => self.scalar(text, *plain, visitor),
            Content::Sequence(items) => visitor.visit_seq(Items(items.iter())),
            Content::Mapping(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        }
        .map_err(|problem| problem.at(self.0.place))
    }

    /// A text that looks like a number is a text where one is wanted: a service may be called 42.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.0.content {
            Content::Scalar { text, .. } if !self.0.is_null() => {
                visitor.visit_str(text).map_err(|problem: Problem| problem.at(self.0.place))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    /// Variants are words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let Some(text) = self.0.text() else {
            let expected = variants.iter().map(|variant| format!("`{variant}`")).collect::<Vec<_>>().join(", ");
            let message = "a list or mapping cannot be here".to_owned();
            return Err(Problem { place: Some(self.0.place), message, expected: Some(expected) });
        };
        let word: StrDeserializer<'_, Problem> = text.into_deserializer();
        visitor.visit_enum(word).map_err(|problem| problem.at(self.0.place))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let decode = |node: &'de Node| seed.deserialize(Decoder(node)).map_err(|problem| problem.at(node.place));
        self.0.next().map(decode).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        // A key is a word, whatever it looks like.
        let Some(word) = key.text() else {
            return Err(<Problem as de::Error>::custom("a list or mapping cannot be a key").at(key.place));
        };
        let word: StrDeserializer<'_, Problem> = word.into_deserializer();
        seed.deserialize(word).map(Some).map_err(|problem| problem.at(key.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        match self.value.take() {
            Some(value) => seed.deserialize(Decoder(value)).map_err(|problem| problem.at(value.place)),
            None => Err(<Problem as de::Error>::custom("a value was asked for before its key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_named() {
        assert_eq!(nearest("endpoint", &["name", "endpoints"]), "`endpoints`");
        assert_eq!(nearest("xyzzy", &["name", "ports"]), "`name`, `ports`");
    }
}
