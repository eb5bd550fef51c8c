//! Extension headers and options, and their fields: one table, as for packet headers.

use serde::{Deserialize, Serialize};

use super::{ByteOrder, DataType, FieldSpec};

/// A field of an extension header or option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exthdr {
    /// What carries it: `exthdr` (IPv6), `tcp option`, `ip option`, `sctp chunk`, `dccp option`.
    pub carrier: ExthdrCarrier,
    /// The header's or option's name, or number in decimal digits; `sack1` for the second block; `@34,8,16` for 16 bits
    /// from bit 8 of TCP option 34.
    pub name: String,
    /// The field, with its index where there are several (`addr[1]`); `None` asks whether the header exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What carries an extension header or option (`enum nft_exthdr_op`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExthdrCarrier {
    /// An IPv6 extension header.
    Ipv6,
    /// A TCP option.
    TcpOption,
    /// An IPv4 option.
    IpOption,
    /// An SCTP chunk.
    SctpChunk,
    /// A DCCP option.
    DccpOption,
}

impl ExthdrCarrier {
    /// The kernel's number (`NFT_EXTHDR_OP_*`).
    pub const fn number(self) -> u32 {
        match self {
            Self::Ipv6 => 0,
            Self::TcpOption => 1,
            Self::IpOption => 2,
            Self::SctpChunk => 3,
            Self::DccpOption => 4,
        }
    }

    /// What stands before the name; nothing but for an IPv6 header with a field.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Ipv6 => "exthdr",
            Self::TcpOption => "tcp option",
            Self::IpOption => "ip option",
            Self::SctpChunk => "sctp chunk",
            Self::DccpOption => "dccp option",
        }
    }

    /// The headers or options it carries: name, number, fields.
    pub const fn headers(self) -> &'static [ExthdrHeader] {
        match self {
            Self::Ipv6 => IPV6,
            Self::TcpOption => TCP_OPTIONS,
            Self::IpOption => IP_OPTIONS,
            Self::SctpChunk => SCTP_CHUNKS,
            Self::DccpOption => &[],
        }
    }
}

/// An extension header or option that nft knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExthdrHeader {
    /// nft's name.
    pub name: &'static str,
    /// Its number on the wire.
    pub number: u8,
    /// Its fields; one that ends in `[]` repeats.
    pub fields: &'static [FieldSpec],
}

impl Exthdr {
    /// Number of the header, and place, length and type of the field. For a test of existence the field is the first
    /// byte and its type a boolean.
    ///
    /// `None` for names that nft does not have.
    pub fn spec(&self) -> Option<(u8, FieldSpec)> {
        if let Some(raw) = self.name.strip_prefix('@') {
            return raw_spec(raw);
        }
        let found = self.header();
        let number = match found {
            Some((header, _)) => header.number,
            None => self.name.parse().ok()?,
        };
        let Some(field) = &self.field else {
            return Some((number, field("exists", 0, 8, DataType::Boolean)));
        };
        let (name, index) = match field.strip_suffix(']').and_then(|field| field.split_once('[')) {
            // nft counts them from 1.
            Some((name, index)) => (name, index.parse::<u32>().ok()?.checked_sub(1)?),
            None => (field.as_str(), 0),
        };
        let (fields, block) = match found {
            Some((header, block)) => (header.fields, block),
            None => (KIND_LENGTH, 0),
        };
        let spec = fields.iter().find(|spec| spec.name.trim_end_matches("[]") == name)?;
        let offset_bits = index.checked_mul(spec.bits)?.checked_add(spec.offset_bits)?.checked_add(block * 64)?;
        Some((number, FieldSpec { offset_bits, ..*spec }))
    }

    /// Data type, length in bits and byte order of what is loaded.
    pub fn typed(&self) -> Option<(DataType, u32, ByteOrder)> {
        self.spec().map(|(_, spec)| (spec.datatype, spec.bits, ByteOrder::Network))
    }

    /// The header in the table, and for `sack1` and the like the index of the block.
    fn header(&self) -> Option<(&'static ExthdrHeader, u32)> {
        let by_name = |name: &str| self.carrier.headers().iter().find(|header| header.name == name);
        by_name(&self.name).map(|header| (header, 0)).or_else(|| {
            let digit = self.name.strip_prefix("sack")?.parse::<u32>().ok().filter(|index| *index < 4)?;
            by_name("sack").map(|header| (header, digit))
        })
    }
}

/// `kind,offset,length` in bits.
fn raw_spec(raw: &str) -> Option<(u8, FieldSpec)> {
    let mut parts = raw.split(',');
    let number = parts.next()?.parse().ok()?;
    let offset_bits = parts.next()?.parse().ok()?;
    let bits = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((number, field("raw", offset_bits, bits, DataType::Integer)))
}

const fn field(name: &'static str, offset_bits: u32, bits: u32, datatype: DataType) -> FieldSpec {
    FieldSpec { name, offset_bits, bits, datatype }
}

const fn number(name: &'static str, offset_bits: u32, bits: u32) -> FieldSpec {
    field(name, offset_bits, bits, DataType::Integer)
}

const fn header(name: &'static str, number: u8, fields: &'static [FieldSpec]) -> ExthdrHeader {
    ExthdrHeader { name, number, fields }
}

const NEXTHDR: FieldSpec = field("nexthdr", 0, 8, DataType::InetProto);
const HDRLENGTH: FieldSpec = number("hdrlength", 8, 8);

/// RFC 8200, RFC 6275, RFC 8754.
const IPV6: &[ExthdrHeader] = &[
    header("hbh", 0, &[NEXTHDR, HDRLENGTH]),
    header("rt", 43, &[NEXTHDR, HDRLENGTH, number("type", 16, 8), number("seg-left", 24, 8)]),
    header("rt0", 43, &[field("addr[]", 64, 128, DataType::Ipv6Addr)]),
    header("rt2", 43, &[field("addr", 64, 128, DataType::Ipv6Addr)]),
    header(
        "srh",
        43,
        &[
            number("last-entry", 32, 8),
            number("flags", 40, 8),
            number("tag", 48, 16),
            field("sid[]", 64, 128, DataType::Ipv6Addr),
        ],
    ),
    header(
        "frag",
        44,
        &[
            NEXTHDR,
            number("reserved", 8, 8),
            number("frag-off", 16, 13),
            number("reserved2", 29, 2),
            number("more-fragments", 31, 1),
            number("id", 32, 32),
        ],
    ),
    header("dst", 60, &[NEXTHDR, HDRLENGTH]),
    header(
        "mh",
        135,
        &[
            NEXTHDR,
            HDRLENGTH,
            field("type", 16, 8, DataType::MhType),
            number("reserved", 24, 8),
            number("checksum", 32, 16),
        ],
    ),
];

const KIND: FieldSpec = number("kind", 0, 8);
const LENGTH: FieldSpec = number("length", 8, 8);
const KIND_LENGTH: &[FieldSpec] = &[KIND, LENGTH, field("type", 0, 8, DataType::Integer)];

/// RFC 9293, 2018, 7323, 2385, 8684, 7413.
const TCP_OPTIONS: &[ExthdrHeader] = &[
    header("eol", 0, &[KIND]),
    header("nop", 1, &[KIND]),
    header("maxseg", 2, &[KIND, LENGTH, number("size", 16, 16)]),
    header("window", 3, &[KIND, LENGTH, number("count", 16, 8)]),
    header("sack-perm", 4, &[KIND, LENGTH]),
    header("sack", 5, &[KIND, LENGTH, number("left", 16, 32), number("right", 48, 32)]),
    header("timestamp", 8, &[KIND, LENGTH, number("tsval", 16, 32), number("tsecr", 48, 32)]),
    header("md5sig", 19, &[KIND, LENGTH]),
    header("mptcp", 30, &[KIND, LENGTH, number("subtype", 16, 4)]),
    header("fastopen", 34, &[KIND, LENGTH]),
];

const ROUTE: &[FieldSpec] = &[number("type", 0, 8), LENGTH, number("ptr", 16, 8), number("addr", 24, 32)];

/// RFC 791, RFC 2113.
const IP_OPTIONS: &[ExthdrHeader] = &[
    header("rr", 7, ROUTE),
    header("lsrr", 131, ROUTE),
    header("ssrr", 137, ROUTE),
    header("ra", 148, &[number("type", 0, 8), LENGTH, number("value", 16, 16)]),
];

const CHUNK_TYPE: FieldSpec = number("type", 0, 8);
const CHUNK_FLAGS: FieldSpec = number("flags", 8, 8);
const CHUNK_LENGTH: FieldSpec = number("length", 16, 16);

const CHUNK: &[FieldSpec] = &[CHUNK_TYPE, CHUNK_FLAGS, CHUNK_LENGTH];
const INIT: &[FieldSpec] = &[
    CHUNK_TYPE,
    CHUNK_FLAGS,
    CHUNK_LENGTH,
    number("init-tag", 32, 32),
    number("a-rwnd", 64, 32),
    number("num-outbound-streams", 96, 16),
    number("num-inbound-streams", 112, 16),
    number("initial-tsn", 128, 32),
];
const LOWEST_TSN: &[FieldSpec] = &[CHUNK_TYPE, CHUNK_FLAGS, CHUNK_LENGTH, number("lowest-tsn", 32, 32)];
const SEQNO: &[FieldSpec] = &[CHUNK_TYPE, CHUNK_FLAGS, CHUNK_LENGTH, number("seqno", 32, 32)];

/// RFC 9260, RFC 5061, RFC 3758.
const SCTP_CHUNKS: &[ExthdrHeader] = &[
    header(
        "data",
        0,
        &[
            CHUNK_TYPE,
            CHUNK_FLAGS,
            CHUNK_LENGTH,
            number("tsn", 32, 32),
            number("stream", 64, 16),
            number("ssn", 80, 16),
            number("ppid", 96, 32),
        ],
    ),
    header("init", 1, INIT),
    header("init-ack", 2, INIT),
    header(
        "sack",
        3,
        &[
            CHUNK_TYPE,
            CHUNK_FLAGS,
            CHUNK_LENGTH,
            number("cum-tsn-ack", 32, 32),
            number("a-rwnd", 64, 32),
            number("num-gap-ack-blocks", 96, 16),
            number("num-dup-tsns", 112, 16),
        ],
    ),
    header("heartbeat", 4, CHUNK),
    header("heartbeat-ack", 5, CHUNK),
    header("abort", 6, CHUNK),
    header("shutdown", 7, &[CHUNK_TYPE, CHUNK_FLAGS, CHUNK_LENGTH, number("cum-tsn-ack", 32, 32)]),
    header("shutdown-ack", 8, CHUNK),
    header("error", 9, CHUNK),
    header("cookie-echo", 10, CHUNK),
    header("cookie-ack", 11, CHUNK),
    header("ecne", 12, LOWEST_TSN),
    header("cwr", 13, LOWEST_TSN),
    header("shutdown-complete", 14, CHUNK),
    header("asconf-ack", 0x80, SEQNO),
    header("forward-tsn", 0xc0, &[CHUNK_TYPE, CHUNK_FLAGS, CHUNK_LENGTH, number("new-cum-tsn", 32, 32)]),
    header("asconf", 0xc1, SEQNO),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn place(carrier: ExthdrCarrier, name: &str, field: Option<&str>) -> Option<(u8, u32, u32)> {
        let exthdr = Exthdr { carrier, name: name.into(), field: field.map(Into::into) };
        exthdr.spec().map(|(number, spec)| (number, spec.offset_bits, spec.bits))
    }

    #[test]
    fn fields_are_found_by_name_index_and_raw_place() {
        assert_eq!(place(ExthdrCarrier::TcpOption, "maxseg", Some("size")), Some((2, 16, 16)));
        assert_eq!(place(ExthdrCarrier::TcpOption, "sack2", Some("left")), Some((5, 144, 32)));
        assert_eq!(place(ExthdrCarrier::TcpOption, "@34,8,16", None), Some((34, 8, 16)));
        assert_eq!(place(ExthdrCarrier::TcpOption, "254", None), Some((254, 0, 8)));
        assert_eq!(place(ExthdrCarrier::Ipv6, "rt0", Some("addr[2]")), Some((43, 192, 128)));
        assert_eq!(place(ExthdrCarrier::Ipv6, "rt0", Some("addr[99999999999]")), None);
        assert_eq!(place(ExthdrCarrier::SctpChunk, "data", Some("ppid")), Some((0, 96, 32)));
        assert_eq!(place(ExthdrCarrier::SctpChunk, "data", Some("nothing")), None);
    }
}
