//! Commands: `table … { }`, `add …`, `flush …` and the rest.

use super::super::lex::{Kind, Sign};
use super::{Fail, Parser, Pending, Place, Result};
use crate::ir::{
    Chain, ChainName, Family, ObjectName, ObjectType, Ruleset, SetName, Table, TableFlags, TableId, TableName, Verb,
};

/// What a command is about.
const OBJECTS: &[&str] = &[
    "table",
    "chain",
    "rule",
    "set",
    "map",
    "element",
    "flowtable",
    "counter",
    "quota",
    "limit",
    "ct",
    "synproxy",
    "secmark",
    "tunnel",
    "ruleset",
    "meter",
];

/// What is read before commands are.
const DIRECTIVES: &[&str] = &["define", "redefine", "undefine", "include"];

/// Whether a text begins as one of this language does: with a command, a definition or an include.
pub fn is_likely(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = lines.next() else { return false };
    let end = line.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let known = Verb::from_keyword(word).is_some() || OBJECTS.contains(&word) || DIRECTIVES.contains(&word);
    known && !rest.starts_with(':')
}

impl Parser<'_> {
    pub(super) fn commands(&mut self) {
        loop {
            self.skip_separators();
            if self.peek().is_none() {
                return;
            }
            let before = self.at;
            let read = self.command().and_then(|()| self.expect_end());
            self.recover(read);
            // A brace that closes nothing.
            if self.at == before || self.peek_is(Sign::Close) {
                if self.at != before {
                    let stray = self.unexpected::<()>("a command");
                    self.recover(stray);
                }
                self.bump();
            }
        }
    }

    fn command(&mut self) -> Result<()> {
        let word = self.peek_word();
        match Verb::from_keyword(word) {
            Some(verb) => {
                self.bump();
                self.about(verb)
            }
            None if OBJECTS.contains(&word) => self.about(Verb::Add),
            None => {
                let words = Verb::WORDS.iter().map(|(name, _)| *name).chain(OBJECTS.iter().copied());
                let expected = crate::text::nearest(word, words).map_or("a command".into(), |near| format!("`{near}`"));
                let name = self.next_name();
                Fail::expected(self.span(), format!("{name} is no command"), expected)
            }
        }
    }

    fn about(&mut self, verb: Verb) -> Result<()> {
        let word = self.peek_word();
        if verb == Verb::Look {
            self.skip_statement();
            return Ok(());
        }
        if !OBJECTS.contains(&word) {
            // `add ip t c …` is short for `add rule ip t c …`.
            if matches!(verb, Verb::Add | Verb::Insert | Verb::Create | Verb::Replace) && !word.is_empty() {
                return self.rule_command(verb);
            }
            let expected = crate::text::nearest(word, OBJECTS.iter().copied());
            return self.unexpected(expected.map_or("what it is about".into(), |near| format!("`{near}`")));
        }
        self.bump();
        match word {
            "table" => self.table_command(verb),
            "chain" => self.chain_command(verb),
            "rule" => self.rule_command(verb),
            "set" | "map" | "meter" => self.set_command(verb, word == "map"),
            "element" => self.element_command(verb),
            "flowtable" => self.flowtable_command(verb),
            "ruleset" => self.ruleset_command(verb),
            _ => {
                let object = self.object_type(word)?;
                self.object_command(verb, object)
            }
        }
    }

    /// `counter`, `ct helper`, …: `word` has been read.
    pub(super) fn object_type(&mut self, word: &str) -> Result<ObjectType> {
        Ok(match word {
            "counter" => ObjectType::Counter,
            "quota" => ObjectType::Quota,
            "limit" => ObjectType::Limit,
            "synproxy" => ObjectType::Synproxy,
            "secmark" => ObjectType::Secmark,
            "tunnel" => ObjectType::Tunnel,
            _ => {
                let kind = self.word("`helper`, `timeout` or `expectation`")?;
                match self.text(kind) {
                    "helper" => ObjectType::CtHelper,
                    "timeout" => ObjectType::CtTimeout,
                    "expectation" => ObjectType::CtExpectation,
                    other => {
                        let message = format!("there is no conntrack object `{other}`");
                        return Fail::expected(kind.span, message, "`helper`, `timeout` or `expectation`");
                    }
                }
            }
        })
    }

    fn family_spec(&mut self) -> Family {
        match Family::from_keyword(self.peek_word()) {
            Some(family) => {
                self.bump();
                family
            }
            None => Family::Ip,
        }
    }

    /// `[family] name`.
    fn table_id(&mut self) -> Result<TableId> {
        let family = self.family_spec();
        Ok(TableId { family, name: self.name::<TableName>("the name of a table")? })
    }

    /// Whether `handle N` stands there in place of a name; it is skipped.
    fn by_handle(&mut self) -> Result<bool> {
        let found = self.eat_word("handle");
        if found {
            self.number::<u64>("a handle")?;
        }
        Ok(found)
    }

    fn ruleset_command(&mut self, verb: Verb) -> Result<()> {
        let family = Family::from_keyword(self.peek_word());
        if family.is_some() {
            self.bump();
        }
        if verb == Verb::Flush {
            let kept = std::mem::take(&mut self.ruleset);
            self.ruleset = kept.into_tables().filter(|table| family.is_some_and(|it| it != table.family)).collect();
            let Self { pending, ruleset, .. } = self;
            pending.retain(|pending| ruleset.find(&pending.table).is_some());
        }
        Ok(())
    }

    fn table_command(&mut self, verb: Verb) -> Result<()> {
        if matches!(verb, Verb::Delete | Verb::Destroy) {
            let family = self.family_spec();
            if self.by_handle()? {
                return Ok(());
            }
            let id = TableId { family, name: self.name::<TableName>("the name of a table")? };
            self.ruleset.remove(&id);
            self.pending.retain(|pending| pending.table != id);
            return Ok(());
        }
        let id = self.table_id()?;
        match verb {
            Verb::Flush => {
                if let Some(table) = self.ruleset.find_mut(&id) {
                    table.chains.iter_mut().for_each(|chain| chain.rules.clear());
                }
                self.pending.retain(|pending| pending.table != id);
                Ok(())
            }
            _ => {
                self.ruleset.table_mut(&id);
                if self.peek_is(Sign::Open) { self.block(|parser| parser.in_table(&id)) } else { Ok(()) }
            }
        }
    }

    /// The table of a declaration, made if it is not there: text that is read alone may stand on what a kernel has.
    pub(super) fn table_of(&mut self, id: &TableId) -> &mut Table {
        self.ruleset.table_mut(id)
    }

    fn in_table(&mut self, id: &TableId) -> Result<()> {
        let word = self.word("a declaration")?;
        match self.text(word).to_owned().as_str() {
            "flags" => self.table_flags(id),
            "comment" => {
                let comment = self.comment()?;
                self.table_of(id).comment = comment;
                Ok(())
            }
            "chain" => {
                let name = self.name::<ChainName>("the name of a chain")?;
                self.chain_block(id, &name)
            }
            word @ ("set" | "map" | "meter") => {
                let name = self.name::<SetName>("the name of a set")?;
                self.set_block(id, name, word == "map")
            }
            "flowtable" => {
                let name = self.name::<ObjectName>("the name of a flowtable")?;
                self.flowtable_block(id, name)
            }
            word if OBJECTS[7..14].contains(&word) => {
                let object = self.object_type(word)?;
                let name = self.name::<ObjectName>("the name of an object")?;
                self.object_block(id, object, name)
            }
            other => {
                let words = OBJECTS[1..14].iter().copied().chain(["flags", "comment"]);
                let near =
                    crate::text::nearest(other, words).map_or("a declaration".into(), |near| format!("`{near}`"));
                Fail::expected(word.span, format!("unknown word `{other}`"), near)
            }
        }
    }

    fn table_flags(&mut self, id: &TableId) -> Result<()> {
        loop {
            let flag = self.word("a flag")?;
            let flags = self.ruleset.table_mut(id);
            let flags: &mut TableFlags = &mut flags.flags;
            match self.sources.text(flag.span) {
                "dormant" => flags.dormant = true,
                "owner" => flags.owner = true,
                "persist" => flags.persist = true,
                other => {
                    let message = format!("unknown flag `{other}`");
                    return Fail::expected(flag.span, message, "`dormant`, `owner` or `persist`");
                }
            }
            if !self.eat(Sign::Comma) {
                return Ok(());
            }
        }
    }

    fn chain_command(&mut self, verb: Verb) -> Result<()> {
        let id = self.table_id()?;
        if self.by_handle()? {
            return Ok(());
        }
        let name = self.name::<ChainName>("the name of a chain")?;
        match verb {
            Verb::Delete | Verb::Destroy => {
                if self.peek_is(Sign::Open) {
                    // Takes devices away; which ones are left, the kernel knows.
                    self.skip_statement();
                    return Ok(());
                }
                if let Some(table) = self.ruleset.find_mut(&id) {
                    table.chains.remove(&name);
                }
                self.pending.retain(|pending| pending.table != id || pending.chain != name);
                Ok(())
            }
            Verb::Flush => {
                if let Some(chain) = self.ruleset.find_mut(&id).and_then(|table| table.chains.find_mut(&name)) {
                    chain.rules.clear();
                }
                self.pending.retain(|pending| pending.table != id || pending.chain != name);
                Ok(())
            }
            Verb::Rename => self.rename_chain(&id, &name),
            _ if self.peek_is(Sign::Open) => self.chain_block(&id, &name),
            _ => {
                self.table_of(&id).chain_mut(&name);
                if self.eat_word("comment") {
                    let comment = self.comment()?;
                    self.table_of(&id).chain_mut(&name).comment = comment;
                }
                Ok(())
            }
        }
    }

    fn rename_chain(&mut self, id: &TableId, from: &ChainName) -> Result<()> {
        let to = self.name::<ChainName>("the new name")?;
        let Some(table) = self.ruleset.find_mut(id) else { return Ok(()) };
        let chains = std::mem::take(&mut table.chains);
        table.chains = chains
            .into_iter()
            .map(|chain| if chain.name == *from { Chain { name: to.clone(), ..chain } } else { chain })
            .collect();
        for pending in &mut self.pending {
            if pending.table == *id && pending.chain == *from {
                pending.chain = to.clone();
            }
        }
        Ok(())
    }

    /// `add rule [family] table chain [position] statements`; the family may have been read.
    fn rule_command(&mut self, verb: Verb) -> Result<()> {
        let table = self.table_id()?;
        let chain = self.name::<ChainName>("the name of a chain")?;
        let mut place = if verb == Verb::Insert { Place::First } else { Place::Last };
        let start = self.span();
        match self.peek_word() {
            "handle" | "position" => {
                self.bump();
                self.number::<u64>("a handle")?;
                if matches!(verb, Verb::Delete | Verb::Destroy) {
                    return Ok(());
                }
                return Fail::new(start, "rules are named by handles here, which only a kernel knows");
            }
            "index" => {
                self.bump();
                let index = self.number::<usize>("the number of a rule")?;
                place = Place::Beside(index, verb == Verb::Insert);
            }
            _ => {}
        }
        if !matches!(verb, Verb::Add | Verb::Create | Verb::Insert) {
            return Fail::expected(start, "which rule is not said", "`handle` and a number");
        }
        self.table_of(&table).chain_mut(&chain);
        self.postpone(table, chain, place);
        Ok(())
    }

    /// Remembers the rule that begins here and skips it.
    pub(super) fn postpone(&mut self, table: TableId, chain: ChainName, place: Place) {
        let start = self.at;
        self.skip_statement();
        self.pending.push(Pending { table, chain, place, tokens: start..self.at });
    }

    fn set_command(&mut self, verb: Verb, map: bool) -> Result<()> {
        let id = self.table_id()?;
        if self.by_handle()? {
            return Ok(());
        }
        let name = self.name::<SetName>("the name of a set")?;
        match verb {
            Verb::Delete | Verb::Destroy => {
                if let Some(table) = self.ruleset.find_mut(&id) {
                    table.sets.remove(&name);
                }
                Ok(())
            }
            Verb::Flush => {
                if let Some(set) = self.ruleset.find_mut(&id).and_then(|table| table.sets.find_mut(&name)) {
                    *set.elements_mut() = crate::ir::Elements::default();
                }
                Ok(())
            }
            _ => self.set_block(&id, name, map),
        }
    }

    fn element_command(&mut self, verb: Verb) -> Result<()> {
        let id = self.table_id()?;
        let name_span = self.span();
        let name = self.name::<SetName>("the name of a set")?;
        let known = self.ruleset.find(&id).is_some_and(|table| table.sets.contains(&name));
        if !known {
            let names = self.ruleset.find(&id).into_iter().flat_map(|table| table.sets.iter());
            let names = names.map(|set| set.spec().name.as_str());
            let near = crate::text::nearest(name.as_str(), names).map(|near| format!("`{near}`"));
            let message = format!("table `{id}` has no set or map `{name}`");
            return Err(Box::new(Fail { span: name_span, message, expected: near }));
        }
        self.elements_into(&id, &name, matches!(verb, Verb::Delete | Verb::Destroy))
    }

    fn flowtable_command(&mut self, verb: Verb) -> Result<()> {
        let id = self.table_id()?;
        if self.by_handle()? {
            return Ok(());
        }
        let name = self.name::<ObjectName>("the name of a flowtable")?;
        match verb {
            Verb::Delete | Verb::Destroy => {
                if self.peek_is(Sign::Open) {
                    self.skip_statement();
                } else if let Some(table) = self.ruleset.find_mut(&id) {
                    table.flowtables.remove(&name);
                }
                Ok(())
            }
            _ if self.peek_is(Sign::Open) => self.flowtable_block(&id, name),
            _ => self.unexpected("`{`"),
        }
    }

    fn object_command(&mut self, verb: Verb, object: ObjectType) -> Result<()> {
        let id = self.table_id()?;
        if self.by_handle()? {
            return Ok(());
        }
        let name = self.name::<ObjectName>("the name of an object")?;
        match verb {
            Verb::Delete | Verb::Destroy => {
                if let Some(table) = self.ruleset.find_mut(&id) {
                    table.objects.remove(&(object, name));
                }
                Ok(())
            }
            _ => self.object_block(&id, object, name),
        }
    }

    /// Reads the rules that were seen, now that all sets are known.
    pub(super) fn rules(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.at = pending.tokens.start;
            self.end = pending.tokens.end;
            self.family = pending.table.family;
            self.table = Some(pending.table.clone());
            self.chain = Some(pending.chain.clone());
            let read = self.rule().and_then(|rule| {
                self.expect_end()?;
                Ok(rule)
            });
            match read {
                Ok(rule) => put(&mut self.ruleset, &pending, rule),
                Err(fail) => self.report(*fail),
            }
        }
        self.end = self.tokens.len();
    }

    /// Whether the next token begins a quoted text.
    pub(super) fn at_quoted(&self) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Quoted)
    }
}

/// Puts a rule into its chain, if the chain is still there.
fn put(ruleset: &mut Ruleset, pending: &Pending, rule: crate::ir::Rule) {
    let chain = ruleset.find_mut(&pending.table).and_then(|table| table.chains.find_mut(&pending.chain));
    let Some(chain) = chain else { return };
    let at = match pending.place {
        Place::Last => chain.rules.len(),
        Place::First => 0,
        Place::Beside(index, before) => (index + usize::from(!before)).min(chain.rules.len()),
    };
    chain.rules.insert(at, rule);
}
