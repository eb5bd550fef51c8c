//! Statements as JSON.

use serde_json::{Map, Value as Json, json};

use super::{Printer, expression, flags, object::chosen, opaque, seconds};
use crate::ir::{
    DataType, Expression, Family, Limit, LimitUnit, Log, MetaKey, Meter, Nat, NatFlags, Quota, Reject, RelationalOp,
    SetUpdate, SetUpdateOp, Statement, Synproxy, Verdict, symbol,
};

impl Printer {
    pub(super) fn statement(self, statement: &Statement) -> Json {
        match statement {
            Statement::Match { left, op, right } => self.relation(left, *op, right),
            Statement::Verdict(verdict) => self::verdict(verdict),
            Statement::Vmap { key, map } => {
                json!({ "vmap": { "key": self.expression(key), "data": self.expression(map) } })
            }
            Statement::Counter(counter) => json!({ "counter": { "packets": counter.packets, "bytes": counter.bytes } }),
            Statement::Limit(limit) => json!({ "limit": self::limit(limit) }),
            Statement::Quota(quota) => json!({ "quota": self::quota(*quota) }),
            Statement::ConnLimit { over, count } => counted("ct count", *count, *over),
            Statement::Object { object, name } => json!({ object.keyword(): name.as_str() }),
            Statement::ObjectMap { object, key, map } => json!({ object.keyword(): self.map(key, map) }),
            Statement::Log(log) => json!({ "log": self::log(log) }),
            Statement::Reject(reject) => self::reject(reject),
            Statement::Nat(nat) => self.nat(nat),
            Statement::Notrack => json!({ "notrack": null }),
            Statement::Mangle { target, value } => {
                json!({ "mangle": { "key": self.expression(target), "value": self.listed(value) } })
            }
            Statement::SetUpdate(update) => self.set_update(update),
            Statement::FlowAdd(flowtable) => json!({ "flow": { "op": "add", "flowtable": format!("@{flowtable}") } }),
            // In a family without addresses, the device is where it goes to.
            Statement::Dup { address: None, device } => self.named("dup", [("addr", device.as_ref())], Map::new()),
            Statement::Dup { address, device } => {
                self.named("dup", [("addr", address.as_ref()), ("dev", device.as_ref())], Map::new())
            }
            Statement::Fwd { device, neighbour } => self.fwd(device, neighbour.as_ref()),
            Statement::Queue { queue, flags } => self.queue(queue.as_ref(), *flags),
            Statement::Tproxy { family, address, port } => {
                self.named("tproxy", [("addr", address.as_ref()), ("port", port.as_ref())], with_family(*family))
            }
            Statement::Block { goto, rules } => {
                let rules: Vec<Json> = rules.iter().map(|rule| self.statements(&rule.statements)).collect();
                json!({ if *goto { "goto" } else { "jump" }: { "rules": rules } })
            }
            Statement::Meter(meter) => self.meter(meter),
            Statement::Synproxy(synproxy) => json!({ "synproxy": self::synproxy(*synproxy) }),
            Statement::ExthdrReset(exthdr) => json!({ "reset": expression::exthdr(exthdr) }),
            Statement::Last { used_ms: None } => json!({ "last": null }),
            Statement::Last { used_ms: Some(used) } => json!({ "last": { "used": used } }),
            Statement::Opaque(piece) => opaque(piece),
        }
    }

    fn relation(self, left: &Expression, op: RelationalOp, right: &Expression) -> Json {
        let sign = match op {
            RelationalOp::Implicit if tests_bits(left, right) => "in",
            RelationalOp::Implicit | RelationalOp::Eq => "==",
            RelationalOp::Neq => "!=",
            RelationalOp::Lt => "<",
            RelationalOp::Gt => ">",
            RelationalOp::Lte => "<=",
            RelationalOp::Gte => ">=",
            RelationalOp::Not => "!",
        };
        let right = match sign {
            "in" | "!" => self.listed(right),
            _ if matches!(right, Expression::List(_)) => self.listed(right),
            _ if matches!(left, Expression::Socket { .. } | Expression::Meta(MetaKey::Broute)) => {
                numeric(self.expression(right))
            }
            _ => self.expression(right),
        };
        json!({ "match": { "op": sign, "left": self.expression(left), "right": right } })
    }

    pub(super) fn statements(self, statements: &[Statement]) -> Json {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn meter(self, meter: &Meter) -> Json {
        let mut object = Map::new();
        object.insert("key".into(), self.timed(&meter.key, meter.timeout_ms));
        let statements: Vec<Json> = meter.statements.iter().map(|statement| self.statement(statement)).collect();
        // nft knows one.
        object
            .insert("stmt".into(), if let [statement] = &*statements { statement.clone() } else { statements.into() });
        if let Some(size) = meter.size {
            object.insert("size".into(), size.into());
        }
        object.insert("name".into(), meter.name.as_str().into());
        json!({ "meter": object })
    }

    fn timed(self, key: &Expression, timeout_ms: Option<u64>) -> Json {
        let key = self.expression(key);
        match timeout_ms {
            Some(timeout) => json!({ "elem": { "val": key, "timeout": seconds(timeout) } }),
            None => key,
        }
    }

    /// A statement of optional expressions, those that are there.
    fn named<const N: usize>(
        self,
        name: &str,
        parts: [(&str, Option<&Expression>); N],
        mut object: Map<String, Json>,
    ) -> Json {
        for (key, part) in parts {
            if let Some(part) = part {
                object.insert(key.into(), self.expression(part));
            }
        }
        json!({ name: if object.is_empty() { Json::Null } else { Json::Object(object) } })
    }

    fn nat(self, nat: &Nat) -> Json {
        let parts = [("addr", nat.address.as_ref()), ("port", nat.port.as_ref())];
        let mut body = self.named(nat.kind.keyword(), parts, with_family(nat.family));
        let NatFlags { random, fully_random, persistent } = nat.flags;
        let names = chosen([
            ("random", random),
            ("fully-random", fully_random),
            ("persistent", persistent),
            ("netmap", nat.prefix),
        ]);
        let further = [
            ("flags", (!names.is_empty()).then(|| flags(&names))),
            ("type_flags", nat.prefix.then(|| "prefix".into())),
        ];
        for (key, value) in further {
            if let (Some(value), Some(body)) = (value, body.get_mut(nat.kind.keyword())) {
                // `null` becomes an object here.
                body[key] = value;
            }
        }
        body
    }

    fn set_update(self, update: &SetUpdate) -> Json {
        let op = match update.op {
            SetUpdateOp::Add => "add",
            SetUpdateOp::Update => "update",
            SetUpdateOp::Delete => "delete",
        };
        let set = format!("@{}", update.set);
        let mut object = Map::new();
        object.insert("op".into(), op.into());
        object.insert("elem".into(), self.timed(&update.key, update.timeout_ms));
        let kind = match &update.data {
            Some(data) => {
                object.insert("data".into(), self.expression(data));
                object.insert("map".into(), set.into());
                "map"
            }
            None => {
                object.insert("set".into(), set.into());
                "set"
            }
        };
        if !update.statements.is_empty() {
            object.insert("stmt".into(), self.statements(&update.statements));
        }
        json!({ kind: object })
    }

    fn fwd(self, device: &Expression, neighbour: Option<&(Family, Expression)>) -> Json {
        let mut object = Map::new();
        object.insert("dev".into(), self.expression(device));
        if let Some((family, address)) = neighbour {
            object.insert("family".into(), family.keyword().into());
            object.insert("addr".into(), self.expression(address));
        }
        json!({ "fwd": object })
    }

    fn queue(self, queue: Option<&Expression>, bits: u16) -> Json {
        let mut object = Map::new();
        if let Some(queue) = queue {
            object.insert("num".into(), self.expression(queue));
        }
        let names = chosen([("bypass", bits & 1 != 0), ("fanout", bits & 2 != 0)]);
        if !names.is_empty() {
            object.insert("flags".into(), names.into());
        }
        json!({ "queue": if object.is_empty() { Json::Null } else { object.into() } })
    }
}

pub(super) fn verdict(verdict: &Verdict) -> Json {
    match verdict {
        Verdict::Accept => json!({ "accept": null }),
        Verdict::Drop => json!({ "drop": null }),
        Verdict::Continue => json!({ "continue": null }),
        Verdict::Return => json!({ "return": null }),
        Verdict::Jump(chain) => json!({ "jump": { "target": chain.as_str() } }),
        Verdict::Goto(chain) => json!({ "goto": { "target": chain.as_str() } }),
    }
}

/// Booleans as 0 and 1, also inside sets.
fn numeric(json: Json) -> Json {
    match json {
        Json::Bool(truth) => u8::from(truth).into(),
        Json::Array(items) => items.into_iter().map(numeric).collect(),
        Json::Object(fields) => fields.into_iter().map(|(name, field)| (name, numeric(field))).collect(),
        other => other,
    }
}

/// Whether a match without a sign asks for any bit in common, rather than for equality or membership.
pub(in crate::json) fn tests_bits(left: &Expression, right: &Expression) -> bool {
    let bits = left.typed().is_some_and(|(datatype, ..)| symbol::is_bitmask(datatype));
    bits && !matches!(left, Expression::Binary { .. }) && !matches!(right, Expression::Set(_) | Expression::SetRef(_))
}

fn with_family(family: Option<Family>) -> Map<String, Json> {
    family.map(|family| ("family".to_owned(), family.keyword().into())).into_iter().collect()
}

fn counted(name: &str, count: u32, over: bool) -> Json {
    if over { json!({ name: { "val": count, "inv": true } }) } else { json!({ name: { "val": count } }) }
}

/// The largest unit in which an amount of bytes is a whole number.
fn in_units(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0 => (0, "bytes"),
        bytes if bytes.is_multiple_of(1 << 20) => (bytes >> 20, "mbytes"),
        bytes if bytes.is_multiple_of(1 << 10) => (bytes >> 10, "kbytes"),
        bytes => (bytes, "bytes"),
    }
}

/// nft leaves the burst of a rate of bytes out where it is nought.
pub(super) fn limit(limit: &Limit) -> Json {
    let bytes = limit.unit == LimitUnit::Bytes;
    let (rate, rate_unit) = if bytes { in_units(limit.rate) } else { (limit.rate, "packets") };
    let (burst, burst_unit) = if bytes { in_units(limit.burst.into()) } else { (limit.burst.into(), "packets") };
    let mut object = Map::new();
    object.insert("rate".into(), rate.into());
    if burst != 0 || !bytes {
        object.insert("burst".into(), burst.into());
    }
    object.insert("per".into(), limit.per.keyword().into());
    if limit.over {
        object.insert("inv".into(), true.into());
    }
    if bytes {
        object.insert("rate_unit".into(), rate_unit.into());
        if burst != 0 {
            object.insert("burst_unit".into(), burst_unit.into());
        }
    }
    object.into()
}

fn quota(quota: Quota) -> Json {
    let (val, val_unit) = in_units(quota.bytes);
    let mut object = Map::new();
    object.insert("val".into(), val.into());
    object.insert("val_unit".into(), val_unit.into());
    if quota.over {
        object.insert("inv".into(), true.into());
    }
    if quota.used != 0 {
        let (used, used_unit) = in_units(quota.used);
        object.insert("used".into(), used.into());
        object.insert("used_unit".into(), used_unit.into());
    }
    object.into()
}

/// Bits of `NF_LOG_*` (linux/netfilter/nf_log.h) and their names.
pub(in crate::json) const LOG_FLAGS: [(&str, u32); 5] =
    [("tcp sequence", 0x01), ("tcp options", 0x02), ("ip options", 0x04), ("skuid", 0x08), ("ether", 0x20)];
/// `NF_LOG_MASK` of nft: all that it names.
pub(in crate::json) const LOG_ALL: u32 = 0x2f;

fn log(log: &Log) -> Json {
    let mut object = Map::new();
    if let Some(prefix) = &log.prefix {
        object.insert("prefix".into(), prefix.as_str().into());
    }
    let numbers = [
        ("group", log.group.map(u32::from)),
        ("snaplen", log.snaplen),
        ("queue-threshold", log.queue_threshold.map(u32::from)),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            object.insert(key.into(), number.into());
        }
    }
    if let Some(level) = log.level {
        object.insert("level".into(), symbol::syslog_level(level).map_or_else(|| level.into(), Json::from));
    }
    if log.flags & LOG_ALL == LOG_ALL {
        object.insert("flags".into(), "all".into());
    } else if log.flags & LOG_ALL != 0 {
        let names: Vec<&str> =
            LOG_FLAGS.iter().filter(|(_, bit)| log.flags & bit != 0).map(|(name, _)| *name).collect();
        object.insert("flags".into(), flags(&names));
    }
    if object.is_empty() { Json::Null } else { object.into() }
}

fn reject(reject: &Reject) -> Json {
    let (kind, datatype, code) = match reject {
        Reject::TcpReset => return json!({ "reject": { "type": "tcp reset" } }),
        Reject::Icmp(code) => ("icmp", DataType::IcmpCode, *code),
        Reject::Icmpv6(code) => ("icmpv6", DataType::Icmpv6Code, *code),
        Reject::Icmpx(code) => ("icmpx", DataType::IcmpxCode, *code),
    };
    let code = symbol::name_of(datatype, code.into()).map_or_else(|| code.into(), Json::from);
    json!({ "reject": { "type": kind, "expr": code } })
}

/// Also the body of a named object.
pub(super) fn synproxy(synproxy: Synproxy) -> Json {
    let mut object = Map::new();
    if let Some(mss) = synproxy.mss {
        object.insert("mss".into(), mss.into());
    }
    if let Some(wscale) = synproxy.wscale {
        object.insert("wscale".into(), wscale.into());
    }
    let names = chosen([("timestamp", synproxy.timestamp), ("sack-perm", synproxy.sack_perm)]);
    if !names.is_empty() {
        object.insert("flags".into(), names.into());
    }
    if object.is_empty() { Json::Null } else { object.into() }
}
