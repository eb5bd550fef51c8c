//! `rulectl conntrack`: tracked connections, and those of them that go where the rules would not send them any more.

use std::process::ExitCode;

use rulectl_netlink::Conntrack;
use rulectl_netlink::conntrack::Filter;
use rulectl_ruleset::ir::Family;
use rulectl_ruleset::service::ExpectedFlows;

use crate::DIFFERS;
use crate::args::{self, ConntrackAction, FlowFamily, ListFlows, StaleFlows};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{flows, input, target};

pub(crate) fn run(args: &args::Conntrack, terminal: &Terminal) -> Result<ExitCode, Failure> {
    match &args.action {
        ConntrackAction::List(args) => list(args, terminal),
        ConntrackAction::Stale(args) => stale(args, terminal),
        ConntrackAction::Clean(args) => {
            flows::delete(&mut expected(args, terminal)?, terminal)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(args: &ListFlows, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let filter = Filter {
        family: args.family.map(|family| match family {
            FlowFamily::Ip => Family::Ip,
            FlowFamily::Ip6 => Family::Ip6,
        }),
        protocol: args.protocol,
        destination: args.destination,
        destination_port: args.destination_port,
        mark: args.mark,
        zone: args.zone,
        status: None,
    };
    let mut printed = Ok(());
    let walked = Conntrack::new()?.walk(&filter, |flow| {
        if printed.is_ok() {
            printed = terminal.print(&format!("{flow}\n"));
        }
    })?;
    printed?;
    if walked.interrupted {
        terminal.note("warning: the table was rebuilt meanwhile: some connections may be missing, or there twice");
    }
    Ok(ExitCode::SUCCESS)
}

fn stale(args: &StaleFlows, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut expected = expected(args, terminal)?;
    let (mut found, mut printed) = (false, Ok(()));
    Conntrack::new()?.stale(&mut expected, |flow, stale| {
        found = true;
        if printed.is_ok() {
            printed = terminal.print(&format!("{flow}  # {stale}\n"));
        }
    })?;
    printed?;
    Ok(if found { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS })
}

/// What a map expects of connections, and the kernel entered.
fn expected(args: &StaleFlows, terminal: &Terminal) -> Result<ExpectedFlows, Failure> {
    let (map, findings) = input::load_only_map(&args.source)?;
    terminal.findings(&findings);
    target::enter(args.netns.as_deref())?;
    Ok(ExpectedFlows::of(&map, args.conntrack.protocols()))
}
