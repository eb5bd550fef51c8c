//! What a kernel test needs of its process, and what happens where it cannot have it.

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use rulectl_netlink::netns;

/// Documented in CONTRIBUTING.md: skips kernel tests where they cannot run.
const SKIP: &str = "RULECTL_SKIP_KERNEL_TESTS";

/// The `main` of a kernel test binary: prepares the process, then runs the tests.
///
/// Tests run one after the other: they time connections and count packets.
pub fn kernel_tests(tests: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, tests()).exit_code();
    }
    if let Err(reason) = prepare() {
        if std::env::var_os(SKIP).is_some_and(|value| value == "1") {
            eprintln!("\n!!! {SKIP}=1: ALL KERNEL TESTS OF THIS BINARY ARE SKIPPED: {reason}\n");
            return ExitCode::SUCCESS;
        }
        eprintln!("kernel tests cannot run: {reason}\n(set {SKIP}=1 to skip them)");
        return ExitCode::FAILURE;
    }
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, tests()).exit_code()
}

/// Makes the process able to make network namespaces, and hides the host's `/run` from what it starts.
///
/// Must be called before the process has threads.
///
/// # Errors
/// Says in words what is missing.
pub fn prepare() -> Result<(), String> {
    // The tools must be found where Debian puts them for root.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{path}:/usr/sbin:/sbin");
    for tool in ["ip", "nft", "iptables-legacy-restore", "iptables-nft-restore", "conntrack"] {
        let found = path.split(':').any(|folder| std::path::Path::new(folder).join(tool).exists());
        if !found {
            return Err(format!("`{tool}` is not installed (make packages)"));
        }
    }
    netns::isolate().map_err(|error| format!("no private namespaces: {error}"))?;
    // The lock of x_tables and the names of `ip netns` are there.
    for arguments in [&["--make-rprivate", "/"][..], &["-t", "tmpfs", "tmpfs", "/run"]] {
        let mounted = Command::new("mount").args(arguments).status();
        if !mounted.is_ok_and(|status| status.success()) {
            return Err("cannot mount a private /run".to_owned());
        }
    }
    Ok(())
}
