//! `rulectl fmt`: nft text, laid out as nft lists it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use rulectl_ruleset::nft;
use similar::TextDiff;

use crate::DIFFERS;
use crate::args::Fmt;
use crate::failure::Failure;
use crate::include::Files;
use crate::input;
use crate::output::Terminal;

pub(crate) fn run(args: &Fmt, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let mut errors = Vec::new();
    let mut differs = false;
    for path in &args.files {
        let text = input::read(path)?;
        let name = path.display().to_string();
        let parsed = nft::parse_with(&name, &text, &mut Files);
        if !parsed.errors.is_empty() {
            errors.extend(parsed.errors);
            continue;
        }
        let formatted = nft::format(&text);
        // A layout must never change what a text says.
        if nft::parse_with(&name, &formatted, &mut Files).ruleset != parsed.ruleset {
            return Err(Failure::Usage(format!("{name}: left as it is: laid out, it would say something else")));
        }
        differs |= formatted != text;
        match (args.check, path == Path::new("-")) {
            (true, _) if formatted != text => terminal.print_diff(&unified(&name, &text, &formatted))?,
            (true, _) => {}
            (false, true) => terminal.print(&formatted)?,
            (false, false) if formatted != text => write(path, &formatted)?,
            (false, false) => {}
        }
    }
    match (errors.is_empty(), args.check && differs) {
        (false, _) => Err(Failure::Parse { errors }),
        (true, true) => Ok(ExitCode::from(DIFFERS)),
        (true, false) => Ok(ExitCode::SUCCESS),
    }
}

fn unified(name: &str, text: &str, formatted: &str) -> String {
    let formatted_name = format!("{name} (laid out)");
    TextDiff::from_lines(text, formatted).unified_diff().header(name, &formatted_name).to_string()
}

/// Puts a text in the place of a file, all of it or nothing.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failure = |source| Failure::File { path: path.to_owned(), source };
    // Behind a link, the file it leads to.
    let target = path.canonicalize().map_err(failure)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failure)?;
    file.write_all(text.as_bytes()).map_err(failure)?;
    let permissions = std::fs::metadata(&target).map_err(failure)?.permissions();
    file.as_file().set_permissions(permissions).map_err(failure)?;
    file.persist(&target).map_err(|error| failure(error.error))?;
    Ok(())
}
