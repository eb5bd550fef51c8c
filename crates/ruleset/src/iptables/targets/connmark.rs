//! `-j CONNMARK` (extensions/libxt_CONNMARK.c, `connmark_tg_save_v2`).

use std::fmt;

use super::super::extension::{Extension, Given, Opt};
use super::super::problem::Problem;
use super::super::value::{MaskedMark, Within};
use super::mark::xmark;

/// By how many bits a mark is shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shift {
    /// To the left.
    Left(u8),
    /// To the right.
    Right(u8),
}

/// The mark of the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connmark {
    /// Sets it: clears the bits of the mask, then flips those of the value.
    Set {
        /// The value and its mask.
        xmark: MaskedMark,
        /// Then shifts it.
        shift: Option<Shift>,
    },
    /// Sets it to the packet's.
    Save {
        /// The bits of the packet's mark that count.
        packet_mask: u32,
        /// The bits of the connection's mark that are replaced.
        connection_mask: u32,
        /// Shifts it on the way.
        shift: Option<Shift>,
    },
    /// Sets the packet's mark to it.
    Restore {
        /// The bits of the packet's mark that are replaced.
        packet_mask: u32,
        /// The bits of the connection's mark that count.
        connection_mask: u32,
        /// Shifts it on the way.
        shift: Option<Shift>,
    },
}

impl Extension for Connmark {
    const NAMES: &'static [&'static str] = &["CONNMARK"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--set-xmark"]),
        Opt::word(&["--set-mark"]),
        Opt::word(&["--and-mark"]),
        Opt::word(&["--or-mark"]),
        Opt::word(&["--xor-mark"]),
        Opt::flag(&["--save-mark"]),
        Opt::flag(&["--restore-mark"]),
        Opt::word(&["--mask"]),
        Opt::word(&["--nfmask"]),
        Opt::word(&["--ctmask"]),
        Opt::word(&["--left-shift-mark"]),
        Opt::word(&["--right-shift-mark"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let operation = given.exactly_one_of(&[0, 1, 2, 3, 4, 5, 6])?;
        let shift = match given.one_of(&[10, 11])? {
            None => None,
            Some(option) => {
                let bits: Within<0, 31> = option.read(given.context)?;
                Some(if option.option == 10 { Shift::Left(bits.0 as u8) } else { Shift::Right(bits.0 as u8) })
            }
        };
        let masks = given.one_of(&[7, 8])?.or(given.one_of(&[7, 9])?);
        if operation.option < 5 {
            return match masks {
                Some(option) => Err(Problem::at(option.word, "only `--save-mark` and `--restore-mark` have masks")),
                None => xmark(operation, given).map(|xmark| Self::Set { xmark, shift }),
            };
        }
        let mask = given.value(7)?.unwrap_or(u32::MAX);
        let packet_mask = given.value(8)?.unwrap_or(mask);
        let connection_mask = given.value(9)?.unwrap_or(mask);
        Ok(match operation.option {
            5 => Self::Save { packet_mask, connection_mask, shift },
            _ => Self::Restore { packet_mask, connection_mask, shift },
        })
    }
}

impl fmt::Display for Connmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shift = match self {
            Self::Set { xmark, shift } => {
                write!(f, " --set-xmark {:#x}/{:#x}", xmark.value, xmark.mask)?;
                shift
            }
            Self::Save { packet_mask, connection_mask, shift } => {
                write!(f, " --save-mark --nfmask {packet_mask:#x} --ctmask {connection_mask:#x}")?;
                shift
            }
            Self::Restore { packet_mask, connection_mask, shift } => {
                write!(f, " --restore-mark --nfmask {packet_mask:#x} --ctmask {connection_mask:#x}")?;
                shift
            }
        };
        match shift {
            Some(Shift::Left(bits)) => write!(f, " --left-shift-mark {bits}"),
            Some(Shift::Right(bits)) => write!(f, " --right-shift-mark {bits}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-j CONNMARK --set-xmark 0x5/0x7",
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf",
            "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff --left-shift-mark 3",
        ]);
        prints_as("-j CONNMARK --save-mark", "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff");
        prints_as("-j CONNMARK --and-mark 3", "-j CONNMARK --set-xmark 0x0/0xfffffffc");
        is_refused(&["-j CONNMARK", "-j CONNMARK --set-mark 1 --save-mark", "-j CONNMARK --set-mark 1 --mask 1"]);
    }
}
