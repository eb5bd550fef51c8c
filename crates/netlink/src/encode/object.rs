//! Stateful objects and flowtables.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{Dialect, Family, Flowtable, Object, ObjectKind, ObjectName, ObjectType, TableId, timeouts};
use rulectl_ruleset::userdata;

use super::Refused;
use super::expr::{self, SetIds};
use crate::attr::Writer;
use crate::{stateful, uapi};

/// Writes what names an object.
pub(crate) fn put_name(writer: &mut Writer, table: &TableId, object: ObjectType, name: &ObjectName) {
    writer.put_str(uapi::obj::TABLE, table.name.as_str());
    writer.put_str(uapi::obj::NAME, name.as_str());
    writer.put_u32(uapi::obj::TYPE, object.number());
}

/// Writes an object.
pub(crate) fn put(writer: &mut Writer, table: &TableId, object: &Object) -> Result<(), Refused> {
    put_name(writer, table, object.kind.object_type(), &object.name);
    let start = writer.open(uapi::obj::DATA);
    put_data(writer, table.family, &object.kind)?;
    writer.close(start);
    if let Some(comment) = &object.comment {
        writer.put(uapi::obj::USERDATA, &userdata::object(comment));
    }
    Ok(())
}

fn put_data(writer: &mut Writer, family: Family, kind: &ObjectKind) -> Result<(), Refused> {
    match kind {
        // As objects they have the attributes that they have as expressions.
        ObjectKind::Counter(counter) => {
            put_expr_data(writer, &Expr::Counter { packets: counter.packets, bytes: counter.bytes });
        }
        ObjectKind::Quota(quota) => {
            put_expr_data(writer, &Expr::Quota { bytes: quota.bytes, consumed: quota.used, inverted: quota.over });
        }
        ObjectKind::Limit(limit) => put_expr_data(writer, &stateful::limit_expr(limit)),
        ObjectKind::CtHelper { helper, protocol, l3proto } => {
            writer.put_str(uapi::ct_helper::NAME, helper);
            writer.put_u16(uapi::ct_helper::L3PROTO, l3proto.unwrap_or(family).nfproto().into());
            writer.put_u8(uapi::ct_helper::L4PROTO, *protocol);
        }
        ObjectKind::CtTimeout { protocol, l3proto, policy } => {
            writer.put_u16(uapi::ct_timeout::L3PROTO, l3proto.unwrap_or(family).nfproto().into());
            writer.put_u8(uapi::ct_timeout::L4PROTO, *protocol);
            put_timeouts(writer, *protocol, policy)?;
        }
        ObjectKind::CtExpectation { protocol, l3proto, dport, timeout_ms, size } => {
            writer.put_u16(uapi::ct_expect::L3PROTO, l3proto.unwrap_or(family).nfproto().into());
            writer.put_u8(uapi::ct_expect::L4PROTO, *protocol);
            writer.put_u16(uapi::ct_expect::DPORT, *dport);
            // In the order of the machine (`nft_ct_expect_obj_init`, net/netfilter/nft_ct.c).
            writer.put(uapi::ct_expect::TIMEOUT, &timeout_ms.to_ne_bytes());
            writer.put_u8(uapi::ct_expect::SIZE, *size);
        }
        ObjectKind::Synproxy(synproxy) => {
            let flags = [synproxy.mss.is_some(), synproxy.wscale.is_some(), synproxy.sack_perm, synproxy.timestamp];
            let flags = flags.into_iter().enumerate().fold(0, |bits, (at, on)| bits | u32::from(on) << at);
            writer.put_u16(uapi::synproxy::MSS, synproxy.mss.unwrap_or(0));
            writer.put_u8(uapi::synproxy::WSCALE, synproxy.wscale.unwrap_or(0));
            writer.put_u32(uapi::synproxy::FLAGS, flags);
        }
        ObjectKind::Secmark(context) => writer.put_str(uapi::secmark::CTX, context),
        ObjectKind::Opaque { body, .. } if body.dialect == Dialect::Netlink => {
            let bytes = unhex(&body.text).ok_or_else(|| Refused(format!("`{}` are no bytes", body.text)))?;
            writer.raw(&bytes);
        }
        other => return Err(Refused(format!("this object is not understood: {other:?}"))),
    }
    Ok(())
}

fn put_timeouts(writer: &mut Writer, protocol: u8, policy: &[(String, u32)]) -> Result<(), Refused> {
    let names = timeouts(protocol);
    let start = writer.open(uapi::ct_timeout::DATA);
    for (state, seconds) in policy {
        let number = names.iter().position(|(name, _)| name == state);
        let number = number.ok_or_else(|| Refused(format!("protocol {protocol} has no state `{state}`")))?;
        writer.put_u32(number as u16 + 1, *seconds);
    }
    writer.close(start);
    Ok(())
}

fn put_expr_data(writer: &mut Writer, expr: &Expr) {
    expr::put_data(writer, expr, &mut SetIds::new(0..0));
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

/// Writes a flowtable.
pub(crate) fn put_flowtable(writer: &mut Writer, table: &TableId, flowtable: &Flowtable) {
    /// `enum nft_flowtable_flags`.
    const OFFLOAD: u32 = 1;
    const COUNTER: u32 = 2;
    put_flowtable_name(writer, table, &flowtable.name);
    writer.nest(uapi::flowtable::HOOK, |writer| {
        // Flowtables are always at the ingress hook, which is number 0.
        writer.put_u32(uapi::flowtable_hook::NUM, 0);
        writer.put_u32(uapi::flowtable_hook::PRIORITY, flowtable.priority.0.cast_unsigned());
        writer.nest(uapi::flowtable_hook::DEVS, |writer| {
            for device in &flowtable.devices {
                writer.put_str(uapi::device::NAME, device.as_str());
            }
        });
    });
    let flags = (u32::from(flowtable.offload) * OFFLOAD) | (u32::from(flowtable.counter) * COUNTER);
    writer.put_u32(uapi::flowtable::FLAGS, flags);
}

/// Writes what names a flowtable.
pub(crate) fn put_flowtable_name(writer: &mut Writer, table: &TableId, name: &ObjectName) {
    writer.put_str(uapi::flowtable::TABLE, table.name.as_str());
    writer.put_str(uapi::flowtable::NAME, name.as_str());
}
