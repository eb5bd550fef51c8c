//! `-j MARK` (extensions/libxt_MARK.c, `mark_tg_save`).

use std::fmt;

use super::super::rule::{Extension, MaskedMark, Options};

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
    const NAME: &'static str = "MARK";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let (false, option) = options.option()? else { return None };
        let mark = MaskedMark::parse(options.value()?)?;
        let bits = (mark.mask == u32::MAX).then_some(mark.value);
        Some(match option {
            "--set-xmark" => Self { xmark: mark },
            "--set-mark" => Self { xmark: MaskedMark { mask: mark.value | mark.mask, ..mark } },
            "--or-mark" => Self::or(bits?),
            "--xor-mark" => Self::xor(bits?),
            "--and-mark" => Self { xmark: MaskedMark { value: 0, mask: !bits? } },
            _ => return None,
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --set-xmark {:#x}/{:#x}", self.xmark.value, self.xmark.mask)
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

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
        is_opaque(&["-j MARK --or-mark 1/2", "-j MARK --set-mark x"]);
    }
}
