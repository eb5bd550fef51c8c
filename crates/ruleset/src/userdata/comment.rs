//! Comments: of tables, chains, rules, objects and elements.

use super::tlv::{find, find_u32, put_text, put_u32};
use crate::ir::Comment;

/// `NFTNL_UDATA_{TABLE,CHAIN,RULE,OBJ,SET_ELEM}_COMMENT`: one number for all.
const COMMENT: u8 = 0;
/// `NFTNL_UDATA_SET_ELEM_FLAGS`.
const ELEMENT_FLAGS: u8 = 1;
/// `NFTNL_SET_ELEM_F_INTERVAL_OPEN`.
const INTERVAL_OPEN: u32 = 1;

fn commented(comment: &Comment) -> Vec<u8> {
    let mut buffer = Vec::new();
    put_text(&mut buffer, COMMENT, comment.as_str());
    buffer
}

/// The user data of a table with that comment (`NFTA_TABLE_USERDATA`).
pub fn table(comment: &Comment) -> Vec<u8> {
    commented(comment)
}

/// The user data of a chain with that comment (`NFTA_CHAIN_USERDATA`).
pub fn chain(comment: &Comment) -> Vec<u8> {
    commented(comment)
}

/// The user data of a rule with that comment (`NFTA_RULE_USERDATA`).
pub fn rule(comment: &Comment) -> Vec<u8> {
    commented(comment)
}

/// The user data of an object with that comment (`NFTA_OBJ_USERDATA`).
pub fn object(comment: &Comment) -> Vec<u8> {
    commented(comment)
}

/// The comment in the user data of a table, chain, rule or object; `None` also where it is no text.
pub fn parse_comment(userdata: &[u8]) -> Option<Comment> {
    text(find(userdata, COMMENT)?)
}

/// A text with or without its closing zero.
pub(super) fn text(value: &[u8]) -> Option<Comment> {
    let value = value.split(|byte| *byte == 0).next()?;
    Comment::new(std::str::from_utf8(value).ok()?).ok()
}

/// What the user data of an element says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementUserdata {
    /// Its comment.
    pub comment: Option<Comment>,
    /// It starts an interval without an end: up to the highest value there is.
    pub interval_open: bool,
}

/// The user data of an element (`NFTA_SET_ELEM_USERDATA`); empty where there is nothing to say.
pub fn element(element: &ElementUserdata) -> Vec<u8> {
    let mut buffer = Vec::new();
    if let Some(comment) = &element.comment {
        put_text(&mut buffer, COMMENT, comment.as_str());
    }
    if element.interval_open {
        put_u32(&mut buffer, ELEMENT_FLAGS, INTERVAL_OPEN);
    }
    buffer
}

/// What the user data of an element says.
pub fn parse_element(userdata: &[u8]) -> ElementUserdata {
    ElementUserdata {
        comment: parse_comment(userdata),
        interval_open: find_u32(userdata, ELEMENT_FLAGS).is_some_and(|flags| flags & INTERVAL_OPEN != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_texts_with_a_closing_zero() {
        let comment = Comment::new("rulec").unwrap();
        assert_eq!(rule(&comment), *b"\x00\x06rulec\0");
        assert_eq!(parse_comment(b"\x00\x06rulec\0"), Some(comment));
        assert_eq!(parse_comment(b"\x00\x06rul"), None);
        assert_eq!(parse_comment(b"\x00\x02\xff\0"), None);
    }

    #[test]
    fn an_interval_without_end_is_flagged() {
        let open = ElementUserdata { comment: None, interval_open: true };
        assert_eq!(element(&open), [1, 4, 1, 0, 0, 0]);
        assert_eq!(parse_element(&element(&open)), open);
    }
}
