//! Declarations of sets and maps, as nft 1.0.6 sends them.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{AnySet, DataKind, Field, SetPolicy, TableId};
use rulectl_ruleset::userdata;

use super::expr::{self, SetIds};
use super::{Refused, elements};
use crate::attr::Writer;
use crate::{stateful, uapi};

/// Writes the attributes of a declaration. An anonymous set has a number that rules of the same batch know it by.
pub(crate) fn put(writer: &mut Writer, table: &TableId, set: &AnySet, anonymous: Option<u32>) -> Result<(), Refused> {
    let spec = set.spec();
    writer.put_str(uapi::set::TABLE, table.name.as_str());
    writer.put_str(uapi::set::NAME, spec.name.as_str());
    writer.put_u32(uapi::set::FLAGS, flags(set, anonymous.is_some()));
    writer.put_u32(uapi::set::KEY_TYPE, spec.key.id());
    writer.put_u32(uapi::set::KEY_LEN, spec.key.len() as u32);
    put_data(writer, &set.data_kind());
    // The kernel wants a number for every set; only those of anonymous ones are used.
    writer.put_u32(uapi::set::ID, anonymous.unwrap_or(0));
    if spec.policy == SetPolicy::Memory && anonymous.is_none() {
        writer.put_u32(uapi::set::POLICY, 1);
    }
    put_description(writer, set, anonymous.is_some());
    if let Some(timeout) = spec.timeout_ms {
        writer.put_u64(uapi::set::TIMEOUT, timeout);
    }
    if let Some(interval) = spec.gc_interval_ms {
        writer.put_u32(uapi::set::GC_INTERVAL, interval);
    }
    put_userdata(writer, set)?;
    put_exprs(writer, set)
}

/// The kernel's flags of a set (`enum nft_set_flags`).
fn flags(set: &AnySet, anonymous: bool) -> u32 {
    let spec = set.spec();
    let concatenated = spec.flags.interval && spec.key.is_concat();
    let kind = match set.data_kind() {
        DataKind::None => 0,
        DataKind::Value { .. } | DataKind::Verdict => uapi::NFT_SET_MAP,
        DataKind::Object(_) => uapi::NFT_SET_OBJECT,
    };
    let bits = [
        (anonymous, uapi::NFT_SET_ANONYMOUS),
        (spec.flags.constant || anonymous, uapi::NFT_SET_CONSTANT),
        (spec.flags.interval, uapi::NFT_SET_INTERVAL),
        (spec.flags.timeout || spec.timeout_ms.is_some(), uapi::NFT_SET_TIMEOUT),
        (spec.flags.dynamic, uapi::NFT_SET_EVAL),
        (concatenated, uapi::NFT_SET_CONCAT),
        (spec.statements.len() > 1, uapi::NFT_SET_EXPR),
    ];
    bits.into_iter().filter(|(on, _)| *on).fold(kind, |flags, (_, bit)| flags | bit)
}

fn put_data(writer: &mut Writer, kind: &DataKind) {
    match kind {
        DataKind::None => {}
        DataKind::Value { data, interval } => {
            let len = if *interval { 2 * data.len() } else { data.len() };
            writer.put_u32(uapi::set::DATA_TYPE, data.id());
            writer.put_u32(uapi::set::DATA_LEN, len as u32);
        }
        DataKind::Verdict => {
            writer.put_u32(uapi::set::DATA_TYPE, uapi::NFT_DATA_VERDICT);
            writer.put_u32(uapi::set::DATA_LEN, 0);
        }
        DataKind::Object(object) => writer.put_u32(uapi::set::OBJ_TYPE, object.number()),
    }
}

/// Size and fields (`NFTA_SET_DESC`). The kernel takes the fields of concatenations of intervals only.
fn put_description(writer: &mut Writer, set: &AnySet, anonymous: bool) {
    let spec = set.spec();
    let size = if anonymous { Some(elements::count(set)) } else { spec.size };
    let fields: &[Field] = if spec.flags.interval && spec.key.is_concat() { &spec.key.fields } else { &[] };
    if size.is_none() && fields.is_empty() {
        return;
    }
    writer.nest(uapi::set::DESC, |writer| {
        if let Some(size) = size {
            writer.put_u32(uapi::desc::SIZE, size);
        }
        if !fields.is_empty() {
            writer.nest(uapi::desc::CONCAT, |writer| {
                for field in fields {
                    writer.nest(uapi::list::ELEM, |writer| writer.put_u32(uapi::field::LEN, field.bytes() as u32));
                }
            });
        }
    });
}

fn put_userdata(writer: &mut Writer, set: &AnySet) -> Result<(), Refused> {
    let userdata = userdata::set(set);
    if userdata.len() > userdata::MAX {
        let (len, max) = (userdata.len(), userdata::MAX);
        return Err(Refused(format!("its declaration takes {len} bytes of user data, the kernel keeps {max}")));
    }
    writer.put(uapi::set::USERDATA, &userdata);
    Ok(())
}

fn put_exprs(writer: &mut Writer, set: &AnySet) -> Result<(), Refused> {
    let exprs = set.spec().statements.iter().map(|statement| stateful::expr(statement).ok_or(statement));
    let exprs: Vec<Expr> =
        exprs.collect::<Result<_, _>>().map_err(|statement| Refused(format!("it cannot carry {statement:?}")))?;
    let mut none = SetIds::new(0..0);
    match exprs.as_slice() {
        [] => {}
        [one] => writer.nest(uapi::set::EXPR, |writer| expr::put(writer, one, &mut none)),
        all => writer.nest(uapi::set::EXPRESSIONS, |writer| expr::put_list(writer, all, &mut none)),
    }
    Ok(())
}
