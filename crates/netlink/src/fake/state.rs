//! What the fake kernel holds, and how each step changes it.

use std::collections::{BTreeMap, HashMap};

use libc::{EBUSY, EEXIST, EINVAL, EMLINK, ENOENT, EOPNOTSUPP};
use rulectl_ruleset::expr::{Expr, Program, Reference, SetUse};
use rulectl_ruleset::ir::{AnySet, ChainName, DataKind, HasName, Named, TableFlags, TableId};
use rulectl_ruleset::live::{Live, LiveChain, LiveFlowtable, LiveObject, LiveRule, LiveSet, LiveTable};
use rulectl_ruleset::plan::{Op, Place, Plan};

use super::{Validation, elements, jumps};
use crate::kernel::Refusal;

/// The state, with the kernel's books about it.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) live: Live,
    books: BTreeMap<TableId, Books>,
    last_table: u64,
}

/// What the kernel keeps about a table.
#[derive(Clone, Default)]
struct Books {
    /// The last handle given (`table->hgenerator`).
    last_handle: u64,
    /// How often rules and elements refer to things (`use`).
    uses: HashMap<Reference, usize>,
    /// What this batch has done to the table that other steps of it may not meet.
    batch: InBatch,
}

/// Steps that cannot be in one batch in every order (`nft_table_pending_update`, `nf_tables_addchain`).
#[derive(Clone, Copy, Default)]
struct InBatch {
    /// The table's flags were changed.
    flags: bool,
    /// A policy was changed or a base chain deleted.
    base_chains: bool,
}

/// Why a step is refused.
pub(super) struct No {
    pub(super) errno: i32,
    pub(super) element: Option<usize>,
}

impl From<i32> for No {
    fn from(errno: i32) -> Self {
        Self { errno, element: None }
    }
}

impl Books {
    fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    fn hold(&mut self, references: impl IntoIterator<Item = Reference>) {
        references.into_iter().for_each(|reference| *self.uses.entry(reference).or_default() += 1);
    }

    fn release(&mut self, references: impl IntoIterator<Item = Reference>) {
        for reference in references {
            if let Some(uses) = self.uses.get_mut(&reference) {
                *uses = uses.saturating_sub(1);
            }
        }
    }

    fn free(&self, reference: &Reference) -> Result<(), No> {
        if self.uses.get(reference).is_some_and(|uses| *uses > 0) { Err(EBUSY.into()) } else { Ok(()) }
    }
}

impl State {
    pub(super) fn new(live: Live) -> Self {
        let books = live.tables.iter().map(|(id, table)| (id.clone(), books(table))).collect();
        let last_table = live.tables.values().map(|table| table.handle).max().unwrap_or(0);
        Self { live, books, last_table }
    }

    /// Applies the steps one after the other and goes on after one that is refused, as the kernel does.
    pub(super) fn apply(&mut self, plan: &Plan, validation: Validation) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for (step, op) in plan.steps.iter().map(|step| &step.op).enumerate() {
            let mut outcome = self.step(op);
            if validation == Validation::AtEachStep && outcome.is_ok() && can_add_jumps(op) {
                outcome = self.validate();
            }
            if let Err(No { errno, element }) = outcome {
                refusals.push(Refusal::of(step, Some(op), (element, None), errno));
            }
        }
        self.books.values_mut().for_each(|books| books.batch = InBatch::default());
        refusals
    }

    /// Follows all jumps from all base chains.
    pub(super) fn validate(&self) -> Result<(), No> {
        let shallow = self.live.tables.values().all(jumps::are_shallow);
        if shallow { Ok(()) } else { Err(EMLINK.into()) }
    }

    fn step(&mut self, op: &Op) -> Result<(), No> {
        match op {
            Op::AddTable { table, flags, comment } => {
                if self.live.tables.contains_key(table) {
                    return Err(EEXIST.into());
                }
                self.last_table += 1;
                let table = LiveTable {
                    id: table.clone(),
                    handle: self.last_table,
                    flags: *flags,
                    comment: comment.clone(),
                    owner: flags.owner.then_some(1),
                    objects: Named::default(),
                    sets: Named::default(),
                    flowtables: Named::default(),
                    chains: Named::default(),
                };
                self.books.insert(table.id.clone(), Books::default());
                self.live.tables.insert(table.id.clone(), table);
                Ok(())
            }
            Op::DeleteTable { table } => {
                self.books.remove(table);
                self.live.tables.shift_remove(table).map(drop).ok_or_else(|| ENOENT.into())
            }
            _ => {
                let id = op.table();
                let (Some(table), Some(books)) = (self.live.tables.get_mut(id), self.books.get_mut(id)) else {
                    return Err(ENOENT.into());
                };
                Inside { table, books }.step(op)
            }
        }
    }
}

fn can_add_jumps(op: &Op) -> bool {
    matches!(op, Op::AddRule { .. } | Op::ReplaceRule { .. } | Op::AddElements { .. })
}

/// The books of a table as it was given.
fn books(table: &LiveTable) -> Books {
    let mut books = Books::default();
    let rules = || table.chains.iter().flat_map(|chain| &chain.rules);
    let handles = rules().map(|rule| rule.handle).chain(table.chains.iter().map(|chain| chain.handle));
    let handles = handles.chain(table.sets.iter().map(|set| set.handle));
    let handles = handles.chain(table.objects.iter().map(|object| object.handle));
    books.last_handle = handles.chain(table.flowtables.iter().map(|it| it.handle)).max().unwrap_or(0);
    rules().for_each(|rule| books.hold(rule.program.references()));
    table.sets.iter().for_each(|set| books.hold(references(&set.set)));
    books
}

/// What the elements of a set refer to.
fn references(set: &AnySet) -> impl Iterator<Item = Reference> {
    set.elements().iter().filter_map(|element| set.reference(element))
}

/// A table and its books.
struct Inside<'a> {
    table: &'a mut LiveTable,
    books: &'a mut Books,
}

impl Inside<'_> {
    fn step(&mut self, op: &Op) -> Result<(), No> {
        match op {
            Op::SetTableFlags { flags, .. } => self.set_flags(*flags),
            Op::AddObject { object, .. } => {
                let handle = self.books.handle();
                add(&mut self.table.objects, LiveObject { handle, object: object.clone() })
            }
            Op::DeleteObject { object, name, .. } => {
                let key = (*object, name.clone());
                let reference = Reference::Object(*object, name.clone());
                if !self.table.objects.contains(&key) {
                    return Err(ENOENT.into());
                }
                self.books.free(&reference)?;
                self.table.objects.remove(&key);
                Ok(())
            }
            Op::AddFlowtable { flowtable, .. } => {
                let handle = self.books.handle();
                add(&mut self.table.flowtables, LiveFlowtable { handle, flowtable: flowtable.clone() })
            }
            Op::DeleteFlowtable { flowtable, .. } => {
                self.table.flowtables.find(flowtable).ok_or(ENOENT)?;
                self.books.free(&Reference::Flowtable(flowtable.clone()))?;
                self.table.flowtables.remove(flowtable);
                Ok(())
            }
            Op::AddSet { .. } | Op::DeleteSet { .. } | Op::AddElements { .. } | Op::DeleteElements { .. } => {
                self.set_step(op)
            }
            Op::AddChain { chain, base, comment, .. } => {
                if base.is_some() && self.books.batch.flags {
                    return Err(EINVAL.into());
                }
                let handle = self.books.handle();
                let (name, base, comment) = (chain.clone(), base.clone(), comment.clone());
                add(&mut self.table.chains, LiveChain { name, handle, base, comment, rules: Vec::new() })
            }
            Op::SetPolicy { chain, policy, .. } => {
                let base = self.table.chains.find_mut(chain).and_then(|chain| chain.base.as_mut());
                let base = base.ok_or(EOPNOTSUPP)?;
                *base = base.clone().with_policy(*policy);
                self.books.batch.base_chains = true;
                Ok(())
            }
            Op::DeleteChain { chain, .. } => {
                let rules = &self.table.chains.find(chain).ok_or(ENOENT)?.rules;
                if !rules.is_empty() {
                    return Err(EBUSY.into());
                }
                self.books.free(&Reference::Chain(chain.clone()))?;
                let gone = self.table.chains.remove(chain);
                self.books.batch.base_chains |= gone.is_some_and(|chain| chain.base.is_some());
                Ok(())
            }
            Op::AddRule { .. } | Op::ReplaceRule { .. } | Op::DeleteRule { .. } => self.rule_step(op),
            Op::AddTable { .. } | Op::DeleteTable { .. } => Ok(()),
        }
    }

    fn set_flags(&mut self, flags: TableFlags) -> Result<(), No> {
        if flags == self.table.flags {
            return Ok(());
        }
        if self.books.batch.flags || self.books.batch.base_chains {
            return Err(EINVAL.into());
        }
        self.books.batch.flags = true;
        self.table.flags = flags;
        Ok(())
    }

    fn set_step(&mut self, op: &Op) -> Result<(), No> {
        match op {
            Op::AddSet { set, .. } => {
                let handle = self.books.handle();
                add(&mut self.table.sets, LiveSet { handle, set: set.set().clone() })
            }
            Op::DeleteSet { set, .. } => {
                self.table.sets.find(set).ok_or(ENOENT)?;
                self.books.free(&Reference::Set(set.clone()))?;
                let gone = self.table.sets.remove(set).ok_or(ENOENT)?;
                self.books.release(references(&gone.set));
                Ok(())
            }
            Op::AddElements { set, elements, .. } => {
                let live = &self.table.sets.find(set.name()).ok_or(ENOENT)?.set;
                elements::fit(live, elements, |element| match live.reference(element) {
                    Some(reference) => self.there(&reference),
                    None => Ok(()),
                })?;
                self.books.hold(elements.iter().filter_map(|element| live.reference(element)));
                if let Some(live) = self.table.sets.find_mut(set.name()) {
                    elements::add(live.set.elements_mut(), elements);
                }
                Ok(())
            }
            Op::DeleteElements { set, elements, .. } => {
                let live = &mut self.table.sets.find_mut(set.name()).ok_or(ENOENT)?.set;
                let gone = elements::delete(live, elements)?;
                self.books.release(gone.iter().filter_map(|element| live.reference(element)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn rule_step(&mut self, op: &Op) -> Result<(), No> {
        match op {
            Op::AddRule { chain, place, program, .. } => {
                let at = match place {
                    Place::Last => self.chain(chain)?.rules.len(),
                    Place::Before(handle) => self.position(chain, *handle)?,
                };
                self.fits(program)?;
                self.insert(chain, at, program)
            }
            Op::ReplaceRule { chain, handle, program, .. } => {
                let at = self.position(chain, *handle)?;
                self.fits(program)?;
                self.delete(chain, at)?;
                self.insert(chain, at, program)
            }
            Op::DeleteRule { chain, handle, .. } => {
                let at = self.position(chain, *handle)?;
                self.delete(chain, at)
            }
            _ => Ok(()),
        }
    }

    fn chain(&mut self, name: &ChainName) -> Result<&mut LiveChain, No> {
        self.table.chains.find_mut(name).ok_or_else(|| ENOENT.into())
    }

    fn position(&mut self, chain: &ChainName, handle: u64) -> Result<usize, No> {
        let rules = &self.chain(chain)?.rules;
        rules.iter().position(|rule| rule.handle == handle).ok_or_else(|| ENOENT.into())
    }

    fn insert(&mut self, chain: &ChainName, at: usize, program: &Program) -> Result<(), No> {
        let handle = self.books.handle();
        self.chain(chain)?.rules.insert(at, LiveRule { handle, program: program.clone() });
        self.books.hold(program.references());
        Ok(())
    }

    fn delete(&mut self, chain: &ChainName, at: usize) -> Result<(), No> {
        let gone = self.chain(chain)?.rules.remove(at);
        self.books.release(gone.program.references());
        Ok(())
    }

    /// Whether all that a rule refers to is there and of the right kind.
    fn fits(&self, program: &Program) -> Result<(), No> {
        for expr in &program.exprs {
            self.kind_fits(expr)?;
        }
        program.references().iter().try_for_each(|reference| self.there(reference).map_err(No::from))
    }

    /// A look-up into a set that cannot give what it asks for (`nft_lookup_init`, `nft_objref_map_init`).
    fn kind_fits(&self, expr: &Expr) -> Result<(), No> {
        let find = |set: &SetUse| match set {
            SetUse::Named(name) => self.table.sets.find(name).map(|set| set.set.data_kind()),
            SetUse::Anonymous(set) => Some(set.data_kind()),
        };
        let fits = match expr {
            Expr::Lookup { set, dreg: Some(_), .. } => {
                find(set).is_none_or(|kind| matches!(kind, DataKind::Value { .. }))
            }
            Expr::Vmap { set, .. } => find(set).is_none_or(|kind| kind == DataKind::Verdict),
            Expr::ObjrefMap { set, .. } => find(set).is_none_or(|kind| matches!(kind, DataKind::Object(_))),
            _ => true,
        };
        if fits { Ok(()) } else { Err(EINVAL.into()) }
    }

    fn there(&self, reference: &Reference) -> Result<(), i32> {
        let there = match reference {
            Reference::Chain(name) => {
                let chain = self.table.chains.find(name).ok_or(ENOENT)?;
                // `nft_verdict_init`: nothing may jump to a base chain.
                return if chain.base.is_some() { Err(EOPNOTSUPP) } else { Ok(()) };
            }
            Reference::Set(name) => self.table.sets.contains(name),
            Reference::Object(object, name) => self.table.objects.contains(&(*object, name.clone())),
            Reference::Flowtable(name) => self.table.flowtables.contains(name),
        };
        if there { Ok(()) } else { Err(ENOENT) }
    }
}

fn add<T: HasName>(named: &mut Named<T>, item: T) -> Result<(), No> {
    if named.contains(&item.key()) {
        return Err(EEXIST.into());
    }
    named.insert(item);
    Ok(())
}
