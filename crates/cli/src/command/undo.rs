//! `rulectl undo`: takes the last change back.

use std::process::ExitCode;

use rulectl_netlink::interfaces;

use crate::args::Undo;
use crate::failure::Failure;
use crate::journal::{Journal, undoing};
use crate::output::Terminal;
use crate::{report, target};

pub(crate) fn run(args: &Undo, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    let journal = Journal::required(&args.state, &mut kernel)?;
    if args.dry_run {
        let proposal = undoing(&journal.last_change()?, &mut kernel, true)?;
        terminal.print_diff(&proposal.change.diff.render(usize::MAX).naming(&interfaces::name_of).to_string())?;
        terminal.note("dry run: nothing was sent");
        return Ok(ExitCode::SUCCESS);
    }
    let made = journal.take_back(&mut kernel, true)?;
    terminal.print(&report::made(made.as_ref()))?;
    Ok(ExitCode::SUCCESS)
}
