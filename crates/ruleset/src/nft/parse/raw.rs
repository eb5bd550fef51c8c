//! Expressions before their types are known.

use super::super::lex::{Kind, Sign, Token};
use super::{Fail, Parser, Result};
use crate::ir::{BinaryOp, Comment, Expression, SetName, Statement, Verdict};
use crate::text::Span;

/// An expression as written, and where.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Raw,
}

impl Node {
    fn depth(&self) -> usize {
        if let Raw::Binary { depth, .. } = self.kind { depth } else { 0 }
    }
}

/// How many operations may stand inside one another: enough for every bit of the longest field that has names for them.
const OPERATIONS: usize = 128;

/// What is written.
#[derive(Debug)]
pub(super) enum Raw {
    /// A word or quoted text whose meaning follows from its place.
    Literal(Token),
    /// Something that has a type of its own.
    Selector(Expression),
    Concat(Vec<Node>),
    Range(Box<Node>, Box<Node>),
    Prefix(Box<Node>, u32),
    List(Vec<Node>),
    Set(Vec<RawElement>),
    SetRef(SetName),
    Map {
        key: Box<Node>,
        map: Box<Node>,
    },
    Binary {
        /// How many operations stand inside one another.
        depth: usize,
        op: BinaryOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `*`.
    CatchAll,
}

/// An element as written.
#[derive(Debug)]
pub(super) struct RawElement {
    pub(super) key: Node,
    pub(super) timeout_ms: Option<u64>,
    pub(super) expires_ms: Option<u64>,
    pub(super) comment: Option<Comment>,
    pub(super) statements: Vec<Statement>,
    pub(super) data: Option<RawData>,
}

/// What an element leads to, as written.
#[derive(Debug)]
pub(super) enum RawData {
    Verdict(Verdict, Span),
    Node(Node),
}

/// What words may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Literals only: the right side of a match, elements.
    Literals,
    /// Literals with commas and slashes that are no prefix: flags.
    Flags,
    /// Selectors first.
    Full,
}

impl Parser<'_> {
    /// `a, b`, of what [`Self::concat`] reads.
    pub(super) fn list(&mut self, mode: Mode) -> Result<Node> {
        let start = self.at;
        let first = self.concat(mode)?;
        if !self.peek_is(Sign::Comma) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.eat(Sign::Comma) {
            self.skip_newlines();
            items.push(self.concat(mode)?);
        }
        Ok(Node { span: self.span_from(start), kind: Raw::List(items) })
    }

    /// `a . b`, and in full mode a map behind it.
    pub(super) fn concat(&mut self, mode: Mode) -> Result<Node> {
        let start = self.at;
        let mut node = self.binary(mode, 3)?;
        if self.peek_is(Sign::Dot) {
            let mut parts = vec![node];
            while self.eat(Sign::Dot) {
                self.skip_newlines();
                parts.push(self.binary(mode, 3)?);
            }
            node = Node { span: self.span_from(start), kind: Raw::Concat(parts) };
        }
        if mode == Mode::Full && self.eat_word("map") {
            let map = Box::new(self.primary(Mode::Literals)?);
            node = Node { span: self.span_from(start), kind: Raw::Map { key: Box::new(node), map } };
        }
        Ok(node)
    }

    /// Operations that bind as much as `level` says, or more: 0 shifts, 1 and, 2 xor, 3 or.
    fn binary(&mut self, mode: Mode, level: u8) -> Result<Node> {
        let start = self.at;
        let mut left = if level == 0 { self.range(mode)? } else { self.binary(mode, level - 1)? };
        while let Some(op) = self.operator(level) {
            self.bump();
            let right = if level == 0 { self.range(mode)? } else { self.binary(mode, level - 1)? };
            let depth = left.depth().max(right.depth()) + 1;
            if depth > OPERATIONS {
                return Fail::new(self.span_from(start), format!("this has more than {OPERATIONS} operations"));
            }
            let kind = Raw::Binary { depth, op, left: Box::new(left), right: Box::new(right) };
            left = Node { span: self.span_from(start), kind };
        }
        Ok(left)
    }

    fn operator(&self, level: u8) -> Option<BinaryOp> {
        let token = self.peek()?;
        let (op, of) = match token.kind {
            Kind::Sign(Sign::Lshift) => (BinaryOp::Lshift, 0),
            Kind::Sign(Sign::Rshift) => (BinaryOp::Rshift, 0),
            Kind::Sign(Sign::And) => (BinaryOp::And, 1),
            Kind::Sign(Sign::Xor) => (BinaryOp::Xor, 2),
            Kind::Sign(Sign::Or) => (BinaryOp::Or, 3),
            Kind::Word => match self.text(token) {
                "lshift" => (BinaryOp::Lshift, 0),
                "rshift" => (BinaryOp::Rshift, 0),
                "and" => (BinaryOp::And, 1),
                "xor" => (BinaryOp::Xor, 2),
                "or" => (BinaryOp::Or, 3),
                _ => return None,
            },
            _ => return None,
        };
        (of == level).then_some(op)
    }

    /// `a-b`, `a/24` or `a`.
    fn range(&mut self, mode: Mode) -> Result<Node> {
        let start = self.at;
        let first = self.primary(mode)?;
        if !matches!(first.kind, Raw::Literal(_)) {
            return Ok(first);
        }
        if self.eat(Sign::Dash) {
            let last = self.primary(mode)?;
            let kind = Raw::Range(Box::new(first), Box::new(last));
            return Ok(Node { span: self.span_from(start), kind });
        }
        if mode != Mode::Flags && self.eat(Sign::Slash) {
            let bits = self.number::<u32>("the length of a prefix")?;
            return Ok(Node { span: self.span_from(start), kind: Raw::Prefix(Box::new(first), bits) });
        }
        Ok(first)
    }

    pub(super) fn primary(&mut self, mode: Mode) -> Result<Node> {
        let start = self.at;
        if mode == Mode::Full
            && let Some(expression) = self.selector()?
        {
            return Ok(Node { span: self.span_from(start), kind: Raw::Selector(expression) });
        }
        let Some(token) = self.peek() else { return self.unexpected("a value") };
        let kind = match token.kind {
            Kind::Word | Kind::Quoted => {
                self.bump();
                Raw::Literal(token)
            }
            Kind::Sign(Sign::Star) => {
                self.bump();
                Raw::CatchAll
            }
            Kind::Sign(Sign::At) => {
                self.bump();
                Raw::SetRef(self.name("the name of a set")?)
            }
            Kind::Sign(Sign::Open) => Raw::Set(self.raw_elements()?),
            Kind::Sign(Sign::ParenOpen) => {
                self.bump();
                let inner = self.nested(|parser| parser.binary(mode, 3))?;
                self.expect(Sign::ParenClose)?;
                return Ok(inner);
            }
            Kind::Sign(Sign::BracketOpen) => {
                self.bump();
                let address = self.word("an address")?;
                self.expect(Sign::BracketClose)?;
                Raw::Literal(address)
            }
            _ => return self.unexpected("a value"),
        };
        Ok(Node { span: self.span_from(start), kind })
    }

    /// `{ element, … }`.
    pub(super) fn raw_elements(&mut self) -> Result<Vec<RawElement>> {
        let mut elements = Vec::new();
        self.each_element(|_, element| {
            elements.push(element);
            Ok(())
        })?;
        Ok(elements)
    }

    /// Reads `{ element, … }` and gives each element away; sets inside sets are taken apart.
    pub(super) fn each_element(&mut self, mut take: impl FnMut(&mut Self, RawElement) -> Result<()>) -> Result<()> {
        let open = self.span();
        self.expect(Sign::Open)?;
        self.nested(|parser| {
            loop {
                parser.skip_newlines();
                if parser.eat(Sign::Close) {
                    return Ok(());
                }
                if parser.peek().is_none() {
                    return Fail::expected(open, "this brace is not closed", "`}`");
                }
                let element = parser.raw_element()?;
                match element {
                    RawElement { key: Node { kind: Raw::Set(inner), .. }, data: None, .. } => {
                        inner.into_iter().try_for_each(|element| take(parser, element))?;
                    }
                    element => take(parser, element)?,
                }
                parser.skip_newlines();
                if !parser.eat(Sign::Comma) && !parser.peek_is(Sign::Close) {
                    return parser.unexpected("`,` or `}`");
                }
            }
        })
    }

    fn raw_element(&mut self) -> Result<RawElement> {
        let key = self.concat(Mode::Literals)?;
        let mut element =
            RawElement { key, timeout_ms: None, expires_ms: None, comment: None, statements: Vec::new(), data: None };
        loop {
            match self.peek_word() {
                "timeout" => {
                    self.bump();
                    element.timeout_ms = Some(self.duration()?);
                }
                "expires" => {
                    self.bump();
                    element.expires_ms = Some(self.duration()?);
                }
                "comment" => {
                    self.bump();
                    element.comment = self.comment()?;
                }
                "counter" | "limit" | "quota" | "last" | "ct" => {
                    let stateful = self.stateful()?;
                    element.statements.push(stateful);
                }
                _ => break,
            }
        }
        self.skip_newlines_before(Sign::Colon);
        if self.eat(Sign::Colon) {
            self.skip_newlines();
            element.data = Some(self.raw_data()?);
            // Options may stand behind the data too.
            if element.comment.is_none() && self.eat_word("comment") {
                element.comment = self.comment()?;
            }
        }
        Ok(element)
    }

    /// Line ends, if what comes after them is that sign.
    fn skip_newlines_before(&mut self, sign: Sign) {
        let before = self.at;
        self.skip_newlines();
        if !self.peek_is(sign) {
            self.at = before;
        }
    }

    fn raw_data(&mut self) -> Result<RawData> {
        let start = self.at;
        match self.verdict()? {
            Some(verdict) => Ok(RawData::Verdict(verdict, self.span_from(start))),
            None => Ok(RawData::Node(self.concat(Mode::Literals)?)),
        }
    }

    /// A verdict, if one stands there.
    pub(super) fn verdict(&mut self) -> Result<Option<Verdict>> {
        let verdict = match self.peek_word() {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            word @ ("jump" | "goto") => {
                let jump = word == "jump";
                self.bump();
                let chain = self.name("the name of a chain")?;
                return Ok(Some(if jump { Verdict::Jump(chain) } else { Verdict::Goto(chain) }));
            }
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(verdict))
    }

    /// A span of time in milliseconds: `1d2h`, or a number of seconds.
    pub(super) fn duration(&mut self) -> Result<u64> {
        let (text, span) = self.text_or_word("a time")?;
        match super::literal::duration(&text) {
            Some(duration) => Ok(duration),
            None => Fail::expected(span, format!("`{text}` is no time"), "a time, as `1d2h30m`"),
        }
    }
}
