//! Statements: what each kind becomes. nft: `netlink_gen_stmt`, src/netlink_linearize.c.

use super::item::Item;
use super::literal::Loaded;
use super::load::{reg, to_low_bits, to_network};
use super::{LowerErrorKind, Lowering};
use crate::expr::{Expr, SetUse};
use crate::ir::{
    AnySet, ByteOrder, CtKey, DataType, Expression, Family, Header, Limit, Log, MetaKey, Payload, Reject, SetUpdate,
    Statement, Synproxy,
};

/// `NFT_QUEUE_FLAG_*` end; a queue expression of a single number has a total of one.
const ONE_QUEUE: u16 = 1;

impl Lowering<'_> {
    pub(super) fn statement(&mut self, statement: &Statement) -> Result<(), LowerErrorKind> {
        self.free = 0;
        match statement {
            Statement::Match { left, op, right } => self.match_statement(left, *op, right),
            Statement::Vmap { key, map } => {
                self.require_all(key)?;
                let exprs = self.keyed(key, map, |sreg, set| Expr::Vmap { sreg, set })?;
                self.act(exprs)
            }
            Statement::ObjectMap { key, map, .. } => {
                self.require_all(key)?;
                let exprs = self.keyed(key, map, |sreg, set| Expr::ObjrefMap { sreg, set })?;
                self.act(exprs)
            }
            Statement::Reject(reject) => self.reject(reject),
            Statement::Nat(nat) => self.nat(nat),
            Statement::Tproxy { family, address, port } => self.tproxy(*family, address.as_ref(), port.as_ref()),
            Statement::Mangle { target, value } => self.mangle(target, value),
            Statement::SetUpdate(update) => self.set_update(update),
            Statement::Dup { address, device } => self.dup(address.as_ref(), device.as_ref()),
            Statement::Fwd { device, neighbour } => self.fwd(device, neighbour.as_ref()),
            Statement::Queue { queue, flags } => self.queue(queue.as_ref(), *flags),
            Statement::ExthdrReset(exthdr) => {
                let (kind, _) = exthdr.spec().ok_or_else(|| LowerErrorKind::Type(format!("no option {exthdr:?}")))?;
                self.act(vec![Expr::ExthdrReset { kind, op: exthdr.carrier.number() }])
            }
            Statement::Opaque(opaque) => Err(LowerErrorKind::Opaque(opaque.text.clone())),
            other => self.act(vec![plain(other)?]),
        }
    }

    pub(super) fn act(&mut self, exprs: Vec<Expr>) -> Result<(), LowerErrorKind> {
        self.items.push(Item::Action(exprs));
        Ok(())
    }

    /// `NFT_REJECT_*` of linux/netfilter/nf_tables.h. In families of several protocols, the one that is answered in
    /// must be known.
    fn reject(&mut self, reject: &Reject) -> Result<(), LowerErrorKind> {
        let (kind, code) = match reject {
            Reject::Icmp(code) => {
                self.require_network(Header::Ip)?;
                (0, *code)
            }
            Reject::Icmpv6(code) => {
                self.require_network(Header::Ip6)?;
                (0, *code)
            }
            Reject::TcpReset => {
                // nft puts this match before all others.
                let before = self.items.len();
                self.require(Header::Tcp)?;
                let added = self.items.len() - before;
                self.items.rotate_right(added);
                (1, 0)
            }
            Reject::Icmpx(code) => (2, *code),
        };
        self.act(vec![Expr::Reject { kind, code }])
    }

    /// Loads a value that something takes, as a number of that type.
    pub(super) fn argument(
        &mut self,
        value: &Expression,
        wanted: Loaded,
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<(), LowerErrorKind> {
        match value {
            Expression::Value(_) | Expression::List(_) => {
                out.push(Expr::Immediate { dreg: reg(slot)?, data: wanted.literal(value)? });
                Ok(())
            }
            Expression::Binary { .. } => self.load_binary(value, slot, wanted.bits, out).map(drop),
            Expression::Concat(parts) => self.concat_argument(parts, slot, out),
            value => {
                let loaded = self.load(value, slot, out)?;
                let loaded = to_low_bits(loaded, slot, out)?;
                // A number of the machine where the packet's order is wanted: `dnat to numgen …`.
                if wanted.order == ByteOrder::Network && !wanted.is_text() {
                    to_network(&loaded, slot, out)?;
                }
                Ok(())
            }
        }
    }

    fn concat_argument(
        &mut self,
        parts: &[Expression],
        slot: usize,
        out: &mut Vec<Expr>,
    ) -> Result<(), LowerErrorKind> {
        self.load_concat(parts, slot, false, out).map(drop)
    }

    fn set_update(&mut self, update: &SetUpdate) -> Result<(), LowerErrorKind> {
        let set = self.sets.find(&update.set).ok_or_else(|| LowerErrorKind::UnknownSet(update.set.to_string()))?;
        let data_type = match set {
            AnySet::Map(map) => Some(map.data.clone()),
            _ => None,
        };
        self.require_all(&update.key)?;
        if let Some(data) = &update.data {
            self.require_all(data)?;
        }
        let mut out = Vec::new();
        let slot = self.reserve(&update.key)?;
        self.load_key(&update.key, &Expression::SetRef(update.set.clone()), slot, &mut out)?;
        let key = reg(slot)?;
        let data = match &update.data {
            Some(data) => {
                let slot = self.reserve(data)?;
                let wanted = match data_type.as_ref().map(|data| data.fields.as_slice()) {
                    Some([field]) => Loaded::new(field.datatype, field.bits, field.byte_order),
                    _ => Loaded::new(DataType::Integer, 32, ByteOrder::Network),
                };
                self.argument(data, wanted, slot, &mut out)?;
                Some(reg(slot)?)
            }
            None => None,
        };
        let exprs = update.statements.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
        out.push(Expr::Dynset {
            op: update.op,
            set: SetUse::Named(update.set.clone()),
            key,
            data,
            timeout_ms: update.timeout_ms,
            exprs,
            inverted: false,
        });
        self.act(out)
    }

    fn dup(&mut self, address: Option<&Expression>, device: Option<&Expression>) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        let addr = self.operand(address, self.address(), &mut out)?;
        let dev = self.operand(device, index(), &mut out)?;
        self.act([out, vec![Expr::Dup { addr, dev }]].concat())
    }

    fn fwd(&mut self, device: &Expression, neighbour: Option<&(Family, Expression)>) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        let dev = self.operand(Some(device), index(), &mut out)?.ok_or(LowerErrorKind::Registers)?;
        let wanted = neighbour.map_or_else(|| self.address(), |(family, _)| address_of(*family));
        let addr = self.operand(neighbour.map(|(_, address)| address), wanted, &mut out)?;
        let nfproto = neighbour.map(|(family, _)| u32::from(family.nfproto()));
        self.act([out, vec![Expr::Fwd { dev, addr, nfproto }]].concat())
    }

    /// Loads an operand into registers of its own, if there is one.
    pub(super) fn operand(
        &mut self,
        value: Option<&Expression>,
        wanted: Loaded,
        out: &mut Vec<Expr>,
    ) -> Result<Option<crate::expr::Reg>, LowerErrorKind> {
        let Some(value) = value else { return Ok(None) };
        self.require_all(value)?;
        let slot = self.reserve(value)?;
        self.argument(value, wanted, slot, out)?;
        reg(slot).map(Some)
    }

    /// An address of the table's family.
    pub(super) fn address(&self) -> Loaded {
        address_of(self.family)
    }

    fn queue(&mut self, queue: Option<&Expression>, flags: u16) -> Result<(), LowerErrorKind> {
        let number = |value: &Expression| match value {
            Expression::Value(value) => value.to_u128().and_then(|number| u16::try_from(number).ok()),
            _ => None,
        };
        let (num, total) = match queue {
            None => (0, ONE_QUEUE),
            Some(Expression::Range(start, end)) => match (number(start), number(end)) {
                (Some(start), Some(end)) if start <= end => (start, (end - start).saturating_add(1)),
                _ => return Err(LowerErrorKind::Type("queue numbers must ascend".to_owned())),
            },
            Some(value) => match number(value) {
                Some(number) => (number, ONE_QUEUE),
                None => return self.queue_by(value, flags),
            },
        };
        self.act(vec![Expr::Queue { num, total, flags, sreg: None }])
    }

    fn queue_by(&mut self, value: &Expression, flags: u16) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        let wanted = Loaded::new(DataType::Integer, 16, ByteOrder::Host);
        let sreg = self.operand(Some(value), wanted, &mut out)?;
        self.act([out, vec![Expr::Queue { num: 0, total: 0, flags, sreg }]].concat())
    }

    /// `target set value`.
    fn mangle(&mut self, target: &Expression, value: &Expression) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        match target {
            Expression::Meta(key) => {
                let wanted = meta_width(*key);
                let sreg = self.operand(Some(value), wanted, &mut out)?.ok_or(LowerErrorKind::Registers)?;
                out.push(Expr::MetaSet { sreg, key: *key });
            }
            Expression::Ct { key, direction } => {
                let wanted = Loaded::new(key.datatype(), ct_bits(*key), key.byte_order());
                let sreg = self.operand(Some(value), wanted, &mut out)?.ok_or(LowerErrorKind::Registers)?;
                out.push(Expr::CtSet { sreg, key: *key, direction: *direction });
            }
            Expression::Payload(payload) => return self.mangle_payload(payload, value),
            Expression::Exthdr(exthdr) => return self.mangle_exthdr(exthdr, value),
            other => return Err(LowerErrorKind::Unsupported(format!("{other:?} set …"))),
        }
        self.act(out)
    }

    fn mangle_payload(&mut self, payload: &Payload, value: &Expression) -> Result<(), LowerErrorKind> {
        self.require_all(&Expression::Payload(payload.clone()))?;
        self.require_all(value)?;
        let exprs = super::write::payload(self, payload, value)?;
        self.act(exprs)
    }

    fn mangle_exthdr(&mut self, exthdr: &crate::ir::Exthdr, value: &Expression) -> Result<(), LowerErrorKind> {
        self.require_all(&Expression::Exthdr(exthdr.clone()))?;
        self.require_all(value)?;
        let exprs = super::write::exthdr(self, exthdr, value)?;
        self.act(exprs)
    }
}

pub(super) fn address_of(family: Family) -> Loaded {
    let (datatype, bits) = if family == Family::Ip6 { (DataType::Ipv6Addr, 128) } else { (DataType::Ipv4Addr, 32) };
    Loaded::new(datatype, bits, ByteOrder::Network)
}

/// An interface index.
fn index() -> Loaded {
    Loaded::new(DataType::IfIndex, 32, ByteOrder::Host)
}

fn meta_width(key: MetaKey) -> Loaded {
    Loaded::new(key.datatype(), key.bits(), key.byte_order())
}

/// Labels are set by bit; everything else by value.
fn ct_bits(key: CtKey) -> u32 {
    if key.bits() == 0 { 32 } else { key.bits() }
}

/// Statements that are one expression without operands.
pub(super) fn plain(statement: &Statement) -> Result<Expr, LowerErrorKind> {
    Ok(match statement {
        Statement::Verdict(verdict) => Expr::Verdict(verdict.clone()),
        Statement::Counter(counter) => Expr::Counter { packets: counter.packets, bytes: counter.bytes },
        Statement::Limit(limit) => limit_expr(limit),
        Statement::Quota(quota) => Expr::Quota { bytes: quota.bytes, consumed: quota.used, inverted: quota.over },
        Statement::ConnLimit { over, count } => Expr::Connlimit { count: *count, inverted: *over },
        Statement::Last { used_ms } => Expr::Last { set: used_ms.is_some(), msecs: used_ms.unwrap_or(0) },
        Statement::Object { object, name } => Expr::Objref { object: *object, name: name.clone() },
        Statement::Log(log) => log_expr(log),
        Statement::Notrack => Expr::Notrack,
        Statement::FlowAdd(table) => Expr::FlowOffload { table: table.clone() },
        Statement::Synproxy(synproxy) => synproxy_expr(synproxy),
        Statement::Opaque(opaque) => return Err(LowerErrorKind::Opaque(opaque.text.clone())),
        other => return Err(LowerErrorKind::Unsupported(format!("{other:?}"))),
    })
}

fn limit_expr(limit: &Limit) -> Expr {
    Expr::Limit {
        rate: limit.rate,
        unit: limit.per.seconds(),
        burst: limit.burst,
        kind: limit.unit,
        inverted: limit.over,
    }
}

/// The kernel writes to its own log with level `warn` and no flags, unless it is told otherwise or given a group.
fn log_expr(log: &Log) -> Expr {
    Expr::Log {
        prefix: log.prefix.clone(),
        group: log.group,
        snaplen: log.snaplen,
        queue_threshold: log.queue_threshold,
        level: log.level.map(u32::from).filter(|_| log.group.is_none()),
        flags: (log.flags != 0).then_some(log.flags),
    }
}

/// `NF_SYNPROXY_OPT_*`, linux/netfilter/nf_synproxy.h.
fn synproxy_expr(synproxy: &Synproxy) -> Expr {
    let flags = u32::from(synproxy.mss.is_some())
        | u32::from(synproxy.wscale.is_some()) << 1
        | u32::from(synproxy.sack_perm) << 2
        | u32::from(synproxy.timestamp) << 3;
    Expr::Synproxy { mss: synproxy.mss.unwrap_or(0), wscale: synproxy.wscale.unwrap_or(0), flags }
}
