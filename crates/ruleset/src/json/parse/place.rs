//! Where in a text a value of a JSON document stands.
//!
//! Values carry no places: only what goes wrong needs one. The value is found again in its document by identity, and
//! its text by walking the same way.

use std::ops::Range;

use serde_json::Value as Json;

/// The way to a value: keys of objects and indices of arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// The way from `root` to `target`, which is part of it.
pub(super) fn way_to<'a>(root: &'a Json, target: &Json) -> Option<Vec<Step<'a>>> {
    if std::ptr::eq(root, target) {
        return Some(Vec::new());
    }
    let found = |step: Step<'a>, child: &'a Json| {
        way_to(child, target).map(|mut way| {
            way.push(step);
            way
        })
    };
    match root {
        Json::Object(map) => map.iter().find_map(|(key, child)| found(Step::Key(key), child)),
        Json::Array(list) => list.iter().enumerate().find_map(|(at, child)| found(Step::Index(at), child)),
        _ => None,
    }
}

/// The bytes of the value to which `way` leads (last step first, as [`way_to`] gives it) in `text`, which is legal JSON.
pub(super) fn locate(text: &str, way: &[Step<'_>]) -> Range<usize> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    scan.space();
    for step in way.iter().rev() {
        if scan.enter(step).is_none() {
            break;
        }
    }
    let start = scan.at;
    scan.skip();
    start..scan.at.max(start)
}

/// The way as a JSON pointer (RFC 6901).
pub(super) fn pointer(way: &[Step<'_>]) -> String {
    let step = |step: &Step<'_>| match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(at) => format!("/{at}"),
    };
    way.iter().rev().map(step).collect()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while self.peek().is_ascii_whitespace() || matches!(self.peek(), b',' | b':') {
            self.at += 1;
        }
    }

    /// To the value behind a step into the object or array that begins here.
    fn enter(&mut self, step: &Step<'_>) -> Option<()> {
        let start = self.at;
        self.at += 1;
        self.space();
        let mut index = 0;
        while self.at < self.bytes.len() && !matches!(self.peek(), b'}' | b']') {
            let here = match step {
                Step::Index(at) => index == *at,
                Step::Key(key) => {
                    let name = self.at;
                    self.skip();
                    let name = serde_json::from_slice::<String>(&self.bytes[name..self.at]).ok();
                    self.space();
                    name.as_deref() == Some(key)
                }
            };
            if here {
                return Some(());
            }
            self.skip();
            self.space();
            index += 1;
        }
        self.at = start;
        None
    }

    /// Behind the value that begins here.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match self.peek() {
                b'"' => self.skip_text(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                byte if byte.is_ascii_whitespace() || matches!(byte, b',' | b':') => self.at += 1,
                _ => {
                    while !matches!(self.peek(), b',' | b'}' | b']' | b':' | 0) && !self.peek().is_ascii_whitespace() {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_text(&mut self) {
        self.at += 1;
        while self.at < self.bytes.len() && self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_identity() {
        let text = r#" { "a" : [1, {"b\"}": "x", "c": [true, {"d": 12}]}, "x"], "e": null }"#;
        let root: Json = serde_json::from_str(text).unwrap();
        let target = &root["a"][1]["c"][1]["d"];
        let way = way_to(&root, target).unwrap();
        assert_eq!(pointer(&way), "/a/1/c/1/d");
        assert_eq!(&text[locate(text, &way)], "12");
        let way = way_to(&root, &root["a"][1]["b\"}"]).unwrap();
        assert_eq!(&text[locate(text, &way)], "\"x\"");
        assert_eq!(&text[locate(text, &way_to(&root, &root["e"]).unwrap())], "null");
        assert_eq!(way_to(&root, &Json::Null), None);
    }
}
