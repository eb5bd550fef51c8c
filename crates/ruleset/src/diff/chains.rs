//! Chains side by side, and their rules.

use std::borrow::Cow;
use std::collections::HashSet;

use super::align::align;
use super::compare::{as_told, has_statements, same_hook};
use super::{ChainChange, ChainDiff, ChainHead, Change, RuleEdit};
use crate::expr::{Program, Reference};
use crate::ir::{BaseChain, ChainName, SetName};
use crate::live::{LiveChain, LiveTable};
use crate::lower::{LoweredChain, LoweredTable};

/// What goes or is made anew: nothing may refer to it at that moment.
pub(super) type Rebuilt = HashSet<Reference>;

/// A chain that is not there.
pub(super) fn added(chain: &LoweredChain) -> ChainDiff {
    let new = programs(chain);
    let change = ChainChange::Whole(Change::Added(wanted_head(chain)));
    chain_diff(chain.name.clone(), change, 0, new.len(), edits((&[], &new), Going::All, |_| false))
}

/// A chain that goes.
pub(super) fn removed(chain: &LiveChain) -> ChainDiff {
    let old = live_rules(chain);
    let change = ChainChange::Whole(Change::Removed(live_head(chain)));
    chain_diff(chain.name.clone(), change, old.len(), 0, edits((&old, &[]), Going::All, |_| false))
}

/// The chains that go or are made anew.
pub(super) fn rebuilt(live: &LiveTable, wanted: &LoweredTable) -> Rebuilt {
    let goes = |chain: &&LiveChain| match wanted.chains.find(&chain.name) {
        Some(wanted) => !same_hook(chain.base.as_ref(), wanted.base.as_ref()),
        None => true,
    };
    live.chains.iter().filter(goes).map(|chain| Reference::Chain(chain.name.clone())).collect()
}

/// The chains that differ: those that go in the live order, then the others in the wanted order.
pub(super) fn diff(live: &LiveTable, wanted: &LoweredTable, rebuilt: &Rebuilt) -> Vec<ChainDiff> {
    let sets = &wanted.sets;
    let gone = live.chains.iter().filter(|chain| !wanted.chains.contains(&chain.name)).map(removed);
    let rest = wanted.chains.iter().filter_map(|wanted| match live.chains.find(&wanted.name) {
        None => Some(added(wanted)),
        Some(live) => changed(live, wanted, rebuilt, |name| has_statements(sets.find(name))),
    });
    gone.chain(rest).collect()
}

fn changed(
    live: &LiveChain,
    wanted: &LoweredChain,
    rebuilt: &Rebuilt,
    has_statements: impl Fn(&SetName) -> bool,
) -> Option<ChainDiff> {
    let (old, new) = (live_rules(live), programs(wanted));
    let (change, going) = if same_hook(live.base.as_ref(), wanted.base.as_ref()) {
        (policy_change(live.base.as_ref(), wanted.base.as_ref()), Going::Users(rebuilt))
    } else {
        let (from, to) = (live_head(live), wanted_head(wanted));
        (ChainChange::Whole(Change::Changed { from, to }), Going::All)
    };
    let edits = edits((&old, &new), going, has_statements);
    let differs = change != ChainChange::Rules || !edits.is_empty();
    differs.then(|| chain_diff(wanted.name.clone(), change, old.len(), new.len(), edits))
}

fn policy_change(live: Option<&BaseChain>, wanted: Option<&BaseChain>) -> ChainChange {
    match (live.map(BaseChain::policy), wanted.map(BaseChain::policy)) {
        (Some(from), Some(to)) if from != to => ChainChange::Policy { from, to },
        _ => ChainChange::Rules,
    }
}

fn chain_diff(name: ChainName, chain: ChainChange, old_len: usize, new_len: usize, rules: Vec<RuleEdit>) -> ChainDiff {
    ChainDiff { name, chain, old_len, new_len, rules }
}

fn live_head(chain: &LiveChain) -> ChainHead {
    ChainHead { base: chain.base.clone(), comment: chain.comment.clone() }
}

fn wanted_head(chain: &LoweredChain) -> ChainHead {
    ChainHead { base: chain.base.clone(), comment: chain.comment.clone() }
}

fn live_rules(chain: &LiveChain) -> Vec<(u64, &Program)> {
    chain.rules.iter().map(|rule| (rule.handle, &rule.program)).collect()
}

fn programs(chain: &LoweredChain) -> Vec<&Program> {
    chain.rules.iter().map(|(program, _)| program).collect()
}

/// Which rules cannot stay where they are, even if they are as wanted.
#[derive(Clone, Copy)]
enum Going<'a> {
    /// All: the chain itself goes, comes or is made anew.
    All,
    /// Those that refer to what goes.
    Users(&'a Rebuilt),
}

fn told<'a>(programs: &[&'a Program], has_statements: impl Fn(&SetName) -> bool) -> Vec<Cow<'a, Program>> {
    programs.iter().map(|program| as_told(program, &has_statements)).collect()
}

/// The edits that lead from the old rules to the new ones, in their order.
fn edits(
    (old, new): (&[(u64, &Program)], &[&Program]),
    going: Going<'_>,
    has_statements: impl Fn(&SetName) -> bool,
) -> Vec<RuleEdit> {
    let old_programs: Vec<&Program> = old.iter().map(|(_, program)| *program).collect();
    let pairs = align(&told(&old_programs, &has_statements), &told(new, &has_statements));
    let mut script = Script { edits: Vec::new(), old: &old_programs, new, at: (0, 0), going };
    for (i, j) in pairs {
        script.gap(i, j);
        script.keep();
    }
    script.gap(old.len(), new.len());
    let mut edits = script.edits;
    set_handles(&mut edits, &old.iter().map(|(handle, _)| *handle).collect::<Vec<_>>());
    edits
}

struct Script<'a> {
    edits: Vec<RuleEdit>,
    old: &'a [&'a Program],
    new: &'a [&'a Program],
    /// How many old and new rules are behind.
    at: (usize, usize),
    going: Going<'a>,
}

impl Script<'_> {
    /// Everything before `old` and `new` differs. Rule by rule it is changed in place, as long as there are both.
    fn gap(&mut self, old: usize, new: usize) {
        while self.at.0 < old && self.at.1 < new {
            let (from, to) = (self.old[self.at.0].clone(), self.new[self.at.1].clone());
            if self.must_go(self.at.0) {
                self.push(Change::Removed(from), false);
                self.push(Change::Added(to), false);
            } else {
                self.push(Change::Changed { from, to }, false);
            }
        }
        while self.at.0 < old {
            self.push(Change::Removed(self.old[self.at.0].clone()), false);
        }
        while self.at.1 < new {
            self.push(Change::Added(self.new[self.at.1].clone()), false);
        }
    }

    /// The next rules are the same. With its counters, if it must be made anew.
    fn keep(&mut self) {
        if self.must_go(self.at.0) {
            let program = self.old[self.at.0];
            self.push(Change::Removed(program.clone()), true);
            self.push(Change::Added(program.clone()), true);
        } else {
            self.at = (self.at.0 + 1, self.at.1 + 1);
        }
    }

    fn must_go(&self, old: usize) -> bool {
        match self.going {
            Going::All => true,
            Going::Users(rebuilt) if rebuilt.is_empty() => false,
            Going::Users(rebuilt) => self.old[old].references().iter().any(|reference| rebuilt.contains(reference)),
        }
    }

    fn push(&mut self, rule: Change<Program>, dependent: bool) {
        let (old, new) = self.at;
        self.at = (old + usize::from(rule.before().is_some()), new + usize::from(rule.after().is_some()));
        self.edits.push(RuleEdit { old, new, handle: None, rule, dependent });
    }
}

/// Sets the handles of edits to those of the rules they are about.
///
/// A rule is added before the next old one that is not removed: removals are carried out first.
pub(super) fn set_handles(edits: &mut [RuleEdit], handles: &[u64]) {
    let mut next = None;
    let mut not_seen = handles.len();
    for edit in edits.iter_mut().rev() {
        // Old rules between this edit and those behind it stay.
        let first = edit.old + usize::from(edit.rule.before().is_some());
        if first < not_seen {
            next = handles.get(first).copied();
        }
        not_seen = edit.old;
        match edit.rule {
            Change::Added(_) => edit.handle = next,
            Change::Removed(_) => edit.handle = handles.get(edit.old).copied(),
            Change::Changed { .. } => {
                edit.handle = handles.get(edit.old).copied();
                next = edit.handle;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Expr, Reg};

    fn programs(text: &str) -> Vec<Program> {
        let program =
            |byte: u8| Program { exprs: vec![Expr::Immediate { dreg: Reg::R1, data: [byte].into() }], comment: None };
        text.bytes().map(program).collect()
    }

    /// Edits as text: `-a@1` removes rule 1, `~b@2` changes it, `+c<2` adds before it, `+c<` at the end.
    fn script(old: &str, new: &str) -> String {
        let (old_programs, new_programs) = (programs(old), programs(new));
        let old: Vec<_> = old_programs.iter().enumerate().map(|(i, program)| (i as u64, program)).collect();
        let new: Vec<_> = new_programs.iter().collect();
        let letter = |program: &Program| match &program.exprs[0] {
            Expr::Immediate { data, .. } => char::from(data[0]),
            other => panic!("{other:?}"),
        };
        let handle = |edit: &RuleEdit| edit.handle.map_or_else(String::new, |handle| handle.to_string());
        let text = |edit: RuleEdit| match &edit.rule {
            Change::Added(program) => format!("+{}<{}", letter(program), handle(&edit)),
            Change::Removed(program) => format!("-{}@{}", letter(program), handle(&edit)),
            Change::Changed { to, .. } => format!("~{}@{}", letter(to), handle(&edit)),
        };
        edits((&old, &new), Going::Users(&Rebuilt::new()), |_| false)
            .into_iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn edits_are_few_and_in_place() {
        assert_eq!(script("abc", "abc"), "");
        assert_eq!(script("abc", "aXc"), "~X@1");
        assert_eq!(script("abc", "aXbYc"), "+X<1 +Y<2");
        assert_eq!(script("abc", "abcXY"), "+X< +Y<");
        assert_eq!(script("abc", "XYabc"), "+X<0 +Y<0");
        assert_eq!(script("abc", "ac"), "-b@1");
        assert_eq!(script("abcd", "bcda"), "-a@0 +a<");
        assert_eq!(script("ab", "XYZ"), "~X@0 ~Y@1 +Z<");
        assert_eq!(script("abc", "Xc"), "~X@0 -b@1");
    }
}
