//! Rulesets made of others: with other names of tables, or changed here and there.

use rulectl_ruleset::expr::Expr;
use rulectl_ruleset::ir::{AnySet, BaseChain, ObjectKind, Policy, Priority, SetPolicy, TableId};
use rulectl_ruleset::lower::{Lowered, LoweredChain, LoweredTable};

use crate::random::Random;

/// With the names of the tables of `other`, family by family, so that the two have much to do with each other.
pub(crate) fn renamed(ruleset: Lowered, other: &Lowered) -> Lowered {
    let mut names: Vec<&TableId> = other.tables.keys().collect();
    let mut renamed = Lowered::default();
    for (id, table) in ruleset.tables {
        let at = names.iter().position(|name| name.family == id.family);
        let id = at.map_or(id, |at| names.remove(at).clone());
        renamed.tables.insert(id.clone(), LoweredTable { id, ..table });
    }
    renamed
}

/// Changed here and there, so that all it names is still there.
pub(crate) fn varied(ruleset: &Lowered, random: &mut Random) -> Lowered {
    let mut varied = ruleset.clone();
    for table in varied.tables.values_mut() {
        table.chains.iter_mut().for_each(|chain| vary_chain(chain, random));
        table.sets.iter_mut().for_each(|set| vary_set(set, random));
        for object in table.objects.iter_mut() {
            if let ObjectKind::Quota(quota) = &mut object.kind
                && random.once_in(3)
            {
                quota.bytes += 1000;
            }
        }
        if random.once_in(10) {
            table.flags.dormant = !table.flags.dormant;
        }
    }
    varied.tables.retain(|_, _| !random.once_in(12));
    varied
}

fn vary_chain(chain: &mut LoweredChain, random: &mut Random) {
    let rules = &mut chain.rules;
    for _ in 0..random.below(4).min(rules.len()) {
        let at = random.below(rules.len());
        let rule = rules[at].clone();
        match random.below(4) {
            0 => drop(rules.remove(at)),
            1 => rules.insert(random.below(rules.len() + 1), rule),
            2 => {
                rules.remove(at);
                rules.insert(random.below(rules.len() + 1), rule);
            }
            _ => rules[at].0.exprs.insert(0, Expr::Counter { packets: 0, bytes: 0 }),
        }
        if rules.is_empty() {
            break;
        }
    }
    if let Some(base) = &mut chain.base {
        vary_base(base, random);
    }
}

fn vary_base(base: &mut BaseChain, random: &mut Random) {
    if random.once_in(4) {
        *base = base.clone().with_policy(if base.policy() == Policy::Drop { Policy::Accept } else { Policy::Drop });
    }
    if random.once_in(8) {
        let priority = Priority(base.priority().0 + 1);
        let moved = BaseChain::new(base.family(), base.hook(), base.chain_type(), priority);
        let moved = moved.and_then(|moved| moved.with_policy(base.policy()).with_devices(base.devices().to_vec()));
        *base = moved.expect("only the priority is another");
    }
}

fn vary_set(set: &mut AnySet, random: &mut Random) {
    // What packets may have put there is left alone.
    if !set.spec().flags.dynamic && !set.spec().flags.timeout {
        let kept = set.elements().iter().filter(|_| !random.once_in(6)).cloned().collect();
        *set.elements_mut() = kept;
    }
    if random.once_in(6) {
        let spec = set.spec_mut();
        match random.below(3) {
            0 => {
                spec.policy = if spec.policy == SetPolicy::Memory { SetPolicy::Performance } else { SetPolicy::Memory }
            }
            1 => spec.size = spec.size.map(|size| size + 1),
            _ => spec.flags.timeout |= spec.timeout_ms.is_none() && !spec.flags.constant,
        }
    }
}
