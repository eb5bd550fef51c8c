//! `-m dst` (extensions/libip6t_dst.c).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;
use super::super::ruleset::Family;
use super::super::value::number_in;

/// Types of options, each with the length of its data if that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionTypes(pub Vec<(u8, Option<u8>)>);

impl OptionTypes {
    /// How many there may be (`IP6T_OPTS_OPTSNR`, linux/netfilter_ipv6/ip6t_opts.h).
    pub const MAX: usize = 16;
}

impl Value for OptionTypes {
    const EXPECTED: &'static str = "up to 16 types as `12,149:92`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let byte = |text: &str| number_in(text, 0..=255).map(|byte| byte as u8);
        let option = |text: &str| match text.split_once(':') {
            Some((kind, length)) => Some((byte(kind)?, Some(byte(length)?))),
            None => Some((byte(text)?, None)),
        };
        let options = word.split(',').map(option).collect::<Option<Vec<_>>>()?;
        (options.len() <= Self::MAX).then_some(Self(options))
    }
}

impl fmt::Display for OptionTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, length)) in self.0.iter().enumerate() {
            write!(f, "{}{kind}", if index == 0 { "" } else { "," })?;
            length.iter().try_for_each(|length| write!(f, ":{length}"))?;
        }
        Ok(())
    }
}

extension! {
    /// What the header of destination options must be.
    Dst, "dst", Only::ANYWHERE.family(Family::Ip6);
    /// How long it is.
    length: Option<Criterion<u32>>, "--dst-len";
    /// The options it must have.
    options: Option<OptionTypes>, "--dst-opts";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips_6};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips_6(&["-m dst --dst-len 8 --dst-opts 149:92,12,1:0", "-m dst ! --dst-len 5", "-m dst"]);
        is_refused(&["-m dst --dst-opts 256", "-m dst --dst-len x"]);
    }
}
