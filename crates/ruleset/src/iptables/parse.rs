//! From text to lines.

use super::name::ChainName;
use super::parse_rule::{Place, RuleWords, rule_words};
use super::problem::Problem;
#[cfg(test)]
use super::rule::Rule;
use super::ruleset::{Family, Policy, TableName};
use super::save::{Command, Counters, Line, SaveText};
use super::word::{Word, words};
use crate::text::{ParseError, nearest};

/// What was understood of a text, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Every line, those with a problem as [`Line::Opaque`].
    pub text: SaveText,
    /// The problems, by line.
    pub problems: Vec<ParseError>,
}

/// Reads a text of iptables-save, or one for iptables-restore. `source_name` is what problems name it by.
///
/// Never fails: a line that iptables would refuse stays as it is, with a located problem. An extension that we do not
/// know is no problem; it stays verbatim in its rule. A line that iptables takes for several rules (`-s` with several
/// addresses) becomes several lines.
pub fn parse(source_name: &str, text: &str, family: Family) -> Parsed {
    let mut parsed = Parsed::default();
    let mut parser = LineParser { family, table: None };
    let mut lines = 0;
    for piece in text.split_inclusive('\n') {
        lines += 1;
        let content = piece.strip_suffix('\n').unwrap_or(piece);
        if let Err(problem) = parser.line(content, &mut parsed.text.lines) {
            // Located in its line, so that the text is not searched from its start for each of many problems.
            let mut error = ParseError::at(source_name, content, problem.start, problem.end, problem.message);
            error.line = lines;
            error.expected = problem.expected;
            parsed.problems.push(error);
            parsed.text.lines.push(Line::Opaque(content.to_owned()));
        }
    }
    parsed
}

/// A rule without `-A chain`.
#[cfg(test)]
pub(super) fn rule(text: &str, family: Family) -> Result<Rule, Problem> {
    let words = words(text)?;
    let rules = rule_words(text, &words, Place { family, table: None, chain: None })?.rules;
    Ok(rules.into_iter().next().expect("no other family is named"))
}

/// Reads line by line, and knows the table.
struct LineParser {
    family: Family,
    table: Option<TableName>,
}

impl LineParser {
    fn line(&mut self, text: &str, lines: &mut Vec<Line>) -> Result<(), Problem> {
        if text.starts_with('#') || text.trim().is_empty() {
            lines.push(Line::Note(text.to_owned()));
            return Ok(());
        }
        let words = words(text)?;
        let Some(first) = words.first() else {
            lines.push(Line::Note(text.to_owned()));
            return Ok(());
        };
        if let Some(name) = first.value.strip_prefix('*') {
            self.table = None;
            let table = TableName::from_keyword(name).ok_or_else(|| no_table(first, name))?;
            nothing_after(&words, 1)?;
            self.table = Some(table);
            lines.push(Line::Table(table));
        } else if let Some(name) = first.value.strip_prefix(':') {
            lines.push(declaration(text, first, name, &words)?);
        } else if first.value == "COMMIT" {
            nothing_after(&words, 1)?;
            self.table = None;
            lines.push(Line::Commit);
        } else {
            let counters = first.value.starts_with('[').then(|| counters(first)).transpose()?;
            let words = &words[usize::from(counters.is_some())..];
            CommandParser { text, words, family: self.family, table: self.table, counters }.run(lines)?;
        }
        Ok(())
    }
}

fn no_table(word: &Word<'_>, name: &str) -> Problem {
    let problem = Problem::at(word, format!("there is no table `{name}`"));
    match nearest(name, TableName::ALL.map(TableName::keyword)) {
        Some(known) => problem.expecting(format!("`*{known}`")),
        None => problem,
    }
}

fn nothing_after(words: &[Word<'_>], expected: usize) -> Result<(), Problem> {
    match words.get(expected) {
        Some(word) => Err(Problem::at(word, "nothing may follow here")),
        None => Ok(()),
    }
}

fn chain_name(word: &Word<'_>, name: &str) -> Result<ChainName, Problem> {
    ChainName::new(name).map_err(|error| Problem::at(word, error.to_string()))
}

/// `:CHAIN POLICY [packets:bytes]`, from the word that begins with the colon.
fn declaration(text: &str, first: &Word<'_>, name: &str, words: &[Word<'_>]) -> Result<Line, Problem> {
    let chain = chain_name(first, name)?;
    let word = words.get(1).ok_or_else(|| Problem::after(text, "the chain's policy is missing"))?;
    let policy = match word.value.as_ref() {
        "-" => None,
        _ => Some(policy(word)?),
    };
    if policy.is_some() && !chain.is_built_in() {
        return Err(Problem::at(word, "only a built-in chain has a policy").expecting("`-`"));
    }
    let counters = words.get(2).map(counters).transpose()?;
    nothing_after(words, 3)?;
    Ok(Line::Chain { chain, policy, counters })
}

fn policy(word: &Word<'_>) -> Result<Policy, Problem> {
    match word.value.as_ref() {
        "ACCEPT" => Ok(Policy::Accept),
        "DROP" => Ok(Policy::Drop),
        other => Err(Problem::at(word, format!("there is no policy `{other}`")).expecting("`ACCEPT` or `DROP`")),
    }
}

/// `[packets:bytes]`.
fn counters(word: &Word<'_>) -> Result<Counters, Problem> {
    let read = || {
        let (packets, bytes) = word.value.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
        Some(Counters { packets: packets.parse().ok()?, bytes: bytes.parse().ok()? })
    };
    read().ok_or_else(|| Problem::at(word, "counters must be written as `[packets:bytes]`"))
}

/// Every command of a line, by the option that is written first.
const COMMANDS: &[(&str, &str)] = &[
    ("-A", "--append"),
    ("-I", "--insert"),
    ("-D", "--delete"),
    ("-R", "--replace"),
    ("-C", "--check"),
    ("-N", "--new-chain"),
    ("-X", "--delete-chain"),
    ("-F", "--flush"),
    ("-Z", "--zero"),
    ("-P", "--policy"),
    ("-E", "--rename-chain"),
];

/// Reads a command and its rule.
struct CommandParser<'w> {
    text: &'w str,
    words: &'w [Word<'w>],
    family: Family,
    table: Option<TableName>,
    counters: Option<Counters>,
}

impl<'w> CommandParser<'w> {
    fn run(mut self, lines: &mut Vec<Line>) -> Result<(), Problem> {
        let mut words = self.words;
        // `-4` and `-6` may stand before the command; a line of the other family is not for us.
        while let Some((first, rest)) = words.split_first() {
            match first.value.as_ref() {
                "-4" | "--ipv4" if self.family == Family::Ip => words = rest,
                "-6" | "--ipv6" if self.family == Family::Ip6 => words = rest,
                "-4" | "-6" | "--ipv4" | "--ipv6" => {
                    lines.push(Line::Note(self.text.to_owned()));
                    return Ok(());
                }
                _ => break,
            }
        }
        self.words = words;
        let first = words.first().ok_or_else(|| Problem::after(self.text, "a command is missing"))?;
        let name = first.value.as_ref();
        let Some((short, _)) = COMMANDS.iter().find(|(short, long)| name == *short || name == *long) else {
            return Err(unknown_command(first));
        };
        let command = match *short {
            "-A" | "-I" | "-D" | "-R" | "-C" => return self.with_rule(short, lines),
            "-N" => Command::NewChain { chain: self.new_chain(1)? },
            "-X" => Command::DeleteChain { chain: self.optional_chain()? },
            "-F" => Command::Flush { chain: self.optional_chain()? },
            "-Z" => Command::Zero { chain: self.optional_chain()?, at: self.position(2) },
            "-P" => Command::Policy { chain: self.chain(1)?, policy: policy(self.word(2, "the policy")?)? },
            _ => Command::Rename { chain: self.chain(1)?, to: self.new_chain(2)? },
        };
        let used = match &command {
            Command::Zero { at: Some(_), .. } | Command::Policy { .. } | Command::Rename { .. } => 3,
            Command::DeleteChain { chain: None }
            | Command::Flush { chain: None }
            | Command::Zero { chain: None, .. } => 1,
            _ => 2,
        };
        nothing_after(self.words, used)?;
        lines.push(Line::Rule { counters: self.counters, command });
        Ok(())
    }

    fn word(&self, at: usize, what: &str) -> Result<&'w Word<'w>, Problem> {
        self.words.get(at).ok_or_else(|| Problem::after(self.text, format!("{what} is missing")))
    }

    fn chain(&self, at: usize) -> Result<ChainName, Problem> {
        let word = self.word(at, "a chain")?;
        chain_name(word, &word.value)
    }

    /// A chain that is made: its name is not one of a target.
    fn new_chain(&self, at: usize) -> Result<ChainName, Problem> {
        let chain = self.chain(at)?;
        match chain.as_str() {
            "ACCEPT" | "DROP" | "RETURN" | "QUEUE" => Err(Problem::at(
                self.word(at, "a chain")?,
                format!("`{chain}` is a target, so no chain can have its name"),
            )),
            _ => Ok(chain),
        }
    }

    fn optional_chain(&self) -> Result<Option<ChainName>, Problem> {
        if self.words.len() > 1 { self.chain(1).map(Some) } else { Ok(None) }
    }

    /// The number of a rule, from 1.
    fn position(&self, at: usize) -> Option<usize> {
        self.words.get(at).and_then(|word| word.value.parse().ok())
    }

    fn with_rule(self, short: &str, lines: &mut Vec<Line>) -> Result<(), Problem> {
        let chain = self.chain(1)?;
        let at = if short == "-A" { None } else { self.position(2) };
        if at == Some(0) {
            return Err(Problem::at(&self.words[2], "rules are counted from 1"));
        }
        if let ("-D", Some(at)) = (short, at) {
            nothing_after(self.words, 3)?;
            lines.push(Line::Rule { counters: self.counters, command: Command::DeleteAt { chain, at } });
            return Ok(());
        }
        let place = Place { family: self.family, table: self.table, chain: Some(&self.words[1].value) };
        let words = self.words.get(2 + usize::from(at.is_some())..).unwrap_or_default();
        let RuleWords { rules, counters } = rule_words(self.text, words, place)?;
        let counters = counters.or(self.counters);
        if rules.is_empty() {
            lines.push(Line::Note(self.text.to_owned()));
        }
        if short == "-R" && rules.len() > 1 {
            return Err(Problem::at(&self.words[0], "one rule cannot be replaced by several"));
        }
        let missing = || Problem::after(self.text, "the number of a rule is missing");
        for rule in rules {
            let chain = chain.clone();
            let command = match short {
                "-A" => Command::Append { chain, rule },
                "-I" => Command::Insert { chain, at: at.unwrap_or(1), rule },
                "-D" => Command::Delete { chain, rule },
                "-C" => Command::Check { chain, rule },
                _ => Command::Replace { chain, at: at.ok_or_else(missing)?, rule },
            };
            lines.push(Line::Rule { counters, command });
        }
        Ok(())
    }
}

fn unknown_command(word: &Word<'_>) -> Problem {
    let problem = Problem::at(word, format!("unknown command `{}`", word.value));
    match nearest(&word.value, COMMANDS.iter().map(|(_, long)| *long).filter(|_| word.value.len() > 2)) {
        Some(known) => problem.expecting(format!("`{known}`")),
        None => problem.expecting("a command as `-A`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"# Generated by iptables-save v1.8.9 on Sun Nov 22 16:04:15 2026
*filter
:INPUT ACCEPT [216:401982]
:OWN - [0:0]
[3:180] -A INPUT -i lo -m conntrack --ctstate NEW -m comment --comment "a \"b\"" -j OWN
-A OWN -s 10.0.0.0/8 ! -d 10.0.0.1/32 -p tcp -m odd --dports 1,2 -m odder --nfacct-name  two_spaces -j ODD --log-prefix "-j X "
-A OWN -p icmp -m icmp --icmp-type 8 -g OWN
-A OWN
COMMIT
# Completed on Sun Nov 22 16:04:15 2026

"#;

    #[test]
    fn a_dump_prints_back_byte_for_byte() {
        let parsed = parse("-", DUMP, Family::Ip);
        assert_eq!(parsed.problems, []);
        assert_eq!(parsed.text.to_string(), DUMP);
    }

    #[test]
    fn commands_of_a_restore_text_print_back() {
        let text = "*nat\n-P OUTPUT ACCEPT\n-N A\n-N B\n-F A\n-I PREROUTING 1 -j A\n-R A 1 -j RETURN\n-D OUTPUT -j A\n\
                    -D A 3\n-C A -j B\n-E A C\n-Z\n-Z A 1\n-X A\n-X\nCOMMIT\n";
        let parsed = parse("-", text, Family::Ip);
        assert_eq!((parsed.problems.as_slice(), parsed.text.to_string().as_str()), (&[][..], text));
    }

    #[test]
    fn problems_are_located_and_their_lines_stay() {
        let text = "*nat\n:A\n-A A -j \"x\n-Q A\n*odd\n-A A -j B -j C\n[x] -A A\n-s x\nCOMMIT now\n-A A ! -j B\n";
        let parsed = parse("f", text, Family::Ip);
        assert_eq!(parsed.text.to_string(), text);
        let problems: Vec<_> =
            parsed.problems.iter().map(|p| format!("{}:{}: {}", p.line, p.column, p.message)).collect();
        insta::assert_snapshot!(problems.join("\n"), @"
        2:3: the chain's policy is missing
        3:9: a quote is opened and not closed
        4:1: unknown command `-Q`
        5:1: there is no table `odd`
        6:11: a rule has one target
        7:1: counters must be written as `[packets:bytes]`
        8:1: unknown command `-s`
        9:8: nothing may follow here
        10:8: `-j` cannot be inverted
        ");
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        for text in
            ["\"", "!", "-A", "-A ", "[", "[1:2]", ":", ": -", "*", "-m", "-A A -m", "-A A !", "-A A -j", "\u{0}"]
        {
            for lead in ["", "*nat\n", "-A A -p tcp "] {
                let text = format!("{lead}{text}");
                assert_eq!(parse("-", &text, Family::Ip6).text.to_string().trim_end(), text.trim_end());
            }
        }
    }
}
