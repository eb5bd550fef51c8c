//! `rulectl migrate`: takes services over from kube-proxy, without a moment in which nobody serves them.
//!
//! Our chains of nat have an earlier priority than those of kube-proxy in either of its modes, and of all nat chains the
//! first that translates decides. So the commit of our tables is the moment in which theirs stop to decide. What is
//! theirs in nf_tables can go by the same batch; what is in x_tables goes after it.

use std::cell::RefCell;
use std::process::ExitCode;

use rulectl_netlink::{Kernel, NetlinkKernel, interfaces};
use rulectl_ruleset::service::{ExpectedFlows, Frontend, Protocol, ServiceMap, served};

use crate::args::Migrate;
use crate::desired::Desired;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::output::Terminal;
use crate::theirs::Theirs;
use crate::{flows, report, target};

/// How many frontends are named.
const NAMED: usize = 5;

pub(crate) fn run(args: &Migrate, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let desired = Desired::read(&args.source(), terminal)?;
    target::enter(args.netns.as_deref())?;
    let desired = desired.on_this_machine()?;
    let Some(map) = desired.map() else {
        return Err(Failure::Usage("services are taken over by a service map, not by a ruleset".to_owned()));
    };
    let mut kernel = target::kernel()?;
    let theirs = Theirs::find(args.from, &mut kernel)?;
    tell(&theirs, map, args, terminal)?;
    if args.dry_run {
        let change = theirs.proposal(&desired, args.remove, &mut kernel)?.change;
        kernel.check(&change.plan)?;
        terminal.print_diff(&change.diff.render(usize::MAX).naming(&interfaces::name_of).to_string())?;
        if args.remove {
            terminal.print_diff(&theirs.legacy_steps())?;
        }
        terminal.note("dry run: nothing was changed");
        return Ok(ExitCode::SUCCESS);
    }
    let before = RefCell::default();
    let propose = |kernel: &mut NetlinkKernel| {
        let proposal = theirs.proposal(&desired, args.remove, kernel)?;
        before.replace(served(&proposal.live));
        Ok(proposal)
    };
    let journal = Journal::open(&args.journal, &mut kernel, terminal)?;
    let made = journal.make(&mut kernel, None, propose, |_, error| error.into())?;
    terminal.print(&report::made(made.as_ref()))?;
    target::route_localnet(map.node.localhost_nodeports)?;
    if args.remove {
        theirs.remove_legacy()?;
    }
    flows::clean(map, before.into_inner(), args.conntrack, terminal);
    Ok(ExitCode::SUCCESS)
}

/// Says what was found, and what of it nobody would serve any more.
fn tell(theirs: &Theirs, map: &ServiceMap, args: &Migrate, terminal: &Terminal) -> Result<(), Failure> {
    if theirs.found.is_empty() {
        terminal.note("no rules of kube-proxy are here");
        return Ok(());
    }
    terminal.note(&format!("rules of kube-proxy: {}", theirs.found.join(", ")));
    let ours = ExpectedFlows::of(map, &[Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let left: Vec<&Frontend> = theirs.frontends.iter().filter(|frontend| !ours.is_served(frontend)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = left.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if left.len() > NAMED { format!(" and {} more", left.len() - NAMED) } else { String::new() };
    let what = format!("{} frontends of kube-proxy are not in the map: {}{more}", left.len(), named.join(", "));
    if args.remove && !args.abandon {
        return Err(Failure::Usage(format!("{what}; --abandon removes its rules all the same")));
    }
    terminal.note(&format!("note: {what}"));
    Ok(())
}
