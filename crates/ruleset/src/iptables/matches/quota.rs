//! `-m quota` (extensions/libxt_quota.c).

use super::super::extension::extension;
use super::super::head::Criterion;

extension! {
    /// So many bytes, and no more.
    Quota, "quota";
    /// How many.
    quota: Criterion<u64>, "--quota";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m quota --quota 0", "-m quota ! --quota 18446744073709551615"]);
        is_refused(&["-m quota", "-m quota --quota 18446744073709551616"]);
    }
}
