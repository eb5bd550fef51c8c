//! Elements of the fake kernel's sets.

use libc::{EEXIST, EINVAL, ENFILE, ENOENT};
use rulectl_ruleset::ir::{AnySet, Data, DataKind, Element, Elements, Key};
use rulectl_ruleset::plan::{Op, Plan};

use super::state::No;
use crate::kernel::CommitError;

/// Whether all elements are as their steps declare the sets: the encoder of the real kernel checks it before the kernel.
pub(super) fn encodable(plan: &Plan) -> Result<(), CommitError> {
    for (step, op) in plan.steps.iter().map(|step| &step.op).enumerate() {
        let Op::AddElements { set, elements, .. } = op else { continue };
        if let Some(wrong) = elements.iter().position(|element| shape(set.set(), element).is_err()) {
            return Err(CommitError::Unencodable { step, what: op.subject(Some(wrong)) });
        }
    }
    Ok(())
}

/// Whether all elements can be added. The kernel looks at them one by one, and stops at the first it refuses
/// (`nft_add_set_elem`).
pub(super) fn fit(
    set: &AnySet,
    elements: &Elements,
    referenced: impl Fn(&Element) -> Result<(), i32>,
) -> Result<(), No> {
    let mut count = counted(set.elements().as_slice());
    for (index, element) in elements.iter().enumerate() {
        count += usize::from(element.key != Key::CatchAll);
        let refused = |errno| No { errno, element: Some(index) };
        shape(set, element).map_err(refused)?;
        referenced(element).map_err(refused)?;
        if set.elements().find(&element.key).is_some() {
            return Err(refused(EEXIST));
        }
        if set.spec().size.is_some_and(|size| count > size as usize) {
            return Err(refused(ENFILE));
        }
    }
    Ok(())
}

/// How many elements count against the size: all but the catch-all.
fn counted(elements: &[Element]) -> usize {
    elements.iter().filter(|element| element.key != Key::CatchAll).count()
}

/// Whether key and data are as long as the set's types say.
fn shape(set: &AnySet, element: &Element) -> Result<(), i32> {
    let key_fits = match &element.key {
        Key::Value(bytes) => bytes.len() == set.spec().key.len(),
        Key::Range(bytes) => set.spec().flags.interval && bytes.len() == 2 * set.spec().key.len(),
        Key::CatchAll => true,
    };
    let data_fits = match (&element.data, set.data_kind()) {
        (Data::None, DataKind::None)
        | (Data::Verdict(_), DataKind::Verdict)
        | (Data::Object(_), DataKind::Object(_)) => true,
        (Data::Value(bytes), DataKind::Value { data, interval }) => {
            bytes.len() == data.len() * if interval { 2 } else { 1 }
        }
        _ => false,
    };
    if key_fits && data_fits { Ok(()) } else { Err(EINVAL) }
}

/// Adds elements that fit.
pub(super) fn add(live: &mut Elements, added: &Elements) {
    if live.is_empty() {
        *live = added.clone();
        return;
    }
    let mut all = Vec::from(std::mem::take(live));
    all.extend(added.iter().cloned());
    *live = all.into();
}

/// Takes elements out, and gives those that were there.
pub(super) fn delete(set: &mut AnySet, keys: &Elements) -> Result<Vec<Element>, No> {
    let live = set.elements();
    if let Some(missing) = keys.iter().position(|element| live.find(&element.key).is_none()) {
        return Err(No { errno: ENOENT, element: Some(missing) });
    }
    let all = std::mem::take(set.elements_mut());
    let (gone, stay): (Vec<_>, Vec<_>) = all.into_iter().partition(|element| keys.find(&element.key).is_some());
    *set.elements_mut() = stay.into();
    Ok(gone)
}

/// How many messages and bytes a batch of that plan has, about: the real kernel's count differs by a few bytes a
/// message.
pub(super) fn size(plan: &Plan) -> (usize, usize) {
    const MESSAGE: usize = 20 + 40;
    const EXPRESSION: usize = 40;
    const ELEMENT: usize = 32;
    const LARGEST: usize = 65_535;
    let of_elements = |elements: &Elements| {
        let bytes: usize = elements.iter().map(|element| ELEMENT + data_len(element)).sum();
        (bytes.div_ceil(LARGEST), bytes)
    };
    let of_step = |op: &Op| match op {
        Op::AddElements { elements, .. } | Op::DeleteElements { elements, .. } => of_elements(elements),
        Op::AddRule { program, .. } | Op::ReplaceRule { program, .. } => (1, program.exprs.len() * EXPRESSION),
        _ => (1, EXPRESSION),
    };
    let steps = plan.steps.iter().map(|step| of_step(&step.op));
    steps.fold((2, 2 * 20), |(messages, bytes), (more, payload)| (messages + more, bytes + more * MESSAGE + payload))
}

fn data_len(element: &Element) -> usize {
    let key = element.key.bounds().map_or(0, |(first, last)| first.len() + last.len());
    match &element.data {
        Data::Value(bytes) => key + bytes.len(),
        Data::Verdict(verdict) => key + 12 + verdict.chain().map_or(0, |chain| chain.as_str().len()),
        Data::Object(name) => key + name.as_str().len(),
        Data::None => key,
    }
}
