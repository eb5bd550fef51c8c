//! The order of steps.
//!
//! All that goes, goes first: elements, rules, sets, chains, objects, flowtables, so that nothing is deleted while
//! something still refers to it, and what is made anew does not meet its old self. Then all that comes, what is
//! referred to before what refers to it. Elements come last: each rule with a look-up that is added walks the whole
//! map it looks into (`nf_tables_bind_set`, net/netfilter/nf_tables_api.c), so maps are empty then.
//!
//! Table flags change between the base chains that come and those that go: the kernel refuses a base chain after the
//! flags, and flags after a base chain has gone or changed (`nf_tables_addchain`, `nft_table_pending_update`).
//!
//! Packets see none of the order: a batch is one generation.

use super::{Op, Place, Plan, Reason, SetHead, Step};
use crate::diff::{ChainChange, ChainDiff, ChainHead, Change, Diff, RuleEdit, SetDiff, TableChange, TableDiff};
use crate::ir::{AnySet, Element, Elements, HasName, TableId};

/// The steps that carry out a difference, in one batch, for a kernel at that generation (`None`: at any).
///
/// Elements are shared with the difference, not copied.
pub fn plan(diff: &Diff, generation: Option<u32>) -> Plan {
    let mut steps = Vec::new();
    let going = diff.tables.iter().filter(|table| matches!(table.table, TableChange::Removed { .. }));
    steps.extend(going.map(|table| step(Reason::Unwanted, Op::DeleteTable { table: table.id.clone() })));

    let staying = || diff.tables.iter().filter(|table| !matches!(table.table, TableChange::Removed { .. }));
    for phase in DELETIONS.iter().chain(ADDITIONS) {
        staying().for_each(|table| phase(table, &mut steps));
    }
    Plan { generation, steps }
}

type Phase = fn(&TableDiff, &mut Vec<Step>);

const DELETIONS: &[Phase] =
    &[delete_elements, delete_rules, delete_sets, delete_chains, delete_objects, delete_flowtables];

const ADDITIONS: &[Phase] = &[
    add_tables,
    add_objects,
    add_flowtables,
    add_sets,
    add_chains,
    set_table_flags,
    delete_base_chains,
    add_constant_elements,
    rules,
    set_policies,
    add_elements,
];

fn step(reason: Reason, op: Op) -> Step {
    Step { op, reason }
}

/// Why a thing goes or comes.
fn reason<T>(change: &Change<T>) -> Reason {
    match change {
        Change::Added(_) => Reason::Missing,
        Change::Removed(_) => Reason::Unwanted,
        Change::Changed { .. } => Reason::Differs,
    }
}

fn delete_elements(diff: &TableDiff, steps: &mut Vec<Step>) {
    for (set, removed, added) in changed_elements(diff).filter(|(_, removed, _)| !removed.is_empty()) {
        let op = Op::DeleteElements { table: diff.id.clone(), set: SetHead::of(set), elements: removed.clone() };
        steps.push(step(elements_reason(removed, added, Reason::Unwanted), op));
    }
}

/// Whether elements go or come for good, or to come or to have gone in another form.
fn elements_reason(elements: &Elements, others: &Elements, alone: Reason) -> Reason {
    let counterpart = |element: &Element| others.find(&element.key);
    match elements.iter().find_map(|element| Some((element, counterpart(element)?))) {
        None => alone,
        Some((element, other)) if element.same(other) => Reason::Dependent,
        Some(_) => Reason::Differs,
    }
}

fn changed_elements(diff: &TableDiff) -> impl Iterator<Item = (&AnySet, &Elements, &Elements)> {
    diff.sets.iter().filter_map(|set| match set {
        SetDiff::Elements { set, removed, added } => Some((set, removed, added)),
        SetDiff::Whole(_) => None,
    })
}

fn delete_rules(diff: &TableDiff, steps: &mut Vec<Step>) {
    for chain in &diff.chains {
        for edit in chain.rules.iter().filter(|edit| matches!(edit.rule, Change::Removed(_))) {
            let Some(handle) = edit.handle else { continue };
            let op = Op::DeleteRule { table: diff.id.clone(), chain: chain.name.clone(), handle };
            steps.push(step(rule_reason(edit), op));
        }
    }
}

fn rule_reason(edit: &RuleEdit) -> Reason {
    if edit.dependent { Reason::Dependent } else { reason(&edit.rule) }
}

fn whole_sets(diff: &TableDiff) -> impl Iterator<Item = &Change<AnySet>> {
    diff.sets.iter().filter_map(|set| match set {
        SetDiff::Whole(change) => Some(change),
        SetDiff::Elements { .. } => None,
    })
}

fn delete_sets(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(whole_sets(diff).filter_map(|change| {
        let set = change.before()?.name().clone();
        Some(step(reason(change), Op::DeleteSet { table: diff.id.clone(), set }))
    }));
}

fn delete_chains(diff: &TableDiff, steps: &mut Vec<Step>) {
    delete_chains_if(diff, steps, |change| matches!(change, Change::Changed { .. }) || !hooks_in(change));
}

/// Base chains that go for good. Nothing refers to one.
fn delete_base_chains(diff: &TableDiff, steps: &mut Vec<Step>) {
    delete_chains_if(diff, steps, |change| matches!(change, Change::Removed(_)) && hooks_in(change));
}

fn hooks_in(change: &Change<ChainHead>) -> bool {
    change.before().is_some_and(|head| head.base.is_some())
}

fn delete_chains_if(diff: &TableDiff, steps: &mut Vec<Step>, wanted: impl Fn(&Change<ChainHead>) -> bool) {
    for chain in &diff.chains {
        let ChainChange::Whole(change) = &chain.chain else { continue };
        if change.before().is_some() && wanted(change) {
            let op = Op::DeleteChain { table: diff.id.clone(), chain: chain.name.clone() };
            steps.push(step(reason(change), op));
        }
    }
}

fn delete_objects(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(diff.objects.iter().filter_map(|change| {
        let object = change.before()?;
        let (name, object) = (object.name.clone(), object.kind.object_type());
        Some(step(reason(change), Op::DeleteObject { table: diff.id.clone(), object, name }))
    }));
}

fn delete_flowtables(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(diff.flowtables.iter().filter_map(|change| {
        let flowtable = change.before()?.name.clone();
        Some(step(reason(change), Op::DeleteFlowtable { table: diff.id.clone(), flowtable }))
    }));
}

fn add_tables(diff: &TableDiff, steps: &mut Vec<Step>) {
    if let TableChange::Added { flags, comment } = &diff.table {
        let op = Op::AddTable { table: diff.id.clone(), flags: *flags, comment: comment.clone() };
        steps.push(step(Reason::Missing, op));
    }
}

fn set_table_flags(diff: &TableDiff, steps: &mut Vec<Step>) {
    if let TableChange::Flags { to, .. } = diff.table {
        steps.push(step(Reason::Differs, Op::SetTableFlags { table: diff.id.clone(), flags: to }));
    }
}

fn add_objects(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(diff.objects.iter().filter_map(|change| {
        let object = change.after()?.clone();
        Some(step(reason(change), Op::AddObject { table: diff.id.clone(), object }))
    }));
}

fn add_flowtables(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(diff.flowtables.iter().filter_map(|change| {
        let flowtable = change.after()?.clone();
        Some(step(reason(change), Op::AddFlowtable { table: diff.id.clone(), flowtable }))
    }));
}

fn add_sets(diff: &TableDiff, steps: &mut Vec<Step>) {
    steps.extend(whole_sets(diff).filter_map(|change| {
        let set = SetHead::of(change.after()?);
        Some(step(reason(change), Op::AddSet { table: diff.id.clone(), set }))
    }));
}

fn add_chains(diff: &TableDiff, steps: &mut Vec<Step>) {
    for chain in &diff.chains {
        let ChainChange::Whole(change) = &chain.chain else { continue };
        let Some(head) = change.after() else { continue };
        let (base, comment) = (head.base.clone(), head.comment.clone());
        let op = Op::AddChain { table: diff.id.clone(), chain: chain.name.clone(), base, comment };
        steps.push(step(reason(change), op));
    }
}

/// Constant sets are filled before rules use them: the kernel refuses it later (`nf_tables_newsetelem`, EBUSY).
fn add_constant_elements(diff: &TableDiff, steps: &mut Vec<Step>) {
    fill(diff, true, steps);
}

fn fill(diff: &TableDiff, constant: bool, steps: &mut Vec<Step>) {
    for change in whole_sets(diff) {
        let Some(set) = change.after().filter(|set| set.spec().flags.constant == constant) else { continue };
        if !set.elements().is_empty() {
            let elements = set.elements().clone();
            let op = Op::AddElements { table: diff.id.clone(), set: SetHead::of(set), elements };
            steps.push(step(reason(change), op));
        }
    }
}

/// Rules are added and changed in the order of their chain: one goes before a rule that is still the old one, and so
/// several that go before the same rule keep their order.
fn rules(diff: &TableDiff, steps: &mut Vec<Step>) {
    for chain in &diff.chains {
        let edits = chain.rules.iter();
        steps.extend(edits.filter_map(|edit| Some(step(rule_reason(edit), rule(&diff.id, chain, edit)?))));
    }
}

fn rule(table: &TableId, chain: &ChainDiff, edit: &RuleEdit) -> Option<Op> {
    let (table, chain) = (table.clone(), chain.name.clone());
    match &edit.rule {
        Change::Added(program) => {
            let place = edit.handle.map_or(Place::Last, Place::Before);
            Some(Op::AddRule { table, chain, place, program: program.clone() })
        }
        Change::Changed { to, .. } => Some(Op::ReplaceRule { table, chain, handle: edit.handle?, program: to.clone() }),
        Change::Removed(_) => None,
    }
}

fn set_policies(diff: &TableDiff, steps: &mut Vec<Step>) {
    for chain in &diff.chains {
        if let ChainChange::Policy { to, .. } = chain.chain {
            let op = Op::SetPolicy { table: diff.id.clone(), chain: chain.name.clone(), policy: to };
            steps.push(step(Reason::Differs, op));
        }
    }
}

fn add_elements(diff: &TableDiff, steps: &mut Vec<Step>) {
    fill(diff, false, steps);
    for (set, removed, added) in changed_elements(diff).filter(|(_, _, added)| !added.is_empty()) {
        let op = Op::AddElements { table: diff.id.clone(), set: SetHead::of(set), elements: added.clone() };
        steps.push(step(elements_reason(added, removed, Reason::Missing), op));
    }
}
