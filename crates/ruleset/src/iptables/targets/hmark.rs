//! `-j HMARK` (extensions/libxt_HMARK.c, `HMARK_save`).

use std::fmt;

use super::super::extension::{Context, Extension, Field, Given, Opt, Value};
use super::super::problem::Problem;
use super::super::ruleset::Family;
use super::super::value::number_in;

/// A number in as many hexadecimal digits as it is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaddedHex<const DIGITS: usize>(pub u32);

impl<const DIGITS: usize> Value for PaddedHex<DIGITS> {
    const EXPECTED: &'static str = "a number in range";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let most = if DIGITS == 8 { u32::MAX } else { 0xffff };
        number_in(word, 0..=most.into()).map(|number| Self(number as u32))
    }
}

impl<const DIGITS: usize> fmt::Display for PaddedHex<DIGITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:0digits$x}", self.0, digits = DIGITS)
    }
}

/// What is hashed for the packet mark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hmark {
    /// How many bits of the source count.
    pub source_bits: Option<u8>,
    /// How many bits of the destination count.
    pub destination_bits: Option<u8>,
    /// Which bits of the source port count.
    pub sport_mask: Option<PaddedHex<4>>,
    /// Which bits of the destination port count.
    pub dport_mask: Option<PaddedHex<4>>,
    /// Which bits of the parameter index count.
    pub spi_mask: Option<PaddedHex<8>>,
    /// Bits set in the source port.
    pub sport: Option<PaddedHex<4>>,
    /// Bits set in the destination port.
    pub dport: Option<PaddedHex<4>>,
    /// Bits set in the parameter index.
    pub spi: Option<PaddedHex<8>>,
    /// Which bits of the protocol count.
    pub protocol_mask: Option<PaddedHex<2>>,
    /// What the hash begins with.
    pub seed: PaddedHex<8>,
    /// How many marks there are.
    pub modulus: u32,
    /// The first of them.
    pub offset: Option<u32>,
    /// The addresses of conntrack count.
    pub conntrack: bool,
}

impl Extension for Hmark {
    const NAMES: &'static [&'static str] = &["HMARK"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--hmark-src-prefix"]),
        Opt::word(&["--hmark-dst-prefix"]),
        Opt::word(&["--hmark-sport-mask"]),
        Opt::word(&["--hmark-dport-mask"]),
        Opt::word(&["--hmark-spi-mask"]),
        Opt::word(&["--hmark-sport"]),
        Opt::word(&["--hmark-dport"]),
        Opt::word(&["--hmark-spi"]),
        Opt::word(&["--hmark-proto-mask"]),
        Opt::word(&["--hmark-rnd"]),
        Opt::word(&["--hmark-mod"]),
        Opt::word(&["--hmark-offset"]),
        Opt::word(&["--hmark-tuple"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let longest: u8 = if given.context.family == Family::Ip { 32 } else { 128 };
        let bits = |option| match given.single(option)? {
            None => Ok(None),
            Some(found) => match number_in(found.value(), 0..=longest.into()) {
                Some(bits) => Ok(Some(bits as u8)),
                None => Err(found.unexpected("the length of a prefix")),
            },
        };
        let mut hmark = Self {
            source_bits: bits(0)?,
            destination_bits: bits(1)?,
            sport_mask: given.value(2)?,
            dport_mask: given.value(3)?,
            spi_mask: given.value(4)?,
            sport: given.value(5)?,
            dport: given.value(6)?,
            spi: given.value(7)?,
            protocol_mask: given.value(8)?,
            seed: given.value(9)?.ok_or_else(|| given.missing(&[9]))?,
            modulus: given.value(10)?.filter(|modulus| *modulus != 0).ok_or_else(|| given.missing(&[10]))?,
            offset: given.value::<u32>(11)?.filter(|offset| *offset != 0),
            conntrack: false,
        };
        if let Some(tuple) = given.single(12)? {
            for word in tuple.value().split(',') {
                match word {
                    "ct" => hmark.conntrack = true,
                    "src" => hmark.source_bits = Some(longest),
                    "dst" => hmark.destination_bits = Some(longest),
                    "sport" => hmark.sport_mask = Some(PaddedHex(0xffff)),
                    "dport" => hmark.dport_mask = Some(PaddedHex(0xffff)),
                    "spi" => hmark.spi_mask = Some(PaddedHex(u32::MAX)),
                    "proto" => hmark.protocol_mask = Some(PaddedHex(0xffff)),
                    _ => return Err(tuple.unexpected("fields as `src,dst,sport,dport,spi,proto,ct`")),
                }
            }
        }
        let ports = hmark.sport_mask.or(hmark.dport_mask).or(hmark.sport).or(hmark.dport);
        match ports.filter(|_| hmark.spi_mask.is_some() || hmark.spi.is_some()) {
            Some(_) => Err(given.problem("ports and a parameter index are never in one packet")),
            None => Ok(hmark),
        }
    }
}

impl fmt::Display for Hmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Field::print(&self.source_bits, f, "--hmark-src-prefix")?;
        Field::print(&self.destination_bits, f, "--hmark-dst-prefix")?;
        Field::print(&self.sport_mask, f, "--hmark-sport-mask")?;
        Field::print(&self.dport_mask, f, "--hmark-dport-mask")?;
        Field::print(&self.spi_mask, f, "--hmark-spi-mask")?;
        Field::print(&self.sport, f, "--hmark-sport")?;
        Field::print(&self.dport, f, "--hmark-dport")?;
        Field::print(&self.spi, f, "--hmark-spi")?;
        Field::print(&self.protocol_mask, f, "--hmark-proto-mask")?;
        write!(f, " --hmark-rnd {} --hmark-mod {}", self.seed, self.modulus)?;
        Field::print(&self.offset, f, "--hmark-offset")?;
        f.write_str(if self.conntrack { " --hmark-tuple ct" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j HMARK --hmark-src-prefix 32 --hmark-rnd 0x00000004 --hmark-mod 42",
            "-j HMARK --hmark-src-prefix 1 --hmark-dst-prefix 2 --hmark-sport-mask 0x0003 --hmark-proto-mask 0x05 --hmark-rnd 0x00000004 --hmark-mod 42 --hmark-offset 1 --hmark-tuple ct",
        ]);
        prints_as(
            "-j HMARK --hmark-tuple src,dport --hmark-mod 9 --hmark-rnd 1",
            "-j HMARK --hmark-src-prefix 32 --hmark-dport-mask 0xffff --hmark-rnd 0x00000001 --hmark-mod 9",
        );
        is_refused(&[
            "-j HMARK",
            "-j HMARK --hmark-rnd 1 --hmark-mod 0",
            "-j HMARK --hmark-rnd 1 --hmark-mod 1 --hmark-spi 1 --hmark-sport 1",
        ]);
    }
}
