//! Rules: a head, matches and a target.

use std::fmt;

use serde::{Serialize, Serializer};

use super::head::{Address, Criterion, Interface};
use super::matches::Match;
use super::name::ChainName;
use super::protocol::Protocol;
use super::targets::Action;
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
    pub in_interface: Option<Criterion<Interface>>,
    /// The outgoing interface, or the start of its name and `+` (`-o`).
    pub out_interface: Option<Criterion<Interface>>,
    /// The protocol above IP (`-p`).
    pub protocol: Option<Criterion<Protocol>>,
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
    /// That chain, and back here when it ends. Also a target that we do not know, without options: a text does not
    /// tell.
    Jump(ChainName),
    /// That chain, and not back.
    Goto(ChainName),
    /// An extension.
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
        for (option, interface) in [("-i", &rule.in_interface), ("-o", &rule.out_interface)] {
            if let Some(interface) = interface {
                interface.print(f, option)?;
            }
        }
        if let Some(protocol) = &rule.protocol {
            protocol.print(f, "-p")?;
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

/// A part that is not understood, verbatim.
pub(super) fn opaque(text: &str) -> Opaque {
    Opaque { dialect: Dialect::Iptables, text: text.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::iptables::Family;
    use crate::iptables::parse::rule;
    use crate::iptables::problem::Problem;

    /// The rule of that text.
    #[track_caller]
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
        for text in texts {
            prints_as(text, text);
        }
    }

    /// The same in ip6tables.
    #[track_caller]
    pub(in crate::iptables) fn round_trips_6(texts: &[&str]) {
        for text in texts {
            prints(text, text, Family::Ip6);
        }
    }

    /// The text is typed, and prints as that.
    #[track_caller]
    pub(in crate::iptables) fn prints_as(text: &str, printed: &str) {
        prints(text, printed, Family::Ip);
    }

    /// The text is typed, and prints as that.
    #[track_caller]
    pub(in crate::iptables) fn prints(text: &str, printed: &str, family: Family) {
        let rule = parsed(text, family);
        assert!(!holds_opaque(&rule), "{text} is opaque");
        assert_eq!(rule.to_string(), printed);
        assert_eq!(parsed(printed, family), rule, "{printed} is read back");
    }

    /// Each text is refused, at the words that are given, with that message and what was expected.
    #[track_caller]
    pub(in crate::iptables) fn refuses(cases: &[(&str, &str, &str)]) {
        for (text, at, message) in cases {
            let problem: Problem = rule(text, Family::Ip).map(|rule| panic!("{text} is taken: {rule}")).unwrap_err();
            let said = match &problem.expected {
                Some(expected) => format!("{}, expected {expected}", problem.message),
                None => problem.message.clone(),
            };
            assert_eq!((&text[problem.start..problem.end], said.as_str()), (*at, *message), "{text}");
        }
    }

    /// Each text is refused, in iptables and in ip6tables.
    #[track_caller]
    pub(in crate::iptables) fn is_refused(texts: &[&str]) {
        for text in texts {
            for family in [Family::Ip, Family::Ip6] {
                assert!(rule(text, family).is_err(), "{text} is taken in {family:?}");
            }
        }
    }

    /// Each text is not typed, and prints as itself.
    #[track_caller]
    fn is_opaque(texts: &[&str]) {
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
        prints_as("-s 0.0.0.0/0 -p all -i + -j RETURN", "-j RETURN");
    }

    #[test]
    fn old_spellings_and_shortened_names_are_read() {
        prints_as("-s ! 10.0.0.1 -p ! tcp -i ! lo", "! -s 10.0.0.1/32 ! -i lo ! -p tcp");
        prints_as("-p tcp --dport ! 80", "-p tcp -m tcp ! --dport 80");
        prints_as("--proto tcp --dpo=80", "-p tcp -m tcp --dport 80");
    }

    #[test]
    fn an_option_belongs_to_whatever_loaded_match_knows_it() {
        prints_as(
            "-p tcp -m mark -m conntrack --dport 80 --mark 1 -j DROP --ctstate NEW",
            "-p tcp -m mark --mark 0x1 -m conntrack --ctstate NEW -m tcp --dport 80 -j DROP",
        );
    }

    #[test]
    fn what_iptables_refuses_is_located() {
        refuses(&[
            ("-p tcp --dprt 80", "--dprt", "unknown option `--dprt`, expected `--dport`"),
            ("-p tpc", "tpc", "unknown protocol `tpc`, expected `tcp`"),
            (
                "-s example.org",
                "example.org",
                "`example.org` is no address, expected an IPv4 address or network; names of hosts are not looked up",
            ),
            ("-j ACCEPT -j DROP", "-j", "a rule has one target"),
            ("! -j ACCEPT", "-j", "`-j` cannot be inverted"),
            ("-s 10.0.0.1 -s 10.0.0.2", "-s", "`-s` is given twice"),
            ("-i lo x", "x", "`x` is no option, expected an option"),
            ("-p", "", "the value of `-p` is missing"),
            ("-m mark --mark 1 --mark 2", "--mark", "`--mark` is given twice"),
            ("-m mark", "-m mark", "`mark` needs --mark"),
            ("-m mark --mark x", "x", "`x` does not fit `--mark`, expected a mark as `0x1` or `0x1/0xff`"),
            ("-m tcp --dport 80", "-m tcp", "`tcp` cannot be used here: it needs -p tcp"),
        ]);
    }

    #[test]
    fn unknown_extensions_stay_verbatim_beside_known_ones() {
        is_opaque(&[
            "-p tcp -m odd --x  \"a  b\" ! --y -m tcp --dport 80 -j ACCEPT",
            "-p tcp -m tcp --dport 80 -j ODD --odd-group 1",
            "-m comment --comment \"-j DROP\" -m odd -j ACCEPT",
        ]);
    }
}
