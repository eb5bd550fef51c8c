//! `rulectl diff`: what `apply` would change, in a kernel or in what other files say.

use std::process::ExitCode;

use crate::DIFFERS;
use crate::args::{Backend, Diff, DiffForm};
use crate::desired::{Change, Desired};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{restore, target};

pub(crate) fn run(args: &Diff, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::diff(args, terminal);
    }
    let desired = Desired::read(&args.source, terminal)?;
    target::enter(args.target.netns.as_deref())?;
    let Change { diff, .. } = desired.on_this_machine()?.change(&mut target::kernel()?)?;
    match args.output {
        DiffForm::Text => terminal.print_diff(&diff.to_string())?,
        DiffForm::Json => terminal.print(&json(&diff)?)?,
    }
    Ok(if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// A value as JSON for programs, a line at its end.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(text + "\n")
}
