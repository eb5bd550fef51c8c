//! Netlink messages: the headers of what is sent, and what the kernel answers.

use rulectl_ruleset::ir::Family;

use crate::attr::{Attributes, HEAD, Writer};
use crate::uapi;

/// The length of `struct nlmsghdr` in bytes.
const HEADER: usize = 16;
/// The length of `struct nfgenmsg` in bytes.
const FAMILY_HEADER: usize = 4;
/// Where the attributes of a message begin.
pub(crate) const ATTRIBUTES: usize = HEADER + FAMILY_HEADER;

/// Begins a message; the place is for [`end`].
pub(crate) fn begin(writer: &mut Writer, kind: u16, flags: u16, seq: u32, family: u8, resource: u16) -> usize {
    let start = writer.len();
    let mut header = [0; ATTRIBUTES];
    header[4..6].copy_from_slice(&kind.to_ne_bytes());
    header[6..8].copy_from_slice(&(flags | uapi::NLM_F_REQUEST).to_ne_bytes());
    header[8..12].copy_from_slice(&seq.to_ne_bytes());
    header[16] = family;
    header[18..20].copy_from_slice(&resource.to_be_bytes());
    writer.raw(&header);
    start
}

/// Begins a message of nf_tables.
pub(crate) fn begin_nft(writer: &mut Writer, kind: u16, flags: u16, seq: u32, family: Option<Family>) -> usize {
    let family = family.map_or(0, Family::nfproto);
    begin(writer, uapi::NFNL_SUBSYS_NFTABLES << 8 | kind, flags, seq, family, 0)
}

/// Ends the message that began at `start`.
pub(crate) fn end(writer: &mut Writer, start: usize) {
    // A buffer of 4 GiB is beyond what any socket takes; the send would fail before the length is read.
    let len = (writer.len() - start) as u32;
    writer.patch(start, &len.to_ne_bytes());
}

/// Puts a sequence number into the message that begins at `start`.
pub(crate) fn set_seq(writer: &mut Writer, start: usize, seq: u32) {
    writer.patch(start + 8, &seq.to_ne_bytes());
}

/// A message that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// Its type, with the subsystem.
    pub(crate) kind: u16,
    /// Its flags.
    pub(crate) flags: u16,
    /// The sequence number of the message it answers.
    pub(crate) seq: u32,
    /// What follows `struct nlmsghdr`.
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Its type within nf_tables; `None` for a message of anything else.
    pub(crate) fn nft_kind(&self) -> Option<u16> {
        (self.kind >> 8 == uapi::NFNL_SUBSYS_NFTABLES).then_some(self.kind & 0xff)
    }

    /// Whether it ends a dump, and the error number, positive, that did so; 0 for the end of what there is.
    pub(crate) fn end(&self) -> Option<i32> {
        if self.kind != uapi::NLMSG_DONE {
            return None;
        }
        Some(self.payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code).saturating_neg()))
    }

    /// The family in its header.
    pub(crate) fn family(&self) -> Option<Family> {
        Family::from_nfproto(*self.payload.first()?)
    }

    /// Its attributes, for messages of nf_tables.
    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.payload.get(FAMILY_HEADER..).unwrap_or_default())
    }

    /// What follows a header of `N` bytes of its own, and that header: for messages that are not netfilter's.
    pub(crate) fn split<const N: usize>(&self) -> Option<(&'a [u8; N], Attributes<'a>)> {
        let (header, attributes) = self.payload.split_first_chunk()?;
        Some((header, Attributes::new(attributes)))
    }

    /// Which attribute inside the attribute `kind` holds the byte at `offset` of the message, counted from its header.
    pub(crate) fn child_at(&self, kind: u16, offset: u32) -> Option<usize> {
        let offset = offset as usize;
        let mut at = ATTRIBUTES;
        for attribute in self.attributes() {
            let end = at + HEAD + attribute.payload.len();
            if attribute.kind == kind && (at + HEAD..end).contains(&offset) {
                let mut child = at + HEAD;
                return attribute.nested().position(|inner| {
                    child += (HEAD + inner.payload.len()).next_multiple_of(4);
                    offset < child
                });
            }
            at = end.next_multiple_of(4);
        }
        None
    }

    /// What it reports, if it is an error or an acknowledgement (`struct nlmsgerr`).
    pub(crate) fn report(&self) -> Option<Report> {
        if self.kind != uapi::NLMSG_ERROR {
            return None;
        }
        let code = i32::from_ne_bytes(*self.payload.first_chunk()?);
        let mut report = Report { seq: self.seq, errno: code.saturating_neg(), offset: None, message: None };
        if self.flags & uapi::NLM_F_ACK_TLVS != 0 {
            // With NETLINK_CAP_ACK only the header of our message is repeated, unless the kernel says otherwise.
            let ours = self.payload.get(4..8).map_or(0, |len| u32::from_ne_bytes([len[0], len[1], len[2], len[3]]));
            let skip = if self.flags & uapi::NLM_F_CAPPED != 0 { HEADER } else { ours as usize };
            let attributes = self.payload.get((4 + skip).next_multiple_of(4)..).unwrap_or_default();
            for attribute in Attributes::new(attributes) {
                match attribute.kind {
                    uapi::NLMSGERR_ATTR_MSG => report.message = Some(attribute.text()),
                    uapi::NLMSGERR_ATTR_OFFS => {
                        // One of the few numbers in the machine's order.
                        report.offset = attribute.payload.first_chunk().copied().map(u32::from_ne_bytes);
                    }
                    _ => {}
                }
            }
        }
        Some(report)
    }
}

/// What the kernel says about a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Which message.
    pub(crate) seq: u32,
    /// The error number, positive; 0 if all is well.
    pub(crate) errno: i32,
    /// Where in that message the offending attribute begins, in bytes from its header.
    pub(crate) offset: Option<u32>,
    /// The kernel's words.
    pub(crate) message: Option<String>,
}

/// The messages of a datagram. What is cut off ends them.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.0.first_chunk::<HEADER>()?;
        let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let len = word(0) as usize;
        let payload = self.0.get(HEADER..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind: half(4), flags: half(6), seq: word(8), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_lead_back_to_what_was_written() {
        let mut writer = Writer::default();
        for seq in [7, 8] {
            let start = begin_nft(&mut writer, 6, 0, seq, Some(Family::Ip6));
            writer.put_str(1, "t");
            end(&mut writer, start);
        }
        let messages: Vec<_> = Messages(writer.bytes()).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[1].nft_kind(), messages[1].seq, messages[1].family()), (Some(6), 8, Some(Family::Ip6)));
        assert_eq!(messages[1].attributes().next().unwrap().text(), "t");
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        for len in 0..64 {
            for fill in [0, 1, 2, 16, 20, 255] {
                let bytes = vec![fill; len];
                for message in Messages(&bytes) {
                    let _ = (message.report(), message.family(), message.attributes().count());
                }
            }
        }
    }
}
