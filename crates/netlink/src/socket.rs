//! The netlink socket: opened once, kept open; a whole batch in one `sendmsg`.
//!
//! What is avoided here, and why: `mnl::Socket::send_all` sends a page at a time, and the kernel throws away every
//! batch whose begin and end are not in one datagram. An acknowledgement per message overflows the receive buffer after
//! some 250 messages, and is not needed: the kernel works inside `sendmsg`, so all errors are in the receive buffer when
//! it returns. Without `NETLINK_CAP_ACK` an error repeats our whole message, up to 64 KiB of it, and so overflows the
//! buffer too. Opening a socket for each change costs thousands of times what the change does.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use crate::ffi::{self, NetfilterSocket};
use crate::message::{Message, Messages};
use crate::uapi;

/// What one `recv` takes: more than the kernel puts into one datagram of a dump (32 KiB).
const DATAGRAM: usize = 64 << 10;
/// How many bytes of replies may wait in the kernel. It counts what they occupy, not what they hold: some 1,000 bytes
/// for an error.
const REPLIES: i32 = 8 << 20;
/// What the kernel takes off the send buffer before it compares (`netlink_sendmsg`, net/netlink/af_netlink.c).
const SEND_OVERHEAD: usize = 32;

/// A socket to the netfilter of one network namespace.
pub(crate) struct Socket {
    socket: NetfilterSocket,
    received: Vec<u8>,
    seq: u32,
    send_buffer: usize,
}

/// Why a message was not sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It is larger than this, the largest this process may send.
    TooLarge { allowed: usize },
    /// The system call failed.
    Io(io::Error),
}

impl Socket {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = NetfilterSocket::open()?;
        let fd = socket.as_fd();
        ffi::set_option(fd, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1)?;
        ffi::set_option(fd, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1)?;
        make_room_for_replies(&socket)?;
        let send_buffer = send_buffer(&socket)?;
        Ok(Self { socket, received: vec![0; DATAGRAM], seq: 0, send_buffer })
    }

    /// A socket that hears who makes generations in the network namespace of the calling thread, and nothing else.
    pub(crate) fn listening_for_generations() -> io::Result<Self> {
        let socket = NetfilterSocket::listening(Some(uapi::NFNL_SUBSYS_NFTABLES << 8 | uapi::msg::NEWGEN))?;
        Ok(Self { socket, received: vec![0; DATAGRAM], seq: 0, send_buffer: 0 })
    }

    /// A socket that hears of all changes in the network namespace of the calling thread.
    pub(crate) fn listening() -> io::Result<Self> {
        let socket = NetfilterSocket::listening(None)?;
        make_room_for_replies(&socket)?;
        Ok(Self { socket, received: vec![0; DATAGRAM], seq: 0, send_buffer: 0 })
    }

    /// The number of the network namespace it belongs to.
    pub(crate) fn netns_cookie(&self) -> io::Result<u64> {
        ffi::netns_cookie(self.socket.as_fd())
    }

    /// A socket that tells addresses and routes of the network namespace of the calling thread.
    pub(crate) fn route() -> io::Result<Self> {
        Ok(Self { socket: NetfilterSocket::open_route()?, received: vec![0; DATAGRAM], seq: 0, send_buffer: 0 })
    }

    /// Takes `count` sequence numbers in a row and returns the first; 0 is never one of them.
    pub(crate) fn sequence(&mut self, count: u32) -> u32 {
        let first = match self.seq.checked_add(count) {
            Some(_) => self.seq + 1,
            None => 1,
        };
        self.seq = first.saturating_add(count - 1);
        first
    }

    /// Sends `bytes` as one datagram. The kernel has worked through all of it when this returns.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.make_room(bytes.len())?;
        let sent = retry(|| ffi::send(self.socket.as_fd(), &[IoSlice::new(bytes)])).map_err(SendError::Io)?;
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(SendError::Io(io::Error::new(io::ErrorKind::WriteZero, "the kernel took a part of the message only")))
        }
    }

    /// Sends a question. Only batches go by `sendmsg`, so that who traces system calls sees the changes by themselves.
    pub(crate) fn ask(&mut self, bytes: &[u8]) -> io::Result<()> {
        retry(|| self.socket.ask(bytes)).map(drop)
    }

    /// Makes the send buffer large enough for a datagram of that size.
    fn make_room(&mut self, needed: usize) -> Result<(), SendError> {
        if needed + SEND_OVERHEAD <= self.send_buffer {
            return Ok(());
        }
        // The kernel doubles what is asked for, up to i32::MAX.
        let ask = i32::try_from(needed).unwrap_or(i32::MAX);
        let fd = self.socket.as_fd();
        ffi::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, ask)
            .or_else(|_| ffi::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, ask))
            .map_err(SendError::Io)?;
        self.send_buffer = send_buffer(&self.socket).map_err(SendError::Io)?;
        if needed + SEND_OVERHEAD <= self.send_buffer {
            Ok(())
        } else {
            Err(SendError::TooLarge { allowed: self.send_buffer.saturating_sub(SEND_OVERHEAD) })
        }
    }

    /// Hands each message that is waiting to `take`, without waiting for more.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(Message<'_>)) -> io::Result<()> {
        while self.receive(libc::MSG_DONTWAIT, &mut take)? {}
        Ok(())
    }

    /// Hands the messages of the next datagram that is waiting to `take`; `false` if there is none.
    pub(crate) fn receive_now(&mut self, take: impl FnMut(Message<'_>)) -> io::Result<bool> {
        self.receive(libc::MSG_DONTWAIT, take)
    }

    /// Waits for a datagram and hands its messages to `take`.
    pub(crate) fn wait(&mut self, take: impl FnMut(Message<'_>)) -> io::Result<()> {
        self.receive(0, take).map(drop)
    }

    /// Hands the messages of the next datagram to `take`; `false` if there is none and the flags forbid to wait.
    fn receive(&mut self, flags: libc::c_int, take: impl FnMut(Message<'_>)) -> io::Result<bool> {
        let len = match retry(|| ffi::receive(self.socket.as_fd(), &mut self.received, flags)) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(datagram) = self.received.get(..len) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a datagram of {len} bytes was cut off")));
        };
        Messages(datagram).for_each(take);
        Ok(true)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Without CAP_NET_ADMIN over the whole system the buffer stays within net.core.rmem_max.
fn make_room_for_replies(socket: &NetfilterSocket) -> io::Result<()> {
    let set = |option| ffi::set_option(socket.as_fd(), libc::SOL_SOCKET, option, REPLIES);
    set(libc::SO_RCVBUFFORCE).or_else(|_| set(libc::SO_RCVBUF))
}

fn send_buffer(socket: &NetfilterSocket) -> io::Result<usize> {
    let size = ffi::option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF)?;
    Ok(usize::try_from(size).unwrap_or(0))
}

/// Calls again as long as a signal interrupts.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
