//! Expressions that look beyond the packet: at IPsec, tunnels, the sender's system, the packet inside; and the SYN proxy.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::IpsecDirection;

use super::expr::{SetIds, put, put_keyed};
use crate::attr::Writer;
use crate::uapi;

/// The kernel's name of such an expression; `None` for any other.
pub(super) fn name(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::Osf { .. } => "osf",
        Expr::Xfrm { .. } => "xfrm",
        Expr::Tunnel { .. } => "tunnel",
        Expr::Inner { .. } => "inner",
        Expr::Synproxy { .. } => "synproxy",
        _ => return None,
    })
}

/// Writes the attributes of such an expression; nothing for any other.
pub(super) fn put_data(writer: &mut Writer, expr: &Expr, ids: &mut SetIds) {
    match expr {
        Expr::Osf { dreg, ttl, flags } => {
            writer.put_u32(uapi::osf::DREG, dreg.number());
            writer.put_u8(uapi::osf::TTL, *ttl);
            // Flags of zero are refused (`nft_osf_init`, net/netfilter/nft_osf.c).
            if *flags != 0 {
                writer.put_u32(uapi::osf::FLAGS, *flags);
            }
        }
        Expr::Xfrm { dreg, key, direction, spnum } => {
            put_keyed(writer, (uapi::xfrm::DREG, *dreg), (uapi::xfrm::KEY, key.number()));
            writer.put_u8(uapi::xfrm::DIR, u8::from(*direction == IpsecDirection::Out));
            writer.put_u32(uapi::xfrm::SPNUM, *spnum);
        }
        Expr::Tunnel { dreg, key } => {
            put_keyed(writer, (uapi::tunnel::DREG, *dreg), (uapi::tunnel::KEY, key.number()));
        }
        Expr::Inner { kind, header_len, flags, expr } => {
            // There is one level only.
            writer.put_u32(uapi::inner::NUM, 0);
            writer.put_u32(uapi::inner::TYPE, *kind);
            writer.put_u32(uapi::inner::FLAGS, *flags);
            writer.put_u32(uapi::inner::HDRSIZE, *header_len);
            writer.nest(uapi::inner::EXPR, |writer| put(writer, expr, ids));
        }
        Expr::Synproxy { mss, wscale, flags } => {
            writer.put_u16(uapi::synproxy::MSS, *mss);
            writer.put_u8(uapi::synproxy::WSCALE, *wscale);
            writer.put_u32(uapi::synproxy::FLAGS, *flags);
        }
        _ => {}
    }
}
