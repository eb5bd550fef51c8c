//! From the words of a rule to the rule.

use super::extension::{Context, Declared, Given, GivenOption, Opt};
use super::head::{Address, Criterion, Interface};
use super::matches::Match;
use super::name::ChainName;
use super::problem::Problem;
use super::protocol::Protocol;
use super::rule::{Rule, Target, opaque};
use super::ruleset::{Family, TableName};
use super::save::Counters;
use super::targets::Action;
use super::value::number;
use super::word::Word;
use crate::text::nearest;

/// Where a rule stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) family: Family,
    pub(super) table: Option<TableName>,
    pub(super) chain: Option<&'a str>,
}

/// What the words of a rule say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleWords {
    /// The rules, in their order: several where several addresses are given. None where the rule is for the other
    /// family (`-4`, `-6`).
    pub(super) rules: Vec<Rule>,
    /// What `-c` says.
    pub(super) counters: Option<Counters>,
}

/// Reads the words after the chain of a command.
pub(super) fn rule_words<'w>(line: &'w str, words: &'w [Word<'w>], place: Place<'w>) -> Result<RuleWords, Problem> {
    let context = Context { family: place.family, table: place.table, chain: place.chain, protocol: None };
    let parser = RuleParser {
        line,
        rest: words,
        context,
        rule: Rule::default(),
        sources: Vec::new(),
        destinations: Vec::new(),
        open: Vec::new(),
        given: Vec::new(),
        target: TargetWords::None,
        counters: None,
        other_family: false,
        protocol_loaded: false,
    };
    parser.run()
}

/// An option of the head, or what starts a match or names a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Source,
    Destination,
    InInterface,
    OutInterface,
    Protocol,
    Fragment,
    Match,
    Jump,
    Goto,
    Counters,
    Ipv4,
    Ipv6,
}

/// The names of each, and how many words follow (`opts`, iptables/xshared.h).
const HEAD: &[(Head, &[&str], usize)] = &[
    (Head::Source, &["-s", "--source", "--src"], 1),
    (Head::Destination, &["-d", "--destination", "--dst"], 1),
    (Head::InInterface, &["-i", "--in-interface"], 1),
    (Head::OutInterface, &["-o", "--out-interface"], 1),
    (Head::Protocol, &["-p", "--protocol", "--proto"], 1),
    (Head::Fragment, &["-f", "--fragments", "--fragment"], 0),
    (Head::Match, &["-m", "--match"], 1),
    (Head::Jump, &["-j", "--jump"], 1),
    (Head::Goto, &["-g", "--goto"], 1),
    (Head::Counters, &["-c", "--set-counters"], 2),
    (Head::Ipv4, &["-4", "--ipv4"], 0),
    (Head::Ipv6, &["-6", "--ipv6"], 0),
];

impl Head {
    fn of(text: &str) -> Option<Self> {
        HEAD.iter().find(|(_, names, _)| names.contains(&text)).map(|(head, ..)| *head)
    }
}

/// What an option word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Head(Head),
    Extension { owner: usize, option: usize },
}

/// A match or target whose options may follow.
#[derive(Debug)]
struct Open<'w> {
    name: &'w str,
    /// Where it stands in the line, in bytes.
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Match(&'static Declared<Match>),
    Action(&'static Declared<Action>),
    /// A match that we do not know.
    Opaque,
}

impl Kind {
    fn options(self) -> &'static [Opt] {
        match self {
            Self::Match(declared) => declared.options,
            Self::Action(declared) => declared.options,
            Self::Opaque => &[],
        }
    }
}

#[derive(Debug)]
enum TargetWords<'w> {
    None,
    Plain(Target),
    /// An extension, by its place in `open`.
    Extension,
    /// A chain, unless options follow that nothing else knows; until where it goes.
    Unknown {
        name: &'w Word<'w>,
        start: usize,
        end: usize,
    },
}

struct RuleParser<'w> {
    line: &'w str,
    rest: &'w [Word<'w>],
    context: Context<'w>,
    rule: Rule,
    sources: Vec<Criterion<Address>>,
    destinations: Vec<Criterion<Address>>,
    open: Vec<Open<'w>>,
    given: Vec<GivenOption<'w>>,
    target: TargetWords<'w>,
    counters: Option<Counters>,
    other_family: bool,
    protocol_loaded: bool,
}

fn is_bang(word: &Word<'_>) -> bool {
    !word.quoted && word.value == "!"
}

impl<'w> RuleParser<'w> {
    fn run(mut self) -> Result<RuleWords, Problem> {
        while let Some(first) = self.rest.first() {
            let inverted = is_bang(first);
            let Some(word) = self.rest.get(usize::from(inverted)) else {
                return Err(Problem::at(first, "nothing follows that could be inverted"));
            };
            if inverted && is_bang(word) {
                return Err(Problem::at(word, "inverted twice"));
            }
            let in_opaque = self.open.last().is_some_and(|open| matches!(open.kind, Kind::Opaque));
            if in_opaque && !matches!(self.target, TargetWords::Unknown { .. }) && !self.is_head(word) {
                self.swallow(word);
                continue;
            }
            let (name, inline) = split_inline(word);
            match self.find(word, name)? {
                Some((found, _)) if inline.is_none() => self.option(found, inverted, None)?,
                Some((found, whole)) => self.option(found, inverted, inline.filter(|_| !whole))?,
                None => self.unknown(word, name)?,
            }
        }
        self.finish()
    }

    fn is_head(&self, word: &Word<'_>) -> bool {
        !word.quoted && Head::of(&word.value).is_some()
    }

    /// Leaves the next word, and a `!` before it, to the match that we do not know.
    fn swallow(&mut self, word: &Word<'_>) {
        if let Some(open) = self.open.last_mut() {
            open.end = word.end;
        }
        self.rest = &self.rest[self.rest.iter().position(|w| w.start == word.start).map_or(1, |at| at + 1)..];
    }

    /// What an option word is: its whole name or, as getopt_long takes it, the start of one name only. Also whether it
    /// is the whole word.
    fn find(&self, word: &Word<'_>, name: &str) -> Result<Option<(Found, bool)>, Problem> {
        if !name.starts_with('-') {
            return Ok(None);
        }
        if let Some(found) = self.exact(name) {
            return Ok(Some((found, name.len() == word.value.len())));
        }
        if name.len() < 3 || !name.starts_with("--") {
            return Ok(None);
        }
        let mut found: Vec<(Found, &str)> = Vec::new();
        let heads = HEAD.iter().flat_map(|(head, names, _)| names.iter().map(|name| (Found::Head(*head), *name)));
        let extensions = self.open.iter().enumerate().flat_map(|(owner, open)| {
            open.kind.options().iter().enumerate().flat_map(move |(option, known)| {
                known.names.iter().map(move |name| (Found::Extension { owner, option }, *name))
            })
        });
        for (candidate, known) in heads.chain(extensions) {
            if known.starts_with(name) && !found.iter().any(|(other, _)| *other == candidate) {
                found.push((candidate, known));
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [(found, _)] => Ok(Some((*found, name.len() == word.value.len()))),
            [(_, first), (_, second), ..] => {
                let message = format!("`{name}` may be `{first}` or `{second}`");
                Err(Problem::at(word, message))
            }
        }
    }

    fn exact(&self, name: &str) -> Option<Found> {
        for (owner, open) in self.open.iter().enumerate().rev() {
            if let Some(option) = open.kind.options().iter().position(|known| known.names.contains(&name)) {
                return Some(Found::Extension { owner, option });
            }
        }
        Head::of(name).map(Found::Head)
    }

    fn option(&mut self, found: Found, mut inverted: bool, inline: Option<Word<'w>>) -> Result<(), Problem> {
        let word = &self.rest[usize::from(inverted)];
        self.rest = &self.rest[usize::from(inverted) + 1..];
        let (words, invertible) = match found {
            Found::Extension { owner, option } => {
                let known = &self.open[owner].kind.options()[option];
                (known.words, known.invertible)
            }
            Found::Head(head) => {
                let words = HEAD.iter().find(|(known, ..)| *known == head).map_or(0, |(.., words)| *words);
                (
                    words,
                    !matches!(head, Head::Match | Head::Jump | Head::Goto | Head::Counters | Head::Ipv4 | Head::Ipv6),
                )
            }
        };
        // Old versions took `--option ! value`.
        if words > 0 && inline.is_none() && self.rest.len() > words && is_bang(&self.rest[0]) {
            if std::mem::replace(&mut inverted, true) {
                return Err(Problem::at(&self.rest[0], "inverted twice"));
            }
            self.rest = &self.rest[1..];
        }
        if inverted && !invertible {
            return Err(Problem::at(word, format!("`{}` cannot be inverted", word.value)));
        }
        if words == 0 && inline.is_some() {
            return Err(Problem::at(word, format!("`{}` takes no value", word.value)));
        }
        let words = words - usize::from(inline.is_some());
        if found == Found::Head(Head::Counters) {
            return self.counters(word);
        }
        if self.rest.len() < words {
            return Err(Problem::after(self.line, format!("the value of `{}` is missing", word.value)));
        }
        let (values, rest) = self.rest.split_at(words);
        self.rest = rest;
        match found {
            Found::Head(head) => match inline.as_ref().or(values.first()) {
                Some(value) if inline.is_none() => self.head(head, inverted, word, &values[0], &value.value),
                Some(value) => self.head(head, inverted, word, word, &value.value),
                None => self.head(head, inverted, word, word, ""),
            },
            Found::Extension { owner, option } => {
                self.given.push(GivenOption { owner, option, inverted, word, inline, words: values });
                Ok(())
            }
        }
    }

    /// `-c packets bytes` or `-c packets,bytes`.
    fn counters(&mut self, option: &Word<'_>) -> Result<(), Problem> {
        let wrong = |word: &Word<'_>| Problem::at(word, "these are no counters").expecting("packets and bytes");
        let first = self.rest.first().ok_or_else(|| Problem::at(option, "the counters are missing"))?;
        let (packets, bytes, used) = match first.value.split_once(',') {
            Some((packets, bytes)) => (number(packets), number(bytes), 1),
            None => (number(&first.value), self.rest.get(1).and_then(|word| number(&word.value)), 2),
        };
        let (Some(packets), Some(bytes)) = (packets, bytes) else { return Err(wrong(first)) };
        self.counters = Some(Counters { packets, bytes });
        self.rest = &self.rest[used..];
        Ok(())
    }

    /// An option of the head with its value, which stands in `at`.
    fn head(
        &mut self,
        head: Head,
        inverted: bool,
        word: &'w Word<'w>,
        at: &'w Word<'w>,
        value: &str,
    ) -> Result<(), Problem> {
        let twice = match head {
            Head::Source => {
                let addresses = self.addresses(at, value, inverted)?;
                !std::mem::replace(&mut self.sources, addresses).is_empty()
            }
            Head::Destination => {
                let addresses = self.addresses(at, value, inverted)?;
                !std::mem::replace(&mut self.destinations, addresses).is_empty()
            }
            Head::InInterface => {
                let value = self.interface(at, value, inverted, &["OUTPUT", "POSTROUTING"])?;
                self.rule.in_interface.replace(value).is_some()
            }
            Head::OutInterface => {
                let value = self.interface(at, value, inverted, &["INPUT", "PREROUTING"])?;
                self.rule.out_interface.replace(value).is_some()
            }
            Head::Protocol => self.protocol(at, value, inverted)?,
            Head::Fragment if self.context.family == Family::Ip6 => {
                return Err(Problem::at(word, "IPv6 has no fragments of its own: use `-m frag`"));
            }
            Head::Fragment => self.rule.fragment.replace(!inverted).is_some(),
            Head::Match => return self.load_match(word, at),
            Head::Jump => return self.jump(word, at),
            Head::Goto => {
                let chain = ChainName::new(value).map_err(|error| Problem::at(at, error.to_string()))?;
                return self.set_target(word, TargetWords::Plain(Target::Goto(chain)));
            }
            Head::Ipv4 | Head::Ipv6 => {
                self.other_family |= (head == Head::Ipv4) != (self.context.family == Family::Ip);
                false
            }
            Head::Counters => false,
        };
        if twice { Err(Problem::at(word, format!("`{}` is given twice", word.value))) } else { Ok(()) }
    }

    fn addresses(&self, at: &Word<'_>, value: &str, inverted: bool) -> Result<Vec<Criterion<Address>>, Problem> {
        let read = |text: &str| {
            let wrong = || {
                Problem::at(at, format!("`{text}` is no address")).expecting(match self.context.family {
                    Family::Ip => "an IPv4 address or network; names of hosts are not looked up",
                    Family::Ip6 => "an IPv6 address or network; names of hosts are not looked up",
                })
            };
            Address::parse(text, self.context.family).map(|value| Criterion { inverted, value }).ok_or_else(wrong)
        };
        if inverted && value.contains(',') {
            return Err(Problem::at(at, "several addresses cannot be inverted"));
        }
        value.split(',').map(|text| read(text.trim())).collect()
    }

    fn interface(
        &self,
        at: &Word<'_>,
        value: &str,
        inverted: bool,
        never: &[&str],
    ) -> Result<Criterion<Interface>, Problem> {
        if let Some(chain) = self.context.built_in().filter(|chain| never.contains(chain)) {
            return Err(Problem::at(at, format!("packets in {chain} have no such interface")));
        }
        let name = Interface::new(value).map_err(|error| Problem::at(at, error.to_string()))?;
        Ok(Criterion { inverted, value: name })
    }

    /// Gives whether there was one.
    fn protocol(&mut self, at: &Word<'_>, value: &str, inverted: bool) -> Result<bool, Problem> {
        let unknown = || {
            let problem = Problem::at(at, format!("unknown protocol `{value}`"));
            match nearest(value, Protocol::names()) {
                Some(name) => problem.expecting(format!("`{name}`")),
                None => problem.expecting("a protocol by name or number"),
            }
        };
        let protocol = Protocol::parse(value).ok_or_else(unknown)?;
        if inverted && protocol.number() == 0 {
            return Err(Problem::at(at, "no packet is of no protocol"));
        }
        let twice = self.rule.protocol.replace(Criterion { inverted, value: protocol }).is_some();
        self.context.protocol = self.rule.protocol;
        Ok(twice)
    }

    fn load_match(&mut self, option: &'w Word<'w>, name: &'w Word<'w>) -> Result<(), Problem> {
        let kind = match declared(Match::DECLARED, &name.value, self.context.family) {
            Ok(Some(declared)) => Kind::Match(declared),
            Ok(None) => Kind::Opaque,
            Err(OtherFamily) => return Err(self.other_family(name)),
        };
        self.protocol_loaded |= self.protocol_match().is_some_and(|known| same_match(known, kind));
        self.open.push(Open { name: &name.value, start: option.start, end: name.end, kind });
        Ok(())
    }

    fn other_family(&self, name: &Word<'_>) -> Problem {
        let tool = match self.context.family {
            Family::Ip => "ip6tables",
            Family::Ip6 => "iptables",
        };
        Problem::at(name, format!("only {tool} has `{}`", name.value))
    }

    /// The match that has the protocol's name.
    fn protocol_match(&self) -> Option<&'static Declared<Match>> {
        let protocol = self.rule.protocol?.value;
        let by_name = |name| declared(Match::DECLARED, name, self.context.family).ok().flatten();
        protocol.name().and_then(by_name).or_else(|| by_name(Protocol::of(protocol.number()).name()?))
    }

    fn jump(&mut self, option: &'w Word<'w>, name: &'w Word<'w>) -> Result<(), Problem> {
        let text = name.value.as_ref();
        let plain = match text {
            "ACCEPT" => Target::Accept,
            "DROP" => Target::Drop,
            "RETURN" => Target::Return,
            _ => match declared(Action::DECLARED, text, self.context.family) {
                Ok(Some(declared)) => {
                    let kind = Kind::Action(declared);
                    self.open.push(Open { name: text, start: option.start, end: name.end, kind });
                    return self.set_target(option, TargetWords::Extension);
                }
                Ok(None) => {
                    let unknown = TargetWords::Unknown { name, start: option.start, end: name.end };
                    return self.set_target(option, unknown);
                }
                Err(OtherFamily) => return Err(self.other_family(name)),
            },
        };
        self.set_target(option, TargetWords::Plain(plain))
    }

    fn set_target(&mut self, option: &Word<'_>, target: TargetWords<'w>) -> Result<(), Problem> {
        match std::mem::replace(&mut self.target, target) {
            TargetWords::None => Ok(()),
            _ => Err(Problem::at(option, "a rule has one target")),
        }
    }

    /// A word that is no known option: one of the protocol's match, or of a target we do not know, or an error.
    fn unknown(&mut self, word: &'w Word<'w>, name: &str) -> Result<(), Problem> {
        if let Some(declared) = self.protocol_match().filter(|_| !self.protocol_loaded && name.starts_with('-')) {
            self.protocol_loaded = true;
            let (start, end) = (word.start, word.end);
            self.open.push(Open { name: declared.names[0], start, end, kind: Kind::Match(declared) });
            if self.find(word, name)?.is_some() {
                return Ok(());
            }
        }
        if let TargetWords::Unknown { end, .. } = &mut self.target {
            self.open.pop_if(|open| open.start == word.start);
            let at = self.rest.iter().position(|w| w.start == word.start).map_or(1, |at| at + 1);
            *end = word.end;
            self.rest = &self.rest[at..];
            return Ok(());
        }
        if !name.starts_with('-') {
            return Err(Problem::at(word, format!("`{}` is no option", word.value)).expecting("an option"));
        }
        let extensions = self.open.iter().flat_map(|open| open.kind.options());
        let known = HEAD.iter().map(|(_, names, _)| *names).chain(extensions.map(|known| known.names));
        let problem = Problem::at(word, format!("unknown option `{name}`"));
        Err(match nearest(name, known.flatten().copied().filter(|name| name.len() > 2)) {
            Some(known) => problem.expecting(format!("`{known}`")),
            None => problem,
        })
    }

    fn finish(mut self) -> Result<RuleWords, Problem> {
        if self.other_family {
            return Ok(RuleWords { rules: Vec::new(), counters: self.counters });
        }
        for (owner, open) in self.open.iter().enumerate() {
            let given = Given {
                start: open.start,
                end: open.end,
                name: open.name,
                options: &self.given,
                owner,
                known: open.kind.options(),
                context: &self.context,
            };
            match open.kind {
                Kind::Match(declared) => {
                    given.check(&declared.only)?;
                    self.rule.matches.push((declared.build)(&given)?);
                }
                Kind::Action(declared) => {
                    given.check(&declared.only)?;
                    self.rule.target = Some(Target::Action((declared.build)(&given)?));
                }
                Kind::Opaque => {
                    self.rule.matches.push(Match::Opaque(opaque(&self.line[open.start..open.end])));
                }
            }
        }
        match self.target {
            TargetWords::Plain(target) => self.rule.target = Some(target),
            TargetWords::Unknown { name, start, end } => self.rule.target = Some(unknown(self.line, name, start, end)?),
            TargetWords::None | TargetWords::Extension => {}
        }
        self.rule.protocol.take_if(|protocol| protocol.value.number() == 0);
        self.rule.in_interface.take_if(|interface| !interface.inverted && interface.value.is_every());
        self.rule.out_interface.take_if(|interface| !interface.inverted && interface.value.is_every());
        Ok(RuleWords { rules: expand(self.rule, self.sources, self.destinations), counters: self.counters })
    }
}

fn unknown(line: &str, name: &Word<'_>, start: usize, end: usize) -> Result<Target, Problem> {
    if end > name.end {
        return Ok(Target::Action(Action::Opaque(opaque(&line[start..end]))));
    }
    ChainName::new(&name.value).map(Target::Jump).map_err(|error| Problem::at(name, error.to_string()))
}

/// One rule for each pair of addresses, sources in the outer loop.
fn expand(rule: Rule, sources: Vec<Criterion<Address>>, destinations: Vec<Criterion<Address>>) -> Vec<Rule> {
    let choices = |addresses: Vec<Criterion<Address>>| {
        let asks = |address: Criterion<Address>| {
            Some(address).filter(|address| address.inverted || !address.value.is_everything())
        };
        if addresses.is_empty() { vec![None] } else { addresses.into_iter().map(asks).collect() }
    };
    let (sources, destinations) = (choices(sources), choices(destinations));
    if let ([source], [destination]) = (sources.as_slice(), destinations.as_slice()) {
        return vec![Rule { source: *source, destination: *destination, ..rule }];
    }
    let pairs = sources.iter().flat_map(|source| destinations.iter().map(move |destination| (source, destination)));
    pairs.map(|(source, destination)| Rule { source: *source, destination: *destination, ..rule.clone() }).collect()
}

/// Only the other family has an extension of that name.
struct OtherFamily;

fn declared<K>(
    all: &'static [Declared<K>],
    name: &str,
    family: Family,
) -> Result<Option<&'static Declared<K>>, OtherFamily> {
    let mut named = all.iter().filter(|declared| declared.names.contains(&name)).peekable();
    if named.peek().is_none() {
        return Ok(None);
    }
    named.find(|declared| declared.only.family.is_none_or(|only| only == family)).map(Some).ok_or(OtherFamily)
}

fn same_match(declared: &'static Declared<Match>, kind: Kind) -> bool {
    matches!(kind, Kind::Match(other) if std::ptr::eq(declared, other))
}

/// The name of a long option, and what is behind `=` in the same word.
fn split_inline<'w>(word: &'w Word<'w>) -> (&'w str, Option<Word<'w>>) {
    match word.value.split_once('=').filter(|_| word.value.starts_with("--")) {
        Some((name, value)) => {
            let value = Word { value: value.into(), quoted: word.quoted, start: word.start, end: word.end };
            (name, Some(value))
        }
        None => (&word.value, None),
    }
}
