//! Plans as files: a difference, and the state of the tables it is for.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::diff::Diff;
use rulectl_ruleset::ir::TableId;
use rulectl_ruleset::live::Live;
use serde::{Deserialize, Serialize};

use crate::desired::Change;
use crate::failure::Failure;
use crate::input;
use crate::journal::{Proposal, changed_since, difference};

/// The form of the file: another one is refused.
const VERSION: u32 = 1;
/// With what such a file begins.
const HEAD: &str = "{\"rulectl_plan\":";

/// A difference that was looked at, to be applied as it is or not at all.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlanFile {
    rulectl_plan: u32,
    /// The tables it is about, whether there or not.
    tables: Vec<TableId>,
    diff: Diff,
    /// What was there.
    live: Live,
}

/// What of a plan is read of any version.
#[derive(Deserialize)]
struct Version {
    rulectl_plan: u32,
}

impl PlanFile {
    pub(crate) fn new(scope: Scope, diff: Diff, live: Live) -> Self {
        Self { rulectl_plan: VERSION, tables: scope.tables.unwrap_or_default(), diff, live }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(|error| Failure::Usage(error.to_string()))?;
        std::fs::write(path, text + "\n").map_err(|source| Failure::File { path: path.to_owned(), source })
    }

    /// The plan in the file, if there is one file and it holds one.
    pub(crate) fn among(files: &[PathBuf]) -> Result<Option<Self>, Failure> {
        let [path] = files else { return Ok(None) };
        let mut head = [0; HEAD.len()];
        let is_plan = path != Path::new("-")
            && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
            && head == *HEAD.as_bytes();
        if is_plan { Self::read(&path.display().to_string(), &input::read(path)?).map(Some) } else { Ok(None) }
    }

    fn read(name: &str, text: &str) -> Result<Self, Failure> {
        let version = serde_json::from_str::<Version>(text).map(|version| version.rulectl_plan);
        if let Some(version) = version.ok().filter(|version| *version != VERSION) {
            return Err(Failure::Usage(format!("{name}: the plan is of version {version}, this is {VERSION}")));
        }
        serde_json::from_str(text).map_err(|error| Failure::Usage(format!("{name}: {error}")))
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::tables(self.tables.iter().cloned())
    }

    /// The plan for the kernel as it is now, if the tables are still what they were.
    pub(crate) fn proposal(&self, kernel: &mut impl Kernel) -> Result<Proposal, Failure> {
        let live = kernel.read(&self.scope())?;
        if live.generation.id != self.live.generation.id {
            let changed = difference(&self.live, &live)?;
            if !changed.is_empty() {
                return Err(changed_since("the plan was made", &self.live.generation, &live.generation, &changed));
            }
        }
        let change = Change::of(self.diff.clone(), live.generation.id);
        Ok(Proposal { tables: self.tables.clone(), live, change, undoes: None })
    }
}
