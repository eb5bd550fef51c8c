//! From the IR to the kernel's expressions: the same register programs that nft makes.

mod item;
mod layout;
pub(crate) mod literal;
pub(crate) mod load;
pub(crate) mod nat;
pub(crate) mod protocols;
pub(crate) mod relational;
mod set;
mod statement;
mod write;

pub use layout::ByteLayout;
pub use set::normal_form;

use indexmap::IndexMap;

use crate::ir::protocols::Protocols;
use item::Item;

use crate::expr::{Expr, Program};
use crate::ir::{
    AnySet, BaseChain, ChainName, Comment, Family, Flowtable, HasName, Named, Object, Provenance, Rule, Ruleset, Table,
    TableFlags, TableId,
};

/// A ruleset as it is wanted in a kernel: everything as in [`Ruleset`], but rules as programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lowered {
    /// The tables.
    pub tables: IndexMap<TableId, LoweredTable>,
}

/// A table as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoweredTable {
    /// Family and name.
    pub id: TableId,
    /// Its flags.
    pub flags: TableFlags,
    /// Its comment.
    pub comment: Option<Comment>,
    /// Its stateful objects.
    pub objects: Named<Object>,
    /// Its named sets and maps.
    pub sets: Named<AnySet>,
    /// Its flowtables.
    pub flowtables: Named<Flowtable>,
    /// Its chains.
    pub chains: Named<LoweredChain>,
}

/// A chain as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoweredChain {
    /// Its name.
    pub name: ChainName,
    /// Where it hooks in.
    pub base: Option<BaseChain>,
    /// Its comment.
    pub comment: Option<Comment>,
    /// Its rules and where each was read.
    pub rules: Vec<(Program, Provenance)>,
}

impl HasName for LoweredChain {
    type Name = ChainName;
    type Key = ChainName;
    fn name(&self) -> &ChainName {
        &self.name
    }
    fn key(&self) -> ChainName {
        self.name().clone()
    }
}

/// Why a rule has no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {} of chain `{chain}` in table `{table}`: {kind}", index + 1)]
pub struct LowerError {
    /// The table.
    pub table: TableId,
    /// The chain.
    pub chain: ChainName,
    /// Which rule of the chain, from 0.
    pub index: usize,
    /// Where it was read.
    pub provenance: Provenance,
    /// What is wrong with it.
    pub kind: LowerErrorKind,
}

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerErrorKind {
    /// It holds something we do not understand, and so must not send to a kernel.
    #[error("`{0}` is not understood")]
    Opaque(String),
    /// It uses a set or map the table does not have.
    #[error("the table has no set or map `{0}`")]
    UnknownSet(String),
    /// Two sides of a match, or a key and its set, are of different types.
    #[error("{0}")]
    Type(String),
    /// It is legal, but this version cannot lower it.
    #[error("`{0}` cannot be lowered yet")]
    Unsupported(String),
    /// It needs more registers than the kernel has.
    #[error("the rule needs more than the kernel's 16 registers of 4 bytes")]
    Registers,
}

/// Lowers a whole ruleset. Sets and their elements move over; only rules are translated.
///
/// # Errors
/// All rules that have no program, at once.
pub fn lower(ruleset: Ruleset) -> Result<Lowered, Vec<LowerError>> {
    let (lowered, errors) = lower_possible(ruleset);
    if errors.is_empty() { Ok(lowered) } else { Err(errors) }
}

/// Lowers what can be lowered, to be looked at: rules that have no program are left out, and told.
pub fn lower_possible(ruleset: Ruleset) -> (Lowered, Vec<LowerError>) {
    let mut lowered = Lowered::default();
    let mut errors = Vec::new();
    for table in ruleset.into_tables() {
        let id = table.id();
        let table = lower_table(table, &mut errors);
        lowered.tables.insert(id, table);
    }
    (lowered, errors)
}

fn lower_table(table: Table, errors: &mut Vec<LowerError>) -> LoweredTable {
    let id = table.id();
    let mut chains = Named::default();
    for chain in table.chains {
        let mut rules = Vec::with_capacity(chain.rules.len());
        for (index, rule) in chain.rules.iter().enumerate() {
            match lower_rule(id.family, &table.sets, rule) {
                Ok(program) => rules.push((program, rule.provenance)),
                Err(kind) => errors.push(LowerError {
                    table: id.clone(),
                    chain: chain.name.clone(),
                    index,
                    provenance: rule.provenance,
                    kind,
                }),
            }
        }
        chains.insert(LoweredChain { name: chain.name, base: chain.base, comment: chain.comment, rules });
    }
    LoweredTable {
        flags: table.flags,
        comment: table.comment,
        objects: table.objects.into_iter().map(|object| object.of_family(id.family)).collect(),
        id,
        sets: table.sets,
        flowtables: table.flowtables,
        chains,
    }
}

/// Lowers one rule of a table of that family. `sets` are the named sets and maps of the table.
///
/// # Errors
/// Where the rule has no program.
pub fn lower_rule(family: Family, sets: &Named<AnySet>, rule: &Rule) -> Result<Program, LowerErrorKind> {
    let mut lowering = Lowering::new(family, sets);
    for statement in &rule.statements {
        lowering.statement(statement)?;
    }
    Ok(Program { exprs: item::merge(lowering.items), comment: rule.comment.clone() })
}

/// A rule on its way to a program.
struct Lowering<'a> {
    family: Family,
    sets: &'a Named<AnySet>,
    /// What the matches so far say of the packet.
    protocols: Protocols,
    /// What they say of the type of an ICMP message.
    icmp_type: Option<Vec<u8>>,
    /// What they say of a packet inside a tunnel.
    inner: Vec<Vec<Expr>>,
    items: Vec<Item>,
    /// The first slot of the registers that is free in this statement.
    free: usize,
}

impl<'a> Lowering<'a> {
    fn new(family: Family, sets: &'a Named<AnySet>) -> Self {
        Self {
            family,
            sets,
            protocols: Protocols::of(family),
            icmp_type: None,
            inner: Vec::new(),
            items: Vec::new(),
            free: 0,
        }
    }
}
