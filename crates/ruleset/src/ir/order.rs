//! The orders in which nft lists the elements of a set.

use super::{ByteOrder, Element, Elements, KeyType};

impl Elements {
    /// By where they begin; the catch-all is last. nft 1.1 lists so.
    pub fn by_start(&self) -> Vec<&Element> {
        let mut ordered: Vec<&Element> = self.iter().collect();
        // Keys are ordered with single values before ranges.
        if !ordered.is_sorted_by(|a, b| start(a) <= start(b)) {
            ordered.sort_by(|a, b| start(a).cmp(&start(b)));
        }
        ordered
    }

    /// By the number that their bytes make as nft 1.0 reads them from the kernel: the last byte of a concatenation and
    /// of text counts most (`expr_msort_value`, src/mergesort.c). Intervals of concatenations come as the kernel keeps
    /// them; here by where they begin.
    pub fn by_last_byte(&self, key: &KeyType, interval: bool) -> Vec<&Element> {
        let mut ordered = self.by_start();
        let backwards = match key.fields.as_slice() {
            [field] => field.is_text() && !interval,
            _ => !interval,
        };
        if backwards {
            ordered.sort_by_cached_key(|element| match element.key.bounds() {
                Some((start, _)) => (false, backwards_bytes(key, start)),
                None => (true, Vec::new()),
            });
        }
        ordered
    }
}

fn backwards_bytes(key: &KeyType, bytes: &[u8]) -> Vec<u8> {
    let mut kernel = Vec::with_capacity(bytes.len());
    for (field, bytes) in key.split(bytes) {
        let at = kernel.len();
        kernel.extend_from_slice(bytes);
        if field.byte_order == ByteOrder::Host && !field.is_text() {
            kernel[at..].reverse();
        }
    }
    kernel.reverse();
    kernel
}

/// Where an element begins; the catch-all is last.
fn start(element: &Element) -> (bool, &[u8]) {
    element.key.bounds().map_or((true, &[]), |(start, _)| (false, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, DataType, Key, Value};

    #[test]
    fn ranges_stand_where_they_begin_and_the_catch_all_is_last() {
        let keys = [Key::CatchAll, Key::range(&[5], &[9]), Key::Value([7].into()), Key::Value([1].into())];
        let elements: Elements = keys.into_iter().map(|key| Element { key, data: Data::None, extra: None }).collect();
        let order: Vec<&Key> = elements.by_start().into_iter().map(|element| &element.key).collect();
        let expected = [Key::Value([1].into()), Key::range(&[5], &[9]), Key::Value([7].into()), Key::CatchAll];
        assert_eq!(order, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_last_field_of_a_concatenation_counts_most_in_nft_1_0() {
        let types = KeyType::of_types([DataType::InetService, DataType::CtState]);
        let key = |port, state| types.pack(&[Value::port(port), Value::number(DataType::CtState, state)]).unwrap();
        let pairs = [(137, 8), (137, 64), (138, 8), (138, 64)];
        let elements: Elements =
            pairs.iter().map(|(port, state)| Element::new(key(*port, *state), Data::None)).collect();
        let order: Vec<Key> =
            elements.by_last_byte(&types, false).into_iter().map(|element| element.key.clone()).collect();
        assert_eq!(order, [(137, 8), (138, 8), (137, 64), (138, 64)].map(|(port, state)| Key::Value(key(port, state))));
    }
}
