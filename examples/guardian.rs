//! A controller that keeps its table: whoever flushes or changes it, it is put right again, and nothing else is touched.
//!
//! `cargo run --example guardian`

use std::error::Error;
use std::process::{self, Command};
use std::time::Duration;

use rulectl_netlink::{CommitError, Event, Kernel, NetlinkKernel, Scope, netns};
use rulectl_ruleset::diff::{Ownership, diff};
use rulectl_ruleset::lower::{Lowered, lower};
use rulectl_ruleset::{nft, plan};

const TABLE: &str = "table inet guarded {
    set allowed { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 } }
    chain input { type filter hook input priority filter; ip saddr @allowed accept; tcp dport 22 drop }
}";

fn main() -> Result<(), Box<dyn Error>> {
    // A controller would stay where it is.
    netns::isolate()?;
    let desired = lower(nft::parse("guarded.nft", TABLE).ruleset).map_err(|errors| errors[0].to_string())?;
    let mut kernel = NetlinkKernel::new()?;
    // Listens before it looks: what changes after that is heard.
    let mut watch = kernel.watch()?;
    repair(&mut kernel, &desired)?;
    for attack in
        ["flush ruleset", "add rule inet guarded input accept", "delete element inet guarded allowed { 192.0.2.2 }"]
    {
        Command::new("nft").arg(attack).status()?;
        // A controller would wait for ever; and for other things too, with the descriptor of `watch` in its poll(2).
        while let Some(event) = watch.wait(Some(Duration::from_secs(10)))? {
            if let Event::Commit(commit) = &event
                && commit.generation.pid == Some(process::id())
            {
                continue;
            }
            // Also where events were lost: what is there now is what counts.
            println!("{}", repair(&mut kernel, &desired)?);
            break;
        }
    }
    Ok(())
}

/// Makes the table as it should be, and says what was wrong.
fn repair(kernel: &mut NetlinkKernel, desired: &Lowered) -> Result<String, Box<dyn Error>> {
    loop {
        let live = kernel.read(&Scope::tables(desired.tables.keys().cloned()))?;
        let wrong = diff(&live, desired, &Ownership::Declared).map_err(|conflicts| conflicts[0].to_string())?;
        match kernel.commit(&plan::plan(&wrong, Some(live.generation.id))) {
            Ok(_) => return Ok(format!("repaired: {}", wrong.summary())),
            Err(CommitError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
