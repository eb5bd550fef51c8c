//! The laws of kernels, on the real one.

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rulectl_netlink::{NetlinkKernel, Netns};
use rulectl_ruleset::lower::Lowered;
use rulectl_ruleset::service::Layout;
use rulectl_tests::kernel_tests;
use rulectl_tests::laws::{self, Broken};

fn main() -> ExitCode {
    kernel_tests(|| {
        vec![
            Trial::test("wrong_plans_are_refused", || once(laws::wrong_plans_are_refused)),
            Trial::test("jumps_go_fifteen_deep", || once(laws::jumps_go_fifteen_deep)),
            Trial::test("a_plan_leads_there_and_its_inverse_back", || {
                holds(laws::pairs(), laws::a_plan_leads_there_and_its_inverse_back)
            }),
            Trial::test("nothing_or_all", || holds(laws::pairs(), laws::nothing_or_all)),
            Trial::test("any_step_may_be_wrong", || holds_for(24, laws::pairs(), laws::any_step_may_be_wrong)),
            Trial::test("what_is_committed_is_heard", || holds(laws::pairs(), laws::what_is_committed_is_heard)),
            Trial::test("a_plan_leads_from_services_to_services_in_maps", || {
                holds(laws::service_pairs(Layout::Maps), laws::a_plan_leads_there_and_its_inverse_back)
            }),
            Trial::test("a_plan_leads_from_services_to_services_in_chains", || {
                holds(laws::service_pairs(Layout::Chains), laws::a_plan_leads_there_and_its_inverse_back)
            }),
        ]
    })
}

/// The kernel of a fresh namespace.
fn kernel() -> NetlinkKernel {
    let netns = Netns::new().expect("the harness has prepared the process");
    NetlinkKernel::in_namespace(&netns).expect("a netlink socket")
}

fn once(law: fn(&mut NetlinkKernel) -> Result<(), Broken>) -> Result<(), Failed> {
    Ok(law(&mut kernel())?)
}

/// Holds the kernel to a law for random states, `PROPTEST_CASES` of them.
fn holds(
    states: impl Strategy<Value = (Lowered, Lowered)>,
    law: fn(&mut NetlinkKernel, &Lowered, &Lowered) -> Result<(), Broken>,
) -> Result<(), Failed> {
    holds_for(Config::default().cases, states, law)
}

/// The same for so many random states.
fn holds_for(
    cases: u32,
    states: impl Strategy<Value = (Lowered, Lowered)>,
    law: fn(&mut NetlinkKernel, &Lowered, &Lowered) -> Result<(), Broken>,
) -> Result<(), Failed> {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome =
        runner.run(&states, |(before, after)| law(&mut kernel(), &before, &after).map_err(TestCaseError::fail));
    Ok(outcome.map_err(|error| error.to_string())?)
}
