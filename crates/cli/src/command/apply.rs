//! `rulectl apply`: the smallest change that makes the kernel's rules those that are wanted.

use std::process::ExitCode;

use rulectl_netlink::{CommitError, Kernel, interfaces};

use crate::args::{Apply, Backend, DryRun};
use crate::desired::{Change, Desired};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{restore, target};

/// How often a plan is made anew because somebody else changed the ruleset in between.
const ATTEMPTS: usize = 5;

pub(crate) fn run(args: &Apply, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::apply(args, terminal);
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

fn commit(kernel: &mut impl Kernel, desired: &Desired, terminal: &Terminal) -> Result<(), Failure> {
    for attempt in 1.. {
        let change = desired.change(kernel)?;
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
