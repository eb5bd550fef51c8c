//! The laws of kernels, on the fake one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rulectl_netlink::{CommitError, FakeKernel, Kernel, ReadError, Scope};
use rulectl_ruleset::diff::{Ownership, diff};
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::plan::{Op, Plan, plan};
use rulectl_ruleset::service::Layout;
use rulectl_tests::laws;

/// The plan from one of two states to the other, for a kernel that is made to hold the first.
fn planned(before: &Lowered, after: &Lowered) -> (FakeKernel, Plan) {
    let mut kernel = FakeKernel::new();
    for state in [before, after] {
        let live = kernel.read(&Scope::all()).unwrap();
        let plan = plan(&diff(&live, state, &Ownership::Declared).unwrap(), Some(live.generation.id));
        if std::ptr::eq(state, after) {
            return (kernel, plan);
        }
        kernel.commit(&plan).unwrap();
    }
    unreachable!("the second state returns")
}

/// Two states that differ, always the same.
fn two_states() -> (Lowered, Lowered) {
    let mut runner = TestRunner::deterministic();
    let mut pairs = std::iter::repeat_with(|| laws::pairs().new_tree(&mut runner).unwrap().current());
    pairs.find(|(before, after)| planned(before, after).1.steps.len() > 2).unwrap()
}

#[test]
fn the_states_of_the_laws_need_every_kind_of_step() {
    let mut runner = TestRunner::deterministic();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..300 {
        let (before, after) = laws::pairs().new_tree(&mut runner).unwrap().current();
        for step in planned(&before, &after).1.steps {
            *kinds.entry(kind(&step.op)).or_default() += 1;
        }
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| kinds.get(**kind).is_none_or(|count| *count < 5)).collect();
    assert!(missing.is_empty(), "{missing:?} of {kinds:?}");
}

const KINDS: [&str; 14] = [
    "add table",
    "table flags",
    "add chain",
    "policy",
    "delete chain",
    "add set",
    "delete set",
    "add elements",
    "delete elements",
    "add object",
    "delete object",
    "add rule",
    "replace rule",
    "delete rule",
];

fn kind(op: &Op) -> &'static str {
    match op {
        Op::AddTable { .. } => "add table",
        Op::SetTableFlags { .. } => "table flags",
        Op::DeleteTable { .. } => "delete table",
        Op::AddChain { .. } => "add chain",
        Op::SetPolicy { .. } => "policy",
        Op::DeleteChain { .. } => "delete chain",
        Op::AddSet { .. } => "add set",
        Op::DeleteSet { .. } => "delete set",
        Op::AddElements { .. } => "add elements",
        Op::DeleteElements { .. } => "delete elements",
        Op::AddObject { .. } => "add object",
        Op::DeleteObject { .. } => "delete object",
        Op::AddFlowtable { .. } => "add flowtable",
        Op::DeleteFlowtable { .. } => "delete flowtable",
        Op::AddRule { .. } => "add rule",
        Op::ReplaceRule { .. } => "replace rule",
        Op::DeleteRule { .. } => "delete rule",
    }
}

#[test]
fn a_fault_at_any_step_changes_nothing() {
    let (before, after) = two_states();
    let (mut kernel, plan) = planned(&before, &after);
    let start = kernel.live().clone();
    for step in 0..plan.steps.len() {
        kernel.fail_step(step, ENOMEM);
        let Err(CommitError::Refused { refusals }) = kernel.commit(&plan) else { panic!("step {step} was taken") };
        assert_eq!((refusals[0].step, refusals[0].errno), (step, ENOMEM));
        assert_eq!(*kernel.live(), start);
    }
    kernel.commit(&plan).unwrap();
    assert_ne!(*kernel.live(), start);
}

/// linux/errno.h.
const ENOMEM: i32 = 12;

#[test]
fn who_was_faster_is_named() {
    let (before, after) = two_states();
    let (mut kernel, plan) = planned(&before, &after);
    let generation = kernel.live().generation.id;
    kernel.before_commit(|kernel| kernel.change_as("nft", |live| live.tables.clear()));
    match kernel.commit(&plan) {
        Err(CommitError::Stale { expected, found }) => {
            assert_eq!(expected, generation);
            assert_eq!(found.process.as_deref(), Some("nft"));
        }
        other => panic!("{other:?}"),
    }
    assert!(kernel.live().tables.is_empty(), "the other one's change stays");
    assert_eq!(kernel.commits(), 1);
}

#[test]
fn reads_fail_as_often_as_asked() {
    let mut kernel = FakeKernel::new();
    kernel.interrupt_reads(1);
    assert!(matches!(kernel.read(&Scope::all()), Err(ReadError::Interrupted { .. })));
    assert!(kernel.read(&Scope::all()).is_ok());
}

#[test]
fn wrong_plans_are_refused() {
    laws::wrong_plans_are_refused(&mut FakeKernel::new()).unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn jumps_go_fifteen_deep() {
    laws::jumps_go_fifteen_deep(&mut FakeKernel::new()).unwrap_or_else(|broken| panic!("{broken}"));
}

proptest! {
    #[test]
    fn a_plan_leads_there_and_its_inverse_back((before, after) in laws::pairs()) {
        laws::a_plan_leads_there_and_its_inverse_back(&mut FakeKernel::new(), &before, &after)
            .map_err(TestCaseError::fail)?;
    }

    #[test]
    fn nothing_or_all((before, after) in laws::pairs()) {
        laws::nothing_or_all(&mut FakeKernel::new(), &before, &after).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_plan_leads_from_services_to_services(
        (before, after) in prop_oneof![laws::service_pairs(Layout::Maps), laws::service_pairs(Layout::Chains)]
    ) {
        laws::a_plan_leads_there_and_its_inverse_back(&mut FakeKernel::new(), &before, &after)
            .map_err(TestCaseError::fail)?;
    }
}

#[test]
fn any_error_at_any_step_changes_nothing() {
    /// The largest of errno.h.
    const LAST: i32 = 133;
    let (before, after) = two_states();
    let (mut kernel, plan) = planned(&before, &after);
    let start = kernel.live().clone();
    for step in 0..plan.steps.len() {
        for errno in 1..=LAST {
            kernel.fail_step(step, errno);
            let Err(CommitError::Refused { refusals }) = kernel.commit(&plan) else { panic!("{step} {errno}") };
            assert_eq!(refusals.iter().map(|it| (it.step, it.errno)).collect::<Vec<_>>(), [(step, errno)]);
            assert!(!refusals[0].explanation.words.is_empty());
            assert_eq!(*kernel.live(), start);
        }
    }
    kernel.commit(&plan).unwrap();
}

#[test]
fn any_step_may_be_wrong() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..24 {
        let (before, after) = laws::pairs().new_tree(&mut runner).unwrap().current();
        laws::any_step_may_be_wrong(&mut FakeKernel::new(), &before, &after).unwrap();
    }
}

#[test]
fn what_is_committed_is_heard() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..50 {
        let (before, after) = laws::pairs().new_tree(&mut runner).unwrap().current();
        laws::what_is_committed_is_heard(&mut FakeKernel::new(), &before, &after).unwrap();
    }
}

#[test]
fn a_loss_is_told_and_others_are_heard() {
    use rulectl_netlink::Event;
    let mut kernel = FakeKernel::new();
    let mut watch = kernel.watch().unwrap();
    kernel.lose_events();
    kernel.change_as("nft", |live| live.tables.clear());
    assert_eq!(watch.try_next().unwrap(), Some(Event::Lost));
    let Some(Event::Commit(commit)) = watch.try_next().unwrap() else { panic!() };
    assert_eq!(commit.generation.process.as_deref(), Some("nft"));
    assert_eq!(watch.wait(Some(std::time::Duration::from_millis(10))).unwrap(), None);
}
