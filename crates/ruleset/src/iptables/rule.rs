//! Rules: a head, matches and a target; and what every extension has in common.

use std::fmt;

use serde::{Serialize, Serializer};

use super::head::{Address, Criterion};
use super::matches::Match;
use super::name::ChainName;
use super::ruleset::Family;
use super::targets::Action;
use super::word::Word;
use crate::ir::{Dialect, Opaque};

/// A rule, in the order in which iptables-save prints it.
///
/// Counters are no part of it: they are in [`super::Line::Rule`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// The source address (`-s`).
    pub source: Option<Criterion<Address>>,
    /// The destination address (`-d`).
    pub destination: Option<Criterion<Address>>,
    /// The incoming interface, or the start of its name and `+` (`-i`).
    pub in_interface: Option<Criterion<String>>,
    /// The outgoing interface, or the start of its name and `+` (`-o`).
    pub out_interface: Option<Criterion<String>>,
    /// The protocol above IP, by name or number (`-p`).
    pub protocol: Option<Criterion<String>>,
    /// Whether it must be a second or later fragment (`-f`), or must not.
    pub fragment: Option<bool>,
    /// What else it must be, first to last.
    pub matches: Vec<Match>,
    /// What becomes of it. Without one, the rule only counts.
    pub target: Option<Target>,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// It passes the built-in chain.
    Accept,
    /// It is lost.
    Drop,
    /// Back to the rule after the jump; in a built-in chain, its policy.
    Return,
    /// That chain, and back here when it ends. Also an extension without options: a text does not tell.
    Jump(ChainName),
    /// That chain, and not back.
    Goto(ChainName),
    /// An extension with options.
    Action(Action),
}

impl Target {
    /// The chain it leads to.
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
            _ => None,
        }
    }
}

impl Rule {
    /// A rule for all packets.
    pub fn to(target: impl Into<Target>) -> Self {
        Self { target: Some(target.into()), ..Self::default() }
    }

    /// The same for packets that also match that, after what it matches already.
    #[must_use]
    pub fn matching(mut self, criterion: impl Into<Match>) -> Self {
        self.matches.push(criterion.into());
        self
    }

    /// The chain its target leads to.
    pub fn chain(&self) -> Option<&ChainName> {
        self.target.as_ref().and_then(Target::chain)
    }

    /// What it prints as after `-A chain`: every part with a space before it.
    pub(super) fn body(&self) -> Body<'_> {
        Body(self)
    }
}

impl From<Action> for Target {
    fn from(action: Action) -> Self {
        Self::Action(action)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("-j ACCEPT"),
            Self::Drop => f.write_str("-j DROP"),
            Self::Return => f.write_str("-j RETURN"),
            Self::Jump(chain) => write!(f, "-j {chain}"),
            Self::Goto(chain) => write!(f, "-g {chain}"),
            Self::Action(action) => write!(f, "{action}"),
        }
    }
}

/// A rule as it stands after `-A chain`.
pub(super) struct Body<'a>(&'a Rule);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.0;
        for (option, address) in [("-s", &rule.source), ("-d", &rule.destination)] {
            if let Some(address) = address.as_ref().filter(|a| a.inverted || !a.value.is_everything()) {
                address.print(f, option)?;
            }
        }
        for (option, text) in [("-i", &rule.in_interface), ("-o", &rule.out_interface), ("-p", &rule.protocol)] {
            if let Some(text) = text {
                text.print(f, option)?;
            }
        }
        if let Some(fragment) = rule.fragment {
            f.write_str(if fragment { " -f" } else { " ! -f" })?;
        }
        for criterion in &rule.matches {
            write!(f, " {criterion}")?;
        }
        rule.target.iter().try_for_each(|target| write!(f, " {target}"))
    }
}

/// The rule as iptables-save prints it, without `-A chain`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body().to_string().trim_start_matches(' '))
    }
}

/// Its text.
impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A match or target: its name, and how its options are read. Its `Display` prints the options, each with a space
/// before it.
pub(super) trait Extension: Sized + fmt::Display {
    /// The name after `-m` or `-j`.
    const NAME: &'static str;

    /// Reads its options. `None` where there is one that it does not know; a caller checks that none is left.
    fn parse(options: &mut Options<'_>) -> Option<Self>;
}

/// The options of one extension, read from first to last.
pub(super) struct Options<'a> {
    words: &'a [Word<'a>],
    family: Family,
}

impl<'a> Options<'a> {
    pub(super) fn new(words: &'a [Word<'a>], family: Family) -> Self {
        Self { words, family }
    }

    /// The next option and whether `!` stands before it.
    pub(super) fn option(&mut self) -> Option<(bool, &'a str)> {
        let inverted = self.words.first().is_some_and(|word| !word.quoted && word.value == "!");
        let option = self.words.get(usize::from(inverted)).filter(|word| !word.quoted)?;
        self.words = &self.words[usize::from(inverted) + 1..];
        Some((inverted, &option.value))
    }

    /// The next word, as the value of the last option.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let (value, rest) = self.words.split_first()?;
        self.words = rest;
        Some(&value.value)
    }

    /// iptables or ip6tables.
    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// An extension, if it knows every option.
    pub(super) fn whole<E: Extension>(mut self) -> Option<E> {
        E::parse(&mut self).filter(|_| self.words.is_empty())
    }
}

/// A mark under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskedMark {
    /// The bits.
    pub value: u32,
    /// Which of them count.
    pub mask: u32,
}

impl MaskedMark {
    /// `0x1/0xff`, or `0x1` for all bits; numbers in hexadecimal, decimal or, with a leading zero, octal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        Some(Self { value: number(value)?, mask: mask.map_or(Some(u32::MAX), number)? })
    }
}

/// A number as `strtoul` reads it in base 0.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    digits.starts_with(|c: char| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok())?
}

/// A part that is not understood, verbatim.
pub(super) fn opaque(text: &str) -> Opaque {
    Opaque { dialect: Dialect::Iptables, text: text.to_owned() }
}

/// Makes the enum of all matches or targets: one variant per extension, of the type of the same name.
macro_rules! extensions {
    ($(#[$doc:meta])* $kind:ident { $($(#[$vdoc:meta])* $name:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $kind {
            $($(#[$vdoc])* $name($name),)*
            /// What we do not understand.
            Opaque($crate::ir::Opaque),
        }

        impl $kind {
            /// The extension of that name, if we know it and all of its options.
            pub(super) fn parse(name: &str, options: $crate::iptables::rule::Options<'_>) -> Option<Self> {
                use $crate::iptables::rule::Extension;
                match name {
                    $(<$name>::NAME => options.whole().map(Self::$name),)*
                    _ => None,
                }
            }
        }

        /// As iptables-save prints it, from `-m` or `-j` on.
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::iptables::rule::Extension;
                match self {
                    $(Self::$name(extension) => {
                        write!(f, concat!($crate::iptables::rule::flag!($kind), " {}{}"), <$name>::NAME, extension)
                    })*
                    Self::Opaque(opaque) => f.write_str(&opaque.text),
                }
            }
        }

        $(impl From<$name> for $kind {
            fn from(extension: $name) -> Self {
                Self::$name(extension)
            }
        })*
    };
}

macro_rules! flag {
    (Match) => {
        "-m"
    };
    (Action) => {
        "-j"
    };
}

pub(super) use {extensions, flag};

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::iptables::parse::rule;

    /// The rule of that text.
    pub(in crate::iptables) fn parsed(text: &str, family: Family) -> Rule {
        rule(text, family).unwrap_or_else(|problem| panic!("{text}: {}", problem.message))
    }

    fn holds_opaque(rule: &Rule) -> bool {
        rule.matches.iter().any(|m| matches!(m, Match::Opaque(_)))
            || matches!(rule.target, Some(Target::Action(Action::Opaque(_))))
    }

    /// Each text is typed, and prints as itself.
    #[track_caller]
    pub(in crate::iptables) fn round_trips(texts: &[&str]) {
        texts.iter().for_each(|text| prints_as(text, text));
    }

    /// The text is typed, and prints as that.
    #[track_caller]
    pub(in crate::iptables) fn prints_as(text: &str, printed: &str) {
        let rule = parsed(text, Family::Ip);
        assert!(!holds_opaque(&rule), "{text} is opaque");
        assert_eq!(rule.to_string(), printed);
        assert_eq!(parsed(printed, Family::Ip), rule, "{printed} is read back");
    }

    /// Each text is not typed, and prints as itself.
    #[track_caller]
    pub(in crate::iptables) fn is_opaque(texts: &[&str]) {
        for text in texts {
            let rule = parsed(text, Family::Ip);
            assert!(holds_opaque(&rule), "{text} is typed: {rule:?}");
            assert_eq!(rule.to_string(), *text);
        }
    }

    #[test]
    fn heads_print_in_the_order_of_iptables_save() {
        round_trips(&[
            "",
            "-s 10.0.0.0/8 ! -d 10.0.0.1/32 -i eth+ ! -o lo -p tcp -f -m tcp --dport 80 -j ACCEPT",
            "! -s 0.0.0.0/0 ! -f -g NEXT",
        ]);
        prints_as(
            "--jump DROP -p tcp --destination-port 80 ! --src 10.1.2.3/255.0.0.0 -d 10.9.9.9",
            "! -s 10.0.0.0/8 -d 10.9.9.9/32 -p tcp -m tcp --dport 80 -j DROP",
        );
        prints_as("-s 0.0.0.0/0 -j RETURN", "-j RETURN");
    }

    #[test]
    fn unknown_extensions_stay_verbatim_beside_known_ones() {
        is_opaque(&[
            "-p tcp -m odd --x  \"a  b\" ! --y -m tcp --dport 80 -j ACCEPT",
            "-m tcp --dport 80 -j NFLOG --nflog-group 1",
            "-m comment --comment \"-j DROP\" -m odd -j ACCEPT",
        ]);
    }
}
