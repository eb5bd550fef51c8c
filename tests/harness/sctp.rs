//! SCTP by raw sockets, so that it works where the kernel has no SCTP of its own: an INIT and its INIT ACK (RFC 9260,
//! sections 3.3.2 and 3.3.3), which is all that conntrack and NAT need to see of an association.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};
use rustix::net::{bind, connect, recvfrom, send, sendto, socket};

use crate::traffic::{Answer, Failure, parse_greeting};

const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// The parameter of an INIT ACK that a peer must send back as it came: room for our greeting.
const STATE_COOKIE: u16 = 7;
const TAG: u32 = 0x5ca1_ab1e;

/// A packet with one INIT or INIT ACK chunk.
struct Packet {
    source: u16,
    destination: u16,
    chunk: u8,
    cookie: Vec<u8>,
}

impl Packet {
    fn bytes(&self) -> Vec<u8> {
        let padded = self.cookie.len().next_multiple_of(4);
        let cookie = if self.cookie.is_empty() { 0 } else { 4 + padded };
        let mut bytes = Vec::with_capacity(32 + cookie);
        bytes.extend(self.source.to_be_bytes());
        bytes.extend(self.destination.to_be_bytes());
        bytes.extend(if self.chunk == INIT { 0 } else { TAG }.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend([self.chunk, 0]);
        bytes.extend((20 + cookie as u16).to_be_bytes());
        bytes.extend(TAG.to_be_bytes());
        bytes.extend(65_536_u32.to_be_bytes());
        bytes.extend([0, 1, 0, 1]);
        bytes.extend(1_u32.to_be_bytes());
        if cookie > 0 {
            bytes.extend(STATE_COOKIE.to_be_bytes());
            bytes.extend((4 + self.cookie.len() as u16).to_be_bytes());
            bytes.extend(&self.cookie);
            bytes.resize(32 + cookie, 0);
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let cookie = match half(32) {
            Some(STATE_COOKIE) => bytes.get(36..32 + usize::from(half(34)?))?.to_vec(),
            _ => Vec::new(),
        };
        Some(Self { source: half(0)?, destination: half(2)?, chunk: *bytes.get(12)?, cookie })
    }
}

/// A raw socket's packet without the IP header that IPv4 leaves in front.
fn payload(bytes: &[u8], v4: bool) -> &[u8] {
    let header = if v4 { bytes.first().map_or(0, |first| usize::from(first & 15) * 4) } else { 0 };
    bytes.get(header..).unwrap_or_default()
}

fn raw(v4: bool) -> io::Result<OwnedFd> {
    let family = if v4 { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket(family, SocketType::RAW, Some(ipproto::SCTP))?)
}

/// Sockets that get every SCTP packet of the namespace, one for each family.
pub(crate) fn listen() -> io::Result<[OwnedFd; 2]> {
    let v4 = raw(true)?;
    bind(&v4, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let v6 = raw(false)?;
    bind(&v6, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
    Ok([v4, v6])
}

/// Answers each INIT to that port with an INIT ACK that carries our name and the source address.
pub(crate) fn serve(socket: &OwnedFd, port: u16, name: &str) {
    let mut buffer = [0; 2048];
    while let Ok((len, _, Some(peer))) = recvfrom(socket, &mut buffer, RecvFlags::empty()) {
        let Ok(peer) = SocketAddr::try_from(peer) else { continue };
        let Some(packet) = Packet::parse(payload(&buffer[..len], peer.is_ipv4())) else { continue };
        if packet.destination != port || packet.chunk != INIT {
            continue;
        }
        let answer = Packet {
            source: port,
            destination: packet.source,
            chunk: INIT_ACK,
            cookie: format!("{name} {}\n", peer.ip()).into_bytes(),
        };
        // A client that is gone is no reason to stop.
        let _ = sendto(socket, &answer.bytes(), SendFlags::empty(), &SocketAddr::new(peer.ip(), 0));
    }
}

/// Sends an INIT from a port of its own and waits for the INIT ACK.
pub(crate) fn ask(to: SocketAddr, patience: Duration) -> Result<Answer, Failure> {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let source = PORT.fetch_add(1, Ordering::Relaxed);
    let socket = raw(to.is_ipv4())?;
    connect(&socket, &SocketAddr::new(to.ip(), 0)).map_err(io::Error::from)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(patience / 10)).map_err(io::Error::from)?;
    let init = Packet { source, destination: to.port(), chunk: INIT, cookie: Vec::new() };
    let start = Instant::now();
    let mut buffer = [0; 2048];
    loop {
        send(&socket, &init.bytes(), SendFlags::empty()).map_err(io::Error::from)?;
        match heard(&socket, &mut buffer, source, to) {
            Ok(answer) => return Ok(answer),
            Err(Failure::TimedOut) if start.elapsed() < patience => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// The next INIT ACK for us; packets for others are passed over.
fn heard(socket: &OwnedFd, buffer: &mut [u8], source: u16, to: SocketAddr) -> Result<Answer, Failure> {
    loop {
        let (len, ..) = recvfrom(socket, &mut *buffer, RecvFlags::empty()).map_err(io::Error::from)?;
        let Some(packet) = Packet::parse(payload(&buffer[..len], to.is_ipv4())) else { continue };
        if packet.destination == source && packet.source == to.port() && packet.chunk == INIT_ACK {
            return parse_greeting(&String::from_utf8_lossy(&packet.cookie));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        let packet = Packet { source: 1, destination: 2, chunk: INIT_ACK, cookie: b"pod-1 10.0.0.1\n".to_vec() };
        let bytes = packet.bytes();
        assert_eq!(bytes.len() % 4, 0);
        let read = Packet::parse(&bytes).unwrap();
        assert_eq!((read.source, read.destination, read.chunk), (1, 2, INIT_ACK));
        assert_eq!(read.cookie, packet.cookie);
        for len in 0..bytes.len() {
            let _ = Packet::parse(&bytes[..len]);
        }
    }
}
