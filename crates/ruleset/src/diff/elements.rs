//! Elements, compared by walking both sorted lists once.

use std::cmp::Ordering;

use super::compare::{is_passing, same_element};
use crate::ir::{AnySet, Element, Elements};

/// Elements that go and elements that come.
#[derive(Default)]
pub(super) struct ElementsDiff {
    pub(super) removed: Vec<Element>,
    pub(super) added: Vec<Element>,
}

impl ElementsDiff {
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    fn replace(&mut self, live: &Element, wanted: &Element) {
        self.removed.push(live.clone());
        self.added.push(wanted.clone());
    }
}

/// Compares the elements of two sets of the same declaration. `is_stale` tells the live elements that must be made anew
/// though they are as wanted.
pub(super) fn diff(live: &AnySet, wanted: &AnySet, is_stale: impl Fn(&Element) -> bool) -> ElementsDiff {
    let mut diff = ElementsDiff::default();
    for pair in Merge::of(live.elements(), wanted.elements()) {
        match pair {
            (Some(live_element), wanted_element) if stays(live, live_element, wanted_element) => {
                if is_stale(live_element) {
                    diff.replace(live_element, live_element);
                }
            }
            (live, wanted) => {
                diff.removed.extend(live.cloned());
                diff.added.extend(wanted.cloned());
            }
        }
    }
    diff
}

/// The elements of a set that is made anew: those wanted, and those that packets put into the live one if they still
/// fit.
pub(super) fn carried_over(live: &AnySet, wanted: &AnySet) -> Elements {
    if live.spec().key != wanted.spec().key || live.data_kind() != wanted.data_kind() {
        return wanted.elements().clone();
    }
    let carried = |pair: Pair<'_>| match pair {
        (Some(element), None) => is_passing(live, element).then(|| element.clone()),
        (_, wanted) => wanted.cloned(),
    };
    Merge::of(live.elements(), wanted.elements()).filter_map(carried).collect()
}

/// Whether a live element is left as it is.
fn stays(set: &AnySet, live: &Element, wanted: Option<&Element>) -> bool {
    match wanted {
        Some(wanted) => same_element(set, live, wanted) || set.spec().flags.dynamic,
        None => is_passing(set, live),
    }
}

/// The live and the wanted element of a key.
pub(super) type Pair<'a> = (Option<&'a Element>, Option<&'a Element>);

/// Two sorted lists, side by side by key.
pub(super) struct Merge<'a> {
    pub(super) live: &'a [Element],
    pub(super) wanted: &'a [Element],
}

impl<'a> Merge<'a> {
    fn of(live: &'a Elements, wanted: &'a Elements) -> Self {
        Self { live: live.as_slice(), wanted: wanted.as_slice() }
    }
}

impl<'a> Iterator for Merge<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.live.first(), self.wanted.first()) {
            (Some(live), Some(wanted)) => live.key.cmp(&wanted.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let live = if order.is_le() { self.live.split_off_first() } else { None };
        let wanted = if order.is_ge() { self.wanted.split_off_first() } else { None };
        Some((live, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, DataKind, DataType, KeyType, SetName, SetSpec};

    fn map(elements: impl IntoIterator<Item = (u8, u8)>) -> AnySet {
        let key = KeyType::of_types([DataType::InetProto]);
        let spec = SetSpec::new(SetName::new("m").unwrap(), key.clone());
        let elements = elements.into_iter().map(|(key, data)| Element::new([key].into(), Data::Value([data].into())));
        AnySet::new(spec, DataKind::Value { data: key, interval: false }).with_elements(elements.collect())
    }

    fn keys(elements: &[Element]) -> Vec<u8> {
        elements.iter().map(|element| element.key.bounds().unwrap().0[0]).collect()
    }

    #[test]
    fn a_changed_element_goes_and_comes_and_an_equal_one_does_neither() {
        let diff = diff(&map([(1, 1), (2, 1), (3, 1)]), &map([(0, 1), (2, 2), (3, 1)]), |_| false);
        assert_eq!(keys(&diff.removed), [1, 2]);
        assert_eq!(keys(&diff.added), [0, 2]);
    }

    #[test]
    fn elements_that_packets_add_stay() {
        let mut live = map([(1, 1), (2, 1)]);
        live.spec_mut().flags.dynamic = true;
        let mut wanted = map([(3, 1)]);
        wanted.spec_mut().flags.dynamic = true;
        let diff = diff(&live, &wanted, |_| false);
        assert_eq!((keys(&diff.removed), keys(&diff.added)), (vec![], vec![3]));
        assert_eq!(carried_over(&live, &wanted).len(), 3);
    }

    #[test]
    fn stale_elements_are_made_anew() {
        let set = map([(1, 1), (2, 1)]);
        let diff = diff(&set, &set.clone(), |element| keys(std::slice::from_ref(element)) == [2]);
        assert_eq!((keys(&diff.removed), keys(&diff.added)), (vec![2], vec![2]));
    }
}
