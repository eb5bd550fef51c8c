//! Tables, chains, rules, sets, objects and flowtables from JSON.

use serde_json::Value as Json;

use super::command::missing;
use super::element::{milliseconds, with_intervals};
use super::fields::{self, Fields};
use super::statement::{limit_of, synproxy};
use super::{Reader, Result, Trouble};
use crate::ir::{
    AnySet, BaseChain, Chain, ChainName, ChainType, Comment, Counter, DataKind, DataType, DeviceName, Expression,
    Family, Field, Flowtable, Hook, KeyType, Object, ObjectKind, ObjectType, Opaque, Policy, Priority, Quota, Rule,
    SetFlags, SetPolicy, SetSpec, TableFlags, TableId, Verb, normal, symbol,
};

fn comment<'a>(fields: &Fields<'a>) -> Result<'a, Option<Comment>> {
    fields.find("comment").map(fields::name).transpose()
}

fn devices<'a>(fields: &Fields<'a>) -> Result<'a, Vec<DeviceName>> {
    fields.find("dev").map(fields::items).unwrap_or_default().iter().map(fields::name).collect()
}

impl Reader<'_> {
    pub(super) fn add_table<'a>(&mut self, item: &'a Json, id: &TableId, fields: &Fields<'a>) -> Result<'a, ()> {
        let mut flags = TableFlags::default();
        let known = [("dormant", &mut flags.dormant), ("owner", &mut flags.owner), ("persist", &mut flags.persist)];
        fields.flags("flags", known)?;
        let comment = comment(fields)?;
        let table = self.parsed.ruleset.table_mut(id);
        if fields.find("flags").is_some() {
            table.flags = flags;
        }
        table.comment = comment.or(table.comment.take());
        self.report_unknown(item, fields);
        Ok(())
    }

    pub(super) fn add_chain<'a>(&mut self, item: &'a Json, id: &TableId, fields: &Fields<'a>) -> Result<'a, ()> {
        let name: ChainName = fields::name(fields.need("name")?)?;
        let base = base_chain(id.family, fields)?;
        let mut offload = false;
        fields.flags("flags", [("offload", &mut offload)])?;
        let comment = comment(fields)?;
        let table = self.parsed.ruleset.table_mut(id);
        let rules = table.chains.find_mut(&name).map(|chain| std::mem::take(&mut chain.rules)).unwrap_or_default();
        table.chains.insert(Chain { name, base, offload, comment, rules });
        self.report_unknown(item, fields);
        Ok(())
    }

    pub(super) fn rule<'a>(
        &mut self,
        item: &'a Json,
        verb: Option<Verb>,
        handle: Option<u64>,
        fields: &Fields<'a>,
    ) -> Result<'a, ()> {
        let Some(id) = self.table.clone() else { return Ok(()) };
        let chain: ChainName = fields::name(fields.need("chain")?)?;
        if !self.parsed.ruleset.table_mut(&id).chains.contains(&chain) {
            let name = fields.need("chain")?;
            return Err(Trouble::wrong(name, format!("there is no chain `{chain}` before this")));
        }
        let index = fields.find_number::<usize>("index")?;
        let handles = self.handles.entry((id.clone(), chain.clone())).or_default();
        let by_handle = handle
            .filter(|_| verb.is_some())
            .and_then(|handle| handles.iter().position(|other| *other == Some(handle)));
        let count = handles.len();
        if matches!(verb, Some(Verb::Delete | Verb::Destroy | Verb::Replace)) && by_handle.is_none() {
            return match verb {
                Some(Verb::Destroy) => Ok(()),
                _ => Err(missing(fields, "there is no rule of that handle in this document".into())),
            };
        }
        let at = match (verb, by_handle.or(index)) {
            (Some(Verb::Delete | Verb::Destroy), at) => {
                let at = at.unwrap_or(0);
                handles.remove(at);
                self.parsed.ruleset.table_mut(&id).chain_mut(&chain).rules.remove(at);
                return Ok(());
            }
            (Some(Verb::Insert), at) => at.unwrap_or(0).min(count),
            (_, Some(at)) => (at + 1).min(count),
            (_, None) => count,
        };
        let rule = self.read_rule(item, fields)?;
        self.report_unknown(item, fields);
        let handles = self.handles.entry((id.clone(), chain.clone())).or_default();
        let rules = &mut self.parsed.ruleset.table_mut(&id).chain_mut(&chain).rules;
        if let (Some(Verb::Replace), Some(at)) = (verb, by_handle) {
            rules[at] = rule;
        } else {
            handles.insert(at, handle.filter(|_| verb.is_none()));
            rules.insert(at, rule);
        }
        Ok(())
    }

    fn read_rule<'a>(&mut self, item: &'a Json, fields: &Fields<'a>) -> Result<'a, Rule> {
        let comment = comment(fields)?;
        let statements = fields.need("expr")?;
        let statements = fields::items(statements).iter().map(|statement| self.statement_or_kept(item, statement));
        let statements = statements.collect();
        let statements = match &self.table {
            Some(table) => normal(table.family, statements),
            None => statements,
        };
        Ok(Rule { statements, comment, provenance: self.provenance() })
    }

    pub(super) fn add_set<'a>(
        &mut self,
        item: &'a Json,
        id: &TableId,
        body: &'a Json,
        fields: &Fields<'a>,
    ) -> Result<'a, ()> {
        let name = fields::name(fields.need("name")?)?;
        let key = self.key_type(fields.need("type")?)?;
        let kind = match fields.find("map") {
            None => DataKind::None,
            Some(map) => self.data_kind(map)?,
        };
        let mut spec = SetSpec::new(name, key);
        self.settings(&mut spec, fields)?;
        let written = fields.find("elem").map(fields::items).unwrap_or_default();
        let mut elements = Vec::with_capacity(written.len());
        for element in written {
            match self.element(element, &spec.key, &kind) {
                Ok(element) => elements.push(element),
                Err(trouble) => self.report(item, trouble),
            }
        }
        let kind = with_intervals(kind, &mut elements);
        let sets = &mut self.parsed.ruleset.table_mut(id).sets;
        match sets.find_mut(&spec.name) {
            // Declared again: only its elements are new.
            Some(set) if !elements.is_empty() => {
                if set.spec().key != spec.key || set.data_kind() != kind {
                    return Err(Trouble::wrong(body, format!("`{}` was declared with other types", spec.name)));
                }
                elements.into_iter().for_each(|element| drop(set.elements_mut().insert(element)));
            }
            _ => drop(sets.insert(AnySet::new(spec, kind).with_elements(elements.into()))),
        }
        self.report_unknown(item, fields);
        Ok(())
    }

    fn settings<'a>(&self, spec: &mut SetSpec, fields: &Fields<'a>) -> Result<'a, ()> {
        let SetFlags { constant, interval, timeout, dynamic } = &mut spec.flags;
        let known = [("constant", constant), ("interval", interval), ("timeout", timeout), ("dynamic", dynamic)];
        fields.flags("flags", known)?;
        spec.comment = comment(fields)?;
        spec.timeout_ms = milliseconds(fields, "timeout")?;
        spec.flags.timeout |= spec.timeout_ms.is_some();
        let gc_interval = milliseconds(fields, "gc-interval")?;
        spec.gc_interval_ms = gc_interval.map(|interval| interval.try_into().unwrap_or(u32::MAX));
        spec.size = fields.find_number("size")?;
        spec.auto_merge = fields.flag("auto-merge")?;
        if let Some(policy) = fields.find("policy") {
            spec.policy = match fields::text(policy)? {
                "memory" => SetPolicy::Memory,
                "performance" => SetPolicy::Performance,
                _ => return Err(Trouble::Unknown(policy)),
            };
        }
        let statements = fields.find("stmt").map(fields::items).unwrap_or_default();
        spec.statements = statements.iter().map(|statement| self.statement(statement)).collect::<Result<'_, _>>()?;
        Ok(())
    }

    /// Types by name, or expressions that have them. nft 1.0 joins the names of a map's data with dots.
    fn key_type<'a>(&self, json: &'a Json) -> Result<'a, KeyType> {
        if let Some(declared) = json.as_object().and_then(|object| object.get("typeof")) {
            let parts = match self.expression(declared, &[])? {
                Expression::Concat(parts) => parts,
                single => vec![single],
            };
            return KeyType::of_expressions(parts).ok_or(Trouble::Unknown(declared));
        }
        let mut fields = Vec::new();
        for item in fields::items(json) {
            for name in fields::text(item)?.split(" . ") {
                let datatype = DataType::from_name(name)
                    .ok_or_else(|| Trouble::wrong(item, format!("`{name}` is no data type")))?;
                let field = Field::of_type(datatype);
                // What nft 1.0 lists of a set declared by `typeof`: the length is not there.
                let open = match datatype {
                    DataType::String => 128,
                    _ => 32,
                };
                fields.push(Field { bits: if field.bits == 0 { open } else { field.bits }, ..field });
            }
        }
        if fields.is_empty() { Err(Trouble::wrong(json, "a set has a type")) } else { Ok(KeyType { fields }) }
    }

    fn data_kind<'a>(&self, json: &'a Json) -> Result<'a, DataKind> {
        let object = match json.as_str() {
            Some("verdict") => return Ok(DataKind::Verdict),
            Some(word) => object_types().into_iter().find(|object| object.keyword() == word),
            None => None,
        };
        match object {
            // `mark` and the like are types too, but no type of data has an object's name.
            Some(object) => Ok(DataKind::Object(object)),
            None => Ok(DataKind::Value { data: self.key_type(json)?, interval: false }),
        }
    }

    pub(super) fn add_flowtable<'a>(&mut self, item: &'a Json, id: &TableId, fields: &Fields<'a>) -> Result<'a, ()> {
        let name = fields::name(fields.need("name")?)?;
        let priority = priority(Family::Netdev, fields.find("prio"))?;
        let _ = fields.find("hook");
        let mut flowtable = Flowtable { name, priority, devices: devices(fields)?, counter: false, offload: false };
        let known = [("counter", &mut flowtable.counter), ("offload", &mut flowtable.offload)];
        fields.flags("flags", known)?;
        self.parsed.ruleset.table_mut(id).flowtables.insert(flowtable);
        self.report_unknown(item, fields);
        Ok(())
    }

    pub(super) fn add_object<'a>(
        &mut self,
        item: &'a Json,
        kind: &str,
        id: &TableId,
        body: &'a Json,
        fields: &Fields<'a>,
    ) -> Result<'a, ()> {
        let Some(object) = object_types().into_iter().find(|object| object.keyword() == kind) else {
            return Err(Trouble::Unknown(item));
        };
        let name = fields::name(fields.need("name")?)?;
        let comment = comment(fields)?;
        let kind = match object_kind(object, fields).and_then(|kind| fields.all_known().map(|()| kind)) {
            Ok(kind) => kind,
            Err(trouble) => {
                self.report(item, trouble);
                ObjectKind::Opaque { object, body: state_of(body) }
            }
        };
        self.parsed.ruleset.table_mut(id).objects.insert(Object { name, kind, comment });
        Ok(())
    }
}

fn object_types() -> [ObjectType; 9] {
    [
        ObjectType::Counter,
        ObjectType::Quota,
        ObjectType::Limit,
        ObjectType::CtHelper,
        ObjectType::CtTimeout,
        ObjectType::CtExpectation,
        ObjectType::Synproxy,
        ObjectType::Secmark,
        ObjectType::Tunnel,
    ]
}

fn object_kind<'a>(object: ObjectType, fields: &Fields<'a>) -> Result<'a, ObjectKind> {
    let l3proto = || -> Result<'a, Option<Family>> {
        let Some(family) = fields.find("l3proto") else { return Ok(None) };
        Family::from_keyword(fields::text(family)?).map(Some).ok_or(Trouble::Unknown(family))
    };
    Ok(match object {
        ObjectType::Counter => ObjectKind::Counter(Counter {
            packets: fields.find_number("packets")?.unwrap_or(0),
            bytes: fields.find_number("bytes")?.unwrap_or(0),
        }),
        ObjectType::Quota => ObjectKind::Quota(Quota {
            over: fields.flag("inv")?,
            bytes: fields::number(fields.need("bytes")?)?,
            used: fields.find_number("used")?.unwrap_or(0),
        }),
        ObjectType::Limit => ObjectKind::Limit(limit_of(fields)?),
        ObjectType::CtHelper => ObjectKind::CtHelper {
            helper: fields.text("type")?.to_owned(),
            protocol: protocol(fields)?,
            l3proto: l3proto()?,
        },
        ObjectType::CtTimeout => {
            ObjectKind::CtTimeout { protocol: protocol(fields)?, l3proto: l3proto()?, policy: policy(fields)? }
        }
        ObjectType::CtExpectation => ObjectKind::CtExpectation {
            protocol: protocol(fields)?,
            l3proto: l3proto()?,
            dport: fields::number(fields.need("dport")?)?,
            timeout_ms: fields::number(fields.need("timeout")?)?,
            size: fields::number(fields.need("size")?)?,
        },
        ObjectType::Synproxy => ObjectKind::Synproxy(synproxy(fields)?),
        ObjectType::Secmark => ObjectKind::Secmark(fields.text("context")?.to_owned()),
        _ => return Err(Trouble::Unknown(fields.need("name")?)),
    })
}

/// What an object says besides its name and table.
fn state_of(body: &Json) -> Opaque {
    let named = ["family", "table", "name", "handle", "comment"];
    let mut body = body.clone();
    if let Json::Object(map) = &mut body {
        map.retain(|key, _| !named.contains(&key.as_str()));
    }
    super::opaque(&body)
}

fn protocol<'a>(fields: &Fields<'a>) -> Result<'a, u8> {
    let json = fields.need("protocol")?;
    let number = match json {
        Json::String(word) => symbol::number_of(DataType::InetProto, word).and_then(|number| number.try_into().ok()),
        json => json.as_u64().and_then(|number| number.try_into().ok()),
    };
    number.ok_or_else(|| Trouble::wrong(json, "this is no protocol"))
}

fn policy<'a>(fields: &Fields<'a>) -> Result<'a, Vec<(String, u32)>> {
    let Some(policy) = fields.find("policy") else { return Ok(Vec::new()) };
    let states = Fields::of(policy)?;
    states.unknown().map(|(state, seconds)| Ok((state.to_owned(), fields::number(seconds)?))).collect()
}

fn base_chain<'a>(family: Family, fields: &Fields<'a>) -> Result<'a, Option<BaseChain>> {
    let Some(hook) = fields.find("hook") else {
        return match fields.find("type") {
            Some(chain_type) => Err(Trouble::wrong(chain_type, "a chain of a type has a hook")),
            None => Ok(None),
        };
    };
    let chain_type = fields.need("type")?;
    let known_type = ChainType::from_keyword(fields::text(chain_type)?)
        .ok_or_else(|| Trouble::wrong(chain_type, "this is no chain type (filter, nat, route)"))?;
    let known_hook = Hook::from_keyword(fields::text(hook)?).ok_or_else(|| Trouble::wrong(hook, "this is no hook"))?;
    let priority = priority(family, fields.find("prio"))?;
    let base = BaseChain::new(family, known_hook, known_type, priority)
        .and_then(|base| base.with_devices(devices(fields).unwrap_or_default()))
        .map_err(|error| Trouble::wrong(hook, error.to_string()))?;
    devices(fields)?;
    let policy = match fields.find("policy") {
        None => Policy::Accept,
        Some(policy) => match fields::text(policy)? {
            "accept" => Policy::Accept,
            "drop" => Policy::Drop,
            _ => return Err(Trouble::wrong(policy, "this is no policy (accept, drop)")),
        },
    };
    Ok(Some(base.with_policy(policy)))
}

/// A number, or a name with or without an offset.
fn priority(family: Family, json: Option<&Json>) -> Result<'_, Priority> {
    let Some(json) = json else { return Ok(Priority(0)) };
    let number = match json {
        Json::String(text) => named_priority(family, text),
        json => json.as_i64(),
    };
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.map(Priority).ok_or_else(|| Trouble::wrong(json, "this is no priority"))
}

fn named_priority(family: Family, text: &str) -> Option<i64> {
    if let Ok(number) = text.trim().parse() {
        return Some(number);
    }
    let end = text.find(['+', '-']).unwrap_or(text.len());
    let (name, offset) = text.split_at(end);
    let base = i64::from(Priority::from_name(family, name.trim())?.0);
    let offset: String = offset.chars().filter(|c| !c.is_whitespace()).collect();
    if offset.is_empty() { Some(base) } else { base.checked_add(offset.parse().ok()?) }
}
