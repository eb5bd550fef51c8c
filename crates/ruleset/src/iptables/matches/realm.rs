//! `-m realm` (extensions/libipt_realm.c, `realm_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;
use super::super::ruleset::Family;
use super::super::value::MaskedMark;

extension! {
    /// The realm of the route to where a packet came from or goes to.
    Realm, "realm", Only::ANYWHERE.family(Family::Ip);
    /// Its number under a mask.
    realm: Criterion<RealmValue>, "--realm";
}

/// A realm under a mask. Without a mask, 0 has the name `cosmos`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RealmValue(pub MaskedMark);

impl Value for RealmValue {
    const EXPECTED: &'static str = "a realm as `0x1` or `0x1/0xff`";

    fn read([word, _]: &[&str; 2], context: &Context<'_>) -> Option<Self> {
        match *word {
            "cosmos" => Some(Self(MaskedMark { value: 0, mask: u32::MAX })),
            _ => MaskedMark::read(&[word, ""], context).map(Self),
        }
    }
}

impl fmt::Display for RealmValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MaskedMark { value: 0, mask: u32::MAX } => f.write_str("cosmos"),
            mark => mark.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m realm --realm 0x1", "-m realm ! --realm 0x1/0xf", "-m realm --realm cosmos"]);
        is_refused(&["-m realm", "-m realm --realm x"]);
    }
}
