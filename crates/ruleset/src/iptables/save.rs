//! Texts of iptables-save and iptables-restore, line by line.

use std::fmt;

use super::name::ChainName;
use super::rule::Rule;
use super::ruleset::{IptablesRuleset, Policy, TableName};

/// Packets and bytes: `[packets:bytes]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// `[packets:bytes]`.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.packets, self.bytes)
    }
}

/// What a line does with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `-A`: a rule at the end.
    Append {
        /// The chain.
        chain: ChainName,
        /// The rule.
        rule: Rule,
    },
    /// `-I`: a rule at a place.
    Insert {
        /// The chain.
        chain: ChainName,
        /// Its place afterwards, from 1.
        at: usize,
        /// The rule.
        rule: Rule,
    },
    /// `-D`: the first rule that is equal.
    Delete {
        /// The chain.
        chain: ChainName,
        /// The rule.
        rule: Rule,
    },
    /// `-D`: the rule at a place.
    DeleteAt {
        /// The chain.
        chain: ChainName,
        /// Its place, from 1.
        at: usize,
    },
    /// `-R`: another rule at a place.
    Replace {
        /// The chain.
        chain: ChainName,
        /// Its place, from 1.
        at: usize,
        /// The rule.
        rule: Rule,
    },
    /// `-C`: asks whether a rule is there.
    Check {
        /// The chain.
        chain: ChainName,
        /// The rule.
        rule: Rule,
    },
    /// `-N`: a chain that is not there yet.
    NewChain {
        /// The chain.
        chain: ChainName,
    },
    /// `-X`: a chain without rules that nothing jumps to, or all of these.
    DeleteChain {
        /// The chain; `None` for all that are not built in.
        chain: Option<ChainName>,
    },
    /// `-F`: the rules of a chain, or of all.
    Flush {
        /// The chain; `None` for all.
        chain: Option<ChainName>,
    },
    /// `-Z`: counters at nought.
    Zero {
        /// The chain; `None` for all.
        chain: Option<ChainName>,
        /// The rule, from 1; `None` for all.
        at: Option<usize>,
    },
    /// `-P`: what becomes of the rest in a built-in chain.
    Policy {
        /// The chain.
        chain: ChainName,
        /// Its policy.
        policy: Policy,
    },
    /// `-E`: another name for a chain.
    Rename {
        /// The chain.
        chain: ChainName,
        /// Its new name.
        to: ChainName,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { chain, rule } => write!(f, "-A {chain}{}", rule.body()),
            Self::Insert { chain, at, rule } => write!(f, "-I {chain} {at}{}", rule.body()),
            Self::Delete { chain, rule } => write!(f, "-D {chain}{}", rule.body()),
            Self::DeleteAt { chain, at } => write!(f, "-D {chain} {at}"),
            Self::Replace { chain, at, rule } => write!(f, "-R {chain} {at}{}", rule.body()),
            Self::Check { chain, rule } => write!(f, "-C {chain}{}", rule.body()),
            Self::NewChain { chain } => write!(f, "-N {chain}"),
            Self::DeleteChain { chain } => print_for(f, "-X", chain.as_ref()),
            Self::Flush { chain } => print_for(f, "-F", chain.as_ref()),
            Self::Zero { chain, at } => {
                print_for(f, "-Z", chain.as_ref())?;
                at.iter().try_for_each(|at| write!(f, " {at}"))
            }
            Self::Policy { chain, policy } => write!(f, "-P {chain} {}", policy.keyword()),
            Self::Rename { chain, to } => write!(f, "-E {chain} {to}"),
        }
    }
}

fn print_for(f: &mut fmt::Formatter<'_>, option: &str, chain: Option<&ChainName>) -> fmt::Result {
    f.write_str(option)?;
    chain.iter().try_for_each(|chain| write!(f, " {chain}"))
}

/// A line of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all lines are rules")]
#[non_exhaustive]
pub enum Line {
    /// A comment or an empty line, verbatim.
    Note(String),
    /// `*table`: what follows is about that table.
    Table(TableName),
    /// `:CHAIN POLICY [packets:bytes]`.
    Chain {
        /// The chain.
        chain: ChainName,
        /// Its policy; `None` (`-`) for a chain that is not built in.
        policy: Option<Policy>,
        /// What passed through a built-in chain.
        counters: Option<Counters>,
    },
    /// A command, with what passed the rule so far.
    Rule {
        /// What passed.
        counters: Option<Counters>,
        /// The command.
        command: Command,
    },
    /// `COMMIT`: what was said of the table happens now.
    Commit,
    /// What we do not understand, verbatim.
    Opaque(String),
}

impl From<Command> for Line {
    fn from(command: Command) -> Self {
        Self::Rule { counters: None, command }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) | Self::Opaque(text) => f.write_str(text),
            Self::Table(table) => write!(f, "*{table}"),
            Self::Chain { chain, policy, counters } => {
                write!(f, ":{chain} {}", policy.map_or("-", Policy::keyword))?;
                counters.iter().try_for_each(|counters| write!(f, " {counters}"))
            }
            Self::Rule { counters, command } => {
                counters.iter().try_for_each(|counters| write!(f, "{counters} "))?;
                write!(f, "{command}")
            }
            Self::Commit => f.write_str("COMMIT"),
        }
    }
}

/// A text of iptables-save, or one for iptables-restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaveText {
    /// Its lines.
    pub lines: Vec<Line>,
}

impl SaveText {
    /// What a dump of iptables-save says.
    ///
    /// A line that cannot be run (a rule for a chain that is not declared) is skipped, as are those that are not
    /// understood.
    pub fn ruleset(&self) -> IptablesRuleset {
        IptablesRuleset::of_dump(self)
    }
}

/// Every line with its end, as iptables-restore takes it.
impl fmt::Display for SaveText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The text of iptables-save, without the comments that tell the time: tables in the order of the enum, chains in the
/// order of their declaration. A built-in chain without a policy is not declared: its policy is another owner's.
impl From<&IptablesRuleset> for SaveText {
    fn from(ruleset: &IptablesRuleset) -> Self {
        let mut lines = Vec::new();
        for (name, table) in &ruleset.tables {
            lines.push(Line::Table(*name));
            let declared = table.chains.iter().filter(|(name, chain)| chain.policy.is_some() || !name.is_built_in());
            lines.extend(declared.map(|(name, chain)| Line::declare(name, chain.policy)));
            for (name, chain) in &table.chains {
                let append = |rule: &Rule| Command::Append { chain: name.clone(), rule: rule.clone() }.into();
                lines.extend(chain.rules.iter().map(append));
            }
            lines.push(Line::Commit);
        }
        Self { lines }
    }
}

impl Line {
    /// The rule it adds, puts somewhere or takes away.
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Self::Rule {
                command:
                    Command::Append { rule, .. }
                    | Command::Insert { rule, .. }
                    | Command::Delete { rule, .. }
                    | Command::Replace { rule, .. },
                ..
            } => Some(rule),
            _ => None,
        }
    }

    /// A declaration with counters at nought.
    pub(super) fn declare(chain: &ChainName, policy: Option<Policy>) -> Self {
        Self::Chain { chain: chain.clone(), policy, counters: Some(Counters::default()) }
    }
}
