//! The hooks a packet passes, and the base chains at each.

use std::collections::BTreeSet;

use super::chain::{Decision, base_chain};
use super::load::sees;
use super::packet::{Connection, Fate, Memory, Outcome, Packet, Surroundings, Walked};
use crate::ir::{BaseChain, ChainName, ChainType, Hook, Policy};
use crate::lower::{Lowered, LoweredTable};

/// One way a packet may go, at some point of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// As it is now.
    pub(super) packet: Packet,
    /// As it was when conntrack saw it first.
    pub(super) original: Packet,
    pub(super) ct_mark: u32,
    pub(super) rewritten: Rewritten,
    pub(super) memory: Memory,
}

/// Which addresses nat rewrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rewritten {
    pub(super) source: bool,
    pub(super) destination: bool,
}

/// Where rules run.
pub(super) struct At<'a> {
    pub(super) hook: Hook,
    pub(super) surroundings: &'a Surroundings,
}

/// A walk through rules.
pub(super) struct Walk<'a> {
    rules: &'a Lowered,
    surroundings: &'a Surroundings,
    walked: Walked,
}

impl<'a> Walk<'a> {
    pub(super) fn new(rules: &'a Lowered, surroundings: &'a Surroundings) -> Self {
        Self { rules, surroundings, walked: Walked::default() }
    }

    pub(super) fn run(mut self, packet: &Packet, memory: &Memory) -> Walked {
        let state = State {
            packet: packet.clone(),
            original: packet.clone(),
            ct_mark: 0,
            rewritten: Rewritten::default(),
            memory: memory.clone(),
        };
        let first = if packet.interface.is_some() { Hook::Prerouting } else { Hook::Output };
        for state in self.hook(first, BTreeSet::from([state]), true) {
            // One way at a time: where it is routed depends on what it became.
            self.follow(self.hooks_after_routing(&state), state);
        }
        self.walked
    }

    /// The hooks after routing, and whether nat works there.
    fn hooks_after_routing(&self, state: &State) -> &'static [(Hook, bool)] {
        let is_local = self.surroundings.is_local(state.packet.destination);
        match (state.packet.interface.is_some(), is_local) {
            (true, true) => &[(Hook::Input, true)],
            (true, false) => &[(Hook::Forward, true), (Hook::Postrouting, true)],
            (false, false) => &[(Hook::Postrouting, true)],
            // By the loopback interface; nat is done by then.
            (false, true) => &[(Hook::Postrouting, true), (Hook::Prerouting, false), (Hook::Input, false)],
        }
    }

    fn follow(&mut self, hooks: &[(Hook, bool)], state: State) {
        let mut states = BTreeSet::from([state]);
        for (hook, nat) in hooks {
            states = self.hook(*hook, states, *nat);
        }
        for State { packet, memory, .. } in states {
            let Packet { destination, destination_port, source, mark, .. } = packet;
            let fate = Fate::Passes { destination, port: destination_port, source, mark };
            self.walked.outcomes.insert(Outcome { fate, memory });
        }
    }

    /// Runs all base chains of a hook; gives the ways that pass it.
    fn hook(&mut self, hook: Hook, states: BTreeSet<State>, nat: bool) -> BTreeSet<State> {
        let mut states = states;
        let mut chains = self.base_chains(hook);
        chains.sort_by_key(|(_, _, base)| place(base));
        for (table, name, base) in chains {
            if base.chain_type() == ChainType::Nat && !nat {
                continue;
            }
            states = self.base_chain(table, name, base, states);
        }
        states
    }

    fn base_chains(&self, hook: Hook) -> Vec<(&'a LoweredTable, &'a ChainName, &'a BaseChain)> {
        let tables = self.rules.tables.values();
        let chains = tables.flat_map(|table| table.chains.iter().map(move |chain| (table, chain)));
        chains
            .filter_map(|(table, chain)| Some((table, &chain.name, chain.base.as_ref()?)))
            .filter(|(_, _, base)| base.hook() == hook)
            .collect()
    }

    fn base_chain(
        &mut self,
        table: &LoweredTable,
        name: &ChainName,
        base: &BaseChain,
        states: BTreeSet<State>,
    ) -> BTreeSet<State> {
        let at = At { hook: base.hook(), surroundings: self.surroundings };
        let is_nat = base.chain_type() == ChainType::Nat;
        let is_source = matches!(base.hook(), Hook::Input | Hook::Postrouting);
        let concerned = |state: &State| {
            let done = if is_source { state.rewritten.source } else { state.rewritten.destination };
            sees(base.family(), state) && !(is_nat && (done || state.packet.connection != Connection::New))
        };
        let (inside, mut passed): (BTreeSet<State>, BTreeSet<State>) = states.into_iter().partition(concerned);
        let ways = base_chain(table, name, &at, inside, &mut self.walked.unknown);
        let by_policy = if base.policy() == Policy::Drop { Decision::Drop } else { Decision::Accept };
        let through = ways.through.into_iter().map(|state| (state, by_policy));
        for (state, decision) in ways.decided.into_iter().chain(through) {
            let fate = match decision {
                Decision::Accept => {
                    passed.insert(state);
                    continue;
                }
                Decision::Drop => Fate::Dropped,
                Decision::Reject(refusal) => Fate::Rejected(refusal),
            };
            self.walked.outcomes.insert(Outcome { fate, memory: state.memory });
        }
        passed
    }
}

/// When a base chain runs: all nat chains at the place of the kernel's own hook, in the order of their priorities.
fn place(base: &BaseChain) -> (i32, i32) {
    let priority = base.priority().0;
    match (base.chain_type(), base.hook()) {
        (ChainType::Nat, Hook::Prerouting | Hook::Output) => (-100, priority),
        (ChainType::Nat, _) => (100, priority),
        _ => (priority, i32::MIN),
    }
}
