//! What type an expression has where it stands, and what sets in rules keep of it.

use super::{CtKey, DataKind, Expression, Exthdr, Field, KeyType, Payload, Table};

impl KeyType {
    /// The type of what an expression gives in a rule of `table`; `None` where nothing says it.
    pub fn of(expression: &Expression, table: Option<&Table>) -> Option<Self> {
        match expression {
            Expression::Concat(parts) => {
                let mut fields = Vec::with_capacity(parts.len());
                for part in parts {
                    fields.extend(Self::of(part, table)?.fields);
                }
                Some(Self { fields })
            }
            Expression::Map { map, .. } => match &**map {
                Expression::SetRef(name) => match table?.sets.find(name)?.data_kind() {
                    DataKind::Value { data, .. } => Some(data),
                    _ => None,
                },
                Expression::Set(set) => match &set.data {
                    DataKind::Value { data, .. } => Some(data.clone()),
                    _ => None,
                },
                _ => None,
            },
            // The length depends on a family that is not known here.
            Expression::Ct { key: CtKey::Saddr | CtKey::Daddr, .. } => None,
            single => Field::of_expression(single.clone()).map(Self::single),
        }
    }

    /// The type of the elements of a set that belongs to a rule: without the expressions it was taken from, but where
    /// they say how values are written.
    #[must_use]
    pub fn anonymous(self) -> Self {
        let plain = |field: Field| {
            let declared_as = field.declared_as.filter(|declared_as| tells_how_to_write(declared_as));
            Field { declared_as, ..field }
        };
        Self { fields: self.fields.into_iter().map(plain).collect() }
    }
}

/// Whether values beside that expression are written otherwise than their type says.
fn tells_how_to_write(expression: &Expression) -> bool {
    match expression {
        Expression::Payload(Payload::Raw { .. }) | Expression::Socket { .. } => true,
        Expression::Exthdr(Exthdr { name, .. }) => name.starts_with('@'),
        _ => false,
    }
}
