//! `-j MARK` (extensions/libxt_MARK.c, `mark_tg_save`).

use std::fmt;

use super::super::extension::{Extension, Given, GivenOption, Opt};
use super::super::problem::Problem;
use super::super::value::MaskedMark;

/// Sets the packet mark: clears the bits of the mask, then flips those of the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The value and its mask.
    pub xmark: MaskedMark,
}

impl Mark {
    /// Sets these bits, and leaves the others.
    pub fn or(bits: u32) -> Self {
        Self { xmark: MaskedMark { value: bits, mask: bits } }
    }

    /// Flips these bits, and leaves the others.
    pub fn xor(bits: u32) -> Self {
        Self { xmark: MaskedMark { value: bits, mask: 0 } }
    }
}

impl Extension for Mark {
    const NAMES: &'static [&'static str] = &["MARK"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--set-xmark"]),
        Opt::word(&["--set-mark"]),
        Opt::word(&["--and-mark"]),
        Opt::word(&["--or-mark"]),
        Opt::word(&["--xor-mark"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        xmark(given.exactly_one_of(&[0, 1, 2, 3, 4])?, given).map(|xmark| Self { xmark })
    }
}

/// What the option stands for, which is one of `--set-xmark`, `--set-mark`, `--and-mark`, `--or-mark` and `--xor-mark`,
/// in this order from 0.
pub(super) fn xmark(option: &GivenOption<'_>, given: &Given<'_, '_>) -> Result<MaskedMark, Problem> {
    if option.option < 2 {
        let mark: MaskedMark = option.read(given.context)?;
        return Ok(MaskedMark { mask: if option.option == 1 { mark.mask | mark.value } else { mark.mask }, ..mark });
    }
    let bits: u32 = option.read(given.context)?;
    Ok(match option.option {
        2 => MaskedMark { value: 0, mask: !bits },
        3 => Mark::or(bits).xmark,
        _ => Mark::xor(bits).xmark,
    })
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --set-xmark {:#x}/{:#x}", self.xmark.value, self.xmark.mask)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn marks_print_as_iptables_save_does() {
        round_trips(&["-j MARK --set-xmark 0x4000/0x4000", "-j MARK --set-xmark 0x4000/0x0"]);
        for (written, printed) in [
            ("--or-mark 0x4000", "0x4000/0x4000"),
            ("--xor-mark 0x4000", "0x4000/0x0"),
            ("--and-mark 0xff", "0x0/0xffffff00"),
            ("--set-mark 1", "0x1/0xffffffff"),
            ("--set-mark 0x6/0x3", "0x6/0x7"),
            ("--set-xmark 0x6/0x3", "0x6/0x3"),
        ] {
            prints_as(&format!("-j MARK {written}"), &format!("-j MARK --set-xmark {printed}"));
        }
        is_refused(&["-j MARK --or-mark 1/2", "-j MARK --set-mark x", "-j MARK", "-j MARK --or-mark 1 --xor-mark 2"]);
    }
}
