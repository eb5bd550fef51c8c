//! `rulectl confirm`: keeps a change that would be taken back.

use std::process::ExitCode;

use crate::args::Confirm;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::output::Terminal;
use crate::target;

pub(crate) fn run(args: &Confirm, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let journal = Journal::required(&args.state, &mut target::kernel()?)?;
    let nothing = || Failure::Usage("no change waits to be confirmed in this network namespace".to_owned());
    let store = journal.store().ok_or_else(nothing)?;
    let trial = store.trial()?.ok_or_else(nothing)?;
    store.end_trial()?;
    terminal.print(&format!("change {} stays\n", trial.number))?;
    Ok(ExitCode::SUCCESS)
}
