//! Rules.

use super::{Parser, Result};
use crate::ir::{
    DataType, Expression, Family, Header, MetaKey, Payload, PayloadField, Provenance, RelationalOp, Rule, Statement,
    Value,
};

impl Parser<'_> {
    /// A rule up to the end of its line.
    pub(super) fn rule(&mut self) -> Result<Rule> {
        let start = self.at;
        let mut rule = Rule::default();
        while !self.at_end() {
            if self.eat_word("comment") {
                rule.comment = self.comment()?;
                break;
            }
            rule.statements.push(self.statement()?);
        }
        if rule.statements.is_empty() {
            return self.unexpected("a statement");
        }
        rule.statements = without_implied(self.family, rule.statements);
        rule.provenance = Provenance(Some(self.span_from(start)));
        Ok(rule)
    }

    /// `{ rule … }` of a chain without a name.
    pub(super) fn rules_in_block(&mut self) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        self.block(|parser| {
            rules.push(parser.rule()?);
            Ok(())
        })?;
        Ok(rules)
    }
}

/// A match on the protocol below what another match needs anyway: nft makes the same program without it, and lists it
/// without it.
struct Dependency {
    at: usize,
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Layer 3, as `NFPROTO_*`.
    Network(Family),
    /// Above it, by number.
    Transport(u8),
}

/// Takes out matches that a later one implies (`payload_may_dependency_kill`, src/payload.c).
fn without_implied(family: Family, statements: Vec<Statement>) -> Vec<Statement> {
    let mut implied = vec![false; statements.len()];
    let mut network: Option<Dependency> = None;
    let mut transport: Option<Dependency> = None;
    for (at, statement) in statements.iter().enumerate() {
        let (Statement::Match { left, .. } | Statement::Vmap { key: left, .. }) = statement else {
            (network, transport) = (None, None);
            continue;
        };
        for field in fields(left) {
            let header = field.header();
            let below = match header {
                Header::Ip => Some(Family::Ip),
                Header::Ip6 => Some(Family::Ip6),
                _ => None,
            };
            if let Some(below) = below
                && let Some(dependency) = network.take_if(|it| it.protocol == Protocol::Network(below))
            {
                implied[dependency.at] = true;
            }
            if let Some(number) = header.inet_protocol()
                && let Some(dependency) = transport.take_if(|it| it.protocol == Protocol::Transport(number))
            {
                implied[dependency.at] = true;
            }
        }
        match says(family, statement) {
            Some(protocol @ Protocol::Network(_)) => network = Some(Dependency { at, protocol }),
            Some(protocol @ Protocol::Transport(_)) => transport = Some(Dependency { at, protocol }),
            None if matches!(statement, Statement::Vmap { .. }) => (network, transport) = (None, None),
            None => {}
        }
    }
    let mut implied = implied.into_iter();
    statements.into_iter().filter(|_| !implied.next().unwrap_or(false)).collect()
}

/// The protocol that a match asks for, if it is one that nft would make itself in that family.
fn says(family: Family, statement: &Statement) -> Option<Protocol> {
    let Statement::Match { left, op: RelationalOp::Implicit, right: Expression::Value(value) } = statement else {
        return None;
    };
    let number = value.to_u128()?;
    match left {
        Expression::Meta(MetaKey::L4proto) => Some(Protocol::Transport(u8::try_from(number).ok()?)),
        Expression::Payload(Payload::Field(field)) => match (family, field.header(), field.spec().name) {
            (Family::Ip, Header::Ip, "protocol") | (Family::Ip6, Header::Ip6, "nexthdr") => {
                Some(Protocol::Transport(u8::try_from(number).ok()?))
            }
            (Family::Bridge | Family::Netdev, _, _) => None,
            (_, Header::Ether, "type") => ether_type(value),
            _ => None,
        },
        Expression::Meta(MetaKey::Nfproto) if family == Family::Inet => match number {
            2 => Some(Protocol::Network(Family::Ip)),
            10 => Some(Protocol::Network(Family::Ip6)),
            _ => None,
        },
        Expression::Meta(MetaKey::Protocol) if family != Family::Inet => ether_type(value),
        _ => None,
    }
}

fn ether_type(value: &Value) -> Option<Protocol> {
    match (value.datatype, value.to_u128()?) {
        (DataType::EtherType, 0x0800) => Some(Protocol::Network(Family::Ip)),
        (DataType::EtherType, 0x86dd) => Some(Protocol::Network(Family::Ip6)),
        _ => None,
    }
}

/// The header fields that an expression looks at.
fn fields(expression: &Expression) -> Vec<PayloadField> {
    match expression {
        Expression::Payload(Payload::Field(field)) => vec![*field],
        Expression::Concat(parts) => parts.iter().flat_map(fields).collect(),
        Expression::Binary { left, .. } => fields(left),
        Expression::Map { key, .. } => fields(key),
        _ => Vec::new(),
    }
}
