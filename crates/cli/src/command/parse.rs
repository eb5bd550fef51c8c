//! `rulectl parse`: a ruleset in one form, printed in another.

use std::process::ExitCode;

use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::text::ParseError;
use rulectl_ruleset::{json, nft};

use crate::args::{Parse, RulesetForm, RulesetSource};
use crate::failure::Failure;
use crate::include::Files;
use crate::input;
use crate::output::Terminal;

pub(crate) fn run(args: &Parse, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut errors = Vec::new();
    for path in &args.files {
        let text = input::read(path)?;
        let (ruleset, problems) = read(&path.display().to_string(), &text, args.from);
        let text = match args.to {
            RulesetForm::Nft => nft::print(&ruleset),
            RulesetForm::Json => json::print(&ruleset) + "\n",
        };
        terminal.print(&text)?;
        errors.extend(problems);
    }
    if errors.is_empty() { Ok(ExitCode::SUCCESS) } else { Err(Failure::Parse { errors }) }
}

/// A ruleset and what is wrong with its text.
fn read(name: &str, text: &str, from: RulesetSource) -> (Ruleset, Vec<ParseError>) {
    let is_json = match from {
        RulesetSource::Auto => text.trim_start().starts_with('{'),
        RulesetSource::Nft => false,
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
