//! `-m comment` (extensions/libxt_comment.c).

use std::fmt;

use super::super::extension::{Extension, Given, Opt};
use super::super::problem::Problem;
use super::super::word::Quoted;
use crate::ir::NameError;

/// What people wrote about a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comment(String);

impl Comment {
    /// The longest comment in bytes (`XT_MAX_COMMENT_LEN` - 1, linux/netfilter/xt_comment.h).
    pub const MAX: usize = 255;

    /// Checks a text against what iptables takes.
    ///
    /// # Errors
    /// Longer than [`Self::MAX`], or with a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let name = text.into();
        if name.len() > Self::MAX {
            return Err(NameError::TooLong { kind: "comment", len: name.len(), name, max: Self::MAX });
        }
        match name.chars().find(|c| c.is_control()) {
            Some(found) => Err(NameError::Character { kind: "comment", name, found }),
            None => Ok(Self(name)),
        }
    }

    /// As much of a text as fits; a control character becomes a space.
    pub fn clipped(text: &str) -> Self {
        let mut clipped = String::with_capacity(text.len().min(Self::MAX));
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if clipped.len() + c.len_utf8() > Self::MAX {
                break;
            }
            clipped.push(c);
        }
        Self(clipped)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Extension for Comment {
    const NAMES: &'static [&'static str] = &["comment"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--comment"])];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let comment = given.exactly_one_of(&[0])?;
        Self::new(comment.value()).map_err(|_| comment.unexpected("a comment of at most 255 bytes"))
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --comment {}", Quoted(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::rule::tests::round_trips;

    #[test]
    fn comments_round_trip() {
        round_trips(&["-m comment --comment plain", r#"-m comment --comment "shop/cart:http \"x\"""#]);
    }

    #[test]
    fn a_long_comment_is_clipped_between_characters() {
        let clipped = Comment::clipped(&"é\n".repeat(200));
        assert_eq!(clipped.as_str().len(), Comment::MAX);
        assert!(clipped.as_str().starts_with("é é "));
        assert!(Comment::new("a\nb").is_err());
        assert!(Comment::new("x".repeat(256)).is_err());
    }
}
