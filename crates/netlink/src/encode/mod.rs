//! Plans as batches of netlink messages.
//!
//! A batch is one run of bytes: a begin with the generation the plan was made for, the messages of all steps, an end.
//! A batch without its end is tried by the kernel and thrown away (`nfnetlink_rcv_batch`, net/netfilter/nfnetlink.c).
//! Tables and chains go through libnftnl; the rest is written here (see [`elements`] for why).

mod beyond;
pub(crate) mod elements;
pub(crate) mod expr;
pub(crate) mod libnftnl;
pub(crate) mod object;
#[cfg(test)]
mod oracle;
mod set;

use rulectl_ruleset::expr::{Expr, Program, SetUse};
use rulectl_ruleset::ir::{AnySet, ChainName, Element, Family, TableId};
use rulectl_ruleset::plan::{Op, Place, Plan, SetHead};
use rulectl_ruleset::userdata;

use crate::attr::{TooLong, Writer};
use crate::message;
use crate::uapi::{self, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_NONREC, NLM_F_REPLACE, msg};
use elements::Layout;
use libnftnl::{Declared, Scratch};

/// Why a step has no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

impl From<TooLong> for Refused {
    fn from(TooLong: TooLong) -> Self {
        Self("it takes more than the 65,535 bytes of an attribute".into())
    }
}

impl From<libnftnl::Failed> for Refused {
    fn from(libnftnl::Failed: libnftnl::Failed) -> Self {
        Self("libnftnl cannot build the message".into())
    }
}

/// A step that has no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepRefused {
    pub(crate) step: usize,
    pub(crate) refused: Refused,
}

/// A batch, and which of its messages belong to which step.
pub(crate) struct Batch {
    writer: Writer,
    /// The number of each step's first message; the begin of the batch is number 0.
    firsts: Vec<u32>,
    messages: u32,
}

impl Batch {
    /// The batch of a plan; its first message has the sequence number 0 until [`Self::number`].
    pub(crate) fn of(plan: &Plan) -> Result<Self, StepRefused> {
        let mut encoder = Encoder::new(estimate(plan));
        let start = encoder.begin_raw(uapi::NFNL_MSG_BATCH_BEGIN);
        if let Some(generation) = plan.generation {
            encoder.writer.put_u32(uapi::NFNL_BATCH_GENID, generation);
        }
        encoder.end(start);
        let mut firsts = Vec::with_capacity(plan.steps.len());
        for (step, planned) in plan.steps.iter().enumerate() {
            firsts.push(encoder.messages);
            encoder.op(&planned.op).map_err(|refused| StepRefused { step, refused })?;
        }
        Ok(Self { writer: encoder.writer, firsts, messages: encoder.messages })
    }

    /// Appends the end, without which the kernel only tries.
    pub(crate) fn finish(&mut self) {
        let seq = self.messages;
        let start = message::begin(&mut self.writer, uapi::NFNL_MSG_BATCH_END, 0, seq, 0, uapi::NFNL_SUBSYS_NFTABLES);
        message::end(&mut self.writer, start);
        self.messages += 1;
    }

    /// How many messages it has.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// Which step a message belongs to, and which of its messages it is; `None` for begin and end.
    pub(crate) fn step_of(&self, number: u32) -> Option<(usize, usize)> {
        let step = self.firsts.partition_point(|first| *first <= number).checked_sub(1)?;
        Some((step, (number - self.firsts[step]) as usize))
    }
}

/// How many bytes a plan about takes: elements count, the rest grows.
fn estimate(plan: &Plan) -> usize {
    let elements: usize = plan
        .steps
        .iter()
        .map(|step| match &step.op {
            Op::AddElements { set, elements, .. } | Op::DeleteElements { set, elements, .. } => {
                let data = match set.set() {
                    AnySet::Set(_) => 0,
                    AnySet::Map(map) => 8 + map.data.len().next_multiple_of(4),
                    AnySet::VerdictMap(_) | AnySet::ObjectMap(_) => 36,
                };
                let ends = if set.set().spec().flags.interval { 2 } else { 1 };
                elements.len() * (12 + set.set().spec().key.len().next_multiple_of(4) + data) * ends
            }
            _ => 0,
        })
        .sum();
    elements + elements / 64 + 512 * plan.steps.len() + 256
}

/// Writes messages one after the other and counts them.
pub(crate) struct Encoder {
    writer: Writer,
    scratch: Option<Scratch>,
    messages: u32,
    /// The number of the next anonymous set.
    next_set: u32,
}

impl Encoder {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { writer: Writer::with_capacity(capacity), scratch: None, messages: 0, next_set: 1 }
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    fn begin_raw(&mut self, kind: u16) -> usize {
        message::begin(&mut self.writer, kind, 0, self.messages, 0, uapi::NFNL_SUBSYS_NFTABLES)
    }

    fn begin(&mut self, kind: u16, flags: u16, family: Family) -> usize {
        message::begin_nft(&mut self.writer, kind, flags, self.messages, Some(family))
    }

    fn end(&mut self, start: usize) {
        message::end(&mut self.writer, start);
        self.messages += 1;
    }

    /// A message that libnftnl builds.
    fn built(&mut self, build: impl FnOnce(&mut Scratch) -> Result<&[u8], libnftnl::Failed>) -> Result<(), Refused> {
        let bytes = build(self.scratch.get_or_insert_with(Scratch::new))?;
        let start = self.writer.len();
        self.writer.raw(bytes);
        message::set_seq(&mut self.writer, start, self.messages);
        self.messages += 1;
        Ok(())
    }

    /// The messages of one step.
    pub(crate) fn op(&mut self, op: &Op) -> Result<(), Refused> {
        const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
        match op {
            Op::AddTable { table, flags, comment } => {
                self.built(|scratch| scratch.table(msg::NEWTABLE, NEW, table, Some(*flags), comment.as_ref()))
            }
            Op::SetTableFlags { table, flags } => {
                self.built(|scratch| scratch.table(msg::NEWTABLE, 0, table, Some(*flags), None))
            }
            Op::DeleteTable { table } => self.built(|scratch| scratch.table(msg::DELTABLE, 0, table, None, None)),
            Op::AddChain { table, chain, base, comment } => {
                let policy = base.as_ref().map(|base| base.policy());
                let declared = Declared { base: base.as_ref(), policy, comment: comment.as_ref() };
                self.built(|scratch| scratch.chain(msg::NEWCHAIN, NEW, table, chain, declared))
            }
            Op::SetPolicy { table, chain, policy } => {
                let declared = Declared { policy: Some(*policy), ..Declared::default() };
                self.built(|scratch| scratch.chain(msg::NEWCHAIN, 0, table, chain, declared))
            }
            Op::DeleteChain { table, chain } => {
                // Without the flag the kernel would delete the rules too (`nf_tables_delchain`).
                self.built(|scratch| scratch.chain(msg::DELCHAIN, NLM_F_NONREC, table, chain, Declared::default()))
            }
            Op::AddSet { table, set } => self.set(table, set.set(), None),
            Op::AddElements { table, set, elements } => {
                self.elements(msg::NEWSETELEM, table, set.set(), elements.as_slice(), None)
            }
            Op::DeleteElements { table, set, elements } => {
                self.elements(msg::DELSETELEM, table, set.set(), elements.as_slice(), None)
            }
            Op::AddRule { table, chain, place, program } => {
                let (flags, place) = match place {
                    Place::Last => (NLM_F_CREATE | NLM_F_APPEND, None),
                    Place::Before(handle) => (NLM_F_CREATE, Some((uapi::rule::POSITION, *handle))),
                };
                self.rule(flags, table, chain, place, program)
            }
            Op::ReplaceRule { table, chain, handle, program } => {
                self.rule(NLM_F_REPLACE, table, chain, Some((uapi::rule::HANDLE, *handle)), program)
            }
            Op::DeleteSet { .. }
            | Op::DeleteRule { .. }
            | Op::AddObject { .. }
            | Op::DeleteObject { .. }
            | Op::AddFlowtable { .. }
            | Op::DeleteFlowtable { .. } => self.plain(op),
        }
    }

    /// Steps that are one message of our own.
    fn plain(&mut self, op: &Op) -> Result<(), Refused> {
        const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
        let (kind, flags) = match op {
            Op::DeleteSet { .. } => (msg::DELSET, 0),
            Op::DeleteRule { .. } => (msg::DELRULE, 0),
            Op::AddObject { .. } => (msg::NEWOBJ, NEW),
            Op::DeleteObject { .. } => (msg::DELOBJ, 0),
            Op::AddFlowtable { .. } => (msg::NEWFLOWTABLE, NEW),
            Op::DeleteFlowtable { .. } => (msg::DELFLOWTABLE, 0),
            _ => return Ok(()),
        };
        let start = self.begin(kind, flags, op.table().family);
        match op {
            Op::DeleteSet { table, set } => {
                self.writer.put_str(uapi::set::TABLE, table.name.as_str());
                self.writer.put_str(uapi::set::NAME, set.as_str());
            }
            Op::DeleteRule { table, chain, handle } => {
                self.writer.put_str(uapi::rule::TABLE, table.name.as_str());
                self.writer.put_str(uapi::rule::CHAIN, chain.as_str());
                self.writer.put_u64(uapi::rule::HANDLE, *handle);
            }
            Op::AddObject { table, object } => object::put(&mut self.writer, table, object)?,
            Op::DeleteObject { table, object, name } => object::put_name(&mut self.writer, table, *object, name),
            Op::AddFlowtable { table, flowtable } => object::put_flowtable(&mut self.writer, table, flowtable),
            Op::DeleteFlowtable { table, flowtable } => {
                object::put_flowtable_name(&mut self.writer, table, flowtable);
            }
            _ => {}
        }
        self.end(start);
        Ok(self.writer.take_too_long()?)
    }

    fn set(&mut self, table: &TableId, set: &AnySet, anonymous: Option<u32>) -> Result<(), Refused> {
        let start = self.begin(msg::NEWSET, NLM_F_CREATE | NLM_F_EXCL, table.family);
        set::put(&mut self.writer, table, set, anonymous)?;
        self.end(start);
        Ok(self.writer.take_too_long()?)
    }

    fn elements(
        &mut self,
        kind: u16,
        table: &TableId,
        set: &AnySet,
        mut elements: &[Element],
        anonymous: Option<u32>,
    ) -> Result<(), Refused> {
        let adds = kind == msg::NEWSETELEM;
        let flags = if adds { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
        let layout = Layout::of(set);
        let layout = if adds { layout } else { layout.keys_only() };
        while !elements.is_empty() {
            let start = self.begin(kind, flags, table.family);
            put_list_head(&mut self.writer, table, set, anonymous);
            let written = elements::put_some(&mut self.writer, &layout, elements)?;
            self.end(start);
            self.writer.take_too_long()?;
            elements = &elements[written..];
        }
        Ok(())
    }

    /// A request for elements by their keys: as many as fit into one message; returns how many.
    pub(crate) fn probe(
        &mut self,
        seq: u32,
        table: &TableId,
        set: &SetHead,
        keys: &[Element],
    ) -> Result<usize, Refused> {
        let start = message::begin_nft(&mut self.writer, msg::GETSETELEM, 0, seq, Some(table.family));
        put_list_head(&mut self.writer, table, set.set(), None);
        let written = elements::put_some(&mut self.writer, &Layout::of(set.set()).keys_only(), keys)?;
        self.end(start);
        Ok(written)
    }

    fn rule(
        &mut self,
        flags: u16,
        table: &TableId,
        chain: &ChainName,
        place: Option<(u16, u64)>,
        program: &Program,
    ) -> Result<(), Refused> {
        let first_set = self.next_set;
        for set in program.exprs.iter().filter_map(anonymous) {
            let id = self.next_set;
            self.next_set += 1;
            self.set(table, set, Some(id))?;
            self.elements(msg::NEWSETELEM, table, set, set.elements().as_slice(), Some(id))?;
        }
        let start = self.begin(msg::NEWRULE, flags, table.family);
        self.writer.put_str(uapi::rule::TABLE, table.name.as_str());
        self.writer.put_str(uapi::rule::CHAIN, chain.as_str());
        if let Some((kind, handle)) = place {
            self.writer.put_u64(kind, handle);
        }
        let mut ids = expr::SetIds::new(first_set..self.next_set);
        self.writer.nest(uapi::rule::EXPRESSIONS, |writer| expr::put_list(writer, &program.exprs, &mut ids));
        if let Some(comment) = &program.comment {
            self.writer.put(uapi::rule::USERDATA, &userdata::rule(comment));
        }
        self.end(start);
        Ok(self.writer.take_too_long()?)
    }
}

fn put_list_head(writer: &mut Writer, table: &TableId, set: &AnySet, anonymous: Option<u32>) {
    writer.put_str(uapi::elem_list::TABLE, table.name.as_str());
    writer.put_str(uapi::elem_list::SET, set.spec().name.as_str());
    if let Some(id) = anonymous {
        writer.put_u32(uapi::elem_list::SET_ID, id);
    }
}

/// The set that belongs to the rule, if the expression uses one.
pub(crate) fn anonymous(expr: &Expr) -> Option<&AnySet> {
    match expr {
        Expr::Lookup { set: SetUse::Anonymous(set), .. }
        | Expr::Vmap { set: SetUse::Anonymous(set), .. }
        | Expr::Dynset { set: SetUse::Anonymous(set), .. }
        | Expr::ObjrefMap { set: SetUse::Anonymous(set), .. } => Some(set),
        _ => None,
    }
}
