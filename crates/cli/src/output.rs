//! What people see: colour on a terminal, findings and failures on standard error.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use rulectl_ruleset::service::{Finding, Severity};

use crate::args::Color;
use crate::failure::{Failure, is_closed_pipe};

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const INFO: Style = AnsiColor::Blue.on_default();

/// Where output goes, and whether it may be coloured.
#[derive(Debug)]
pub(crate) struct Terminal {
    stdout_color: bool,
    stderr_color: bool,
}

impl Terminal {
    pub(crate) fn new(color: Color) -> Self {
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org: present and not empty.
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        Self { stdout_color: wanted(io::stdout().is_terminal()), stderr_color: wanted(io::stderr().is_terminal()) }
    }

    /// Writes text as it is.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Writes the lines of a difference, coloured by their first sign.
    pub(crate) fn print_diff(&self, text: &str) -> Result<(), Failure> {
        if !self.stdout_color {
            return self.print(text);
        }
        let colored: String = text
            .lines()
            .map(|line| match line.trim_start().chars().next() {
                Some('+') => paint(ADDED, line),
                Some('-') => paint(REMOVED, line),
                Some('~') => paint(CHANGED, line),
                _ => line.to_owned(),
            })
            .map(|line| line + "\n")
            .collect();
        self.print(&colored)
    }

    /// Tells people what was found in their map.
    pub(crate) fn findings(&self, findings: &[Finding]) {
        for finding in findings {
            let line = finding.to_string();
            let style = match finding.severity {
                Severity::Error => ERROR,
                Severity::Warning => WARNING,
                Severity::Info => INFO,
            };
            self.note_styled(style, &line);
        }
    }

    /// Tells people something beside the output.
    pub(crate) fn note(&self, line: &str) {
        eprintln!("{line}");
    }

    /// Says why nothing was done.
    pub(crate) fn failure(&self, failure: &Failure) {
        if is_closed_pipe(failure) {
            return;
        }
        match failure {
            // These begin with their place.
            Failure::Parse { .. } | Failure::Refused { .. } => self.note(&failure.to_string()),
            _ => self.note_styled(ERROR, &format!("error: {failure}")),
        }
    }

    fn note_styled(&self, style: Style, line: &str) {
        match line.split_once(": ") {
            Some((head, rest)) if self.stderr_color => eprintln!("{}: {rest}", paint(style, head)),
            _ => eprintln!("{line}"),
        }
    }
}

fn paint(style: Style, text: &str) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}
