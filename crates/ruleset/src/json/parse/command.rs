//! Commands, and what they do to the ruleset.

use serde_json::Value as Json;

use super::fields::{self, Fields};
use super::{Reader, Result, Trouble};
use crate::ir::{Chain, ChainName, Family, ObjectName, ObjectType, Ruleset, SetName, Table, TableId, Verb};

/// The newest schema that is understood (`JSON_SCHEMA_VERSION`, src/json.h).
const SCHEMA: u64 = 1;

impl Reader<'_> {
    /// A command, or an object of a listing, which stands for its addition.
    pub(super) fn command<'a>(&mut self, item: &'a Json) -> Result<'a, ()> {
        let (name, body) = fields::only(item)?;
        match Verb::from_keyword(name) {
            Some(Verb::Look) => Ok(()),
            Some(verb) => {
                let (kind, body) = fields::only(body)?;
                self.object(item, Some(verb), kind, body)
            }
            None if name == "metainfo" => metainfo(body),
            None => self.object(item, None, name, body),
        }
    }

    /// Does what a verb says to an object; without one the object is of a listing, and its handle is its own. The handle
    /// of a rule that a verb stands before is that of the rule it goes to.
    fn object<'a>(&mut self, item: &'a Json, verb: Option<Verb>, kind: &str, body: &'a Json) -> Result<'a, ()> {
        if (verb, kind) == (Some(Verb::Flush), "ruleset") {
            return self.flush_ruleset(body);
        }
        let fields = Fields::of(body)?;
        // Handles are of the kernel that was listed; only rules are found by them.
        let handle = fields.find_number::<u64>("handle")?;
        let family = fields.need("family")?;
        let family = Family::from_keyword(fields::text(family)?)
            .ok_or_else(|| Trouble::wrong(family, "this is no family (ip, ip6, inet, arp, bridge, netdev)"))?;
        if kind == "table" {
            return self.table(item, verb, family, &fields);
        }
        let id = TableId::new(family, fields::name(fields.need("table")?)?);
        if self.parsed.ruleset.find(&id).is_none() {
            return match verb {
                Some(Verb::Destroy) => Ok(()),
                _ => Err(Trouble::wrong(body, format!("there is no table `{id}` before this"))),
            };
        }
        self.table = Some(id.clone());
        match (kind, verb) {
            ("rule", _) => self.rule(item, verb, handle, &fields),
            (_, Some(Verb::Insert | Verb::Replace)) => Err(Trouble::wrong(body, format!("a {kind} cannot be that"))),
            ("chain", Some(Verb::Rename)) => self.rename(&id, &fields),
            (_, Some(verb @ (Verb::Delete | Verb::Destroy | Verb::Flush))) => {
                self.removal(item, verb, kind, &id, &fields)
            }
            _ => self.addition(item, kind, &id, body, &fields),
        }
    }

    fn addition<'a>(
        &mut self,
        item: &'a Json,
        kind: &str,
        id: &TableId,
        body: &'a Json,
        fields: &Fields<'a>,
    ) -> Result<'a, ()> {
        match kind {
            "chain" => self.add_chain(item, id, fields),
            "set" | "map" => self.add_set(item, id, body, fields),
            "element" => self.elements(item, id, fields, true),
            "flowtable" => self.add_flowtable(item, id, fields),
            _ => self.add_object(item, kind, id, body, fields),
        }
    }

    fn flush_ruleset<'a>(&mut self, body: &'a Json) -> Result<'a, ()> {
        let family = Fields::of(body)?.find_text("family")?.and_then(Family::from_keyword);
        let keep = |table: &Table| family.is_some_and(|family| table.family != family);
        let ruleset = std::mem::take(&mut self.parsed.ruleset);
        self.parsed.ruleset = ruleset.into_tables().filter(keep).collect::<Ruleset>();
        Ok(())
    }

    fn table<'a>(&mut self, item: &'a Json, verb: Option<Verb>, family: Family, fields: &Fields<'a>) -> Result<'a, ()> {
        let id = TableId::new(family, fields::name(fields.need("name")?)?);
        match verb {
            Some(Verb::Delete | Verb::Destroy) => {
                let removed = self.parsed.ruleset.remove(&id);
                self.handles.retain(|(table, _), _| *table != id);
                match removed {
                    None if verb == Some(Verb::Delete) => Err(missing(fields, format!("there is no table `{id}`"))),
                    _ => Ok(()),
                }
            }
            Some(Verb::Flush) => {
                for chain in self.parsed.ruleset.table_mut(&id).chains.iter_mut() {
                    chain.rules.clear();
                }
                self.handles.retain(|(table, _), _| *table != id);
                Ok(())
            }
            _ => self.add_table(item, &id, fields),
        }
    }

    fn rename<'a>(&mut self, id: &TableId, fields: &Fields<'a>) -> Result<'a, ()> {
        let name: ChainName = fields::name(fields.need("name")?)?;
        let new: ChainName = fields::name(fields.need("newname")?)?;
        let table = self.parsed.ruleset.table_mut(id);
        if !table.chains.contains(&name) {
            return Err(missing(fields, format!("there is no chain `{name}`")));
        }
        // In its place: the order of chains has a meaning.
        let renamed = |chain: Chain| if chain.name == name { Chain { name: new.clone(), ..chain } } else { chain };
        table.chains = std::mem::take(&mut table.chains).into_iter().map(renamed).collect();
        if let Some(handles) = self.handles.remove(&(id.clone(), name)) {
            self.handles.insert((id.clone(), new), handles);
        }
        Ok(())
    }

    /// Deletes an object, or what is in it.
    fn removal<'a>(
        &mut self,
        item: &'a Json,
        verb: Verb,
        kind: &str,
        id: &TableId,
        fields: &Fields<'a>,
    ) -> Result<'a, ()> {
        if kind == "element" {
            return self.elements(item, id, fields, false);
        }
        let name = fields.text("name")?;
        let table = self.parsed.ruleset.table_mut(id);
        let found = match (kind, verb) {
            ("chain", Verb::Flush) => {
                let rules = table.chains.find_mut(name).map(|chain| chain.rules.clear());
                self.handles.retain(|(table, chain), _| table != id || chain.as_str() != name);
                rules.is_some()
            }
            ("chain", _) => {
                self.handles.retain(|(table, chain), _| table != id || chain.as_str() != name);
                table.chains.remove(name).is_some()
            }
            ("set" | "map" | "meter", Verb::Flush) => {
                table.sets.find_mut(name).map(|set| *set.elements_mut() = Default::default()).is_some()
            }
            ("set" | "map" | "meter", _) => table.sets.remove(name).is_some(),
            ("flowtable", Verb::Delete | Verb::Destroy) => table.flowtables.remove(name).is_some(),
            (_, Verb::Flush) => return Err(Trouble::wrong(item, format!("a {kind} cannot be flushed"))),
            _ => match (ObjectType::from_keyword(kind), ObjectName::new(name)) {
                (Some(kind), Ok(name)) => table.objects.remove(&(kind, name)).is_some(),
                _ => false,
            },
        };
        match found || verb == Verb::Destroy {
            true => Ok(()),
            false => Err(missing(fields, format!("there is no {kind} `{name}`"))),
        }
    }

    /// Adds elements to a set, or takes them out.
    fn elements<'a>(&mut self, item: &'a Json, id: &TableId, fields: &Fields<'a>, add: bool) -> Result<'a, ()> {
        let name: SetName = fields::name(fields.need("name")?)?;
        let Some((key, data)) = self.set_types(&name) else {
            return Err(missing(fields, format!("there is no set or map `{name}` before this")));
        };
        let elements = fields.need("elem")?;
        let read: Vec<_> = fields::items(elements).iter().map(|element| self.element(element, &key, &data)).collect();
        for element in read {
            match element {
                Ok(element) => {
                    let set = self.parsed.ruleset.table_mut(id).sets.find_mut(&name);
                    let elements = set.map(|set| set.elements_mut());
                    match elements {
                        Some(elements) if add => drop(elements.insert(element)),
                        Some(elements) => drop(elements.remove(&element.key)),
                        None => {}
                    }
                }
                Err(trouble) => self.report(item, trouble),
            }
        }
        self.report_unknown(item, fields);
        Ok(())
    }
}

/// Something named is not there.
pub(super) fn missing<'a>(fields: &Fields<'a>, message: String) -> Trouble<'a> {
    let name = fields.find("name").unwrap_or(&Json::Null);
    Trouble::wrong(name, message)
}

fn metainfo(body: &Json) -> Result<'_, ()> {
    let fields = Fields::of(body)?;
    match fields.find("json_schema_version") {
        Some(version) if version.as_u64().is_none_or(|version| version > SCHEMA) => {
            Err(Trouble::wrong(version, format!("schemas are known up to version {SCHEMA}")))
        }
        _ => Ok(()),
    }
}
