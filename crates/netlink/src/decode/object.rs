//! Tables, chains, stateful objects and flowtables from attributes.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{
    BaseChain, ChainName, ChainType, Counter, DeviceName, Family, Flowtable, Hook, Named, Object, ObjectKind,
    ObjectName, ObjectType, Policy, Priority, Quota, Synproxy, TableFlags, TableId, TableName, timeouts,
};
use rulectl_ruleset::live::{LiveChain, LiveFlowtable, LiveObject, LiveTable};
use rulectl_ruleset::userdata;

use super::expr;
use super::set::opaque;
use crate::attr::{Attribute, Attributes};
use crate::stateful;

/// A table without what is in it.
pub(crate) fn table(family: Family, attributes: Attributes<'_>) -> Option<LiveTable> {
    let [_, name, flags, _, handle, _, noted, owner] = attributes.table::<8>();
    Some(LiveTable {
        id: TableId::new(family, TableName::new(name?.str()?).ok()?),
        handle: handle.and_then(Attribute::u64).unwrap_or(0),
        flags: TableFlags::from_bits(flags.and_then(Attribute::u32).unwrap_or(0)),
        comment: noted.and_then(|noted| userdata::parse_comment(noted.payload)),
        owner: owner.and_then(Attribute::u32),
        objects: Named::default(),
        sets: Named::default(),
        flowtables: Named::default(),
        chains: Named::default(),
    })
}

/// A chain without its rules, and the table it is in.
pub(crate) fn chain(family: Family, attributes: Attributes<'_>) -> Option<(TableId, LiveChain)> {
    let [_, table, handle, name, hook, policy, _, kind, _, _, _, _, noted] = attributes.table::<13>();
    let chain = LiveChain {
        name: ChainName::new(name?.str()?).ok()?,
        handle: handle.and_then(Attribute::u64).unwrap_or(0),
        base: hook.and_then(|hook| base(family, hook.nested(), kind, policy)),
        comment: noted.and_then(|noted| userdata::parse_comment(noted.payload)),
        rules: Vec::new(),
    };
    Some((TableId::new(family, TableName::new(table?.str()?).ok()?), chain))
}

fn base(
    family: Family,
    hook: Attributes<'_>,
    kind: Option<Attribute<'_>>,
    policy: Option<Attribute<'_>>,
) -> Option<BaseChain> {
    let [_, number, priority, device, devices] = hook.table::<5>();
    let hook = Hook::from_number(family, number?.u32()?)?;
    let priority = Priority(priority?.u32()?.cast_signed());
    let policy = match policy.and_then(Attribute::u32) {
        Some(0) => Policy::Drop,
        _ => Policy::Accept,
    };
    let base = BaseChain::new(family, hook, ChainType::from_keyword(kind?.str()?)?, priority).ok()?.with_policy(policy);
    let devices = match devices {
        Some(devices) => device_names(devices.nested()),
        None => device.and_then(device_name).into_iter().collect(),
    };
    base.clone().with_devices(devices).ok().or(Some(base))
}

/// In the order of their names, as nft lists them: theirs in the kernel says nothing.
fn device_names(devices: Attributes<'_>) -> Vec<DeviceName> {
    let mut names: Vec<DeviceName> = devices.filter_map(device_name).collect();
    names.sort_unstable();
    names
}

fn device_name(device: Attribute<'_>) -> Option<DeviceName> {
    DeviceName::new(device.str()?).ok()
}

/// An object and the table it is in.
pub(crate) fn object(family: Family, attributes: Attributes<'_>) -> Option<(TableId, LiveObject)> {
    let [_, table, name, kind, data, _, handle, _, noted] = attributes.table::<9>();
    let kind = ObjectType::from_number(kind?.u32()?)?;
    let data = data.map(Attribute::nested).unwrap_or_default();
    let object = Object {
        name: ObjectName::new(name?.str()?).ok()?,
        kind: object_kind(kind, data)
            .unwrap_or_else(|| ObjectKind::Opaque { object: kind, body: opaque(data.bytes()) }),
        comment: noted.and_then(|noted| userdata::parse_comment(noted.payload)),
    };
    let object = object.of_family(family);
    let live = LiveObject { handle: handle.and_then(Attribute::u64).unwrap_or(0), object };
    Some((TableId::new(family, TableName::new(table?.str()?).ok()?), live))
}

fn object_kind(kind: ObjectType, data: Attributes<'_>) -> Option<ObjectKind> {
    match kind {
        ObjectType::Counter | ObjectType::Quota | ObjectType::Limit => {
            Some(match expr::stateful(kind.keyword(), data)? {
                Expr::Counter { packets, bytes } => ObjectKind::Counter(Counter { packets, bytes }),
                Expr::Quota { bytes, consumed, inverted } => {
                    ObjectKind::Quota(Quota { over: inverted, bytes, used: consumed })
                }
                Expr::Limit { rate, unit, burst, kind, inverted } => {
                    ObjectKind::Limit(stateful::limit(rate, unit, burst, kind, inverted)?)
                }
                _ => return None,
            })
        }
        ObjectType::CtHelper => {
            let [_, helper, l3proto, protocol] = data.known::<4>()?;
            let (helper, protocol) = (helper?.str()?.to_owned(), protocol?.u8()?);
            Some(ObjectKind::CtHelper { helper, protocol, l3proto: l3(l3proto)? })
        }
        ObjectType::CtTimeout => ct_timeout(data),
        ObjectType::CtExpectation => {
            let [_, l3proto, protocol, dport, timeout, size] = data.known::<6>()?;
            Some(ObjectKind::CtExpectation {
                protocol: protocol?.u8()?,
                l3proto: l3(l3proto)?,
                dport: dport?.u16()?,
                // In the order of the machine (`nft_ct_expect_obj_dump`, net/netfilter/nft_ct.c).
                timeout_ms: u32::from_ne_bytes(timeout?.payload.try_into().ok()?),
                size: size?.u8()?,
            })
        }
        ObjectType::Synproxy => {
            let [_, mss, wscale, flags] = data.known::<4>()?;
            let on = |bit: u32| Some(flags?.u32()? & bit != 0);
            Some(ObjectKind::Synproxy(Synproxy {
                mss: mss?.u16().filter(|_| on(1) == Some(true)),
                wscale: wscale?.u8().filter(|_| on(2) == Some(true)),
                sack_perm: on(4)?,
                timestamp: on(8)?,
            }))
        }
        ObjectType::Secmark => {
            let [_, context] = data.known::<2>()?;
            Some(ObjectKind::Secmark(context?.str()?.to_owned()))
        }
        _ => None,
    }
}

fn ct_timeout(data: Attributes<'_>) -> Option<ObjectKind> {
    let [_, l3proto, protocol, times] = data.known::<4>()?;
    let protocol = protocol?.u8()?;
    let names = timeouts(protocol);
    let time = |time: Attribute<'_>| {
        let (name, _) = names.get(usize::from(time.kind).checked_sub(1)?)?;
        Some(((*name).to_owned(), time.u32()?))
    };
    let policy = times?.nested().map(time).collect::<Option<Vec<_>>>()?;
    Some(ObjectKind::CtTimeout { protocol, l3proto: l3(l3proto)?, policy })
}

/// The family an object is for.
fn l3(number: Option<Attribute<'_>>) -> Option<Option<Family>> {
    Family::from_nfproto(u8::try_from(number?.u16()?).ok()?).map(Some)
}

/// A flowtable and the table it is in.
pub(crate) fn flowtable(family: Family, attributes: Attributes<'_>) -> Option<(TableId, LiveFlowtable)> {
    let [_, table, name, hook, _, handle, _, flags] = attributes.table::<8>();
    let [_, _, priority, devices] = hook?.nested().table::<4>();
    let flags = flags.and_then(Attribute::u32).unwrap_or(0);
    let flowtable = Flowtable {
        name: ObjectName::new(name?.str()?).ok()?,
        priority: Priority(priority?.u32()?.cast_signed()),
        devices: devices.map(|devices| device_names(devices.nested())).unwrap_or_default(),
        counter: flags & 2 != 0,
        offload: flags & 1 != 0,
    };
    let live = LiveFlowtable { handle: handle.and_then(Attribute::u64).unwrap_or(0), flowtable };
    Some((TableId::new(family, TableName::new(table?.str()?).ok()?), live))
}
