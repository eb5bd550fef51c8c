//! Rules.

use super::{Fail, Parser, Result};
use crate::ir::check::{Check, Site, check_rule};
use crate::ir::{Provenance, Rule, Statement, normal};
use crate::text::Span;

impl Parser<'_> {
    /// A rule up to the end of its line.
    pub(super) fn rule(&mut self) -> Result<Rule> {
        let start = self.at;
        let mut rule = Rule::default();
        let mut spans = Vec::new();
        self.known = Check::new(Site::of(self.family));
        while !self.at_end() {
            if self.eat_word("comment") {
                rule.comment = self.comment()?;
                break;
            }
            let begin = self.at;
            let statement = self.statement()?;
            spans.push(self.span_from(begin));
            // Only to know more for the next one; the rule is checked as a whole.
            let _ = self.known.statement(&statement);
            rule.statements.push(statement);
        }
        if rule.statements.is_empty() {
            return self.unexpected("a statement");
        }
        self.check(&rule.statements, &spans)?;
        rule.statements = normal(self.family, rule.statements);
        rule.provenance = Provenance(Some(self.span_from(start)));
        Ok(rule)
    }

    fn check(&self, statements: &[Statement], spans: &[Span]) -> Result<()> {
        let table = self.table.as_ref().and_then(|id| self.ruleset.find(id));
        let chain = table.zip(self.chain.as_ref()).and_then(|(table, name)| table.chains.find(name));
        let base = chain.and_then(|chain| chain.base.as_ref());
        check_rule(Site { family: self.family, table, base }, statements).map_err(|(at, refusal)| {
            let span = spans.get(at).copied().unwrap_or_default();
            Box::new(Fail { span, message: refusal.message, expected: refusal.expected })
        })
    }

    /// `{ rule … }` of a chain without a name.
    pub(super) fn rules_in_block(&mut self) -> Result<Vec<Rule>> {
        let outside = (self.chain.take(), std::mem::replace(&mut self.known, Check::new(Site::of(self.family))));
        let mut rules = Vec::new();
        let read = self.block(|parser| {
            rules.push(parser.rule()?);
            Ok(())
        });
        (self.chain, self.known) = outside;
        read.map(|()| rules)
    }
}
