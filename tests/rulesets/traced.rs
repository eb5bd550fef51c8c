//! A program that is stopped at each of its system calls.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rulectl_tests::{STATE, binary};

/// `rulectl`, stopped before each system call it makes.
pub(crate) struct Traced {
    child: Child,
    pid: Pid,
    /// Stops are by turns before and after a call.
    inside: bool,
    ended: bool,
}

impl Traced {
    /// Starts it, and stops it when it has just been executed.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        // Waits for a line, so that there is time to take hold of it.
        let mut child = Command::new("sh")
            .args(["-c", "read line; exec \"$0\" \"$@\""])
            .arg(binary())
            .args(arguments)
            .env("RULECTL_STATE_DIR", STATE)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pid = Pid::from_raw(child.id().cast_signed());
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
        ptrace::seize(pid, options).expect("a child may be traced");
        child.stdin.take().expect("piped above").write_all(b"\n").expect("it reads a line");
        loop {
            match waitpid(pid, None).expect("it is our child") {
                WaitStatus::PtraceEvent(..) => break,
                WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal).expect("it is stopped"),
                other => panic!("{other:?}"),
            }
        }
        // The call that has executed it is not over yet.
        Self { child, pid, inside: true, ended: false }
    }

    /// Lets it go on until it is about to make the next system call, and gives the call's number; its exit code if it
    /// ends before. What it starts itself is not traced.
    pub(crate) fn next(&mut self) -> Result<i64, i32> {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal.take()).expect("it is stopped");
            match waitpid(self.pid, None).expect("it is our child") {
                WaitStatus::PtraceSyscall(_) => {
                    self.inside = !self.inside;
                    if self.inside {
                        return Ok(self.call());
                    }
                }
                WaitStatus::Stopped(_, other) => signal = Some(other),
                WaitStatus::Exited(_, code) => {
                    self.ended = true;
                    return Err(code);
                }
                WaitStatus::PtraceEvent(..) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets it go on until it is about to make that system call; its exit code if it never does.
    pub(crate) fn until(&mut self, call: i64) -> Result<(), i32> {
        while self.next()? != call {}
        Ok(())
    }

    /// Ends it where it is, if it has not ended by itself.
    pub(crate) fn kill(mut self) {
        if self.ended {
            return;
        }
        kill(self.pid, Signal::SIGKILL).expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    fn call(&self) -> i64 {
        let text = std::fs::read_to_string(format!("/proc/{}/syscall", self.pid)).expect("it is stopped");
        text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("proc_pid_syscall(5)")
    }
}
