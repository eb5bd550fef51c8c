//! The addresses a network namespace has itself (rtnetlink(7), `RTM_GETADDR`).

use std::net::IpAddr;

use super::ConntrackError;
use crate::attr::{Attribute, Writer};
use crate::message;
use crate::socket::Socket;
use crate::uapi;

const READING: &str = "reading the addresses of the node";

/// All addresses of all interfaces.
pub(super) fn addresses(socket: &mut Socket) -> Result<Vec<IpAddr>, ConntrackError> {
    let seq = socket.sequence(1);
    let mut request = Writer::default();
    // `struct rtgenmsg` of all families, padded as `struct nfgenmsg` is.
    let start = message::begin(&mut request, uapi::RTM_GETADDR, uapi::NLM_F_DUMP, seq, 0, 0);
    message::end(&mut request, start);
    let io = |source| ConntrackError::Io { action: READING, source };
    socket.ask(request.bytes()).map_err(io)?;
    let (mut addresses, mut ended) = (Vec::new(), None);
    while ended.is_none() {
        let received = socket.wait(|message| {
            if message.seq != seq {
                return;
            }
            if let Some(report) = message.report() {
                ended = Some(report.errno);
            } else if let Some(errno) = message.end() {
                ended = Some(errno);
            } else if message.kind == uapi::RTM_NEWADDR
                // `struct ifaddrmsg`.
                && let Some((_, attributes)) = message.split::<8>()
            {
                let [_, address, local] = attributes.table::<3>();
                // Of a tunnel, the first is that of the other end.
                addresses.extend(local.or(address).and_then(read));
            }
        });
        received.map_err(io)?;
    }
    match ended {
        Some(errno) if errno != 0 => Err(ConntrackError::Refused { action: READING, errno, message: None }),
        _ => Ok(addresses),
    }
}

fn read(address: Attribute<'_>) -> Option<IpAddr> {
    match address.payload.len() {
        4 => address.payload.first_chunk::<4>().copied().map(IpAddr::from),
        16 => address.payload.first_chunk::<16>().copied().map(IpAddr::from),
        _ => None,
    }
}
