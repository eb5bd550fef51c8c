//! Keeps a kernel's service tables as a service map says, from one change of a service to the next.

use indexmap::IndexMap;
use rulectl_ruleset::diff::{Conflict, Ownership, diff, removal};
use rulectl_ruleset::flow::Flow;
use rulectl_ruleset::ir::{Comment, Element, Elements, Family, Key, Ruleset, TableId};
use rulectl_ruleset::live::{Live, LiveTable};
use rulectl_ruleset::lower::{LowerError, lower};
use rulectl_ruleset::plan::{Plan, plan};
use rulectl_ruleset::service::{
    Change, CompileOptions, Edit, ExpectedFlows, Finding, Frontend, Layout, NodeSettings, Protocol, Service,
    ServiceMap, ServiceName, Stale, TABLE_COMMENT, Tracker, align, compile, served,
};

use crate::conntrack::{Conntrack, ConntrackError, Deleted};
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
/// [`Self::repair`] notices when somebody flushed or changed our tables, also while no service changes. What others do to
/// our elements, other than those of the change, is not seen: call [`Self::sync`] from time to time to be sure, and when
/// node settings change.
///
/// Rules decide about the first packet of a flow. [`Self::clean_flows`] deletes the flows that go where they went before:
/// call it after changes, as often as is cheap enough, for it walks the kernel's table of flows.
#[derive(Debug)]
pub struct Reconciler<K> {
    kernel: K,
    options: CompileOptions,
    tracker: Option<Tracker>,
    known: Option<Known>,
    /// What changed at frontends since flows were cleaned.
    flows: ExpectedFlows,
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
        let options = CompileOptions { layout: Layout::Maps, ..options };
        let flows = ExpectedFlows::new(&NodeSettings::default(), &[Protocol::Udp]);
        Self { kernel, options, tracker: None, known: None, flows }
    }

    /// The same, but it keeps account of flows of those protocols instead of UDP alone. A connection of TCP whose flow is
    /// deleted is reset.
    #[must_use]
    pub fn cleaning(self, protocols: &[Protocol]) -> Self {
        Self { flows: ExpectedFlows::new(&NodeSettings::default(), protocols), ..self }
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
            let before = served(&live);
            if let Some(applied) = self.replace(live, ruleset.clone())? {
                self.tracker = Some(Tracker::adopt(map, &self.options, &ruleset));
                self.flows = ExpectedFlows::of(map, self.flows.protocols()).after(before);
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
        let services: Vec<_> = services.into_iter().collect();
        let held = held(&tracker, &services);
        let reconciled = self.apply(&mut tracker, services.iter().copied());
        if reconciled.is_ok() {
            expect(&mut self.flows, &tracker, &services, held);
        }
        self.tracker = Some(tracker);
        reconciled
    }

    /// Looks whether somebody changed or flushed our tables, and brings them right again: [`Reconciled::read_all`] says
    /// whether that was needed. Asks the kernel one question as long as nobody changes any ruleset, and for the
    /// declarations of our tables if somebody did.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn repair(&mut self) -> Result<Reconciled, ReconcileError> {
        let mut tracker = self.tracker.take().ok_or(ReconcileError::NotSynchronised)?;
        let repaired = self.repair_to(&mut tracker);
        self.tracker = Some(tracker);
        repaired
    }

    fn repair_to(&mut self, tracker: &mut Tracker) -> Result<Reconciled, ReconcileError> {
        let generation = self.kernel.generation()?.id;
        let change = tracker.change();
        if let Some(known) = &self.known {
            let is_known = known.generation == generation;
            if is_known || self.generation_if_untouched(&change)?.is_some() {
                return Ok(Reconciled::default());
            }
        }
        let (applied, ruleset) = self.resync(&change)?;
        change.accept();
        tracker.take_sizes(&ruleset);
        Ok(Reconciled { applied, findings: Vec::new(), read_all: true })
    }

    /// What is to be said of flows since they were cleaned: about all frontends after [`Self::sync`], about those of
    /// changed services after [`Self::update`].
    pub fn expected_flows(&self) -> &ExpectedFlows {
        &self.flows
    }

    /// Deletes the flows that changes of services since the last call made stale; `report` is told of each. Without such
    /// changes it asks the kernel nothing.
    ///
    /// # Errors
    /// Where the kernel cannot be asked; then the next call tries again.
    pub fn clean_flows(
        &mut self,
        conntrack: &mut Conntrack,
        report: impl FnMut(&Flow, Stale),
    ) -> Result<Deleted, ConntrackError> {
        if self.flows.is_empty() {
            return Ok(Deleted::default());
        }
        let deleted = conntrack.clean(&mut self.flows, report)?;
        self.flows.clear();
        Ok(deleted)
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
        let mark = mark();
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

/// The comment on tables of ours.
fn mark() -> Comment {
    Comment::new(TABLE_COMMENT).expect("the comment is short")
}

/// The frontends that services have before they change.
fn held(tracker: &Tracker, services: &[(&ServiceName, Option<&Service>)]) -> Vec<Frontend> {
    let claimed =
        services.iter().flat_map(|(name, _)| tracker.claimed(name).iter().map(move |frontend| (*name, frontend)));
    claimed.filter(|(name, frontend)| tracker.holder(frontend) == Some(*name)).map(|(_, frontend)| *frontend).collect()
}

/// Takes down what services serve after they changed.
fn expect(
    flows: &mut ExpectedFlows,
    tracker: &Tracker,
    services: &[(&ServiceName, Option<&Service>)],
    held: Vec<Frontend>,
) {
    for frontend in held {
        match tracker.holder(&frontend) {
            // Another service may have waited for it.
            Some(_) => flows.serves_at(frontend, tracker.endpoints(&frontend)),
            None => flows.leaves(frontend),
        }
    }
    for (name, service) in services {
        if let Some(service) = service {
            flows.serves(service, |frontend| tracker.holder(frontend) == Some(*name));
        }
    }
}
