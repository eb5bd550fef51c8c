//! Declarations of sets and maps from attributes.

use rulectl_ruleset::expr::SetUse;
use rulectl_ruleset::ir::{
    AnySet, DataKind, Dialect, ObjectType, Opaque, SetFlags, SetName, SetPolicy, SetSpec, Statement, TableName,
};
use rulectl_ruleset::userdata::{self, SetUserdata};

use super::expr::{self, Sets};
use crate::attr::{Attribute, Attributes};
use crate::{stateful, uapi};

/// A set as the kernel declares it, without elements.
#[derive(Debug)]
pub(crate) struct Declared {
    /// The table it is in.
    pub(crate) table: TableName,
    /// The name the kernel knows it by: for an anonymous set not that of the set.
    pub(crate) name: String,
    /// The kernel's number.
    pub(crate) handle: u64,
    /// Whether it belongs to a rule.
    pub(crate) anonymous: bool,
    /// The set.
    pub(crate) set: AnySet,
}

/// `None` if there is no name the IR takes.
pub(crate) fn declared(attributes: Attributes<'_>) -> Option<Declared> {
    let table = attributes.table::<21>();
    let at = |kind: u16| table[usize::from(kind)];
    let number = |kind: u16| at(kind).and_then(Attribute::u32);
    let bits = number(uapi::set::FLAGS).unwrap_or(0);
    let anonymous = bits & uapi::NFT_SET_ANONYMOUS != 0;
    let name = at(uapi::set::NAME)?.str()?.to_owned();
    let noted = at(uapi::set::USERDATA).map(|noted| userdata::parse_set(noted.payload)).unwrap_or_default();

    let key = noted.key_type(number(uapi::set::KEY_TYPE).unwrap_or(0), number(uapi::set::KEY_LEN).unwrap_or(0));
    let shown = if anonymous { template(&name) } else { name.clone() };
    let mut spec = SetSpec::new(SetName::new(shown).ok()?, key);
    spec.flags = flags(bits);
    spec.timeout_ms = at(uapi::set::TIMEOUT).and_then(Attribute::u64).filter(|timeout| *timeout != 0);
    spec.gc_interval_ms = number(uapi::set::GC_INTERVAL).filter(|interval| *interval != 0);
    // The size of a constant set is the number of its elements.
    spec.size = at(uapi::set::DESC)
        .and_then(|description| description.nested().find(uapi::desc::SIZE)?.u32())
        .filter(|size| bits & uapi::NFT_SET_CONSTANT == 0 && *size != 0);
    if number(uapi::set::POLICY) == Some(1) {
        spec.policy = SetPolicy::Memory;
    }
    spec.auto_merge = noted.auto_merge;
    spec.comment = noted.comment.clone();
    spec.statements = statements(at(uapi::set::EXPR), at(uapi::set::EXPRESSIONS));
    let kind = data_kind(
        bits,
        number(uapi::set::OBJ_TYPE),
        number(uapi::set::DATA_TYPE),
        || number(uapi::set::DATA_LEN).unwrap_or(0),
        &noted,
    );
    Some(Declared {
        table: TableName::new(at(uapi::set::TABLE)?.str()?).ok()?,
        name,
        handle: at(uapi::set::HANDLE).and_then(Attribute::u64).unwrap_or(0),
        anonymous,
        set: AnySet::new(spec, kind),
    })
}

fn data_kind(
    bits: u32,
    object: Option<u32>,
    data: Option<u32>,
    len: impl FnOnce() -> u32,
    noted: &SetUserdata,
) -> DataKind {
    if let Some(object) = object.and_then(ObjectType::from_number).filter(|_| bits & uapi::NFT_SET_OBJECT != 0) {
        return DataKind::Object(object);
    }
    match data {
        Some(uapi::NFT_DATA_VERDICT) => DataKind::Verdict,
        Some(id) if bits & uapi::NFT_SET_MAP != 0 => {
            DataKind::Value { data: noted.data_type(id, len()), interval: noted.data_interval }
        }
        _ => DataKind::None,
    }
}

fn flags(bits: u32) -> SetFlags {
    SetFlags {
        // That an anonymous set never changes goes without saying.
        constant: bits & uapi::NFT_SET_CONSTANT != 0 && bits & uapi::NFT_SET_ANONYMOUS == 0,
        interval: bits & uapi::NFT_SET_INTERVAL != 0,
        timeout: bits & uapi::NFT_SET_TIMEOUT != 0,
        dynamic: bits & uapi::NFT_SET_EVAL != 0,
    }
}

/// The name an anonymous set was asked for by: the kernel put a number in the place of `%d`.
fn template(name: &str) -> String {
    format!("{}%d", name.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// Stateful statements: one in an attribute of its own, or several in a list.
pub(crate) fn statements(single: Option<Attribute<'_>>, several: Option<Attribute<'_>>) -> Vec<Statement> {
    let exprs = match (single, several) {
        (Some(single), _) => vec![(single.nested(), expr::expr(single.nested(), &NoSets))],
        (None, Some(several)) => {
            several.nested().map(|one| (one.nested(), expr::expr(one.nested(), &NoSets))).collect()
        }
        (None, None) => Vec::new(),
    };
    let statement = |(attributes, expr): (Attributes<'_>, _)| {
        stateful::statement(&expr).unwrap_or_else(|| Statement::Opaque(opaque(attributes.bytes())))
    };
    exprs.into_iter().map(statement).collect()
}

/// Attributes that are not understood.
pub(crate) fn opaque(attributes: &[u8]) -> Opaque {
    let text = attributes.iter().map(|byte| format!("{byte:02x}")).collect();
    Opaque { dialect: Dialect::Netlink, text }
}

/// Expressions that keep state use no sets.
struct NoSets;

impl Sets for NoSets {
    fn set(&self, _: &str) -> Option<SetUse> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_anonymous_set_is_not_part_of_its_name() {
        assert_eq!(template("__set0"), "__set%d");
        assert_eq!(template("__map123"), "__map%d");
    }
}
