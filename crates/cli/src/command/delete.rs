//! `rulectl delete`: takes away what rulectl made, and nothing else.

use std::process::ExitCode;

use rulectl_netlink::{Kernel, NetlinkKernel, Scope};
use rulectl_ruleset::diff;

use crate::args::{Backend, Delete};
use crate::desired::Change;
use crate::failure::Failure;
use crate::journal::{Journal, Proposal};
use crate::output::Terminal;
use crate::{restore, target};

pub(crate) fn run(args: &Delete, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.target.backend != Backend::Nft {
        return restore::delete(args, terminal);
    }
    target::enter(args.target.netns.as_deref())?;
    let mut kernel = target::kernel()?;
    let journal = Journal::open(&args.journal, &mut kernel, terminal)?;
    let propose = |kernel: &mut NetlinkKernel| removal(args, kernel, journal.store().is_some());
    let made = journal.make(&mut kernel, None, propose, |_, error| error.into())?;
    let done = made.map_or_else(|| "no change".to_owned(), |made| made.diff.summary().to_string());
    terminal.print(&format!("{done}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What goes. Elements are only read to be able to make them again.
fn removal(args: &Delete, kernel: &mut NetlinkKernel, with_elements: bool) -> Result<Proposal, Failure> {
    let tables = target::tables(&args.table);
    let scope = Scope { elements: with_elements, ..Scope::tables(tables.clone()) };
    let live = kernel.read(&scope)?;
    let diff = diff::removal(&live, &tables, &target::ours())?;
    let change = Change::of(diff, live.generation.id);
    Ok(Proposal { tables: tables.to_vec(), live, change, undoes: None })
}
