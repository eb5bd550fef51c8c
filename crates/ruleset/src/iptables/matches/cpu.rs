//! `-m cpu` (extensions/libxt_cpu.c).

use super::super::extension::extension;
use super::super::head::Criterion;

extension! {
    /// The processor that handles a packet.
    Cpu, "cpu";
    /// Its number.
    cpu: Criterion<u32>, "--cpu";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m cpu --cpu 0", "-m cpu ! --cpu 4294967295"]);
        is_refused(&["-m cpu", "-m cpu --cpu 4294967296", "-m cpu --cpu -1"]);
    }
}
