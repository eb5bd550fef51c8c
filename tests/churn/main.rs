//! What becomes of connections when services change: tracked flows, changes under load, and the change of owner.

mod conntrack;
mod cost;
mod lab;
mod load;
mod migrate;
mod stale;

use std::process::ExitCode;

use rulectl_tests::kernel_tests;

fn main() -> ExitCode {
    kernel_tests(|| {
        let parts = [conntrack::trials(), stale::trials(), migrate::trials(), cost::trials(), load::trials()];
        parts.into_iter().flatten().collect()
    })
}
