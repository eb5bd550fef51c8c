//! Sources: texts, what they include and define. What comes out is one flat row of tokens in which variables stand for
//! what they were defined as.

use std::collections::HashMap;
use std::rc::Rc;

use super::lex::{Kind, Sign, Token, lex};
use crate::text::{ParseError, Sources, Span};

/// Gives the texts that `include` names. The crate reads no files itself.
pub trait Loader {
    /// The texts behind the path or pattern after `include`, in order, each with its own name. A pattern (`*`, `?`, `[`)
    /// that fits nothing gives none.
    ///
    /// # Errors
    /// Why there is no such text, as one sentence without a full stop.
    fn load(&mut self, pattern: &str, included_from: &str) -> Result<Vec<(String, String)>, String>;

    /// The number of a user of this machine. `root` is asked for nowhere: it is 0 everywhere.
    fn user(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }

    /// The number of a group of this machine.
    fn group(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }
}

/// A loader for texts that include nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIncludes;

impl Loader for NoIncludes {
    fn load(&mut self, _: &str, _: &str) -> Result<Vec<(String, String)>, String> {
        Err("nothing can be included here".to_owned())
    }
}

/// nft's own limit (`MAX_INCLUDE_DEPTH`, src/scanner.l).
const INCLUDE_DEPTH: usize = 16;
/// How many tokens variables may make in all: what people write stays far below, a bomb does not.
const EXPANSION: usize = 4_000_000;

/// Reads all of it.
pub(super) struct Reader<'a> {
    pub(super) sources: Sources,
    pub(super) errors: Vec<ParseError>,
    loader: &'a mut dyn Loader,
    /// One for the file and one for each open brace.
    scopes: Vec<HashMap<String, Rc<[Token]>>>,
    tokens: Vec<Token>,
    expanded: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(loader: &'a mut dyn Loader) -> Self {
        Self {
            sources: Sources::default(),
            errors: Vec::new(),
            loader,
            scopes: vec![HashMap::new()],
            tokens: Vec::new(),
            expanded: 0,
            depth: 0,
        }
    }

    /// Adds a text and all it includes.
    pub(super) fn read(&mut self, name: &str, text: &str) {
        if u32::try_from(text.len()).is_err() {
            self.errors.push(ParseError::whole(name, "the text is longer than 4 GiB"));
            return;
        }
        let source = self.sources.add(name, text);
        let tokens = lex(source, text);
        let mut at = 0;
        let mut fresh = true;
        while let Some(token) = tokens.get(at) {
            let word = if fresh && token.kind == Kind::Word { self.sources.text(token.span) } else { "" };
            match word {
                "define" | "redefine" | "undefine" | "include" => {
                    let end = statement_end(&tokens, at);
                    self.directive(&tokens[at..end]);
                    at = end;
                    continue;
                }
                _ => {}
            }
            fresh = matches!(token.kind, Kind::Newline | Kind::Sign(Sign::Semicolon | Sign::Open | Sign::Close));
            self.scope(token.kind);
            self.push(*token);
            at += 1;
        }
        self.tokens.push(Token { kind: Kind::Newline, span: end_of(source, text) });
    }

    /// What was read.
    pub(super) fn finish(self) -> (Sources, Vec<Token>, Vec<ParseError>) {
        (self.sources, self.tokens, self.errors)
    }

    fn scope(&mut self, kind: Kind) {
        match kind {
            Kind::Sign(Sign::Open) => self.scopes.push(HashMap::new()),
            Kind::Sign(Sign::Close) if self.scopes.len() > 1 => {
                self.scopes.pop();
            }
            _ => {}
        }
    }

    /// Adds a token, a variable as what it stands for.
    fn push(&mut self, token: Token) {
        if token.kind != Kind::Variable {
            self.tokens.push(token);
            return;
        }
        if let Some(value) = self.resolve(token) {
            self.tokens.extend_from_slice(&value);
        }
    }

    fn resolve(&mut self, token: Token) -> Option<Rc<[Token]>> {
        let name = self.sources.text(token.span).trim_start_matches('$');
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name)).cloned();
        let Some(value) = found else {
            let known = self.scopes.iter().flat_map(HashMap::keys).map(String::as_str);
            let nearest = crate::text::nearest(name, known).map(|near| format!("`${near}`"));
            let error = self.sources.error(token.span, format!("unknown variable `${name}`"));
            self.errors.push(ParseError { expected: nearest, ..error });
            // Something must stand there, or what follows is blamed.
            return None;
        };
        let before = self.expanded;
        self.expanded = before.saturating_add(value.len());
        if self.expanded > EXPANSION {
            // Said once; what follows is not read any more.
            if before <= EXPANSION {
                self.errors.push(self.sources.error(token.span, "variables stand for too much text"));
            }
            return None;
        }
        Some(value)
    }

    /// `define x = …` and the like, to the end of the statement.
    fn directive(&mut self, tokens: &[Token]) {
        let [keyword, rest @ ..] = tokens else { return };
        match (self.sources.text(keyword.span), rest) {
            ("include", [path, ..]) if path.kind == Kind::Quoted => self.include(*path),
            ("include", _) => self.complain(keyword.span, "`include` needs a path in quotes"),
            ("undefine", [name]) if name.kind == Kind::Word => {
                let text = self.sources.text(name.span).to_owned();
                if !self.scopes.iter_mut().rev().any(|scope| scope.remove(&text).is_some()) {
                    self.complain(name.span, format!("unknown variable `{text}`"));
                }
            }
            (verb @ ("define" | "redefine"), [name, assign, value @ ..])
                if name.kind == Kind::Word && assign.kind == Kind::Sign(Sign::Assign) && !value.is_empty() =>
            {
                let redefine = verb == "redefine";
                self.define(*name, value, redefine);
            }
            (verb, _) => {
                let message = format!("`{verb}` is not complete");
                self.complain(keyword.span, message);
            }
        }
    }

    fn define(&mut self, name: Token, value: &[Token], redefine: bool) {
        let mut expanded = Vec::with_capacity(value.len());
        for token in value {
            match token.kind {
                Kind::Variable => expanded.extend(self.resolve(*token).iter().flat_map(|tokens| tokens.iter())),
                _ => expanded.push(*token),
            }
        }
        let text = self.sources.text(name.span).to_owned();
        let known = self.scopes.last().is_some_and(|scope| scope.contains_key(&text));
        if known && !redefine {
            self.complain(name.span, format!("variable `{text}` is defined already"));
        }
        let scope = self.scopes.last_mut().expect("the file's own scope is never closed");
        scope.insert(text, expanded.into());
    }

    fn include(&mut self, path: Token) {
        if self.depth == INCLUDE_DEPTH {
            self.complain(path.span, "files include one another too deeply");
            return;
        }
        let pattern = self.sources.text(path.span).trim_matches('"').to_owned();
        let from = self.sources.name(path.span).to_owned();
        match self.loader.load(&pattern, &from) {
            Ok(texts) => {
                self.depth += 1;
                for (name, text) in texts {
                    self.read(&name, &text);
                }
                self.depth -= 1;
            }
            Err(why) => self.complain(path.span, format!("cannot include `{pattern}`: {why}")),
        }
    }

    fn complain(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(self.sources.error(span, message));
    }
}

fn end_of(source: u32, text: &str) -> Span {
    Span { source, start: text.len() as u32, end: text.len() as u32 }
}

/// Where the statement that begins at `at` ends: at a line's end or semicolon outside of braces.
fn statement_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in tokens[at..].iter().enumerate() {
        match token.kind {
            Kind::Sign(Sign::Open) => depth += 1,
            Kind::Sign(Sign::Close) if depth == 0 => return at + offset,
            Kind::Sign(Sign::Close) => depth -= 1,
            Kind::Newline | Kind::Sign(Sign::Semicolon) if depth == 0 => return at + offset,
            _ => {}
        }
    }
    tokens.len()
}
