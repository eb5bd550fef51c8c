//! Chains: rules one after the other, jumps and returns.

use std::collections::BTreeSet;

use super::bits::Registers;
use super::eval::{Branch, Eval, Step};
use super::hooks::{At, State};
use super::packet::Refusal;
use crate::expr::Program;
use crate::ir::{ChainName, Verdict};
use crate::lower::LoweredTable;

/// How many jumps the kernel follows (`NFT_JUMP_STACK_SIZE`, net/netfilter/nf_tables.h).
const DEPTH: usize = 16;

/// What rules decided about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    Accept,
    Drop,
    Reject(Refusal),
}

/// All ways through a chain: those that nothing decided on, and the others.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) through: BTreeSet<State>,
    pub(super) decided: BTreeSet<(State, Decision)>,
}

impl Eval<'_> {
    /// Runs a chain for all ways that lead into it. Ways that have become the same go on as one.
    pub(super) fn chain(&mut self, name: &ChainName, states: BTreeSet<State>, depth: usize) -> Ways {
        let mut ways = Ways::default();
        let Some(chain) = self.table.chains.find(name).filter(|_| depth < DEPTH) else {
            self.unknown.insert(format!("chain {name}"));
            return Ways { through: states, ..ways };
        };
        let mut states = states;
        for (program, _) in &chain.rules {
            let mut next = BTreeSet::new();
            for state in std::mem::take(&mut states) {
                self.rule(program, state, depth, &mut next, &mut ways);
            }
            states = next;
            if states.is_empty() {
                break;
            }
        }
        ways.through.append(&mut states);
        ways
    }

    /// Runs a rule for one way: to the next rule, or to where `ways` tells.
    fn rule(&mut self, program: &Program, state: State, depth: usize, next: &mut BTreeSet<State>, ways: &mut Ways) {
        let mut branches = BTreeSet::from([Branch { state, registers: Registers::new() }]);
        for expr in &program.exprs {
            for branch in std::mem::take(&mut branches) {
                for step in self.step(expr, branch) {
                    match step {
                        Step::Next(branch) => drop(branches.insert(branch)),
                        Step::Break(state) => drop(next.insert(state)),
                        Step::Reject(state, refusal) => drop(ways.decided.insert((state, Decision::Reject(refusal)))),
                        Step::Verdict(state, verdict) => self.verdict(state, &verdict, depth, next, ways),
                    }
                }
            }
        }
        next.extend(branches.into_iter().map(|branch| branch.state));
    }

    fn verdict(&mut self, state: State, verdict: &Verdict, depth: usize, next: &mut BTreeSet<State>, ways: &mut Ways) {
        match verdict {
            Verdict::Accept => drop(ways.decided.insert((state, Decision::Accept))),
            Verdict::Drop => drop(ways.decided.insert((state, Decision::Drop))),
            Verdict::Continue => drop(next.insert(state)),
            Verdict::Return => drop(ways.through.insert(state)),
            Verdict::Jump(chain) => {
                let mut inner = self.chain(chain, BTreeSet::from([state]), depth + 1);
                next.append(&mut inner.through);
                ways.decided.append(&mut inner.decided);
            }
            Verdict::Goto(chain) => {
                let mut inner = self.chain(chain, BTreeSet::from([state]), depth + 1);
                ways.through.append(&mut inner.through);
                ways.decided.append(&mut inner.decided);
            }
        }
    }
}

/// Runs a base chain.
pub(super) fn base_chain(
    table: &LoweredTable,
    name: &ChainName,
    at: &At<'_>,
    states: BTreeSet<State>,
    unknown: &mut BTreeSet<String>,
) -> Ways {
    Eval { at, table, unknown }.chain(name, states, 0)
}
