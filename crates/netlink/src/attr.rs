//! Netlink attributes: writing and reading. No `unsafe`, no allocation per attribute.
//!
//! An attribute is a length and a type of two bytes each, in the machine's order, and its payload, padded to four
//! bytes. Numbers inside are in network order, as everywhere in nf_tables. libmnl and libnftnl could do this too; see
//! `elements.rs` for why they do not.

/// Set in the type of an attribute that holds attributes (`NLA_F_NESTED`, linux/netlink.h).
const NESTED: u16 = 1 << 15;
/// The bits of the type that are its number (`NLA_TYPE_MASK`).
const TYPE: u16 = 0x3fff;
/// The length of an attribute's head in bytes.
pub(crate) const HEAD: usize = 4;

/// An attribute that grew longer than its length field can say: 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Bytes of messages that are being written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Writer {
    /// With room for that many bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), too_long: false }
    }

    /// All that was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, read as attributes.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes(&self.bytes)
    }

    /// How much was written, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether since the last call an attribute did not fit; what was written since then is no valid message.
    pub(crate) fn take_too_long(&mut self) -> Result<(), TooLong> {
        if std::mem::take(&mut self.too_long) { Err(TooLong) } else { Ok(()) }
    }

    /// Bytes as they are: headers.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts bytes in the place of others written before.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// An attribute of those bytes.
    #[inline]
    pub(crate) fn put(&mut self, kind: u16, payload: &[u8]) {
        self.head(kind, payload.len());
        self.bytes.extend_from_slice(payload);
        self.pad();
    }

    /// An attribute of two halves, one after the other.
    #[inline]
    pub(crate) fn put_pair(&mut self, kind: u16, first: &[u8], second: &[u8]) {
        self.head(kind, first.len() + second.len());
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(second);
        self.pad();
    }

    /// A text with the zero that ends it.
    pub(crate) fn put_str(&mut self, kind: u16, text: &str) {
        self.put_pair(kind, text.as_bytes(), &[0]);
    }

    /// A number of one byte.
    pub(crate) fn put_u8(&mut self, kind: u16, number: u8) {
        self.put(kind, &[number]);
    }

    /// A number of two bytes.
    pub(crate) fn put_u16(&mut self, kind: u16, number: u16) {
        self.put(kind, &number.to_be_bytes());
    }

    /// A number of four bytes.
    #[inline]
    pub(crate) fn put_u32(&mut self, kind: u16, number: u32) {
        self.put(kind, &number.to_be_bytes());
    }

    /// A number of eight bytes.
    pub(crate) fn put_u64(&mut self, kind: u16, number: u64) {
        self.put(kind, &number.to_be_bytes());
    }

    /// An attribute that holds what `inside` writes.
    #[inline]
    pub(crate) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.open(kind);
        inside(self);
        self.close(start);
    }

    /// Begins an attribute that holds others; the place is for [`Self::close`].
    #[inline]
    pub(crate) fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.head(kind | NESTED, 0);
        start
    }

    /// Ends the attribute that was begun at `start`.
    #[inline]
    pub(crate) fn close(&mut self, start: usize) {
        let len = self.checked_len(self.bytes.len() - start);
        self.patch(start, &len.to_ne_bytes());
    }

    #[inline]
    fn head(&mut self, kind: u16, payload: usize) {
        let mut head = [0; HEAD];
        head[..2].copy_from_slice(&self.checked_len(payload + HEAD).to_ne_bytes());
        head[2..].copy_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&head);
    }

    #[inline]
    fn checked_len(&mut self, len: usize) -> u16 {
        u16::try_from(len).unwrap_or_else(|_| {
            self.too_long = true;
            u16::MAX
        })
    }

    #[inline]
    fn pad(&mut self) {
        let padding = self.bytes.len().next_multiple_of(4) - self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4][..padding]);
    }
}

/// Attributes that were received: the number and payload of each. What is cut off or nonsense ends them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes in those bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Those with a number below `N` by their number; of several with one number the last.
    pub(crate) fn table<const N: usize>(self) -> [Option<Attribute<'a>>; N] {
        let mut table = [None; N];
        for attribute in self {
            if let Some(slot) = table.get_mut(usize::from(attribute.kind)) {
                *slot = Some(attribute);
            }
        }
        table
    }

    /// As [`Self::table`], but `None` if there is an attribute with another number: one this crate does not know.
    pub(crate) fn known<const N: usize>(self) -> Option<[Option<Attribute<'a>>; N]> {
        let mut table = [None; N];
        for attribute in self {
            *table.get_mut(usize::from(attribute.kind))? = Some(attribute);
        }
        Some(table)
    }

    /// The bytes of all of them.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The last with that number.
    pub(crate) fn find(self, kind: u16) -> Option<Attribute<'a>> {
        self.filter(|attribute| attribute.kind == kind).last()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<Attribute<'a>> {
        let (head, _) = self.0.split_first_chunk::<HEAD>()?;
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & TYPE;
        let payload = self.0.get(HEAD..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, payload })
    }
}

/// An attribute that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// Its number, without flags.
    pub(crate) kind: u16,
    /// Its payload, without padding.
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The attributes inside.
    pub(crate) fn nested(self) -> Attributes<'a> {
        Attributes(self.payload)
    }

    /// A number of one byte.
    pub(crate) fn u8(self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// A number of two bytes.
    pub(crate) fn u16(self) -> Option<u16> {
        self.payload.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// A number of four bytes.
    pub(crate) fn u32(self) -> Option<u32> {
        self.payload.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// A number of eight bytes.
    pub(crate) fn u64(self) -> Option<u64> {
        self.payload.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// A text, up to the zero that ends it; `None` where it is not UTF-8.
    pub(crate) fn str(self) -> Option<&'a str> {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        std::str::from_utf8(&self.payload[..end]).ok()
    }

    /// A text, up to the zero that ends it; bytes that are not UTF-8 become replacement characters.
    pub(crate) fn text(self) -> String {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        String::from_utf8_lossy(&self.payload[..end]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.put_u32(1, 0x0102_0304);
        writer.nest(2, |inside| {
            inside.put_str(1, "abc");
            inside.put(3, &[9; 5]);
        });
        writer.put_u64(4, 7);
        let table = Attributes::new(writer.bytes()).table::<5>();
        assert_eq!(table[1].unwrap().u32(), Some(0x0102_0304));
        let inside: Vec<_> = table[2].unwrap().nested().collect();
        assert_eq!(inside[0].text(), "abc");
        assert_eq!(inside[1], Attribute { kind: 3, payload: &[9; 5] });
        assert_eq!(table[4].unwrap().u64(), Some(7));
        assert_eq!(table[3], None);
        assert_eq!(writer.take_too_long(), Ok(()));
    }

    #[test]
    fn an_attribute_of_more_than_65535_bytes_is_noticed() {
        let mut writer = Writer::default();
        writer.put(1, &[0; 65_531]);
        assert_eq!(writer.take_too_long(), Ok(()));
        writer.put(1, &[0; 65_532]);
        assert_eq!(writer.take_too_long(), Err(TooLong));
        writer.nest(2, |inside| (0..2).for_each(|_| inside.put(1, &[0; 40_000])));
        assert_eq!(writer.take_too_long(), Err(TooLong));
        assert_eq!(writer.take_too_long(), Ok(()));
    }

    #[test]
    fn cut_off_and_absurd_attributes_end_the_list() {
        let mut writer = Writer::default();
        writer.put_u32(1, 5);
        writer.put_u32(2, 6);
        let bytes = writer.bytes();
        for cut in 0..bytes.len() {
            let read = Attributes::new(&bytes[..cut]).count();
            assert_eq!(read, usize::from(cut >= 8), "{cut}");
        }
        for len in [0_u16, 1, 3, 9, u16::MAX] {
            let mut absurd = len.to_ne_bytes().to_vec();
            absurd.extend([1, 0, 0, 0, 0, 0]);
            assert_eq!(Attributes::new(&absurd).count(), 0, "{len}");
        }
    }
}
