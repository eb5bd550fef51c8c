//! Names of chains, objects and flowtables that a rule uses, which its table must have.

use super::{Check, Checked, Refusal};
use crate::ir::{ChainName, Data, Expression, ObjectName, ObjectType, Statement, Table};
use crate::text::nearest;

impl Check<'_> {
    /// Whether all that a statement names is there.
    pub(super) fn refers(&self, statement: &Statement) -> Checked {
        let Some(table) = self.site.table else { return Ok(()) };
        match statement {
            Statement::Verdict(verdict) => verdict.chain().map_or(Ok(()), |chain| can_jump(table, chain)),
            Statement::Vmap { map: Expression::Set(set), .. } => set.elements.iter().try_for_each(|element| {
                let Data::Verdict(verdict) = &element.data else { return Ok(()) };
                verdict.chain().map_or(Ok(()), |chain| can_jump(table, chain))
            }),
            Statement::Object { object, name } => has_object(table, *object, name),
            Statement::ObjectMap { object, map: Expression::Set(set), .. } => {
                set.elements.iter().try_for_each(|element| match &element.data {
                    Data::Object(name) => has_object(table, *object, name),
                    _ => Ok(()),
                })
            }
            Statement::FlowAdd(name) if !table.flowtables.contains(name) => {
                let names = table.flowtables.iter().map(|flowtable| flowtable.name.as_str());
                missing(format!("the table has no flowtable `{name}`"), nearest(name.as_str(), names))
            }
            _ => Ok(()),
        }
    }
}

fn can_jump(table: &Table, chain: &ChainName) -> Checked {
    match table.chains.find(chain) {
        Some(found) if found.base.is_some() => Refusal::expecting(
            format!("chain `{chain}` hooks into the kernel, no rule leads there"),
            "a chain without a hook",
        ),
        Some(_) => Ok(()),
        None => {
            let names = table.chains.iter().map(|chain| chain.name.as_str());
            missing(format!("the table has no chain `{chain}`"), nearest(chain.as_str(), names))
        }
    }
}

fn has_object(table: &Table, object: ObjectType, name: &ObjectName) -> Checked {
    let of_type = || table.objects.iter().filter(|it| it.kind.object_type() == object);
    if of_type().any(|it| it.name == *name) {
        return Ok(());
    }
    let names = of_type().map(|it| it.name.as_str());
    missing(format!("the table has no {object} `{name}`"), nearest(name.as_str(), names))
}

fn missing(message: String, near: Option<&str>) -> Checked {
    Err(Refusal { message, expected: near.map(|near| format!("`{near}`")) })
}
