//! Expressions that look beyond the packet: at IPsec, tunnels, the sender's system, the packet inside; and the SYN proxy.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{IpsecDirection, IpsecKey, TunnelKey};

use super::expr::{self, Sets, number, or_zero, reg};
use crate::attr::{Attribute, Attributes};

/// Such an expression; `None` if it is another, or not understood.
pub(super) fn known(name: &str, data: Attributes<'_>, sets: &dyn Sets) -> Option<Expr> {
    match name {
        "osf" => {
            let [_, dreg, ttl, flags] = data.known::<4>()?;
            let ttl = ttl.and_then(Attribute::u8).unwrap_or(0);
            Some(Expr::Osf { dreg: reg(dreg)?, ttl, flags: or_zero(flags) })
        }
        "xfrm" => {
            let [_, dreg, key, direction, spnum] = data.known::<5>()?;
            let direction = match direction?.u8()? {
                0 => IpsecDirection::In,
                1 => IpsecDirection::Out,
                _ => return None,
            };
            let key = IpsecKey::from_number(number(key)?)?;
            Some(Expr::Xfrm { dreg: reg(dreg)?, key, direction, spnum: or_zero(spnum) })
        }
        "tunnel" => {
            let [_, key, dreg, mode] = data.known::<4>()?;
            let any = or_zero(mode) == 0;
            let key = TunnelKey::from_number(number(key)?).filter(|_| any)?;
            Some(Expr::Tunnel { dreg: reg(dreg)?, key })
        }
        "inner" => {
            let [_, level, kind, flags, header_len, inside] = data.known::<6>()?;
            let expr = Some(expr::expr(inside?.nested(), sets)).filter(|_| or_zero(level) == 0)?;
            let (kind, flags, header_len) = (number(kind)?, or_zero(flags), or_zero(header_len));
            Some(Expr::Inner { kind, header_len, flags, expr: Box::new(expr) })
        }
        "synproxy" => {
            let [_, mss, wscale, flags] = data.known::<4>()?;
            let (mss, wscale) = (mss.and_then(Attribute::u16), wscale.and_then(Attribute::u8));
            Some(Expr::Synproxy { mss: mss.unwrap_or(0), wscale: wscale.unwrap_or(0), flags: or_zero(flags) })
        }
        _ => None,
    }
}
