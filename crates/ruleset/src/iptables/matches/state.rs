//! `-m state` (extensions/libxt_conntrack.c, `state_save`).

use super::super::extension::{Given, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::{CtState, CtStates};

extension! {
    /// The state of the packet's connection; an older way to write [`super::Conntrack`].
    State, "state";
    /// The states one of which it must be in.
    states: Criterion<CtStates>, "--state";
    => State::settle;
}

impl State {
    /// It has no words for rewritten connections.
    fn settle(&mut self, given: &Given<'_, '_>) -> Result<(), Problem> {
        let odd = |state| matches!(state, CtState::Snat | CtState::Dnat);
        match given.single(0)? {
            Some(option) if self.states.value.iter().any(odd) => Err(option.unexpected("states as `NEW,ESTABLISHED`")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m state --state NEW", "-m state ! --state INVALID,UNTRACKED"]);
        prints_as("-m state --state ESTABLISHED,RELATED", "-m state --state RELATED,ESTABLISHED");
        is_refused(&["-m state", "-m state --state DNAT"]);
    }
}
