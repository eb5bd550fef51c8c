//! Expressions.

use std::fmt;

use super::value::{self, Style};
use super::{Out, element, join};
use crate::ir::{
    BinaryOp, CtDirection, CtKey, Expression, Exthdr, ExthdrCarrier, FibFlags, FibResult, Hash, IpsecDirection,
    MetaKey, Numgen, NumgenMode, OsfTtl, Payload,
};

pub(super) fn expression(out: Out<'_>, expression: &Expression) -> fmt::Result {
    styled(out, expression, Style::default())
}

/// What stands next to `other`, which decides how plain numbers are written.
pub(super) fn beside(other: &Expression) -> Style {
    match other {
        Expression::Payload(Payload::Raw { .. }) => Style { hex: true, ..Style::default() },
        Expression::Socket { .. } => Style { numeric: true, ..Style::default() },
        Expression::Meta(MetaKey::Broute) => Style { numeric: true, ..Style::default() },
        Expression::Binary { left, .. } => beside(left),
        _ => Style::default(),
    }
}

pub(super) fn styled(out: Out<'_>, expression: &Expression, style: Style) -> fmt::Result {
    match expression {
        Expression::Value(value) => value::value(out, value, style),
        Expression::Payload(payload) => self::payload(out, payload),
        Expression::Exthdr(exthdr) => self::exthdr(out, exthdr),
        Expression::Meta(key) => meta(out, *key),
        Expression::Ct { key, direction } => ct(out, *key, *direction),
        Expression::Rt(key) => write!(out, "rt {}", key.keyword()),
        Expression::Socket { key, level } => {
            write!(out, "socket {}", key.keyword())?;
            level.map_or(Ok(()), |level| write!(out, " level {level}"))
        }
        Expression::Fib { flags, result } => fib(out, *flags, *result),
        Expression::Osf { ttl, version } => osf(out, *ttl, *version),
        Expression::Ipsec { direction, spnum, key } => {
            out.write_str(if *direction == IpsecDirection::In { "ipsec in" } else { "ipsec out" })?;
            if *spnum > 0 {
                write!(out, " spnum {spnum}")?;
            }
            write!(out, " {}", key.keyword())
        }
        Expression::Tunnel(key) => write!(out, "tunnel {}", key.keyword()),
        Expression::Numgen(numgen) => self::numgen(out, numgen),
        Expression::Hash(hash) => self::hash(out, hash),
        Expression::Concat(parts) => join(out, " . ", parts, |out, part| styled(out, part, style)),
        Expression::Range(start, end) => {
            let style = Style { plain: true, ..style };
            styled(out, start, style)?;
            out.write_char('-')?;
            styled(out, end, style)
        }
        Expression::Prefix(value, bits) => {
            styled(out, value, style)?;
            write!(out, "/{bits}")
        }
        Expression::List(items) => join(out, ",", items, |out, item| styled(out, item, style)),
        Expression::Set(set) => element::anonymous_set(out, set),
        Expression::SetRef(name) => write!(out, "@{name}"),
        Expression::Map { key, map } => {
            expression_in_key(out, key)?;
            out.write_str(" map ")?;
            styled(out, map, style)
        }
        Expression::Binary { op, left, right } => binary(out, *op, left, right, style),
        Expression::Opaque(opaque) => out.write_str(&opaque.text),
    }
}

/// The key of a map look-up.
pub(super) fn expression_in_key(out: Out<'_>, key: &Expression) -> fmt::Result {
    styled(out, key, beside(key))
}

fn binary(out: Out<'_>, op: BinaryOp, left: &Expression, right: &Expression, style: Style) -> fmt::Result {
    if let (BinaryOp::And, Expression::List(_)) = (op, right) {
        // Only inside a match, where the statement prints it as `value / mask`; alone it is an ordinary mask.
        operand(out, op, left, style)?;
        out.write_str(" & ")?;
        return styled(out, right, style);
    }
    operand(out, op, left, style)?;
    write!(out, " {} ", op.sign())?;
    let beside = beside(left);
    let shift = matches!(op, BinaryOp::Lshift | BinaryOp::Rshift);
    let shifted = matches!(left, Expression::Binary { op: BinaryOp::Lshift | BinaryOp::Rshift, .. });
    let inner = Style { pipes: true, hex: (beside.hex || style.hex || shifted) && !shift, ..beside };
    match right {
        Expression::Value(flags) if has_many_flags(flags) => {
            let brackets = op == BinaryOp::And;
            if brackets {
                out.write_char('(')?;
            }
            styled(out, right, inner)?;
            if brackets {
                out.write_char(')')?;
            }
            Ok(())
        }
        _ => operand(out, op, right, inner),
    }
}

/// Whether it prints as several flags.
pub(super) fn has_many_flags(value: &crate::ir::Value) -> bool {
    crate::ir::symbol::is_bitmask(value.datatype) && value.to_u128().is_some_and(|bits| bits.count_ones() > 1)
}

/// One side of an operation, in brackets where it binds less than the operation.
fn operand(out: Out<'_>, op: BinaryOp, side: &Expression, style: Style) -> fmt::Result {
    match side {
        Expression::Binary { op: inner, .. } if precedence(op) < precedence(*inner) => {
            out.write_char('(')?;
            styled(out, side, style)?;
            out.write_char(')')
        }
        _ => styled(out, side, style),
    }
}

/// Lower binds more (nft's grammar, src/parser_bison.y).
const fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Lshift | BinaryOp::Rshift => 1,
        BinaryOp::And => 2,
        BinaryOp::Xor => 3,
        BinaryOp::Or => 4,
    }
}

fn payload(out: Out<'_>, payload: &Payload) -> fmt::Result {
    match payload {
        Payload::Field(field) => write!(out, "{field}"),
        Payload::Inside { tunnel, field } => write!(out, "{} {field}", tunnel.name()),
        Payload::Raw { base, offset_bits, bits } => write!(out, "@{},{offset_bits},{bits}", base.raw_name()),
    }
}

pub(super) fn exthdr(out: Out<'_>, exthdr: &Exthdr) -> fmt::Result {
    let Exthdr { carrier, name, field } = exthdr;
    match (carrier, field) {
        (ExthdrCarrier::Ipv6, Some(field)) => write!(out, "{name} {field}"),
        (_, Some(field)) => write!(out, "{} {name} {field}", carrier.keyword()),
        (_, None) => write!(out, "{} {name}", carrier.keyword()),
    }
}

fn meta(out: Out<'_>, key: MetaKey) -> fmt::Result {
    match key {
        MetaKey::Iif | MetaKey::Oif | MetaKey::Iifname | MetaKey::Oifname | MetaKey::Iifgroup | MetaKey::Oifgroup => {
            out.write_str(key.keyword())
        }
        _ => write!(out, "meta {}", key.keyword()),
    }
}

fn ct(out: Out<'_>, key: CtKey, direction: Option<CtDirection>) -> fmt::Result {
    let direction = match direction {
        None => "",
        Some(CtDirection::Original) => "original ",
        Some(CtDirection::Reply) => "reply ",
    };
    write!(out, "ct {direction}{}", key.keyword())
}

fn fib(out: Out<'_>, flags: FibFlags, result: FibResult) -> fmt::Result {
    out.write_str("fib ")?;
    let named =
        [(flags.saddr, "saddr"), (flags.daddr, "daddr"), (flags.mark, "mark"), (flags.iif, "iif"), (flags.oif, "oif")];
    join(out, " . ", named.iter().filter(|(set, _)| *set), |out, (_, name)| out.write_str(name))?;
    out.write_str(match result {
        FibResult::Oif | FibResult::Exists => " oif",
        FibResult::Oifname => " oifname",
        FibResult::Type => " type",
        FibResult::Check => " check",
    })
}

fn osf(out: Out<'_>, ttl: OsfTtl, version: bool) -> fmt::Result {
    let ttl = match ttl {
        OsfTtl::Strict => "",
        OsfTtl::Loose => "ttl loose ",
        OsfTtl::Skip => "ttl skip ",
    };
    write!(out, "osf {ttl}{}", if version { "version" } else { "name" })
}

fn numgen(out: Out<'_>, numgen: &Numgen) -> fmt::Result {
    let mode = match numgen.mode {
        NumgenMode::Inc => "inc",
        NumgenMode::Random => "random",
    };
    write!(out, "numgen {mode} mod {}", numgen.modulus)?;
    offset(out, numgen.offset)
}

fn hash(out: Out<'_>, hash: &Hash) -> fmt::Result {
    match hash {
        Hash::Jhash { key, modulus, seed, offset: from } => {
            out.write_str("jhash ")?;
            expression(out, key)?;
            write!(out, " mod {modulus}")?;
            if let Some(seed) = seed {
                write!(out, " seed {seed:#x}")?;
            }
            offset(out, *from)
        }
        Hash::Symhash { modulus, offset: from } => {
            write!(out, "symhash mod {modulus}")?;
            offset(out, *from)
        }
    }
}

fn offset(out: Out<'_>, offset: u32) -> fmt::Result {
    if offset == 0 { Ok(()) } else { write!(out, " offset {offset}") }
}
