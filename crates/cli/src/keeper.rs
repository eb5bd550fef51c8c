//! The process that takes a change back unless it is confirmed in time.
//!
//! It is on its own: in a session of its own, with nothing open and nowhere to be, so that it outlives the terminal or
//! connection that started it, and that the change may have cut off. It is there before the change is committed, and
//! knows from the log what to take back, also if the process that committed it died at that moment.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::args::Keep;
use crate::failure::Failure;
use crate::history::{Store, Trial, now};
use crate::journal::Journal;
use crate::target;

/// How often it looks whether the change is confirmed.
const PAUSE: Duration = Duration::from_millis(100);
/// What it says when it is on its own.
const READY: &[u8] = b"ready";

/// A process that waits.
pub(crate) struct Keeper;

impl Keeper {
    /// Has a process wait for so many seconds. It is there when this returns.
    pub(crate) fn start(store: &Store, number: u64, seconds: u32) -> Result<Self, Failure> {
        let failure = |message: String| Failure::Program { program: "rulectl keep".to_owned(), message };
        let mut trial = Trial { number, until: now() + u64::from(seconds), keeper: 0, failed: None };
        // Before it looks for that.
        store.try_out(&trial)?;
        let program = std::env::current_exe().map_err(|error| failure(error.to_string()))?;
        let mut child = Command::new(program)
            .args(["keep", &number.to_string(), &seconds.to_string(), "--state-dir"])
            .arg(store.state_dir())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failure(error.to_string()))?;
        let mut said = Vec::new();
        let heard = child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut said));
        if !matches!(heard, Some(Ok(_))) || said != READY {
            return Err(failure("it does not start, so the change would not be taken back".to_owned()));
        }
        trial.keeper = child.id();
        store.try_out(&trial)?;
        Ok(Self)
    }
}

/// The life of that process.
pub(crate) fn run(args: &Keep) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    // Whoever started it is no leader of a group, so this does not fail; and if it did, the wait would be as good.
    let _ = rustix::process::setsid();
    let mut kernel = target::kernel()?;
    let path = Journal::trial_path(&args.state, &kernel)?;
    close_stdout()?;
    while start.elapsed() < Duration::from_secs(args.seconds.into()) {
        if !waits(&path, args.number) {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(PAUSE);
    }
    let journal = Journal::required(&args.state, &mut kernel)?;
    let Some(store) = journal.store() else { return Ok(ExitCode::SUCCESS) };
    let Some(trial) = store.trial()?.filter(|trial| trial.number == args.number) else { return Ok(ExitCode::SUCCESS) };
    if store.last()?.is_none_or(|last| last.number != args.number) {
        // It never came to be.
        store.end_trial()?;
        return Ok(ExitCode::SUCCESS);
    }
    // What others have changed beside it is no reason to stay locked out.
    let taken_back = journal.take_back(&mut kernel, true).or_else(|_| journal.take_back(&mut kernel, false));
    if let Err(failure) = taken_back {
        store.try_out(&Trial { failed: Some(failure.to_string()), ..trial })?;
        return Err(failure);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that all is ready, and lets go of the pipe: whoever reads it waits for that.
fn close_stdout() -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(READY)?;
    stdout.flush()?;
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null).map_err(|error| Failure::Output(error.into()))
}

/// Whether the change still waits. One that cannot be read does.
fn waits(path: &Path, number: u64) -> bool {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice::<Trial>(&text).is_ok_and(|trial| trial.number == number),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}
