//! What a step is about, for people.

use super::Op;
use crate::nft::print_element;

impl Op {
    /// What the step changes, by name: ``rule of chain `forward` in table `inet filter` ``. For a step with elements,
    /// `element` is the index of the one that is meant.
    pub fn subject(&self, element: Option<usize>) -> String {
        let thing = match self {
            Self::AddTable { .. } | Self::SetTableFlags { .. } | Self::DeleteTable { .. } => {
                return format!("table `{}`", self.table());
            }
            Self::AddChain { chain, .. } | Self::SetPolicy { chain, .. } | Self::DeleteChain { chain, .. } => {
                format!("chain `{chain}`")
            }
            Self::AddSet { set, .. } => format!("{} `{}`", set.set().keyword(), set.name()),
            Self::DeleteSet { set, .. } => format!("set `{set}`"),
            Self::AddElements { set, elements, .. } | Self::DeleteElements { set, elements, .. } => {
                let holder = format!("{} `{}`", set.set().keyword(), set.name());
                match element.and_then(|at| elements.as_slice().get(at)) {
                    Some(element) => format!("element `{}` of {holder}", print_element(set.set(), element)),
                    None => format!("elements of {holder}"),
                }
            }
            Self::AddObject { object, .. } => format!("{} `{}`", object.kind.object_type(), object.name),
            Self::DeleteObject { object, name, .. } => format!("{object} `{name}`"),
            Self::AddFlowtable { flowtable, .. } => format!("flowtable `{}`", flowtable.name),
            Self::DeleteFlowtable { flowtable, .. } => format!("flowtable `{flowtable}`"),
            Self::AddRule { chain, .. } => format!("new rule of chain `{chain}`"),
            Self::ReplaceRule { chain, handle, .. } | Self::DeleteRule { chain, handle, .. } => {
                format!("rule with handle {handle} of chain `{chain}`")
            }
        };
        format!("{thing} in table `{}`", self.table())
    }
}
