//! `rulectl apply`: the smallest change that makes the kernel's rules those that are wanted.

use std::cell::RefCell;
use std::process::ExitCode;

use rulectl_netlink::{CommitError, Kernel, NetlinkKernel, interfaces};
use rulectl_ruleset::service;

use crate::args::{Apply, Backend, DryRun};
use crate::desired::{Change, Desired};
use crate::dump::{self, Dump};
use crate::failure::Failure;
use crate::journal::{Journal, Made, Proposal};
use crate::output::Terminal;
use crate::plan_file::PlanFile;
use crate::{flows, report, restore, target};

pub(crate) fn run(args: &Apply, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if let Some(dumps) = Dump::among(&args.source)? {
        return dump::apply(args, &dumps, terminal);
    }
    if args.target.backend != Backend::Nft {
        if args.confirm.is_some() {
            return Err(Failure::Usage("only nftables takes changes back: --confirm is for --backend nft".to_owned()));
        }
        return restore::apply(args, terminal);
    }
    if let Some(file) = PlanFile::among(&args.source.files)? {
        return planned(args, &file, terminal);
    }
    let desired = Desired::read(&args.source, terminal)?.only(&args.parts)?;
    // Only now: files and tools are those of the namespace we came from.
    target::enter(args.target.netns.as_deref())?;
    let desired = desired.on_this_machine()?;
    let mut kernel = target::kernel()?;
    let failure = |change: &Change, error| failure(&desired, change, error);
    let served = RefCell::default();
    let propose = |kernel: &mut NetlinkKernel| {
        let proposal = desired.proposal(kernel)?;
        served.replace(service::served(&proposal.live));
        Ok(proposal)
    };
    make(args, &mut kernel, terminal, propose, failure)?;
    if let (None, Some(map)) = (args.dry_run, desired.map()) {
        target::route_localnet(map.node.localhost_nodeports)?;
        flows::clean(map, served.into_inner(), args.conntrack, terminal);
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies a plan that was made before: exactly that, or nothing.
fn planned(args: &Apply, file: &PlanFile, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.target.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    make(args, &mut kernel, terminal, |kernel| file.proposal(kernel), |_, error| error.into())?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a change, or shows it.
fn make(
    args: &Apply,
    kernel: &mut NetlinkKernel,
    terminal: &Terminal,
    propose: impl Fn(&mut NetlinkKernel) -> Result<Proposal, Failure>,
    failure: impl Fn(&Change, CommitError) -> Failure,
) -> Result<(), Failure> {
    if let Some(how) = args.dry_run {
        let Proposal { change, .. } = propose(kernel)?;
        if how == DryRun::Kernel {
            kernel.check(&change.plan).map_err(|error| failure(&change, error))?;
        }
        terminal.print_diff(&change.diff.render(usize::MAX).naming(&interfaces::name_of).to_string())?;
        terminal.note(match how {
            DryRun::Plan => "dry run: nothing was sent",
            DryRun::Kernel => "dry run: the kernel would take this",
        });
        return Ok(());
    }
    let journal = match args.confirm {
        None => Journal::open(&args.journal, kernel, terminal)?,
        Some(_) => Journal::required(&args.journal.state, kernel)?,
    };
    let made = journal.make(kernel, args.confirm, propose, failure)?;
    terminal.print(&report::made(made.as_ref()))?;
    if let (Some(seconds), Some(Made { number: Some(number), .. })) = (args.confirm, made) {
        terminal.note(&format!("change {number} is taken back in {seconds} s, unless `rulectl confirm` keeps it"));
    }
    Ok(())
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
