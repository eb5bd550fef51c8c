//! A program as text: follows which registers hold numbers of the machine, so that all values read as they are meant.

use std::fmt;

use super::display::{Form, write_expr};
use super::{Expr, Program, Reg, SetUse};
use crate::ir::{AnySet, ByteOrder, DataType, FibResult, Field};

/// The expressions of a program, one a line, indented by two.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    program: &'a Program,
    words: bool,
}

/// A program's text, as `nft --debug=netlink` writes it below the line of family, table and chain.
pub fn listing(program: &Program) -> Listing<'_> {
    Listing { program, words: false }
}

impl Listing<'_> {
    /// The same with values as libnftnl before 1.3 writes them: whole words of the machine, whatever they mean.
    #[must_use]
    pub fn in_words(self) -> Self {
        Self { words: true, ..self }
    }

    fn form(&self, orders: &Orders, at: usize, expr: &Expr) -> Form {
        let host = match expr {
            Expr::Cmp { sreg, .. } | Expr::Range { sreg, .. } | Expr::Bitwise { sreg, .. } => orders.is_host(*sreg),
            Expr::Immediate { dreg, .. } => wants_host(*dreg, &self.program.exprs[at + 1..]),
            _ => false,
        };
        match (self.words, host) {
            (true, _) => Form::Words,
            (false, true) => Form::Number,
            (false, false) => Form::Bytes,
        }
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut orders = Orders::default();
        for (at, expr) in self.program.exprs.iter().enumerate() {
            let form = self.form(&orders, at, expr);
            f.write_str("  ")?;
            match without_implied_flag(expr, &self.program.exprs[..at]) {
                Some(shown) => write_expr(f, &shown, form)?,
                None => write_expr(f, expr, form)?,
            }
            f.write_str("\n")?;
            orders.follow(expr);
        }
        Ok(())
    }
}

/// `NF_NAT_RANGE_PROTO_SPECIFIED`.
const PROTO_SPECIFIED: u32 = 2;

/// The kernel sets the flag wherever there is a port; nft writes it only for a port of its own, not for one that a map
/// gave with the address.
fn without_implied_flag(expr: &Expr, before: &[Expr]) -> Option<Expr> {
    let mut shown = expr.clone();
    let Expr::Nat { addr_min: Some(_), proto_min: Some(port), flags, .. } = &mut shown else { return None };
    let own = before.iter().any(|expr| match expr {
        Expr::Immediate { dreg, .. } => dreg == port,
        Expr::Lookup { dreg: Some(dreg), .. } => dreg == port,
        _ => false,
    });
    *flags &= if own { u32::MAX } else { !PROTO_SPECIFIED };
    Some(shown)
}

/// Which 4-byte slots begin a number of the machine.
#[derive(Default)]
struct Orders([bool; 16]);

impl Orders {
    fn is_host(&self, reg: Reg) -> bool {
        self.0[reg.slot()]
    }

    fn follow(&mut self, expr: &Expr) {
        if let Some((dreg, host)) = self.result(expr) {
            self.0[dreg.slot()] = host;
        }
    }

    fn result(&self, expr: &Expr) -> Option<(Reg, bool)> {
        Some(match expr {
            Expr::Payload { dreg, .. } | Expr::Exthdr { dreg, .. } | Expr::Osf { dreg, .. } => (*dreg, false),
            Expr::Meta { dreg, key } => (*dreg, is_host(key.datatype(), key.byte_order())),
            Expr::Ct { dreg, key, .. } => (*dreg, is_host(key.datatype(), key.byte_order())),
            Expr::Rt { dreg, key } => (*dreg, is_host(key.datatype(), key.byte_order())),
            Expr::Socket { dreg, .. } | Expr::Tunnel { dreg, .. } => (*dreg, true),
            Expr::Xfrm { dreg, key, .. } => (*dreg, key.byte_order() == ByteOrder::Host),
            Expr::Fib { dreg, result, .. } => (*dreg, *result != FibResult::Oifname),
            Expr::Numgen { dreg, .. } | Expr::Jhash { dreg, .. } | Expr::Symhash { dreg, .. } => (*dreg, true),
            Expr::Bitwise { dreg, sreg, .. } => (*dreg, self.is_host(*sreg)),
            Expr::Byteorder { dreg, to_network, .. } => (*dreg, !to_network),
            Expr::Inner { expr, .. } => return self.result(expr),
            Expr::Lookup { dreg: Some(dreg), set: SetUse::Anonymous(set), .. } => (*dreg, data_is_host(set)),
            _ => return None,
        })
    }
}

fn is_host(datatype: DataType, order: ByteOrder) -> bool {
    order == ByteOrder::Host && !matches!(datatype, DataType::IfName | DataType::String)
}

fn data_is_host(set: &AnySet) -> bool {
    let AnySet::Map(map) = set else { return false };
    matches!(map.data.fields.as_slice(), [Field { datatype, byte_order, .. }] if is_host(*datatype, *byte_order))
}

/// Whether a literal is loaded for something that takes a number of the machine.
fn wants_host(reg: Reg, after: &[Expr]) -> bool {
    after
        .iter()
        .find_map(|expr| match expr {
            Expr::MetaSet { sreg, key } if *sreg == reg => Some(is_host(key.datatype(), key.byte_order())),
            Expr::CtSet { sreg, key, .. } if *sreg == reg => Some(is_host(key.datatype(), key.byte_order())),
            Expr::Dup { dev: Some(dev), .. } if *dev == reg => Some(true),
            Expr::Fwd { dev, .. } if *dev == reg => Some(true),
            Expr::Queue { sreg: Some(sreg), .. } if *sreg == reg => Some(true),
            Expr::Immediate { dreg, .. } if *dreg == reg => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}
