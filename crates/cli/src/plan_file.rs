//! Plans as files: a difference, and the state of the tables it is for.

use std::path::Path;

use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::diff::{self, Diff, Ownership};
use rulectl_ruleset::ir::TableId;
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::plan::{self, Plan};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

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

impl PlanFile {
    pub(crate) fn new(scope: Scope, diff: Diff, live: Live) -> Self {
        Self { rulectl_plan: VERSION, tables: scope.tables.unwrap_or_default(), diff, live }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(|error| Failure::Usage(error.to_string()))?;
        std::fs::write(path, text + "\n").map_err(|source| Failure::File { path: path.to_owned(), source })
    }

    /// The plan in a text; `None` if it is something else.
    pub(crate) fn read(name: &str, text: &str) -> Result<Option<Self>, Failure> {
        if !text.starts_with(HEAD) {
            return Ok(None);
        }
        let file: Self = serde_json::from_str(text).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
        if file.rulectl_plan != VERSION {
            let message = format!("{name}: the plan is of version {}, this is {VERSION}", file.rulectl_plan);
            return Err(Failure::Usage(message));
        }
        Ok(Some(file))
    }

    pub(crate) fn diff(&self) -> &Diff {
        &self.diff
    }

    /// The plan for the kernel as it is now, if the tables are still what they were.
    pub(crate) fn plan(&self, kernel: &mut impl Kernel) -> Result<Plan, Failure> {
        let live = kernel.read(&Scope::tables(self.tables.iter().cloned()))?;
        if live.generation.id != self.live.generation.id {
            let changed = self.changed(&live)?;
            if !changed.is_empty() {
                return Err(Failure::Usage(format!(
                    "nothing was changed: since the plan was made at {}, the ruleset has changed, now at {}:\n{}",
                    self.live.generation,
                    live.generation,
                    changed.to_string().trim_end()
                )));
            }
        }
        Ok(plan::plan(&self.diff, Some(live.generation.id)))
    }

    /// What others have changed.
    fn changed(&self, live: &Live) -> Result<Diff, Failure> {
        let gone = self.live.tables.keys().filter(|table| !live.tables.contains_key(*table));
        let gone = diff::removal(&self.live, gone, &Ownership::Declared)?;
        Ok(gone.and(diff::diff(&self.live, &Lowered::from(live.clone()), &Ownership::Declared)?))
    }
}
