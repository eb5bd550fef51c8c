//! Elements of sets and maps: the bulk of what is ever sent.
//!
//! libnftnl wants an object on the heap for each element and keeps them all until the message is built: several times
//! the time and the memory of the messages themselves. Here an element is written straight into the batch.

use rulectl_ruleset::ir::{AnySet, Data, DataKind, Element, Key, ObjectName};
use rulectl_ruleset::lower::ByteLayout;
use rulectl_ruleset::userdata::{self, ElementUserdata};

use super::Refused;
use super::expr::{self, SetIds};
use crate::attr::{HEAD, Writer};
use crate::{stateful, uapi};

/// The longest key or datum in bytes: 16 registers of 4 (`NFT_REG_SIZE`), twice for ranges.
const LONGEST: usize = 128;

/// How elements of a set are laid out.
pub(crate) struct Layout {
    key: ByteLayout,
    data: ByteLayout,
    key_len: usize,
    data_len: usize,
    /// Half of the data's bytes where they are ranges.
    data_half: Option<usize>,
    intervals: Intervals,
    /// The elements are to be deleted: their keys say it all.
    keys_only: bool,
}

/// How a set keeps ranges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intervals {
    /// It has none.
    No,
    /// As two elements, the second behind the end (`NFT_SET_ELEM_INTERVAL_END`): net/netfilter/nft_set_rbtree.c.
    Pairs,
    /// As one element with two keys (`NFTA_SET_ELEM_KEY_END`): net/netfilter/nft_set_pipapo.c.
    TwoKeys,
}

impl Layout {
    /// Of the elements of that set.
    pub(crate) fn of(set: &AnySet) -> Self {
        let spec = set.spec();
        let (data, data_len, data_half) = match set.data_kind() {
            DataKind::Value { data, interval } => {
                (ByteLayout::of_data(&data), if interval { 2 } else { 1 } * data.len(), interval.then(|| data.len()))
            }
            _ => (ByteLayout::default(), 0, None),
        };
        let intervals = match (spec.flags.interval, spec.key.is_concat()) {
            (false, _) => Intervals::No,
            (true, false) => Intervals::Pairs,
            (true, true) => Intervals::TwoKeys,
        };
        let key = ByteLayout::of_key(spec);
        Self { key, data, key_len: spec.key.len(), data_len, data_half, intervals, keys_only: false }
    }

    /// The same, for messages that only name elements.
    pub(crate) fn keys_only(self) -> Self {
        Self { keys_only: true, ..self }
    }

    /// Writes an element, as one or two elements of the kernel.
    #[inline]
    pub(crate) fn put(&self, writer: &mut Writer, element: &Element) -> Result<(), Refused> {
        match &element.key {
            Key::Value(key) if self.intervals == Intervals::No => {
                let start = writer.open(uapi::list::ELEM);
                self.put_key(writer, uapi::elem::KEY, key)?;
                self.put_rest(writer, element, false)?;
                writer.close(start);
                Ok(())
            }
            _ => self.put_special(writer, element),
        }
    }

    /// The catch-all and elements of interval sets.
    fn put_special(&self, writer: &mut Writer, element: &Element) -> Result<(), Refused> {
        let Some((first, last)) = element.key.bounds() else {
            let start = writer.open(uapi::list::ELEM);
            writer.put_u32(uapi::elem::FLAGS, uapi::NFT_SET_ELEM_CATCHALL);
            self.put_rest(writer, element, false)?;
            writer.close(start);
            return Ok(());
        };
        match self.intervals {
            Intervals::No => Err(Refused("a range as a key needs `flags interval`".into())),
            Intervals::Pairs => self.put_pair(writer, element, first, last),
            Intervals::TwoKeys => {
                let start = writer.open(uapi::list::ELEM);
                self.put_key(writer, uapi::elem::KEY, first)?;
                self.put_key(writer, uapi::elem::KEY_END, last)?;
                self.put_rest(writer, element, false)?;
                writer.close(start);
                Ok(())
            }
        }
    }

    fn put_pair(&self, writer: &mut Writer, element: &Element, first: &[u8], last: &[u8]) -> Result<(), Refused> {
        let mut end = [0; LONGEST];
        let end = end.get_mut(..last.len()).ok_or_else(|| self.wrong_length(last))?;
        end.copy_from_slice(last);
        let open = !increment(end);

        let start = writer.open(uapi::list::ELEM);
        self.put_key(writer, uapi::elem::KEY, first)?;
        self.put_rest(writer, element, open)?;
        writer.close(start);
        if !open {
            let start = writer.open(uapi::list::ELEM);
            writer.put_u32(uapi::elem::FLAGS, uapi::NFT_SET_ELEM_INTERVAL_END);
            self.put_key(writer, uapi::elem::KEY, end)?;
            writer.close(start);
        }
        Ok(())
    }

    #[inline]
    fn put_key(&self, writer: &mut Writer, kind: u16, key: &[u8]) -> Result<(), Refused> {
        if key.len() != self.key_len {
            return Err(self.wrong_length(key));
        }
        put_laid_out(writer, kind, key, &self.key);
        Ok(())
    }

    #[cold]
    fn wrong_length(&self, key: &[u8]) -> Refused {
        Refused(format!("a key has {} bytes where the set has keys of {}", key.len(), self.key_len))
    }

    /// Everything but the key.
    #[inline]
    fn put_rest(&self, writer: &mut Writer, element: &Element, open: bool) -> Result<(), Refused> {
        if self.keys_only {
            return Ok(());
        }
        match &element.data {
            Data::None => {}
            Data::Verdict(verdict) => {
                let start = writer.open(uapi::elem::DATA);
                expr::put_verdict(writer, verdict);
                writer.close(start);
            }
            Data::Value(data) => self.put_data(writer, data)?,
            Data::Object(object) => put_object(writer, object),
        }
        if open || element.extra.is_some() { put_extra(writer, element, open) } else { Ok(()) }
    }

    #[inline]
    fn put_data(&self, writer: &mut Writer, data: &[u8]) -> Result<(), Refused> {
        if data.len() != self.data_len || data.len() > LONGEST {
            let (len, wanted) = (data.len(), self.data_len);
            return Err(Refused(format!("data have {len} bytes where the map has data of {wanted}")));
        }
        match self.data_half {
            Some(half) if !self.data.is_identity() => {
                let mut turned = [0; LONGEST];
                turned[..data.len()].copy_from_slice(data);
                turned[..data.len()].chunks_mut(half).for_each(|part| self.data.turn(part));
                put_laid_out(writer, uapi::elem::DATA, &turned[..data.len()], &ByteLayout::default());
            }
            _ => put_laid_out(writer, uapi::elem::DATA, data, &self.data),
        }
        Ok(())
    }
}

/// A value inside data (`NFTA_DATA_VALUE`), in the kernel's order.
#[inline]
fn put_laid_out(writer: &mut Writer, kind: u16, value: &[u8], layout: &ByteLayout) {
    let start = writer.open(kind);
    if layout.is_identity() {
        writer.put(uapi::data::VALUE, value);
    } else {
        let mut turned = [0; LONGEST];
        let turned = &mut turned[..value.len().min(LONGEST)];
        turned.copy_from_slice(&value[..turned.len()]);
        layout.turn(turned);
        writer.put(uapi::data::VALUE, turned);
    }
    writer.close(start);
}

fn put_object(writer: &mut Writer, object: &ObjectName) {
    writer.put_str(uapi::elem::OBJREF, object.as_str());
}

#[cold]
fn put_extra(writer: &mut Writer, element: &Element, open: bool) -> Result<(), Refused> {
    let none = Default::default();
    let extra = element.extra.as_deref().unwrap_or(&none);
    if let Some(timeout) = extra.timeout_ms {
        writer.put_u64(uapi::elem::TIMEOUT, timeout);
    }
    if let Some(expires) = extra.expires_ms {
        writer.put_u64(uapi::elem::EXPIRATION, expires);
    }
    let noted = userdata::element(&ElementUserdata { comment: extra.comment.clone(), interval_open: open });
    if !noted.is_empty() {
        writer.put(uapi::elem::USERDATA, &noted);
    }
    let mut exprs = Vec::with_capacity(extra.statements.len());
    for statement in &extra.statements {
        exprs.push(stateful::expr(statement).ok_or_else(|| Refused(format!("an element cannot carry {statement:?}")))?);
    }
    let mut ids = SetIds::new(0..0);
    match exprs.as_slice() {
        [] => {}
        [one] => writer.nest(uapi::elem::EXPR, |writer| expr::put(writer, one, &mut ids)),
        all => writer.nest(uapi::elem::EXPRESSIONS, |writer| expr::put_list(writer, all, &mut ids)),
    }
    Ok(())
}

/// The next greater number of the same length; `false` if there is none.
fn increment(bytes: &mut [u8]) -> bool {
    for byte in bytes.iter_mut().rev() {
        let (next, over) = byte.overflowing_add(1);
        *byte = next;
        if !over {
            return true;
        }
    }
    false
}

/// How many elements of the kernel the elements of a set are.
pub(crate) fn count(set: &AnySet) -> u32 {
    let spec = set.spec();
    let elements = set.elements();
    if !spec.flags.interval || spec.key.is_concat() {
        return elements.len() as u32;
    }
    let without_end =
        |element: &Element| element.key.bounds().is_none_or(|(_, last)| last.iter().all(|byte| *byte == u8::MAX));
    elements.iter().map(|element| if without_end(element) { 1 } else { 2 }).sum()
}

/// Room in an attribute for what an element at most takes, so that a list of elements is ended before it overflows:
/// two keys and data of 128 bytes, a chain's name, user data, a few expressions.
const LARGEST: usize = 4096;

/// Writes elements into one attribute until it is nearly full; returns how many were written.
pub(crate) fn put_some(writer: &mut Writer, layout: &Layout, elements: &[Element]) -> Result<usize, Refused> {
    let start = writer.open(uapi::elem_list::ELEMENTS);
    let full = start + usize::from(u16::MAX) - LARGEST - HEAD;
    let mut written = 0;
    for element in elements {
        if writer.len() > full {
            break;
        }
        layout.put(writer, element)?;
        written += 1;
    }
    writer.close(start);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_after_the_highest_does_not_exist() {
        let mut bytes = [0, 255, 255];
        assert!(increment(&mut bytes));
        assert_eq!(bytes, [1, 0, 0]);
        assert!(!increment(&mut [255, 255]));
    }
}
