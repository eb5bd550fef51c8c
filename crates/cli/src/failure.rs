//! Why a command did nothing, and whose fault that is.

use std::io;
use std::path::PathBuf;

use rulectl_netlink::conntrack::ConntrackError;
use rulectl_netlink::netns::NetnsError;
use rulectl_netlink::{CommitError, ReadError};
use rulectl_ruleset::diff::Conflict;
use rulectl_ruleset::iptables::PlanConflict;
use rulectl_ruleset::lower::LowerError;
use rulectl_ruleset::text::ParseError;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The input cannot be read.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The input is wrong.
    #[error("{}", lines(errors))]
    Parse { errors: Vec<ParseError> },
    /// The input cannot be done as asked.
    #[error("{0}")]
    Usage(String),
    /// The rules have no program.
    #[error("{}", lines(errors))]
    Lower { errors: Vec<LowerError> },
    /// The kernel did not take rules that have a place in the input.
    #[error("{}\nnothing was changed", lines(errors))]
    Refused { errors: Vec<ParseError> },
    /// Somebody else has what we want to make.
    #[error("{}", lines(conflicts))]
    Conflict { conflicts: Vec<Conflict> },
    /// Somebody else's rule needs a chain that would go.
    #[error(transparent)]
    InUse(#[from] PlanConflict),
    /// The network namespace cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel cannot be read.
    #[error("cannot read the kernel's rules: {0}")]
    Read(#[from] ReadError),
    /// Connections cannot be read or deleted.
    #[error(transparent)]
    Conntrack(#[from] ConntrackError),
    /// The kernel did not take the change.
    #[error("nothing was changed: {0}")]
    Commit(#[from] CommitError),
    /// A program we need failed.
    #[error("`{program}` failed: {message}")]
    Program { program: String, message: String },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl From<Vec<Conflict>> for Failure {
    fn from(conflicts: Vec<Conflict>) -> Self {
        Self::Conflict { conflicts }
    }
}

fn lines<T: ToString>(errors: &[T]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reading a pipe that was closed is the reader's choice, not an error.
pub(crate) fn is_closed_pipe(failure: &Failure) -> bool {
    matches!(failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
}
