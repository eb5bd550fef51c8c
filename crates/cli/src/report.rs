//! Plans and changes, told to people and programs.

use rulectl_netlink::{batch_size, interfaces};
use rulectl_ruleset::diff::{Diff, Kept, Summary};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Plan, Step};
use serde::Serialize;

use crate::command::diff::json;
use crate::failure::Failure;
use crate::journal::Made;

/// What was done, on a line.
pub(crate) fn made(made: Option<&Made>) -> String {
    let Some(Made { diff, applied, undoes, .. }) = made else { return "no change\n".to_owned() };
    let undone = undoes.map_or_else(String::new, |number| format!("change {number} undone: "));
    format!("{undone}{}: one batch of {} messages, {} bytes\n", diff.summary(), applied.messages, applied.bytes)
}

/// A plan, and what it was made from.
pub(crate) struct Report<'a> {
    pub(crate) diff: &'a Diff,
    pub(crate) plan: &'a Plan,
    pub(crate) live: &'a Live,
}

impl Report<'_> {
    /// For people: what changes and why, how much, and how much stays as it is.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        let Self { diff, plan, live } = *self;
        let kept = diff.kept(live);
        if diff.is_empty() {
            return Ok(format!("no change: all is as wanted at {} ({})\n", live.generation, counted(kept)));
        }
        let batch = batch_size(plan)?;
        Ok(format!(
            "{}\nplan: {}\nkept: {}\nsent: {} steps in one batch of {} messages, {} bytes, for {}\n",
            diff.render(usize::MAX).naming(&interfaces::name_of),
            diff.summary(),
            counted(kept),
            plan.steps.len(),
            batch.messages,
            batch.bytes,
            live.generation
        ))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        let Self { diff, plan, live } = *self;
        let batch = batch_size(plan)?;
        json(&Told {
            generation: &live.generation,
            summary: diff.summary(),
            kept: diff.kept(live),
            messages: batch.messages,
            bytes: batch.bytes,
            diff,
            steps: &plan.steps,
        })
    }
}

#[derive(Serialize)]
struct Told<'a> {
    generation: &'a Generation,
    summary: Summary,
    kept: Kept,
    messages: usize,
    bytes: usize,
    diff: &'a Diff,
    steps: &'a [Step],
}

fn counted(Kept { declarations, rules, elements }: Kept) -> String {
    format!("{declarations} declarations, {rules} rules, {elements} elements")
}
