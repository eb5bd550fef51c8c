//! Interfaces by index and by name.
//!
//! `iif "eth0"` compares the index that the kernel has for an interface; only a machine knows it. Texts and what is read
//! from them hold the name in its place, what a kernel holds has the number. Here one becomes the other.

use super::{
    AnonymousSet, Chain, DataType, Element, Expression, Field, Key, KeyType, Provenance, Rule, Ruleset, Statement,
    Value,
};

/// A rule that names an interface which is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownInterface {
    /// The name.
    pub name: String,
    /// Where the rule was read.
    pub provenance: Provenance,
}

impl Ruleset {
    /// Puts indices in the place of names of interfaces, wherever a rule asks for an index. Gives those that have none;
    /// they stay names.
    pub fn number_interfaces(&mut self, mut index_of: impl FnMut(&str) -> Option<u32>) -> Vec<UnknownInterface> {
        let mut unknown = Vec::new();
        for rule in rules(self) {
            let provenance = rule.provenance;
            let mut number = |value: &Value| {
                let name = String::from_utf8_lossy(&value.bytes).trim_end_matches('\0').to_owned();
                let index = index_of(&name);
                if index.is_none() {
                    unknown.push(UnknownInterface { name, provenance });
                }
                index.map(|index| Value::number(DataType::IfIndex, index))
            };
            Renaming { from: DataType::IfName, to: DataType::IfIndex, convert: &mut number }.rule(rule);
        }
        unknown
    }

    /// Puts names in the place of indices of interfaces; those without one stay numbers.
    pub fn name_interfaces(&mut self, mut name_of: impl FnMut(u32) -> Option<String>) {
        let mut name = |value: &Value| Some(Value::ifname(&name_of(value.to_u128()?.try_into().ok()?)?));
        for rule in rules(self) {
            Renaming { from: DataType::IfIndex, to: DataType::IfName, convert: &mut name }.rule(rule);
        }
    }
}

fn rules(ruleset: &mut Ruleset) -> impl Iterator<Item = &mut Rule> {
    let chains = ruleset.tables_mut().flat_map(|table| table.chains.iter_mut());
    chains.flat_map(|chain: &mut Chain| chain.rules.iter_mut())
}

/// Values of one type become such of the other, where an index is asked for.
struct Renaming<'a> {
    from: DataType,
    to: DataType,
    convert: &'a mut dyn FnMut(&Value) -> Option<Value>,
}

impl Renaming<'_> {
    fn rule(&mut self, rule: &mut Rule) {
        rule.statements.iter_mut().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &mut Statement) {
        match statement {
            Statement::Match { left, right, .. } => self.beside(left, right),
            Statement::Vmap { key, map } | Statement::ObjectMap { key, map, .. } => self.beside(key, map),
            Statement::Mangle { target, value } => {
                self.beside(target, value);
                self.inside(value);
            }
            Statement::Dup { device: Some(device), .. } | Statement::Fwd { device, .. } => self.value(device),
            Statement::Block { rules, .. } => rules.iter_mut().for_each(|rule| self.rule(rule)),
            _ => {}
        }
    }

    /// What is looked up in maps on the way to a value.
    fn inside(&mut self, expression: &mut Expression) {
        if let Expression::Map { key, map } = expression {
            self.beside(key, map);
        }
    }

    /// `right`, where `left` says what its parts are.
    fn beside(&mut self, left: &Expression, right: &mut Expression) {
        match (left, right) {
            (Expression::Concat(left), Expression::Concat(right)) => {
                left.iter().zip(right).for_each(|(left, right)| self.beside(left, right));
            }
            (left, Expression::Set(set)) => self.set(left, set),
            (left, right) if is_index(left) => self.value(right),
            _ => {}
        }
    }

    fn value(&mut self, expression: &mut Expression) {
        if let Expression::Value(value) = expression
            && value.datatype == self.from
            && let Some(converted) = (self.convert)(value)
        {
            *value = converted;
        }
    }

    /// The keys of a set, if all of them can be converted.
    fn set(&mut self, left: &Expression, set: &mut AnonymousSet) {
        let [field] = set.key.fields.as_slice() else { return };
        if !is_index(left) || field.datatype != self.from {
            return;
        }
        let key = KeyType::single(Field::of_type(self.to));
        let convert = |element: &Element| {
            let converted = match &element.key {
                Key::CatchAll => Key::CatchAll,
                Key::Value(bytes) => Key::Value(key.pack(&[(self.convert)(&Value::new(self.from, bytes.clone()))?])?),
                Key::Range(_) => return None,
            };
            Some(Element { key: converted, ..element.clone() })
        };
        if let Some(elements) = set.elements.iter().map(convert).collect::<Option<Vec<_>>>() {
            set.elements = elements.into();
            set.key = key;
        }
    }
}

fn is_index(expression: &Expression) -> bool {
    expression.typed().is_some_and(|(datatype, ..)| datatype == DataType::IfIndex)
}

#[cfg(test)]
mod tests {
    use crate::nft;

    const TEXT: &str = "table netdev t {
\tchain c {
\t\tiif \"eth7\" drop
\t\tiif { \"eth7\", \"eth9\" } accept
\t\tfib daddr oif vmap { \"eth7\" : accept, \"lo\" : drop }
\t\tmeta l4proto . iif { tcp . 7 } accept
\t\tiifname \"eth7\" fwd to \"eth9\"
\t}
}
";

    #[test]
    fn names_become_indices_and_names_again() {
        let mut ruleset = nft::parse("t.nft", TEXT).ruleset;
        let index_of = |name: &str| Some(if name == "lo" { 1 } else { name.trim_start_matches("eth").parse().ok()? });
        assert_eq!(ruleset.number_interfaces(index_of), []);
        let text = nft::print(&ruleset);
        assert!(text.contains("iif { 7, 9 }") && text.contains("iifname \"eth7\" fwd to 9"), "{text}");
        ruleset.name_interfaces(|index| (index > 1).then(|| format!("eth{index}")));
        assert!(nft::print(&ruleset).contains("iif { \"eth7\", \"eth9\" }"), "{}", nft::print(&ruleset));
    }

    #[test]
    fn interfaces_that_are_not_there_are_told_with_their_place() {
        let parsed = nft::parse("t.nft", "table ip t { chain c { iif \"eth0\" accept; iif \"lo\" accept; } }");
        let unknown = parsed.ruleset.clone().number_interfaces(|_| None);
        let [unknown] = unknown.as_slice() else { panic!("{unknown:?}") };
        assert_eq!(unknown.name, "eth0");
        assert_eq!(parsed.sources.text(unknown.provenance.0.unwrap()), "iif \"eth0\" accept");
    }
}
