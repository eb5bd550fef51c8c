//! Type, length, value: one byte for each of the first two.

use nom::bytes::complete::take;
use nom::number::complete::u8 as byte;
use nom::{IResult, Parser};

/// Writes one attribute. A value that has no room for its length is left out: what nests it is then void as a whole.
pub(super) fn put(buffer: &mut Vec<u8>, kind: u8, value: &[u8]) {
    if let Ok(len) = u8::try_from(value.len()) {
        buffer.extend([kind, len]);
        buffer.extend(value);
    }
}

/// Writes a number.
pub(super) fn put_u32(buffer: &mut Vec<u8>, kind: u8, value: u32) {
    put(buffer, kind, &value.to_ne_bytes());
}

/// Writes a text and its closing zero.
pub(super) fn put_text(buffer: &mut Vec<u8>, kind: u8, text: &str) {
    let mut value = text.as_bytes().to_vec();
    value.push(0);
    put(buffer, kind, &value);
}

/// Writes what `fill` writes, nested.
pub(super) fn put_nested(buffer: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    put(buffer, kind, &inner);
}

fn attribute(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    let (input, (kind, len)) = (byte, byte).parse(input)?;
    let (input, value) = take(len)(input)?;
    Ok((input, (kind, value)))
}

/// The attributes of a buffer, up to the first that is cut off.
pub(super) fn attributes(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (rest, item) = attribute(input).ok()?;
        input = rest;
        Some(item)
    })
}

/// The first attribute of that kind.
pub(super) fn find(input: &[u8], kind: u8) -> Option<&[u8]> {
    attributes(input).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// The number in the first attribute of that kind.
pub(super) fn find_u32(input: &[u8], kind: u8) -> Option<u32> {
    find(input, kind)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_attribute_ends_the_list() {
        let bytes = [0, 1, 7, 1, 4, 0, 0];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [(0, &[7_u8][..])]);
        assert_eq!(attributes(&[0]).count(), 0);
    }
}
