//! `rulectl compile`: what services compile to, or a ruleset reads as, in any form.

use std::process::ExitCode;

use rulectl_ruleset::iptables::{Family, SaveText};
use rulectl_ruleset::service::{self, Layout};
use rulectl_ruleset::{json, nft};

use crate::args::{Compile, CompileForm};
use crate::desired::Desired;
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{input, listing};

pub(crate) fn run(args: &Compile, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let desired = || Desired::read(&args.source, terminal);
    let text = match args.to {
        CompileForm::Nft => nft::print(desired()?.ruleset()),
        CompileForm::Json => json::print(desired()?.ruleset()) + "\n",
        CompileForm::Expr => listing::lowered(&desired()?.on_this_machine()?.lower()?),
        CompileForm::Iptables => iptables(args, Family::Ip, terminal)?,
        CompileForm::Ip6tables => iptables(args, Family::Ip6, terminal)?,
    };
    terminal.print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn iptables(args: &Compile, family: Family, terminal: &Terminal) -> Result<String, Failure> {
    let (map, findings) = input::load_only_map(&args.source)?;
    terminal.findings(&findings);
    let compiled = service::iptables(&map, &input::options(&args.source, Layout::Maps), family);
    terminal.findings(&compiled.findings);
    Ok(SaveText::from(&compiled.ruleset).to_string())
}
