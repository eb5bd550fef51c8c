//! The real kernel of a network namespace.

use std::io;

use rulectl_ruleset::ir::{Element, Key, TableId};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Plan, SetHead};

use crate::encode::{Batch, StepRefused};
use crate::kernel::{Applied, CommitError, Kernel, ReadError, Scope};
use crate::listen::Listener;
use crate::locate;
use crate::message::Report;
use crate::netns::Netns;
use crate::read;
use crate::socket::{SendError, Socket};
use crate::watch::Watch;
use crate::writers::Writers;

/// The nf_tables of one network namespace, through one netlink socket that stays open.
pub struct NetlinkKernel {
    socket: Socket,
    writers: Option<Writers>,
}

impl NetlinkKernel {
    /// The kernel of the namespace the calling thread is in.
    ///
    /// # Errors
    /// If no netlink socket can be opened.
    pub fn new() -> io::Result<Self> {
        Ok(Self { socket: Socket::open()?, writers: None })
    }

    /// The kernel of that namespace. The calling thread stays where it is.
    ///
    /// # Errors
    /// If the namespace cannot be entered or no netlink socket be opened.
    pub fn in_namespace(netns: &Netns) -> io::Result<Self> {
        netns.run(Self::new).map_err(io::Error::other)?
    }

    /// The same, but it knows from now on who made a generation, and so names them in [`CommitError::Stale`].
    ///
    /// As long as anybody listens, the kernel writes a message for each change of everybody: large commits cost
    /// noticeably more then.
    ///
    /// # Errors
    /// If no second netlink socket can be opened.
    pub fn naming_writers(self) -> io::Result<Self> {
        Ok(Self { writers: Some(Writers::new()?), ..self })
    }

    /// The same inside that namespace. The calling thread stays where it is.
    ///
    /// # Errors
    /// If the namespace cannot be entered or a netlink socket not be opened.
    pub fn naming_writers_in(netns: &Netns) -> io::Result<Self> {
        netns.run(|| Self::new()?.naming_writers()).map_err(io::Error::other)?
    }

    /// A number that no other network namespace has until the machine starts anew (`SO_NETNS_COOKIE`).
    ///
    /// # Errors
    /// On kernels before 5.14.
    pub fn netns_cookie(&self) -> io::Result<u64> {
        self.socket.netns_cookie()
    }

    fn named(&mut self, generation: Generation) -> Generation {
        match &mut self.writers {
            Some(writers) => writers.complete(generation),
            None => generation,
        }
    }

    /// Hands a batch over and reads what the kernel says to it.
    fn hand_over(&mut self, plan: &Plan, batch: &Batch) -> Result<(), CommitError> {
        let bytes = batch.bytes();
        self.socket.send(bytes).map_err(|error| match error {
            SendError::TooLarge { allowed } => CommitError::BatchTooLarge { needed: bytes.len(), allowed },
            SendError::Io(source) => CommitError::Io { action: "sending the batch", source },
        })?;
        let mut reports = Vec::new();
        let drained = self.socket.drain(|message| {
            reports.extend(message.report().filter(|report| report.errno != 0));
        });
        if reports.is_empty() {
            return drained.map_err(|source| CommitError::Io { action: "reading the kernel's answer", source });
        }
        self.complaint(plan, batch, reports)
    }

    /// The error that the kernel's reports are. Some are lost if there were very many; the first are always there.
    fn complaint(&mut self, plan: &Plan, batch: &Batch, reports: Vec<Report>) -> Result<(), CommitError> {
        if let Some(begin) = reports.iter().find(|report| report.seq == 0) {
            if let (libc::ERESTART, Some(expected)) = (begin.errno, plan.generation) {
                let found = read::generation(&mut self.socket).map_err(|error| CommitError::Io {
                    action: "reading the generation",
                    source: io::Error::other(error),
                })?;
                return Err(CommitError::Stale { expected, found: self.named(found) });
            }
            if begin.errno == libc::EPERM {
                return Err(CommitError::Forbidden);
            }
        }
        let mut refusals: Vec<_> = reports.into_iter().map(|report| locate::refusal(plan, batch, report)).collect();
        refusals.sort_by_key(|refusal| refusal.step);
        Err(CommitError::Refused { refusals })
    }
}

fn batch(plan: &Plan) -> Result<Batch, CommitError> {
    Batch::of(plan).map_err(|StepRefused { step, refused }| CommitError::Unencodable { step, what: refused.0 })
}

/// How large the batch of a plan is: its messages, with begin and end, and its bytes. Both are 0 for an empty plan.
///
/// # Errors
/// [`CommitError::Unencodable`] for a step that has no message.
pub fn batch_size(plan: &Plan) -> Result<Applied, CommitError> {
    if plan.is_empty() {
        return Ok(Applied::default());
    }
    let mut batch = batch(plan)?;
    batch.finish();
    Ok(Applied { generation: None, messages: batch.messages() as usize, bytes: batch.bytes().len() })
}

impl Kernel for NetlinkKernel {
    fn generation(&mut self) -> Result<Generation, ReadError> {
        let generation = read::generation(&mut self.socket)?;
        Ok(self.named(generation))
    }

    fn read(&mut self, scope: &Scope) -> Result<Live, ReadError> {
        let live = read::live(&mut self.socket, scope)?;
        Ok(Live { generation: self.named(live.generation), ..live })
    }

    fn probe(&mut self, table: &TableId, set: &SetHead, keys: &[Key]) -> Result<Vec<Option<Element>>, ReadError> {
        read::probe(&mut self.socket, table, set, keys)
    }

    fn check(&mut self, plan: &Plan) -> Result<(), CommitError> {
        if plan.is_empty() {
            return Ok(());
        }
        let batch = batch(plan)?;
        self.hand_over(plan, &batch)
    }

    fn commit(&mut self, plan: &Plan) -> Result<Applied, CommitError> {
        if plan.is_empty() {
            return Ok(Applied { generation: plan.generation, messages: 0, bytes: 0 });
        }
        let mut batch = batch(plan)?;
        batch.finish();
        self.hand_over(plan, &batch)?;
        // Asked for, not counted: a batch that changes nothing leaves the generation as it was.
        let generation = read::generation(&mut self.socket).ok().map(|generation| generation.id);
        Ok(Applied { generation, messages: batch.messages() as usize, bytes: batch.bytes().len() })
    }

    fn watch(&mut self) -> Result<Box<dyn Watch>, ReadError> {
        let failure = |source| ReadError::Io { action: "finding the network namespace", source };
        let here = Listener::open()?;
        if matches!((here.netns_cookie(), self.socket.netns_cookie()), (Ok(here), Ok(there)) if here == there) {
            return Ok(Box::new(here));
        }
        // The calling thread is elsewhere, or the kernel does not tell.
        let netns = Netns::of(&self.socket).map_err(failure)?;
        let there = netns.run(Listener::open).map_err(|error| failure(io::Error::other(error)))??;
        Ok(Box::new(there))
    }
}
