//! Selectors: expressions that look at something and have a type of their own.

use super::super::lex::Sign;
use super::{Fail, Parser, Result};
use crate::ir::{
    CtDirection, CtKey, Expression, Exthdr, ExthdrCarrier, Family, FibFlags, FibResult, Hash, Header, IpsecDirection,
    IpsecKey, MetaKey, Numgen, NumgenMode, OsfTtl, Payload, PayloadBase, PayloadField, RtKey, SocketKey, TunnelKey,
};

/// Keys of `meta` that may stand alone (nft's grammar, `meta_key_unqualified`).
const UNQUALIFIED: &[&str] = &[
    "mark",
    "iif",
    "iifname",
    "iiftype",
    "oif",
    "oifname",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "ibriport",
    "obrname",
    "obriport",
    "pkttype",
    "cpu",
    "iifgroup",
    "oifgroup",
    "cgroup",
    "time",
    "day",
    "hour",
];

const IPV6_HEADERS: &[&str] = &["hbh", "rt", "rt0", "rt2", "srh", "frag", "dst", "mh"];

impl Parser<'_> {
    /// A selector, if one begins here.
    pub(super) fn selector(&mut self) -> Result<Option<Expression>> {
        if self.peek_is(Sign::At) {
            return self.raw_payload();
        }
        let word = self.peek_word();
        let next = self.word_at(1);
        let rest = match word {
            "meta" if !next.is_empty() => {
                self.bump();
                return self.meta_key().map(Some);
            }
            "ct" if !next.is_empty() => self.ct(),
            "rt" if self.is_route() => self.route(),
            "socket" => self.socket(),
            "fib" => self.fib(),
            "osf" => self.osf(),
            "ipsec" if matches!(next, "in" | "out") => self.ipsec(),
            "tunnel" => self.tunnel(),
            "numgen" => self.numgen(),
            "jhash" => self.jhash(),
            "symhash" => self.symhash(),
            "exthdr" => self.exthdr_exists(),
            word if UNQUALIFIED.contains(&word) => return self.meta_key().map(Some),
            word if IPV6_HEADERS.contains(&word) => return self.ipv6_header(),
            _ => return self.header(word),
        };
        rest.map(Some)
    }

    /// `@nh,96,32`.
    fn raw_payload(&mut self) -> Result<Option<Expression>> {
        let name = self.word_at(1);
        let Some(base) = PayloadBase::RAW.into_iter().find(|base| base.raw_name() == name) else { return Ok(None) };
        let comma = self.peek_at(2).is_some_and(|token| token.kind == super::super::lex::Kind::Sign(Sign::Comma));
        if !comma {
            return Ok(None);
        }
        self.at += 3;
        let offset_bits = self.number::<u32>("an offset in bits")?;
        self.expect(Sign::Comma)?;
        let bits_span = self.span();
        let bits = self.number::<u32>("a length in bits")?;
        if bits == 0 || bits > 512 {
            return Fail::expected(bits_span, format!("{bits} bits cannot be loaded"), "1 to 512 bits");
        }
        Ok(Some(Expression::Payload(Payload::Raw { base, offset_bits, bits })))
    }

    fn meta_key(&mut self) -> Result<Expression> {
        let token = self.word("a key of `meta`")?;
        let word = match self.text(token) {
            "ibriport" => "ibrname",
            "obriport" => "obrname",
            "secpath" => "ipsec",
            word => word,
        };
        match MetaKey::from_keyword(word) {
            Some(key) => Ok(Expression::Meta(key)),
            None => {
                let near = crate::text::nearest(word, MetaKey::ALL.iter().map(|key| key.keyword()));
                let expected = near.map_or("a key of `meta`".into(), |near| format!("`{near}`"));
                Fail::expected(token.span, format!("`meta` has no key `{word}`"), expected)
            }
        }
    }

    /// The key that the next words name, the longest first.
    fn keyword<T: Copy>(&mut self, of: &str, all: &[T], keyword: impl Fn(T) -> &'static str) -> Result<T> {
        let (first, second) = (self.word_at(0), self.word_at(1));
        let two = format!("{first} {second}");
        let (found, words) = match all.iter().find(|key| keyword(**key) == two) {
            Some(key) => (Some(*key), 2),
            None => (all.iter().find(|key| keyword(**key) == first).copied(), 1),
        };
        if let Some(key) = found {
            self.at += words;
            return Ok(key);
        }
        let near = crate::text::nearest(first, all.iter().map(|key| keyword(*key)));
        let message = format!("`{of}` has no key {}", self.next_name());
        Fail::expected(self.span(), message, near.map_or(format!("a key of `{of}`"), |near| format!("`{near}`")))
    }

    fn ct(&mut self) -> Result<Expression> {
        let start = self.at;
        self.bump();
        let direction = match self.peek_word() {
            "original" => Some(CtDirection::Original),
            "reply" => Some(CtDirection::Reply),
            _ => None,
        };
        if direction.is_some() {
            self.bump();
        }
        let key = self.keyword("ct", CtKey::ALL, CtKey::keyword)?;
        // In a family with one kind of address, that kind is meant.
        let optional = matches!(key, CtKey::Bytes | CtKey::Packets | CtKey::Avgpkt | CtKey::Zone);
        let of_tuple = matches!(key.keyword(), "l3proto" | "protocol" | "proto-src" | "proto-dst")
            || key.keyword().ends_with("addr");
        if direction.is_some() && !optional && !of_tuple {
            let message = format!("`ct {}` is the same in both directions", key.keyword());
            return Fail::expected(self.span_from(start), message, format!("`ct {}`", key.keyword()));
        }
        let key = match (key, self.known.network_family().unwrap_or(self.family)) {
            (CtKey::Saddr, Family::Ip) => CtKey::SaddrIp,
            (CtKey::Daddr, Family::Ip) => CtKey::DaddrIp,
            (CtKey::Saddr, Family::Ip6) => CtKey::SaddrIp6,
            (CtKey::Daddr, Family::Ip6) => CtKey::DaddrIp6,
            (key, _) => key,
        };
        Ok(Expression::Ct { key, direction: direction.filter(|_| key.has_direction()) })
    }

    /// Whether `rt` is the route here, not the IPv6 header.
    fn is_route(&self) -> bool {
        matches!(self.word_at(1), "classid" | "nexthop" | "mtu" | "ipsec" | "ip" | "ip6")
    }

    fn route(&mut self) -> Result<Expression> {
        self.bump();
        if self.peek_word() == "nexthop" {
            let span = self.span();
            self.bump();
            return match self.known.network_family() {
                Some(Family::Ip) => Ok(Expression::Rt(RtKey::Nexthop4)),
                Some(_) => Ok(Expression::Rt(RtKey::Nexthop6)),
                None => Fail::expected(
                    span,
                    "the family of this address is not said",
                    "`rt ip nexthop` or `rt ip6 nexthop`",
                ),
            };
        }
        self.keyword("rt", RtKey::ALL, RtKey::keyword).map(Expression::Rt)
    }

    fn socket(&mut self) -> Result<Expression> {
        self.bump();
        let key = self.keyword("socket", SocketKey::ALL, SocketKey::keyword)?;
        let level = if self.eat_word("level") { Some(self.number("a level")?) } else { None };
        Ok(Expression::Socket { key, level })
    }

    fn fib(&mut self) -> Result<Expression> {
        self.bump();
        let mut flags = FibFlags::default();
        loop {
            let token = self.word("`saddr`, `daddr`, `mark`, `iif` or `oif`")?;
            match self.text(token) {
                "saddr" => flags.saddr = true,
                "daddr" => flags.daddr = true,
                "mark" => flags.mark = true,
                "iif" => flags.iif = true,
                "oif" => flags.oif = true,
                other => {
                    let message = format!("`fib` does not look up `{other}`");
                    return Fail::expected(token.span, message, "`saddr`, `daddr`, `mark`, `iif` or `oif`");
                }
            }
            if !self.eat(Sign::Dot) {
                break;
            }
        }
        let token = self.word("`oif`, `oifname`, `type` or `check`")?;
        let result = match self.text(token) {
            "oif" => FibResult::Oif,
            "oifname" => FibResult::Oifname,
            "type" => FibResult::Type,
            "check" => FibResult::Check,
            other => {
                let message = format!("`fib` does not give `{other}`");
                return Fail::expected(token.span, message, "`oif`, `oifname`, `type` or `check`");
            }
        };
        if flags.saddr == flags.daddr {
            return Fail::new(token.span, "`fib` looks up either `saddr` or `daddr`");
        }
        if flags.iif && flags.oif {
            return Fail::new(token.span, "`fib` takes either `iif` or `oif`");
        }
        Ok(Expression::Fib { flags, result })
    }

    fn osf(&mut self) -> Result<Expression> {
        self.bump();
        let mut ttl = OsfTtl::Strict;
        if self.eat_word("ttl") {
            let token = self.word("`loose` or `skip`")?;
            ttl = match self.text(token) {
                "loose" => OsfTtl::Loose,
                "skip" => OsfTtl::Skip,
                other => {
                    let message = format!("`osf ttl` is not `{other}`");
                    return Fail::expected(token.span, message, "`loose` or `skip`");
                }
            };
        }
        let version = self.eat_word("version");
        if !version {
            self.expect_word("name")?;
        }
        Ok(Expression::Osf { ttl, version })
    }

    fn ipsec(&mut self) -> Result<Expression> {
        self.bump();
        let direction = if self.eat_word("in") { IpsecDirection::In } else { IpsecDirection::Out };
        if direction == IpsecDirection::Out {
            self.expect_word("out")?;
        }
        let spnum = if self.eat_word("spnum") { self.number("a number")? } else { 0 };
        let key = self.keyword("ipsec", IpsecKey::ALL, IpsecKey::keyword)?;
        Ok(Expression::Ipsec { direction, spnum, key })
    }

    fn tunnel(&mut self) -> Result<Expression> {
        self.bump();
        self.keyword("tunnel", TunnelKey::ALL, TunnelKey::keyword).map(Expression::Tunnel)
    }

    fn numgen(&mut self) -> Result<Expression> {
        self.bump();
        let mode = self.word("`inc` or `random`")?;
        let mode = match self.text(mode) {
            "inc" => NumgenMode::Inc,
            "random" => NumgenMode::Random,
            other => {
                let message = format!("`numgen` does not count `{other}`");
                return Fail::expected(mode.span, message, "`inc` or `random`");
            }
        };
        let modulus = self.modulus()?;
        Ok(Expression::Numgen(Numgen { mode, modulus, offset: self.offset()? }))
    }

    fn modulus(&mut self) -> Result<u32> {
        self.expect_word("mod")?;
        let span = self.span();
        match self.number::<u32>("a number")? {
            0 => Fail::expected(span, "there is no number below 0", "1 or more"),
            modulus => Ok(modulus),
        }
    }

    fn offset(&mut self) -> Result<u32> {
        if self.eat_word("offset") { self.number("a number") } else { Ok(0) }
    }

    fn jhash(&mut self) -> Result<Expression> {
        self.bump();
        let node = self.nested(|parser| parser.concat(super::raw::Mode::Full))?;
        let key = Box::new(self.untyped(node)?);
        let modulus = self.modulus()?;
        let seed = if self.eat_word("seed") { Some(self.number("a number")?) } else { None };
        Ok(Expression::Hash(Hash::Jhash { key, modulus, seed, offset: self.offset()? }))
    }

    fn symhash(&mut self) -> Result<Expression> {
        self.bump();
        let modulus = self.modulus()?;
        Ok(Expression::Hash(Hash::Symhash { modulus, offset: self.offset()? }))
    }

    /// `exthdr hbh exists`: the value is read by the match.
    fn exthdr_exists(&mut self) -> Result<Expression> {
        self.bump();
        let token = self.word("an extension header")?;
        let name = self.text(token).to_owned();
        self.known_exthdr(token.span, Exthdr { carrier: ExthdrCarrier::Ipv6, name, field: None })
    }

    fn known_exthdr(&self, span: crate::text::Span, exthdr: Exthdr) -> Result<Expression> {
        if exthdr.spec().is_some() {
            return Ok(Expression::Exthdr(exthdr));
        }
        let headers = exthdr.carrier.headers();
        let header = headers.iter().find(|header| header.name == exthdr.name);
        let (what, near) = match (header, &exthdr.field) {
            (Some(header), Some(field)) => {
                (field.as_str(), crate::text::nearest(field, header.fields.iter().map(|field| field.name)))
            }
            _ => (exthdr.name.as_str(), crate::text::nearest(&exthdr.name, headers.iter().map(|header| header.name))),
        };
        let message = format!("`{what}` is not known here");
        Fail::expected(span, message, near.map_or("a name nft knows".into(), |near| format!("`{near}`")))
    }

    /// `frag more-fragments`; nothing if the word is a value here.
    fn ipv6_header(&mut self) -> Result<Option<Expression>> {
        let name = self.peek_word();
        let header = ExthdrCarrier::Ipv6.headers().iter().find(|header| header.name == name);
        let field = self.word_at(1);
        let known =
            header.is_some_and(|header| header.fields.iter().any(|spec| spec.name.trim_end_matches("[]") == field));
        // `rt0` and `srh` share the fields of `rt`.
        let shared = matches!(name, "rt0" | "rt2" | "srh") && matches!(field, "nexthdr" | "hdrlength");
        if !known || shared {
            return Ok(None);
        }
        let span = self.span();
        self.at += 2;
        let field = self.indexed(field.to_owned())?;
        self.known_exthdr(span, Exthdr { carrier: ExthdrCarrier::Ipv6, name: name.to_owned(), field: Some(field) })
            .map(Some)
    }

    /// The field with an index in brackets behind it, if one stands there.
    fn indexed(&mut self, field: String) -> Result<String> {
        if !self.eat(Sign::BracketOpen) {
            return Ok(field);
        }
        let index = self.number::<u32>("an index")?;
        self.expect(Sign::BracketClose)?;
        Ok(format!("{field}[{index}]"))
    }

    /// A field of a packet header, an option, or nothing if the word is a value here.
    fn header(&mut self, word: &str) -> Result<Option<Expression>> {
        let Some(header) = Header::from_name(word) else { return Ok(None) };
        let next = self.word_at(1);
        match (header, next) {
            (Header::Tcp, "option") => return self.option(ExthdrCarrier::TcpOption).map(Some),
            (Header::Ip, "option") => return self.option(ExthdrCarrier::IpOption).map(Some),
            (Header::Dccp, "option") => return self.option(ExthdrCarrier::DccpOption).map(Some),
            (Header::Sctp, "chunk") => return self.option(ExthdrCarrier::SctpChunk).map(Some),
            _ => {}
        }
        let tunnel = matches!(header, Header::Vxlan | Header::Geneve | Header::Gre | Header::Gretap);
        if tunnel && let Some(inner) = Header::from_name(next) {
            self.bump();
            return match self.field(inner) {
                Some(field) => Ok(Some(Expression::Payload(Payload::Inside { tunnel: header, field }))),
                None => self.unknown_field(inner),
            };
        }
        match self.field(header) {
            Some(field) => Ok(Some(Expression::field(field))),
            // A header name without a field is a value (`meta protocol ip`), unless a word follows that can only be one.
            None => Ok(None),
        }
    }

    /// The field that the next words name, after the header's own name.
    fn field(&mut self, header: Header) -> Option<PayloadField> {
        let (first, second) = (self.word_at(1), self.word_at(2));
        let first = match (header, first) {
            (Header::Vlan, "cfi") => "dei",
            (Header::Ip6, "length") | (_, "length") => "length",
            (_, first) => first,
        };
        let two = PayloadField::find(header, &format!("{first} {second}"));
        let (field, words) = match two {
            Some(field) => (field, 3),
            None => (PayloadField::find(header, first)?, 2),
        };
        self.at += words;
        Some(field)
    }

    /// The next words should be a field of that header.
    pub(super) fn unknown_field<T>(&self, header: Header) -> Result<T> {
        let word = self.word_at(1);
        let near = crate::text::nearest(word, header.fields().iter().map(|field| field.name));
        let span = self.peek_at(1).map_or_else(|| self.span(), |token| token.span);
        let message = format!("`{}` has no field `{word}`", header.name());
        Fail::expected(span, message, near.map_or("a field".into(), |near| format!("`{near}`")))
    }

    /// `tcp option maxseg size`, `sctp chunk data exists`: the carrier's words are next.
    fn option(&mut self, carrier: ExthdrCarrier) -> Result<Expression> {
        self.at += 2;
        let span = self.span();
        if self.eat(Sign::At) {
            let mut parts = vec![self.number::<u8>("a number")?.to_string()];
            for _ in 0..2 {
                self.expect(Sign::Comma)?;
                parts.push(self.number::<u32>("a number")?.to_string());
            }
            let name = format!("@{}", parts.join(","));
            return self.known_exthdr(span, Exthdr { carrier, name, field: None });
        }
        let token = self.word("an option")?;
        let name = match (carrier, self.text(token)) {
            (ExthdrCarrier::TcpOption, "mss") => "maxseg".to_owned(),
            (ExthdrCarrier::TcpOption, "sack-permitted") => "sack-perm".to_owned(),
            (ExthdrCarrier::TcpOption, "noop") => "nop".to_owned(),
            (ExthdrCarrier::TcpOption, "sack0") => "sack".to_owned(),
            (_, name) => name.to_owned(),
        };
        let mut exthdr = Exthdr { carrier, name, field: None };
        if !matches!(self.peek_word(), "" | "exists" | "missing") {
            let tried = Exthdr { field: Some(self.peek_word().to_owned()), ..exthdr.clone() };
            if tried.spec().is_some() {
                self.bump();
                exthdr = tried;
            }
        }
        self.known_exthdr(span, exthdr)
    }
}
