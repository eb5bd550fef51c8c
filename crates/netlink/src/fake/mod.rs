//! A kernel in memory, for tests: the same trait, the same errors, no privileges.
//!
//! It keeps the kernel's books: names, handles, references, sizes, depth of jumps. It does not judge what needs a
//! running kernel: modules that are missing, hooks that a nat or reject statement cannot be called from, intervals that
//! overlap. A commit works on a copy that takes the place of the state if nothing was refused.

mod elements;
mod jumps;
mod state;
mod watch;

use rulectl_ruleset::ir::{Element, Key, TableId};
use rulectl_ruleset::live::{Generation, Live};
use rulectl_ruleset::plan::{Plan, SetHead};

use self::state::State;
use self::watch::Ear;
use crate::kernel::{Applied, CommitError, Kernel, ReadError, Refusal, Scope};
use crate::watch::{Event, Watch};

/// A kernel in memory.
///
/// ```
/// use rulectl_netlink::{FakeKernel, Kernel, Scope};
/// use rulectl_ruleset::plan::{Op, Plan, Reason, Step};
///
/// let mut kernel = FakeKernel::new();
/// let table = serde_json::from_str(r#"{"family":"ip","name":"mine"}"#).unwrap();
/// let op = Op::AddTable { table, flags: Default::default(), comment: None };
/// let plan = Plan { generation: None, steps: vec![Step { op, reason: Reason::Missing }] };
/// kernel.commit(&plan).unwrap();
/// assert_eq!(kernel.read(&Scope::all()).unwrap().tables.len(), 1);
/// assert!(kernel.commit(&plan).is_err(), "it is there already");
/// ```
#[derive(Default)]
pub struct FakeKernel {
    state: State,
    commits: usize,
    faults: Vec<Fault>,
    interrupted_reads: usize,
    before_commit: Vec<Writer>,
    ears: Vec<Ear>,
}

type Writer = Box<dyn FnOnce(&mut FakeKernel) + Send>;

#[derive(Clone, Copy)]
struct Fault {
    step: usize,
    errno: i32,
}

/// The process that commits through the trait, as [`Generation`] names it.
const PROCESS: &str = "fake";

impl FakeKernel {
    /// Without any table.
    pub fn new() -> Self {
        Self::default()
    }

    /// With those tables.
    pub fn with(live: Live) -> Self {
        Self { state: State::new(live), ..Self::default() }
    }

    /// What it holds.
    pub fn live(&self) -> &Live {
        &self.state.live
    }

    /// How many plans that were not empty it has applied.
    pub fn commits(&self) -> usize {
        self.commits
    }

    /// Makes the next commit or check refuse that step with that error number. May be called several times.
    pub fn fail_step(&mut self, step: usize, errno: i32) {
        self.faults.push(Fault { step, errno });
    }

    /// Makes so many of the next reads fail, as if the ruleset changed all the time.
    pub fn interrupt_reads(&mut self, reads: usize) {
        self.interrupted_reads = reads;
    }

    /// Runs `writer` at the next commit, before the generation is compared: somebody else was faster.
    pub fn before_commit(&mut self, writer: impl FnOnce(&mut Self) + Send + 'static) {
        self.before_commit.push(Box::new(writer));
    }

    /// Changes the state as another process of that name would: `change` may do anything to it.
    pub fn change_as(&mut self, process: &str, change: impl FnOnce(&mut Live)) {
        let mut live = self.state.live.clone();
        change(&mut live);
        live.generation = next_generation(&live.generation, process);
        self.become_state(State::new(live));
    }

    /// Has all listeners lose what they have not heard yet, as if there were no room for it.
    pub fn lose_events(&mut self) {
        self.tell(&Event::Lost);
    }

    fn tell(&mut self, event: &Event) {
        self.ears.retain_mut(|ear| ear.tell(event));
    }

    /// Goes over to another state, and tells of it.
    fn become_state(&mut self, next: State) {
        if !self.ears.is_empty() {
            let commit = watch::commit(&self.state.live, &next.live);
            self.tell(&Event::Commit(commit));
        }
        self.state = next;
    }

    /// Tries a plan on a copy of the state.
    fn attempt(&mut self, plan: &Plan) -> Result<State, CommitError> {
        elements::encodable(plan)?;
        let found = &self.state.live.generation;
        if let Some(expected) = plan.generation.filter(|expected| *expected != found.id) {
            return Err(CommitError::Stale { expected, found: found.clone() });
        }
        let faults = std::mem::take(&mut self.faults);
        let mut next = self.state.clone();
        let mut refusals = next.apply(plan, Validation::AtTheEnd);
        if refusals.is_empty() && next.validate().is_err() {
            // The kernel runs the batch again to find out which message is to blame (`nf_tables_commit`, EAGAIN).
            next = self.state.clone();
            refusals = next.apply(plan, Validation::AtEachStep);
        }
        refusals.extend(faults.into_iter().filter_map(|fault| {
            let op = &plan.steps.get(fault.step)?.op;
            Some(Refusal::of(fault.step, Some(op), (None, None), fault.errno))
        }));
        refusals.sort_by_key(|refusal| refusal.step);
        if refusals.is_empty() { Ok(next) } else { Err(CommitError::Refused { refusals }) }
    }
}

/// When jumps are followed to the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Validation {
    /// Once all steps are applied.
    AtTheEnd,
    /// After each step that can add a jump.
    AtEachStep,
}

fn next_generation(generation: &Generation, process: &str) -> Generation {
    Generation { id: generation.id.wrapping_add(1), pid: Some(1), process: Some(process.to_owned()) }
}

impl Kernel for FakeKernel {
    fn generation(&mut self) -> Result<Generation, ReadError> {
        Ok(self.state.live.generation.clone())
    }

    fn read(&mut self, scope: &Scope) -> Result<Live, ReadError> {
        if let Some(left) = self.interrupted_reads.checked_sub(1) {
            self.interrupted_reads = left;
            return Err(ReadError::Interrupted { attempts: 1 });
        }
        let mut live = self.state.live.clone();
        if let Some(wanted) = &scope.tables {
            live.tables.retain(|id, _| wanted.contains(id));
        }
        if !scope.elements {
            let sets = live.tables.values_mut().flat_map(|table| table.sets.iter_mut());
            sets.for_each(|set| *set.set.elements_mut() = Default::default());
        }
        Ok(live)
    }

    fn probe(&mut self, table: &TableId, set: &SetHead, keys: &[Key]) -> Result<Vec<Option<Element>>, ReadError> {
        let set = self.state.live.tables.get(table).and_then(|table| table.sets.find(set.name()));
        Ok(keys.iter().map(|key| set?.set.elements().find(key).cloned()).collect())
    }

    fn check(&mut self, plan: &Plan) -> Result<(), CommitError> {
        if plan.is_empty() {
            return Ok(());
        }
        self.attempt(plan).map(drop)
    }

    fn commit(&mut self, plan: &Plan) -> Result<Applied, CommitError> {
        if plan.is_empty() {
            return Ok(Applied { generation: plan.generation, ..Applied::default() });
        }
        for writer in std::mem::take(&mut self.before_commit) {
            writer(self);
        }
        let mut next = self.attempt(plan)?;
        next.live.generation = next_generation(&next.live.generation, PROCESS);
        self.become_state(next);
        self.commits += 1;
        let (messages, bytes) = elements::size(plan);
        Ok(Applied { generation: Some(self.state.live.generation.id), messages, bytes })
    }

    fn watch(&mut self) -> Result<Box<dyn Watch>, ReadError> {
        let (ear, watch) = watch::listener().map_err(|source| ReadError::Io { action: "listening", source })?;
        self.ears.push(ear);
        Ok(Box::new(watch))
    }
}
