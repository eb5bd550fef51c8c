//! Statements by their first word.

use super::super::lex::Sign;
use super::raw::{Mode, Raw};
use super::{Fail, Parser, Result};
use crate::ir::{
    Counter, DataKind, DataType, Expression, Exthdr, Limit, LimitUnit, Log, Meter, NatKind, ObjectName, ObjectType,
    Quota, Reject, SetUpdate, SetUpdateOp, Statement, Synproxy, TimeUnit, symbol,
};

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement> {
        let word = self.peek_word();
        let next = self.word_at(1);
        match word {
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => self.verdict_statement(),
            "counter" | "limit" | "quota" | "last" => self.stateful(),
            "ct" if next == "count" => self.stateful(),
            "ct" if matches!(next, "helper" | "timeout" | "expectation") && self.word_at(2) == "set" => {
                self.at += 3;
                let object = match next {
                    "helper" => ObjectType::CtHelper,
                    "timeout" => ObjectType::CtTimeout,
                    _ => ObjectType::CtExpectation,
                };
                self.object_use(object)
            }
            "meta" if next == "secmark" && self.word_at(2) == "set" => self.secmark(),
            "synproxy" => self.synproxy_statement(),
            "tunnel" if next == "name" => {
                self.at += 2;
                self.object_use(ObjectType::Tunnel)
            }
            "log" => self.log(),
            "reject" => self.reject(),
            "snat" => self.nat(NatKind::Snat),
            "dnat" => self.nat(NatKind::Dnat),
            "masquerade" => self.nat(NatKind::Masquerade),
            "redirect" => self.nat(NatKind::Redirect),
            "notrack" => {
                self.bump();
                Ok(Statement::Notrack)
            }
            "queue" => self.queue(),
            "tproxy" => self.tproxy(),
            "dup" => self.dup(),
            "fwd" => self.fwd(),
            "flow" => self.flow(),
            "add" | "update" | "delete" | "set" => self.set_update(),
            "meter" => self.meter(),
            "reset" => self.option_reset(),
            _ => self.expression_statement(),
        }
    }

    fn verdict_statement(&mut self) -> Result<Statement> {
        let word = self.peek_word();
        let blocks = matches!(word, "jump" | "goto");
        if blocks && self.peek_at(1).is_some_and(|token| token.kind == super::super::lex::Kind::Sign(Sign::Open)) {
            self.bump();
            let rules = self.rules_in_block()?;
            return Ok(Statement::Block { goto: word == "goto", rules });
        }
        let Some(verdict) = self.verdict()? else { return self.unexpected("a verdict") };
        Ok(Statement::Verdict(verdict))
    }

    /// Statements that keep something of their own: in rules, and in the elements of sets.
    pub(super) fn stateful(&mut self) -> Result<Statement> {
        let word = self.peek_word();
        self.bump();
        match (word, self.peek_word()) {
            ("counter", "name") => {
                self.bump();
                self.object_use(ObjectType::Counter)
            }
            ("limit", "name") => {
                self.bump();
                self.object_use(ObjectType::Limit)
            }
            ("quota", "name") => {
                self.bump();
                self.object_use(ObjectType::Quota)
            }
            ("counter", _) => self.counter().map(Statement::Counter),
            ("limit", _) => self.limit().map(Statement::Limit),
            ("quota", _) => self.quota().map(Statement::Quota),
            ("last", used) => {
                let used = used == "used";
                if !used {
                    return Ok(Statement::Last { used_ms: None });
                }
                self.bump();
                if self.eat_word("never") {
                    return Ok(Statement::Last { used_ms: None });
                }
                Ok(Statement::Last { used_ms: Some(self.duration()?) })
            }
            _ => {
                self.expect_word("count")?;
                let over = self.eat_word("over");
                Ok(Statement::ConnLimit { over, count: self.number("a number of connections")? })
            }
        }
    }

    /// `packets 1 bytes 2`, or nothing.
    pub(super) fn counter(&mut self) -> Result<Counter> {
        let mut counter = Counter::default();
        while matches!(self.peek_word(), "packets" | "bytes") {
            let packets = self.peek_word() == "packets";
            self.bump();
            let number = self.number("a number")?;
            *(if packets { &mut counter.packets } else { &mut counter.bytes }) = number;
        }
        Ok(counter)
    }

    /// A number and the unit that stands behind it with or without a blank.
    fn amount(&mut self) -> Result<(u64, String, crate::text::Span)> {
        let token = self.word("an amount")?;
        let text = self.text(token);
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(number) = text[..digits].parse::<u64>() else {
            return Fail::expected(token.span, format!("`{text}` is no amount"), "a number");
        };
        Ok((number, text[digits..].to_owned(), token.span))
    }

    /// `over 25 mbytes used 3 kbytes`.
    pub(super) fn quota(&mut self) -> Result<Quota> {
        let over = self.eat_word("over");
        if !over {
            self.eat_word("until");
        }
        let bytes = self.byte_amount()?;
        let used = if self.eat_word("used") { self.byte_amount()? } else { 0 };
        Ok(Quota { over, bytes, used })
    }

    fn byte_amount(&mut self) -> Result<u64> {
        let (number, mut unit, span) = self.amount()?;
        if unit.is_empty() {
            let token = self.word("`bytes`, `kbytes` or `mbytes`")?;
            unit = self.text(token).to_owned();
        }
        in_bytes(number, &unit).map_or_else(
            || Fail::expected(span, format!("`{unit}` is no unit here"), "`bytes`, `kbytes` or `mbytes`"),
            Ok,
        )
    }

    /// `rate over 10 kbytes/second burst 3 kbytes`.
    pub(super) fn limit(&mut self) -> Result<Limit> {
        self.expect_word("rate")?;
        let over = self.eat_word("over");
        if !over {
            self.eat_word("until");
        }
        let (number, mut unit, span) = self.amount()?;
        if unit.is_empty() && !self.peek_is(Sign::Slash) {
            let token = self.word("`/` and a time, or a unit")?;
            unit = self.text(token).to_owned();
        }
        let mut per = String::new();
        if let Some((before, after)) = unit.clone().split_once('/') {
            unit = before.to_owned();
            per = after.to_owned();
        }
        if per.is_empty() {
            self.eat(Sign::Slash);
            let token = self.word("`second`, `minute`, `hour`, `day` or `week`")?;
            per = self.text(token).trim_start_matches('/').to_owned();
        }
        let units = [TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week];
        let Some(per) = units.into_iter().find(|unit| unit.keyword() == per) else {
            let near = crate::text::nearest(&per, units.iter().map(|unit| unit.keyword()));
            let expected = near.unwrap_or("second");
            return Fail::expected(span, format!("`{per}` is no time for a rate"), format!("`{expected}`"));
        };
        let packets = unit.is_empty() || unit == "packets";
        let rate = if packets { Some(number) } else { in_bytes(number, &unit) };
        let Some(rate) = rate else {
            return Fail::expected(span, format!("`{unit}` is no unit here"), "`bytes`, `kbytes` or `mbytes`");
        };
        let unit = if packets { LimitUnit::Packets } else { LimitUnit::Bytes };
        let burst = self.burst(unit)?;
        Ok(Limit { over, rate, unit, per, burst })
    }

    fn burst(&mut self, unit: LimitUnit) -> Result<u32> {
        if !self.eat_word("burst") {
            return Ok(if unit == LimitUnit::Packets { 5 } else { 0 });
        }
        let (number, mut word, span) = self.amount()?;
        if word.is_empty() && matches!(self.peek_word(), "packets" | "bytes" | "kbytes" | "mbytes") {
            word = self.peek_word().to_owned();
            self.bump();
        }
        let burst = match (unit, word.as_str()) {
            (LimitUnit::Packets, "" | "packets") => Some(number),
            (LimitUnit::Bytes, "") => Some(number),
            (LimitUnit::Bytes, word) => in_bytes(number, word),
            (LimitUnit::Packets, _) => {
                return Fail::expected(span, "the rate counts packets, the burst bytes", "`packets`");
            }
        };
        burst.and_then(|burst| u32::try_from(burst).ok()).map_or_else(|| Fail::new(span, "the burst is too large"), Ok)
    }

    /// The object after `name` or `set`: a name, or a map from which one comes.
    fn object_use(&mut self, object: ObjectType) -> Result<Statement> {
        if self.at_quoted() {
            return Ok(Statement::Object { object, name: self.quotable_name::<ObjectName>("a name")? });
        }
        let span = self.span();
        let node = self.concat(Mode::Full)?;
        match node.kind {
            Raw::Literal(token) => match self.text(token).parse() {
                Ok(name) => Ok(Statement::Object { object, name }),
                Err(error) => Fail::new(span, format!("{error}")),
            },
            Raw::Map { key, map } => {
                let key = self.untyped(*key)?;
                let map = match map.kind {
                    Raw::Set(elements) => match self.key_type(&key) {
                        Some(types) => self.anonymous_map(elements, &types, DataKind::Object(object))?,
                        None => return Fail::new(span, "the key of this map has no type"),
                    },
                    _ => self.set_ref(*map)?,
                };
                Ok(Statement::ObjectMap { object, key, map })
            }
            _ => Fail::expected(span, "this names no object", "a name in quotes, or a map"),
        }
    }

    /// `meta secmark set`: to an object, or to a value.
    fn secmark(&mut self) -> Result<Statement> {
        let value = matches!(self.word_at(3), "ct" | "meta");
        if value {
            return self.expression_statement();
        }
        self.at += 3;
        self.object_use(ObjectType::Secmark)
    }

    fn synproxy_statement(&mut self) -> Result<Statement> {
        self.bump();
        if self.eat_word("name") {
            return self.object_use(ObjectType::Synproxy);
        }
        let mut synproxy = Synproxy::default();
        while self.synproxy_part(&mut synproxy)? {}
        Ok(Statement::Synproxy(synproxy))
    }

    /// One of the parts of a SYN proxy, if one stands there.
    pub(super) fn synproxy_part(&mut self, synproxy: &mut Synproxy) -> Result<bool> {
        match self.peek_word() {
            "mss" => {
                self.bump();
                synproxy.mss = Some(self.number("a size")?);
            }
            "wscale" => {
                self.bump();
                synproxy.wscale = Some(self.number("a scale")?);
            }
            "timestamp" => {
                self.bump();
                synproxy.timestamp = true;
            }
            "sack-perm" => {
                self.bump();
                synproxy.sack_perm = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn log(&mut self) -> Result<Statement> {
        let span = self.span();
        self.bump();
        let mut log = Log::default();
        loop {
            match self.peek_word() {
                "prefix" => {
                    self.bump();
                    log.prefix = Some(self.text_or_word("a text in quotes")?.0);
                }
                "group" => {
                    self.bump();
                    log.group = Some(self.number("a group")?);
                }
                "snaplen" => {
                    self.bump();
                    log.snaplen = Some(self.number("a length")?);
                }
                "queue-threshold" => {
                    self.bump();
                    log.queue_threshold = Some(self.number("a number")?);
                }
                "level" => {
                    self.bump();
                    let token = self.word("a level")?;
                    let Some(level) = symbol::syslog_level_number(self.text(token)) else {
                        let near = crate::text::nearest(self.text(token), (0..9).filter_map(symbol::syslog_level));
                        let message = format!("`{}` is no log level", self.text(token));
                        return Fail::expected(token.span, message, near.map_or("`info`".into(), |n| format!("`{n}`")));
                    };
                    log.level = Some(level).filter(|level| *level != 4);
                }
                "flags" => {
                    self.bump();
                    log.flags |= self.log_flags()?;
                }
                _ => break,
            }
        }
        let more = log.group.is_some() || log.snaplen.is_some() || log.queue_threshold.is_some();
        if more && (log.level.is_some() || log.flags != 0) {
            return Fail::new(span, "`level` and `flags` are for the kernel's log, `group` for a program: not both");
        }
        if log.level == Some(8) && (log.prefix.is_some() || more || log.flags != 0) {
            return Fail::new(span, "`level audit` takes nothing else");
        }
        if (log.snaplen.is_some() || log.queue_threshold.is_some()) && log.group.is_none() {
            log.group = Some(0);
        }
        Ok(Statement::Log(log))
    }

    fn log_flags(&mut self) -> Result<u32> {
        let token = self.word("`all`, `tcp`, `ip`, `skuid` or `ether`")?;
        Ok(match self.text(token) {
            "all" => 0x2f,
            "skuid" => 0x08,
            "ether" => 0x20,
            "ip" => {
                self.expect_word("options")?;
                0x04
            }
            "tcp" => {
                let mut flags = 0;
                loop {
                    if self.eat_word("sequence") {
                        flags |= 1;
                    } else {
                        self.expect_word("options")?;
                        flags |= 2;
                    }
                    if !self.eat(Sign::Comma) {
                        break flags;
                    }
                }
            }
            other => {
                let message = format!("there is no log flag `{other}`");
                return Fail::expected(token.span, message, "`all`, `tcp`, `ip`, `skuid` or `ether`");
            }
        })
    }

    fn reject(&mut self) -> Result<Statement> {
        self.bump();
        if !self.eat_word("with") {
            let family = self.known.network_family().unwrap_or(self.family);
            return Ok(Reject::default_for(family).into());
        }
        let token = self.word("`icmp`, `icmpv6`, `icmpx` or `tcp reset`")?;
        let datatype = match self.text(token) {
            "tcp" => {
                self.expect_word("reset")?;
                return Ok(Reject::TcpReset.into());
            }
            "icmp" => DataType::IcmpCode,
            "icmpv6" => DataType::Icmpv6Code,
            "icmpx" => DataType::IcmpxCode,
            other => {
                let message = format!("nothing is rejected with `{other}`");
                return Fail::expected(token.span, message, "`icmp`, `icmpv6`, `icmpx` or `tcp reset`");
            }
        };
        self.eat_word("type");
        let node = self.primary(Mode::Literals)?;
        let value = self.value(node, &crate::ir::Field::of_type(datatype))?;
        let code = value.bytes.first().copied().unwrap_or(0);
        Ok(match datatype {
            DataType::IcmpCode => Reject::Icmp(code),
            DataType::Icmpv6Code => Reject::Icmpv6(code),
            _ => Reject::Icmpx(code),
        }
        .into())
    }

    fn flow(&mut self) -> Result<Statement> {
        self.bump();
        if !self.eat_word("offload") {
            self.expect_word("add")?;
        }
        self.expect(Sign::At)?;
        Ok(Statement::FlowAdd(self.name("the name of a flowtable")?))
    }

    /// `add @s { … }`, or in the old form `set add … @s`.
    fn set_update(&mut self) -> Result<Statement> {
        let old = self.eat_word("set");
        let token = self.word("`add`, `update` or `delete`")?;
        let op = match self.text(token) {
            "add" => SetUpdateOp::Add,
            "update" => SetUpdateOp::Update,
            "delete" => SetUpdateOp::Delete,
            _ => return Fail::expected(token.span, "sets are not changed so", "`add`, `update` or `delete`"),
        };
        if old {
            let mut update = self.carried(op, None)?;
            update.set = self.updated_set()?;
            return Ok(Statement::SetUpdate(Box::new(update)));
        }
        let set = self.updated_set()?;
        self.expect(Sign::Open)?;
        self.skip_newlines();
        let mut update = self.nested(|parser| parser.carried(op, Some(&set)))?;
        if self.eat(Sign::Colon) {
            let node = self.concat(Mode::Full)?;
            let kind = self.set_of(set.as_str()).map(crate::ir::AnySet::data_kind);
            update.data = Some(match kind {
                Some(DataKind::Value { data, .. }) => self.typed(node, &data)?,
                _ => self.untyped(node)?,
            });
        }
        self.skip_newlines();
        self.expect(Sign::Close)?;
        update.set = set;
        Ok(Statement::SetUpdate(Box::new(update)))
    }

    fn updated_set(&mut self) -> Result<crate::ir::SetName> {
        let node = self.primary(Mode::Literals)?;
        match self.set_ref(node)? {
            Expression::SetRef(name) => Ok(name),
            _ => self.unexpected("`@` and a name"),
        }
    }

    /// Key, time and statements of an element that a rule makes. The set is put in later.
    fn carried(&mut self, op: SetUpdateOp, set: Option<&crate::ir::SetName>) -> Result<SetUpdate> {
        let node = self.concat(Mode::Full)?;
        // Literals in the key mean what the set says.
        let types = set.and_then(|set| self.set_of(set.as_str())).map(|set| set.spec().key.clone());
        let key = match types {
            Some(types) if matches!(node.kind, Raw::Concat(_) | Raw::Literal(_)) => self.typed(node, &types)?,
            _ => self.untyped(node)?,
        };
        let mut timeout_ms = None;
        let mut statements = Vec::new();
        loop {
            match self.peek_word() {
                "timeout" => {
                    self.bump();
                    timeout_ms = Some(self.duration()?);
                }
                "counter" | "limit" | "quota" | "last" | "ct" => {
                    let stateful = self.stateful()?;
                    statements.push(stateful);
                }
                _ => break,
            }
        }
        let set = "set".parse().expect("three letters are a name");
        Ok(SetUpdate { op, set, key, data: None, timeout_ms, statements })
    }

    fn meter(&mut self) -> Result<Statement> {
        self.bump();
        let name = self.name("the name of a meter")?;
        let size = if self.eat_word("size") { Some(self.number("a number of elements")?) } else { None };
        // As many as the kernel takes, if nobody says less (`stmt_evaluate_meter`, src/evaluate.c).
        let size = size.or(Some(u32::from(u16::MAX)));
        self.expect(Sign::Open)?;
        let SetUpdate { key, timeout_ms, statements, .. } =
            self.nested(|parser| parser.carried(SetUpdateOp::Update, None))?;
        self.skip_newlines();
        self.expect(Sign::Close)?;
        Ok(Statement::Meter(Box::new(Meter { name, size, key, timeout_ms, statements })))
    }

    fn option_reset(&mut self) -> Result<Statement> {
        self.bump();
        let span = self.span();
        match self.selector()? {
            Some(Expression::Exthdr(exthdr @ Exthdr { field: None, .. })) => Ok(Statement::ExthdrReset(exthdr)),
            _ => Fail::expected(span, "only options can be taken out", "`tcp option` and a name"),
        }
    }
}

fn in_bytes(number: u64, unit: &str) -> Option<u64> {
    match unit {
        "bytes" => Some(number),
        "kbytes" => number.checked_mul(1 << 10),
        "mbytes" => number.checked_mul(1 << 20),
        _ => None,
    }
}
