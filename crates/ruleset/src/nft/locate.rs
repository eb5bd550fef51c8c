//! Where a text declares something. Only rules keep their places, so that of anything else is looked for again when there
//! is something to say about it.

use super::lex::{Kind, Sign, Token, lex};
use crate::ir::{Family, TableId};
use crate::text::{Sources, Span};

/// Something that a text declares.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// The table it is in, or is.
    pub table: &'a TableId,
    /// The keyword and the name, for what is in a table: `("set", "hosts")`.
    pub part: Option<(&'a str, &'a str)>,
    /// For sets and maps: an element as nft lists it.
    pub element: Option<&'a str>,
}

/// Where it is declared: the element, if it is one that can be found as it is listed; else the head of the set; `None` if
/// that is not found either.
pub fn locate(sources: &Sources, wanted: Declared<'_>) -> Option<Span> {
    let whole = Declared { element: None, ..wanted };
    let candidates = if wanted.element.is_some() { vec![wanted, whole] } else { vec![whole] };
    candidates.into_iter().find_map(|wanted| {
        sources.texts().find_map(|(source, text)| {
            let tokens = lex(source, text);
            let tokens: Vec<Token> = tokens.into_iter().filter(|token| token.kind != Kind::Newline).collect();
            Search { text, tokens: &tokens, wanted }.find()
        })
    })
}

struct Search<'a> {
    text: &'a str,
    tokens: &'a [Token],
    wanted: Declared<'a>,
}

impl<'a> Search<'a> {
    fn find(&self) -> Option<Span> {
        let mut at = 0;
        while at < self.tokens.len() {
            let after_verb = at + usize::from(matches!(self.word(at), "add" | "create"));
            if let Some((name, end)) = self.named(after_verb, "table")
                && self.wanted.part.is_none()
            {
                return Some(span(&self.tokens[after_verb..end])).filter(|_| name == self.wanted.table.name.as_str());
            }
            if let Some((_, end)) = self.named(after_verb, "table")
                && self.is(end, Sign::Open)
            {
                let close = self.close(end);
                if let Some(found) = self.in_table(end + 1, close) {
                    return Some(found);
                }
                at = close;
            } else if after_verb > at
                && let Some(found) = self.command(after_verb)
            {
                return Some(found);
            }
            at += 1;
        }
        None
    }

    /// `keyword [family] name` of the wanted table: its name and where it ends.
    fn named(&self, at: usize, keyword: &str) -> Option<(&'a str, usize)> {
        if self.word(at) != keyword {
            return None;
        }
        let family = Family::from_keyword(self.word(at + 1));
        let name = at + 1 + usize::from(family.is_some());
        let is_wanted = family.unwrap_or(Family::Ip) == self.wanted.table.family
            && self.word(name) == self.wanted.table.name.as_str();
        is_wanted.then(|| (self.word(name), name + 1))
    }

    /// A declaration inside a table.
    fn in_table(&self, mut at: usize, end: usize) -> Option<Span> {
        let (keyword, name) = self.wanted.part?;
        while at < end {
            if self.word(at) == keyword && self.word(at + 1) == name {
                let head = span(&self.tokens[at..at + 2]);
                if self.wanted.element.is_none() {
                    return Some(head);
                }
                let close = if self.is(at + 2, Sign::Open) { self.close(at + 2) } else { at + 2 };
                let list = (at + 2..close).find(|at| self.word(*at) == "elements" && self.is(at + 2, Sign::Open));
                if let Some(found) = list.and_then(|list| self.in_elements(list + 2)) {
                    return Some(found);
                }
                at = close;
            } else if self.is(at, Sign::Open) {
                at = self.close(at);
            }
            at += 1;
        }
        None
    }

    /// `add set [family] table name` or `add element [family] table set { … }`, from behind the verb.
    fn command(&self, at: usize) -> Option<Span> {
        let (keyword, name) = self.wanted.part?;
        let said = self.word(at);
        let (_, end) = self.named(at, said)?;
        if self.word(end) != name {
            return None;
        }
        match self.wanted.element {
            Some(_) if said == "element" => self.in_elements(end + 1),
            None if said == keyword => Some(span(&self.tokens[at..=end])),
            _ => None,
        }
    }

    /// The wanted element of a list that begins at a brace.
    fn in_elements(&self, open: usize) -> Option<Span> {
        let wanted = lex(0, self.wanted.element?);
        let text = self.wanted.element?;
        let wanted: Vec<&str> = key(&wanted).iter().map(|token| slice(text, token)).collect();
        let list = &self.tokens[open + 1..self.close(open)];
        list.split(|token| token.kind == Kind::Sign(Sign::Comma)).find_map(|element| {
            let words = key(element).iter().map(|token| slice(self.text, token));
            (!element.is_empty() && words.eq(wanted.iter().copied())).then(|| span(element))
        })
    }

    /// The brace that closes the one at `open`, or the end.
    fn close(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Sign(Sign::Open) => depth += 1,
                Kind::Sign(Sign::Close) if depth <= 1 => return at,
                Kind::Sign(Sign::Close) => depth -= 1,
                _ => {}
            }
        }
        self.tokens.len()
    }

    fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).filter(|token| token.kind == Kind::Word).map_or("", |token| slice(self.text, token))
    }

    fn is(&self, at: usize, sign: Sign) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Sign(sign))
    }
}

/// The tokens of an element's key: what comes before its data, or before the first thing it keeps.
fn key(element: &[Token]) -> &[Token] {
    let end = element.iter().position(|token| token.kind == Kind::Sign(Sign::Colon) || token.kind == Kind::Quoted);
    &element[..end.unwrap_or(element.len())]
}

fn slice<'t>(text: &'t str, token: &Token) -> &'t str {
    text.get(token.span.start as usize..token.span.end as usize).unwrap_or_default()
}

fn span(tokens: &[Token]) -> Span {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => Span { end: last.span.end, ..first.span },
        _ => Span::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::TableName;

    const TEXT: &str = "table ip t { set s { type ipv4_addr; }; }\n\
        table inet t {\n  set s {\n    type ipv4_addr . inet_service\n    elements = { 192.0.2.1 . 22, 10.0.0.0/8 . 80-90 }\n  }\n\
        chain s { ip saddr { 1.1.1.1 } drop; }\n}\n\
        add element ip t s { 192.0.2.7 , 192.0.2.8 }\n";

    fn found(family: Family, part: Option<(&str, &str)>, element: Option<&str>) -> Option<&'static str> {
        let mut sources = Sources::default();
        sources.add("a.nft", TEXT);
        let table = TableId::new(family, TableName::new("t").unwrap());
        let span = locate(&sources, Declared { table: &table, part, element })?;
        Some(&TEXT[span.start as usize..span.end as usize])
    }

    #[test]
    fn what_is_declared_is_found_where_it_stands() {
        assert_eq!(found(Family::Inet, None, None), Some("table inet t"));
        assert_eq!(found(Family::Inet, Some(("chain", "s")), None), Some("chain s"));
        let set = Some(("set", "s"));
        assert_eq!(found(Family::Inet, set, Some("10.0.0.0/8 . 80-90")), Some("10.0.0.0/8 . 80-90"));
        assert_eq!(found(Family::Ip, set, Some("192.0.2.8")), Some("192.0.2.8"));
        assert_eq!(found(Family::Inet, set, Some("10.0.0.0/8 . 81")), Some("set s"), "not as it is written");
        assert_eq!(found(Family::Inet, Some(("set", "other")), None), None);
        assert_eq!(found(Family::Bridge, None, None), None);
    }
}
