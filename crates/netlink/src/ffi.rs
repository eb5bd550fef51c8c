//! System calls, as safe functions with every return code checked.

use std::ffi::{CStr, CString, c_int};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// `NS_GET_NSTYPE` (linux/nsfs.h, ioctl_nsfs(2)).
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// Turns the `-1` of a system call into its error.
fn checked(code: c_int) -> io::Result<c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// The same for calls that count bytes.
fn counted(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// unshare(2): moves the calling thread into new namespaces.
pub(crate) fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: takes no pointer. The flags used here (CLONE_NEWNET, CLONE_NEWUSER) share no memory or files anew.
    checked(unsafe { libc::unshare(flags) }).map(drop)
}

/// setns(2): moves the calling thread into the network namespace behind `fd`.
pub(crate) fn enter_netns(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes no pointer; `fd` is open as long as it is borrowed.
    checked(unsafe { libc::setns(fd.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// ioctl_nsfs(2): the `CLONE_NEW*` flag of the namespace behind `fd`.
pub(crate) fn namespace_type(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    // SAFETY: this request takes no argument; `fd` is open as long as it is borrowed.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) })
}

/// geteuid(2) and getegid(2).
pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: both calls take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// if_nametoindex(3): `None` if there is no interface of that name.
pub(crate) fn interface_index(name: &CStr) -> Option<u32> {
    // SAFETY: `name` ends with a zero and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// if_indextoname(3): `None` if there is no interface of that number.
pub(crate) fn interface_name(index: u32) -> Option<CString> {
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the pointer leads to IF_NAMESIZE bytes that outlive the call, as many as it may write.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return None;
    }
    CStr::from_bytes_until_nul(&name).ok().map(CStr::to_owned)
}

/// fcntl(2): closes `fd` when a child executes another program.
pub(crate) fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_SETFD takes a number; `fd` is open as long as it is borrowed.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// setsockopt(2) for options that are a number.
pub(crate) fn set_option(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    let len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the pointer leads to `len` bytes of `value`, which outlives the call.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const value).cast(), len) }).map(drop)
}

/// getsockopt(2) for options that are a number.
pub(crate) fn option(fd: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: both pointers lead to variables that outlive the call; `len` is the size of `value`.
    checked(unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// socket(7), `SO_NETNS_COOKIE`: a number that no other network namespace has until the machine starts anew.
pub(crate) fn netns_cookie(fd: BorrowedFd<'_>) -> io::Result<u64> {
    /// asm-generic/socket.h; libc does not name it.
    const SO_NETNS_COOKIE: c_int = 71;
    let mut cookie: u64 = 0;
    let mut len = size_of::<u64>() as libc::socklen_t;
    let value = (&raw mut cookie).cast();
    // SAFETY: both pointers lead to variables that outlive the call; `len` is the size of `cookie`.
    checked(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, SO_NETNS_COOKIE, value, &raw mut len) })?;
    Ok(cookie)
}

/// `SIOCGSKNS` (linux/sockios.h): the network namespace a socket belongs to.
pub(crate) fn netns_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const SIOCGSKNS: libc::Ioctl = 0x894c;
    // SAFETY: this request takes no argument; `socket` is open as long as it is borrowed.
    let fd = checked(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// poll(2): whether there is something to read, for which it waits so long, or for ever.
pub(crate) fn wait_until_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // Rounded up, so that it does not return before the time is over.
    let millis = timeout.map_or(-1, |time| c_int::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(c_int::MAX));
    // SAFETY: the pointer leads to one pollfd that outlives the call.
    checked(unsafe { libc::poll(&raw mut polled, 1, millis) }).map(|ready| ready > 0)
}

/// sendmsg(2): all the parts as one message to the kernel's end of a netlink socket.
pub(crate) fn send(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: all fields of msghdr are numbers and pointers, for which zero is valid: no address, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // An IoSlice has the layout of an iovec (its documentation guarantees that); sendmsg does not write to them.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    // SAFETY: `message` leads to `parts.len()` iovecs whose memory is borrowed for the whole call.
    counted(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, 0) })
}

/// recv(2): the next datagram. Returns its whole length, which is more than `buffer` holds if it was cut off.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: c_int) -> io::Result<usize> {
    let flags = flags | libc::MSG_TRUNC;
    // SAFETY: the pointer and length are those of `buffer`, borrowed mutably for the whole call.
    counted(unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) })
}

/// localtime_r(3): by how many seconds clocks of this process's time zone are before UTC at that moment.
pub(crate) fn local_offset(seconds: i64) -> Option<i64> {
    let time = libc::time_t::try_from(seconds).ok()?;
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers lead to values of their type that outlive the call; the second is only written.
    let filled = unsafe { libc::localtime_r(&raw const time, parts.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: localtime_r has filled the value, as its result says.
    Some(unsafe { parts.assume_init() }.tm_gmtoff)
}

/// A netlink socket, most often to netfilter, opened and bound by libmnl.
pub(crate) struct NetfilterSocket(mnl::Socket);

// SAFETY: a `mnl_socket` is a descriptor and an address on the heap; libmnl ties neither to a thread.
unsafe impl Send for NetfilterSocket {}

impl NetfilterSocket {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = Self(mnl::Socket::new(mnl::Bus::Netfilter)?);
        close_on_exec(socket.as_fd())?;
        Ok(socket)
    }

    /// A socket to the addresses and routes of the network namespace of the calling thread.
    pub(crate) fn open_route() -> io::Result<Self> {
        let socket = Self(mnl::Socket::new(mnl::Bus::Route)?);
        close_on_exec(socket.as_fd())?;
        Ok(socket)
    }

    /// sendto(2): one small message to the kernel.
    pub(crate) fn ask(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    /// A socket that hears of changes to nf_tables in the network namespace of the calling thread. With `kind` only
    /// messages of that type, and only where one is the first of its datagram.
    pub(crate) fn listening(kind: Option<u16>) -> io::Result<Self> {
        let socket = mnl::Socket::open(mnl::Bus::Netfilter)?;
        let socket = Self(socket);
        close_on_exec(socket.as_fd())?;
        kind.map_or(Ok(()), |kind| attach_filter(socket.as_fd(), kind))?;
        socket.0.bind(1 << (libc::NFNLGRP_NFTABLES - 1), 0)?;
        Ok(socket)
    }
}

/// socket(7), `SO_ATTACH_FILTER`: a program that lets only messages of that type pass.
fn attach_filter(fd: BorrowedFd<'_>, kind: u16) -> io::Result<()> {
    /// Where the type stands in `struct nlmsghdr`.
    const TYPE: u32 = 4;
    // The program loads big-endian numbers, the type is in the order of the machine.
    let kind = u16::from_be_bytes(kind.to_ne_bytes());
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, TYPE),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, kind.into()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let len = size_of::<libc::sock_fprog>() as libc::socklen_t;
    let start = (&raw const program).cast();
    // SAFETY: `start` leads to a sock_fprog of `len` bytes, which leads to `program.len` instructions; both outlive the
    // call, and the kernel copies them.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, start, len) }).map(drop)
}

impl AsFd for NetfilterSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open until `self.0` is dropped, which the borrow of `self` forbids.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}
