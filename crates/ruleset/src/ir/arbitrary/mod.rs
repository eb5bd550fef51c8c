//! Legal rulesets at random, for law tests (`proptest`).
//!
//! What is generated is canonical: printing it in any form and parsing it again gives the same. Times are whole
//! seconds, names are words of nft that are no keywords, intervals of a set do not overlap, and what a rule names is
//! in its table.

mod element;
mod statement;
mod value;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{
    AnySet, BaseChain, Chain, ChainName, ChainType, Comment, Counter, Family, Hook, Object, ObjectKind, ObjectName,
    Policy, Priority, Quota, Rule, Ruleset, SetName, Table, TableFlags, TableName, normal,
};

pub use element::{any_set, set};
pub use statement::{Context, rule, statement};
pub use value::{key_type, value_of};

/// Up to three tables of any family.
pub fn ruleset() -> impl Strategy<Value = Ruleset> {
    vec(family().prop_flat_map(table), 0..3).prop_map(|tables| {
        // Names are by place, so that no two tables are one.
        tables
            .into_iter()
            .enumerate()
            .map(|(at, table)| listed(Table { name: named(&format!("{}{at}", table.name)), ..table }))
            .collect()
    })
}

/// With rules in the form in which front ends read them.
fn listed(mut table: Table) -> Table {
    for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
        rule.statements = normal(table.family, std::mem::take(&mut rule.statements));
    }
    table
}

/// Any family, those of services more often.
pub fn family() -> impl Strategy<Value = Family> {
    prop_oneof![
        4 => Just(Family::Ip),
        2 => Just(Family::Ip6),
        3 => Just(Family::Inet),
        1 => Just(Family::Arp),
        1 => Just(Family::Bridge),
        1 => Just(Family::Netdev),
    ]
}

/// A table of that family: objects, sets, maps, chains and rules that use them.
pub fn table(family: Family) -> impl Strategy<Value = Table> {
    let chains = vec((word(), option::weighted(0.5, base(family)), option::of(comment())), 0..4);
    (word(), option::of(comment()), any::<bool>(), chains, objects()).prop_flat_map(
        move |(name, comment, dormant, chains, objects)| {
            let chains: Vec<Chain> = chains
                .into_iter()
                .enumerate()
                .map(|(at, (name, base, comment))| Chain { base, comment, ..Chain::new(named(&format!("{name}{at}"))) })
                .collect();
            let mut table = Table::new(family, named::<TableName>(&name));
            table.comment = comment;
            table.flags = TableFlags { dormant, ..TableFlags::default() };
            table.objects = objects.into_iter().collect();
            with_sets(table, chains)
        },
    )
}

fn with_sets(table: Table, chains: Vec<Chain>) -> impl Strategy<Value = Table> {
    let names: Vec<ChainName> =
        chains.iter().filter(|chain| chain.base.is_none()).map(|chain| chain.name.clone()).collect();
    let sets = vec(any_set(names.clone()), 0..4);
    (Just(table), Just(chains), sets).prop_flat_map(move |(mut table, chains, sets)| {
        table.sets = sets
            .into_iter()
            .enumerate()
            .map(|(at, mut set)| {
                let name: SetName = named(&format!("{}{at}", set.spec().name));
                set.spec_mut().name = name;
                set
            })
            .collect();
        let context = Context {
            family: table.family,
            chains: names.clone(),
            sets: table.sets.iter().cloned().collect(),
            objects: table.objects.iter().cloned().collect(),
            nat: false,
        };
        with_rules(table, chains, context)
    })
}

fn with_rules(table: Table, chains: Vec<Chain>, context: Context) -> impl Strategy<Value = Table> {
    let rules: Vec<BoxedStrategy<Vec<Rule>>> = chains
        .iter()
        .map(|chain| {
            let nat = chain.base.as_ref().is_some_and(|base| base.chain_type() == ChainType::Nat);
            vec(rule(Context { nat, ..context.clone() }), 0..5).boxed()
        })
        .collect();
    rules.prop_map(move |rules| {
        let mut table = table.clone();
        table.chains = chains.iter().cloned().zip(rules).map(|(chain, rules)| Chain { rules, ..chain }).collect();
        table
    })
}

/// A legal place for a base chain of that family.
pub fn base(family: Family) -> impl Strategy<Value = BaseChain> {
    let legal: Vec<BaseChain> = Hook::ALL
        .into_iter()
        .flat_map(|hook| [ChainType::Filter, ChainType::Nat, ChainType::Route].map(|chain_type| (hook, chain_type)))
        .filter_map(|(hook, chain_type)| BaseChain::new(family, hook, chain_type, Priority(0)).ok())
        .collect();
    let priority = prop_oneof![Just(-150), Just(-101), Just(-100), Just(0), Just(99), Just(100), -199..400];
    (proptest::sample::select(legal), priority, any::<bool>()).prop_map(move |(place, priority, drop)| {
        let base = BaseChain::new(family, place.hook(), place.chain_type(), Priority(priority)).unwrap_or(place);
        let policy = if drop && base.chain_type() != ChainType::Nat { Policy::Drop } else { Policy::Accept };
        let devices = match base.hook() {
            Hook::Ingress | Hook::Egress => vec![named("lo")],
            _ => Vec::new(),
        };
        let base = base.with_policy(policy);
        base.clone().with_devices(devices).unwrap_or(base)
    })
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    let kind = prop_oneof![
        (any::<u32>(), any::<u32>()).prop_map(|(packets, bytes)| {
            ObjectKind::Counter(Counter { packets: packets.into(), bytes: bytes.into() })
        }),
        (any::<bool>(), 1_u64..1 << 40, any::<u16>()).prop_map(|(over, bytes, used)| ObjectKind::Quota(Quota {
            over,
            bytes,
            used: used.into()
        })),
        statement::limit().prop_map(ObjectKind::Limit),
    ];
    vec((word(), kind, option::of(comment())), 0..3).prop_map(|objects| {
        let object = |(at, (name, kind, comment)): (usize, (String, ObjectKind, Option<Comment>))| Object {
            name: named::<ObjectName>(&format!("{name}{at}")),
            kind,
            comment,
        };
        objects.into_iter().enumerate().map(object).collect()
    })
}

/// A word that no grammar takes for a keyword.
pub fn word() -> impl Strategy<Value = String> {
    "[a-z]{1,3}_[a-z0-9_.-]{0,6}_"
}

/// A comment that every form can hold.
pub fn comment() -> impl Strategy<Value = Comment> {
    "[a-zA-Z0-9 ,.:;{}#_-]{1,30}".prop_map(|text| named(&text))
}

/// A checked name, of any kind, from a text that is one.
fn named<N: for<'a> TryFrom<&'a str>>(text: &str) -> N {
    N::try_from(text).ok().expect("generated names are legal")
}

/// The sets among `sets` that hold keys of which `fits` holds.
fn matching(sets: &[AnySet], fits: impl Fn(&AnySet) -> bool) -> Vec<AnySet> {
    sets.iter().filter(|set| fits(set)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn every_ruleset_goes_through_serde_and_back(ruleset in ruleset()) {
            let text = serde_json::to_string(&ruleset).unwrap();
            prop_assert_eq!(serde_json::from_str::<Ruleset>(&text).unwrap(), ruleset);
        }
    }
}
