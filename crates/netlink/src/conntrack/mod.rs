//! Connection tracking, over ctnetlink: walk the table, pick flows, delete them.
//!
//! The table may hold millions of flows, so it is never held: a walk hands over one flow after the other, and what can
//! be told by a [`Filter`] is left out by the kernel already. [`Conntrack::clean`] deletes flows that go where the rules
//! of services would not send them any more.

mod filter;
mod local;
mod stale;
mod tuple;

use std::io;
use std::net::IpAddr;

use rulectl_ruleset::flow::Flow;

use crate::attr::Writer;
use crate::message;
use crate::netns::Netns;
use crate::socket::{SendError, Socket};
use crate::uapi::{self, ctnl_msg};
pub use filter::Filter;

/// How many flows are deleted by one message: the complaints must fit into a receive buffer of an ordinary user.
const DELETIONS: usize = 128;
/// How often a table is walked that is rebuilt all the time.
const ATTEMPTS: usize = 5;

/// The connection tracking of one network namespace, through sockets that stay open.
pub struct Conntrack {
    walking: Socket,
    /// Its own, so that flows can be deleted while others are still on their way.
    deleting: Socket,
    addresses: Socket,
    /// Whether the kernel refused to filter, and so sends all.
    sends_all: bool,
}

/// Why flows could not be read or deleted. The environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConntrackError {
    /// A system call failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// How it failed.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{action}: {}{}", io::Error::from_raw_os_error(*errno), said(message.as_deref()))]
    Refused {
        /// What was being done.
        action: &'static str,
        /// The error number, positive.
        errno: i32,
        /// The kernel's own words, where it has some.
        message: Option<String>,
    },
    /// The kernel's table was rebuilt during each attempt to walk it (`net.netfilter.nf_conntrack_buckets`).
    #[error("the table of flows was rebuilt during each of {attempts} attempts to walk it")]
    Interrupted {
        /// How often it was tried.
        attempts: usize,
    },
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(" ({message})")).unwrap_or_default()
}

/// What a walk saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Flows that were handed over.
    pub flows: usize,
    /// Messages of the kernel that made no sense.
    pub unread: usize,
    /// The kernel said that the walk may have missed some, for the table was rebuilt meanwhile.
    pub interrupted: bool,
}

/// What became of flows that were to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// They are gone, by us.
    pub deleted: usize,
    /// They were gone already: they ended, or somebody else deleted them.
    pub gone: usize,
    /// They are in a flowtable and stay as long as packets come (`EBUSY`, `ctnetlink_del_conntrack`).
    pub offloaded: usize,
}

impl Conntrack {
    /// That of the namespace the calling thread is in.
    ///
    /// # Errors
    /// If no netlink socket can be opened.
    pub fn new() -> io::Result<Self> {
        let (walking, deleting) = (Socket::open()?, Socket::open()?);
        Ok(Self { walking, deleting, addresses: Socket::route()?, sends_all: false })
    }

    /// That of a namespace. The calling thread stays where it is.
    ///
    /// # Errors
    /// If the namespace cannot be entered or no netlink socket be opened.
    pub fn in_namespace(netns: &Netns) -> io::Result<Self> {
        netns.run(Self::new).map_err(io::Error::other)?
    }

    /// Hands over the flows that pass a filter, one after the other and in no order. One that is being moved in the
    /// table while it is walked may come twice.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`, or where the kernel cannot be asked. Some flows may have been handed over by then.
    pub fn walk(&mut self, filter: &Filter, mut take: impl FnMut(Flow)) -> Result<Walked, ConntrackError> {
        walk(&mut self.walking, &mut self.sends_all, filter, &mut take)
    }

    /// All addresses the namespace has itself.
    ///
    /// # Errors
    /// Where the kernel cannot be asked.
    pub fn local_addresses(&mut self) -> Result<Vec<IpAddr>, ConntrackError> {
        local::addresses(&mut self.addresses)
    }

    /// Deletes a flow: the one of that original tuple, zone and number. Whether it was there.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`, and for a flow in a flowtable.
    pub fn delete(&mut self, flow: &Flow) -> Result<bool, ConntrackError> {
        let deleted = delete(&mut self.deleting, std::slice::from_ref(flow))?;
        if deleted.offloaded > 0 {
            return Err(ConntrackError::Refused { action: DELETING, errno: libc::EBUSY, message: None });
        }
        Ok(deleted.deleted > 0)
    }

    /// Deletes flows. Those that are gone already are no error.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`, or where the kernel cannot be told.
    pub fn delete_all(&mut self, flows: &[Flow]) -> Result<Deleted, ConntrackError> {
        let mut all = Deleted::default();
        for some in flows.chunks(DELETIONS) {
            all += delete(&mut self.deleting, some)?;
        }
        Ok(all)
    }

    /// Walks the flows that pass a filter and deletes those that are picked, while it walks: only some are held at any
    /// time. Walks again if the kernel says that some may have been missed.
    ///
    /// # Errors
    /// As [`Self::walk`] and [`Self::delete_all`]. Some flows may have been deleted by then.
    pub fn delete_where(
        &mut self,
        filter: &Filter,
        mut pick: impl FnMut(&Flow) -> bool,
    ) -> Result<Deleted, ConntrackError> {
        let Self { walking, deleting, sends_all, .. } = self;
        let mut all = Deleted::default();
        for _ in 0..ATTEMPTS {
            let mut picked = Vec::with_capacity(DELETIONS);
            let mut outcome = Ok(());
            let walked = walk(walking, sends_all, filter, &mut |flow| {
                if outcome.is_ok() && pick(&flow) {
                    picked.push(flow);
                    if picked.len() == DELETIONS {
                        outcome = delete(deleting, &picked).map(|deleted| all += deleted);
                        picked.clear();
                    }
                }
            })?;
            outcome?;
            all += delete(deleting, &picked)?;
            if !walked.interrupted {
                return Ok(all);
            }
        }
        Err(ConntrackError::Interrupted { attempts: ATTEMPTS })
    }
}

impl std::ops::AddAssign for Deleted {
    fn add_assign(&mut self, more: Self) {
        self.deleted += more.deleted;
        self.gone += more.gone;
        self.offloaded += more.offloaded;
    }
}

const READING: &str = "reading the flows";
const DELETING: &str = "deleting flows";

fn walk(
    socket: &mut Socket,
    sends_all: &mut bool,
    filter: &Filter,
    take: &mut impl FnMut(Flow),
) -> Result<Walked, ConntrackError> {
    let mut walked = Walked::default();
    for family in filter.families() {
        let part = match walk_family(socket, filter, *family, *sends_all, take) {
            // The kernel has no marks, or cannot filter like that: it sends all, and what does not pass is left out here.
            Err(ConntrackError::Refused { errno: libc::EOPNOTSUPP | libc::EINVAL, .. }) if !*sends_all => {
                *sends_all = true;
                walk_family(socket, filter, *family, true, take)?
            }
            part => part?,
        };
        walked.flows += part.flows;
        walked.unread += part.unread;
        walked.interrupted |= part.interrupted;
    }
    Ok(walked)
}

fn walk_family(
    socket: &mut Socket,
    filter: &Filter,
    family: u8,
    sends_all: bool,
    take: &mut impl FnMut(Flow),
) -> Result<Walked, ConntrackError> {
    let seq = socket.sequence(1);
    let mut request = Writer::default();
    let kind = uapi::NFNL_SUBSYS_CTNETLINK << 8 | ctnl_msg::GET;
    let start = message::begin(&mut request, kind, uapi::NLM_F_DUMP, seq, family, 0);
    if !sends_all {
        filter.encode(&mut request);
    }
    message::end(&mut request, start);
    let io = |source| ConntrackError::Io { action: READING, source };
    socket.ask(request.bytes()).map_err(io)?;
    let (mut walked, mut ended) = (Walked::default(), None);
    while ended.is_none() {
        let received = socket.wait(|message| {
            if message.seq != seq {
                return;
            }
            walked.interrupted |= message.flags & uapi::NLM_F_DUMP_INTR != 0;
            if let Some(report) = message.report() {
                ended = Some((report.errno, report.message));
            } else if let Some(errno) = message.end() {
                ended = Some((errno, None));
            } else {
                match tuple::flow(message.attributes()) {
                    // Also where the kernel filters: an old one does not know all that it is asked for.
                    Some(flow) if filter.passes(&flow) => {
                        walked.flows += 1;
                        take(flow);
                    }
                    Some(_) => {}
                    None => walked.unread += 1,
                }
            }
        });
        received.map_err(io)?;
    }
    match ended {
        Some((errno, message)) if errno != 0 => Err(ConntrackError::Refused { action: READING, errno, message }),
        _ => Ok(walked),
    }
}

/// Deletes a few flows by one message of many requests.
fn delete(socket: &mut Socket, flows: &[Flow]) -> Result<Deleted, ConntrackError> {
    if flows.is_empty() {
        return Ok(Deleted::default());
    }
    let first = socket.sequence(flows.len() as u32);
    let mut requests = Writer::with_capacity(flows.len() * 128);
    for (flow, seq) in flows.iter().zip(first..) {
        let kind = uapi::NFNL_SUBSYS_CTNETLINK << 8 | ctnl_msg::DELETE;
        let start = message::begin(&mut requests, kind, 0, seq, tuple::family(&flow.original), 0);
        tuple::encode_identity(&mut requests, flow);
        message::end(&mut requests, start);
    }
    socket.send(requests.bytes()).map_err(|error| {
        let source = match error {
            SendError::Io(source) => source,
            SendError::TooLarge { .. } => io::Error::from_raw_os_error(libc::EMSGSIZE),
        };
        ConntrackError::Io { action: DELETING, source }
    })?;
    let (mut outcome, mut refused) = (Deleted::default(), None);
    // Only what failed is answered.
    let drained = socket.drain(|message| match message.report() {
        Some(report) if (first..).take(flows.len()).any(|seq| seq == report.seq) => match report.errno {
            0 => {}
            libc::ENOENT => outcome.gone += 1,
            libc::EBUSY => outcome.offloaded += 1,
            errno => refused = Some((errno, report.message)),
        },
        _ => {}
    });
    drained.map_err(|source| ConntrackError::Io { action: DELETING, source })?;
    if let Some((errno, message)) = refused {
        return Err(ConntrackError::Refused { action: DELETING, errno, message });
    }
    outcome.deleted = flows.len() - outcome.gone - outcome.offloaded;
    Ok(outcome)
}
