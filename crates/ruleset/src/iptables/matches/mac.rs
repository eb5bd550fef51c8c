//! `-m mac` (extensions/libxt_mac.c, `mac_save`).

use std::fmt;

use super::super::extension::{Context, Only, Value, extension};
use super::super::head::Criterion;

/// An Ethernet address. Old versions wrote it in capitals; that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress {
    /// Its bytes.
    pub bytes: [u8; 6],
    /// Whether it is written in capitals.
    pub capitals: bool,
}

impl Value for MacAddress {
    const EXPECTED: &'static str = "an address as `02:00:5E:10:00:01`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = word.split(':');
        for byte in &mut bytes {
            let part = parts.next()?;
            let digits = (1..=2).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits)?;
        }
        let capitals = word.contains(|c: char| c.is_ascii_uppercase());
        parts.next().is_none().then_some(Self { bytes, capitals })
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            if self.capitals { write!(f, "{separator}{byte:02X}")? } else { write!(f, "{separator}{byte:02x}")? }
        }
        Ok(())
    }
}

extension! {
    /// Who sent a packet on an Ethernet.
    Mac, "mac", Only::ANYWHERE.chains(&["PREROUTING", "INPUT", "FORWARD"]);
    /// The address of the sender.
    source: Criterion<MacAddress>, "--mac-source";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m mac --mac-source 02:00:5E:10:00:01", "-m mac ! --mac-source FF:FF:FF:FF:FF:FF"]);
        prints_as("-m mac --mac-source 2:0:5e:10:0:1", "-m mac --mac-source 02:00:5e:10:00:01");
        is_refused(&["-m mac", "-m mac --mac-source 02:00:5E:10:00", "-m mac --mac-source x:00:5E:10:00:01"]);
    }
}
