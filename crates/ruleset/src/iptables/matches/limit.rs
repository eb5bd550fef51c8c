//! `-m limit` (extensions/libxt_limit.c, `limit_save`).

use super::super::extension::extension;
use super::super::value::Rate;

extension! {
    /// At most so many packets in a time.
    Limit, "limit";
    /// How many, on average.
    average: Rate<10_000>, "--limit", else Rate::of(3, 3600);
    /// How many at once.
    burst: u32, "--limit-burst" = 5;
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m limit --limit 3/hour", "-m limit --limit 10/sec --limit-burst 20", "-m limit --limit 1/day"]);
        prints_as("-m limit", "-m limit --limit 3/hour");
        prints_as("-m limit --limit 60/m --limit-burst 5", "-m limit --limit 1/sec");
        prints_as("-m limit --limit 4", "-m limit --limit 4/sec");
        is_refused(&[
            "-m limit --limit 0/sec",
            "-m limit --limit 1/odd",
            "-m limit --limit 100000/sec",
            "-m limit ! --limit 1/sec",
        ]);
    }
}
