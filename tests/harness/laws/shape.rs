//! What a state is, without handles and order of declaration: compared apart from the code under test.

use std::collections::BTreeMap;

use rulectl_ruleset::expr::Program;
use rulectl_ruleset::ir::{AnySet, BaseChain, Element, Object, TableFlags};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::Lowered;

/// Tables by name.
pub type Shape = BTreeMap<String, TableShape>;

/// A table.
#[derive(Debug, PartialEq)]
pub struct TableShape {
    flags: TableFlags,
    objects: BTreeMap<String, Object>,
    /// Declarations without sizes, and elements.
    sets: BTreeMap<String, (AnySet, Vec<Element>)>,
    chains: BTreeMap<String, (Option<BaseChain>, Vec<Program>)>,
}

/// The shape of what is live.
pub fn shape_of_live(live: &Live) -> Shape {
    let tables = live.tables.values().map(|table| {
        let objects = table.objects.iter().map(|it| it.object.clone());
        let sets = table.sets.iter().map(|it| &it.set);
        let chains = table.chains.iter().map(|chain| {
            let rules = chain.rules.iter().map(|rule| rule.program.clone()).collect();
            (chain.name.to_string(), (chain.base.clone(), rules))
        });
        (table.id.to_string(), shape(table.flags, objects, sets, chains.collect()))
    });
    tables.collect()
}

/// The shape of what is wanted.
pub fn shape_of_lowered(state: &Lowered) -> Shape {
    let tables = state.tables.values().map(|table| {
        let chains = table.chains.iter().map(|chain| {
            let rules = chain.rules.iter().map(|(program, _)| program.clone()).collect();
            (chain.name.to_string(), (chain.base.clone(), rules))
        });
        let objects = table.objects.iter().cloned();
        (table.id.to_string(), shape(table.flags, objects, table.sets.iter(), chains.collect()))
    });
    tables.collect()
}

fn shape<'a>(
    flags: TableFlags,
    objects: impl Iterator<Item = Object>,
    sets: impl Iterator<Item = &'a AnySet>,
    chains: BTreeMap<String, (Option<BaseChain>, Vec<Program>)>,
) -> TableShape {
    let bare = |set: &AnySet| {
        let mut spec = set.spec().clone();
        spec.size = None;
        (spec.name.to_string(), (AnySet::new(spec, set.data_kind()), set.elements().as_slice().to_vec()))
    };
    let objects = objects.map(|object| (object.name.to_string(), object)).collect();
    TableShape { flags, objects, sets: sets.map(bare).collect(), chains }
}
