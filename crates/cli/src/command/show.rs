//! `rulectl show`: the kernel's tables, read over netlink.

use std::process::ExitCode;

use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::{json, lift, nft};

use crate::args::{Show, ShowForm};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{listing, target};

pub(crate) fn run(args: &Show, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let scope = match &args.table {
        Some(name) => {
            let families = rulectl_ruleset::ir::Family::ALL;
            Scope::tables(families.map(|family| rulectl_ruleset::ir::TableId::new(family, name.clone())))
        }
        None => Scope::all(),
    };
    let live = target::kernel()?.read(&scope)?;
    tracing::info!("read at {}", live.generation);
    let text = match args.to {
        ShowForm::Nft => nft::print(&lift::lift(&live)),
        ShowForm::Json => json::print(&lift::lift(&live)) + "\n",
        ShowForm::Expr => listing::live(&live),
    };
    terminal.print(&text)?;
    Ok(ExitCode::SUCCESS)
}
