//! Changes as they are made: written down, committed, and planned again where somebody else was faster.

use std::path::PathBuf;

use rulectl_netlink::{Applied, CommitError, FakeKernel, Kernel, NetlinkKernel, Scope};
use rulectl_ruleset::diff::{self, Diff, Ownership, lasting};
use rulectl_ruleset::ir::TableId;
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::plan;

use crate::args::StateDir;
use crate::desired::Change;
use crate::failure::Failure;
use crate::history::{Entry, State, Store, trial_path, utc};
use crate::keeper::Keeper;
use crate::output::Terminal;

/// How often a plan is made anew because somebody else changed the ruleset in between.
const ATTEMPTS: usize = 5;

/// A change that could be made, and what it was compared with.
pub(crate) struct Proposal {
    /// The tables it is about, whether there or not.
    pub(crate) tables: Vec<TableId>,
    /// Those of them that are there.
    pub(crate) live: Live,
    pub(crate) change: Change,
    /// The change it takes back, if it is of that kind.
    pub(crate) undoes: Option<u64>,
}

/// A change that was made.
pub(crate) struct Made {
    pub(crate) diff: Diff,
    pub(crate) applied: Applied,
    pub(crate) undoes: Option<u64>,
    /// Its number in the log, if it is in one.
    pub(crate) number: Option<u64>,
}

/// Writes changes down, where it can.
pub(crate) struct Journal {
    store: Option<Store>,
}

impl Journal {
    /// The log of this network namespace, for a change that is not to fail because of it: where there can be no log,
    /// people are told.
    pub(crate) fn open(
        args: &crate::args::Journal,
        kernel: &mut NetlinkKernel,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        if args.no_log {
            return Ok(Self { store: None });
        }
        match Self::required(&args.state, kernel) {
            Err(Failure::File { path, source }) if args.state.state_dir.is_none() => {
                let path = path.display();
                terminal.note(&format!(
                    "note: the change is not written down, so `undo` will not know it: {path}: {source}"
                ));
                Ok(Self { store: None })
            }
            outcome => outcome,
        }
    }

    /// The log of this network namespace.
    pub(crate) fn required(args: &StateDir, kernel: &mut NetlinkKernel) -> Result<Self, Failure> {
        let journal = Self { store: Some(Store::open(&state_dir(args)?, netns(kernel)?)?) };
        journal.recover(kernel)?;
        Ok(journal)
    }

    /// Where it stands that a change waits to be confirmed. It may be read while others work.
    pub(crate) fn trial_path(args: &StateDir, kernel: &NetlinkKernel) -> Result<PathBuf, Failure> {
        trial_path(&state_dir(args)?, netns(kernel)?)
    }

    /// What is written down, if anything is.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Finds out about a change that was interrupted.
    fn recover(&self, kernel: &mut impl Kernel) -> Result<(), Failure> {
        let Some(store) = &self.store else { return Ok(()) };
        let Some(mut entry) = store.last()? else { return Ok(()) };
        let State::Begun { before } = &entry.state else { return Ok(()) };
        let live = kernel.read(&Scope::tables(entry.tables.iter().cloned()))?;
        if live.generation.id == before.generation.id || difference(before, &live)?.is_empty() {
            return store.remove(entry.number);
        }
        let generation = Some(live.generation.id);
        entry = if leads_to(before, &entry.diff, &live)? {
            entry.applied(&Applied { generation, messages: 0, bytes: 0 }, Some(live))
        } else {
            Entry { state: State::Unknown, ..entry }
        };
        store.write(&entry)?;
        store.tidy()
    }

    /// Fails if a change waits to be confirmed: another must not come on top of it.
    fn ready(&self) -> Result<(), Failure> {
        let Some(trial) = self.store.as_ref().map_or(Ok(None), Store::trial)? else { return Ok(()) };
        Err(Failure::Usage(format!(
            "nothing was changed: change {} waits to be confirmed until {}; `rulectl confirm` keeps it, `rulectl undo` \
             takes it back",
            trial.number,
            utc(trial.until)
        )))
    }

    /// Makes a change, if there is something to change. `propose` compares with the kernel, anew each time somebody else
    /// was faster. With `seconds` it is taken back after that time unless it is confirmed.
    pub(crate) fn make<K: Kernel>(
        &self,
        kernel: &mut K,
        seconds: Option<u32>,
        propose: impl Fn(&mut K) -> Result<Proposal, Failure>,
        failure: impl Fn(&Change, CommitError) -> Failure,
    ) -> Result<Option<Made>, Failure> {
        self.ready()?;
        let mut keeper = None;
        let outcome = self.attempts(kernel, propose, failure, |number| {
            if let (Some(seconds), Some(store), None) = (seconds, &self.store, &keeper) {
                keeper = Some(Keeper::start(store, number, seconds)?);
            }
            Ok(())
        });
        if let (Ok(None) | Err(_), Some(_), Some(store)) = (&outcome, &keeper, &self.store) {
            store.end_trial()?;
        }
        outcome
    }

    fn attempts<K: Kernel>(
        &self,
        kernel: &mut K,
        propose: impl Fn(&mut K) -> Result<Proposal, Failure>,
        failure: impl Fn(&Change, CommitError) -> Failure,
        mut before_commit: impl FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Option<Made>, Failure> {
        for attempt in 1.. {
            let Proposal { tables, live, change, undoes } = propose(kernel)?;
            if change.plan.is_empty() {
                return Ok(None);
            }
            let entry = self.begin(undoes, &tables, &change.diff, live)?;
            if let Some(entry) = &entry {
                before_commit(entry.number).inspect_err(|_| self.abandon(entry))?;
            }
            match kernel.commit(&change.plan) {
                Ok(applied) => {
                    let number = entry.map(|entry| self.applied(kernel, entry, &tables, &applied));
                    return Ok(Some(Made { diff: change.diff, applied, undoes, number }));
                }
                Err(error) => {
                    entry.iter().for_each(|entry| self.abandon(entry));
                    match error {
                        CommitError::Stale { .. } if attempt < ATTEMPTS => tracing::info!("{error}; planning again"),
                        error => return Err(failure(&change, error)),
                    }
                }
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// Writes down what is about to be done.
    fn begin(
        &self,
        undoes: Option<u64>,
        tables: &[TableId],
        diff: &Diff,
        live: Live,
    ) -> Result<Option<Entry>, Failure> {
        let Some(store) = &self.store else { return Ok(None) };
        let number = store.numbers()?.last().map_or(1, |last| last + 1);
        let entry = Entry::begin(number, undoes, tables.to_vec(), diff.clone(), live);
        store.write(&entry)?;
        Ok(Some(entry))
    }

    /// Forgets it. If that fails, the next run sees that the kernel is as it was, and forgets it then.
    fn abandon(&self, entry: &Entry) {
        if let Some(Err(error)) = self.store.as_ref().map(|store| store.remove(entry.number)) {
            tracing::warn!("{error}");
        }
    }

    /// Writes down that it is done. The change is made: what fails here is found out by the next run.
    fn applied(&self, kernel: &mut impl Kernel, entry: Entry, tables: &[TableId], applied: &Applied) -> u64 {
        let number = entry.number;
        let write = |store: &Store| {
            let live = kernel.read(&Scope::tables(tables.iter().cloned()))?;
            let State::Begun { before } = &entry.state else { return Ok(()) };
            // Somebody else may have been there already; elsewhere that is no matter.
            let is_ours = applied.generation == Some(live.generation.id) || leads_to(before, &entry.diff, &live)?;
            store.write(&entry.applied(applied, is_ours.then_some(live)))?;
            store.tidy()
        };
        if let Some(Err(error)) = self.store.as_ref().map(write) {
            let error: Failure = error;
            tracing::warn!("the change is made, but its log is not complete yet: {error}");
        }
        number
    }

    /// Takes the last change back. If it is `strict`, only where the tables are as the change has left them.
    pub(crate) fn take_back<K: Kernel>(&self, kernel: &mut K, strict: bool) -> Result<Option<Made>, Failure> {
        let last = self.last_change()?;
        let made =
            self.attempts(kernel, |kernel| undoing(&last, kernel, strict), |_, error| error.into(), |_| Ok(()))?;
        if let Some(store) = self.store.as_ref() {
            store.end_trial()?;
        }
        Ok(made)
    }

    /// The change that `undo` would take back.
    pub(crate) fn last_change(&self) -> Result<Entry, Failure> {
        let last = self.store.as_ref().map_or(Ok(None), Store::last)?;
        let last = last.ok_or_else(|| {
            Failure::Usage("there is nothing to undo: no change of this network namespace is written down".to_owned())
        })?;
        if last.is_applied() {
            return Ok(last);
        }
        Err(Failure::Usage(format!(
            "change {} was interrupted, and others have changed its tables since: it is not known what there is to undo",
            last.number
        )))
    }
}

/// What takes a change back.
pub(crate) fn undoing<K: Kernel>(entry: &Entry, kernel: &mut K, strict: bool) -> Result<Proposal, Failure> {
    let number = entry.number;
    let live = kernel.read(&Scope::tables(entry.tables.iter().cloned()))?;
    match entry.after() {
        Some(after) => {
            let changed = difference(after, &live)?;
            if strict && !changed.is_empty() {
                let found = kernel.generation()?;
                return Err(changed_since(&format!("change {number} was made"), &after.generation, &found, &changed));
            }
        }
        None if strict => {
            return Err(Failure::Usage(format!(
                "nothing was changed: somebody else changed the same tables right after change {number}, so it is not \
                 known what is whose"
            )));
        }
        None => {}
    }
    let diff = entry.diff.inverse().locate(&live).map_err(|drifts| {
        let drifts: Vec<_> = drifts.iter().map(ToString::to_string).collect();
        Failure::Usage(format!("nothing was changed: change {number} cannot be undone: {}", drifts.join("; ")))
    })?;
    let change = Change::of(diff, live.generation.id);
    Ok(Proposal { tables: entry.tables.clone(), live, change, undoes: Some(number) })
}

/// That others came in between: since when, from which generation to which, and what they changed.
pub(crate) fn changed_since(
    when: &str,
    from: &rulectl_ruleset::live::Generation,
    to: &rulectl_ruleset::live::Generation,
    changed: &Diff,
) -> Failure {
    Failure::Usage(format!(
        "nothing was changed: since {when} at {from}, the ruleset has changed, now at {to}:\n{}",
        changed.to_string().trim_end()
    ))
}

/// What others have changed between two readings of the same tables; what packets and time change is not told.
pub(crate) fn difference(before: &Live, after: &Live) -> Result<Diff, Failure> {
    let (before, after) = (lasting(before.clone()), lasting(after.clone()));
    let gone = before.tables.keys().filter(|table| !after.tables.contains_key(*table));
    let gone = diff::removal(&before, gone, &Ownership::Declared)?;
    Ok(gone.and(diff::diff(&before, &Lowered::from(after), &Ownership::Declared)?))
}

/// Whether a change leads from one state to the other.
fn leads_to(before: &Live, diff: &Diff, after: &Live) -> Result<bool, Failure> {
    let mut kernel = FakeKernel::with(before.clone());
    if kernel.commit(&plan::plan(diff, None)).is_err() {
        return Ok(false);
    }
    Ok(difference(after, kernel.live())?.is_empty() && difference(kernel.live(), after)?.is_empty())
}

/// The number of the network namespace.
fn netns(kernel: &NetlinkKernel) -> Result<u64, Failure> {
    kernel.netns_cookie().map_err(|source| Failure::File { path: "/proc/self/ns/net".into(), source })
}

/// Where changes are written down. As a path from the root: a process that stays behind works elsewhere.
fn state_dir(args: &StateDir) -> Result<PathBuf, Failure> {
    let own = || {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        state.or_else(|| home.map(|home| PathBuf::from(home).join(".local/state"))).map(|state| state.join("rulectl"))
    };
    let folder = match &args.state_dir {
        Some(folder) => folder.clone(),
        None if rustix::process::geteuid().is_root() => PathBuf::from("/var/lib/rulectl"),
        None => own().ok_or_else(|| {
            Failure::Usage("there is no folder to write changes down in: set RULECTL_STATE_DIR or HOME".to_owned())
        })?,
    };
    std::path::absolute(&folder).map_err(|source| Failure::File { path: folder, source })
}
