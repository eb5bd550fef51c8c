//! What all matches and targets have in common: how their options are declared, found in a rule, read and printed.
//!
//! An extension says what it is in one place: a type whose fields are its options, made by [`extension!`] where each
//! field is one option, or written out with [`Extension`] where options share a field. Its table of [`Opt`]s drives what
//! is recognized in a rule; a [`Field`] says how often an option may stand there, whether `!` may stand before it, and
//! how it prints; a [`Value`] is what one option's words mean.

use std::fmt;

use super::head::Criterion;
use super::problem::Problem;
use super::protocol::Protocol;
use super::ruleset::{Family, TableName};
use super::word::Word;

/// An option that an extension knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt {
    /// Its names: the one that is printed, then other spellings.
    pub(super) names: &'static [&'static str],
    /// How many words follow it.
    pub(super) words: usize,
    /// Whether `!` may stand before it.
    pub(super) invertible: bool,
}

impl Opt {
    /// The option of a field.
    pub(super) const fn of<F: Field>(names: &'static [&'static str]) -> Self {
        Self { names, words: F::WORDS, invertible: F::INVERTIBLE }
    }

    /// An option with a word.
    pub(super) const fn word(names: &'static [&'static str]) -> Self {
        Self { names, words: 1, invertible: false }
    }

    /// An option without a word.
    pub(super) const fn flag(names: &'static [&'static str]) -> Self {
        Self { names, words: 0, invertible: false }
    }

    /// The same, and `!` may stand before it.
    pub(super) const fn or_not(self) -> Self {
        Self { invertible: true, ..self }
    }

    /// The same with two words.
    pub(super) const fn two_words(self) -> Self {
        Self { words: 2, ..self }
    }
}

/// Where the kernel takes an extension. What is empty says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Only {
    /// Only in iptables, or only in ip6tables.
    pub(super) family: Option<Family>,
    /// Only in these tables.
    pub(super) tables: &'static [TableName],
    /// Of the built-in chains, only in these.
    pub(super) chains: &'static [&'static str],
    /// Only after `-p` with one of these.
    pub(super) protocols: &'static [u8],
}

impl Only {
    /// Everywhere.
    pub(super) const ANYWHERE: Self = Self { family: None, tables: &[], chains: &[], protocols: &[] };

    pub(super) const fn family(self, family: Family) -> Self {
        Self { family: Some(family), ..self }
    }

    pub(super) const fn tables(self, tables: &'static [TableName]) -> Self {
        Self { tables, ..self }
    }

    pub(super) const fn chains(self, chains: &'static [&'static str]) -> Self {
        Self { chains, ..self }
    }

    pub(super) const fn protocols(self, protocols: &'static [u8]) -> Self {
        Self { protocols, ..self }
    }

    /// What of a rule's surroundings does not fit.
    pub(super) fn refuse(&self, context: &Context<'_>) -> Option<String> {
        let words = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join(" or ");
        if let Some(table) = context.table.filter(|table| !self.tables.is_empty() && !self.tables.contains(table)) {
            let tables = words(&mut self.tables.iter().map(ToString::to_string));
            return Some(format!("not in table {table}, only in {tables}"));
        }
        if let Some(chain) = context.built_in().filter(|chain| !self.chains.is_empty() && !self.chains.contains(chain))
        {
            let chains = words(&mut self.chains.iter().map(ToString::to_string));
            return Some(format!("not in chain {chain}, only in {chains}"));
        }
        let fits =
            |protocol: &Criterion<Protocol>| !protocol.inverted && self.protocols.contains(&protocol.value.number());
        if !self.protocols.is_empty() && !context.protocol.as_ref().is_some_and(fits) {
            let named = |number: &u8| format!("-p {}", Protocol::of(*number));
            return Some(format!("it needs {}", words(&mut self.protocols.iter().map(named))));
        }
        None
    }
}

/// Where a rule stands and what its head says.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    pub(super) family: Family,
    /// The table, where it is known.
    pub(super) table: Option<TableName>,
    /// The chain, where it is known.
    pub(super) chain: Option<&'a str>,
    /// What `-p` says.
    pub(super) protocol: Option<Criterion<Protocol>>,
}

impl<'a> Context<'a> {
    /// The chain, if the kernel calls it.
    pub(super) fn built_in(&self) -> Option<&'a str> {
        self.chain.filter(|chain| matches!(*chain, "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING"))
    }
}

/// A match or target. Its `Display` prints the options, each with a space before it.
pub(super) trait Extension: Sized + fmt::Display {
    /// The names after `-m` or `-j`: the one that is printed, then other spellings.
    const NAMES: &'static [&'static str];
    /// The options it knows.
    const OPTIONS: &'static [Opt];
    /// Where it may stand.
    const ONLY: Only = Only::ANYWHERE;

    /// Reads it from the options that a rule gives it.
    fn build(given: &Given<'_, '_>) -> Result<Self, Problem>;
}

/// An extension as the rule parser knows it: `K` is [`super::matches::Match`] or [`super::targets::Action`].
#[derive(Debug)]
pub(super) struct Declared<K> {
    pub(super) names: &'static [&'static str],
    pub(super) options: &'static [Opt],
    pub(super) only: Only,
    pub(super) build: fn(&Given<'_, '_>) -> Result<K, Problem>,
}

/// An option in a rule.
#[derive(Clone, Debug)]
pub(super) struct GivenOption<'w> {
    /// Which of the rule's extensions it belongs to.
    pub(super) owner: usize,
    /// Its place in [`Extension::OPTIONS`].
    pub(super) option: usize,
    /// Whether `!` stands before it.
    pub(super) inverted: bool,
    /// The option as it stands there.
    pub(super) word: &'w Word<'w>,
    /// What is behind `=` in the same word.
    pub(super) inline: Option<Word<'w>>,
    /// The words that follow it and belong to it.
    pub(super) words: &'w [Word<'w>],
}

impl GivenOption<'_> {
    /// Its words, first the one behind `=`.
    fn values(&self) -> impl Iterator<Item = &Word<'_>> {
        self.inline.iter().chain(self.words)
    }

    /// Its first word.
    pub(super) fn value(&self) -> &str {
        self.values().next().map_or("", |word| word.value.as_ref())
    }

    /// What its words mean.
    pub(super) fn read<T: Value>(&self, context: &Context<'_>) -> Result<T, Problem> {
        let mut words = [""; 2];
        for (place, word) in words.iter_mut().zip(self.values()) {
            *place = word.value.as_ref();
        }
        T::read(&words, context).ok_or_else(|| self.unexpected(T::EXPECTED))
    }

    /// That its words are not what is expected there.
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        let words: Vec<_> = self.values().map(|word| word.value.as_ref()).collect();
        let message = format!("`{}` does not fit `{}`", words.join(" "), self.word.value);
        let (first, last) = (self.values().next().unwrap_or(self.word), self.values().last().unwrap_or(self.word));
        Problem { start: first.start, end: last.end, message, expected: Some(expected.to_owned()) }
    }
}

/// The options that a rule gives one extension.
pub(super) struct Given<'a, 'w> {
    /// Where the extension is named, in bytes of the line.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What it is, as it stands there.
    pub(super) name: &'a str,
    /// All options of the rule.
    pub(super) options: &'a [GivenOption<'w>],
    /// Which of them are this one's.
    pub(super) owner: usize,
    /// The options it knows.
    pub(super) known: &'static [Opt],
    pub(super) context: &'a Context<'a>,
}

impl<'a, 'w> Given<'a, 'w> {
    /// All options, first to last.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a GivenOption<'w>> {
        let owner = self.owner;
        self.options.iter().filter(move |given| given.owner == owner)
    }

    /// That option; refuses it twice.
    pub(super) fn single(&self, option: usize) -> Result<Option<&'a GivenOption<'w>>, Problem> {
        let mut found = self.all().filter(|given| given.option == option);
        let first = found.next();
        match found.next() {
            Some(twice) => Err(Problem::at(twice.word, format!("`{}` is given twice", twice.word.value))),
            None => Ok(first),
        }
    }

    /// At most one of these options.
    pub(super) fn one_of(&self, options: &[usize]) -> Result<Option<&'a GivenOption<'w>>, Problem> {
        let mut found = self.all().filter(|given| options.contains(&given.option));
        let first = found.next();
        match (first, found.next()) {
            (Some(first), Some(second)) => {
                let message = format!("`{}` cannot stand beside `{}`", second.word.value, first.word.value);
                Err(Problem::at(second.word, message))
            }
            _ => Ok(first),
        }
    }

    /// Exactly one of these options.
    pub(super) fn exactly_one_of(&self, options: &[usize]) -> Result<&'a GivenOption<'w>, Problem> {
        self.one_of(options)?.ok_or_else(|| self.missing(options))
    }

    /// The value of that option.
    pub(super) fn value<T: Value>(&self, option: usize) -> Result<Option<T>, Problem> {
        self.single(option)?.map(|given| given.read(self.context)).transpose()
    }

    /// The value of that option, and whether it must not be so.
    pub(super) fn criterion<T: Value>(&self, option: usize) -> Result<Option<Criterion<T>>, Problem> {
        let read = |given: &GivenOption<'_>| {
            given.read(self.context).map(|value| Criterion { inverted: given.inverted, value })
        };
        self.single(option)?.map(read).transpose()
    }

    /// Whether that option is there.
    pub(super) fn flag(&self, option: usize) -> Result<bool, Problem> {
        self.single(option).map(|given| given.is_some())
    }

    /// That one of these options is missing.
    pub(super) fn missing(&self, options: &[usize]) -> Problem {
        let names: Vec<_> = options.iter().map(|option| self.known[*option].names[0]).collect();
        self.problem(format!("`{}` needs {}", self.name, names.join(" or ")))
    }

    /// A problem of the whole extension.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { start: self.start, end: self.end, message: message.into(), expected: None }
    }

    /// Whether the extension may stand there.
    pub(super) fn check(&self, only: &Only) -> Result<(), Problem> {
        match only.refuse(self.context) {
            Some(why) => Err(self.problem(format!("`{}` cannot be used here: {why}", self.name))),
            None => Ok(()),
        }
    }
}

/// What the words of an option mean. Its `Display` is what iptables-save prints after the option.
pub(super) trait Value: Sized + fmt::Display {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// How many words it has.
    const WORDS: usize = 1;

    /// Reads it; words it does not have are empty.
    fn read(words: &[&str; 2], context: &Context<'_>) -> Option<Self>;
}

/// What a field of an extension says of its option.
pub(super) trait Field: Sized {
    const WORDS: usize;
    const INVERTIBLE: bool;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem>;

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result;
}

/// An option that must be there.
impl<T: Value> Field for T {
    const WORDS: usize = T::WORDS;
    const INVERTIBLE: bool = false;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        given.value(option)?.ok_or_else(|| given.missing(&[option]))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        write!(f, " {option} {self}")
    }
}

/// An option that may be there.
impl<T: Value> Field for Option<T> {
    const WORDS: usize = T::WORDS;
    const INVERTIBLE: bool = false;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        given.value(option)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        self.iter().try_for_each(|value| value.print(f, option))
    }
}

/// An option that must be there, with or without `!`.
impl<T: Value> Field for Criterion<T> {
    const WORDS: usize = T::WORDS;
    const INVERTIBLE: bool = true;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        given.criterion(option)?.ok_or_else(|| given.missing(&[option]))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        write!(f, "{}{option} {}", self.lead(), self.value)
    }
}

/// An option that may be there, with or without `!`.
impl<T: Value> Field for Option<Criterion<T>> {
    const WORDS: usize = T::WORDS;
    const INVERTIBLE: bool = true;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        given.criterion(option)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        self.iter().try_for_each(|value| value.print(f, option))
    }
}

/// An option without a word.
impl Field for bool {
    const WORDS: usize = 0;
    const INVERTIBLE: Self = false;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        given.flag(option)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        if *self { write!(f, " {option}") } else { Ok(()) }
    }
}

/// An option without a word that may be there, with `!` (`false`) or without.
impl Field for Option<bool> {
    const WORDS: usize = 0;
    const INVERTIBLE: bool = true;

    fn read(given: &Given<'_, '_>, option: usize) -> Result<Self, Problem> {
        Ok(given.single(option)?.map(|given| !given.inverted))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
        self.iter().try_for_each(|yes| write!(f, "{} {option}", if *yes { "" } else { " !" }))
    }
}

/// Declares an extension each of whose fields is an option of its own:
///
/// ```text
/// extension! {
///     /// What it is.
///     Name, "name" | "other-name", Only::ANYWHERE.family(Family::Ip);
///     /// What it means.
///     field: Criterion<u16>, "--option" | "--other-spelling";
///     /// Left out where it is 5.
///     burst: u32, "--burst" = 5;
///     /// Printed also where it was not said.
///     number: u16, "--number" else 0;
///     => settle;
/// }
/// ```
///
/// Options print in the order of the fields. `settle` is a function of the extension and what was given; it brings the
/// extension into the form that is printed, and refuses what no option alone does.
macro_rules! extension {
    (
        $(#[$doc:meta])*
        $name:ident, $word:literal $(| $alias:literal)* $(, $only:expr)?;
        $(
            $(#[$field_doc:meta])*
            $field:ident: $type:ty, $option:literal $(| $spelling:literal)* $(= $hidden:expr)? $(, else $default:expr)?;
        )*
        $(=> $settle:path;)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::iptables::extension::Extension for $name {
            const NAMES: &'static [&'static str] = &[$word $(, $alias)*];
            const OPTIONS: &'static [$crate::iptables::extension::Opt] =
                &[$($crate::iptables::extension::Opt::of::<$type>(&[$option $(, $spelling)*]),)*];
            $(const ONLY: $crate::iptables::extension::Only = $only;)?

            fn build(
                given: &$crate::iptables::extension::Given<'_, '_>,
            ) -> Result<Self, $crate::iptables::problem::Problem> {
                let mut options = 0..Self::OPTIONS.len();
                #[allow(unused_mut, reason = "only some extensions settle anything")]
                let mut built = Self {
                    $($field: $crate::iptables::extension::extension!(
                        @read given, options.next().unwrap_or_default(), $type $(, $hidden)? $(, $default)?
                    ),)*
                };
                let _ = (given, options.next());
                $($settle(&mut built, given)?;)?
                Ok(built)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $($crate::iptables::extension::extension!(@print f, $option, &self.$field $(, $hidden)?);)*
                let _ = f;
                Ok(())
            }
        }
    };
    (@read $given:ident, $option:expr, $type:ty) => {
        <$type as $crate::iptables::extension::Field>::read($given, $option)?
    };
    (@read $given:ident, $option:expr, $type:ty, $default:expr) => {
        <Option<$type> as $crate::iptables::extension::Field>::read($given, $option)?.unwrap_or($default)
    };
    (@print $f:ident, $option:literal, $value:expr) => {
        $crate::iptables::extension::Field::print($value, $f, $option)?
    };
    (@print $f:ident, $option:literal, $value:expr, $hidden:expr) => {
        if *$value != $hidden {
            $crate::iptables::extension::Field::print($value, $f, $option)?
        }
    };
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
            /// Every extension we know.
            pub(super) const DECLARED: &'static [$crate::iptables::extension::Declared<Self>] = {
                use $crate::iptables::extension::{Declared, Extension};
                &[$(Declared {
                    names: <$name>::NAMES,
                    options: <$name>::OPTIONS,
                    only: <$name>::ONLY,
                    build: |given| <$name>::build(given).map(Self::$name),
                },)*]
            };

            /// Where it may stand.
            pub(super) fn only(&self) -> $crate::iptables::extension::Only {
                use $crate::iptables::extension::{Extension, Only};
                match self {
                    $(Self::$name(_) => <$name>::ONLY,)*
                    Self::Opaque(_) => Only::ANYWHERE,
                }
            }

            /// The name it prints after `-m` or `-j`; `None` for one we do not know.
            pub fn name(&self) -> Option<&'static str> {
                use $crate::iptables::extension::Extension;
                match self {
                    $(Self::$name(_) => Some(<$name>::NAMES[0]),)*
                    Self::Opaque(_) => None,
                }
            }
        }

        /// As iptables-save prints it, from `-m` or `-j` on.
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::iptables::extension::Extension;
                match self {
                    $(Self::$name(extension) => {
                        f.write_str(concat!($crate::iptables::extension::flag!($kind), " "))?;
                        f.write_str(<$name>::NAMES[0])?;
                        extension.fmt(f)
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

pub(super) use {extension, extensions, flag};
