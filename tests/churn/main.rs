//! What becomes of connections when services change: tracked flows, changes under load, and the change of owner.

mod conntrack;
mod lab;
mod stale;

use std::process::ExitCode;

use rulectl_tests::kernel_tests;

fn main() -> ExitCode {
    kernel_tests(|| [conntrack::trials(), stale::trials()].into_iter().flatten().collect())
}
