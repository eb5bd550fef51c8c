//! Who made the last generation.
//!
//! The kernel tells only those who listen while it happens, and only listeners make it write a message for every change
//! of everybody. So this is asked for by those who want to name whoever came between, not had by all.

use std::io;

use rulectl_ruleset::live::Generation;

use crate::attr::Attribute;
use crate::socket::Socket;

/// Hears who makes generations.
pub(crate) struct Writers {
    socket: Socket,
    last: Generation,
}

impl Writers {
    /// Listens to the network namespace of the calling thread.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { socket: Socket::listening_for_generations()?, last: Generation::default() })
    }

    /// Adds who made it to a generation, if that was heard.
    pub(crate) fn complete(&mut self, generation: Generation) -> Generation {
        // Some may have been lost; the last that was heard says for itself which it is.
        let _lost = self.socket.drain(|message| {
            let [_, id, pid, process] = message.attributes().table::<4>();
            if let Some(id) = id.and_then(Attribute::u32) {
                let process = process.map(Attribute::text);
                self.last = Generation { id, pid: pid.and_then(Attribute::u32), process };
            }
        });
        if self.last.id == generation.id { self.last.clone() } else { generation }
    }
}
