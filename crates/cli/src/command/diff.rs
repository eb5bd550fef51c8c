//! `rulectl diff`: what `apply` would change.

use std::process::ExitCode;

use crate::DIFFERS;
use crate::args::{Backend, Diff, DiffForm};
use crate::command::apply::{self, Change};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{restore, target};

pub(crate) fn run(args: &Diff, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::diff(args, terminal);
    }
    let prepared = apply::prepare(&args.source, args.target.netns.as_deref(), terminal)?;
    let Change { diff, .. } = apply::change(&mut target::kernel()?, prepared)?;
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
