//! Expressions from JSON.
//!
//! A literal means what the type next to it says, so every expression is read with the fields that are wanted: none
//! where nothing is known, several for a concatenation.

use serde_json::Value as Json;

use super::fields::{self, Fields};
use super::{Reader, Result, Trouble};
use crate::ir::{
    BinaryOp, ByteOrder, CtDirection, CtKey, DataKind, DataType, Expression, Exthdr, ExthdrCarrier, Family, FibFlags,
    FibResult, Field, Hash, Header, IpsecDirection, IpsecKey, KeyType, MetaKey, Numgen, NumgenMode, OsfTtl, Payload,
    PayloadBase, PayloadField, RtKey, SetName, SocketKey, TunnelKey, Value, symbol,
};
use crate::json::literal;

impl Reader<'_> {
    /// An expression where values of these fields are wanted.
    pub(super) fn expression<'a>(&self, json: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        match json {
            Json::Object(_) => {
                let (kind, body) = fields::only(json)?;
                self.operation(kind, body, want).unwrap_or(Err(Trouble::Unknown(json)))
            }
            Json::Array(items) => {
                let items = items.iter().map(|item| self.expression(item, want)).collect::<Result<'_, Vec<_>>>()?;
                flags_together(&items).map(Expression::Value).ok_or(Trouble::Unknown(json))
            }
            Json::String(text) if text.starts_with('@') => Ok(Expression::SetRef(set_name(json)?)),
            Json::Null => Err(Trouble::wrong(json, "this is no expression")),
            scalar => literal_of(scalar, want).map(Expression::Value),
        }
    }

    /// An expression by its name; `None` if the name is not known.
    fn operation<'a>(&self, kind: &str, body: &'a Json, want: &[Field]) -> Option<Result<'a, Expression>> {
        let carrier = |carrier| exthdr(carrier, body).map(Expression::Exthdr);
        Some(match kind {
            "payload" => payload(body),
            "exthdr" => carrier(ExthdrCarrier::Ipv6),
            "tcp option" => carrier(ExthdrCarrier::TcpOption),
            "ip option" => carrier(ExthdrCarrier::IpOption),
            "sctp chunk" => carrier(ExthdrCarrier::SctpChunk),
            "dccp option" => carrier(ExthdrCarrier::DccpOption),
            "meta" => meta(body),
            "ct" => self.ct(body),
            "rt" => rt(body),
            "socket" => socket(body),
            "fib" => fib(body),
            "osf" => osf(body),
            "ipsec" => ipsec(body),
            "tunnel" => keyed(body, TunnelKey::from_keyword).map(Expression::Tunnel),
            "numgen" => numgen(body),
            "jhash" | "symhash" => self.hash(kind, body),
            "concat" => self.concat(body, want),
            "range" => self.range(body, want),
            "prefix" => self.prefix(body, want),
            "set" => self.anonymous_set(body, want, &DataKind::None),
            "map" => self.map(body, want),
            "&" => self.binary(BinaryOp::And, body, want),
            "|" => self.binary(BinaryOp::Or, body, want),
            "^" => self.binary(BinaryOp::Xor, body, want),
            "<<" => self.binary(BinaryOp::Lshift, body, want),
            ">>" => self.binary(BinaryOp::Rshift, body, want),
            "opaque" => serde_json::from_value(body.clone())
                .map(Expression::Opaque)
                .map_err(|error| Trouble::wrong(body, error.to_string())),
            _ => return None,
        })
    }

    fn concat<'a>(&self, body: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        let parts = fields::items(body);
        let part = |(at, part): (usize, &'a Json)| {
            let field = want.get(at).filter(|_| want.len() == parts.len());
            self.expression(part, field.map_or(&[], std::slice::from_ref))
        };
        parts.iter().enumerate().map(part).collect::<Result<'_, _>>().map(Expression::Concat)
    }

    fn range<'a>(&self, body: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        let [start, end] = fields::items(body) else {
            return Err(Trouble::wrong(body, "a range has two ends"));
        };
        Ok(Expression::Range(Box::new(self.expression(start, want)?), Box::new(self.expression(end, want)?)))
    }

    fn prefix<'a>(&self, body: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        let fields = Fields::of(body)?;
        let address = self.expression(fields.need("addr")?, want)?;
        let len = fields::number(fields.need("len")?)?;
        fields.all_known()?;
        let bits = address.typed().map_or(128, |(_, bits, _)| bits);
        if len > bits {
            return Err(Trouble::wrong(body, format!("a prefix of {bits} bits cannot be {len} long")));
        }
        Ok(Expression::Prefix(Box::new(address), len))
    }

    fn hash<'a>(&self, kind: &str, body: &'a Json) -> Result<'a, Expression> {
        let fields = Fields::of(body)?;
        let modulus = fields::number(fields.need("mod")?)?;
        let offset = fields.find_number("offset")?.unwrap_or(0);
        let hash = if kind == "jhash" {
            let key = Box::new(self.expression(fields.need("expr")?, &[])?);
            Hash::Jhash { key, modulus, seed: fields.find_number("seed")?, offset }
        } else {
            Hash::Symhash { modulus, offset }
        };
        fields.all_known()?;
        Ok(Expression::Hash(hash))
    }

    fn map<'a>(&self, body: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        let fields = Fields::of(body)?;
        let data = DataKind::Value { data: KeyType::concat(want.iter().cloned()).anonymous(), interval: false };
        let (key, map) = self.look_up(&fields, &data)?;
        Ok(Expression::Map { key: Box::new(key), map: Box::new(map) })
    }

    /// The `key` and `data` of a look-up in a map that leads to such data.
    pub(super) fn look_up<'a>(&self, fields: &Fields<'a>, data: &DataKind) -> Result<'a, (Expression, Expression)> {
        let key = self.expression(fields.need("key")?, &[])?;
        let map = fields.need("data")?;
        let types = self.fields_of(&key);
        let map = match map.as_object().and_then(|map| map.get("set")) {
            Some(elements) => self.anonymous_set(elements, &types, data)?,
            None => self.expression(map, &types)?,
        };
        fields.all_known()?;
        Ok((key, map))
    }

    /// nft 1.1 writes any number of operands, older ones two.
    fn binary<'a>(&self, op: BinaryOp, body: &'a Json, want: &[Field]) -> Result<'a, Expression> {
        let operands = fields::items(body);
        let [first, rest @ ..] = operands else {
            return Err(Trouble::wrong(body, "an operation has operands"));
        };
        let mut left = self.expression(first, want)?;
        // The left side says what literals mean.
        let types = self.fields_of(&left);
        let own =
            !types.is_empty() && (want.is_empty() || !matches!(left, Expression::Value(_) | Expression::Binary { .. }));
        let types = if own { &types } else { want };
        let is_shift = |op: BinaryOp| matches!(op, BinaryOp::Lshift | BinaryOp::Rshift);
        let bits = Field { bits: 32, byte_order: ByteOrder::Host, ..Field::of_type(DataType::Integer) };
        for operand in rest {
            // A number of bits is a plain number, and so is what was shifted.
            let shift = is_shift(op) || matches!(left, Expression::Binary { op, .. } if is_shift(op));
            let types = if shift { std::slice::from_ref(&bits) } else { types };
            let right = match operand {
                Json::Array(flags) if op == BinaryOp::And => {
                    Expression::List(flags.iter().map(|flag| self.expression(flag, types)).collect::<Result<'_, _>>()?)
                }
                operand => self.expression(operand, types)?,
            };
            let together = (op == BinaryOp::Or).then(|| flags_together(&[left.clone(), right.clone()])).flatten();
            left = match together {
                Some(value) => Expression::Value(value),
                None => Expression::Binary { op, left: Box::new(left), right: Box::new(right) },
            };
        }
        Ok(left)
    }

    /// nft leaves the family of an address out where that of the table or of the packet says it.
    fn ct<'a>(&self, body: &'a Json) -> Result<'a, Expression> {
        let fields = Fields::of(body)?;
        let key = fields.need("key")?;
        let word = fields::text(key)?;
        let word = match fields.find_text("family")? {
            Some(family) => format!("{family} {word}"),
            None => word.to_owned(),
        };
        let direction = match fields.find("dir") {
            None => None,
            Some(dir) => Some(match fields::text(dir)? {
                "original" => CtDirection::Original,
                "reply" => CtDirection::Reply,
                _ => return Err(Trouble::Unknown(dir)),
            }),
        };
        fields.all_known()?;
        let key = match (CtKey::from_keyword(&word).ok_or(Trouble::Unknown(key))?, self.family()) {
            (CtKey::Saddr, Family::Ip) => CtKey::SaddrIp,
            (CtKey::Daddr, Family::Ip) => CtKey::DaddrIp,
            (CtKey::Saddr, Family::Ip6) => CtKey::SaddrIp6,
            (CtKey::Daddr, Family::Ip6) => CtKey::DaddrIp6,
            (key, _) => key,
        };
        Ok(Expression::Ct { key, direction: direction.filter(|_| key.has_direction()) })
    }

    /// The fields that a value of that expression has; none where that is not known.
    pub(super) fn fields_of(&self, expression: &Expression) -> Vec<Field> {
        let table = self.table.as_ref().and_then(|table| self.parsed.ruleset.find(table));
        KeyType::of(expression, table).map(|key| key.anonymous().fields).unwrap_or_default()
    }
}

/// Flags that are one value with all their bits; `None` if one is no literal flag.
fn flags_together(items: &[Expression]) -> Option<Value> {
    let mut together: Option<Value> = None;
    for item in items {
        let Expression::Value(value) = item else { return None };
        if !symbol::is_bitmask(value.datatype) {
            return None;
        }
        together = Some(match together {
            None => value.clone(),
            Some(so_far) if so_far.bytes.len() == value.bytes.len() && so_far.datatype == value.datatype => {
                let bytes: Vec<u8> = so_far.bytes.iter().zip(value.bytes.iter()).map(|(a, b)| a | b).collect();
                Value::new(value.datatype, &*bytes)
            }
            Some(_) => return None,
        });
    }
    together
}

/// A literal. Without a type to go by, a number is an integer and a text is text.
fn literal_of<'a>(scalar: &'a Json, want: &[Field]) -> Result<'a, Value> {
    if scalar.as_str() == Some("*")
        && !want.iter().any(|field| matches!(field.datatype, DataType::IfName | DataType::String))
    {
        return Ok(Value::new(DataType::String, *b"*"));
    }
    let untyped = match scalar {
        Json::String(_) => Field::of_type(DataType::String),
        _ => Field::of_type(DataType::Integer),
    };
    match want {
        [field] => literal::parse(scalar, field)
            .ok_or_else(|| Trouble::wrong(scalar, format!("this is no {}", field.datatype))),
        [] => literal::parse(scalar, &untyped).ok_or_else(|| Trouble::wrong(scalar, "this is no literal")),
        fields => Err(Trouble::wrong(scalar, format!("one value stands where {} are wanted", fields.len()))),
    }
}

pub(super) fn set_name(json: &Json) -> Result<'_, SetName> {
    let text = fields::text(json)?;
    SetName::new(text.strip_prefix('@').unwrap_or(text)).map_err(|error| Trouble::wrong(json, error.to_string()))
}

/// The `key` of a body that has no other field.
fn keyed<K>(body: &Json, find: impl Fn(&str) -> Option<K>) -> Result<'_, K> {
    let fields = Fields::of(body)?;
    let key = fields.need("key")?;
    fields.all_known()?;
    find(fields::text(key)?).ok_or(Trouble::Unknown(key))
}

fn payload(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let payload = if let Some(base) = fields.find("base") {
        let word = fields::text(base)?;
        let base = PayloadBase::RAW.into_iter().find(|known| known.raw_name() == word).ok_or(Trouble::Unknown(base))?;
        let offset_bits = fields::number(fields.need("offset")?)?;
        Payload::Raw { base, offset_bits, bits: fields::number(fields.need("len")?)? }
    } else {
        let (protocol, name) = (fields.need("protocol")?, fields.need("field")?);
        let header = Header::from_name(fields::text(protocol)?).ok_or(Trouble::Unknown(protocol))?;
        let field = PayloadField::find(header, fields::text(name)?).ok_or(Trouble::Unknown(name))?;
        match fields.find("tunnel") {
            None => Payload::Field(field),
            Some(tunnel) => {
                let tunnel = Header::from_name(fields::text(tunnel)?).ok_or(Trouble::Unknown(tunnel))?;
                // `vxlan vni` is a field of the tunnel itself.
                if tunnel == header { Payload::Field(field) } else { Payload::Inside { tunnel, field } }
            }
        }
    };
    fields.all_known()?;
    Ok(Expression::Payload(payload))
}

pub(super) fn exthdr(carrier: ExthdrCarrier, body: &Json) -> Result<'_, Exthdr> {
    let fields = Fields::of(body)?;
    let exthdr = if let Some(number) = fields.find_number::<u8>("base")? {
        let offset: u32 = fields::number(fields.need("offset")?)?;
        let bits: u32 = fields::number(fields.need("len")?)?;
        match (offset, bits) {
            (0, 8) => Exthdr { carrier, name: number.to_string(), field: None },
            (8, 8) => Exthdr { carrier, name: number.to_string(), field: Some("length".into()) },
            _ => Exthdr { carrier, name: format!("@{number},{offset},{bits}"), field: None },
        }
    } else if let Some(number) = fields.find_number::<u8>("type")? {
        Exthdr { carrier, name: number.to_string(), field: None }
    } else {
        let name = fields.text("name")?.to_owned();
        Exthdr { carrier, name, field: fields.find_text("field")?.map(str::to_owned) }
    };
    // The offset of an address is in its field's name already.
    let _ = fields.find("offset");
    fields.all_known()?;
    if exthdr.spec().is_none() {
        return Err(Trouble::Unknown(body));
    }
    Ok(exthdr)
}

/// nft 1.0 and 0.9 had other names for some keys.
fn meta(body: &Json) -> Result<'_, Expression> {
    keyed(body, |key| {
        MetaKey::from_keyword(match key {
            "ibriport" | "ibridgename" => "ibrname",
            "obriport" | "obridgename" => "obrname",
            "secpath" => "ipsec",
            key => key,
        })
    })
    .map(Expression::Meta)
}

fn rt(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let key = fields.need("key")?;
    let word = fields::text(key)?;
    let word = match fields.find_text("family")? {
        Some(family) => format!("{family} {word}"),
        None => word.to_owned(),
    };
    fields.all_known()?;
    RtKey::from_keyword(&word).map(Expression::Rt).ok_or(Trouble::Unknown(key))
}

fn socket(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let key = fields.need("key")?;
    let level = fields.find_number("level")?;
    fields.all_known()?;
    let key = SocketKey::from_keyword(fields::text(key)?).ok_or(Trouble::Unknown(key))?;
    Ok(Expression::Socket { key, level })
}

fn fib(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let result = fields.need("result")?;
    let result = match fields::text(result)? {
        "oif" => FibResult::Oif,
        "oifname" => FibResult::Oifname,
        "type" => FibResult::Type,
        "check" => FibResult::Check,
        _ => return Err(Trouble::Unknown(result)),
    };
    let mut flags = FibFlags::default();
    fields.flags(
        "flags",
        [
            ("saddr", &mut flags.saddr),
            ("daddr", &mut flags.daddr),
            ("mark", &mut flags.mark),
            ("iif", &mut flags.iif),
            ("oif", &mut flags.oif),
        ],
    )?;
    fields.all_known()?;
    Ok(Expression::Fib { flags, result })
}

fn osf(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let key = fields.need("key")?;
    let version = match fields::text(key)? {
        "name" => false,
        "version" => true,
        _ => return Err(Trouble::Unknown(key)),
    };
    let ttl = match fields.find("ttl") {
        None => OsfTtl::Strict,
        Some(ttl) => match fields::text(ttl)? {
            "loose" => OsfTtl::Loose,
            "skip" => OsfTtl::Skip,
            _ => return Err(Trouble::Unknown(ttl)),
        },
    };
    fields.all_known()?;
    Ok(Expression::Osf { ttl, version })
}

fn ipsec(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let key = fields.need("key")?;
    let word = match fields.find_text("family")? {
        Some(family) => format!("{family} {}", fields::text(key)?),
        None => fields::text(key)?.to_owned(),
    };
    let direction = fields.need("dir")?;
    let direction = match fields::text(direction)? {
        "in" => IpsecDirection::In,
        "out" => IpsecDirection::Out,
        _ => return Err(Trouble::Unknown(direction)),
    };
    let spnum = fields.find_number("spnum")?.unwrap_or(0);
    fields.all_known()?;
    let key = IpsecKey::from_keyword(&word).ok_or(Trouble::Unknown(key))?;
    Ok(Expression::Ipsec { direction, spnum, key })
}

fn numgen(body: &Json) -> Result<'_, Expression> {
    let fields = Fields::of(body)?;
    let mode = fields.need("mode")?;
    let mode = match fields::text(mode)? {
        "inc" => NumgenMode::Inc,
        "random" => NumgenMode::Random,
        _ => return Err(Trouble::Unknown(mode)),
    };
    let modulus = fields::number(fields.need("mod")?)?;
    let offset = fields.find_number("offset")?.unwrap_or(0);
    fields.all_known()?;
    Ok(Expression::Numgen(Numgen { mode, modulus, offset }))
}
