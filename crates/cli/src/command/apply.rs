//! `rulectl apply`: the smallest change that makes the kernel's rules those that are wanted.

use std::process::ExitCode;

use rulectl_netlink::{Applied, CommitError, Kernel, interfaces};
use rulectl_ruleset::diff::Diff;

use crate::args::{Apply, Backend, DryRun};
use crate::desired::{Change, Desired};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::plan_file::PlanFile;
use crate::{input, restore, target};

/// How often a plan is made anew because somebody else changed the ruleset in between.
const ATTEMPTS: usize = 5;

pub(crate) fn run(args: &Apply, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::apply(args, terminal);
    }
    if let [path] = args.source.files.as_slice()
        && path.extension().is_some_and(|extension| extension == "json")
        && let Some(file) = PlanFile::read(&path.display().to_string(), &input::read(path)?)?
    {
        return planned(args, &file, terminal);
    }
    let desired = Desired::read(&args.source, terminal)?;
    // Only now: files and tools are those of the namespace we came from.
    target::enter(args.target.netns.as_deref())?;
    let desired = desired.on_this_machine()?;
    let mut kernel = target::kernel()?;
    match args.dry_run {
        None => {
            commit(&mut kernel, &desired, terminal)?;
            target::route_localnet(desired.localhost_nodeports())?;
        }
        Some(how) => {
            let change = desired.change(&mut kernel)?;
            if how == DryRun::Kernel {
                kernel.check(&change.plan).map_err(|error| failure(&desired, &change, error))?;
            }
            terminal.print_diff(&change.diff.render(usize::MAX).naming(&interfaces::name_of).to_string())?;
            terminal.note(match how {
                DryRun::Plan => "dry run: nothing was sent",
                DryRun::Kernel => "dry run: the kernel would take this",
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies a plan that was made before: exactly that, or nothing.
fn planned(args: &Apply, file: &PlanFile, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.target.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    let plan = file.plan(&mut kernel)?;
    match args.dry_run {
        Some(DryRun::Plan) => terminal.print_diff(&file.diff().to_string())?,
        Some(DryRun::Kernel) => {
            kernel.check(&plan)?;
            terminal.print_diff(&file.diff().to_string())?;
        }
        None if plan.is_empty() => terminal.print("no change\n")?,
        None => done(&kernel.commit(&plan)?, file.diff(), terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn done(applied: &Applied, diff: &Diff, terminal: &Terminal) -> Result<(), Failure> {
    let (messages, bytes) = (applied.messages, applied.bytes);
    terminal.print(&format!("{}: one batch of {messages} messages, {bytes} bytes\n", diff.summary()))
}

fn commit(kernel: &mut impl Kernel, desired: &Desired, terminal: &Terminal) -> Result<(), Failure> {
    for attempt in 1.. {
        let change = desired.change(kernel)?;
        if change.plan.is_empty() {
            return terminal.print("no change\n");
        }
        match kernel.commit(&change.plan) {
            Ok(applied) => return done(&applied, &change.diff, terminal),
            Err(error @ CommitError::Stale { .. }) if attempt < ATTEMPTS => tracing::info!("{error}; planning again"),
            Err(error) => return Err(failure(desired, &change, error)),
        }
    }
    unreachable!("the loop ends by returning")
}

/// Why nothing was changed, with the places of the rules that are to blame, where they have some.
fn failure(desired: &Desired, change: &Change, error: CommitError) -> Failure {
    if let CommitError::Refused { refusals } = &error
        && let Some(errors) = desired.refused(change, refusals)
    {
        return Failure::Refused { errors };
    }
    error.into()
}
