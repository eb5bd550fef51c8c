//! `-m srh` (extensions/libip6t_srh.c, `srh_save`).

use super::super::extension::{Only, extension};
use super::super::head::{Address, Criterion};
use super::super::ruleset::Family;

use super::ProtocolNumber;

extension! {
    /// What the segment routing header must be.
    Srh, "srh", Only::ANYWHERE.family(Family::Ip6);
    /// The next header.
    next_header: Option<Criterion<ProtocolNumber>>, "--srh-next-hdr";
    /// Its length is that.
    header_length_eq: Option<Criterion<u8>>, "--srh-hdr-len-eq";
    /// Its length is more.
    header_length_gt: Option<Criterion<u8>>, "--srh-hdr-len-gt";
    /// Its length is less.
    header_length_lt: Option<Criterion<u8>>, "--srh-hdr-len-lt";
    /// The segments left is that.
    segments_left_eq: Option<Criterion<u8>>, "--srh-segs-left-eq";
    /// The segments left is more.
    segments_left_gt: Option<Criterion<u8>>, "--srh-segs-left-gt";
    /// The segments left is less.
    segments_left_lt: Option<Criterion<u8>>, "--srh-segs-left-lt";
    /// The last entry is that.
    last_entry_eq: Option<Criterion<u8>>, "--srh-last-entry-eq";
    /// The last entry is more.
    last_entry_gt: Option<Criterion<u8>>, "--srh-last-entry-gt";
    /// The last entry is less.
    last_entry_lt: Option<Criterion<u8>>, "--srh-last-entry-lt";
    /// Its tag.
    tag: Option<Criterion<u16>>, "--srh-tag";
    /// The segment before.
    psid: Option<Criterion<Address>>, "--srh-psid";
    /// The segment after.
    nsid: Option<Criterion<Address>>, "--srh-nsid";
    /// The last segment.
    lsid: Option<Criterion<Address>>, "--srh-lsid";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&[
            "-m srh",
            "-m srh ! --srh-next-hdr 17 --srh-hdr-len-eq 8 --srh-segs-left-gt 5 --srh-last-entry-lt 6 --srh-tag 0 --srh-psid a::/64 --srh-nsid b::1/128",
        ]);
        is_refused(&["-m srh --srh-tag 65536"]);
    }
}
