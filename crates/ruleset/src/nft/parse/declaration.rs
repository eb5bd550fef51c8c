//! Declarations of chains, sets and flowtables.

use super::super::lex::{Kind, Sign};
use super::raw::Mode;
use super::{Fail, Parser, Place, Result};
use crate::ir::{
    AnySet, BaseChain, ChainName, ChainType, DataKind, DataType, DeviceName, Expression, Family, Field, Flowtable,
    Hook, KeyType, ObjectName, Policy, Priority, SetName, SetPolicy, SetSpec, TableId,
};
use crate::text::Span;

impl Parser<'_> {
    /// `{ type … ; rule … }`.
    pub(super) fn chain_block(&mut self, id: &TableId, name: &ChainName) -> Result<()> {
        self.table_of(id).chain_mut(name);
        self.block(|parser| parser.in_chain(id, name))
    }

    fn in_chain(&mut self, id: &TableId, name: &ChainName) -> Result<()> {
        match self.peek_word() {
            "type" => {
                let base = self.base_chain(id.family)?;
                let chain = self.table_of(id).chain_mut(name);
                let policy = chain.base.as_ref().map_or(Policy::Accept, BaseChain::policy);
                chain.base = Some(base.with_policy(policy));
                Ok(())
            }
            "policy" => {
                self.bump();
                let token = self.word("`accept` or `drop`")?;
                let policy = match self.text(token) {
                    "accept" => Policy::Accept,
                    "drop" => Policy::Drop,
                    other => {
                        let message = format!("`{other}` is no policy");
                        return Fail::expected(token.span, message, "`accept` or `drop`");
                    }
                };
                let chain = self.table_of(id).chain_mut(name);
                match chain.base.take() {
                    Some(base) => chain.base = Some(base.with_policy(policy)),
                    None => return Fail::expected(token.span, "only a base chain has a policy", "`type` before it"),
                }
                Ok(())
            }
            "comment" => {
                self.bump();
                let comment = self.comment()?;
                self.table_of(id).chain_mut(name).comment = comment;
                Ok(())
            }
            "flags" => {
                self.bump();
                self.expect_word("offload")?;
                self.table_of(id).chain_mut(name).offload = true;
                Ok(())
            }
            _ => {
                self.postpone(id.clone(), name.clone(), Place::Last);
                Ok(())
            }
        }
    }

    /// `type filter hook input device "x" priority 0`.
    fn base_chain(&mut self, family: Family) -> Result<BaseChain> {
        let start = self.at;
        self.bump();
        let token = self.word("`filter`, `nat` or `route`")?;
        let Some(chain_type) = ChainType::from_keyword(self.text(token)) else {
            let near = crate::text::nearest(self.text(token), ["filter", "nat", "route"]);
            let message = format!("there is no chain type `{}`", self.text(token));
            return Fail::expected(token.span, message, near.map_or("`filter`".into(), |near| format!("`{near}`")));
        };
        self.expect_word("hook")?;
        let token = self.word("a hook")?;
        let Some(hook) = Hook::from_keyword(self.text(token)) else {
            let near = crate::text::nearest(self.text(token), Hook::ALL.map(Hook::keyword));
            let message = format!("there is no hook `{}`", self.text(token));
            return Fail::expected(token.span, message, near.map_or("a hook".into(), |near| format!("`{near}`")));
        };
        let mut devices = Vec::new();
        if self.eat_word("device") {
            devices.push(self.quotable_name::<DeviceName>("the name of a device")?);
        } else if self.eat_word("devices") {
            devices = self.devices()?;
        }
        self.expect_word("priority")?;
        let priority = self.priority(family)?;
        let base = BaseChain::new(family, hook, chain_type, priority).and_then(|base| base.with_devices(devices));
        base.or_else(|error| Fail::new(self.span_from(start), error.to_string()))
    }

    /// `= { a, b }`, after `devices`.
    fn devices(&mut self) -> Result<Vec<DeviceName>> {
        self.expect(Sign::Assign)?;
        let mut devices = Vec::new();
        if !self.peek_is(Sign::Open) {
            devices.push(self.quotable_name::<DeviceName>("the name of a device")?);
            return Ok(devices);
        }
        self.each_element(|parser, element| match element.key.kind {
            super::raw::Raw::Literal(token) => match parser.unquoted(token).parse() {
                Ok(device) => {
                    devices.push(device);
                    Ok(())
                }
                Err(error) => Fail::new(token.span, format!("{error}")),
            },
            _ => Fail::expected(element.key.span, "this is no device", "the name of a device"),
        })?;
        Ok(devices)
    }

    /// `filter + 5`, `-10`, `dstnat`.
    fn priority(&mut self, family: Family) -> Result<Priority> {
        if let Some(token) = self.peek().filter(|token| matches!(token.kind, Kind::Quoted)) {
            let text = self.unquoted(token).to_owned();
            self.bump();
            return named_priority(family, &text, token.span);
        }
        if self.peek_word().starts_with(|c: char| c.is_ascii_alphabetic()) {
            let token = self.word("a priority")?;
            let base = named_priority(family, self.text(token), token.span)?;
            let sign = match self.peek().map(|token| token.kind) {
                Some(Kind::Sign(Sign::Plus)) => 1,
                Some(Kind::Sign(Sign::Dash)) => -1,
                _ => return Ok(base),
            };
            self.bump();
            let offset = sign * self.number::<i32>("a number")?;
            return Ok(Priority(base.0.saturating_add(offset)));
        }
        let negative = self.eat(Sign::Dash);
        let number = self.number::<i32>("a priority")?;
        Ok(Priority(if negative { -number } else { number }))
    }

    pub(super) fn flowtable_block(&mut self, id: &TableId, name: ObjectName) -> Result<()> {
        let mut table = Flowtable { name, priority: Priority(0), devices: Vec::new(), counter: false, offload: false };
        self.block(|parser| {
            let token = parser.word("`hook`, `devices`, `counter` or `flags`")?;
            match parser.text(token) {
                "hook" => {
                    parser.expect_word("ingress")?;
                    parser.expect_word("priority")?;
                    table.priority = parser.priority(Flowtable::PRIORITY_FAMILY)?;
                }
                "devices" => table.devices = parser.devices()?,
                "counter" => table.counter = true,
                "flags" => {
                    parser.expect_word("offload")?;
                    table.offload = true;
                }
                other => {
                    let message = format!("a flowtable has no `{other}`");
                    return Fail::expected(token.span, message, "`hook`, `devices`, `counter` or `flags`");
                }
            }
            Ok(())
        })?;
        let flowtables = &mut self.table_of(id).flowtables;
        if let Some(before) = flowtables.find(&table.name) {
            // A second declaration adds devices.
            let known = before.devices.iter().filter(|device| !table.devices.contains(device)).cloned();
            let all: Vec<DeviceName> = known.chain(table.devices.iter().cloned()).collect();
            table.devices = all;
        }
        flowtables.insert(table);
        Ok(())
    }

    /// `{ type … ; elements = … }` of a set or map.
    pub(super) fn set_block(&mut self, id: &TableId, name: SetName, map: bool) -> Result<()> {
        let start = self.span();
        let mut declared: Option<(KeyType, DataKind)> = None;
        let nothing = KeyType { fields: Vec::new() };
        let mut spec = SetSpec::new(name.clone(), nothing);
        let mut elements = Vec::new();
        let family = std::mem::replace(&mut self.family, id.family);
        let read = if self.peek_is(Sign::Open) {
            self.block(|parser| parser.in_set(&mut spec, &mut declared, &mut elements))
        } else {
            self.unexpected("`{`")
        };
        self.family = family;
        read?;
        let before = self.ruleset.find(id).and_then(|table| table.sets.find(&name));
        if before.is_none() || declared.is_some() {
            let Some((key, data)) = declared else {
                return Fail::expected(start, format!("`{name}` does not say what it holds"), "`type` or `typeof`");
            };
            if map != (data != DataKind::None) {
                let (is, leads) = if map { ("map", "leads to nothing") } else { ("set", "leads to something") };
                let expected = if map { "`:` and a type" } else { "`map` in place of `set`" };
                return Fail::expected(start, format!("the {is} `{name}` {leads}"), expected);
            }
            spec.key = key;
            let kept = before.map(|set| set.elements().clone()).unwrap_or_default();
            let set = AnySet::new(spec, data).with_elements(kept);
            self.table_of(id).sets.insert(set);
        }
        let after = self.at;
        for at in elements {
            self.at = at;
            let read = self.elements_into(id, &name, false);
            if let Err(fail) = read {
                self.report(*fail);
            }
        }
        self.at = after;
        Ok(())
    }

    fn in_set(
        &mut self,
        spec: &mut SetSpec,
        declared: &mut Option<(KeyType, DataKind)>,
        elements: &mut Vec<usize>,
    ) -> Result<()> {
        let word = self.peek_word();
        if matches!(word, "counter" | "limit" | "quota" | "last" | "ct") {
            while !self.at_end() {
                let stateful = self.stateful()?;
                spec.statements.push(stateful);
            }
            return Ok(());
        }
        let token = self.word("a part of a set")?;
        match word {
            "type" => *declared = Some(self.types()?),
            "typeof" => *declared = Some(self.types_of()?),
            "flags" => self.set_flags(spec)?,
            "timeout" => {
                spec.timeout_ms = Some(self.duration()?);
                spec.flags.timeout = true;
            }
            "gc-interval" => {
                let span = self.span();
                let interval = self.duration()?;
                spec.gc_interval_ms = Some(u32::try_from(interval).or_else(|_| Fail::new(span, "this is too long"))?);
            }
            "size" => spec.size = Some(self.number("a number of elements")?),
            "auto-merge" => spec.auto_merge = true,
            "comment" => spec.comment = self.comment()?,
            "policy" => {
                let token = self.word("`performance` or `memory`")?;
                spec.policy = match self.text(token) {
                    "performance" => SetPolicy::Performance,
                    "memory" => SetPolicy::Memory,
                    other => {
                        let message = format!("`{other}` is no policy of a set");
                        return Fail::expected(token.span, message, "`performance` or `memory`");
                    }
                };
            }
            "elements" => {
                self.expect(Sign::Assign)?;
                elements.push(self.at);
                self.expect(Sign::Open)?;
                self.at -= 1;
                self.skip_braces();
            }
            other => {
                let words = [
                    "type",
                    "typeof",
                    "flags",
                    "timeout",
                    "gc-interval",
                    "size",
                    "auto-merge",
                    "comment",
                    "policy",
                    "elements",
                    "counter",
                    "limit",
                    "quota",
                ];
                let near = crate::text::nearest(other, words);
                let message = format!("a set has no `{other}`");
                return Fail::expected(
                    token.span,
                    message,
                    near.map_or("`elements`".into(), |near| format!("`{near}`")),
                );
            }
        }
        Ok(())
    }

    /// From an opening brace behind its closing one.
    fn skip_braces(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            self.bump();
            match token.kind {
                Kind::Sign(Sign::Open) => depth += 1,
                Kind::Sign(Sign::Close) if depth <= 1 => return,
                Kind::Sign(Sign::Close) => depth -= 1,
                _ => {}
            }
        }
    }

    fn set_flags(&mut self, spec: &mut SetSpec) -> Result<()> {
        loop {
            let token = self.word("a flag")?;
            match self.text(token) {
                "constant" => spec.flags.constant = true,
                "interval" => spec.flags.interval = true,
                "timeout" => spec.flags.timeout = true,
                "dynamic" => spec.flags.dynamic = true,
                other => {
                    let near = crate::text::nearest(other, ["constant", "interval", "timeout", "dynamic"]);
                    let message = format!("a set has no flag `{other}`");
                    return Fail::expected(token.span, message, near.map_or("a flag".into(), |n| format!("`{n}`")));
                }
            }
            if !self.eat(Sign::Comma) {
                return Ok(());
            }
        }
    }

    /// `ipv4_addr . inet_service : verdict`.
    fn types(&mut self) -> Result<(KeyType, DataKind)> {
        let key = self.type_names()?;
        if !self.eat(Sign::Colon) {
            return Ok((key, DataKind::None));
        }
        if let Some(kind) = self.data_word()? {
            return Ok((key, kind));
        }
        let interval = self.eat_word("interval");
        Ok((key, DataKind::Value { data: self.type_names()?, interval }))
    }

    fn type_names(&mut self) -> Result<KeyType> {
        let mut fields = Vec::new();
        loop {
            let token = self.word("a type")?;
            let Some(datatype) = DataType::from_name(self.text(token)) else {
                let names = DataType::ALL.iter().filter_map(|datatype| datatype.name());
                let near = crate::text::nearest(self.text(token), names);
                let message = format!("there is no type `{}`", self.text(token));
                return Fail::expected(token.span, message, near.map_or("a type".into(), |near| format!("`{near}`")));
            };
            if datatype.bits() == 0 {
                let message = format!("the type `{datatype}` has no length of its own");
                return Fail::expected(token.span, message, "`typeof` and an expression");
            }
            fields.push(Field::of_type(datatype));
            if !self.eat(Sign::Dot) {
                return Ok(KeyType { fields });
            }
        }
    }

    /// `verdict` or the type of an object.
    fn data_word(&mut self) -> Result<Option<DataKind>> {
        let word = self.peek_word();
        Ok(Some(match word {
            "verdict" => {
                self.bump();
                DataKind::Verdict
            }
            "counter" | "quota" | "limit" | "synproxy" | "secmark" => {
                self.bump();
                DataKind::Object(self.object_type(word)?)
            }
            "ct" if matches!(self.word_at(1), "helper" | "timeout" | "expectation") => {
                self.bump();
                DataKind::Object(self.object_type(word)?)
            }
            _ => return Ok(None),
        }))
    }

    /// `ip saddr . tcp dport : verdict`.
    fn types_of(&mut self) -> Result<(KeyType, DataKind)> {
        let key = self.expression_types()?;
        if !self.eat(Sign::Colon) {
            return Ok((key, DataKind::None));
        }
        if let Some(kind) = self.data_word()? {
            return Ok((key, kind));
        }
        let interval = self.eat_word("interval");
        Ok((key, DataKind::Value { data: self.expression_types()?, interval }))
    }

    fn expression_types(&mut self) -> Result<KeyType> {
        let start = self.at;
        let node = self.concat(Mode::Full)?;
        let span: Span = node.span;
        let parts = match self.untyped(node)? {
            Expression::Concat(parts) => parts,
            single => vec![single],
        };
        let mut fields = Vec::new();
        for part in parts {
            match self.key_type(&part) {
                Some(KeyType { fields: of }) => match <[Field; 1]>::try_from(of) {
                    Ok([field]) => fields.push(Field { declared_as: Some(Box::new(part)), ..field }),
                    Err(_) => return Fail::new(span, "this has several values"),
                },
                None => return Fail::new(self.span_from(start), "this has no type"),
            }
        }
        Ok(KeyType { fields })
    }
}

/// `dstnat`, or with an offset without blanks: `dstnat-5`.
fn named_priority(family: Family, text: &str, span: Span) -> Result<Priority> {
    let (name, offset) = match text.find(['+', '-']) {
        Some(at) => (text[..at].trim_end(), text[at..].replace(' ', "").parse::<i32>().ok()),
        None => (text, Some(0)),
    };
    if let Some(number) = text.parse::<i32>().ok().map(Priority) {
        return Ok(number);
    }
    match (Priority::from_name(family, name), offset) {
        (Some(base), Some(offset)) => Ok(Priority(base.0.saturating_add(offset))),
        _ => {
            let names = Priority::names(family).iter().map(|(name, _)| *name);
            let near = crate::text::nearest(name, names).map_or("a number".into(), |near| format!("`{near}`"));
            Fail::expected(span, format!("family `{family}` has no priority `{name}`"), near)
        }
    }
}
