//! Keeps a kernel's service tables as a service map says, from one change of a service to the next.

use indexmap::IndexMap;
use rulectl_ruleset::diff::{Conflict, Ownership, diff, removal};
use rulectl_ruleset::ir::{Comment, Element, Elements, Family, Key, Ruleset, TableId};
use rulectl_ruleset::live::{Live, LiveTable};
use rulectl_ruleset::lower::{LowerError, lower};
use rulectl_ruleset::plan::{Plan, plan};
use rulectl_ruleset::service::{
    Change, CompileOptions, Edit, Finding, Layout, Service, ServiceMap, ServiceName, TABLE_COMMENT, Tracker, align,
    compile,
};

use crate::kernel::{Applied, CommitError, Kernel, ReadError, Scope};

/// How often a change is tried while others keep changing the kernel's ruleset.
const ATTEMPTS: usize = 8;

/// Why a kernel was not brought to what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// [`Reconciler::sync`] was not called yet, or never succeeded.
    #[error("no service map was synchronised yet")]
    NotSynchronised,
    /// Tables of our names belong to somebody else.
    #[error("{}", conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Conflict {
        /// All of them.
        conflicts: Vec<Conflict>,
    },
    /// Others changed the ruleset during every attempt.
    #[error("the ruleset was changed by others during each of {attempts} attempts")]
    Contended {
        /// How often it was tried.
        attempts: usize,
    },
    /// The kernel could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The kernel did not take the change. Nothing of it is there.
    #[error(transparent)]
    Commit(CommitError),
    /// A rule has no program. A defect of the compiler.
    #[error("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Lower {
        /// All of them.
        errors: Vec<LowerError>,
    },
}

/// What a call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// What was sent to the kernel.
    pub applied: Applied,
    /// What is to be said about the services that were changed; about all of them after [`Reconciler::sync`].
    pub findings: Vec<Finding>,
    /// Whether the tables were read as a whole.
    pub read_all: bool,
}

/// Keeps the service tables of a kernel, in the maps layout, as a map says.
///
/// [`Self::sync`] reads the tables once and brings them to a map; from then on [`Self::update`] sends what one service
/// changes. Nothing is read in between. If the ruleset has changed since, the declarations of our tables and the very
/// elements of the change are looked up; if they are as they were left, somebody changed something else, and the change
/// is made all the same. Only if not, our tables are read and brought right again.
///
/// What others do to our elements, other than those of the change, is not seen: call [`Self::sync`] from time to time
/// to be sure, and when node settings change.
#[derive(Debug)]
pub struct Reconciler<K> {
    kernel: K,
    options: CompileOptions,
    tracker: Option<Tracker>,
    known: Option<Known>,
}

/// The kernel as our last commit left it. Without it the kernel may hold something else than the tracker says.
#[derive(Debug)]
struct Known {
    generation: u32,
    /// Our tables without elements; `None` if they could not be read at that generation.
    heads: Option<IndexMap<TableId, LiveTable>>,
}

impl<K: Kernel> Reconciler<K> {
    /// A reconciler that has read nothing yet. The layout is [`Layout::Maps`], whatever the options say.
    pub fn new(kernel: K, options: CompileOptions) -> Self {
        Self { kernel, options: CompileOptions { layout: Layout::Maps, ..options }, tracker: None, known: None }
    }

    /// The kernel.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// The kernel, to do other things with it.
    pub fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// Brings the tables to a whole map. Endpoints that stay keep their slots.
    ///
    /// # Errors
    /// Where it could not be done; nothing has changed then.
    pub fn sync(&mut self, map: &ServiceMap) -> Result<Reconciled, ReconcileError> {
        let compiled = compile(map, &self.options);
        for _ in 0..ATTEMPTS {
            let live = self.kernel.read(&Scope::tables(self.tables()))?;
            let mut ruleset = compiled.ruleset.clone();
            align(&mut ruleset, &live);
            if let Some(applied) = self.replace(live, ruleset.clone())? {
                self.tracker = Some(Tracker::adopt(map, &self.options, &ruleset));
                return Ok(Reconciled { applied, findings: compiled.findings, read_all: true });
            }
        }
        Err(ReconcileError::Contended { attempts: ATTEMPTS })
    }

    /// Puts a service in the place of the one of that name, or takes it away.
    ///
    /// # Errors
    /// Where it could not be done; then the service is as it was, also for the next call.
    pub fn update(&mut self, name: &ServiceName, service: Option<&Service>) -> Result<Reconciled, ReconcileError> {
        self.update_all([(name, service)])
    }

    /// As [`Self::update`], for several services in one batch: the kernel takes them much faster so.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn update_all<'s>(
        &mut self,
        services: impl IntoIterator<Item = (&'s ServiceName, Option<&'s Service>)>,
    ) -> Result<Reconciled, ReconcileError> {
        let mut tracker = self.tracker.take().ok_or(ReconcileError::NotSynchronised)?;
        let reconciled = self.apply(&mut tracker, services);
        self.tracker = Some(tracker);
        reconciled
    }

    fn apply<'s>(
        &mut self,
        tracker: &mut Tracker,
        services: impl IntoIterator<Item = (&'s ServiceName, Option<&'s Service>)>,
    ) -> Result<Reconciled, ReconcileError> {
        let mut change = tracker.change();
        for (name, service) in services {
            change.update(name, service);
        }
        let findings = change.findings().to_vec();
        if let Some(applied) = self.commit_change(&change)? {
            let is_structural = change.edits().iter().any(|edit| !matches!(edit, Edit::Elements { .. }));
            change.accept();
            if is_structural {
                self.look();
            }
            return Ok(Reconciled { applied, findings, read_all: false });
        }
        let (applied, ruleset) = self.resync(&change)?;
        change.accept();
        tracker.take_sizes(&ruleset);
        Ok(Reconciled { applied, findings, read_all: true })
    }

    /// Commits a change to a kernel that is as we left it, or where only what is not ours has changed. `None` if our
    /// tables must be read as a whole.
    fn commit_change(&mut self, change: &Change<'_>) -> Result<Option<Applied>, ReconcileError> {
        let Some(generation) = self.known.as_ref().filter(|_| !change.outgrows()).map(|known| known.generation) else {
            return Ok(None);
        };
        let steps = change.steps().map_err(|error| ReconcileError::Lower { errors: vec![error] })?;
        let mut plan = Plan { generation: Some(generation), steps };
        for _ in 0..ATTEMPTS {
            match self.kernel.commit(&plan) {
                Ok(applied) => {
                    self.known.iter_mut().for_each(|known| {
                        known.generation = applied.generation.unwrap_or(known.generation);
                    });
                    return Ok(Some(applied));
                }
                Err(CommitError::Stale { .. }) => {
                    plan.generation = self.generation_if_untouched(change)?;
                    if plan.generation.is_none() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(ReconcileError::Commit(error)),
            }
        }
        Err(ReconcileError::Contended { attempts: ATTEMPTS })
    }

    /// The kernel's generation, if our tables are declared as we left them and the elements of the change are as the
    /// change expects. A commit for that generation is refused if somebody touches them while they are looked at.
    fn generation_if_untouched(&mut self, change: &Change<'_>) -> Result<Option<u32>, ReconcileError> {
        let tables = self.tables();
        let Some(heads) = self.known.as_ref().and_then(|known| known.heads.as_ref()) else { return Ok(None) };
        let now = self.kernel.read(&Scope::tables(tables).without_elements())?;
        if now.tables != *heads {
            return Ok(None);
        }
        for edit in change.edits() {
            let Edit::Elements { table, set, removed, added } = edit else { continue };
            let fresh = added.iter().filter(|element| removed.find(&element.key).is_none());
            let expected: Vec<(&Element, bool)> =
                removed.iter().map(|element| (element, true)).chain(fresh.map(|element| (element, false))).collect();
            let keys: Vec<Key> = expected.iter().map(|(element, _)| element.key.clone()).collect();
            let found = self.kernel.probe(table, set, &keys)?;
            let is_expected = |(found, (element, there)): (&Option<Element>, &(&Element, bool))| match found {
                Some(found) => *there && found.data == element.data,
                None => !there,
            };
            if found.len() != expected.len() || !found.iter().zip(&expected).all(is_expected) {
                return Ok(None);
            }
        }
        Ok(Some(now.generation.id))
    }

    /// Reads our tables and brings them to what the tracker says after a change, and gives that.
    fn resync(&mut self, change: &Change<'_>) -> Result<(Applied, Ruleset), ReconcileError> {
        let ruleset = change.ruleset();
        for _ in 0..ATTEMPTS {
            let live = self.kernel.read(&Scope::tables(self.tables()))?;
            if let Some(applied) = self.replace(live, ruleset.clone())? {
                return Ok((applied, ruleset));
            }
        }
        Err(ReconcileError::Contended { attempts: ATTEMPTS })
    }

    /// Brings what is live to that ruleset; `None` if somebody was faster.
    fn replace(&mut self, mut live: Live, ruleset: Ruleset) -> Result<Option<Applied>, ReconcileError> {
        self.known = None;
        let mark = Comment::new(TABLE_COMMENT).expect("the comment is short");
        let gone = live.tables.values().filter(|table| table.comment.as_ref() == Some(&mark));
        let gone: Vec<TableId> = gone.map(|table| table.id.clone()).filter(|id| ruleset.find(id).is_none()).collect();
        let ownership = Ownership::Marked(mark);
        let lowered = lower(ruleset).map_err(|errors| ReconcileError::Lower { errors })?;
        let difference = diff(&live, &lowered, &ownership)
            .and_then(|difference| Ok(difference.and(removal(&live, &gone, &ownership)?)))
            .map_err(|conflicts| ReconcileError::Conflict { conflicts })?;
        drop(lowered);
        let plan = plan(&difference, Some(live.generation.id));
        drop(difference);
        if plan.is_empty() {
            live.tables.values_mut().flat_map(|table| table.sets.iter_mut()).for_each(|set| {
                *set.set.elements_mut() = Elements::default();
            });
            self.known = Some(Known { generation: live.generation.id, heads: Some(live.tables) });
            return Ok(Some(Applied { generation: plan.generation, ..Applied::default() }));
        }
        let applied = match self.kernel.commit(&plan) {
            Ok(applied) => applied,
            Err(CommitError::Stale { .. }) => return Ok(None),
            Err(error) => return Err(ReconcileError::Commit(error)),
        };
        self.known = applied.generation.map(|generation| Known { generation, heads: None });
        self.look();
        Ok(Some(applied))
    }

    /// Looks how our last commit left the declarations of our tables.
    fn look(&mut self) {
        let tables = self.tables();
        if let Some(known) = &mut self.known {
            // What cannot be read, or has changed since, cannot be told to be as we left it: the next time somebody
            // else commits, our tables are read as a whole.
            let heads = self.kernel.read(&Scope::tables(tables).without_elements());
            known.heads = heads.ok().filter(|heads| heads.generation.id == known.generation).map(|heads| heads.tables);
        }
    }

    /// The tables that are ours, if they are there.
    fn tables(&self) -> [TableId; 2] {
        [Family::Ip, Family::Ip6].map(|family| TableId::new(family, self.options.table.clone()))
    }
}
