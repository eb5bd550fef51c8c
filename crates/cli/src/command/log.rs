//! `rulectl log`: what was changed in this network namespace.

use std::fmt::Write;
use std::process::ExitCode;

use rulectl_netlink::interfaces;
use rulectl_ruleset::diff::{Diff, Summary};
use rulectl_ruleset::ir::TableId;
use serde::Serialize;

use crate::args::{Log, ReportForm};
use crate::command::diff::json;
use crate::failure::Failure;
use crate::history::{Author, Entry, State, Store, utc};
use crate::journal::Journal;
use crate::output::Terminal;
use crate::target;

pub(crate) fn run(args: &Log, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let journal = Journal::required(&args.state, &mut target::kernel()?)?;
    let Some(store) = journal.store() else { return Ok(ExitCode::SUCCESS) };
    match args.number {
        Some(number) => {
            let missing = || Failure::Usage(format!("there is no change {number} in the log"));
            let entry = store.entry(number)?.ok_or_else(missing)?;
            match args.to {
                ReportForm::Text => terminal.print_diff(&in_full(&entry, store)?)?,
                ReportForm::Json => terminal.print(&json(&Told::of(&entry, Some(&entry.diff)))?)?,
            }
        }
        None => list(args.to, store, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// All changes, the last one first.
fn list(form: ReportForm, store: &Store, terminal: &Terminal) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for number in store.numbers()?.into_iter().rev() {
        // One may go meanwhile only if the folder does.
        entries.extend(store.entry(number)?);
    }
    if form == ReportForm::Json {
        let told: Vec<_> = entries.iter().map(|entry| Told::of(entry, None)).collect();
        return terminal.print(&json(&told)?);
    }
    let mut text = String::new();
    for entry in &entries {
        writeln!(text, "{}", line(entry, store)?).expect("a string takes all");
    }
    terminal.print(&text)
}

/// `3  2026-11-26 23:16:28Z  root  rules: 1 added  (undoes 2)`.
fn line(entry: &Entry, store: &Store) -> Result<String, Failure> {
    let Entry { number, at, by, undoes, diff, state, .. } = entry;
    let mut text = format!("{number:>4}  {}  {}  {}", utc(*at), by.user, diff.summary());
    if let Some(undone) = undoes {
        write!(text, "  (undoes {undone})").expect("a string takes all");
    }
    if matches!(state, State::Unknown) {
        text += "  (interrupted: not known whether it was made)";
    }
    if let Some(trial) = store.trial()?.filter(|trial| trial.number == *number) {
        match trial.failed {
            None => write!(text, "  (until {}, unless confirmed)", utc(trial.until)),
            Some(why) => write!(text, "  (could not be taken back: {why})"),
        }
        .expect("a string takes all");
    }
    Ok(text)
}

fn in_full(entry: &Entry, store: &Store) -> Result<String, Failure> {
    let mut text = format!("{}\n", line(entry, store)?.trim_start());
    let Author { user, pid, command } = &entry.by;
    let sent = match entry.state {
        State::Applied { messages: 0, .. } => "the sender did not live to count the messages".to_owned(),
        State::Applied { messages, bytes, .. } => format!("one batch of {messages} messages, {bytes} bytes"),
        _ => "not known whether it was sent".to_owned(),
    };
    writeln!(text, "by {user}, process {pid}: {command}\n{sent}").expect("a string takes all");
    if let Some(generation) = entry.generation() {
        writeln!(text, "led to {generation}").expect("a string takes all");
    }
    Ok(text + &entry.diff.render(usize::MAX).naming(&interfaces::name_of).to_string())
}

/// A change as programs are told of it.
#[derive(Serialize)]
struct Told<'a> {
    number: u64,
    at: u64,
    by: &'a Author,
    undoes: Option<u64>,
    tables: &'a [TableId],
    state: &'static str,
    generation: Option<u32>,
    messages: Option<usize>,
    bytes: Option<usize>,
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<&'a Diff>,
}

impl<'a> Told<'a> {
    fn of(entry: &'a Entry, diff: Option<&'a Diff>) -> Self {
        let Entry { number, at, by, undoes, tables, diff: changes, state } = entry;
        let (state, generation, messages, bytes) = match state {
            State::Begun { .. } => ("begun", None, None, None),
            State::Unknown => ("unknown", None, None, None),
            State::Applied { generation, messages, bytes, .. } => {
                ("applied", *generation, Some(*messages), Some(*bytes))
            }
        };
        let summary = changes.summary();
        Self {
            number: *number,
            at: *at,
            by,
            undoes: *undoes,
            tables,
            state,
            generation,
            messages,
            bytes,
            summary,
            diff,
        }
    }
}
