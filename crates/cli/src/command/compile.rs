//! `rulectl compile`: what a map compiles to, in any form.

use std::process::ExitCode;

use rulectl_ruleset::iptables::{Family, SaveText};
use rulectl_ruleset::service::{self, Layout};
use rulectl_ruleset::{json, lower, nft};

use crate::args::{Compile, CompileForm};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{input, listing};

pub(crate) fn run(args: &Compile, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let loaded = input::load(&args.source)?;
    terminal.findings(&loaded.findings);
    let options = input::options(&args.source, Layout::Maps);
    let (text, findings) = match args.to {
        CompileForm::Iptables => iptables(&loaded.map, &options, Family::Ip),
        CompileForm::Ip6tables => iptables(&loaded.map, &options, Family::Ip6),
        CompileForm::Nft | CompileForm::Json | CompileForm::Expr => {
            let compiled = service::compile(&loaded.map, &options);
            let text = match args.to {
                CompileForm::Json => json::print(&compiled.ruleset) + "\n",
                CompileForm::Expr => {
                    let lowered = lower::lower(compiled.ruleset).map_err(|errors| Failure::Lower { errors })?;
                    listing::lowered(&lowered)
                }
                _ => nft::print(&compiled.ruleset),
            };
            (text, compiled.findings)
        }
    };
    terminal.findings(&findings);
    terminal.print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn iptables(
    map: &service::ServiceMap,
    options: &service::CompileOptions,
    family: Family,
) -> (String, Vec<service::Finding>) {
    let compiled = service::iptables(map, options, family);
    (SaveText::from(&compiled.ruleset).to_string(), compiled.findings)
}
