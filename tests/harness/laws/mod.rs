//! The laws every kernel keeps, the fake one and the real one.
//!
//! Each takes a kernel without tables that it may fill, and leaves it without tables.

mod refusals;
mod services;
mod shape;
mod states;
mod watch;

use rulectl_netlink::{CommitError, Kernel, Scope};
use rulectl_ruleset::diff::{Diff, Ownership, diff, removal};
use rulectl_ruleset::ir::{ChainName, Family, TableId, TableName};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::plan::{Op, Plan, Reason, Step, plan};

pub use self::refusals::{jumps_go_fifteen_deep, wrong_plans_are_refused};
pub use self::services::service_pairs;
pub use self::shape::{Shape, shape_of_live, shape_of_lowered};
pub use self::states::{pairs, states};
pub use self::watch::what_is_committed_is_heard;

/// A law was broken: how.
pub type Broken = String;

/// From `before` a plan leads to `after`, and its inverse back. Nothing that is the same on both sides is touched.
///
/// # Errors
/// Where it does not.
pub fn a_plan_leads_there_and_its_inverse_back(
    kernel: &mut impl Kernel,
    before: &Lowered,
    after: &Lowered,
) -> Result<(), Broken> {
    load(kernel, before)?;
    let start = read(kernel)?;
    holds(&start, before, "what was loaded")?;

    let there = compare(&start, after)?;
    commit(kernel, &there, &start)?;
    let end = read(kernel)?;
    holds(&end, after, "what the plan led to")?;
    survivors(&start, &end, &there)?;

    let back = there.inverse().locate(&end).map_err(|drift| format!("the inverse has lost its way: {drift:?}"))?;
    commit(kernel, &back, &end)?;
    let again = read(kernel)?;
    same(&shape_of_live(&again), &shape_of_live(&start), "what the inverse led to")?;
    clear(kernel)
}

/// `check` and a commit that is refused change nothing, not even the generation.
///
/// # Errors
/// Where something has changed, or nothing was refused.
pub fn nothing_or_all(kernel: &mut impl Kernel, before: &Lowered, after: &Lowered) -> Result<(), Broken> {
    load(kernel, before)?;
    let start = read(kernel)?;
    let plan = plan(&compare(&start, after)?, Some(start.generation.id));
    kernel.check(&plan).map_err(|error| format!("the check refuses a good plan: {error}"))?;
    unchanged(kernel, &start, "a check")?;

    let mut wrong = plan.clone();
    let chain = ChainName::new("not there").map_err(|error| error.to_string())?;
    let Some(table) = before.tables.keys().next().cloned() else { return clear(kernel) };
    wrong.steps.push(Step { op: Op::DeleteChain { table, chain }, reason: Reason::Unwanted });
    let last = wrong.steps.len() - 1;
    for answer in [kernel.check(&wrong), kernel.commit(&wrong).map(drop)] {
        match answer {
            Err(CommitError::Refused { refusals }) if refusals.iter().all(|refusal| refusal.step == last) => {}
            other => return Err(format!("step {last} should have been refused: {other:?}")),
        }
        unchanged(kernel, &start, "a plan that was refused")?;
    }

    let stale = Plan { generation: Some(start.generation.id.wrapping_sub(1)), ..wrong };
    match kernel.commit(&stale) {
        Err(CommitError::Stale { found, .. }) if found.id == start.generation.id => {}
        other => return Err(format!("the plan is for another generation: {other:?}")),
    }
    unchanged(kernel, &start, "a plan for another generation")?;
    clear(kernel)
}

/// A step that is wrong, wherever it is in a plan, is refused at its place, and nothing of the plan is done.
///
/// # Errors
/// Where something has changed, or something else was refused.
pub fn any_step_may_be_wrong(kernel: &mut impl Kernel, before: &Lowered, after: &Lowered) -> Result<(), Broken> {
    load(kernel, before)?;
    let start = read(kernel)?;
    let plan = plan(&compare(&start, after)?, Some(start.generation.id));
    let name = TableName::new("not there").map_err(|error| error.to_string())?;
    let op = Op::DeleteTable { table: TableId::new(Family::Ip, name) };
    for at in 0..=plan.steps.len() {
        let mut wrong = plan.clone();
        wrong.steps.insert(at, Step { op: op.clone(), reason: Reason::Unwanted });
        match kernel.commit(&wrong) {
            Err(CommitError::Refused { refusals }) if refusals.iter().all(|refusal| refusal.step == at) => {}
            other => return Err(format!("step {at} should have been refused: {other:?}")),
        }
        unchanged(kernel, &start, "a plan that was refused")?;
    }
    kernel.commit(&plan).map_err(|error| format!("the next attempt is refused: {error}"))?;
    holds(&read(kernel)?, after, "what the next attempt led to")?;
    clear(kernel)
}

/// Takes all tables away.
///
/// # Errors
/// Where that fails.
pub fn clear(kernel: &mut impl Kernel) -> Result<(), Broken> {
    let live = read(kernel)?;
    let tables: Vec<&TableId> = live.tables.keys().collect();
    let gone = removal(&live, tables, &Ownership::Declared).map_err(|conflicts| format!("{conflicts:?}"))?;
    commit(kernel, &gone, &live)?;
    let left = read(kernel)?;
    if left.tables.is_empty() { Ok(()) } else { Err(format!("tables are left: {:?}", left.tables.keys())) }
}

fn load(kernel: &mut impl Kernel, state: &Lowered) -> Result<(), Broken> {
    let live = read(kernel)?;
    let all = compare(&live, state)?;
    commit(kernel, &all, &live)
}

fn read(kernel: &mut impl Kernel) -> Result<Live, Broken> {
    kernel.read(&Scope::all()).map_err(|error| format!("cannot read: {error}"))
}

fn compare(live: &Live, desired: &Lowered) -> Result<Diff, Broken> {
    diff(live, desired, &Ownership::Declared).map_err(|conflicts| format!("{conflicts:?}"))
}

fn commit(kernel: &mut impl Kernel, diff: &Diff, live: &Live) -> Result<(), Broken> {
    let plan = plan(diff, Some(live.generation.id));
    match kernel.commit(&plan) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("refused: {error}\nplan: {:#?}", plan.steps)),
    }
}

fn holds(live: &Live, state: &Lowered, what: &str) -> Result<(), Broken> {
    let left = compare(live, state)?;
    if !left.is_empty() {
        return Err(format!("{what} still differs:\n{left}"));
    }
    same(&shape_of_live(live), &shape_of_lowered(state), what)
}

fn same(one: &Shape, other: &Shape, what: &str) -> Result<(), Broken> {
    if one == other { Ok(()) } else { Err(format!("{what} is not as it should be:\n{one:#?}\nshould be:\n{other:#?}")) }
}

fn unchanged(kernel: &mut impl Kernel, start: &Live, what: &str) -> Result<(), Broken> {
    let now = read(kernel)?;
    if now == *start { Ok(()) } else { Err(format!("{what} has changed something:\n{now:#?}\nwas:\n{start:#?}")) }
}

/// What the difference does not name has the handle it had.
fn survivors(start: &Live, end: &Live, diff: &Diff) -> Result<(), Broken> {
    for (id, before) in &start.tables {
        let Some(after) = end.tables.get(id) else { return Err(format!("table {id} is gone")) };
        let table = diff.tables.iter().find(|table| table.id == *id);
        for chain in &before.chains {
            let touched = |handle: u64| {
                let chains = table.into_iter().flat_map(|table| &table.chains);
                let edits = chains.filter(|it| it.name == chain.name).flat_map(|chain| &chain.rules);
                edits.filter(|edit| edit.rule.before().is_some()).any(|edit| edit.handle == Some(handle))
            };
            let kept = chain.rules.iter().map(|rule| rule.handle).filter(|handle| !touched(*handle));
            let there: Vec<u64> = after
                .chains
                .find(&chain.name)
                .map(|chain| chain.rules.iter().map(|rule| rule.handle).collect())
                .unwrap_or_default();
            for handle in kept {
                if !there.contains(&handle) {
                    return Err(format!("rule {handle} of chain {} was not to be touched", chain.name));
                }
            }
        }
    }
    Ok(())
}
