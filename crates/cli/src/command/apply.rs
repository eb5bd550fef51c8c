//! `rulectl apply`: the smallest change from what is in the kernel to what a map says, in one batch.

use std::process::ExitCode;

use rulectl_netlink::{CommitError, Kernel, Scope};
use rulectl_ruleset::diff::{self, Diff};
use rulectl_ruleset::ir::{Ruleset, TableId};
use rulectl_ruleset::plan::Plan;
use rulectl_ruleset::service::{self, Layout};
use rulectl_ruleset::{lower, plan};

use crate::args::{Apply, Backend, DryRun, Source};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{input, restore, target};

/// How often a plan is made anew because somebody else changed the ruleset in between.
const ATTEMPTS: usize = 5;

pub(crate) fn run(args: &Apply, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::apply(args, terminal);
    }
    let prepared = prepare(&args.source, args.target.netns.as_deref(), terminal)?;
    let mut kernel = target::kernel()?;
    match args.dry_run {
        None => commit(&mut kernel, &prepared, terminal)?,
        Some(how) => {
            let change = change(&mut kernel, prepared)?;
            if how == DryRun::Kernel {
                kernel.check(&change.plan)?;
            }
            terminal.print_diff(&change.diff.to_string())?;
            terminal.note(match how {
                DryRun::Plan => "dry run: nothing was sent",
                DryRun::Kernel => "dry run: the kernel would take this",
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wanted, ready to be compared with a kernel.
#[derive(Clone)]
pub(crate) struct Prepared {
    ruleset: Ruleset,
    /// The tables that are ours to change, whether wanted or not.
    tables: Vec<TableId>,
}

/// Reads and compiles a source, and goes where the kernel is.
pub(crate) fn prepare(source: &Source, netns: Option<&str>, terminal: &Terminal) -> Result<Prepared, Failure> {
    let loaded = input::load(source)?;
    terminal.findings(&loaded.findings);
    let compiled = service::compile(&loaded.map, &input::options(source, Layout::Maps));
    terminal.findings(&compiled.findings);
    // Only now: files and tools are those of the namespace we came from.
    target::enter(netns)?;
    Ok(Prepared { ruleset: compiled.ruleset, tables: target::tables(&source.table).to_vec() })
}

/// A difference and the plan that removes it.
pub(crate) struct Change {
    pub(crate) diff: Diff,
    pub(crate) plan: Plan,
}

/// Compares what is wanted with a kernel.
pub(crate) fn change(kernel: &mut impl Kernel, prepared: Prepared) -> Result<Change, Failure> {
    let live = kernel.read(&Scope::tables(prepared.tables.iter().cloned()))?;
    let mut ruleset = prepared.ruleset;
    service::align(&mut ruleset, &live);
    let lowered = lower::lower(ruleset).map_err(|errors| Failure::Lower { errors })?;
    let ownership = target::ours();
    // A family that has no service left has no table either.
    let stale = prepared.tables.iter().filter(|table| !lowered.tables.contains_key(table));
    let diff = diff::diff(&live, &lowered, &ownership)?.and(diff::removal(&live, stale, &ownership)?);
    let plan = plan::plan(&diff, Some(live.generation.id));
    Ok(Change { diff, plan })
}

fn commit(kernel: &mut impl Kernel, prepared: &Prepared, terminal: &Terminal) -> Result<(), Failure> {
    for attempt in 1.. {
        let change = change(kernel, prepared.clone())?;
        if change.plan.is_empty() {
            return terminal.print("no change\n");
        }
        match kernel.commit(&change.plan) {
            Ok(applied) => {
                let summary = change.diff.summary();
                return terminal.print(&format!(
                    "{summary}: one batch of {} messages, {} bytes\n",
                    applied.messages, applied.bytes
                ));
            }
            Err(error @ CommitError::Stale { .. }) if attempt < ATTEMPTS => tracing::info!("{error}; planning again"),
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the loop ends by returning")
}
