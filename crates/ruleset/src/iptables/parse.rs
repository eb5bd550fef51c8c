//! From text to lines and rules.

use super::head::{Address, Criterion};
use super::matches::Match;
use super::name::ChainName;
use super::rule::{Options, Rule, Target, opaque};
use super::ruleset::{Family, Policy, TableName};
use super::save::{Command, Counters, Line, SaveText};
use super::targets::Action;
use super::word::{OpenQuote, Word, words};
use crate::text::ParseError;

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
/// Never fails: a line that is not understood stays as it is, with a located problem. An extension or option that we do
/// not know is no problem; it stays verbatim in its rule.
pub fn parse(source_name: &str, text: &str, family: Family) -> Parsed {
    let mut parsed = Parsed::default();
    let mut start = 0;
    for piece in text.split_inclusive('\n') {
        let content = piece.strip_suffix('\n').unwrap_or(piece);
        let line = line(content, family).unwrap_or_else(|problem| {
            let (from, to) = (start + problem.start, start + problem.end);
            parsed.problems.push(ParseError::at(source_name, text, from, to, problem.message));
            Line::Opaque(content.to_owned())
        });
        parsed.text.lines.push(line);
        start += piece.len();
    }
    parsed
}

/// What is wrong in a line, and where, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    start: usize,
    end: usize,
    pub(super) message: String,
}

impl Problem {
    fn at(word: &Word<'_>, message: impl Into<String>) -> Self {
        Self { start: word.start, end: word.end, message: message.into() }
    }

    fn after(line: &str, message: impl Into<String>) -> Self {
        Self { start: line.len(), end: line.len(), message: message.into() }
    }
}

impl From<OpenQuote> for Problem {
    fn from(OpenQuote(at): OpenQuote) -> Self {
        Self { start: at, end: at + 1, message: "a quote is opened and not closed".to_owned() }
    }
}

/// A rule without `-A chain`.
#[cfg(test)]
pub(super) fn rule(text: &str, family: Family) -> Result<Rule, Problem> {
    RuleParser::new(text, family).rule(&words(text)?)
}

fn line(text: &str, family: Family) -> Result<Line, Problem> {
    if text.starts_with('#') || text.trim().is_empty() {
        return Ok(Line::Note(text.to_owned()));
    }
    let words = words(text)?;
    let Some(first) = words.first() else { return Ok(Line::Note(text.to_owned())) };
    if let Some(name) = first.value.strip_prefix('*') {
        let unknown = || Problem::at(first, format!("there is no table `{name}`"));
        let table = TableName::from_keyword(name).ok_or_else(unknown)?;
        return nothing_after(&words, 1, Line::Table(table));
    }
    if let Some(name) = first.value.strip_prefix(':') {
        return declaration(text, first, name, &words);
    }
    if first.value == "COMMIT" {
        return nothing_after(&words, 1, Line::Commit);
    }
    let counters = first.value.starts_with('[').then(|| counters(first)).transpose()?;
    let command = command(text, &words[usize::from(counters.is_some())..], family)?;
    Ok(Line::Rule { counters, command })
}

fn nothing_after(words: &[Word<'_>], expected: usize, line: Line) -> Result<Line, Problem> {
    match words.get(expected) {
        Some(word) => Err(Problem::at(word, "nothing may follow here")),
        None => Ok(line),
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
        "ACCEPT" => Some(Policy::Accept),
        "DROP" => Some(Policy::Drop),
        other => return Err(Problem::at(word, format!("there is no policy `{other}`"))),
    };
    let counters = words.get(2).map(counters).transpose()?;
    nothing_after(words, 3, Line::Chain { chain, policy, counters })
}

/// `[packets:bytes]`.
fn counters(word: &Word<'_>) -> Result<Counters, Problem> {
    let read = || {
        let (packets, bytes) = word.value.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
        Some(Counters { packets: packets.parse().ok()?, bytes: bytes.parse().ok()? })
    };
    read().ok_or_else(|| Problem::at(word, "counters must be written as `[packets:bytes]`"))
}

fn command(text: &str, words: &[Word<'_>], family: Family) -> Result<Command, Problem> {
    let first = words.first().ok_or_else(|| Problem::after(text, "a command is missing"))?;
    let chain = |words: &[Word<'_>]| {
        let word = words.get(1).ok_or_else(|| Problem::after(text, "a chain is missing"))?;
        chain_name(word, &word.value)
    };
    let rule = |from: usize| RuleParser::new(text, family).rule(words.get(from..).unwrap_or_default());
    Ok(match first.value.as_ref() {
        "-A" | "--append" => Command::Append { chain: chain(words)?, rule: rule(2)? },
        "-I" | "--insert" => {
            let at = words.get(2).and_then(|word| word.value.parse().ok());
            Command::Insert { chain: chain(words)?, at: at.unwrap_or(1), rule: rule(2 + usize::from(at.is_some()))? }
        }
        "-D" | "--delete" => match words {
            // By its number: that needs a state to mean something.
            [_, _, number] if number.value.parse::<usize>().is_ok() => {
                return Err(Problem::at(number, "a rule must be given, not its number"));
            }
            _ => Command::Delete { chain: chain(words)?, rule: rule(2)? },
        },
        "-X" | "--delete-chain" => match words {
            [_, _, more, ..] => return Err(Problem::at(more, "nothing may follow here")),
            _ => Command::DeleteChain { chain: chain(words)? },
        },
        other => return Err(Problem::at(first, format!("unknown command `{other}`"))),
    })
}

/// An option of the head, or what starts a match or names a target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeadOption {
    Source,
    Destination,
    InInterface,
    OutInterface,
    Protocol,
    Fragment,
    Match,
    Jump,
    Goto,
}

impl HeadOption {
    fn of(word: &Word<'_>) -> Option<Self> {
        Some(match word.value.as_ref() {
            _ if word.quoted => return None,
            "-s" | "--source" | "--src" => Self::Source,
            "-d" | "--destination" | "--dst" => Self::Destination,
            "-i" | "--in-interface" => Self::InInterface,
            "-o" | "--out-interface" => Self::OutInterface,
            "-p" | "--protocol" => Self::Protocol,
            "-f" | "--fragment" => Self::Fragment,
            "-m" | "--match" => Self::Match,
            "-j" | "--jump" => Self::Jump,
            "-g" | "--goto" => Self::Goto,
            _ => return None,
        })
    }
}

/// Reads one rule of one line.
struct RuleParser<'a> {
    line: &'a str,
    family: Family,
    rule: Rule,
}

impl<'a> RuleParser<'a> {
    fn new(line: &'a str, family: Family) -> Self {
        Self { line, family, rule: Rule::default() }
    }

    fn rule(mut self, words: &[Word<'_>]) -> Result<Rule, Problem> {
        let mut rest = words;
        while let Some(first) = rest.first() {
            let inverted = !first.quoted && first.value == "!";
            let at = usize::from(inverted);
            rest = match rest.get(at).and_then(HeadOption::of) {
                Some(HeadOption::Match | HeadOption::Jump | HeadOption::Goto) if inverted => {
                    return Err(Problem::at(first, "a match or target cannot be inverted as a whole"));
                }
                Some(HeadOption::Match) => self.criterion(rest)?,
                Some(option @ (HeadOption::Jump | HeadOption::Goto)) => self.target(option, rest)?,
                Some(option) => self.head(option, inverted, &rest[at..])?,
                None => self.implied(rest)?,
            };
        }
        Ok(self.finish())
    }

    /// The words of the options that start at `from`, up to the next option of the head.
    fn options<'w>(words: &'w [Word<'w>], from: usize) -> (&'w [Word<'w>], &'w [Word<'w>]) {
        let head = |at: &usize| {
            let bang = !words[*at].quoted && words[*at].value == "!";
            words.get(at + usize::from(bang)).and_then(HeadOption::of).is_some()
        };
        let end = (from..words.len()).find(head).unwrap_or(words.len());
        (&words[from..end], &words[end..])
    }

    /// Several words as they stand in the line.
    fn verbatim(&self, words: &[Word<'_>]) -> &'a str {
        match words {
            [] => "",
            [first, ..] => &self.line[first.start..words[words.len() - 1].end],
        }
    }

    fn value<'w>(&self, words: &'w [Word<'w>], what: &str) -> Result<&'w Word<'w>, Problem> {
        words.get(1).ok_or_else(|| Problem::after(self.line, format!("{what} is missing")))
    }

    /// `-m name options…`.
    fn criterion<'w>(&mut self, words: &'w [Word<'w>]) -> Result<&'w [Word<'w>], Problem> {
        let name = self.value(words, "the name of the match")?;
        let (options, rest) = Self::options(words, 2);
        let known = Match::parse(&name.value, Options::new(options, self.family));
        let known = known.unwrap_or_else(|| Match::Opaque(opaque(self.verbatim(&words[..2 + options.len()]))));
        self.rule.matches.push(known);
        Ok(rest)
    }

    /// Options after `-p`, without `-m`: those of the match that has the protocol's name.
    fn implied<'w>(&mut self, words: &'w [Word<'w>]) -> Result<&'w [Word<'w>], Problem> {
        let (options, rest) = Self::options(words, 0);
        let protocol = self.rule.protocol.as_ref().map(|protocol| protocol.value.as_str()).unwrap_or_default();
        let known = Match::parse(protocol, Options::new(options, self.family));
        let known = known.unwrap_or_else(|| Match::Opaque(opaque(self.verbatim(options))));
        self.rule.matches.push(known);
        Ok(rest)
    }

    /// `-j name options…` or `-g chain`.
    fn target<'w>(&mut self, option: HeadOption, words: &'w [Word<'w>]) -> Result<&'w [Word<'w>], Problem> {
        let name = self.value(words, "the target")?;
        let (options, rest) = Self::options(words, 2);
        let text = name.value.as_ref();
        let target = match (option, text, options) {
            (HeadOption::Goto, _, []) => Target::Goto(chain_name(name, text)?),
            (HeadOption::Goto, _, [more, ..]) => return Err(Problem::at(more, "nothing may follow a chain")),
            (_, "ACCEPT", []) => Target::Accept,
            (_, "DROP", []) => Target::Drop,
            (_, "RETURN", []) => Target::Return,
            _ => match Action::parse(text, Options::new(options, self.family)) {
                Some(action) => Target::Action(action),
                None if options.is_empty() => Target::Jump(chain_name(name, text)?),
                None => Target::Action(Action::Opaque(opaque(self.verbatim(&words[..2 + options.len()])))),
            },
        };
        match self.rule.target.replace(target) {
            Some(_) => Err(Problem::at(&words[0], "a rule has one target")),
            None => Ok(rest),
        }
    }

    /// An option of the head, from its own word on.
    fn head<'w>(
        &mut self,
        option: HeadOption,
        inverted: bool,
        words: &'w [Word<'w>],
    ) -> Result<&'w [Word<'w>], Problem> {
        if option == HeadOption::Fragment {
            let twice = self.rule.fragment.replace(!inverted).is_some();
            return if twice { Err(Problem::at(&words[0], "said twice")) } else { Ok(&words[1..]) };
        }
        let value = self.value(words, "a value")?;
        let rule = &mut self.rule;
        let address = || Criterion { inverted, value: Address::parse(&value.value) };
        let text = || Criterion { inverted, value: value.value.as_ref().to_owned() };
        let twice = match option {
            HeadOption::Source => rule.source.replace(address()).is_some(),
            HeadOption::Destination => rule.destination.replace(address()).is_some(),
            HeadOption::InInterface => rule.in_interface.replace(text()).is_some(),
            HeadOption::OutInterface => rule.out_interface.replace(text()).is_some(),
            _ => rule.protocol.replace(text()).is_some(),
        };
        if twice { Err(Problem::at(&words[0], "said twice")) } else { Ok(&words[2..]) }
    }

    /// Takes out what asks nothing, as iptables does.
    fn finish(mut self) -> Rule {
        for address in [&mut self.rule.source, &mut self.rule.destination] {
            address.take_if(|address| !address.inverted && address.value.is_everything());
        }
        self.rule
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
-A OWN -s 10.0.0.0/8 ! -d 10.0.0.1/32 -p tcp -m multiport --dports 1,2 -m nfacct --nfacct-name  two_spaces -j LOG --log-prefix "-j X "
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
        let text = "*nat\n-I PREROUTING 1 -j A\n-D OUTPUT -j A\n-X A\nCOMMIT\n";
        let parsed = parse("-", text, Family::Ip);
        assert_eq!((parsed.problems.as_slice(), parsed.text.to_string().as_str()), (&[][..], text));
    }

    #[test]
    fn problems_are_located_and_their_lines_stay() {
        let text =
            "*nat\n:A\n-A A -j \"x\n-Q A\n*odd\n-A A -j B -j C\n[x] -A A\n-D A 3\n-s x\nCOMMIT now\n-A A ! -j B\n";
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
        8:6: a rule must be given, not its number
        9:1: unknown command `-s`
        10:8: nothing may follow here
        11:6: a match or target cannot be inverted as a whole
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
