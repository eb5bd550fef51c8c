//! What comes in between: an end by force at any system call, and others who write.

use nix::libc::{
    SYS_bind, SYS_brk, SYS_close, SYS_exit_group, SYS_fcntl, SYS_fstat, SYS_futex, SYS_getdents64, SYS_geteuid,
    SYS_getpid, SYS_getsockname, SYS_getsockopt, SYS_getuid, SYS_ioctl, SYS_lseek, SYS_madvise, SYS_mmap, SYS_mprotect,
    SYS_mremap, SYS_munmap, SYS_newfstatat, SYS_read, SYS_recvfrom, SYS_rt_sigaction, SYS_sendmsg, SYS_sendto,
    SYS_setsockopt, SYS_sigaltstack, SYS_socket, SYS_statx,
};
use rulectl_tests::{rulectl, run};

use crate::traced::Traced;
use crate::{HOST, applied, by_nft, difference, listing};

/// Files with the ruleset of a host, and with another one.
struct Files {
    _folder: tempfile::TempDir,
    old: String,
    new: String,
    wanted: String,
}

fn files() -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = HOST.replace("dport 22 log", "dport 2222 log").replace("198.51.100.7", "198.51.100.8")
        + "table ip more {\n\tchain c {\n\t}\n}\n";
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path of text").to_owned()
    };
    Files { old: write("old.nft", HOST), new: write("new.nft", &wanted), wanted, _folder: folder }
}

fn ok(arguments: &[&str]) {
    let output = rulectl(arguments, "");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{arguments:?}");
}

/// Calls that change nothing that outlives the process: an end after one leaves what an end before it leaves.
const HARMLESS: &[i64] = &[
    SYS_sendto,
    SYS_recvfrom,
    SYS_read,
    SYS_close,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstat,
    SYS_lseek,
    SYS_socket,
    SYS_bind,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_fcntl,
    SYS_ioctl,
    SYS_getuid,
    SYS_geteuid,
    SYS_getpid,
    SYS_getdents64,
    SYS_rt_sigaction,
    SYS_sigaltstack,
    SYS_futex,
    SYS_exit_group,
];

/// Makes the tests end a command between all of its system calls, also where nothing can differ. It takes minutes.
const EVERY_CALL: &str = "RULECTL_TEST_EVERY_CALL";

/// Ends a command between its system calls, after the first that can reach the kernel's rules, and hands what it has left
/// to `check`. Each end of it must leave the same to do.
fn between_calls(arguments: &[&str], mut check: impl FnMut(&str)) {
    let start = || {
        let mut traced = Traced::start(arguments);
        traced.until(SYS_socket).expect("it opens a socket");
        traced
    };
    let mut whole = start();
    let calls: Vec<i64> = std::iter::from_fn(|| whole.next().ok()).collect();
    check("all calls");
    let everywhere = std::env::var_os(EVERY_CALL).is_some();
    let (mut after, mut ends) = (None, 0);
    for (index, call) in calls.iter().enumerate() {
        if everywhere || after.is_none_or(|call| !HARMLESS.contains(&call)) {
            let mut traced = start();
            let reached = (0..=index).all(|_| traced.next().is_ok());
            traced.kill();
            check(&format!(
                "{index} calls of {}, before number {call}{}",
                calls.len(),
                if reached { "" } else { ", at its end" }
            ));
            ends += 1;
        }
        after = Some(*call);
    }
    assert!(ends > 10, "{ends} ends between {calls:?}");
}

pub(crate) fn killed() {
    let Files { old, new, wanted, .. } = &files();
    ok(&["apply", old]);
    let (before, after) = (listing(), by_nft(wanted));
    let (mut untouched, mut done) = (0, 0);
    between_calls(&["apply", new], |calls| {
        let left = listing();
        assert!(left == before || left == after, "after {calls}:\n{left}");
        if left == before {
            untouched += 1
        } else {
            done += 1
        }
        // The next run does what is left to do, and knows what there is to undo.
        ok(&["apply", new]);
        assert_eq!(listing(), after, "after {calls}");
        ok(&["undo"]);
        assert_eq!(listing(), before, "after {calls}");
    });
    assert!(untouched > 5 && done > 5, "{untouched} times untouched, {done} times done");
}

pub(crate) fn killed_undo() {
    let Files { old, new, wanted, .. } = &files();
    ok(&["apply", old]);
    let (before, after) = (listing(), by_nft(wanted));
    ok(&["apply", new]);
    let mut done = 0;
    between_calls(&["undo"], |calls| {
        let left = listing();
        assert!(left == before || left == after, "after {calls}:\n{left}");
        // If it was done, the next takes that back; so two lead back to where it began.
        if left == before {
            done += 1;
        } else {
            ok(&["undo"]);
            assert_eq!(listing(), before, "after {calls}");
        }
        ok(&["undo"]);
        assert_eq!(listing(), after, "after {calls}");
    });
    assert!(done > 5, "{done} times done");
}

/// Somebody changes the ruleset after it was read, before the change is committed.
pub(crate) fn writer_between() {
    let Files { old, new, wanted, .. } = &files();
    let flush: &[&str] = &["flush", "ruleset"];
    let element: &[&str] = &["add", "element", "inet", "filter", "blocked", "{ 198.51.100.99 }"];
    let elsewhere: &[&str] = &["add", "table", "ip", "other"];
    for (what, commits) in [(element, 2), (elsewhere, 2), (flush, 2)] {
        run("nft", &["flush", "ruleset"], "");
        ok(&["apply", old]);
        let mut traced = Traced::start(&["apply", new]);
        traced.until(SYS_sendmsg).expect("it sends a batch");
        run("nft", what, "");
        let mut sent = 1;
        while traced.until(SYS_sendmsg).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, commits, "{what:?}: the first is refused, the second made for what is there");
        assert_eq!(difference(wanted), "", "{what:?}");
        assert_eq!(listing().contains("table ip other"), what == elsewhere, "{what:?}");
    }
    // As often as it is tried: in the end it says so, and has done nothing.
    ok(&["apply", old]);
    let before = listing();
    let mut traced = Traced::start(&["apply", new]);
    let mut sent = 0;
    let code = loop {
        match traced.until(SYS_sendmsg) {
            Ok(()) => {
                sent += 1;
                run("nft", &["add", "table", "ip", "other"], "");
                run("nft", &["add", "chain", "ip", "other", &format!("c{sent}")], "");
            }
            Err(code) => break code,
        }
    };
    assert_eq!((sent, code), (5, 2));
    run("nft", &["delete", "table", "ip", "other"], "");
    assert_eq!(listing(), before);
    applied(wanted);
}
