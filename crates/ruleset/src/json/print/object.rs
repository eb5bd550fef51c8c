//! Tables, chains, objects, flowtables, sets and rules as JSON objects.

use serde_json::{Map, Value as Json, json};

use super::{Printer, Release, flags, opaque, seconds, statement};
use crate::ir::{
    AnySet, Chain, Comment, DataKind, DataType, DeviceName, Flowtable, KeyType, Object, ObjectKind, Rule, SetFlags,
    SetPolicy, SetSpec, Table, TableFlags, symbol,
};

/// An object of a table: family and table first, as nft writes them.
fn within(table: &Table) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("family".into(), table.family.keyword().into());
    object.insert("table".into(), table.name.as_str().into());
    object
}

fn put_comment(object: &mut Map<String, Json>, comment: Option<&Comment>) {
    if let Some(comment) = comment {
        object.insert("comment".into(), comment.as_str().into());
    }
}

fn wrap(kind: &str, object: Map<String, Json>) -> Json {
    Json::Object(Map::from_iter([(kind.to_owned(), Json::Object(object))]))
}

pub(super) fn table(table: &Table) -> Json {
    let mut object = Map::new();
    object.insert("family".into(), table.family.keyword().into());
    object.insert("name".into(), table.name.as_str().into());
    let TableFlags { dormant, owner, persist } = table.flags;
    let names = chosen([("dormant", dormant), ("owner", owner), ("persist", persist)]);
    if !names.is_empty() {
        object.insert("flags".into(), flags(&names));
    }
    put_comment(&mut object, table.comment.as_ref());
    wrap("table", object)
}

pub(super) fn chain(table: &Table, chain: &Chain) -> Json {
    let mut object = within(table);
    object.insert("name".into(), chain.name.as_str().into());
    put_comment(&mut object, chain.comment.as_ref());
    if let Some(base) = &chain.base {
        object.insert("type".into(), base.chain_type().keyword().into());
        object.insert("hook".into(), base.hook().keyword().into());
        object.insert("prio".into(), base.priority().0.into());
        put_devices(&mut object, base.devices());
        object.insert("policy".into(), base.policy().keyword().into());
    }
    if chain.offload {
        object.insert("flags".into(), "offload".into());
    }
    wrap("chain", object)
}

fn put_devices(object: &mut Map<String, Json>, devices: &[DeviceName]) {
    let names: Vec<&str> = devices.iter().map(DeviceName::as_str).collect();
    if !names.is_empty() {
        object.insert("dev".into(), flags(&names));
    }
}

pub(super) fn object(table: &Table, item: &Object) -> Json {
    let mut object = within(table);
    object.insert("name".into(), item.name.as_str().into());
    put_comment(&mut object, item.comment.as_ref());
    let body = match &item.kind {
        ObjectKind::Counter(counter) => json!({ "packets": counter.packets, "bytes": counter.bytes }),
        ObjectKind::Quota(quota) => json!({ "bytes": quota.bytes, "used": quota.used, "inv": quota.over }),
        ObjectKind::Limit(limit) => statement::limit(limit),
        ObjectKind::CtHelper { helper, protocol, l3proto } => {
            json!({ "type": helper, "protocol": inet_protocol(*protocol), "l3proto": l3proto })
        }
        ObjectKind::CtTimeout { protocol, l3proto, policy } => {
            let policy: Map<String, Json> =
                policy.iter().map(|(state, seconds)| (state.clone(), (*seconds).into())).collect();
            let policy = if policy.is_empty() { Json::Null } else { policy.into() };
            json!({ "protocol": inet_protocol(*protocol), "l3proto": l3proto, "policy": policy })
        }
        ObjectKind::CtExpectation { protocol, l3proto, dport, timeout_ms, size } => json!({
            "protocol": inet_protocol(*protocol), "dport": dport, "timeout": timeout_ms, "size": size, "l3proto": l3proto,
        }),
        ObjectKind::Synproxy(synproxy) => statement::synproxy(*synproxy),
        ObjectKind::Secmark(context) => json!({ "context": context }),
        ObjectKind::Opaque { body, .. } => opaque(body),
    };
    if let Json::Object(body) = body {
        // A family that is not written is that of the table.
        object.extend(body.into_iter().filter(|(key, value)| key != "l3proto" || !value.is_null()));
    }
    wrap(item.kind.object_type().keyword(), object)
}

fn inet_protocol(number: u8) -> Json {
    symbol::name_of(DataType::InetProto, number.into()).map_or_else(|| number.into(), Json::from)
}

pub(super) fn flowtable(table: &Table, flowtable: &Flowtable) -> Json {
    let mut object = within(table);
    object.insert("name".into(), flowtable.name.as_str().into());
    object.insert("hook".into(), "ingress".into());
    object.insert("prio".into(), flowtable.priority.0.into());
    put_devices(&mut object, &flowtable.devices);
    let names = chosen([("offload", flowtable.offload), ("counter", flowtable.counter)]);
    if !names.is_empty() {
        object.insert("flags".into(), flags(&names));
    }
    wrap("flowtable", object)
}

impl Printer {
    pub(super) fn rule(self, table: &Table, chain: &Chain, rule: &Rule) -> Json {
        let mut object = within(table);
        object.insert("chain".into(), chain.name.as_str().into());
        put_comment(&mut object, rule.comment.as_ref());
        object.insert("expr".into(), self.statements(&rule.statements));
        wrap("rule", object)
    }

    pub(super) fn set(self, table: &Table, set: &AnySet) -> Json {
        let spec = set.spec();
        let kind = set.data_kind();
        let mut object = within(table);
        object.insert("name".into(), spec.name.as_str().into());
        object.insert("type".into(), self.key_type(&spec.key));
        put_comment(&mut object, spec.comment.as_ref());
        if let Some(data) = self.data_type(&kind) {
            object.insert("map".into(), data);
        }
        self.put_settings(&mut object, spec);
        let elements = self.elements(set.elements(), &spec.key, &kind, spec.flags.interval);
        if !elements.is_empty() {
            object.insert("elem".into(), elements.into());
        }
        wrap(if kind == DataKind::None { "set" } else { "map" }, object)
    }

    fn put_settings(self, object: &mut Map<String, Json>, spec: &SetSpec) {
        if spec.policy == SetPolicy::Memory {
            object.insert("policy".into(), "memory".into());
        }
        let SetFlags { constant, interval, timeout, dynamic } = spec.flags;
        // nft 1.0 does not know the flag here: it sets it for sets without a `constant` one that rules change.
        let dynamic = dynamic && self.release >= Release::V1_1;
        let names =
            chosen([("constant", constant), ("interval", interval), ("timeout", timeout), ("dynamic", dynamic)]);
        if !names.is_empty() {
            object.insert("flags".into(), names.into());
        }
        if let Some(timeout) = spec.timeout_ms {
            object.insert("timeout".into(), seconds(timeout));
        }
        if let Some(interval) = spec.gc_interval_ms {
            object.insert("gc-interval".into(), seconds(interval.into()));
        }
        if let Some(size) = spec.size {
            object.insert("size".into(), size.into());
        }
        if spec.auto_merge {
            object.insert("auto-merge".into(), true.into());
        }
        if !spec.statements.is_empty() {
            object.insert("stmt".into(), self.statements(&spec.statements));
        }
    }

    /// The type of keys or data: by `typeof` where it was declared so and the release has it.
    fn key_type(self, key: &KeyType) -> Json {
        if self.release >= Release::V1_1
            && let Some(expressions) =
                key.fields.iter().map(|field| field.declared_as.as_deref()).collect::<Option<Vec<_>>>()
        {
            let mut expressions: Vec<Json> =
                expressions.into_iter().map(|expression| self.expression(expression)).collect();
            let declared = match expressions.len() {
                1 => expressions.remove(0),
                _ => json!({ "concat": expressions }),
            };
            return json!({ "typeof": declared });
        }
        match key.fields.as_slice() {
            [field] => field.datatype.to_string().into(),
            fields => fields.iter().map(|field| field.datatype.to_string()).collect(),
        }
    }

    fn data_type(self, kind: &DataKind) -> Option<Json> {
        Some(match kind {
            DataKind::None => return None,
            DataKind::Verdict => "verdict".into(),
            DataKind::Object(object) => object.keyword().into(),
            DataKind::Value { data, .. } if self.release == Release::V1_0 => {
                // As nft 1.0.6 lists it, though it does not load it.
                data.fields.iter().map(|field| field.datatype.to_string()).collect::<Vec<_>>().join(" . ").into()
            }
            DataKind::Value { data, .. } => self.key_type(data),
        })
    }
}

/// The names that hold.
pub(super) fn chosen<const N: usize>(names: [(&'static str, bool); N]) -> Vec<&'static str> {
    names.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}
