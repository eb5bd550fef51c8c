//! Text to tokens. It never fails: a character that begins nothing becomes a token of its own, which the parser refuses
//! where it stands.

use nom::bytes::complete::{take_till, take_while1};
use nom::character::complete::char;
use nom::combinator::recognize;
use nom::sequence::{delimited, pair};
use nom::{IResult, Parser};

use std::net::Ipv6Addr;

use crate::text::Span;

/// What kind of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, name, number or address.
    Word,
    /// A text in quotes; the span has them too.
    Quoted,
    /// The name of a variable after `$`, which is in the span.
    Variable,
    /// A sign of one or two characters.
    Sign(Sign),
    /// The end of a line.
    Newline,
    /// A character that begins no token, or a quote that is not closed.
    Odd,
}

macro_rules! signs {
    ($($variant:ident = $text:literal;)*) => {
        /// Signs, the longest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Sign { $(#[doc = $text] $variant,)* }

        impl Sign {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is written.
            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

signs! {
    Eq = "=="; Neq = "!="; Lte = "<="; Gte = ">="; Lshift = "<<"; Rshift = ">>";
    Lt = "<"; Gt = ">"; Not = "!"; Assign = "="; Or = "|"; And = "&"; Xor = "^";
    Open = "{"; Close = "}"; ParenOpen = "("; ParenClose = ")"; BracketOpen = "["; BracketClose = "]";
    Comma = ","; Semicolon = ";"; Colon = ":"; Dot = "."; Dash = "-"; Slash = "/"; At = "@"; Star = "*"; Plus = "+";
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// The tokens of one source.
pub(super) fn lex(source: u32, text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / 5);
    let mut rest = text;
    while let Some((kind, length, after)) = next(rest) {
        if let Some(kind) = kind {
            let start = (text.len() - rest.len()) as u32;
            tokens.push(Token { kind, span: Span { source, start, end: start + length as u32 } });
        }
        rest = after;
    }
    tokens
}

/// The next token, its length and what follows it; a blank or comment has no kind.
fn next(text: &str) -> Option<(Option<Kind>, usize, &str)> {
    let first = text.chars().next()?;
    let (kind, length) = match first {
        ' ' | '\t' | '\r' => (None, 1),
        '\n' => (Some(Kind::Newline), 1),
        '#' => (None, text.find('\n').unwrap_or(text.len())),
        '\\' => match continuation(text) {
            Some(length) => (None, length),
            None => (Some(Kind::Odd), 1),
        },
        '"' => matched(quoted(text), text).map_or((Some(Kind::Odd), 1), |length| (Some(Kind::Quoted), length)),
        '$' => matched(variable(text), text).map_or((Some(Kind::Odd), 1), |length| (Some(Kind::Variable), length)),
        _ => word(text).map_or_else(
            || match Sign::ALL.iter().find(|sign| text.starts_with(sign.text())) {
                Some(sign) => (Some(Kind::Sign(*sign)), sign.text().len()),
                None => (Some(Kind::Odd), first.len_utf8()),
            },
            |length| (Some(Kind::Word), length),
        ),
    };
    Some((kind, length, &text[length..]))
}

/// A backslash at the end of a line, with the blanks and the line end after it.
fn continuation(text: &str) -> Option<usize> {
    let blanks = text[1..].len() - text[1..].trim_start_matches([' ', '\t', '\r']).len();
    text[1 + blanks..].starts_with('\n').then_some(blanks + 2)
}

fn quoted(text: &str) -> IResult<&str, &str> {
    recognize(delimited(char('"'), take_till(|c| c == '"'), char('"'))).parse(text)
}

fn variable(text: &str) -> IResult<&str, &str> {
    recognize(pair(char('$'), take_while1(|c: char| is_word(c) || c == '.'))).parse(text)
}

fn matched(result: IResult<&str, &str>, text: &str) -> Option<usize> {
    result.ok().map(|(rest, _)| text.len() - rest.len())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-')
}

/// The length of a word: an address with colons, a number, or a name.
fn word(text: &str) -> Option<usize> {
    if let Some(length) = address(text) {
        return Some(length);
    }
    let first = text.chars().next()?;
    let length = if first.is_ascii_digit() {
        number(text)
    } else if first.is_ascii_alphabetic() || first == '_' {
        matched(name(text), text)?
    } else {
        return None;
    };
    // A pattern, as `eth*`; after a backslash the star is an ordinary character.
    match &text[length..] {
        rest if rest.starts_with('*') && !first.is_ascii_digit() => Some(length + 1),
        rest if rest.starts_with("\\*") => Some(length + 2),
        _ => Some(length),
    }
}

fn name(text: &str) -> IResult<&str, &str> {
    let (_, found) = take_while1(|c: char| is_word(c) || c == '.').parse(text)?;
    // A dot at the end belongs to what follows: `ip saddr. tcp dport`. A slash does not: kube-proxy names chains of ports
    // without a name `service-ABC-ns/web/tcp/`.
    let kept = found.trim_end_matches('.');
    Ok((&text[kept.len()..], kept))
}

/// Digits with letters (`0x1f`, `10mbytes`, `1h30m`), or four numbers with dots.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let dot = *byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || *byte == b'_' || dot) {
            break;
        }
        at += 1;
    }
    at
}

/// The length of an IPv6 or link layer address, a traffic class or a time of day: what has colons inside.
fn address(text: &str) -> Option<usize> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_hexdigit() || text.starts_with("::")) {
        return None;
    }
    // The longest of them is 45 characters long.
    let run = text.bytes().take(64).take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')).count();
    // `fe80:::` is `fe80::` and a sign.
    let run = text[..run].find(":::").map_or(run, |at| at + 2);
    if run == 64 || !text[..run].contains(':') {
        return None;
    }
    let mut length = run;
    while length > 0 {
        let candidate = &text[..length];
        let ended = text[length..].chars().next().is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_'));
        if ended && is_address(candidate) {
            return Some(length);
        }
        // A separator may stand right behind: `::1:` in a map, `::1.` before a concatenation.
        if !candidate.ends_with([':', '.']) {
            return None;
        }
        length -= 1;
    }
    None
}

fn is_address(text: &str) -> bool {
    if text.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    let groups = text.split(':').count();
    let hex = |max: usize| text.split(':').all(|group| (1..=max).contains(&group.len()) && !group.contains('.'));
    match groups {
        2 => hex(4),
        3..=6 => hex(2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        lex(0, text).iter().map(|token| &text[token.span.start as usize..token.span.end as usize]).collect()
    }

    #[test]
    fn addresses_numbers_and_names_are_single_words() {
        let text = "fe80::1/64 00:11:22:33:44:55 1.2.3.4-1.2.3.9 [::1]:80 eth0.100 wg* 10mbytes 0x1f a-b";
        let expected = [
            "fe80::1",
            "/",
            "64",
            "00:11:22:33:44:55",
            "1.2.3.4",
            "-",
            "1.2.3.9",
            "[",
            "::1",
            "]",
            ":",
            "80",
            "eth0.100",
            "wg*",
            "10mbytes",
            "0x1f",
            "a-b",
        ];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn map_elements_without_blanks_come_apart() {
        assert_eq!(texts("{25:accept,1.2.3.4:80}"), ["{", "25", ":", "accept", ",", "1.2.3.4", ":", "80", "}"]);
        assert_eq!(texts("::1: drop"), ["::1", ":", "drop"]);
    }

    #[test]
    fn a_slash_at_the_end_of_a_name_is_a_part_of_it() {
        assert_eq!(texts("goto svc-ns/web/tcp/,"), ["goto", "svc-ns/web/tcp/", ","]);
        assert_eq!(texts("fe80::/64 saddr. x"), ["fe80::", "/", "64", "saddr", ".", "x"]);
    }

    #[test]
    fn comments_continuations_and_open_quotes() {
        assert_eq!(texts("a # b\nc \\\n d"), ["a", "\n", "c", "d"]);
        assert_eq!(lex(0, "\"a").first().unwrap().kind, Kind::Odd);
        assert_eq!(texts("$a-b \"x # y\""), ["$a-b", "\"x # y\""]);
    }
}
