//! From the kernel's expressions back to the IR: rules as people write them.
//!
//! What a rule depends on and nft would put there by itself is left out, merged fields are told apart, and names are
//! found again. Nothing is guessed: a rule that was lifted is lowered again, and only what gives the same program is
//! given out; where that fails the rule stays as it is, as [`Opaque`] text of its program.
//!
//! The normal form: a range that nft 1.0 wrote as two comparisons is one range.

mod field;
mod held;
mod relational;
mod set;
mod statement;
#[cfg(test)]
mod tests;

use held::Held;

use crate::expr::{CmpOp, Expr, Program, listing};
use crate::ir::protocols::Protocols;
use crate::ir::{
    AnySet, Chain, Dialect, Expression, Family, Header, MetaKey, Named, Opaque, Payload, Provenance, Reject,
    RelationalOp, Rule, Ruleset, Statement, Table, normal,
};
use crate::live::{Live, LiveTable};
use crate::lower::lower_rule;

/// The ruleset that a kernel holds.
pub fn lift(live: &Live) -> Ruleset {
    live.tables.values().map(lift_table).collect()
}

fn lift_table(live: &LiveTable) -> Table {
    let mut table = Table::new(live.id.family, live.id.name.clone());
    table.flags = live.flags;
    table.comment.clone_from(&live.comment);
    table.objects = live.objects.iter().map(|object| object.object.clone()).collect();
    table.sets = live.sets.iter().map(|set| set.set.clone()).collect();
    table.flowtables = live.flowtables.iter().map(|flowtable| flowtable.flowtable.clone()).collect();
    for chain in &live.chains {
        let mut lifted = Chain::new(chain.name.clone());
        lifted.base.clone_from(&chain.base);
        lifted.comment.clone_from(&chain.comment);
        lifted.rules =
            chain.rules.iter().map(|rule| lift_program(live.id.family, &table.sets, &rule.program)).collect();
        table.chains.insert(lifted);
    }
    table
}

/// The rule that a program of a table of that family says. `sets` are the named sets and maps of the table.
pub fn lift_program(family: Family, sets: &Named<AnySet>, program: &Program) -> Rule {
    let program = with_ranges(program);
    for naming in [Naming::Fields, Naming::Raw] {
        let mut lifting = Lifting::new(family, sets, naming);
        let Some(statements) = lifting.run(&program.exprs) else { continue };
        let rule = Rule { statements, comment: program.comment.clone(), provenance: Provenance::default() };
        if rule.statements.iter().any(|statement| matches!(statement, Statement::Opaque(_))) {
            return rule;
        }
        if says(family, sets, &rule, &program) {
            return in_normal_form(family, sets, without_dependencies(family, sets, rule, &program), &program);
        }
    }
    let text = listing(&program).to_string();
    let opaque = Statement::Opaque(Opaque { dialect: Dialect::Netlink, text: text.trim().to_owned() });
    Rule { statements: vec![opaque], comment: program.comment, provenance: Provenance::default() }
}

fn says(family: Family, sets: &Named<AnySet>, rule: &Rule, program: &Program) -> bool {
    lower_rule(family, sets, rule).is_ok_and(|lowered| lowered == *program)
}

/// The program with `cmp gte`, `cmp lte` of one register as the range it is.
fn with_ranges(program: &Program) -> Program {
    let mut exprs: Vec<Expr> = Vec::with_capacity(program.exprs.len());
    for expr in &program.exprs {
        if let Expr::Cmp { sreg, op: CmpOp::Lte, data: to } = expr
            && let Some(Expr::Cmp { sreg: before, op: CmpOp::Gte, data: from }) = exprs.last()
            && before == sreg
        {
            let range = Expr::Range { sreg: *sreg, inverted: false, from: from.clone(), to: to.clone() };
            exprs.pop();
            exprs.push(range);
        } else {
            exprs.push(expr.clone());
        }
    }
    Program { exprs, comment: program.comment.clone() }
}

/// The rule as front ends read it, where that says the same.
fn in_normal_form(family: Family, sets: &Named<AnySet>, rule: Rule, program: &Program) -> Rule {
    let listed = Rule { statements: normal(family, rule.statements.clone()), ..rule.clone() };
    if says(family, sets, &listed, program) { listed } else { rule }
}

/// Leaves out the matches that lowering puts there by itself.
fn without_dependencies(family: Family, sets: &Named<AnySet>, mut rule: Rule, program: &Program) -> Rule {
    let mut at = rule.statements.len();
    while at > 0 {
        at -= 1;
        let shown = !matches!(family, Family::Ip | Family::Ip6) && resets(&rule.statements[at..]);
        if !is_dependency(&rule.statements[at]) || shown {
            continue;
        }
        let statement = rule.statements.remove(at);
        if !says(family, sets, &rule, program) {
            rule.statements.insert(at, statement);
        }
    }
    rule
}

/// `meta l4proto tcp reject with tcp reset` is written in full in tables of several families.
fn resets(statements: &[Statement]) -> bool {
    let l4proto = matches!(&statements[0], Statement::Match { left: Expression::Meta(MetaKey::L4proto), .. });
    l4proto && statements[1..].iter().any(|statement| matches!(statement, Statement::Reject(Reject::TcpReset)))
}

fn is_dependency(statement: &Statement) -> bool {
    let Statement::Match { left, op: RelationalOp::Implicit, .. } = statement else { return false };
    match left {
        Expression::Meta(key) => {
            matches!(key, MetaKey::L4proto | MetaKey::Nfproto | MetaKey::Protocol | MetaKey::Iiftype)
        }
        Expression::Payload(Payload::Field(field)) => {
            field.spec().name == "type"
                && matches!(field.header(), Header::Ether | Header::Vlan | Header::Icmp | Header::Icmpv6)
        }
        _ => false,
    }
}

/// Whether fields get their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// As far as they are known.
    Fields,
    /// None: all bytes by their place.
    Raw,
}

/// A program on its way to a rule.
struct Lifting<'a> {
    family: Family,
    sets: &'a Named<AnySet>,
    naming: Naming,
    protocols: Protocols,
    icmp_type: Option<Vec<u8>>,
    /// What the registers hold, by the 4-byte slot it begins at.
    held: [Option<Held>; 16],
    statements: Vec<Statement>,
}

impl<'a> Lifting<'a> {
    fn new(family: Family, sets: &'a Named<AnySet>, naming: Naming) -> Self {
        Self {
            family,
            sets,
            naming,
            protocols: Protocols::of(family),
            icmp_type: None,
            held: Default::default(),
            statements: Vec::new(),
        }
    }

    /// All statements, or nothing if some expression cannot be told.
    fn run(&mut self, exprs: &[Expr]) -> Option<Vec<Statement>> {
        for expr in exprs {
            self.load(expr).or_else(|| self.relational(expr)).or_else(|| self.statement(expr))?;
        }
        Some(std::mem::take(&mut self.statements))
    }

    fn push(&mut self, statement: Statement) -> Option<()> {
        self.statements.push(statement);
        Some(())
    }
}
