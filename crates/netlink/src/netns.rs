//! Network namespaces: make one, open one, run code inside one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;

use crate::ffi;

/// Where `ip netns add` keeps its names (ip-netns(8)).
const NAMES: &str = "/run/netns";

/// A network namespace. It lives at least as long as this does.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

/// Why a namespace could not be made or entered. The environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetnsError {
    /// A system call failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: String,
        /// How it failed.
        source: io::Error,
    },
    /// The file is there, but it is no network namespace.
    #[error("`{}` is not a network namespace", path.display())]
    NotANetns {
        /// The file.
        path: PathBuf,
    },
    /// A user namespace is entered by a whole process, which must have one thread only.
    #[error("a user namespace can only be entered while the process has a single thread, but it has {threads}")]
    Threads {
        /// How many there are.
        threads: usize,
    },
}

impl NetnsError {
    fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

impl Netns {
    /// A fresh namespace with nothing but a loopback device that is down. It has no name and goes when the last
    /// process and socket in it and this value are gone.
    ///
    /// # Errors
    /// Without the right to make one (`CAP_SYS_ADMIN`, see [`enter_user_namespace`]).
    pub fn new() -> Result<Self, NetnsError> {
        on_a_thread(|| {
            ffi::unshare(libc::CLONE_NEWNET).map_err(NetnsError::io("making a network namespace"))?;
            Self::current()
        })
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// Where /proc is not mounted.
    pub fn current() -> Result<Self, NetnsError> {
        Self::open_path(Path::new("/proc/thread-self/ns/net"))
    }

    /// The namespace of that name (of `ip netns`), or, if there is a `/` in it, behind that path.
    ///
    /// # Errors
    /// If there is none, or it may not be read.
    pub fn open(name_or_path: &str) -> Result<Self, NetnsError> {
        if name_or_path.contains('/') {
            Self::open_path(Path::new(name_or_path))
        } else {
            Self::open_path(&Path::new(NAMES).join(name_or_path))
        }
    }

    /// The namespace a socket belongs to.
    pub(crate) fn of(socket: &impl AsFd) -> io::Result<Self> {
        Ok(Self { file: ffi::netns_of(socket.as_fd())?.into() })
    }

    fn open_path(path: &Path) -> Result<Self, NetnsError> {
        let file =
            File::open(path).map_err(NetnsError::io(format!("opening network namespace `{}`", path.display())))?;
        match ffi::namespace_type(file.as_fd()) {
            Ok(libc::CLONE_NEWNET) => Ok(Self { file }),
            _ => Err(NetnsError::NotANetns { path: path.to_owned() }),
        }
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets it opens and processes it starts belong to
    /// the namespace for good. A panic inside goes on outside.
    ///
    /// # Errors
    /// Without the right to enter it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        on_a_thread(|| {
            self.enter()?;
            Ok(work())
        })
    }

    /// Moves the calling thread into the namespace for good. Threads and processes it starts afterwards begin there;
    /// other threads stay where they are.
    ///
    /// # Errors
    /// Without the right to enter it.
    pub fn enter(&self) -> Result<(), NetnsError> {
        ffi::enter_netns(self.file.as_fd()).map_err(NetnsError::io("entering a network namespace"))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, NetnsError> + Send) -> Result<T, NetnsError> {
    let outcome = thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, work) {
        Ok(thread) => Ok(thread.join()),
        Err(source) => Err(NetnsError::Io { action: "starting a thread".into(), source }),
    })?;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes an ordinary user able to make network namespaces and rule over them: moves the whole process into a new user
/// namespace, in which it is root. user_namespaces(7).
///
/// # Errors
/// If the process has more than one thread, or the system does not let users do that
/// (`kernel.unprivileged_userns_clone`, `user.max_user_namespaces`).
pub fn enter_user_namespace() -> Result<(), NetnsError> {
    let threads = fs::read_dir("/proc/self/task").map_err(NetnsError::io("counting threads"))?.count();
    if threads > 1 {
        return Err(NetnsError::Threads { threads });
    }
    let (user, group) = ffi::effective_ids();
    ffi::unshare(libc::CLONE_NEWUSER).map_err(NetnsError::io("making a user namespace"))?;
    // The kernel lets a user map his own group only after giving up setgroups(2).
    for (file, text) in
        [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {user} 1")), ("gid_map", format!("0 {group} 1"))]
    {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(NetnsError::io(format!("writing the user namespace's {file}")))?;
    }
    Ok(())
}

/// Moves the process into network and mount namespaces of its own, so that nothing it does reaches the host: for tests
/// and demonstrations. An ordinary user gets a user namespace first, see [`enter_user_namespace`].
///
/// # Errors
/// If the process has more than one thread, or may make no namespaces.
pub fn isolate() -> Result<(), NetnsError> {
    if ffi::effective_ids().0 != 0 {
        enter_user_namespace()?;
    }
    ffi::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS).map_err(NetnsError::io("making namespaces"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    /// The number of a namespace, the same for all its descriptors.
    fn inode(netns: &Netns) -> u64 {
        netns.file.metadata().unwrap().ino()
    }

    #[test]
    fn code_runs_inside_and_the_caller_stays_outside() {
        let outside = inode(&Netns::current().unwrap());
        let netns = Netns::new().unwrap();
        assert_ne!(inode(&netns), outside);
        assert_eq!(netns.run(|| inode(&Netns::current().unwrap())).unwrap(), inode(&netns));
        assert_eq!(inode(&Netns::current().unwrap()), outside);
    }

    #[test]
    fn a_file_that_is_no_network_namespace_is_refused_by_name() {
        assert!(matches!(Netns::open("/proc/self/ns/uts"), Err(NetnsError::NotANetns { .. })));
        let error = Netns::open("surely-not-there").unwrap_err().to_string();
        assert!(error.contains("`/run/netns/surely-not-there`"), "{error}");
    }

    #[test]
    fn a_process_of_many_threads_cannot_enter_a_user_namespace() {
        // A test runs on a thread beside the main one.
        assert!(matches!(enter_user_namespace(), Err(NetnsError::Threads { threads: 2.. })));
    }
}
