//! Statements from JSON.

use serde_json::Value as Json;

use super::element::milliseconds;
use super::expression::{exthdr, set_name};
use super::fields::{self, Fields};
use super::{Reader, Result, Trouble, opaque};
use crate::ir::{
    BinaryOp, Counter, DataKind, DataType, Expression, ExthdrCarrier, Family, FibResult, Field, Limit, LimitUnit, Log,
    Meter, Nat, NatFlags, NatKind, ObjectType, Quota, Reject, RelationalOp, SetUpdate, SetUpdateOp, Statement,
    Synproxy, TimeUnit, Value, Verdict, symbol,
};
use crate::json::literal;
use crate::json::print::{LOG_ALL, LOG_FLAGS, tests_bits};

impl Reader<'_> {
    /// A statement. What is not understood is noted and kept as a whole.
    pub(super) fn statement_or_kept(&mut self, item: &Json, statement: &Json) -> Statement {
        match self.statement(statement) {
            Ok(statement) => statement,
            Err(trouble) => {
                self.report(item, trouble);
                Statement::Opaque(opaque(statement))
            }
        }
    }

    pub(super) fn statement<'a>(&self, json: &'a Json) -> Result<'a, Statement> {
        // nft also takes verdicts without a value as texts.
        let (kind, body) = match json {
            Json::String(word) => (word.as_str(), &Json::Null),
            json => fields::only(json)?,
        };
        if let Some(object) = object_type(kind)
            && let Some(statement) = self.object_use(object, body)
        {
            return statement;
        }
        match kind {
            "match" => self.relation(body),
            "accept" | "drop" | "continue" | "return" => plain_verdict(kind, body).map(Statement::Verdict),
            "jump" | "goto" => self.call(kind, body),
            "vmap" => {
                let (key, map) = self.look_up(&Fields::of(body)?, &DataKind::Verdict)?;
                Ok(Statement::Vmap { key, map })
            }
            "counter" => counter(body).map(Statement::Counter),
            "limit" => limit(body).map(Statement::Limit),
            "quota" => quota(body).map(Statement::Quota),
            "ct count" => connection_limit(body),
            "log" => log(body).map(Statement::Log),
            "reject" => reject(body, self.family()).map(Statement::Reject),
            "snat" => self.nat(NatKind::Snat, body),
            "dnat" => self.nat(NatKind::Dnat, body),
            "masquerade" => self.nat(NatKind::Masquerade, body),
            "redirect" => self.nat(NatKind::Redirect, body),
            "notrack" => Ok(Statement::Notrack),
            "mangle" => self.mangle(body),
            "set" | "map" => self.set_update(body),
            "meter" => self.meter(body),
            "flow" => flow(body),
            "dup" => self.dup(body),
            "fwd" => self.fwd(body),
            "queue" => self.queue(body),
            "tproxy" => self.tproxy(body),
            "synproxy" => synproxy(&Fields::of(body)?).map(Statement::Synproxy),
            "reset" => reset(body),
            "last" => last(body),
            "opaque" => serde_json::from_value(body.clone())
                .map(Statement::Opaque)
                .map_err(|error| Trouble::wrong(body, error.to_string())),
            _ => Err(Trouble::Unknown(json)),
        }
    }

    /// The use of a named object, or of one that a map gives; `None` for a statement of that name without an object.
    fn object_use<'a>(&self, object: ObjectType, body: &'a Json) -> Option<Result<'a, Statement>> {
        match body {
            Json::String(_) => Some(fields::name(body).map(|name| Statement::Object { object, name })),
            Json::Object(map) if map.len() == 1 && map.contains_key("map") => {
                let used = Fields::of(&map["map"])
                    .and_then(|fields| self.look_up(&fields, &DataKind::Object(object)))
                    .map(|(key, map)| Statement::ObjectMap { object, key, map });
                Some(used)
            }
            _ => None,
        }
    }

    fn relation<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let (left, right, sign) = (fields.need("left")?, fields.need("right")?, fields.need("op")?);
        fields.all_known()?;
        let mut left = self.expression(left, &[])?;
        if let Expression::Fib { result: result @ FibResult::Oif, .. } = &mut left
            && right.is_boolean()
        {
            *result = FibResult::Exists;
        }
        let types = self.fields_of(&left);
        if right.is_array() {
            list_mask(&mut left);
        }
        let masked = matches!(&left, Expression::Binary { right, .. } if matches!(**right, Expression::List(_)));
        let right = match right.as_object().and_then(|right| right.get("set")) {
            Some(elements) => self.anonymous_set(elements, &types, &DataKind::None)?,
            // `tcp flags syn / fin,syn`: both sides are lists.
            None if masked && !right.is_object() => {
                let flags = fields::items(right).iter().map(|flag| self.expression(flag, &types));
                Expression::List(flags.collect::<Result<'_, _>>()?)
            }
            None => self.expression(right, &types)?,
        };
        let op = match fields::text(sign)? {
            "in" => RelationalOp::Implicit,
            "==" if matches!(left, Expression::Binary { .. }) || tests_bits(&left, &right) => RelationalOp::Eq,
            "==" => RelationalOp::Implicit,
            "!=" => RelationalOp::Neq,
            "<" => RelationalOp::Lt,
            ">" => RelationalOp::Gt,
            "<=" => RelationalOp::Lte,
            ">=" => RelationalOp::Gte,
            "!" => RelationalOp::Not,
            _ => return Err(Trouble::Unknown(sign)),
        };
        Ok(Statement::Match { left, op, right })
    }

    pub(super) fn verdict<'a>(&self, json: &'a Json) -> Result<'a, Verdict> {
        let (kind, body) = match json {
            Json::String(word) => (word.as_str(), &Json::Null),
            json => fields::only(json)?,
        };
        match kind {
            "jump" | "goto" => jump(kind, body),
            "accept" | "drop" | "continue" | "return" => plain_verdict(kind, body),
            _ => Err(Trouble::wrong(json, "this is no verdict")),
        }
    }

    /// A jump to a chain, or through rules that belong to this one.
    fn call<'a>(&self, kind: &str, body: &'a Json) -> Result<'a, Statement> {
        let Some(rules) = body.as_object().and_then(|body| body.get("rules")) else {
            return jump(kind, body).map(Statement::Verdict);
        };
        let rule = |rule| {
            let statements = fields::items(rule).iter().map(|statement| self.statement(statement));
            statements.collect::<Result<'_, Vec<_>>>().map(crate::ir::Rule::new)
        };
        let rules = fields::items(rules).iter().map(rule).collect::<Result<'_, _>>()?;
        Ok(Statement::Block { goto: kind == "goto", rules })
    }

    /// The statements among the fields of an element.
    pub(super) fn statements_among<'a>(&self, fields: &Fields<'a>) -> Result<'a, Vec<Statement>> {
        let stateful = |(name, body): (&'a str, &'a Json)| match name {
            "counter" => counter(body).map(Statement::Counter),
            "limit" => limit(body).map(Statement::Limit),
            "quota" => quota(body).map(Statement::Quota),
            "ct count" => connection_limit(body),
            "last" => last(body),
            _ => Err(Trouble::Unknown(body)),
        };
        fields.unknown().map(stateful).collect()
    }

    fn nat<'a>(&self, kind: NatKind, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let family = fields.find("family").map(family).transpose()?;
        let (address, port) = self.target(&fields, family)?;
        let mut flags = NatFlags::default();
        let mut netmap = false;
        fields.flags(
            "flags",
            [
                ("random", &mut flags.random),
                ("fully-random", &mut flags.fully_random),
                ("persistent", &mut flags.persistent),
                ("netmap", &mut netmap),
            ],
        )?;
        let (mut interval, mut prefix, mut concat) = (false, false, false);
        let kinds = [("interval", &mut interval), ("prefix", &mut prefix), ("concat", &mut concat)];
        fields.flags("type_flags", kinds)?;
        fields.all_known()?;
        Ok(Statement::Nat(Nat { kind, family, address, port, flags, prefix: prefix || netmap }))
    }

    /// The address and port of a statement that sends packets elsewhere.
    fn target<'a>(
        &self,
        fields: &Fields<'a>,
        family: Option<Family>,
    ) -> Result<'a, (Option<Expression>, Option<Expression>)> {
        let port = Field::of_type(DataType::InetService);
        let address = fields.find("addr").map(|address| self.address(address, family)).transpose()?;
        let port = fields.find("port").map(|json| self.expression(json, &[port])).transpose()?;
        Ok((address, port))
    }

    /// An address of that family, else of the table's, else of the one it is written in.
    fn address<'a>(&self, json: &'a Json, family: Option<Family>) -> Result<'a, Expression> {
        let ip = Field::of_type(DataType::Ipv4Addr);
        let ip6 = Field::of_type(DataType::Ipv6Addr);
        // A map says itself what it leads to, and it may be address and port.
        let elements = json.pointer("/map/data/set");
        let pairs = elements.is_some_and(|set| set.pointer("/0/1/concat").is_some());
        let read = |field: Field| match pairs {
            true => self.expression(json, &[field, Field::of_type(DataType::InetService)]),
            false => self.expression(json, &[field]),
        };
        match family.unwrap_or(self.family()) {
            Family::Ip => read(ip),
            Family::Ip6 => read(ip6),
            _ => read(ip).or_else(|_| read(ip6)),
        }
    }

    fn mangle<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let (key, value) = (fields.need("key")?, fields.need("value")?);
        fields.all_known()?;
        // Old releases set a helper by this.
        if let Ok(("ct helper", _)) = fields::only(key) {
            return Err(Trouble::Unknown(key));
        }
        let target = self.expression(key, &[])?;
        let value = self.expression(value, &self.fields_of(&target))?;
        Ok(Statement::Mangle { target, value })
    }

    fn set_update<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let op = fields.need("op")?;
        let op = match fields::text(op)? {
            "add" => SetUpdateOp::Add,
            "update" => SetUpdateOp::Update,
            "delete" => SetUpdateOp::Delete,
            _ => return Err(Trouble::Unknown(op)),
        };
        let set = set_name(fields.find("set").map_or_else(|| fields.need("map"), Ok)?)?;
        let types = self.set_types(&set);
        let key = types.as_ref().map_or(&[][..], |(key, _)| &key.fields);
        let (key, timeout_ms, mut statements) = self.timed(fields.need("elem")?, key)?;
        let data = match (fields.find("data"), &types) {
            (None, _) => None,
            (Some(data), Some((_, DataKind::Value { data: types, .. }))) => Some(self.expression(data, &types.fields)?),
            (Some(data), _) => Some(self.expression(data, &[])?),
        };
        statements.extend(self.stateful(&fields)?);
        fields.all_known()?;
        Ok(Statement::SetUpdate(Box::new(SetUpdate { op, set, key, data, timeout_ms, statements })))
    }

    /// The statements in `stmt`: one, or a list.
    fn stateful<'a>(&self, fields: &Fields<'a>) -> Result<'a, Vec<Statement>> {
        let statements = fields.find("stmt").map(fields::items).unwrap_or_default();
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    /// A key that may have a time and statements.
    fn timed<'a>(&self, json: &'a Json, key: &[Field]) -> Result<'a, (Expression, Option<u64>, Vec<Statement>)> {
        let Some(body) = json.as_object().and_then(|object| object.get("elem")) else {
            return Ok((self.expression(json, key)?, None, Vec::new()));
        };
        let fields = Fields::of(body)?;
        let key = self.expression(fields.need("val")?, key)?;
        let timeout = milliseconds(&fields, "timeout")?;
        let statements = self.statements_among(&fields)?;
        Ok((key, timeout, statements))
    }

    fn meter<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let name = fields::name(fields.need("name")?)?;
        let size = fields.find_number("size")?;
        let (key, timeout_ms, mut statements) = self.timed(fields.need("key")?, &[])?;
        statements.extend(self.stateful(&fields)?);
        fields.all_known()?;
        Ok(Statement::Meter(Box::new(Meter { name, size, key, timeout_ms, statements })))
    }

    fn device<'a>(&self, json: &'a Json) -> Result<'a, Expression> {
        self.expression(json, &[Field::of_type(DataType::IfIndex)])
    }

    fn dup<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let (address, device) = (fields.find("addr"), fields.find("dev"));
        fields.all_known()?;
        // Netdev tables have no addresses: nft calls the device one.
        let bare = self.family() == Family::Netdev && device.is_none();
        let (address, device) = if bare { (None, address) } else { (address, device) };
        let address = address.map(|address| self.address(address, None)).transpose()?;
        let device = device.map(|device| self.device(device)).transpose()?;
        Ok(Statement::Dup { address, device })
    }

    fn fwd<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let device = self.device(fields.need("dev")?)?;
        let neighbour = match (fields.find("family").map(family).transpose()?, fields.find("addr")) {
            (Some(family), Some(address)) => Some((family, self.address(address, Some(family))?)),
            (None, None) => None,
            _ => return Err(Trouble::wrong(body, "`family` and `addr` go together")),
        };
        fields.all_known()?;
        Ok(Statement::Fwd { device, neighbour })
    }

    fn queue<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let number = Field { bits: 16, ..Field::of_type(DataType::Integer) };
        let queue = fields.find("num").map(|number_| self.expression(number_, &[number])).transpose()?;
        let (mut bypass, mut fanout) = (false, false);
        fields.flags("flags", [("bypass", &mut bypass), ("fanout", &mut fanout)])?;
        fields.all_known()?;
        Ok(Statement::Queue { queue, flags: u16::from(bypass) | u16::from(fanout) << 1 })
    }

    fn tproxy<'a>(&self, body: &'a Json) -> Result<'a, Statement> {
        let fields = Fields::of(body)?;
        let family = fields.find("family").map(family).transpose()?;
        let (address, port) = self.target(&fields, family)?;
        fields.all_known()?;
        Ok(Statement::Tproxy { family, address, port })
    }
}

/// The type of object that a statement of that name may use.
fn object_type(kind: &str) -> Option<ObjectType> {
    let types = [
        ObjectType::Counter,
        ObjectType::Quota,
        ObjectType::Limit,
        ObjectType::CtHelper,
        ObjectType::CtTimeout,
        ObjectType::CtExpectation,
        ObjectType::Synproxy,
        ObjectType::Secmark,
        ObjectType::Tunnel,
    ];
    types.into_iter().find(|object| object.keyword() == kind)
}

/// nft 1.0 lists `tcp flags syn,ack / syn` with lists, of which one flag stands alone.
fn list_mask(left: &mut Expression) {
    if let Expression::Binary { op: BinaryOp::And, right: mask, .. } = left
        && let Expression::Value(value) = &**mask
        && symbol::is_bitmask(value.datatype)
    {
        **mask = Expression::List(vec![Expression::Value(value.clone())]);
    }
}

fn family(json: &Json) -> Result<'_, Family> {
    Family::from_keyword(fields::text(json)?).ok_or_else(|| Trouble::wrong(json, "this is no family"))
}

fn plain_verdict<'a>(kind: &str, body: &'a Json) -> Result<'a, Verdict> {
    if !body.is_null() {
        return Err(Trouble::Unknown(body));
    }
    Ok(match kind {
        "accept" => Verdict::Accept,
        "drop" => Verdict::Drop,
        "continue" => Verdict::Continue,
        _ => Verdict::Return,
    })
}

fn jump<'a>(kind: &str, body: &'a Json) -> Result<'a, Verdict> {
    let fields = Fields::of(body)?;
    let target = fields::name(fields.need("target")?)?;
    fields.all_known()?;
    Ok(if kind == "goto" { Verdict::Goto(target) } else { Verdict::Jump(target) })
}

fn counter(body: &Json) -> Result<'_, Counter> {
    let fields = Fields::of(body)?;
    let packets = fields.find_number("packets")?.unwrap_or(0);
    let bytes = fields.find_number("bytes")?.unwrap_or(0);
    fields.all_known()?;
    Ok(Counter { packets, bytes })
}

/// Also the fields of a named limit.
pub(super) fn limit_of<'a>(fields: &Fields<'a>) -> Result<'a, Limit> {
    let rate_unit = fields.find_text("rate_unit")?.unwrap_or("packets");
    let burst_unit = fields.find_text("burst_unit")?.unwrap_or("bytes");
    let bytes = rate_unit != "packets";
    let rate = fields.need("rate")?;
    let rate = fields::number::<u64>(rate)?
        .checked_mul(if bytes { unit(rate_unit, rate)? } else { 1 })
        .ok_or_else(|| Trouble::wrong(rate, "this rate is too large"))?;
    let burst = match fields.find("burst") {
        None => {
            if bytes {
                0
            } else {
                5
            }
        }
        Some(burst) => fields::number::<u64>(burst)?
            .checked_mul(if bytes { unit(burst_unit, burst)? } else { 1 })
            .and_then(|burst| u32::try_from(burst).ok())
            .ok_or_else(|| Trouble::wrong(burst, "this burst is too large"))?,
    };
    let per = match fields.find("per") {
        None => TimeUnit::Second,
        Some(per) => time_unit(per)?,
    };
    let over = fields.flag("inv")?;
    Ok(Limit { over, rate, unit: if bytes { LimitUnit::Bytes } else { LimitUnit::Packets }, per, burst })
}

fn limit(body: &Json) -> Result<'_, Limit> {
    let fields = Fields::of(body)?;
    let limit = limit_of(&fields)?;
    fields.all_known()?;
    Ok(limit)
}

fn time_unit(json: &Json) -> Result<'_, TimeUnit> {
    let units = [TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week];
    let word = fields::text(json)?;
    units
        .into_iter()
        .find(|unit| unit.keyword() == word)
        .ok_or_else(|| Trouble::wrong(json, "this is no time unit (second, minute, hour, day, week)"))
}

/// How many bytes a unit has.
fn unit<'a>(name: &str, at: &'a Json) -> Result<'a, u64> {
    match name {
        "bytes" => Ok(1),
        "kbytes" => Ok(1 << 10),
        "mbytes" => Ok(1 << 20),
        _ => Err(Trouble::wrong(at, format!("`{name}` is no unit of an amount (bytes, kbytes, mbytes)"))),
    }
}

fn amount<'a>(fields: &Fields<'a>, name: &str, unit_name: &str) -> Result<'a, u64> {
    let Some(json) = fields.find(name) else { return Ok(0) };
    let unit = unit(fields.find_text(unit_name)?.unwrap_or("bytes"), json)?;
    fields::number::<u64>(json)?.checked_mul(unit).ok_or_else(|| Trouble::wrong(json, "this amount is too large"))
}

fn quota(body: &Json) -> Result<'_, Quota> {
    let fields = Fields::of(body)?;
    let quota = Quota {
        over: fields.flag("inv")?,
        bytes: amount(&fields, "val", "val_unit")?,
        used: amount(&fields, "used", "used_unit")?,
    };
    fields.all_known()?;
    Ok(quota)
}

fn connection_limit(body: &Json) -> Result<'_, Statement> {
    let fields = Fields::of(body)?;
    let (count, over) = (fields::number(fields.need("val")?)?, fields.flag("inv")?);
    fields.all_known()?;
    Ok(Statement::ConnLimit { over, count })
}

fn log(body: &Json) -> Result<'_, Log> {
    let fields = Fields::of(body)?;
    let level = match fields.find("level") {
        None => None,
        Some(level) => Some(symbol::syslog_level_number(fields::text(level)?).ok_or(Trouble::Unknown(level))?),
    };
    let mut flags = 0;
    for (item, name) in fields.names("flags")? {
        flags |= match LOG_FLAGS.iter().find(|(known, _)| *known == name) {
            Some((_, bit)) => *bit,
            None if name == "all" => LOG_ALL,
            None => return Err(Trouble::Unknown(item)),
        };
    }
    let log = Log {
        prefix: fields.find_text("prefix")?.map(str::to_owned),
        group: fields.find_number("group")?,
        snaplen: fields.find_number("snaplen")?,
        queue_threshold: fields.find_number("queue-threshold")?,
        level,
        flags,
    };
    fields.all_known()?;
    Ok(log)
}

fn reject(body: &Json, family: Family) -> Result<'_, Reject> {
    let fields = Fields::of(body)?;
    let (kind, code) = (fields.find("type"), fields.find("expr"));
    fields.all_known()?;
    let default = Reject::default_for(family);
    let Some(kind) = kind else { return Ok(default) };
    let code_of = |datatype, default: u8| {
        let Some(code) = code else { return Ok(default) };
        let value = literal::parse(code, &Field::of_type(datatype));
        let bytes = value.as_ref().map(|value: &Value| &*value.bytes);
        match bytes {
            Some([code]) => Ok(*code),
            _ => Err(Trouble::wrong(code, format!("this is no {datatype}"))),
        }
    };
    match fields::text(kind)? {
        "tcp reset" => Ok(Reject::TcpReset),
        "icmp" => code_of(DataType::IcmpCode, 3).map(Reject::Icmp),
        "icmpv6" => code_of(DataType::Icmpv6Code, 4).map(Reject::Icmpv6),
        "icmpx" => code_of(DataType::IcmpxCode, 1).map(Reject::Icmpx),
        _ => Err(Trouble::Unknown(kind)),
    }
}

fn flow(body: &Json) -> Result<'_, Statement> {
    let fields = Fields::of(body)?;
    let op = fields.need("op")?;
    let flowtable = fields.need("flowtable")?;
    fields.all_known()?;
    if fields::text(op)? != "add" {
        return Err(Trouble::Unknown(op));
    }
    let name = fields::text(flowtable)?;
    let name = crate::ir::ObjectName::new(name.strip_prefix('@').unwrap_or(name));
    name.map(Statement::FlowAdd).map_err(|error| Trouble::wrong(flowtable, error.to_string()))
}

/// Also the fields of a named one.
pub(super) fn synproxy<'a>(fields: &Fields<'a>) -> Result<'a, Synproxy> {
    let mut synproxy =
        Synproxy { mss: fields.find_number("mss")?, wscale: fields.find_number("wscale")?, ..Synproxy::default() };
    let known = [("timestamp", &mut synproxy.timestamp), ("sack-perm", &mut synproxy.sack_perm)];
    fields.flags("flags", known)?;
    fields.all_known()?;
    Ok(synproxy)
}

fn reset(body: &Json) -> Result<'_, Statement> {
    match fields::only(body)? {
        ("tcp option", option) => exthdr(ExthdrCarrier::TcpOption, option).map(Statement::ExthdrReset),
        _ => Err(Trouble::Unknown(body)),
    }
}

fn last(body: &Json) -> Result<'_, Statement> {
    let fields = Fields::of(body)?;
    let used_ms = fields.find_number("used")?;
    fields.all_known()?;
    Ok(Statement::Last { used_ms })
}
