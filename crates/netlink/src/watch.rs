//! Changes as they happen, whoever makes them: what a controller needs to notice that somebody touched its tables.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rulectl_ruleset::ir::{AnySet, ChainName, Elements, TableId};
use rulectl_ruleset::live::{Generation, LiveChain, LiveFlowtable, LiveObject, LiveRule, LiveSet, LiveTable};
use rulectl_ruleset::plan::SetHead;
use serde::Serialize;

use crate::ffi;
use crate::kernel::ReadError;

/// Something that was heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Somebody committed a change.
    Commit(Commit),
    /// Events were lost: more came than were read in time. What is there now must be read anew; what comes after this
    /// event came after the loss.
    Lost,
}

/// A change of the ruleset, all that one process did at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Commit {
    /// What it led to, and who made it. A reading of that generation or a later one has the change in it already.
    pub generation: Generation,
    /// What came and went, in the kernel's order. Elements that packets add and that expire are not told.
    pub changes: Vec<Change>,
    /// Declarations of the sets that rules named here look into: without them rules cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<(TableId, AnySet)>,
}

/// One thing that came or went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Whether it came or went.
    pub fate: Fate,
    /// The table it is in, or is.
    pub table: TableId,
    /// What it is.
    pub thing: Thing,
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is there now, in this form: it is new, or a policy, flags or the like have changed.
    Is,
    /// It is gone. Of a chain, an object or a flowtable the kernel tells little more than the name then.
    Gone,
}

/// What came or went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Thing {
    /// A table; what is in it comes and goes by itself.
    Table(LiveTable),
    /// A chain without its rules.
    Chain(LiveChain),
    /// A rule.
    Rule {
        /// The chain it is in.
        chain: ChainName,
        /// The rule.
        #[serde(flatten)]
        rule: LiveRule,
        /// The handle of the rule before it; `None` if it is the first, or gone.
        after: Option<u64>,
    },
    /// The declaration of a set or map. Sets that belong to a rule are inside it.
    Set(LiveSet),
    /// Elements of a set or map.
    Elements {
        /// Its declaration.
        set: SetHead,
        /// The elements.
        elements: Elements,
    },
    /// A stateful object.
    Object(LiveObject),
    /// A flowtable.
    Flowtable(LiveFlowtable),
    /// What could not be understood.
    Other {
        /// The type of the message (`enum nf_tables_msg_types`).
        kind: u16,
        /// Its attributes, verbatim.
        attributes: Vec<u8>,
    },
}

/// A listener. Its descriptor becomes readable when there is something to hear.
pub trait Watch: AsFd + Send {
    /// The next event; `None` if there is none yet. Does not wait.
    ///
    /// # Errors
    /// Where the kernel cannot be heard, or, after a loss, not be read.
    fn try_next(&mut self) -> Result<Option<Event>, ReadError>;

    /// The next event, for which it waits so long, or for ever; `None` if the time is over.
    ///
    /// # Errors
    /// As [`Self::try_next`].
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, ReadError> {
        let start = Instant::now();
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let is_readable = ffi::wait_until_readable(self.as_fd(), left);
            match is_readable {
                Ok(false) if left.is_some_and(|left| left.is_zero()) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { action: "waiting for changes", source }),
            }
        }
    }
}
