//! What programs and elements refer to: chains, sets, objects and flowtables of their table.

use super::{Expr, Program, SetUse};
use crate::ir::{AnySet, ChainName, Data, Element, ObjectName, ObjectType, SetName};

/// Something of the same table that must be there as long as what refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A chain that a verdict leads to.
    Chain(ChainName),
    /// A named set or map.
    Set(SetName),
    /// A stateful object.
    Object(ObjectType, ObjectName),
    /// A flowtable.
    Flowtable(ObjectName),
}

impl Program {
    /// Everything it refers to, also from inside anonymous sets, in order; what it names twice comes twice.
    pub fn references(&self) -> Vec<Reference> {
        let mut references = Vec::new();
        self.exprs.iter().for_each(|expr| expr.references(&mut references));
        references
    }
}

impl Expr {
    fn references(&self, out: &mut Vec<Reference>) {
        match self {
            Self::Lookup { set, .. } | Self::Vmap { set, .. } | Self::ObjrefMap { set, .. } => set.references(out),
            Self::Dynset { set, exprs, .. } => {
                set.references(out);
                exprs.iter().for_each(|expr| expr.references(out));
            }
            Self::Verdict(verdict) => out.extend(verdict.chain().cloned().map(Reference::Chain)),
            Self::Objref { object, name } => out.push(Reference::Object(*object, name.clone())),
            Self::FlowOffload { table } => out.push(Reference::Flowtable(table.clone())),
            _ => {}
        }
    }
}

impl SetUse {
    fn references(&self, out: &mut Vec<Reference>) {
        match self {
            Self::Named(name) => out.push(Reference::Set(name.clone())),
            Self::Anonymous(set) => out.extend(set.elements().iter().filter_map(|element| set.reference(element))),
        }
    }
}

impl AnySet {
    /// What one of its elements refers to.
    pub fn reference(&self, element: &Element) -> Option<Reference> {
        match (&element.data, self) {
            (Data::Verdict(verdict), _) => verdict.chain().cloned().map(Reference::Chain),
            (Data::Object(name), Self::ObjectMap(map)) => Some(Reference::Object(map.object, name.clone())),
            _ => None,
        }
    }
}
