//! A rule: its head, its matches, a counter, its target, its comment.

use super::asked::Asked;
use super::catalog::{self, How};
use super::draft::{Draft, Fork};
use super::{No, Told, head};
use crate::iptables::matches::Match;
use crate::iptables::rule::{Rule, Target};
use crate::iptables::save::Counters;
use crate::ir::check::{Site, check_rule};
use crate::ir::{self, ChainName, Comment, Counter, Dialect, Opaque, Statement, Verdict, normal};

/// What a rule has become.
pub(super) struct Made {
    /// The rules; none where it matches nothing.
    pub(super) rules: Vec<ir::Rule>,
    /// What is to be said of it.
    pub(super) notes: Vec<String>,
    /// The parts without a translation, and why.
    pub(super) failed: Vec<(String, String)>,
}

/// Where a rule stands, as far as its target needs it.
pub(super) struct Around<'a> {
    /// The chains of its table, by the names that iptables has for them.
    pub(super) chains: &'a dyn Fn(&str) -> Option<ChainName>,
    /// Its table in the IR, which holds its base chain if it is in one.
    pub(super) site: Site<'a>,
}

/// Translates a rule.
pub(super) fn rule(rule: &Rule, counters: Counters, around: &Around<'_>, draft: &mut Draft<'_>) -> Made {
    let mut made = Made { rules: Vec::new(), notes: Vec::new(), failed: Vec::new() };
    let mut comments = Vec::new();
    match statements(rule, counters, around, draft, &mut comments, &mut made.failed) {
        Err(No::Because(reason)) => made.failed.push((rule.to_string(), reason)),
        Err(No::Never) => made.notes.push("matches no packet, and is left out".to_owned()),
        Ok(()) => match rules(around, draft) {
            Ok(rules) => made.rules = rules,
            Err(reason) if made.failed.is_empty() => {
                // A rule that nft does not load would take all others with it.
                made.failed.push((rule.to_string(), reason));
                made.rules = vec![ir::Rule::new([opaque(&rule.to_string())])];
            }
            // It is a comment already.
            Err(_) => made.rules = vec![ir::Rule::new([opaque(&rule.to_string())])],
        },
    }
    commented(&mut made, &comments.join("; "));
    made.notes.append(&mut draft.notes);
    made
}

/// The draft as one rule, or as two where there are two cases. An error is why nft would not take it.
fn rules(around: &Around<'_>, draft: &mut Draft<'_>) -> Result<Vec<ir::Rule>, String> {
    let first = std::mem::take(&mut draft.statements);
    let mut all = vec![first.clone()];
    if let Some(Fork { of, other }) = draft.fork.take() {
        if draft.otherwise.is_some() || first.iter().any(remembers) {
            return Err("it takes two rules, and what it counts would be counted in each".to_owned());
        }
        all.push(first[..of.start].iter().cloned().chain(other).chain(first[of.end..].iter().cloned()).collect());
    }
    if let Some(otherwise) = draft.otherwise.take() {
        let asked = first.iter().take_while(|it| !matches!(it, Statement::Counter(_))).cloned();
        all.push(asked.chain([otherwise]).collect());
    }
    let foreign = |statements: &[Statement]| statements.iter().any(|it| matches!(it, Statement::Opaque(_)));
    let mut rules = Vec::with_capacity(all.len());
    for statements in all {
        let rule = ir::Rule::new(normal(draft.family, statements));
        if !foreign(&rule.statements) {
            check_rule(around.site, &rule.statements).map_err(|(_, refusal)| refusal.message)?;
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// Whether a statement keeps something from one packet to the next, so that two of it are not one.
pub(super) fn remembers(statement: &Statement) -> bool {
    match statement {
        Statement::Limit(_) | Statement::Quota(_) | Statement::ConnLimit { .. } | Statement::SetUpdate(_) => true,
        Statement::Match { left, .. } => matches!(left, ir::Expression::Numgen(_)),
        _ => false,
    }
}

/// Gives the first rule its comment; one that nft does not keep whole becomes a note.
fn commented(made: &mut Made, text: &str) {
    if text.is_empty() {
        return;
    }
    let mut end = text.len().min(Comment::MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if end < text.len() || text.contains('"') {
        made.notes.push(format!("comment: {text}"));
    }
    if let (Some(first), Ok(comment)) = (made.rules.first_mut(), Comment::new(&text[..end])) {
        first.comment = Some(comment);
    }
}

fn statements(
    rule: &Rule,
    counters: Counters,
    around: &Around<'_>,
    draft: &mut Draft<'_>,
    comments: &mut Vec<String>,
    failed: &mut Vec<(String, String)>,
) -> Told<()> {
    let protocol = rule.protocol.as_ref().map(|protocol| protocol.value.to_string()).unwrap_or_default();
    for (text, told) in head::parts(rule, draft) {
        match told {
            Ok(statements) => draft.extend(statements),
            Err(No::Never) => return Err(No::Never),
            Err(No::Because(reason)) => fail(draft, failed, text, reason),
        }
    }
    for criterion in &rule.matches {
        if let Match::Comment(comment) = criterion {
            comments.push(comment.as_str().to_owned());
            continue;
        }
        let text = criterion.to_string();
        let told = Asked::parse(&text, &protocol).and_then(|mut asked| extension(catalog::MATCHES, &mut asked, draft));
        settle(told, text, draft, failed)?;
    }
    draft.push(Statement::Counter(Counter { packets: counters.packets, bytes: counters.bytes }));
    if let Some(target) = &rule.target {
        let told = self::target(target, around, draft);
        settle(told, target.to_string(), draft, failed)?;
    }
    Ok(())
}

/// Keeps a part that has no translation where it stands.
fn settle(told: Told<()>, text: String, draft: &mut Draft<'_>, failed: &mut Vec<(String, String)>) -> Told<()> {
    match told {
        Err(No::Because(reason)) => {
            fail(draft, failed, text, reason);
            Ok(())
        }
        other => other,
    }
}

fn fail(draft: &mut Draft<'_>, failed: &mut Vec<(String, String)>, text: String, reason: String) {
    draft.push(opaque(&text));
    failed.push((text, reason));
}

fn opaque(text: &str) -> Statement {
    Statement::Opaque(Opaque { dialect: Dialect::Iptables, text: text.to_owned() })
}

/// Translates an extension, all of it or nothing.
fn extension(known: &[catalog::Entry], asked: &mut Asked, draft: &mut Draft<'_>) -> Told<()> {
    let entry = known.iter().find(|entry| entry.names.contains(&&*asked.name));
    let Some(entry) = entry else {
        return Err(No::because(format!("no extension or chain `{}` is known", asked.name)));
    };
    let before = (draft.statements.len(), draft.notes.len());
    let told = match entry.how {
        How::Not(reason) => Err(No::because(reason)),
        How::As(_, translate) => translate(asked, draft).and_then(|()| asked.nothing_left()),
    };
    if told.is_err() {
        draft.statements.truncate(before.0);
        draft.notes.truncate(before.1);
        draft.otherwise = None;
        draft.fork.take_if(|fork| fork.of.start >= before.0);
    }
    told
}

fn target(target: &Target, around: &Around<'_>, draft: &mut Draft<'_>) -> Told<()> {
    let verdict = match target {
        Target::Accept => Verdict::Accept,
        Target::Drop => Verdict::Drop,
        Target::Return => Verdict::Return,
        Target::Goto(chain) => {
            let missing = || No::because(format!("there is no chain `{chain}`"));
            Verdict::Goto((around.chains)(chain.as_str()).ok_or_else(missing)?)
        }
        Target::Jump(chain) => match (around.chains)(chain.as_str()) {
            Some(chain) => Verdict::Jump(chain),
            None => return extension(catalog::TARGETS, &mut Asked::bare(chain.as_str()), draft),
        },
        Target::Action(action) => {
            let mut asked = Asked::parse(&action.to_string(), "")?;
            return extension(catalog::TARGETS, &mut asked, draft);
        }
    };
    draft.push(verdict);
    Ok(())
}
