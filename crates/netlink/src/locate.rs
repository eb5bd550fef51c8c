//! From a number and an offset in the kernel's error to what a plan calls it.
//!
//! Nothing is noted while a batch is written: only when the kernel complains, the step it complains about is written
//! once more and searched.

use std::net::{Ipv4Addr, Ipv6Addr};

use rulectl_ruleset::expr::Program;
use rulectl_ruleset::ir::{AnySet, DataType, Element, Value};
use rulectl_ruleset::plan::{Op, Plan};

use crate::attr::Writer;
use crate::encode::elements::Layout;
use crate::encode::{Batch, Encoder, anonymous};
use crate::kernel::Refusal;
use crate::message::{Message, Messages, Report};
use crate::uapi::{self, msg};

/// What the kernel refused, in words of the plan.
pub(crate) fn refusal(plan: &Plan, batch: &Batch, report: Report) -> Refusal {
    let Report { seq, errno, offset, message } = report;
    let Some((step, nth)) = batch.step_of(seq) else {
        // Only a commit as a whole is reported with the number of the batch's begin.
        return Refusal { message, ..Refusal::of(0, None, (None, None), errno) };
    };
    let op = &plan.steps[step].op;
    let (element, expression) = place(op, nth, offset);
    let subject = subject(op, element, expression);
    Refusal { subject, message, ..Refusal::of(step, Some(op), (element, expression), errno) }
}

/// Which element and which expression of a step the byte at `offset` of its `nth` message belongs to.
fn place(op: &Op, nth: usize, offset: Option<u32>) -> (Option<usize>, Option<usize>) {
    let mut encoder = Encoder::new(0);
    if encoder.op(op).is_err() {
        return (None, None);
    }
    let messages: Vec<Message<'_>> = Messages(encoder.bytes()).take(nth + 1).collect();
    let Some(last) = messages.last().filter(|_| messages.len() == nth + 1) else { return (None, None) };
    match op {
        Op::AddElements { set, elements, .. } | Op::DeleteElements { set, elements, .. } => {
            (element(set.set(), elements.as_slice(), &messages, offset), None)
        }
        Op::AddRule { program, .. } | Op::ReplaceRule { program, .. } => {
            if last.nft_kind() == Some(msg::NEWRULE) {
                (None, offset.and_then(|offset| last.child_at(uapi::rule::EXPRESSIONS, offset)))
            } else {
                in_anonymous_set(program, &messages, offset)
            }
        }
        _ => (None, None),
    }
}

fn in_anonymous_set(
    program: &Program,
    messages: &[Message<'_>],
    offset: Option<u32>,
) -> (Option<usize>, Option<usize>) {
    let declared = |message: &Message<'_>| message.nft_kind() == Some(msg::NEWSET);
    let sets = messages.iter().filter(|message| declared(message)).count();
    let uses = program.exprs.iter().enumerate().filter_map(|(at, expr)| Some((at, anonymous(expr)?)));
    let Some((expression, set)) = uses.clone().nth(sets.saturating_sub(1)) else { return (None, None) };
    let own = messages.iter().rposition(declared).map_or(messages, |declaration| &messages[declaration + 1..]);
    (element(set, set.elements().as_slice(), own, offset), Some(expression))
}

/// Which element the byte at `offset` of the last of these messages belongs to.
fn element(set: &AnySet, elements: &[Element], messages: &[Message<'_>], offset: Option<u32>) -> Option<usize> {
    let (last, before) = messages.split_last()?;
    let inside = last.child_at(uapi::elem_list::ELEMENTS, offset?)?;
    let count = |message: &Message<'_>| {
        message.attributes().find(uapi::elem_list::ELEMENTS).map_or(0, |list| list.nested().count())
    };
    let mut left = before.iter().map(count).sum::<usize>() + inside;
    // An element of ours may be two of the kernel's.
    let layout = Layout::of(set);
    elements.iter().position(|element| {
        let mut writer = Writer::default();
        let written = layout.put(&mut writer, element).map_or(1, |()| writer.attributes().count());
        let here = left < written;
        left = left.saturating_sub(written);
        here
    })
}

/// What a step is about, for people.
fn subject(op: &Op, element: Option<usize>, expression: Option<usize>) -> String {
    let table = op.table();
    match op {
        Op::AddTable { .. } | Op::SetTableFlags { .. } | Op::DeleteTable { .. } => format!("table `{table}`"),
        Op::AddChain { chain, .. } | Op::SetPolicy { chain, .. } | Op::DeleteChain { chain, .. } => {
            format!("chain `{chain}` of table `{table}`")
        }
        Op::AddSet { set, .. } => format!("set `{}` of table `{table}`", set.name()),
        Op::DeleteSet { set, .. } => format!("set `{set}` of table `{table}`"),
        Op::AddElements { set, elements, .. } | Op::DeleteElements { set, elements, .. } => {
            let set = set.set();
            match element.and_then(|at| elements.as_slice().get(at)) {
                Some(element) => format!("element {} of set `{}` of table `{table}`", key(set, element), name(set)),
                None => format!("elements of set `{}` of table `{table}`", name(set)),
            }
        }
        Op::AddObject { object, .. } => {
            format!("{} `{}` of table `{table}`", object.kind.object_type(), object.name)
        }
        Op::DeleteObject { object, name, .. } => format!("{object} `{name}` of table `{table}`"),
        Op::AddFlowtable { flowtable, .. } => format!("flowtable `{}` of table `{table}`", flowtable.name),
        Op::DeleteFlowtable { flowtable, .. } => format!("flowtable `{flowtable}` of table `{table}`"),
        Op::AddRule { chain, program, .. } | Op::ReplaceRule { chain, program, .. } => {
            match expression.and_then(|at| program.exprs.get(at)) {
                Some(expr) => format!("`{expr}` in a rule of chain `{chain}` of table `{table}`"),
                None => format!("a rule of chain `{chain}` of table `{table}`"),
            }
        }
        Op::DeleteRule { chain, handle, .. } => format!("rule {handle} of chain `{chain}` of table `{table}`"),
    }
}

fn name(set: &AnySet) -> &str {
    set.spec().name.as_str()
}

/// The key of an element, as near to what nft writes as it goes without a table of names.
fn key(set: &AnySet, element: &Element) -> String {
    let Some((first, last)) = element.key.bounds() else { return "`*`".to_owned() };
    let text = |bytes| {
        let fields = set.spec().key.split(bytes).map(|(field, bytes)| value(field.datatype, bytes));
        fields.collect::<Vec<_>>().join(" . ")
    };
    if first == last { format!("`{}`", text(first)) } else { format!("`{}-{}`", text(first), text(last)) }
}

fn value(datatype: DataType, bytes: &[u8]) -> String {
    match (datatype, bytes) {
        (DataType::Ipv4Addr, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
        (DataType::Ipv6Addr, _) if bytes.len() == 16 => {
            bytes.try_into().map(|octets: [u8; 16]| Ipv6Addr::from(octets).to_string()).unwrap_or_default()
        }
        (DataType::IfName | DataType::String, _) => String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned(),
        _ => match Value::new(datatype, bytes).to_u128() {
            Some(number) => number.to_string(),
            None => format!("{:?}", Value::new(datatype, bytes).bytes),
        },
    }
}
