//! One change that was made, or was about to be.

use rulectl_netlink::Applied;
use rulectl_ruleset::diff::Diff;
use rulectl_ruleset::ir::TableId;
use rulectl_ruleset::live::{Generation, Live};
use serde::{Deserialize, Serialize};

use super::clock;

/// One change.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    /// Who made it.
    pub(crate) by: Author,
    /// The change it takes back, if it is of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undoes: Option<u64>,
    /// The tables it is about, whether there or not.
    pub(crate) tables: Vec<TableId>,
    /// What it changes.
    pub(crate) diff: Diff,
    /// How far it came.
    pub(crate) state: State,
}

/// How far a change came.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It was about to be committed, to what was there.
    Begun {
        /// The tables before it.
        before: Live,
    },
    /// It is made.
    Applied {
        /// The generation it led to.
        generation: Option<u32>,
        /// Messages sent; 0 if the sender did not live to count them.
        messages: usize,
        /// Bytes sent.
        bytes: usize,
        /// The tables after it, for the last change only. `None` as well if somebody else changed them before they could
        /// be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Live>,
    },
    /// The process that made it ended in the middle, and others have changed the tables since: nobody knows.
    Unknown,
}

impl Entry {
    /// A change that is about to be made.
    pub(crate) fn begin(number: u64, undoes: Option<u64>, tables: Vec<TableId>, diff: Diff, before: Live) -> Self {
        let state = State::Begun { before };
        Self { number, at: clock::now(), by: Author::of_this_process(), undoes, tables, diff, state }
    }

    /// The same as it is once it is made.
    pub(crate) fn applied(self, applied: &Applied, after: Option<Live>) -> Self {
        let Applied { generation, messages, bytes } = *applied;
        Self { state: State::Applied { generation, messages, bytes, after }, ..self }
    }

    /// Whether it was made.
    pub(crate) fn is_applied(&self) -> bool {
        matches!(self.state, State::Applied { .. })
    }

    /// What was there after it, if that is known.
    pub(crate) fn after(&self) -> Option<&Live> {
        match &self.state {
            State::Applied { after, .. } => after.as_ref(),
            _ => None,
        }
    }

    /// The generation it led to.
    pub(crate) fn generation(&self) -> Option<Generation> {
        match self.state {
            State::Applied { generation, .. } => Some(Generation { id: generation?, pid: None, process: None }),
            _ => None,
        }
    }
}

/// Who made a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Author {
    /// The user, also behind sudo, by name where the system knows one.
    pub(crate) user: String,
    /// The process.
    pub(crate) pid: u32,
    /// The command, without the path of the program.
    pub(crate) command: String,
}

impl Author {
    fn of_this_process() -> Self {
        let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into()).collect();
        Self { user: user(), pid: std::process::id(), command: format!("rulectl {}", arguments.join(" ")) }
    }
}

/// The user who logged in, else the one the process runs as.
fn user() -> String {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse::<u32>().ok());
    let number = login.filter(|id| *id != u32::MAX).unwrap_or_else(|| rustix::process::getuid().as_raw());
    if let Some(user) = std::env::var_os("SUDO_USER").filter(|_| login.is_none_or(|id| id == u32::MAX)) {
        return user.to_string_lossy().into_owned();
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut users = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse::<u32>().ok()?))
    });
    users.find(|(_, id)| *id == number).map_or_else(|| number.to_string(), |(name, _)| name.to_owned())
}
