//! The seam between plans and kernels.

use rulectl_ruleset::ir::{Element, Key, TableId};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Op, Plan, SetHead};

use crate::explain::{self, Explanation};
use crate::watch::Watch;

/// What is read of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Those tables, or all.
    pub tables: Option<Vec<TableId>>,
    /// Whether elements of named sets are read too. Reading many is slow: the kernel walks the set anew for each 32 KiB
    /// of answer.
    pub elements: bool,
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Self { tables: None, elements: true }
    }

    /// Those tables, with their elements.
    pub fn tables(tables: impl IntoIterator<Item = TableId>) -> Self {
        Self { tables: Some(tables.into_iter().collect()), elements: true }
    }

    /// The same without elements of named sets.
    #[must_use]
    pub fn without_elements(self) -> Self {
        Self { elements: false, ..self }
    }
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The generation it led to; that of the plan if there was nothing to do.
    pub generation: Option<u32>,
    /// Messages sent, with the batch's begin and end; 0 if there was nothing to do.
    pub messages: usize,
    /// Bytes sent.
    pub bytes: usize,
}

/// Why a kernel could not be read. The environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A system call failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// How it failed.
        source: std::io::Error,
    },
    /// The ruleset changed each time while it was read.
    #[error("the ruleset changed during each of {attempts} attempts to read it")]
    Interrupted {
        /// How often it was tried.
        attempts: usize,
    },
    /// The kernel's answer makes no sense.
    #[error("unexpected answer from the kernel: {0}")]
    Answer(String),
}

/// One thing in a plan that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which step of the plan, from 0.
    pub step: usize,
    /// For a step with elements: which of them, where the kernel says so.
    pub element: Option<usize>,
    /// For a step with a program: which expression, where the kernel says so.
    pub expression: Option<usize>,
    /// The error number (`errno`), positive.
    pub errno: i32,
    /// What was refused, for people: the table, chain, rule, set or element by name.
    pub subject: String,
    /// The kernel's own words, where it has some (`NLMSGERR_ATTR_MSG`).
    pub message: Option<String>,
    /// What the number means here, and the way out.
    pub explanation: Explanation,
}

impl Refusal {
    /// The refusal of a step, or, without one, of the change as a whole.
    pub(crate) fn of(step: usize, op: Option<&Op>, place: (Option<usize>, Option<usize>), errno: i32) -> Self {
        let (element, expression) = place;
        let subject = op.map_or_else(|| "the change as a whole".to_owned(), |op| op.subject(element));
        let explanation = explain::explain(op, element, expression, errno);
        Self { step, element, expression, errno, subject, message: None, explanation }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Explanation { words, way_out } = &self.explanation;
        write!(f, "{}: {words}", self.subject)?;
        match explain::errno_name(self.errno) {
            Some(name) => write!(f, " ({name})")?,
            None => write!(f, " (error {})", self.errno)?,
        }
        if let Some(message) = &self.message {
            write!(f, ", in the kernel's words: {message}")?;
        }
        way_out.as_ref().map_or(Ok(()), |way_out| write!(f, "; {way_out}"))
    }
}

/// Why a plan was not applied. Nothing of it is in the kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Somebody changed the ruleset since the plan was made: plan again.
    #[error("the ruleset has changed since the plan was made for generation {expected}: it is now at {found}")]
    Stale {
        /// The plan's generation.
        expected: u32,
        /// The kernel's, with who made it.
        found: Generation,
    },
    /// The kernel refused parts of the plan, and so all of it.
    #[error("the kernel refused the change: {}", refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused {
        /// All it said no to, in the order of the steps.
        refusals: Vec<Refusal>,
    },
    /// The batch is larger than the socket's send buffer may be.
    #[error(
        "the change needs a batch of {needed} bytes, but a send buffer may have {allowed}: run as root, or raise the \
         sysctl net.core.wmem_max"
    )]
    BatchTooLarge {
        /// The size of the batch in bytes.
        needed: usize,
        /// The largest send buffer in bytes.
        allowed: usize,
    },
    /// An element or rule is larger than a message can hold. A defect of the plan.
    #[error("step {step} does not fit into a netlink message: {what}")]
    Unencodable {
        /// Which step of the plan, from 0.
        step: usize,
        /// What about it.
        what: String,
    },
    /// Only who has `CAP_NET_ADMIN` in the network namespace may change rules.
    #[error("changing rules takes CAP_NET_ADMIN in the network namespace: run as root")]
    Forbidden,
    /// A system call failed before the batch was handed over.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// How it failed.
        source: std::io::Error,
    },
}

/// A kernel: the real one of a network namespace, or [`crate::FakeKernel`].
pub trait Kernel {
    /// The state it is in.
    ///
    /// # Errors
    /// Where the kernel cannot be asked.
    fn generation(&mut self) -> Result<Generation, ReadError>;

    /// Reads tables, all at one generation.
    ///
    /// # Errors
    /// Where the kernel cannot be asked, or changes all the time.
    fn read(&mut self, scope: &Scope) -> Result<Live, ReadError>;

    /// Looks elements up by their keys, without reading the set: `None` for those that are not there, or if the table
    /// or set is not.
    ///
    /// # Errors
    /// Where the kernel cannot be asked.
    fn probe(&mut self, table: &TableId, set: &SetHead, keys: &[Key]) -> Result<Vec<Option<Element>>, ReadError>;

    /// Has the kernel try a plan and throw the result away.
    ///
    /// # Errors
    /// As [`Self::commit`].
    fn check(&mut self, plan: &Plan) -> Result<(), CommitError>;

    /// Applies a plan, all of it or nothing. An empty plan sends nothing.
    ///
    /// # Errors
    /// Where nothing was applied, and why.
    fn commit(&mut self, plan: &Plan) -> Result<Applied, CommitError>;

    /// Listens to all changes from now on, whoever makes them.
    ///
    /// As long as anybody listens, the kernel writes a message for each change of everybody: large commits cost
    /// noticeably more then.
    ///
    /// # Errors
    /// Where the kernel cannot be heard or asked.
    fn watch(&mut self) -> Result<Box<dyn Watch>, ReadError>;
}
