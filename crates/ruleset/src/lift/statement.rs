//! What does something, as statements.

use super::Lifting;
use super::held::{Held, Packet, literal, unshifted};
use crate::expr::{Expr, Reg, SetUse};
use crate::ir::protocols::Known;
use crate::ir::{
    ByteOrder, Counter, CtKey, DataType, Dialect, Expression, Exthdr, ExthdrCarrier, Family, Header, Limit, Log, Nat,
    NatFlags, NatKind, ObjectType, Opaque, Payload, PayloadBase, Quota, Reject, SetUpdate, Statement, Synproxy,
    TimeUnit, Value,
};
use crate::lower::literal::Loaded;
use crate::lower::load::Place;
use crate::lower::nat::{MAP_IPS, NETMAP, PERSISTENT, PROTO_RANDOM, PROTO_RANDOM_FULLY, PROTO_SPECIFIED};

impl Lifting<'_> {
    /// Follows an expression that does something; `None` where what it uses is not known.
    pub(super) fn statement(&mut self, expr: &Expr) -> Option<()> {
        let statement = match expr {
            Expr::Vmap { sreg, set } => {
                let key = self.key(*sreg, set)?;
                let map = self.lift_set(&key, set)?;
                Statement::Vmap { key, map }
            }
            Expr::ObjrefMap { sreg, set } => {
                let key = self.key(*sreg, set)?;
                let map = self.lift_set(&key, set)?;
                Statement::ObjectMap { object: self.object_type(set)?, key, map }
            }
            Expr::Reject { kind, code } => Statement::Reject(self.reject(*kind, *code)?),
            Expr::Nat { .. } | Expr::Masq { .. } | Expr::Redir { .. } => Statement::Nat(self.nat(expr)?),
            Expr::Tproxy { family, addr, port } => self.tproxy(*family, *addr, *port)?,
            Expr::MetaSet { sreg, key } => {
                let wanted = Loaded::new(key.datatype(), key.bits(), key.byte_order());
                Statement::Mangle { target: Expression::Meta(*key), value: self.used(*sreg, wanted)? }
            }
            Expr::CtSet { sreg, key, direction } => {
                let bits = if *key == CtKey::Label { 128 } else { key.bits() };
                let value = self.used(*sreg, Loaded::new(key.datatype(), bits, key.byte_order()))?;
                Statement::Mangle { target: Expression::Ct { key: *key, direction: *direction }, value }
            }
            Expr::PayloadSet { sreg, base, offset, len, .. } => self.payload_set(*sreg, *base, *offset, *len)?,
            Expr::ExthdrSet { sreg, kind, offset, len, op } => self.exthdr_set(*sreg, (*kind, *offset, *len, *op))?,
            Expr::ExthdrReset { kind, op } => Statement::ExthdrReset(option(*kind, *op)?),
            Expr::Dynset { .. } => Statement::SetUpdate(Box::new(self.set_update(expr)?)),
            Expr::Dup { addr, dev } => {
                let address = self.used_if(*addr, address_of(self.family))?;
                Statement::Dup { address, device: self.used_if(*dev, index())? }
            }
            Expr::Fwd { dev, addr, nfproto } => {
                let device = self.used(*dev, index())?;
                let family = nfproto.and_then(|number| Family::from_nfproto(u8::try_from(number).ok()?));
                let neighbour = match (addr, family) {
                    (Some(addr), Some(family)) => Some((family, self.used(*addr, address_of(family))?)),
                    (None, _) => None,
                    (Some(_), None) => return None,
                };
                Statement::Fwd { device, neighbour }
            }
            Expr::Queue { num, total, flags, sreg } => self.queue(*num, *total, *flags, *sreg)?,
            other => plain(other)?,
        };
        self.push(statement)
    }

    fn object_type(&self, set: &SetUse) -> Option<ObjectType> {
        let map = match set {
            SetUse::Named(name) => self.sets.find(name)?,
            SetUse::Anonymous(set) => set,
        };
        match map {
            crate::ir::AnySet::ObjectMap(map) => Some(map.object),
            _ => None,
        }
    }

    /// What a register holds, for something that wants that type.
    fn used(&self, reg: Reg, wanted: Loaded) -> Option<Expression> {
        match self.at(reg)? {
            Held::Literal(bytes) => Some(literal(&Loaded { len: bytes.len() as u32, ..wanted }, bytes)),
            held => self.named(held).map(|(expression, _)| expression),
        }
    }

    fn used_if(&self, reg: Option<Reg>, wanted: Loaded) -> Option<Option<Expression>> {
        match reg {
            Some(reg) => self.used(reg, wanted).map(Some),
            None => Some(None),
        }
    }

    fn reject(&self, kind: u32, code: u8) -> Option<Reject> {
        Some(match (kind, self.family, self.protocols.network) {
            (1, ..) => Reject::TcpReset,
            (2, ..) => Reject::Icmpx(code),
            (0, Family::Ip6, _) | (0, _, Known::Is(Header::Ip6)) => Reject::Icmpv6(code),
            (0, Family::Ip, _) | (0, _, Known::Is(Header::Ip)) => Reject::Icmp(code),
            _ => return None,
        })
    }

    fn nat(&self, expr: &Expr) -> Option<Nat> {
        let (kind, family, addresses, ports, flags) = match expr {
            Expr::Nat { kind, family, addr_min, addr_max, proto_min, proto_max, flags } => {
                let family = Family::from_nfproto(u8::try_from(*family).ok()?)?;
                (*kind, Some(family), (*addr_min, *addr_max), (*proto_min, *proto_max), *flags)
            }
            Expr::Masq { flags, proto_min, proto_max } => {
                (NatKind::Masquerade, None, (None, None), (*proto_min, *proto_max), *flags)
            }
            Expr::Redir { flags, proto_min, proto_max } => {
                (NatKind::Redirect, None, (None, None), (*proto_min, *proto_max), *flags)
            }
            _ => return None,
        };
        let known = MAP_IPS | PROTO_SPECIFIED | PROTO_RANDOM | PROTO_RANDOM_FULLY | PERSISTENT | NETMAP;
        if flags & !known != 0 {
            return None;
        }
        let mut nat = Nat::new(kind);
        nat.flags = NatFlags {
            random: flags & PROTO_RANDOM != 0,
            fully_random: flags & PROTO_RANDOM_FULLY != 0,
            persistent: flags & PERSISTENT != 0,
        };
        nat.prefix = flags & NETMAP != 0;
        nat.address = self.nat_address(family.unwrap_or(self.family), addresses, nat.prefix)?;
        let given = matches!(nat.address, Some(Expression::Map { .. } | Expression::Concat(_)));
        let held = ports.0.is_some_and(|reg| self.at(reg).is_some());
        if !given || held && !self.follows(addresses.0, ports.0) {
            nat.port = self.ends(ports, Loaded::new(DataType::InetService, 16, ByteOrder::Network))?;
        } else if matches!(nat.address, Some(Expression::Concat(_))) || ports.0.is_none() {
            nat.port = None;
        }
        nat.family = self.written_family(family, &nat);
        Some(nat)
    }

    /// Whether the port stands behind an address that a map gave together with it.
    fn follows(&self, address: Option<Reg>, port: Option<Reg>) -> bool {
        let (Some(address), Some(port)) = (address, port) else { return false };
        let Some(Held::Known(Expression::Map { .. }, loaded)) = self.at(address) else { return false };
        // A concatenation has no type of its own.
        loaded.datatype == DataType::Integer && port.slot() < address.slot() + loaded.len.div_ceil(4) as usize
    }

    /// nft writes the family where the table's does not say it, or the value is no plain address.
    fn written_family(&self, family: Option<Family>, nat: &Nat) -> Option<Family> {
        let family = family?;
        let concat = matches!(&nat.address, Some(Expression::Map { .. })) && nat.port.is_none() && {
            let Some(Expression::Map { map, .. }) = &nat.address else { return None };
            self.gives_port(map)
        };
        let other = !matches!(self.family, Family::Ip | Family::Ip6);
        (other || nat.prefix || concat).then_some(family)
    }

    fn gives_port(&self, map: &Expression) -> bool {
        match map {
            Expression::SetRef(name) => match self.sets.find(name) {
                Some(crate::ir::AnySet::Map(map)) => map.data.is_concat(),
                _ => false,
            },
            Expression::Set(set) => {
                matches!(&set.data, crate::ir::DataKind::Value { data, .. } if data.is_concat())
            }
            _ => false,
        }
    }

    fn nat_address(
        &self,
        family: Family,
        (min, max): (Option<Reg>, Option<Reg>),
        prefix: bool,
    ) -> Option<Option<Expression>> {
        let Some(reg) = min else { return Some(None) };
        if let Held::Known(expression @ Expression::Map { .. }, _) = self.at(reg)? {
            return Some(Some(expression.clone()));
        }
        let ends = self.ends((min, max), address_of(family))??;
        let Expression::Range(start, end) = &ends else { return Some(Some(ends)) };
        if !prefix {
            return Some(Some(ends));
        }
        let (Expression::Value(first), Expression::Value(last)) = (&**start, &**end) else { return None };
        let shared = first.bytes.iter().zip(last.bytes.iter()).map(|(one, other)| (one ^ other).leading_zeros());
        let mut bits = 0;
        for zeros in shared {
            bits += zeros.min(8);
            if zeros < 8 {
                break;
            }
        }
        Some(Some(Expression::Prefix(start.clone(), bits)))
    }

    /// One value, or a range where there are two.
    fn ends(&self, (min, max): (Option<Reg>, Option<Reg>), wanted: Loaded) -> Option<Option<Expression>> {
        let Some(min_reg) = min else { return Some(None) };
        let first = self.used(min_reg, wanted)?;
        match max {
            Some(max_reg) if max_reg != min_reg => {
                let last = self.used(max_reg, wanted)?;
                Some(Some(Expression::Range(Box::new(first), Box::new(last))))
            }
            _ => Some(Some(first)),
        }
    }

    fn tproxy(&self, family: u32, addr: Option<Reg>, port: Option<Reg>) -> Option<Statement> {
        let family = Family::from_nfproto(u8::try_from(family).ok()?);
        let wanted = address_of(family.unwrap_or(self.family));
        let address = self.used_if(addr, wanted)?;
        let port = self.used_if(port, Loaded::new(DataType::InetService, 16, ByteOrder::Network))?;
        let family = family.filter(|_| !matches!(self.family, Family::Ip | Family::Ip6));
        Some(Statement::Tproxy { family, address, port })
    }

    fn payload_set(&self, sreg: Reg, base: PayloadBase, offset: u32, len: u32) -> Option<Statement> {
        let held = self.at(sreg)?;
        if let Held::Packet(Packet { mask: Some(mask), xor, offset: from, len: read, .. }) = held
            && (*from, *read) == (offset, len)
        {
            return self.part_set(base, offset, mask, xor.as_deref());
        }
        let target = match self.field_at(base, offset) {
            Some((field, whole)) if whole == len => Payload::Field(field),
            _ => Payload::Raw { base, offset_bits: offset * 8, bits: len * 8 },
        };
        let (datatype, bits, order) = target.typed();
        let value = self.used(sreg, Loaded::new(datatype, bits, order))?;
        Some(Statement::Mangle { target: Expression::Payload(target), value })
    }

    /// Some bits of what was loaded, set to a value: those the mask clears.
    fn part_set(&self, base: PayloadBase, offset: u32, mask: &[u8], xor: Option<&[u8]>) -> Option<Statement> {
        let cleared: Vec<u8> = mask.iter().map(|byte| !byte).collect();
        let first = cleared.iter().position(|byte| *byte != 0)?;
        let ones: u32 = cleared.iter().map(|byte| byte.count_ones()).sum();
        let lead = first as u32 * 8 + cleared[first].leading_zeros();
        let offset_bits = offset * 8 + lead;
        let place = Place::within(offset, mask.len() as u32, offset_bits, ones);
        if place.mask() != cleared {
            return None;
        }
        let zero = vec![0; mask.len()];
        let bits = unshifted(xor.unwrap_or(&zero), place.shift, ones.div_ceil(8) as usize);
        let target = self.field_of_bits(base, offset_bits, ones);
        let (datatype, ..) = target.typed();
        let value = Expression::Value(Value::new(datatype, bits.as_slice()));
        Some(Statement::Mangle { target: Expression::Payload(target), value })
    }

    fn field_of_bits(&self, base: PayloadBase, offset_bits: u32, bits: u32) -> Payload {
        self.field_with_bits(base, offset_bits, bits).map_or(Payload::Raw { base, offset_bits, bits }, Payload::Field)
    }

    fn exthdr_set(&self, sreg: Reg, (kind, offset, len, op): (u8, u32, u32, u32)) -> Option<Statement> {
        let exthdr = super::held::exthdr(kind, offset, len, op, 0, None)?;
        let value = self.used(sreg, Loaded::new(DataType::Integer, len * 8, ByteOrder::Network))?;
        Some(Statement::Mangle { target: Expression::Exthdr(exthdr), value })
    }

    fn set_update(&self, expr: &Expr) -> Option<SetUpdate> {
        let Expr::Dynset { op, set: SetUse::Named(name), key, data, timeout_ms, exprs, inverted: false } = expr else {
            return None;
        };
        let set = SetUse::Named(name.clone());
        let data = match (data, self.sets.find(name)?) {
            (None, _) => None,
            (Some(data), crate::ir::AnySet::Map(map)) => Some(match map.data.fields.as_slice() {
                [field] => self.used(*data, Loaded::new(field.datatype, field.bits, field.byte_order))?,
                _ => self.concat(*data, map.data.len())?,
            }),
            (Some(_), _) => return None,
        };
        Some(SetUpdate {
            op: *op,
            set: name.clone(),
            key: self.key(*key, &set)?,
            data,
            timeout_ms: *timeout_ms,
            statements: exprs.iter().map(plain).collect::<Option<_>>()?,
        })
    }

    fn queue(&self, num: u16, total: u16, flags: u16, sreg: Option<Reg>) -> Option<Statement> {
        let number = |number: u16| Box::new(Expression::Value(Value::new(DataType::Integer, number.to_be_bytes())));
        let queue = match sreg {
            Some(sreg) => self.named(self.at(sreg)?)?.0,
            None if total > 1 => Expression::Range(number(num), number(num.checked_add(total - 1)?)),
            None => *number(num),
        };
        Some(Statement::Queue { queue: Some(queue), flags })
    }
}

pub(super) fn address_of(family: Family) -> Loaded {
    match family {
        Family::Ip6 => Loaded::new(DataType::Ipv6Addr, 128, ByteOrder::Network),
        _ => Loaded::new(DataType::Ipv4Addr, 32, ByteOrder::Network),
    }
}

fn index() -> Loaded {
    Loaded::new(DataType::IfIndex, 32, ByteOrder::Host)
}

/// An option by its number.
fn option(kind: u8, op: u32) -> Option<Exthdr> {
    let carrier = [ExthdrCarrier::TcpOption, ExthdrCarrier::IpOption, ExthdrCarrier::Ipv6]
        .into_iter()
        .find(|carrier| carrier.number() == op)?;
    let name = carrier.headers().iter().find(|header| header.number == kind);
    let name = name.map_or_else(|| kind.to_string(), |header| header.name.to_owned());
    Some(Exthdr { carrier, name, field: None })
}

/// Statements of one expression without operands.
fn plain(expr: &Expr) -> Option<Statement> {
    Some(match expr {
        Expr::Verdict(verdict) => Statement::Verdict(verdict.clone()),
        Expr::Counter { packets, bytes } => Statement::Counter(Counter { packets: *packets, bytes: *bytes }),
        Expr::Limit { rate, unit, burst, kind, inverted } => {
            let units = [TimeUnit::Second, TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week];
            let per = units.into_iter().find(|per| per.seconds() == *unit)?;
            Statement::Limit(Limit { over: *inverted, rate: *rate, unit: *kind, per, burst: *burst })
        }
        Expr::Quota { bytes, consumed, inverted } => {
            Statement::Quota(Quota { over: *inverted, bytes: *bytes, used: *consumed })
        }
        Expr::Connlimit { count, inverted } => Statement::ConnLimit { over: *inverted, count: *count },
        Expr::Last { set, msecs } => Statement::Last { used_ms: set.then_some(*msecs) },
        Expr::Objref { object, name } => Statement::Object { object: *object, name: name.clone() },
        Expr::Log { prefix, group, snaplen, queue_threshold, level, flags } => Statement::Log(Log {
            prefix: prefix.clone(),
            group: *group,
            snaplen: *snaplen,
            queue_threshold: *queue_threshold,
            level: level.and_then(|level| u8::try_from(level).ok()),
            flags: flags.unwrap_or(0),
        }),
        Expr::Notrack => Statement::Notrack,
        Expr::FlowOffload { table } => Statement::FlowAdd(table.clone()),
        Expr::Synproxy { mss, wscale, flags } => Statement::Synproxy(Synproxy {
            mss: (flags & 1 != 0).then_some(*mss),
            wscale: (flags & 2 != 0).then_some(*wscale),
            sack_perm: flags & 4 != 0,
            timestamp: flags & 8 != 0,
        }),
        Expr::Other { .. } => Statement::Opaque(Opaque { dialect: Dialect::Netlink, text: expr.to_string() }),
        _ => return None,
    })
}
