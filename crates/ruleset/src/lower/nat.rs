//! Rewriting of addresses, in the normal form in which the kernel gives it back: what follows from the registers is
//! said in the flags, and a range of one address has an end.
//!
//! nft: `netlink_gen_nat_stmt`, src/netlink_linearize.c; kernel: `nft_nat_init` and `nft_nat_dump`, net/netfilter/nft_nat.c.

use super::literal::Loaded;
use super::load::reg;
use super::statement::address_of;
use super::{LowerErrorKind, Lowering};
use crate::expr::{Expr, Reg};
use crate::ir::{AnySet, ByteOrder, DataKind, DataType, Expression, Family, KeyType, Nat, NatFlags, NatKind, Value};

/// `NF_NAT_RANGE_MAP_IPS`, linux/netfilter/nf_nat.h.
pub(crate) const MAP_IPS: u32 = 1;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`.
pub(crate) const PROTO_SPECIFIED: u32 = 1 << 1;
/// `NF_NAT_RANGE_PROTO_RANDOM`.
pub(crate) const PROTO_RANDOM: u32 = 1 << 2;
/// `NF_NAT_RANGE_PERSISTENT`.
pub(crate) const PERSISTENT: u32 = 1 << 3;
/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
pub(crate) const PROTO_RANDOM_FULLY: u32 = 1 << 4;
/// `NF_NAT_RANGE_NETMAP`.
pub(crate) const NETMAP: u32 = 1 << 6;

/// First and last register of a range.
type Ends = (Option<Reg>, Option<Reg>);

impl Lowering<'_> {
    pub(super) fn nat(&mut self, nat: &Nat) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        let mut flags = flags(nat.flags);
        let family = nat.family.unwrap_or_else(|| self.nat_family(nat));
        let mut ports = (None, None);
        let mut addresses = (None, None);
        if let Some(address) = &nat.address {
            self.require_all(address)?;
            if let Some(port) = &nat.port {
                self.require_all(port)?;
            }
            (addresses, ports) = self.nat_address(address, family, nat.prefix, &mut out)?;
            flags |= MAP_IPS;
        }
        if let Some(port) = &nat.port {
            self.require_all(port)?;
            ports = self.nat_ends(port, port_type(), &mut out)?;
        }
        if ports.0.is_some() {
            flags |= PROTO_SPECIFIED;
        }
        if nat.prefix {
            flags |= NETMAP;
        }
        let (proto_min, proto_max) = ports;
        out.push(match nat.kind {
            NatKind::Masquerade => Expr::Masq { flags, proto_min, proto_max: proto_max.or(proto_min) },
            NatKind::Redirect => Expr::Redir { flags, proto_min, proto_max: proto_max.or(proto_min) },
            kind => Expr::Nat {
                kind,
                family: u32::from(family.nfproto()),
                addr_min: addresses.0,
                addr_max: addresses.1.or(addresses.0),
                proto_min,
                proto_max: proto_max.or(proto_min),
                flags,
            },
        });
        self.act(out)
    }

    /// The family of the addresses where it is not written: that of the table, or that of the packets matched so far.
    fn nat_family(&self, nat: &Nat) -> Family {
        match self.family {
            Family::Ip | Family::Ip6 => self.family,
            _ => match (&nat.address, self.protocols.network) {
                (Some(Expression::Value(Value { datatype: DataType::Ipv6Addr, .. })), _) => Family::Ip6,
                (Some(Expression::Value(Value { datatype: DataType::Ipv4Addr, .. })), _) => Family::Ip,
                (_, crate::ir::protocols::Known::Is(crate::ir::Header::Ip6)) => Family::Ip6,
                _ => Family::Ip,
            },
        }
    }

    /// Registers of the address and, where a concatenation gives it too, of the port.
    fn nat_address(
        &mut self,
        address: &Expression,
        family: Family,
        prefix: bool,
        out: &mut Vec<Expr>,
    ) -> Result<(Ends, Ends), LowerErrorKind> {
        if let Expression::Map { map, .. } = address
            && let Some((data, interval)) = self.map_data(map)
        {
            let slot = self.reserve_slots(data_slots(&data, interval))?;
            self.load(address, slot, out)?;
            return map_registers(&data, interval || prefix, slot);
        }
        if let Expression::Prefix(value, bits) = address {
            let (start, end) = prefix_ends(value, *bits)?;
            let range = Expression::Range(Box::new(start), Box::new(end));
            return Ok((self.nat_ends(&range, address_of(family), out)?, (None, None)));
        }
        if let Expression::Concat(parts) = address {
            let slot = self.reserve(address)?;
            self.load_concat(parts, slot, false, out)?;
            let width = self.typed(&parts[0]).map_or(1, |loaded| loaded.len.div_ceil(4) as usize);
            return Ok(((Some(reg(slot)?), None), (Some(reg(slot + width)?), None)));
        }
        Ok((self.nat_ends(address, address_of(family), out)?, (None, None)))
    }

    fn map_data(&self, map: &Expression) -> Option<(KeyType, bool)> {
        match map {
            Expression::SetRef(name) => match self.sets.find(name)? {
                AnySet::Map(map) => Some((map.data.clone(), map.data_interval)),
                _ => None,
            },
            Expression::Set(set) => match &set.data {
                DataKind::Value { data, interval } => Some((data.clone(), *interval)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Registers of one value, or of the first and last of a range.
    fn nat_ends(&mut self, value: &Expression, wanted: Loaded, out: &mut Vec<Expr>) -> Result<Ends, LowerErrorKind> {
        match value {
            Expression::Range(start, end) => {
                Ok((self.operand(Some(start), wanted, out)?, self.operand(Some(end), wanted, out)?))
            }
            value => Ok((self.operand(Some(value), wanted, out)?, None)),
        }
    }

    pub(super) fn tproxy(
        &mut self,
        family: Option<Family>,
        address: Option<&Expression>,
        port: Option<&Expression>,
    ) -> Result<(), LowerErrorKind> {
        let mut out = Vec::new();
        let wanted = address_of(family.unwrap_or(self.family));
        let addr = self.operand(address, wanted, &mut out)?;
        let port = self.operand(port, port_type(), &mut out)?;
        let family = match family.unwrap_or(self.family) {
            family @ (Family::Ip | Family::Ip6) => u32::from(family.nfproto()),
            _ => 0,
        };
        self.act([out, vec![Expr::Tproxy { family, addr, port }]].concat())
    }
}

fn port_type() -> Loaded {
    Loaded::new(DataType::InetService, 16, ByteOrder::Network)
}

fn flags(flags: NatFlags) -> u32 {
    let mut bits = 0;
    if flags.random {
        bits |= PROTO_RANDOM;
    }
    if flags.fully_random {
        bits |= PROTO_RANDOM_FULLY;
    }
    if flags.persistent {
        bits |= PERSISTENT;
    }
    bits
}

/// How many slots what the map gives takes; at least those of a whole register.
fn data_slots(data: &KeyType, interval: bool) -> usize {
    let slots: usize = data.fields.iter().map(|field| field.padded() / 4).sum();
    (if interval { slots * 2 } else { slots }).max(4)
}

/// Where address and port stand in what a map gives: of ranges, all first values and then all last ones.
fn map_registers(data: &KeyType, interval: bool, slot: usize) -> Result<(Ends, Ends), LowerErrorKind> {
    let widths: Vec<usize> = data.fields.iter().map(|field| field.padded() / 4).collect();
    let total: usize = widths.iter().sum();
    let last = |slot: usize| if interval { reg(slot + total).map(Some) } else { Ok(None) };
    match widths.as_slice() {
        [_] => Ok(((Some(reg(slot)?), last(slot)?), (None, None))),
        [address, _] => {
            let port = slot + address;
            Ok(((Some(reg(slot)?), last(slot)?), (Some(reg(port)?), last(port)?)))
        }
        _ => Err(LowerErrorKind::Type("a map for nat gives an address, or an address and a port".to_owned())),
    }
}

fn prefix_ends(value: &Expression, bits: u32) -> Result<(Expression, Expression), LowerErrorKind> {
    let Expression::Value(value) = value else { return Err(super::literal::not_literal(value)) };
    let all = Loaded::new(value.datatype, value.bytes.len() as u32 * 8, ByteOrder::Network);
    let mask = all.prefix_mask(bits);
    let (start, end): (Vec<u8>, Vec<u8>) =
        value.bytes.iter().zip(&mask).map(|(byte, mask)| (byte & mask, byte & mask | !mask)).unzip();
    let value = |bytes: Vec<u8>| Expression::Value(Value::new(value.datatype, bytes.as_slice()));
    Ok((value(start), value(end)))
}
