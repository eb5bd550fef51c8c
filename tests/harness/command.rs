//! Programs, run in a namespace.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where changes are written down: below the `/run` that [`crate::prepare`] has made, so that the host's log stays alone.
pub const STATE: &str = "/run/rulectl-tests";

/// What a program printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program in the calling thread's namespace with `input` on its standard input.
///
/// # Panics
/// If it cannot be started.
pub fn try_run(program: &str, arguments: &[&str], input: &str) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("RULECTL_STATE_DIR", STATE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("piped above");
    let output = std::thread::scope(|scope| {
        // A program that does not read to the end closes the pipe; its exit code tells more than our error would.
        scope.spawn(move || stdin.write_all(input.as_bytes()).ok());
        child.wait_with_output()
    })
    .unwrap_or_else(|error| panic!("{program}: {error}"));
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program that must succeed; gives what it printed.
///
/// # Panics
/// If it fails, with everything it said.
pub fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let output = try_run(program, arguments, input);
    assert_eq!(
        output.code, 0,
        "{program} {arguments:?} failed\n--- input\n{input}\n--- output\n{}{}",
        output.stdout, output.stderr
    );
    output.stdout
}

/// Runs the `rulectl` of this build.
///
/// # Panics
/// If it was not built.
pub fn rulectl(arguments: &[&str], input: &str) -> Output {
    try_run(binary().to_str().expect("a path of this build"), arguments, input)
}

/// Where cargo puts the binary: two folders above a test, one above a benchmark or example's.
///
/// # Panics
/// If it was not built.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.ancestors()
        .skip(1)
        .map(|folder| folder.join("rulectl"))
        .find(|path| path.is_file())
        .expect("`rulectl` is built (cargo build --workspace)")
}
