//! Elements of sets and maps, kept small: a service compiler makes hundreds of thousands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Comment, ObjectName, Packed, Statement, Verdict};

/// The key of an element, in the layout of [`super::KeyType::pack`].
///
/// The order is that of the bytes, which is that of the values; the catch-all is last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// One value.
    Value(Packed),
    /// All values from the first half of the bytes to the second, both included; in a concatenation field by field.
    /// A prefix is such a range.
    Range(Packed),
    /// Whatever no other element of the set holds (`*`).
    CatchAll,
}

impl Key {
    /// A range from `start` to `end`, both included and of the same length; a single value where they are equal.
    pub fn range(start: &[u8], end: &[u8]) -> Self {
        if start == end { Self::Value(start.into()) } else { Self::Range([start, end].concat().as_slice().into()) }
    }

    /// The first and the last value; `None` for the catch-all.
    pub fn bounds(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::Value(bytes) => Some((bytes, bytes)),
            Self::Range(bytes) => Some(bytes.split_at(bytes.len() / 2)),
            Self::CatchAll => None,
        }
    }
}

/// What an element leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Nothing: the element of a set.
    None,
    /// A value, in the layout of [`super::KeyType::pack`].
    Value(Packed),
    /// A verdict.
    Verdict(Verdict),
    /// A stateful object.
    Object(ObjectName),
}

/// What few elements have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ElementExtra {
    /// After how many milliseconds it goes; `Some(0)` is never, where the set has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// In how many milliseconds it goes, seen from the moment it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// What people wrote about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Its stateful statements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
}

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Element {
    /// What is looked up.
    pub key: Key,
    /// What it leads to.
    pub data: Data,
    /// What few elements have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Box<ElementExtra>>,
}

impl Element {
    /// An element with a single value as its key and nothing extra.
    pub fn new(key: Packed, data: Data) -> Self {
        Self { key: Key::Value(key), data, extra: None }
    }

    /// The same with a comment.
    #[must_use]
    pub fn commented(mut self, comment: Comment) -> Self {
        self.extra.get_or_insert_default().comment = Some(comment);
        self
    }

    /// The same with a time to live in milliseconds.
    #[must_use]
    pub fn with_timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.extra.get_or_insert_default().timeout_ms = Some(timeout_ms);
        self
    }
}

/// Elements in the order of their keys, each key once.
///
/// Clones share their elements until one of them is changed: what is live, what is wanted and the plan between them
/// hold hundreds of thousands of elements once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Element>", into = "Vec<Element>")]
pub struct Elements(Arc<Vec<Element>>);

impl Elements {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of their keys.
    pub fn iter(&self) -> std::slice::Iter<'_, Element> {
        self.0.iter()
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Element] {
        &self.0
    }

    /// Whether both are clones of one another, never changed since. `false` says nothing.
    pub fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The element of that key.
    pub fn find(&self, key: &Key) -> Option<&Element> {
        self.0.binary_search_by(|element| element.key.cmp(key)).ok().map(|at| &self.0[at])
    }

    /// Adds an element; one of the same key is replaced and returned.
    pub fn insert(&mut self, element: Element) -> Option<Element> {
        let elements = Arc::make_mut(&mut self.0);
        // Elements mostly come in order.
        if elements.last().is_none_or(|last| last.key < element.key) {
            elements.push(element);
            return None;
        }
        match elements.binary_search_by(|other| other.key.cmp(&element.key)) {
            Ok(at) => Some(std::mem::replace(&mut elements[at], element)),
            Err(at) => {
                elements.insert(at, element);
                None
            }
        }
    }

    /// Takes the element of that key out.
    pub fn remove(&mut self, key: &Key) -> Option<Element> {
        self.0.binary_search_by(|element| element.key.cmp(key)).ok().map(|at| Arc::make_mut(&mut self.0).remove(at))
    }
}

/// Sorts; of several elements with one key the last given stays.
impl From<Vec<Element>> for Elements {
    fn from(mut elements: Vec<Element>) -> Self {
        if !elements.is_sorted_by(|a, b| a.key < b.key) {
            elements.sort_by(|a, b| a.key.cmp(&b.key));
            elements.dedup_by(|later, earlier| {
                let same = later.key == earlier.key;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Self(Arc::new(elements))
    }
}

impl From<Elements> for Vec<Element> {
    fn from(elements: Elements) -> Self {
        Arc::unwrap_or_clone(elements.0)
    }
}

impl FromIterator<Element> for Elements {
    fn from_iter<I: IntoIterator<Item = Element>>(elements: I) -> Self {
        elements.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for Elements {
    type Item = Element;
    type IntoIter = std::vec::IntoIter<Element>;
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a Elements {
    type Item = &'a Element;
    type IntoIter = std::slice::Iter<'a, Element>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_keys_the_last_given_stays() {
        let element = |key: u8, data: u8| Element::new([key].into(), Data::Value([data].into()));
        let elements: Elements = [element(2, 1), element(1, 1), element(2, 2), element(2, 3)].into_iter().collect();
        assert_eq!(elements.as_slice(), [element(1, 1), element(2, 3)]);
        let mut inserted = Elements::default();
        for element in [element(2, 1), element(1, 1), element(2, 2), element(2, 3)] {
            inserted.insert(element);
        }
        assert_eq!(inserted, elements);
    }

    #[test]
    fn an_element_is_small() {
        assert!(size_of::<Element>() <= 88, "{}", size_of::<Element>());
    }
}
