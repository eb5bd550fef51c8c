//! A rule between its statements and its program: matches of plain header fields stay apart until they are merged.
//!
//! nft: `stmt_reduce` and `payload_do_merge`, src/rule.c; `payload_can_merge`, src/payload.c.

use crate::expr::{CmpOp, Expr, Reg};
use crate::ir::{Packed, PayloadBase};

/// `payload == data`, whole bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldMatch {
    pub(super) base: PayloadBase,
    /// In bytes.
    pub(super) offset: u32,
    /// What must be there.
    pub(super) data: Vec<u8>,
    /// It says which protocol follows, so what comes after it must stay there.
    pub(super) protocol: bool,
}

impl FieldMatch {
    fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether `next` follows directly and one load of both is not slower than two: the kernel has a fast path for
    /// loads of up to four bytes from the network and transport headers.
    fn merges_with(&self, next: &Self) -> bool {
        let total = self.len() + next.len();
        self.base == next.base
            && self.offset as usize + self.len() == next.offset as usize
            && total <= 16
            && (total <= 4 || self.base == PayloadBase::Link || self.len() > 4 || next.len() > 4)
    }

    fn exprs(self) -> [Expr; 2] {
        let len = self.data.len() as u32;
        [
            Expr::Payload { dreg: Reg::R1, base: self.base, offset: self.offset, len },
            Expr::Cmp { sreg: Reg::R1, op: CmpOp::Eq, data: Packed::new(&self.data) },
        ]
    }
}

/// A piece of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A match that can be merged with its neighbours.
    Field(FieldMatch),
    /// Another match: mergeable ones pass over it.
    Match(Vec<Expr>),
    /// Something with an effect: nothing passes over it.
    Action(Vec<Expr>),
}

/// Merges matches of neighbouring fields, and gives the program.
pub(super) fn merge(items: Vec<Item>) -> Vec<Expr> {
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    let mut start = 0;
    while start < items.len() {
        let end = items[start..]
            .iter()
            .position(|item| matches!(item, Some(Item::Action(_))))
            .map_or(items.len(), |at| start + at);
        merge_run(&mut items[start..end]);
        start = end + 1;
    }
    items
        .into_iter()
        .flatten()
        .flat_map(|item| match item {
            Item::Field(field) => field.exprs().to_vec(),
            Item::Match(exprs) | Item::Action(exprs) => exprs,
        })
        .collect()
}

fn field(item: &Option<Item>) -> Option<&FieldMatch> {
    match item {
        Some(Item::Field(field)) => Some(field),
        _ => None,
    }
}

fn merge_run(items: &mut [Option<Item>]) {
    let mut places: Vec<usize> = (0..items.len()).filter(|at| field(&items[*at]).is_some()).collect();
    places.sort_by_key(|at| field(&items[*at]).map(|field| (field.base, field.offset)));
    let Some((mut last, rest)) = places.split_first().map(|(first, rest)| (*first, rest)) else { return };
    for at in rest.iter().copied() {
        let (Some(one), Some(next)) = (field(&items[last]), field(&items[at])) else { continue };
        if !one.merges_with(next) {
            last = at;
            continue;
        }
        let merged = FieldMatch {
            base: one.base,
            offset: one.offset,
            data: [one.data.as_slice(), &next.data].concat(),
            protocol: one.protocol || next.protocol,
        };
        // The match that names a protocol keeps its place before what depends on it.
        let keep = if next.protocol { at } else { last };
        items[last] = None;
        items[at] = None;
        items[keep] = Some(Item::Field(merged));
        last = keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(items: Vec<Item>) -> String {
        merge(items).iter().map(|expr| format!("{expr}\n")).collect()
    }

    fn field(base: PayloadBase, offset: u32, data: &[u8]) -> Item {
        Item::Field(FieldMatch { base, offset, data: data.to_vec(), protocol: false })
    }

    #[test]
    fn neighbours_are_merged_where_that_is_not_slower() {
        let ports = [field(PayloadBase::Transport, 2, &[0, 5]), field(PayloadBase::Transport, 0, &[0, 6])];
        insta::assert_snapshot!(text(ports.into()), @r"
        [ payload load 4b @ transport header + 0 => reg 1 ]
        [ cmp eq reg 1 0x00060005 ]
        ");
        let addresses = [field(PayloadBase::Network, 12, &[1; 4]), field(PayloadBase::Network, 16, &[2; 4])];
        insta::assert_snapshot!(text(addresses.into()), @r"
        [ payload load 4b @ network header + 12 => reg 1 ]
        [ cmp eq reg 1 0x01010101 ]
        [ payload load 4b @ network header + 16 => reg 1 ]
        [ cmp eq reg 1 0x02020202 ]
        ");
    }

    #[test]
    fn an_action_keeps_matches_apart() {
        let counter = Item::Action(vec![Expr::Counter { packets: 0, bytes: 0 }]);
        let items = [field(PayloadBase::Transport, 0, &[0, 5]), counter, field(PayloadBase::Transport, 2, &[0, 6])];
        insta::assert_snapshot!(text(items.into()), @r"
        [ payload load 2b @ transport header + 0 => reg 1 ]
        [ cmp eq reg 1 0x0005 ]
        [ counter pkts 0 bytes 0 ]
        [ payload load 2b @ transport header + 2 => reg 1 ]
        [ cmp eq reg 1 0x0006 ]
        ");
    }
}
