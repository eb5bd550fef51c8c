//! Statements that send packets elsewhere: nat, tproxy, dup, fwd, queue.

use super::super::lex::Sign;
use super::raw::{Mode, Node, Raw, RawData};
use super::{Fail, Parser, Result};
use crate::ir::{DataKind, DataType, Expression, Family, Field, KeyType, Nat, NatFlags, NatKind, Statement, Value};
use crate::text::Span;

impl Parser<'_> {
    pub(super) fn nat(&mut self, kind: NatKind) -> Result<Statement> {
        self.bump();
        let mut nat = Nat::new(kind);
        if matches!(kind, NatKind::Snat | NatKind::Dnat) {
            nat.family = self.nat_family();
            self.nat_hints(&mut nat)?;
            self.eat_word("to");
        }
        let redirected = matches!(kind, NatKind::Masquerade | NatKind::Redirect);
        if redirected && !self.eat_word("to") {
            nat.flags = self.nat_flags()?;
            return Ok(nat.into());
        }
        // `redirect to 80` is an old way to write `redirect to :80`.
        if redirected && !self.peek_is(Sign::Colon) {
            nat.port = Some(self.port()?);
            nat.flags = self.nat_flags()?;
            return Ok(nat.into());
        }
        let start = self.span();
        let (address, port) = self.destination(nat.family)?;
        nat.address = address;
        nat.port = port;
        nat.family = self.shown_family(&nat, start)?;
        nat.flags = self.nat_flags()?;
        Ok(nat.into())
    }

    /// The family as nft lists it: not where the table's own is enough.
    fn shown_family(&self, nat: &Nat, address: Span) -> Result<Option<Family>> {
        let Some(target) = &nat.address else { return Ok(nat.family) };
        match self.family {
            Family::Ip | Family::Ip6 if gives_port(target) => Ok(Some(nat.family.unwrap_or(self.family))),
            Family::Ip | Family::Ip6
                if nat.family == Some(self.family) && !matches!(target, Expression::Map { .. }) =>
            {
                Ok(None)
            }
            Family::Inet if nat.family.is_none() => {
                let known = self.known.network_family();
                if known.is_none() && !matches!(target, Expression::Map { .. }) {
                    return Fail::expected(
                        address,
                        "the family of this address is not said",
                        format!("`{} ip to` or `{} ip6 to`", nat.kind.keyword(), nat.kind.keyword()),
                    );
                }
                Ok(known.or_else(|| family_of(target)))
            }
            _ => Ok(nat.family),
        }
    }

    /// `ip` or `ip6` before `to`.
    fn nat_family(&mut self) -> Option<Family> {
        let family =
            Family::from_keyword(self.peek_word()).filter(|family| matches!(family, Family::Ip | Family::Ip6))?;
        if !matches!(self.word_at(1), "to" | "prefix" | "addr" | "interval") {
            return None;
        }
        self.bump();
        Some(family)
    }

    /// `prefix`, `interval` and `addr . port`: what the target is made of, which its types say as well.
    fn nat_hints(&mut self, nat: &mut Nat) -> Result<()> {
        loop {
            match self.peek_word() {
                "prefix" => {
                    self.bump();
                    nat.prefix = true;
                }
                "interval" => self.bump(),
                "addr" => {
                    self.bump();
                    self.expect(Sign::Dot)?;
                    self.expect_word("port")?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// `address:port`, each may be missing.
    fn destination(&mut self, family: Option<Family>) -> Result<(Option<Expression>, Option<Expression>)> {
        let mut address = None;
        if !self.peek_is(Sign::Colon) {
            let node = self.concat(Mode::Full)?;
            let key = self.address_type(family, &node);
            address = Some(self.typed(node, &key)?);
        }
        let mut port = None;
        if self.eat(Sign::Colon) {
            port = Some(self.port()?);
        }
        Ok((address, port))
    }

    fn port(&mut self) -> Result<Expression> {
        let node = self.concat(Mode::Full)?;
        self.typed(node, &KeyType::of_types([DataType::InetService]))
    }

    /// The type of a target: an address, or an address and a port.
    fn address_type(&self, family: Option<Family>, node: &Node) -> KeyType {
        let address = match family.or(self.known.network_family()).unwrap_or(self.family) {
            Family::Ip => DataType::Ipv4Addr,
            Family::Ip6 => DataType::Ipv6Addr,
            _ if self.mentions_ipv6(node) => DataType::Ipv6Addr,
            _ => DataType::Ipv4Addr,
        };
        if has_port(node) { KeyType::of_types([address, DataType::InetService]) } else { KeyType::of_types([address]) }
    }

    fn mentions_ipv6(&self, node: &Node) -> bool {
        match &node.kind {
            Raw::Literal(token) => self.text(*token).contains(':'),
            Raw::Range(start, _) | Raw::Prefix(start, _) => self.mentions_ipv6(start),
            Raw::Concat(parts) => parts.first().is_some_and(|part| self.mentions_ipv6(part)),
            Raw::Map { map, .. } => self.mentions_ipv6(map),
            Raw::Set(elements) => elements.iter().any(|element| match &element.data {
                Some(RawData::Node(data)) => self.mentions_ipv6(data),
                _ => false,
            }),
            _ => false,
        }
    }

    /// `random,persistent`, or with blanks between them.
    fn nat_flags(&mut self) -> Result<NatFlags> {
        let mut flags = NatFlags::default();
        loop {
            match self.peek_word() {
                "random" => flags.random = true,
                "fully-random" => flags.fully_random = true,
                "persistent" => flags.persistent = true,
                _ => return Ok(flags),
            }
            self.bump();
            self.eat(Sign::Comma);
        }
    }

    pub(super) fn tproxy(&mut self) -> Result<Statement> {
        self.bump();
        let family = self.nat_family();
        self.expect_word("to")?;
        let (address, port) = self.destination(family)?;
        if address.is_none() && port.is_none() {
            return self.unexpected("an address or `:` and a port");
        }
        // A table of one family needs no word for it.
        let family = family.filter(|family| *family != self.family);
        Ok(Statement::Tproxy { family, address, port })
    }

    pub(super) fn dup(&mut self) -> Result<Statement> {
        self.bump();
        self.expect_word("to")?;
        let node = self.concat(Mode::Full)?;
        if matches!(self.family, Family::Netdev | Family::Bridge | Family::Inet | Family::Arp) {
            let device = Some(self.typed(node, &device_type())?);
            return Ok(Statement::Dup { address: None, device });
        }
        let key = self.address_type(None, &node);
        let address = Some(self.typed(node, &key)?);
        let device = if self.eat_word("device") { Some(self.device()?) } else { None };
        Ok(Statement::Dup { address, device })
    }

    fn device(&mut self) -> Result<Expression> {
        let node = self.concat(Mode::Full)?;
        self.typed(node, &device_type())
    }

    pub(super) fn fwd(&mut self) -> Result<Statement> {
        self.bump();
        let family = self.nat_family();
        self.expect_word("to")?;
        let Some(family) = family else {
            return Ok(Statement::Fwd { device: self.device()?, neighbour: None });
        };
        let node = self.concat(Mode::Full)?;
        let key = self.address_type(Some(family), &node);
        let address = self.typed(node, &key)?;
        self.expect_word("device")?;
        Ok(Statement::Fwd { device: self.device()?, neighbour: Some((family, address)) })
    }

    /// `queue num 1-3 bypass`, `queue flags bypass,fanout to 1-3`.
    pub(super) fn queue(&mut self) -> Result<Statement> {
        self.bump();
        let mut queue = None;
        let mut flags = 0;
        loop {
            match self.peek_word() {
                "flags" => self.bump(),
                "bypass" => {
                    self.bump();
                    flags |= 1;
                }
                "fanout" => {
                    self.bump();
                    flags |= 2;
                }
                "num" | "to" => {
                    self.bump();
                    let node = self.concat(Mode::Full)?;
                    let number = KeyType::single(Field { bits: 16, ..Field::of_type(DataType::Integer) });
                    queue = Some(self.typed(node, &number)?);
                }
                _ if self.eat(Sign::Comma) => {}
                _ => break,
            }
        }
        if flags & 2 != 0 && matches!(queue, None | Some(Expression::Value(_))) {
            let span = self.span();
            return Fail::expected(span, "`fanout` needs more than one queue", "a range of queues");
        }
        // A queue without a number is queue 0.
        let queue = queue.or_else(|| Some(Value::new(DataType::Integer, [0, 0]).into()));
        Ok(Statement::Queue { queue, flags })
    }
}

fn device_type() -> KeyType {
    KeyType::of_types([DataType::IfIndex])
}

/// Whether a target, or what a map gives for it, has a port after a dot.
fn has_port(node: &Node) -> bool {
    match &node.kind {
        Raw::Concat(parts) => parts.len() == 2,
        Raw::Map { map, .. } => match &map.kind {
            Raw::Set(elements) => elements
                .iter()
                .any(|element| matches!(&element.data, Some(RawData::Node(Node { kind: Raw::Concat(_), .. })))),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a target is an address and a port.
fn gives_port(target: &Expression) -> bool {
    match target {
        Expression::Map { map, .. } => match &**map {
            Expression::Set(set) => matches!(&set.data, DataKind::Value { data, .. } if data.is_concat()),
            _ => false,
        },
        target => matches!(target, Expression::Concat(_)),
    }
}

/// The family of an address, as its literals say.
fn family_of(address: &Expression) -> Option<Family> {
    let of_type = |datatype| match datatype {
        DataType::Ipv4Addr => Some(Family::Ip),
        DataType::Ipv6Addr => Some(Family::Ip6),
        _ => None,
    };
    match address {
        Expression::Value(value) => of_type(value.datatype),
        Expression::Range(start, _) | Expression::Prefix(start, _) => family_of(start),
        Expression::Concat(parts) => family_of(parts.first()?),
        Expression::Map { map, .. } => match &**map {
            Expression::Set(set) => match &set.data {
                DataKind::Value { data, .. } => of_type(data.fields.first()?.datatype),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
