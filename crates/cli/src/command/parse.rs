//! `rulectl parse`: a ruleset in one form, printed in another.

use std::process::ExitCode;

use rulectl_ruleset::iptables::{Family, SaveText};
use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::text::ParseError;
use rulectl_ruleset::{iptables, json, lower, nft};

use crate::args::{Parse, RulesetForm, RulesetSource};
use crate::command::translate;
use crate::failure::Failure;
use crate::include::Files;
use crate::output::Terminal;
use crate::{clock, input, listing};

pub(crate) fn run(args: &Parse, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut errors = Vec::new();
    let mut without_program = Vec::new();
    let mut untranslated = 0;
    for path in &args.files {
        let text = input::read(path)?;
        if let Some(family) = args.from.iptables() {
            if matches!(args.to, RulesetForm::Nft | RulesetForm::Expr) {
                let (translation, problems) = translate::read(&path.display().to_string(), &text, family);
                terminal.print(&translate::print(&translation, args.to)?)?;
                errors.extend(problems);
                untranslated += translation.untranslated().count();
                continue;
            }
            let parsed = iptables::parse(&path.display().to_string(), &text, family);
            terminal.print(&print_iptables(&parsed.text, family, args.to)?)?;
            errors.extend(parsed.problems);
            continue;
        }
        let (mut ruleset, problems) = read(&path.display().to_string(), &text, args.from);
        let text = match args.to {
            RulesetForm::Nft => {
                let detail = nft::Detail { numeric_protocols: args.numeric_protocol, ..nft::Detail::default() };
                nft::print_with(&ruleset, detail)
            }
            RulesetForm::Json => json::print(&ruleset) + "\n",
            RulesetForm::Expr => {
                clock::to_utc(&mut ruleset);
                let (lowered, errors) = lower::lower_possible(ruleset);
                without_program.extend(errors);
                listing::lowered(&lowered)
            }
            RulesetForm::Ir => serde_json::to_string_pretty(&ruleset).expect("all keys are strings") + "\n",
            RulesetForm::Iptables | RulesetForm::Ip6tables => {
                return Err(Failure::Usage("nft rules cannot be printed as rules of iptables".to_owned()));
            }
        };
        terminal.print(&text)?;
        errors.extend(problems);
    }
    match (errors.is_empty(), without_program.is_empty()) {
        (true, true) => Ok(translate::report(untranslated, terminal)),
        (true, false) => Err(Failure::Lower { errors: without_program }),
        (false, _) => Err(Failure::Parse { errors }),
    }
}

/// A text of iptables in one of the forms it has.
fn print_iptables(text: &SaveText, family: Family, to: RulesetForm) -> Result<String, Failure> {
    match (to, family) {
        (RulesetForm::Iptables, Family::Ip) | (RulesetForm::Ip6tables, Family::Ip6) => Ok(text.to_string()),
        (RulesetForm::Json | RulesetForm::Ir, _) => Ok(format!("{:#}\n", iptables::json(text))),
        _ => {
            let forms = "`--to iptables` or `--to ip6tables` as it was read, `--to json` or `--to ir`";
            Err(Failure::Usage(format!("rules of iptables can be printed {forms}")))
        }
    }
}

/// A ruleset and what is wrong with its text.
fn read(name: &str, text: &str, from: RulesetSource) -> (Ruleset, Vec<ParseError>) {
    let is_json = match from {
        RulesetSource::Auto => text.trim_start().starts_with('{'),
        RulesetSource::Nft | RulesetSource::Iptables | RulesetSource::Ip6tables => false,
        RulesetSource::Json => true,
    };
    if is_json {
        let parsed = json::parse(name, text);
        (parsed.ruleset, parsed.errors)
    } else {
        let parsed = nft::parse_with(name, text, &mut Files);
        (parsed.ruleset, parsed.errors)
    }
}
