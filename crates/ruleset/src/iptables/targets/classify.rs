//! `-j CLASSIFY` (extensions/libxt_CLASSIFY.c).

use std::fmt;

use super::super::extension::{Context, Value, extension};

/// A class of traffic control, in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId {
    /// The number of the queueing discipline.
    pub major: u16,
    /// The number of the class there.
    pub minor: u16,
}

impl Value for ClassId {
    const EXPECTED: &'static str = "a class as `1:ff`, in hexadecimal digits";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let (major, minor) = word.split_once(':')?;
        let read = |text: &str| {
            let text = text.strip_prefix("0x").unwrap_or(text);
            let digits = text.starts_with(|c: char| c.is_ascii_hexdigit());
            digits.then(|| u16::from_str_radix(text, 16).ok())?
        };
        Some(Self { major: read(major)?, minor: read(minor)? })
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.major, self.minor)
    }
}

extension! {
    /// Puts a packet into a class of traffic control.
    Classify, "CLASSIFY";
    /// The class.
    class: ClassId, "--set-class";
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-j CLASSIFY --set-class 0000:ffff"]);
        prints_as("-j CLASSIFY --set-class a:ff", "-j CLASSIFY --set-class 000a:00ff");
        is_refused(&["-j CLASSIFY", "-j CLASSIFY --set-class 1", "-j CLASSIFY --set-class x:1"]);
    }
}
