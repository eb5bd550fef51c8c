//! YAML and JSON texts as trees whose every node knows its place.
//!
//! JSON is read as the YAML it is (YAML 1.2, section 1.3). The tree is the raw layer: it holds whatever a text may hold;
//! [`super::decode`] makes types of it.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::text::ParseError;

/// How deep collections may stand inside one another.
const DEPTH: usize = 64;
/// How many nodes anchors and aliases may copy in one text: a few lines could otherwise stand for billions.
const COPIES: usize = 2_000_000;

/// A range of bytes of the text, and in which line and column it begins, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A text; `plain` if it stands without quotes, so that `true`, `80` and `null` mean more than their letters.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Whether it says that there is no value.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value of that key, if this is a mapping that has it.
    pub(super) fn field(&self, key: &str) -> Option<&Self> {
        let Content::Mapping(entries) = &self.content else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// Its text, if it is a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Takes the items out of the list of that key and leaves it empty, if this is a mapping that has such a list.
    pub(super) fn take_items(&mut self, key: &str) -> Vec<Self> {
        let Content::Mapping(entries) = &mut self.content else { return Vec::new() };
        match entries.iter_mut().find(|(name, _)| name.text() == Some(key)) {
            Some((_, Self { content: Content::Sequence(items), .. })) => std::mem::take(items),
            _ => Vec::new(),
        }
    }
}

/// Reads the documents of a text; empty ones are left out.
///
/// # Errors
/// Where it is no YAML. What stands before is lost: a text that breaks off cannot be trusted to mean what it says.
pub(super) fn parse(source_name: &str, text: &str) -> Result<Vec<Node>, ParseError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(text.len());
            if after_tab(text, at) {
                let message = "a tab indents this line, but YAML is indented by spaces";
                return ParseError::at(source_name, text, at, at + 1, message);
            }
            let message = format!("this is no YAML: {}", error.info());
            let error = ParseError::at(source_name, text, at, at + 1, message);
            if text.get(..at).is_some_and(|before| before.ends_with(']')) && text[at..].starts_with(':') {
                return error.expecting("quotes, as in `\"[fd00:244::11]:8080\"`");
            }
            error
        })?;
        let place = place(&span, text.len());
        builder.event(event, place).map_err(|message| {
            ParseError::at(source_name, text, place.start, place.end.max(place.start + 1), message)
        })?;
    }
    Ok(builder.documents)
}

fn place(span: &Span, len: usize) -> Place {
    let start = span.start.byte_offset().unwrap_or(len);
    let end = span.end.byte_offset().unwrap_or(len).max(start);
    Place { start, end, line: span.start.line(), column: span.start.col() + 1 }
}

/// Whether the line is indented by a tab. The parser only says that it does not understand what follows.
fn after_tab(text: &str, at: usize) -> bool {
    let line = text.get(..at).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
    text.get(line..).is_some_and(|line| line.trim_start_matches(' ').starts_with('\t'))
}

/// A node, and what it costs to copy it: how many nodes it has and how deep they stand.
#[derive(Clone)]
struct Measured {
    node: Node,
    size: usize,
    depth: usize,
}

/// A collection that is not closed yet, and under which anchor it is known.
struct Open {
    place: Place,
    anchor: usize,
    size: usize,
    depth: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    /// The entries, and the key whose value is to come.
    Mapping(Vec<(Node, Node)>, Option<Node>),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Measured>,
    copies: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, place: Place) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref())?;
                let content = Content::Scalar { text: text.into_owned(), plain };
                self.put(Measured { node: Node { place, content }, size: 1, depth: 0 }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_text(tag.as_deref())?;
                self.begin(Items::Sequence(Vec::new()), place, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                is_text(tag.as_deref())?;
                self.begin(Items::Mapping(Vec::new(), None), place, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.close(open, place),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).ok_or("an alias inside of what it stands for")?;
                if self.open.len() + known.depth > DEPTH {
                    return Err(too_deep());
                }
                self.copies += known.size;
                if self.copies > COPIES {
                    return Err(too_many());
                }
                let known = known.clone();
                self.put(known, 0)
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, items: Items, place: Place, anchor: usize) -> Result<(), String> {
        if self.open.len() >= DEPTH {
            return Err(too_deep());
        }
        self.open.push(Open { place, anchor, size: 1, depth: 1, items });
        Ok(())
    }

    fn close(&mut self, open: Open, end: Place) -> Result<(), String> {
        let content = match open.items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping(entries, _) => Content::Mapping(entries),
        };
        let place = Place { end: end.end.max(open.place.end), ..open.place };
        self.put(Measured { node: Node { place, content }, size: open.size, depth: open.depth }, open.anchor)
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, measured: Measured, anchor: usize) -> Result<(), String> {
        if anchor > 0 {
            // An anchor in an anchor in an anchor is copied three times.
            self.copies += measured.size;
            if self.copies > COPIES {
                return Err(too_many());
            }
            self.anchors.insert(anchor, measured.clone());
        }
        let Measured { node, size, depth } = measured;
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        open.size += size;
        open.depth = open.depth.max(depth + 1);
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping(entries, key) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
        }
        Ok(())
    }
}

fn too_many() -> String {
    format!("anchors and aliases stand for more than {COPIES} values")
}

fn too_deep() -> String {
    format!("more than {DEPTH} collections inside one another")
}

/// Whether a tag says that a scalar is a text whatever it looks like. Tags that YAML does not define mean nothing here.
fn is_text(tag: Option<&Tag>) -> Result<bool, String> {
    match tag.map(|tag| (tag.core_suffix(), tag)) {
        None => Ok(false),
        Some((Some(core), _)) => Ok(core == "str"),
        Some((None, tag)) => Err(format!("the tag `{}` means nothing here", tag.original())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse("map.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn documents_are_found_and_empty_ones_left_out() {
        assert_eq!(parse("f", "a: 1\n---\n---\nb: 2\n").unwrap().len(), 2);
        assert_eq!(parse("f", "").unwrap().len(), 0);
        assert_eq!(parse("f", "{\"a\": [1, 2]}").unwrap().len(), 1);
    }

    #[test]
    fn a_tab_where_none_may_be_is_located() {
        insta::assert_snapshot!(error("services:\n\t- name: web\n"), @"
        map.yaml:2:2: error: a tab indents this line, but YAML is indented by spaces
        	- name: web
        	^
        ");
    }

    #[test]
    fn a_text_that_breaks_off_is_an_error() {
        insta::assert_snapshot!(error("{\"services\": ["), @r#"
        map.yaml:1:14: error: this is no YAML: unclosed bracket '['
        {"services": [
                     ^
        "#);
        insta::assert_snapshot!(error("a: \"text\n"), @r#"
        map.yaml:1:4: error: this is no YAML: unclosed quote
        a: "text
           ^
        "#);
    }

    #[test]
    fn a_tag_that_yaml_does_not_define_is_an_error() {
        insta::assert_snapshot!(error("a: !secret b\n"), @"
        map.yaml:1:12: error: the tag `!secret` means nothing here
        a: !secret b
                   ^
        ");
        let documents = parse("f", "!!map {a: !!str 80}").unwrap();
        assert_eq!(documents[0].field("a").unwrap().content, Content::Scalar { text: "80".into(), plain: false });
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = level - 1;
            text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{below}"); 10].join(", "));
        }
        assert!(error(&text).contains("aliases stand for more than"));
        // Each alias one deeper than the one before.
        let mut text = String::from("a0: &a0 [x]\n");
        for level in 1..100 {
            text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert!(error(&text).contains("inside one another"));
        for depth in [DEPTH + 1, 100_000] {
            let error = error(&"[".repeat(depth));
            assert!(error.contains("inside one another") || error.contains("no YAML"), "{error}");
        }
    }
}
