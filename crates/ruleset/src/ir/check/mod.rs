//! What nft and the kernel refuse of rules that are well formed: headers that exclude one another, statements where
//! they cannot stand, names that nothing has, types that do not fit.
//!
//! Front ends call it for each rule they read, and add the place. nft: `src/evaluate.c`; kernel: the `validate`
//! functions of `net/netfilter/nft_*.c`.

mod headers;
mod hooks;
mod references;
mod types;

use super::protocols::{Known, Protocols};
use super::{BaseChain, Expression, Family, Header, PayloadBase, Statement, Table, Verdict};

use headers::IcmpType;
pub(crate) use headers::needed_icmp_type;

/// Why a statement is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// What would be right.
    pub expected: Option<String>,
}

pub(crate) type Checked = Result<(), Refusal>;

impl Refusal {
    fn new(message: impl Into<String>) -> Checked {
        Err(Self { message: message.into(), expected: None })
    }

    fn expecting(message: impl Into<String>, expected: impl Into<String>) -> Checked {
        Err(Self { message: message.into(), expected: Some(expected.into()) })
    }
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The family of its table.
    pub family: Family,
    /// Its table; without one, names are not looked up.
    pub table: Option<&'a Table>,
    /// Where its chain hooks in, if it is a base chain.
    pub base: Option<&'a BaseChain>,
}

impl Site<'_> {
    /// Anywhere in tables of that family.
    pub const fn of(family: Family) -> Self {
        Self { family, table: None, base: None }
    }
}

/// Checks a rule; gives the number of the first statement that is refused, and why.
///
/// # Errors
/// Where nft or the kernel would refuse the rule.
pub fn check_rule(site: Site<'_>, statements: &[Statement]) -> Result<(), (usize, Refusal)> {
    let mut check = Check::new(site);
    for (at, statement) in statements.iter().enumerate() {
        check.statement(statement).map_err(|refusal| (at, refusal))?;
    }
    Ok(())
}

/// What is known at some point of a rule.
pub(crate) struct Check<'a> {
    site: Site<'a>,
    protocols: Protocols,
    /// Some transport protocol was asked for, maybe one of several.
    transport_asked: bool,
    /// An `ether type` that is no VLAN tag was asked for.
    ether_type: bool,
    icmp_type: Option<IcmpType>,
    /// A statement before has decided.
    terminal: bool,
}

impl<'a> Check<'a> {
    /// Before the first statement.
    pub(crate) fn new(site: Site<'a>) -> Self {
        let protocols = Protocols::of(site.family);
        Self { site, protocols, transport_asked: false, ether_type: false, icmp_type: None, terminal: false }
    }

    /// Checks the next statement and learns from it.
    pub(crate) fn statement(&mut self, statement: &Statement) -> Checked {
        if self.terminal {
            return Refusal::new("the statement before decides, this one is never reached");
        }
        self.may_stand(statement)?;
        self.refers(statement)?;
        for expression in expressions(statement) {
            self.expression(expression)?;
        }
        self.fits(statement)?;
        self.needs(statement)?;
        if let Statement::Match { left, op, right } = statement {
            self.learn(left, *op, right);
        }
        self.terminal = is_terminal(statement);
        Ok(())
    }

    /// The layer 3 family of the packet, if it is known.
    pub(crate) fn network_family(&self) -> Option<Family> {
        match self.protocols.network {
            Known::Is(Header::Ip) => Some(Family::Ip),
            Known::Is(Header::Ip6) => Some(Family::Ip6),
            _ => None,
        }
    }

    /// The header at that base, if it is known.
    pub(crate) fn header_at(&self, base: PayloadBase) -> Option<Header> {
        let known = match base {
            PayloadBase::Link => self.protocols.link,
            PayloadBase::Network => self.protocols.network,
            PayloadBase::Transport => self.protocols.transport,
            PayloadBase::Inner | PayloadBase::Tunnel => Known::No,
        };
        match known {
            Known::Is(header) if header.base() == base => Some(header),
            _ => None,
        }
    }

    /// Whether a transport protocol was asked for.
    pub(crate) fn transport_is_known(&self) -> bool {
        self.transport_asked || self.protocols.transport != Known::No
    }

    /// Whether a type of ICMP messages was asked for.
    pub(crate) fn knows_icmp_type(&self) -> bool {
        self.icmp_type.is_some()
    }

    fn expression(&mut self, expression: &Expression) -> Checked {
        self.expression_may_stand(expression)?;
        self.expression_fits(expression)?;
        match expression {
            Expression::Concat(parts) => parts.iter().try_for_each(|part| self.expression(part)),
            Expression::Map { key, .. } => self.expression(key),
            Expression::Binary { left, right, .. } => {
                self.expression(left)?;
                self.expression(right)
            }
            Expression::Hash(super::Hash::Jhash { key, .. }) => self.expression(key),
            leaf => self.header(leaf),
        }
    }
}

/// The expressions of a statement, in the order in which nft looks at them.
fn expressions(statement: &Statement) -> Vec<&Expression> {
    match statement {
        Statement::Match { left, right, .. } => vec![left, right],
        Statement::Vmap { key, .. } | Statement::ObjectMap { key, .. } => vec![key],
        Statement::Mangle { target, value } => vec![target, value],
        Statement::SetUpdate(update) => std::iter::once(&update.key).chain(&update.data).collect(),
        Statement::Meter(meter) => vec![&meter.key],
        Statement::Nat(nat) => nat.address.iter().chain(&nat.port).collect(),
        Statement::Tproxy { address, port, .. } => address.iter().chain(port).collect(),
        Statement::Dup { address, device } => address.iter().chain(device).collect(),
        Statement::Queue { queue, .. } => queue.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether nothing behind it is ever reached (`STMT_F_TERMINAL`).
fn is_terminal(statement: &Statement) -> bool {
    match statement {
        Statement::Verdict(verdict) => *verdict != Verdict::Continue,
        Statement::Reject(_) | Statement::Nat(_) | Statement::Queue { .. } | Statement::Fwd { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
