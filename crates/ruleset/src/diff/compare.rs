//! Whether what is live is as it is wanted.

use std::borrow::Cow;

use crate::expr::state::{all_same, same_quota, same_statement};
use crate::expr::{Expr, Program, SetUse};
use crate::ir::{AnySet, BaseChain, DeviceName, Element, Flowtable, Object, ObjectKind, SetFlags, SetName, SetSpec};
use crate::live::Live;

/// The size the kernel gives a dynamic set that declares none.
const DYNAMIC_SIZE: u32 = 65535;

/// Whether a live set serves for a wanted one, elements aside.
pub(super) fn same_set(live: &AnySet, wanted: &AnySet) -> bool {
    live.data_kind() == wanted.data_kind() && same_spec(live.spec(), wanted.spec())
}

fn same_spec(live: &SetSpec, wanted: &SetSpec) -> bool {
    let SetSpec { name: _, key, flags, timeout_ms, gc_interval_ms, size, policy, auto_merge, comment: _, statements } =
        live;
    *key == wanted.key
        && with_implied_flags(live, *flags) == with_implied_flags(wanted, wanted.flags)
        && near(*timeout_ms, wanted.timeout_ms)
        && *gc_interval_ms == wanted.gc_interval_ms
        && holds(*size, wanted.size, wanted.flags.dynamic)
        && *policy == wanted.policy
        && *auto_merge == wanted.auto_merge
        && all_same(statements, &wanted.statements, same_statement)
}

/// How far a time may be off that the kernel keeps in ticks, of which there are at least 100 a second.
const TICK_MS: u64 = 10;

/// Whether two times are the same as far as the kernel keeps them.
fn near(live: Option<u64>, wanted: Option<u64>) -> bool {
    match (live, wanted) {
        (Some(live), Some(wanted)) => live.abs_diff(wanted) < TICK_MS,
        (live, wanted) => live == wanted,
    }
}

/// Whether a live element is as it is wanted. In a set with statements each element has those, whether it says so or
/// not (`nft_set_elem_expr_setup`, net/netfilter/nf_tables_api.c).
pub(super) fn same_element(set: &AnySet, live: &Element, wanted: &Element) -> bool {
    if live.same(wanted) {
        return true;
    }
    let (Some(there), said) = (&live.extra, wanted.extra.as_deref()) else { return false };
    let timeout = said.and_then(|said| said.timeout_ms);
    (&live.key, &live.data) == (&wanted.key, &wanted.data)
        && near(there.timeout_ms, timeout)
        && there.comment == said.and_then(|said| said.comment.clone())
        && (!set.spec().statements.is_empty()
            || said.is_some_and(|said| all_same(&there.statements, &said.statements, same_statement)))
}

/// A time of its own makes a set one with the flag.
fn with_implied_flags(spec: &SetSpec, flags: SetFlags) -> SetFlags {
    SetFlags { timeout: flags.timeout || spec.timeout_ms.is_some(), ..flags }
}

/// Whether a live set has room for what a wanted one takes.
fn holds(live: Option<u32>, wanted: Option<u32>, dynamic: bool) -> bool {
    match (live, wanted) {
        (None, _) => true,
        (Some(live), Some(wanted)) => live >= wanted,
        (Some(live), None) => dynamic && live >= DYNAMIC_SIZE,
    }
}

/// A rule as the kernel tells of it: what packets put into a set that has statements gets those, and the kernel does not
/// repeat what the rule says of it (`nft_dynset_dump`, net/netfilter/nft_dynset.c).
pub(super) fn as_told<'a>(program: &'a Program, has_statements: impl Fn(&SetName) -> bool) -> Cow<'a, Program> {
    let unsaid = |expr: &Expr| match expr {
        Expr::Dynset { set: SetUse::Named(name), exprs, .. } => !exprs.is_empty() && has_statements(name),
        _ => false,
    };
    if !program.exprs.iter().any(unsaid) {
        return Cow::Borrowed(program);
    }
    let mut told = program.clone();
    for expr in &mut told.exprs {
        if unsaid(expr)
            && let Expr::Dynset { exprs, .. } = expr
        {
            exprs.clear();
        }
    }
    Cow::Owned(told)
}

/// Whether the set of that name has statements.
pub(super) fn has_statements(set: Option<&AnySet>) -> bool {
    set.is_some_and(|set| !set.spec().statements.is_empty())
}

/// Whether two objects are the same but for their state.
pub(super) fn same_object(live: &Object, wanted: &Object) -> bool {
    match (&live.kind, &wanted.kind) {
        (ObjectKind::Counter(_), ObjectKind::Counter(_)) => true,
        (ObjectKind::Quota(live), ObjectKind::Quota(wanted)) => same_quota(live, wanted),
        (live, wanted) => live == wanted,
    }
}

/// Whether two flowtables are the same.
pub(super) fn same_flowtable(live: &Flowtable, wanted: &Flowtable) -> bool {
    let Flowtable { name: _, priority, devices, counter, offload } = live;
    (*priority, *counter, *offload) == (wanted.priority, wanted.counter, wanted.offload)
        && same_devices(devices, &wanted.devices)
}

/// Whether two chains hook in at the same place, policies aside.
pub(super) fn same_hook(live: Option<&BaseChain>, wanted: Option<&BaseChain>) -> bool {
    match (live, wanted) {
        (None, None) => true,
        (Some(live), Some(wanted)) => {
            let place = |base: &BaseChain| (base.hook(), base.chain_type(), base.priority());
            place(live) == place(wanted) && same_devices(live.devices(), wanted.devices())
        }
        _ => false,
    }
}

fn same_devices(live: &[DeviceName], wanted: &[DeviceName]) -> bool {
    let sorted = |devices: &[DeviceName]| {
        let mut devices = devices.to_vec();
        devices.sort_unstable();
        devices
    };
    live == wanted || sorted(live) == sorted(wanted)
}

/// Whether a live element comes and goes by itself: packets add it, or it expires.
pub(super) fn is_passing(set: &AnySet, element: &Element) -> bool {
    set.spec().flags.dynamic || element.extra.as_ref().is_some_and(|extra| extra.expires_ms.is_some())
}

/// The same without the elements that packets or time add and take away: those of dynamic sets, and those that expire.
/// Two readings between which nobody changed anything do not differ in this form.
#[must_use]
pub fn lasting(mut live: Live) -> Live {
    for set in live.tables.values_mut().flat_map(|table| table.sets.iter_mut()).map(|live| &mut live.set) {
        if set.elements().iter().any(|element| is_passing(set, element)) {
            let stay = set.elements().iter().filter(|element| !is_passing(set, element)).cloned().collect();
            *set.elements_mut() = stay;
        }
    }
    live
}
