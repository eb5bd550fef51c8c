//! Times of day in the time zone of this process, as nft reads and lists them.

use std::time::{SystemTime, UNIX_EPOCH};

use rulectl_netlink::clock::offset_at;
use rulectl_ruleset::ir::{Ruleset, Zone};

/// From what texts say to what the kernel counts.
pub(crate) fn to_utc(ruleset: &mut Ruleset) {
    ruleset.to_utc(&here());
}

/// From what the kernel counts to what texts say.
pub(crate) fn to_local(ruleset: &mut Ruleset) {
    ruleset.to_local(&here());
}

fn here() -> Zone<'static> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Zone { now: offset_at(now.try_into().unwrap_or(0)), at: &offset_at }
}
