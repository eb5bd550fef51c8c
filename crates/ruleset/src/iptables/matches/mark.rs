//! `-m mark` (extensions/libxt_mark.c, `mark_mt_save`).

use std::fmt;

use super::super::head::Criterion;
use super::super::rule::{Extension, MaskedMark, Options};

/// What the packet mark must be under a mask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The value and its mask.
    pub mark: Criterion<MaskedMark>,
}

impl Extension for Mark {
    const NAME: &'static str = "mark";

    fn parse(options: &mut Options<'_>) -> Option<Self> {
        let (inverted, "--mark") = options.option()? else { return None };
        let value = MaskedMark::parse(options.value()?)?;
        Some(Self { mark: Criterion { inverted, value } })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MaskedMark { value, mask } = self.mark.value;
        write!(f, "{}--mark {value:#x}", self.mark.lead())?;
        if mask == u32::MAX { Ok(()) } else { write!(f, "/{mask:#x}") }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_opaque, prints_as, round_trips};

    #[test]
    fn marks_round_trip() {
        round_trips(&["-m mark --mark 0x4000/0x4000", "-m mark ! --mark 0x0/0xff", "-m mark --mark 0x1"]);
        prints_as("-m mark --mark 16/0xff", "-m mark --mark 0x10/0xff");
        prints_as("-m mark --mark 1/0xffffffff", "-m mark --mark 0x1");
        is_opaque(&["-m mark --mark x", "-m mark --mark 0x100000000", "-m mark"]);
    }
}
