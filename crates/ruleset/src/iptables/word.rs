//! Words of a line, split and quoted as iptables does it.

use std::borrow::Cow;
use std::fmt;

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Without quotes and escapes.
    pub(super) value: Cow<'a, str>,
    /// Whether it was in quotes, and so is no option.
    pub(super) quoted: bool,
    /// Its first byte in the line.
    pub(super) start: usize,
    /// One past its last byte in the line.
    pub(super) end: usize,
}

/// A quote that is opened and never closed, by its place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub(super) usize);

/// Splits a line at spaces outside double quotes; inside them a backslash takes the next character as it is
/// (`add_param_to_argv`, iptables/xshared.c).
pub(super) fn words(line: &str) -> Result<Vec<Word<'_>>, OpenQuote> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skip) = line[at..].find(|c: char| !matches!(c, ' ' | '\t' | '\r')) {
        let start = at + skip;
        let word = word(line, start)?;
        at = word.end;
        words.push(word);
    }
    Ok(words)
}

fn word(line: &str, start: usize) -> Result<Word<'_>, OpenQuote> {
    let mut value: Option<String> = None;
    let mut open = None;
    let mut quoted = false;
    let mut escaped = false;
    for (offset, c) in line[start..].char_indices() {
        let at = start + offset;
        match (c, open) {
            (_, Some(_)) if escaped => {
                escaped = false;
                value.get_or_insert_default().push(c);
            }
            ('\\', Some(_)) => escaped = true,
            ('"', None) => {
                open = Some(at);
                quoted = true;
                value.get_or_insert_with(|| line[start..at].to_owned());
            }
            ('"', Some(_)) => {
                let value = value.unwrap_or_default().into();
                return Ok(Word { value, quoted, start, end: at + 1 });
            }
            (' ' | '\t' | '\r', None) => return Ok(Word { value: line[start..at].into(), quoted, start, end: at }),
            _ => {
                if let Some(value) = &mut value {
                    value.push(c);
                }
            }
        }
    }
    match open {
        Some(at) => Err(OpenQuote(at)),
        None => Ok(Word { value: line[start..].into(), quoted, start, end: line.len() }),
    }
}

/// Text as iptables-save writes it: bare where it is only letters, digits, `_` and `-`, else in quotes
/// (`xtables_save_string`, libxtables/xtables.c).
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !self.0.is_empty() && self.0.chars().all(bare) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for part in self.0.split_inclusive(['"', '\\', '\'']) {
            match part.char_indices().next_back() {
                Some((last, c @ ('"' | '\\' | '\''))) => write!(f, "{}\\{c}", &part[..last])?,
                _ => f.write_str(part)?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_a_word_and_hide_spaces() {
        let line = "-m comment  --comment \"a \\\"b\\\" \\\\ c\" -j X";
        let words = words(line).unwrap();
        let values: Vec<_> = words.iter().map(|word| word.value.as_ref()).collect();
        assert_eq!(values, ["-m", "comment", "--comment", "a \"b\" \\ c", "-j", "X"]);
        assert!(words[3].quoted);
        assert_eq!(&line[words[3].start..words[3].end], "\"a \\\"b\\\" \\\\ c\"");
    }

    #[test]
    fn an_open_quote_is_located() {
        assert_eq!(words("-j \"A"), Err(OpenQuote(3)));
        assert_eq!(words("\"\\"), Err(OpenQuote(0)));
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for text in ["", "plain_word-1", "a b", "é \"x\" \\ 'y'", "ns/name:http"] {
            let printed = Quoted(text).to_string();
            let words = words(&printed).unwrap();
            assert_eq!(words.len(), 1, "{printed}");
            assert_eq!(words[0].value, text);
        }
        // As iptables-save 1.8.9 prints it.
        assert_eq!(Quoted("é \"x\" \\ 'y'").to_string(), r#""é \"x\" \\ \'y\'""#);
    }
}
