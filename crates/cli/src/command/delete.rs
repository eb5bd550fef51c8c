//! `rulectl delete`: takes away what rulectl made, and nothing else.

use std::process::ExitCode;

use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::diff;
use rulectl_ruleset::plan;

use crate::args::{Backend, Delete};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{restore, target};

pub(crate) fn run(args: &Delete, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::delete(args, terminal);
    }
    target::enter(args.target.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    let tables = target::tables(&args.table);
    let live = kernel.read(&Scope::tables(tables.clone()).without_elements())?;
    let diff = diff::removal(&live, &tables, &target::ours())?;
    let plan = plan::plan(&diff, Some(live.generation.id));
    if plan.is_empty() {
        terminal.print("no change\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    kernel.commit(&plan)?;
    terminal.print(&format!("{}\n", diff.summary()))?;
    Ok(ExitCode::SUCCESS)
}
