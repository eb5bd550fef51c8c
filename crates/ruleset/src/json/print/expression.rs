//! Expressions as JSON.

use serde_json::{Map, Value as Json, json};

use super::{Printer, Release, object::chosen, opaque};
use crate::ir::{
    AnonymousSet, BinaryOp, CtDirection, Expression, Exthdr, ExthdrCarrier, FibFlags, FibResult, Hash, IpsecDirection,
    IpsecKey, NumgenMode, OsfTtl, Payload, RtKey, Value,
};
use crate::json::literal;

impl Printer {
    pub(super) fn expression(self, expression: &Expression) -> Json {
        match expression {
            Expression::Value(value) => self.value(value),
            Expression::Payload(payload) => self::payload(payload),
            Expression::Exthdr(exthdr) => self::exthdr(exthdr),
            Expression::Meta(key) => json!({ "meta": { "key": key.keyword() } }),
            Expression::Ct { key, direction } => ct(key.keyword(), *direction),
            Expression::Rt(key) => rt(*key),
            Expression::Socket { key, level: Some(level) } => {
                json!({ "socket": { "key": key.keyword(), "level": level } })
            }
            Expression::Socket { key, level: None } => json!({ "socket": { "key": key.keyword() } }),
            Expression::Fib { flags, result } => fib(*flags, *result),
            Expression::Osf { ttl, version } => osf(*ttl, *version),
            Expression::Ipsec { direction, spnum, key } => ipsec(*direction, *spnum, *key),
            Expression::Tunnel(key) => json!({ "tunnel": { "key": key.keyword() } }),
            Expression::Numgen(numgen) => {
                let mode = match numgen.mode {
                    NumgenMode::Inc => "inc",
                    NumgenMode::Random => "random",
                };
                json!({ "numgen": { "mode": mode, "mod": numgen.modulus, "offset": numgen.offset } })
            }
            Expression::Hash(hash) => self.hash(hash),
            Expression::Concat(parts) => json!({ "concat": self.expressions(parts) }),
            Expression::Range(start, end) => json!({ "range": [self.end(start), self.end(end)] }),
            Expression::Prefix(value, len) => json!({ "prefix": { "addr": self.expression(value), "len": len } }),
            Expression::List(parts) => match parts.as_slice() {
                [part] => self.expression(part),
                parts => self.expressions(parts).into(),
            },
            Expression::Set(set) => self.anonymous_set(set),
            Expression::SetRef(name) => format!("@{name}").into(),
            Expression::Map { key, map } => self.map(key, map),
            Expression::Binary { op, left, right } => self.binary(*op, left, right),
            Expression::Opaque(piece) => opaque(piece),
        }
    }

    /// A literal; several flags as nft combines them outside of lists.
    fn value(self, value: &Value) -> Json {
        match literal::bit_names(value) {
            None => literal::print(value),
            Some(names) if self.release >= Release::V1_1 => json!({ "|": names }),
            Some(names) => names.into_iter().reduce(|left, right| json!({ "|": [left, right] })).into(),
        }
    }

    /// The end of a range, in which nft writes no names.
    fn end(self, end: &Expression) -> Json {
        match end {
            Expression::Value(value) => literal::print_numeric(value),
            end => self.expression(end),
        }
    }

    /// A literal or list where nft lists flags one by one: tests for bits, and what is set.
    pub(super) fn listed(self, expression: &Expression) -> Json {
        match expression {
            Expression::Value(value) => literal::bit_names(value).map_or_else(|| literal::print(value), Json::from),
            Expression::List(parts) if parts.len() == 1 => self.expression(&parts[0]),
            _ => self.expression(expression),
        }
    }

    fn expressions(self, expressions: &[Expression]) -> Vec<Json> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    pub(super) fn map(self, key: &Expression, map: &Expression) -> Json {
        json!({ "map": { "key": self.expression(key), "data": self.expression(map) } })
    }

    fn anonymous_set(self, set: &AnonymousSet) -> Json {
        json!({ "set": self.elements(&set.elements, &set.key, &set.data, set.interval) })
    }

    fn hash(self, hash: &Hash) -> Json {
        let mut object = Map::new();
        let (name, modulus, offset) = match hash {
            Hash::Jhash { modulus, offset, .. } => ("jhash", modulus, offset),
            Hash::Symhash { modulus, offset } => ("symhash", modulus, offset),
        };
        object.insert("mod".into(), (*modulus).into());
        if let Hash::Jhash { seed: Some(seed), .. } = hash {
            object.insert("seed".into(), (*seed).into());
        }
        if *offset != 0 {
            object.insert("offset".into(), (*offset).into());
        }
        if let Hash::Jhash { key, .. } = hash {
            object.insert("expr".into(), self.expression(key));
        }
        json!({ name: object })
    }

    /// nft 1.1 writes a chain of one operation as one array, nft 1.0 two by two.
    fn binary(self, op: BinaryOp, left: &Expression, right: &Expression) -> Json {
        let mut operands = vec![self.expression(right)];
        let mut left = left;
        while let Expression::Binary { op: inner, left: further, right } = left
            && *inner == op
            && self.release >= Release::V1_1
        {
            operands.push(self.expression(right));
            left = further;
        }
        operands.push(self.expression(left));
        operands.reverse();
        json!({ op.sign(): operands })
    }
}

fn payload(payload: &Payload) -> Json {
    let body = match payload {
        Payload::Field(field) => json!({ "protocol": field.header().name(), "field": field.spec().name }),
        Payload::Inside { tunnel, field } => {
            json!({ "tunnel": tunnel.name(), "protocol": field.header().name(), "field": field.spec().name })
        }
        Payload::Raw { base, offset_bits, bits } => {
            json!({ "base": base.raw_name(), "offset": offset_bits, "len": bits })
        }
    };
    json!({ "payload": body })
}

pub(super) fn exthdr(exthdr: &Exthdr) -> Json {
    let mut object = Map::new();
    if exthdr.carrier == ExthdrCarrier::DccpOption
        && let Ok(number) = exthdr.name.parse::<u8>()
    {
        return json!({ "dccp option": { "type": number } });
    }
    if exthdr.name.starts_with(|first: char| first == '@' || first.is_ascii_digit())
        && let Some((number, spec)) = exthdr.spec()
    {
        let raw = json!({ "base": number, "offset": spec.offset_bits, "len": spec.bits });
        return json!({ exthdr.carrier.keyword(): raw });
    }
    object.insert("name".into(), exthdr.name.as_str().into());
    if let Some(field) = &exthdr.field {
        object.insert("field".into(), field.as_str().into());
    }
    json!({ exthdr.carrier.keyword(): object })
}

fn ct(key: &str, direction: Option<CtDirection>) -> Json {
    match direction {
        None => json!({ "ct": { "key": key } }),
        Some(CtDirection::Original) => json!({ "ct": { "key": key, "dir": "original" } }),
        Some(CtDirection::Reply) => json!({ "ct": { "key": key, "dir": "reply" } }),
    }
}

fn rt(key: RtKey) -> Json {
    match key.keyword().split_once(' ') {
        Some((family, key)) => json!({ "rt": { "key": key, "family": family } }),
        None => json!({ "rt": { "key": key.keyword() } }),
    }
}

fn osf(ttl: OsfTtl, version: bool) -> Json {
    let key = if version { "version" } else { "name" };
    match ttl {
        OsfTtl::Strict => json!({ "osf": { "key": key } }),
        OsfTtl::Loose => json!({ "osf": { "key": key, "ttl": "loose" } }),
        OsfTtl::Skip => json!({ "osf": { "key": key, "ttl": "skip" } }),
    }
}

fn ipsec(direction: IpsecDirection, spnum: u8, key: IpsecKey) -> Json {
    let dir = match direction {
        IpsecDirection::In => "in",
        IpsecDirection::Out => "out",
    };
    match key.keyword().split_once(' ') {
        Some((family, key)) => json!({ "ipsec": { "key": key, "family": family, "dir": dir, "spnum": spnum } }),
        None => json!({ "ipsec": { "key": key.keyword(), "dir": dir, "spnum": spnum } }),
    }
}

/// nft asks whether a route exists by comparing the interface with a boolean.
fn fib(flags: FibFlags, result: FibResult) -> Json {
    let result = match result {
        FibResult::Oif | FibResult::Exists => "oif",
        FibResult::Oifname => "oifname",
        FibResult::Type => "type",
        FibResult::Check => "check",
    };
    let FibFlags { saddr, daddr, mark, iif, oif } = flags;
    let flags = chosen([("saddr", saddr), ("daddr", daddr), ("mark", mark), ("iif", iif), ("oif", oif)]);
    json!({ "fib": { "result": result, "flags": flags } })
}
