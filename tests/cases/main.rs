//! Cases of the language: files in the folders beside this one. To add a case, drop a file there and run the test with
//! `BLESS=1`; look at what it wrote.
//!
//! The first line of a case is its command, the second a comment with its title and the first kernel that has it all.
//! Then the input, and behind lines that begin with `=>` what must come out.
//!
//! - `convert` reads a ruleset, prints it as text, JSON and expressions, and reads all of that back. Each rule and each
//!   declaration is a row of `docs/language.md`; `# 5.6` behind one is the kernel that it needs.
//! - `refuse` reads what is wrong; what comes out are the errors.
//! - `translate iptables` and `translate ip6tables` read a text for iptables-restore; what comes out is nft text. Each
//!   extension is a row of `docs/iptables.md`, with a rule of a case beside it.

mod convert;
mod document;
mod translation;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::nft;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = cases()
        .into_iter()
        .map(|path| Trial::test(name(&path), move || Case::read(&path).check(&path).map_err(Failed::from)))
        .collect();
    trials.push(Trial::test("docs/language.md", || document::check().map_err(Failed::from)));
    trials.push(Trial::test("docs/iptables.md", || translation::check().map_err(Failed::from)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Whether what comes out is written down rather than compared.
fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// All case files, by name.
fn cases() -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = entries(&folder()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| entries(&folder).collect::<Vec<_>>());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    cases.sort();
    assert!(!cases.is_empty(), "there are no cases in {}", folder().display());
    cases
}

/// A case as messages call it: its path below the folder.
fn name(path: &Path) -> String {
    path.strip_prefix(folder()).unwrap_or(path).display().to_string()
}

/// A case file.
struct Case {
    command: String,
    input: String,
    expected: String,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (command, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let (input, expected) = rest.split_at(rest.find("=> ").unwrap_or(rest.len()));
        Self { command: command.to_owned(), input: input.to_owned(), expected: expected.to_owned() }
    }

    fn check(&self, path: &Path) -> Result<(), String> {
        let came = match self.command.as_str() {
            "convert" => convert::run(&self.input)?,
            "refuse" => refuse(&self.input)?,
            "translate iptables" => translation::run(Family::Ip, &self.input)?,
            "translate ip6tables" => translation::run(Family::Ip6, &self.input)?,
            other => return Err(format!("`{other}` is no command")),
        };
        if bless() {
            let text = format!("{}\n{}{came}", self.command, self.input);
            return fs::write(path, text).map_err(|error| error.to_string());
        }
        same(&self.expected, &came)
    }

    /// The title, and the first kernel that has it all.
    fn title(&self) -> (&str, &str) {
        let line = self.input.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        let (title, kernel) = line.split_once(" (kernel ").unwrap_or((line, ""));
        (title, kernel.trim_end_matches(')'))
    }
}

/// What is wrong with a text.
fn refuse(input: &str) -> Result<String, String> {
    let errors = nft::parse("case", input).errors;
    if errors.is_empty() {
        return Err("nothing is wrong with it".to_owned());
    }
    let errors: Vec<String> = errors.iter().map(|error| format!("{error}\n")).collect();
    Ok(format!("=> errors\n{}", errors.concat()))
}

/// Nothing, or the first lines that differ.
fn same(expected: &str, came: &str) -> Result<(), String> {
    if expected == came {
        return Ok(());
    }
    let pairs = expected.lines().zip(came.lines());
    let at = pairs.take_while(|(expected, came)| expected == came).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    Err(format!(
        "other than expected (BLESS=1 writes down what comes out)\nexpected: {}\n    came: {}",
        line(expected),
        line(came)
    ))
}
