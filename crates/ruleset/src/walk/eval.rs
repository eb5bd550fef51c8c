//! One expression, for one way a packet may go.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bits::{Bits, Registers, Tri, all_known, compare, within};
use super::hash::{jhash, scaled};
use super::hooks::{At, State};
use super::load;
use super::lookup::{Found, look_up};
use super::packet::Refusal;
use crate::expr::{BitwiseOp, Expr, Reg, SetUse};
use crate::ir::{AnySet, CtKey, Data, DataKind, Family, Hook, MetaKey, NatKind, Packed, SetUpdateOp, Verdict};
use crate::lower::{ByteLayout, LoweredTable};

/// A packet inside a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Branch {
    pub(super) state: State,
    pub(super) registers: Registers,
}

/// Where an expression leads.
#[derive(Debug)]
pub(super) enum Step {
    /// To the next one.
    Next(Branch),
    /// Out of the rule.
    Break(State),
    /// To a verdict.
    Verdict(State, Verdict),
    /// To an answer to the sender.
    Reject(State, Refusal),
}

/// What an expression is evaluated in.
pub(super) struct Eval<'a> {
    pub(super) at: &'a At<'a>,
    pub(super) table: &'a LoweredTable,
    pub(super) unknown: &'a mut BTreeSet<String>,
}

impl Eval<'_> {
    /// Runs one expression; gives all ways on.
    pub(super) fn step(&mut self, expr: &Expr, mut branch: Branch) -> Vec<Step> {
        match expr {
            Expr::Payload { dreg, base, offset, len } => {
                let bits = load::payload(&branch.state, *base, *offset, *len);
                load_into(branch, *dreg, Some(bits), *len as usize)
            }
            Expr::Meta { dreg, key } => {
                let bits = load::meta(&branch.state, self.at, *key);
                self.note(bits.is_none(), || format!("meta {}", key.keyword()));
                load_into(branch, *dreg, bits, key.bits().div_ceil(8) as usize)
            }
            Expr::Ct { dreg, key, direction } => {
                let bits = load::ct(&branch.state, *key, *direction);
                self.note(bits.is_none(), || format!("ct {}", key.keyword()));
                load_into(branch, *dreg, bits, 16)
            }
            Expr::Fib { dreg, flags, result, .. } => {
                let bits = load::fib(&branch.state, self.at.surroundings, *flags, *result);
                self.note(bits.is_none(), || "fib".to_owned());
                load_into(branch, *dreg, bits, 4)
            }
            Expr::Jhash { dreg, sreg, len, modulus, seed, offset } => {
                let bytes = all_known(branch.registers.read(*sreg, *len as usize));
                let number = bytes.zip(*seed).map(|(bytes, seed)| scaled(jhash(&bytes, seed), *modulus));
                number
                    .map_or(0..*modulus, |number| number..number + 1)
                    .map(|it| numbered(&branch, *dreg, it + offset))
                    .collect()
            }
            Expr::Numgen { dreg, modulus, offset, .. } | Expr::Symhash { dreg, modulus, offset } => {
                (0..*modulus).map(|number| numbered(&branch, *dreg, number + offset)).collect()
            }
            Expr::Immediate { dreg, data } => {
                branch.registers.write_known(*dreg, data);
                vec![Step::Next(branch)]
            }
            Expr::Bitwise { dreg, sreg, len, op } => {
                let bits = bitwise(&branch.registers, *sreg, *len as usize, op);
                branch.registers.write(*dreg, &bits);
                vec![Step::Next(branch)]
            }
            Expr::Byteorder { dreg, sreg, len, size, .. } => {
                let mut bits = branch.registers.read(*sreg, *len as usize).to_vec();
                if cfg!(target_endian = "little") {
                    bits.chunks_mut((*size).max(1) as usize).for_each(<[Bits]>::reverse);
                }
                branch.registers.write(*dreg, &bits);
                vec![Step::Next(branch)]
            }
            Expr::Cmp { sreg, op, data } => {
                let holds = compare(branch.registers.read(*sreg, data.len()), *op, data);
                only_if(holds, branch)
            }
            Expr::Range { sreg, inverted, from, to } => {
                let holds = within(branch.registers.read(*sreg, from.len()), from, to);
                only_if(holds.invert_if(*inverted), branch)
            }
            Expr::Lookup { sreg, set, dreg, inverted } => self.lookup(branch, *sreg, set, *dreg, *inverted),
            Expr::Vmap { sreg, set } => self.vmap(branch, *sreg, set),
            _ => self.action(expr, branch),
        }
    }

    /// Expressions that do something.
    fn action(&mut self, expr: &Expr, mut branch: Branch) -> Vec<Step> {
        match expr {
            Expr::Verdict(verdict) => vec![Step::Verdict(branch.state, verdict.clone())],
            Expr::Reject { kind, .. } => {
                vec![Step::Reject(branch.state, if *kind == 1 { Refusal::Reset } else { Refusal::Icmp })]
            }
            Expr::Nat { kind, addr_min, proto_min, .. } => self.nat(branch, *kind, *addr_min, *proto_min),
            Expr::Masq { .. } => {
                let own = self.at.surroundings.own_address(branch.state.packet.family());
                self.note(own.is_none(), || "the address to masquerade with".to_owned());
                branch.state.packet.source = own.unwrap_or(branch.state.packet.source);
                branch.state.rewritten.source = true;
                vec![Step::Verdict(branch.state, Verdict::Accept)]
            }
            Expr::Redir { proto_min, .. } => {
                let own = if self.at.hook == Hook::Output {
                    Some(loopback(branch.state.packet.family()))
                } else {
                    self.at.surroundings.own_address(branch.state.packet.family())
                };
                self.note(own.is_none(), || "the address to redirect to".to_owned());
                let port = proto_min.and_then(|reg| port(&branch.registers, reg));
                rewrite_destination(&mut branch.state, own, port);
                vec![Step::Verdict(branch.state, Verdict::Accept)]
            }
            Expr::MetaSet { sreg, key: MetaKey::Mark } => {
                match number(&branch.registers, *sreg) {
                    Some(mark) => branch.state.packet.mark = mark,
                    None => self.note(true, || "the mark".to_owned()),
                }
                vec![Step::Next(branch)]
            }
            Expr::CtSet { sreg, key: CtKey::Mark, .. } => {
                match number(&branch.registers, *sreg) {
                    Some(mark) => branch.state.ct_mark = mark,
                    None => self.note(true, || "the connection's mark".to_owned()),
                }
                vec![Step::Next(branch)]
            }
            Expr::Dynset { op, set, key, data, .. } => self.dynset(branch, *op, set, *key, *data),
            // Nothing that decides.
            Expr::Counter { .. } | Expr::Last { .. } | Expr::Log { .. } | Expr::Objref { .. } => {
                vec![Step::Next(branch)]
            }
            Expr::MetaSet { .. } | Expr::CtSet { .. } | Expr::PayloadSet { .. } => {
                self.note(true, || expr_name(expr));
                vec![Step::Next(branch)]
            }
            // Rates, amounts, and what we do not know: it may match or not.
            _ => {
                self.note(true, || expr_name(expr));
                only_if(Tri::Unknown, branch)
            }
        }
    }

    fn note(&mut self, unknown: bool, what: impl FnOnce() -> String) {
        if unknown {
            self.unknown.insert(what());
        }
    }

    fn find<'a>(&'a self, set: &'a SetUse) -> Option<&'a AnySet> {
        match set {
            SetUse::Named(name) => self.table.sets.find(name),
            SetUse::Anonymous(set) => Some(set),
        }
    }

    fn found(&self, branch: &Branch, sreg: Reg, name: &SetUse) -> Found {
        let Some(set) = self.find(name) else { return Found { data: Vec::new(), nothing: true } };
        let bits = branch.registers.read(sreg, set.spec().key.len());
        look_up(&self.table.id, set, name, &branch.state.memory, bits)
    }

    fn lookup(&mut self, branch: Branch, sreg: Reg, name: &SetUse, dreg: Option<Reg>, inverted: bool) -> Vec<Step> {
        let found = self.found(&branch, sreg, name);
        let Some(dreg) = dreg else {
            let holds = match (found.data.is_empty(), found.nothing) {
                (true, _) => Tri::No,
                (false, true) => Tri::Unknown,
                (false, false) => Tri::Yes,
            };
            return only_if(holds.invert_if(inverted), branch);
        };
        let layout = match self.find(name).map(AnySet::data_kind) {
            Some(DataKind::Value { data, .. }) => ByteLayout::of_data(&data),
            _ => ByteLayout::default(),
        };
        let mut steps = Vec::new();
        for data in found.data {
            let Data::Value(value) = data else { continue };
            let mut bytes = value.to_vec();
            layout.turn(&mut bytes);
            let mut branch = branch.clone();
            branch.registers.write_known(dreg, &bytes);
            steps.push(Step::Next(branch));
        }
        steps.extend(found.nothing.then_some(Step::Break(branch.state)));
        steps
    }

    fn vmap(&mut self, branch: Branch, sreg: Reg, name: &SetUse) -> Vec<Step> {
        let found = self.found(&branch, sreg, name);
        let verdict = |data| match data {
            Data::Verdict(verdict) => Some(Step::Verdict(branch.state.clone(), verdict)),
            _ => None,
        };
        let mut steps: Vec<Step> = found.data.into_iter().filter_map(verdict).collect();
        steps.extend(found.nothing.then(|| Step::Break(branch.state.clone())));
        steps
    }

    fn nat(&mut self, mut branch: Branch, kind: NatKind, address: Option<Reg>, proto: Option<Reg>) -> Vec<Step> {
        let len = if branch.state.packet.family() == Family::Ip { 4 } else { 16 };
        let to = address.map(|reg| all_known(branch.registers.read(reg, len)).and_then(|bytes| read_address(&bytes)));
        let port = proto.map(|reg| port(&branch.registers, reg));
        self.note(to == Some(None) || port == Some(None), || "what is rewritten".to_owned());
        let (to, port) = (to.flatten(), port.flatten());
        if matches!(kind, NatKind::Snat | NatKind::Masquerade) {
            branch.state.packet.source = to.unwrap_or(branch.state.packet.source);
            branch.state.packet.source_port = port.unwrap_or(branch.state.packet.source_port);
            branch.state.rewritten.source = true;
        } else {
            rewrite_destination(&mut branch.state, to, port);
        }
        vec![Step::Verdict(branch.state, Verdict::Accept)]
    }

    fn dynset(&mut self, mut branch: Branch, op: SetUpdateOp, name: &SetUse, key: Reg, data: Option<Reg>) -> Vec<Step> {
        let (Some(set), SetUse::Named(set_name)) = (self.find(name), name) else {
            return vec![Step::Next(branch)];
        };
        let read = |reg: Reg, len: usize, layout: ByteLayout| {
            let mut bytes = all_known(branch.registers.read(reg, len))?;
            layout.turn(&mut bytes);
            Some(Packed::new(&bytes))
        };
        let bytes = read(key, set.spec().key.len(), ByteLayout::of_key(set.spec()));
        let value = match (data, set.data_kind()) {
            (Some(reg), DataKind::Value { data, .. }) => {
                read(reg, data.len(), ByteLayout::of_data(&data)).map(Data::Value)
            }
            _ => Some(Data::None),
        };
        let (Some(bytes), Some(value)) = (bytes, value) else {
            self.note(true, || format!("what is written to {set_name}"));
            return vec![Step::Next(branch)];
        };
        let written = branch.state.memory.0.entry((self.table.id.clone(), set_name.clone())).or_default();
        written.insert(bytes, (op != SetUpdateOp::Delete).then_some(value));
        vec![Step::Next(branch)]
    }
}

/// On, with a number in a register.
fn numbered(branch: &Branch, dreg: Reg, number: u32) -> Step {
    let mut branch = branch.clone();
    branch.registers.write_known(dreg, &number.to_ne_bytes());
    Step::Next(branch)
}

/// Loads bits, or as many unknown ones.
fn load_into(mut branch: Branch, dreg: Reg, bits: Option<Vec<Bits>>, len: usize) -> Vec<Step> {
    match bits {
        Some(bits) => branch.registers.write(dreg, &bits),
        None => branch.registers.write_unknown(dreg, len.max(1)),
    }
    vec![Step::Next(branch)]
}

/// On, if that holds; else out of the rule.
fn only_if(holds: Tri, branch: Branch) -> Vec<Step> {
    match holds {
        Tri::Yes => vec![Step::Next(branch)],
        Tri::No => vec![Step::Break(branch.state)],
        Tri::Unknown => vec![Step::Next(branch.clone()), Step::Break(branch.state)],
    }
}

fn expr_name(expr: &Expr) -> String {
    let text = expr.to_string();
    text.trim_start_matches('[').split_whitespace().next().unwrap_or_default().to_owned()
}

fn loopback(family: Family) -> IpAddr {
    if family == Family::Ip { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
        16 => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
        _ => None,
    }
}

fn number(registers: &Registers, reg: Reg) -> Option<u32> {
    let bytes = all_known(registers.read(reg, 4))?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn port(registers: &Registers, reg: Reg) -> Option<u16> {
    let bytes = all_known(registers.read(reg, 2))?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

fn rewrite_destination(state: &mut State, to: Option<IpAddr>, port: Option<u16>) {
    state.packet.destination = to.unwrap_or(state.packet.destination);
    state.packet.destination_port = port.unwrap_or(state.packet.destination_port);
    state.rewritten.destination = true;
}

fn bitwise(registers: &Registers, sreg: Reg, len: usize, op: &BitwiseOp) -> Vec<Bits> {
    let bits = registers.read(sreg, len);
    let combine = |other: &Reg, f: fn(u8, u8) -> u8| -> Vec<Bits> {
        let pairs = bits.iter().zip(registers.read(*other, len));
        pairs
            .map(|(a, b)| {
                let known = a.known & b.known;
                Bits { value: f(a.value, b.value) & known, known }
            })
            .collect()
    };
    match op {
        BitwiseOp::Mask { mask, xor } => {
            let masks = mask.iter().zip(xor.iter());
            bits.iter().zip(masks).map(|(bits, (mask, xor))| bits.masked(*mask, *xor)).collect()
        }
        BitwiseOp::And(other) => combine(other, |a, b| a & b),
        BitwiseOp::Or(other) => combine(other, |a, b| a | b),
        BitwiseOp::Xor(other) => combine(other, |a, b| a ^ b),
        BitwiseOp::Lshift(_) | BitwiseOp::Rshift(_) => shift(bits, op),
    }
}

/// Shifts words as the kernel does: whole registers, as big-endian numbers in words of the machine's order.
fn shift(bits: &[Bits], op: &BitwiseOp) -> Vec<Bits> {
    let unknown = vec![Bits::default(); bits.len()];
    let Some(bytes) = all_known(bits) else { return unknown };
    let Ok(word) = <[u8; 4]>::try_from(bytes.as_slice()) else { return unknown };
    let word = u32::from_ne_bytes(word);
    let shifted = match op {
        BitwiseOp::Lshift(by) => word.checked_shl(*by).unwrap_or(0),
        BitwiseOp::Rshift(by) => word.checked_shr(*by).unwrap_or(0),
        _ => word,
    };
    shifted.to_ne_bytes().map(Bits::known).into()
}
