//! An extension as iptables-save prints it: its name and its options, one by one.
//!
//! Translation reads this form rather than the types of [`super::super::matches`] and [`super::super::targets`]: it is
//! the one form that iptables-extensions(8) describes, it is the same for every version, and an extension that is not
//! typed has it too.

use super::super::word::{Word, words};
use super::{No, Told};

/// An option, its words, and whether `!` stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) inverted: bool,
    pub(super) option: String,
    pub(super) values: Vec<String>,
}

/// An extension and its options, taken out one after the other: what is left was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: String,
    options: Vec<Asking>,
}

impl Asked {
    /// Reads `-m name --option …`, `-j name …`, or options alone, which are those of the protocol's match.
    pub(super) fn parse(text: &str, protocol: &str) -> Told<Self> {
        let words = words(text).map_err(|_| No::because("its text has an open quote"))?;
        let flag = words.first().map_or("", |word| &*word.value);
        let (name, rest) = match (flag, words.get(1)) {
            ("-m" | "--match" | "-j" | "--jump", Some(name)) => (name.value.to_string(), &words[2..]),
            _ => (protocol.to_ascii_lowercase(), &words[..]),
        };
        Ok(Self { name, options: options(rest)? })
    }

    /// An extension without options.
    pub(super) fn bare(name: &str) -> Self {
        Self { name: name.to_owned(), options: Vec::new() }
    }

    /// Takes out an option by any of its names.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Asking> {
        let at = self.options.iter().position(|asking| names.contains(&asking.option.as_str()))?;
        Some(self.options.remove(at))
    }

    /// Takes out an option that has one word.
    pub(super) fn value(&mut self, names: &[&str]) -> Told<Option<(bool, String)>> {
        self.take(names).map(|asking| asking.single()).transpose()
    }

    /// The same where `!` means nothing.
    pub(super) fn plain(&mut self, names: &[&str]) -> Told<Option<String>> {
        match self.value(names)? {
            Some((true, _)) => Err(No::because(format!("`! {}` has no meaning", names[0]))),
            other => Ok(other.map(|(_, value)| value)),
        }
    }

    /// Takes out an option without words.
    pub(super) fn flag(&mut self, names: &[&str]) -> Option<bool> {
        self.take(names).map(|asking| !asking.inverted)
    }

    /// Whether it has that option.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|asking| names.contains(&asking.option.as_str()))
    }

    /// Refuses options that nobody took.
    pub(super) fn nothing_left(&self) -> Told<()> {
        match self.options.first() {
            None => Ok(()),
            Some(left) => Err(No::because(format!("nft has nothing like `{}`", left.option))),
        }
    }
}

impl Asking {
    /// Its only word.
    pub(super) fn single(self) -> Told<(bool, String)> {
        match <[String; 1]>::try_from(self.values) {
            Ok([value]) => Ok((self.inverted, value)),
            Err(_) => Err(No::because(format!("`{}` takes one value", self.option))),
        }
    }
}

fn options(words: &[Word<'_>]) -> Told<Vec<Asking>> {
    let mut found: Vec<Asking> = Vec::new();
    let mut inverted = false;
    for word in words {
        let bare = !word.quoted;
        if bare && word.value == "!" {
            inverted = true;
        } else if bare && word.value.starts_with("--") {
            let (option, value) = word.value.split_once('=').map_or((&*word.value, None), |(o, v)| (o, Some(v)));
            let values = value.map(str::to_owned).into_iter().collect();
            found.push(Asking { inverted: std::mem::take(&mut inverted), option: option.to_owned(), values });
        } else {
            let last = found.last_mut().ok_or_else(|| No::because(format!("`{}` is no option", word.value)))?;
            // As old versions wrote it: `--dport ! 80`.
            last.inverted |= std::mem::take(&mut inverted);
            last.values.push(word.value.to_string());
        }
    }
    if inverted { Err(No::because("`!` stands before nothing")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_with_their_words() {
        let mut asked = Asked::parse("-m x --a 1 2 ! --b=c --e ! 3 --f", "tcp").unwrap();
        assert_eq!(asked.name, "x");
        assert_eq!(asked.take(&["--a"]).unwrap().values, ["1", "2"]);
        assert_eq!(asked.value(&["--e"]).unwrap(), Some((true, "3".to_owned())));
        assert!(asked.take(&["--b"]).unwrap().inverted);
        assert!(asked.nothing_left().is_err());
        assert_eq!(asked.flag(&["--f"]), Some(true));
        assert!(asked.nothing_left().is_ok());
        assert_eq!(Asked::parse("--dport 80", "tcp").unwrap().name, "tcp");
    }
}
