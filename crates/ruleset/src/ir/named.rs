//! An ordered collection of things that have names.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::Hash;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What can be kept in a [`Named`] collection.
pub trait HasName {
    /// The type of the name.
    type Name: Clone + Eq + Ord + Hash;
    /// What it is found by: its name, and whatever else tells it from another of that name.
    type Key: Clone + Eq + Ord + Hash;

    /// Its name.
    fn name(&self) -> &Self::Name;

    /// What it is found by.
    fn key(&self) -> Self::Key;
}

/// Things in the order they were declared, found by name (objects: by type and name) in constant time.
///
/// The order is part of the value: base chains of equal priority run in the order of their registration.
#[derive(Clone, Debug)]
pub struct Named<T: HasName>(IndexMap<T::Key, T>);

impl<T: HasName> Named<T> {
    /// Adds `item` at the end, or puts it in the place of the one of the same name, which is returned.
    pub fn insert(&mut self, item: T) -> Option<T> {
        self.0.insert(item.key(), item)
    }

    /// The item of that name.
    pub fn find<Q>(&self, name: &Q) -> Option<&T>
    where
        Q: ?Sized + Hash + Eq,
        T::Key: Borrow<Q>,
    {
        self.0.get(name)
    }

    /// The item of that name, to change it. Its name must stay as it is.
    pub fn find_mut<Q>(&mut self, name: &Q) -> Option<&mut T>
    where
        Q: ?Sized + Hash + Eq,
        T::Key: Borrow<Q>,
    {
        self.0.get_mut(name)
    }

    /// Takes the item of that name out; the others keep their order.
    pub fn remove<Q>(&mut self, name: &Q) -> Option<T>
    where
        Q: ?Sized + Hash + Eq,
        T::Key: Borrow<Q>,
    {
        self.0.shift_remove(name)
    }

    /// Whether there is an item of that name.
    pub fn contains<Q>(&self, name: &Q) -> bool
    where
        Q: ?Sized + Hash + Eq,
        T::Key: Borrow<Q>,
    {
        self.0.contains_key(name)
    }

    /// The items in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.0.values()
    }

    /// The items in their order, to change them. Their names must stay as they are.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> + ExactSizeIterator {
        self.0.values_mut()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: HasName> Default for Named<T> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<T: HasName + PartialEq> PartialEq for Named<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: HasName + Eq> Eq for Named<T> {}

impl<T: HasName + PartialOrd> PartialOrd for Named<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.iter().partial_cmp(other.iter())
    }
}

impl<T: HasName + Ord> Ord for Named<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<T: HasName> FromIterator<T> for Named<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut named = Self::default();
        named.extend(items);
        named
    }
}

impl<T: HasName> Extend<T> for Named<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: HasName> IntoIterator for Named<T> {
    type Item = T;
    type IntoIter = std::iter::Map<indexmap::map::IntoIter<T::Key, T>, fn((T::Key, T)) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(_, item)| item)
    }
}

impl<'a, T: HasName> IntoIterator for &'a Named<T> {
    type Item = &'a T;
    type IntoIter = indexmap::map::Values<'a, T::Key, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.values()
    }
}

impl<T: HasName + Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: HasName + Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<T>::deserialize(deserializer)?.into_iter().collect())
    }
}
