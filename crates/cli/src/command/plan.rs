//! `rulectl plan`: what `apply` would change, why, and how much is sent; to be looked at, and kept in a file.

use std::process::ExitCode;

use rulectl_netlink::Kernel;

use crate::args::{Plan, ReportForm};
use crate::desired::{Change, Desired};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::plan_file::PlanFile;
use crate::report::Report;
use crate::target;

pub(crate) fn run(args: &Plan, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let file = PlanFile::among(&args.source.files)?;
    let desired = if file.is_some() { None } else { Some(Desired::read(&args.source, terminal)?) };
    target::enter(args.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    let (scope, Change { diff, plan, .. }, live) = match (file, desired) {
        // Made before: whether it can still be applied is found out on the way.
        (Some(file), _) => {
            let proposal = file.proposal(&mut kernel)?;
            (file.scope(), proposal.change, proposal.live)
        }
        (None, Some(desired)) => {
            let desired = desired.on_this_machine()?;
            let live = kernel.read(&desired.scope())?;
            (desired.scope(), desired.compare(&live)?, live)
        }
        (None, None) => return Ok(ExitCode::SUCCESS),
    };
    let report = Report { diff: &diff, plan: &plan, live: &live };
    match args.to {
        ReportForm::Text => terminal.print_diff(&report.text()?)?,
        ReportForm::Json => terminal.print(&report.json()?)?,
    }
    if let Some(path) = &args.output {
        PlanFile::new(scope, diff, live).write(path)?;
    }
    Ok(ExitCode::SUCCESS)
}
