//! `rulectl`: read, compare and atomically change netfilter rules.
//!
//! Exit codes: 0 done, or nothing differs; 1 something differs (`diff`, `fmt --check`), is stale (`conntrack stale`) or
//! is not translated (`translate`); 2 an error, with nothing changed.

mod args;
mod clock;
mod command;
mod desired;
mod dump;
mod failure;
mod flows;
mod history;
mod include;
mod input;
mod journal;
mod keeper;
mod listing;
mod output;
mod plan_file;
mod report;
mod restore;
mod target;
mod theirs;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::output::Terminal;

/// Something differs.
const DIFFERS: u8 = 1;
/// Nothing was done.
const ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    trace(cli.verbose);
    let terminal = Terminal::new(cli.color);
    let result = match &cli.command {
        Command::Compile(args) => command::compile::run(args, &terminal),
        Command::Diff(args) => command::diff::run(args, &terminal),
        Command::Apply(args) => command::apply::run(args, &terminal),
        Command::Plan(args) => command::plan::run(args, &terminal),
        Command::Undo(args) => command::undo::run(args, &terminal),
        Command::Log(args) => command::log::run(args, &terminal),
        Command::Confirm(args) => command::confirm::run(args, &terminal),
        Command::Keep(args) => keeper::run(args),
        Command::Delete(args) => command::delete::run(args, &terminal),
        Command::Show(args) => command::show::run(args, &terminal),
        Command::Migrate(args) => command::migrate::run(args, &terminal),
        Command::Conntrack(args) => command::conntrack::run(args, &terminal),
        Command::Monitor(args) => command::monitor::run(args, &terminal),
        Command::Parse(args) => command::parse::run(args, &terminal),
        Command::Translate(args) => command::translate::run(args, &terminal),
        Command::Fmt(args) => command::fmt::run(args, &terminal),
        Command::Completions(args) => command::completions::run(args, &terminal),
        Command::Man(args) => command::man::run(args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            terminal.failure(&failure);
            ExitCode::from(ERROR)
        }
    }
}

/// Sends what the libraries trace to standard error.
fn trace(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
}
