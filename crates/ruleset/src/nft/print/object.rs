//! Named objects and flowtables.

use std::fmt;

use super::statement::{self, synproxy_parts};
use super::{Out, State, Subject, join, quoted};
use crate::ir::symbol;
use crate::ir::{DataType, Family, Flowtable, Object, ObjectKind, TableId, Value};

/// An object of a table.
pub(super) fn object(out: Out<'_>, table: Option<&TableId>, object: &Object) -> fmt::Result {
    let object_type = object.kind.object_type();
    write!(out, "\t{object_type} {} {{", object.name)?;
    out.handle(table.map(|table| Subject::Object(table, object_type, &object.name)))?;
    out.write_char('\n')?;
    if let Some(comment) = &object.comment {
        out.write_str("\t\tcomment ")?;
        quoted(out, comment.as_str())?;
        out.write_char('\n')?;
    }
    body(out, &object.kind)?;
    out.write_str("\t}\n")
}

fn body(out: Out<'_>, kind: &ObjectKind) -> fmt::Result {
    match kind {
        ObjectKind::Counter(_) if out.detail().state == State::Omitted => Ok(()),
        ObjectKind::Counter(counter) => {
            writeln!(out, "\t\tpackets {} bytes {}", counter.packets, counter.bytes)
        }
        ObjectKind::Quota(quota) => {
            out.write_str("\t\t")?;
            statement::quota(out, quota)?;
            out.write_char('\n')
        }
        ObjectKind::Limit(limit) => {
            statement::limit(out, "\t\t", limit)?;
            out.write_char('\n')
        }
        ObjectKind::CtHelper { helper, protocol, l3proto } => {
            out.write_str("\t\ttype ")?;
            quoted(out, helper)?;
            writeln!(out, " protocol {}", Value::new(DataType::InetProto, [*protocol]))?;
            family(out, *l3proto)
        }
        ObjectKind::CtTimeout { protocol, l3proto, policy } => {
            writeln!(out, "\t\tprotocol {}", Value::new(DataType::InetProto, [*protocol]))?;
            family(out, *l3proto)?;
            if policy.is_empty() {
                return Ok(());
            }
            // nft 1.0 reads no units here.
            out.write_str("\t\tpolicy = { ")?;
            join(out, ", ", policy, |out, (state, seconds)| write!(out, "{state} : {seconds}"))?;
            out.write_str(" }\n")
        }
        ObjectKind::CtExpectation { protocol, l3proto, dport, timeout_ms, size } => {
            writeln!(out, "\t\tprotocol {}", Value::new(DataType::InetProto, [*protocol]))?;
            writeln!(out, "\t\tdport {dport}")?;
            writeln!(out, "\t\ttimeout {}", symbol::duration(u64::from(*timeout_ms)))?;
            writeln!(out, "\t\tsize {size}")?;
            family(out, *l3proto)
        }
        ObjectKind::Synproxy(synproxy) => {
            let mut lines = String::new();
            synproxy_parts(&mut lines, "\n\t\t", synproxy)?;
            writeln!(out, "{}", lines.trim_start_matches('\n'))
        }
        ObjectKind::Secmark(context) => {
            out.write_str("\t\t")?;
            quoted(out, context)?;
            out.write_char('\n')
        }
        ObjectKind::Opaque { body, .. } => body.text.lines().try_for_each(|line| writeln!(out, "\t\t{}", line.trim())),
    }
}

fn family(out: Out<'_>, family: Option<Family>) -> fmt::Result {
    family.map_or(Ok(()), |family| writeln!(out, "\t\tl3proto {family}"))
}

/// A flowtable of a table.
pub(super) fn flowtable(out: Out<'_>, table: Option<&TableId>, flowtable: &Flowtable) -> fmt::Result {
    write!(out, "\tflowtable {} {{", flowtable.name)?;
    out.handle(table.map(|table| Subject::Flowtable(table, &flowtable.name)))?;
    out.write_char('\n')?;
    out.write_str("\t\thook ingress priority ")?;
    super::table::priority(out, Flowtable::PRIORITY_FAMILY, None, flowtable.priority)?;
    out.write_char('\n')?;
    if !flowtable.devices.is_empty() {
        out.write_str("\t\tdevices = { ")?;
        join(out, ", ", &flowtable.devices, |out, device| quoted(out, device.as_str()))?;
        out.write_str(" }\n")?;
    }
    if flowtable.offload {
        out.write_str("\t\tflags offload\n")?;
    }
    if flowtable.counter {
        out.write_str("\t\tcounter\n")?;
    }
    out.write_str("\t}\n")
}
