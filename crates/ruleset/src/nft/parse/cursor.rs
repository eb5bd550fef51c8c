//! Moving over tokens.

use super::super::lex::{Kind, Sign, Token};
use super::{Fail, Parser, Result};
use crate::ir::{Comment, NameError};
use crate::text::{ParseError, Span};

/// How deep brackets and braces may be nested: far deeper than anything people write.
const DEPTH: usize = 48;

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<Token> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens[..self.end].get(self.at + ahead).copied()
    }

    /// The place of the next token, or of the end.
    pub(super) fn span(&self) -> Span {
        self.peek()
            .or_else(|| self.tokens.get(self.end).copied())
            .or_else(|| self.tokens.last().copied())
            .map_or(Span::default(), |t| t.span)
    }

    /// From the beginning of `start` to the token before the next one.
    pub(super) fn span_from(&self, start: usize) -> Span {
        let first = self.tokens.get(start).map_or(Span::default(), |token| token.span);
        match self.at.checked_sub(1).and_then(|last| self.tokens.get(last)) {
            Some(last) if last.span.source == first.source && last.span.end > first.end => {
                Span { end: last.span.end, ..first }
            }
            _ => first,
        }
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        self.sources.text(token.span)
    }

    /// The next token as a word; empty if it is none.
    pub(super) fn peek_word(&self) -> &'a str {
        self.word_at(0)
    }

    pub(super) fn word_at(&self, ahead: usize) -> &'a str {
        match self.peek_at(ahead) {
            Some(token) if token.kind == Kind::Word => self.sources.text(token.span),
            _ => "",
        }
    }

    pub(super) fn peek_is(&self, sign: Sign) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Sign(sign))
    }

    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    pub(super) fn eat(&mut self, sign: Sign) -> bool {
        let found = self.peek_is(sign);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, sign: Sign) -> Result<()> {
        if self.eat(sign) { Ok(()) } else { self.unexpected(format!("`{}`", sign.text())) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { self.unexpected(format!("`{word}`")) }
    }

    /// The next token is not what should be there.
    pub(super) fn unexpected<T>(&self, expected: impl Into<String>) -> Result<T> {
        Fail::expected(self.span(), format!("{} does not belong here", self.next_name()), expected)
    }

    /// How a message calls the next token.
    pub(super) fn next_name(&self) -> String {
        match self.peek() {
            None => "the end of the text".to_owned(),
            Some(token) if token.kind == Kind::Newline => "the end of the line".to_owned(),
            Some(token) if token.kind == Kind::Odd && self.text(token) == "\"" => {
                "a quote that is not closed".to_owned()
            }
            Some(token) => format!("`{}`", self.text(token)),
        }
    }

    /// A word that is a name or value: any word.
    pub(super) fn word(&mut self, expected: &str) -> Result<Token> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => {
                self.bump();
                Ok(token)
            }
            _ => self.unexpected(expected),
        }
    }

    /// A word or a text in quotes, without them.
    pub(super) fn text_or_word(&mut self, expected: &str) -> Result<(String, Span)> {
        match self.peek() {
            Some(token) if matches!(token.kind, Kind::Word | Kind::Quoted) => {
                self.bump();
                Ok((self.unquoted(token).to_owned(), token.span))
            }
            _ => self.unexpected(expected),
        }
    }

    pub(super) fn unquoted(&self, token: Token) -> &'a str {
        let text = self.text(token);
        match token.kind {
            Kind::Quoted => text.get(1..text.len() - 1).unwrap_or_default(),
            _ => text,
        }
    }

    pub(super) fn quoted(&mut self, expected: &str) -> Result<(String, Span)> {
        match self.peek() {
            Some(token) if token.kind == Kind::Quoted => self.text_or_word(expected),
            _ => self.unexpected(expected),
        }
    }

    /// A name that the kernel takes. nft has no quotes around names.
    pub(super) fn name<T>(&mut self, expected: &str) -> Result<T>
    where
        T: std::str::FromStr<Err = NameError>,
    {
        let token = self.word(expected)?;
        self.text(token).parse().or_else(|error: NameError| Fail::new(token.span, error.to_string()))
    }

    /// A name that may stand in quotes: of a device or, where it is used, of an object.
    pub(super) fn quotable_name<T>(&mut self, expected: &str) -> Result<T>
    where
        T: std::str::FromStr<Err = NameError>,
    {
        let (text, span) = self.text_or_word(expected)?;
        text.parse().or_else(|error: NameError| Fail::new(span, error.to_string()))
    }

    /// What stands after `comment`; nothing if it is empty.
    pub(super) fn comment(&mut self) -> Result<Option<Comment>> {
        let (text, span) = self.text_or_word("a comment in quotes")?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).or_else(|error: NameError| Fail::new(span, error.to_string()))
    }

    /// A number of that type.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, expected: &str) -> Result<T> {
        let token = self.word(expected)?;
        let Some(number) = super::literal::number(self.text(token)) else {
            return Fail::expected(token.span, format!("`{}` is no number", self.text(token)), expected);
        };
        u64::try_from(number)
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .map_or_else(|| Fail::new(token.span, format!("{number} is too large here")), Ok)
    }

    pub(super) fn skip_newlines(&mut self) {
        while self.peek().is_some_and(|token| token.kind == Kind::Newline) {
            self.bump();
        }
    }

    /// Line ends and semicolons.
    pub(super) fn skip_separators(&mut self) {
        while self.at_separator() {
            self.bump();
        }
    }

    pub(super) fn at_separator(&self) -> bool {
        self.peek().is_some_and(|token| matches!(token.kind, Kind::Newline | Kind::Sign(Sign::Semicolon)))
    }

    /// At a line end, a semicolon, a closing brace or the end of the text.
    pub(super) fn at_end(&self) -> bool {
        self.peek().is_none() || self.at_separator() || self.peek_is(Sign::Close)
    }

    /// The statement must be complete here.
    pub(super) fn expect_end(&mut self) -> Result<()> {
        if self.at_end() { Ok(()) } else { self.unexpected("the end of the statement") }
    }

    /// Skips to the end of the statement, over whole blocks.
    pub(super) fn skip_statement(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Sign(Sign::Open) => depth += 1,
                Kind::Sign(Sign::Close) if depth == 0 => return,
                Kind::Sign(Sign::Close) => depth -= 1,
                Kind::Newline | Kind::Sign(Sign::Semicolon) if depth == 0 => return,
                _ => {}
            }
            self.bump();
        }
    }

    /// Reads `{ statement … }`, each by `item`; a statement that fails is reported and skipped.
    pub(super) fn block(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let open = self.span();
        self.expect(Sign::Open)?;
        self.nested(|parser| {
            loop {
                parser.skip_separators();
                if parser.eat(Sign::Close) {
                    return Ok(());
                }
                if parser.peek().is_none() {
                    return Fail::expected(open, "this brace is not closed", "`}`");
                }
                let before = parser.at;
                let read = item(parser).and_then(|()| parser.expect_end());
                parser.recover(read);
                if parser.at == before {
                    parser.bump();
                }
            }
        })
    }

    /// Reports a failure and goes to the end of the statement.
    pub(super) fn recover(&mut self, read: Result<()>) {
        if let Err(fail) = read {
            self.report(*fail);
            self.skip_statement();
        }
    }

    pub(super) fn report(&mut self, fail: Fail) {
        let error = self.sources.error(fail.span, fail.message);
        self.errors.push(ParseError { expected: fail.expected, ..error });
    }

    /// Reads something inside brackets, which must not be nested without bound.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH {
            return Fail::new(self.span(), "brackets are nested too deeply");
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}
