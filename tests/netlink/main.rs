//! The netlink seam against the kernel and against nft, each test in network namespaces of its own.

mod copies;
mod explained;
mod refusals;
mod sandbox;
mod steps;
mod traps;
mod watch;

use std::process::ExitCode;

use libtest_mimic::Trial;
use rulectl_tests::kernel_tests;

fn main() -> ExitCode {
    if traps::child() {
        return ExitCode::SUCCESS;
    }
    kernel_tests(|| {
        [copies::tests(), explained::tests(), refusals::tests(), steps::tests(), traps::tests(), watch::tests()]
            .concat_all()
    })
}

/// Lists of tests as one.
trait ConcatAll {
    fn concat_all(self) -> Vec<Trial>;
}

impl<const N: usize> ConcatAll for [Vec<Trial>; N] {
    fn concat_all(self) -> Vec<Trial> {
        self.into_iter().flatten().collect()
    }
}
