//! What a command does.

/// What a command of nft does with an object, in text and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Adds it; what is there already stays.
    Add,
    /// Adds it; it must not be there.
    Create,
    /// Puts a rule before others.
    Insert,
    /// Puts a rule in the place of another.
    Replace,
    /// Takes it away; it must be there.
    Delete,
    /// Takes it away if it is there.
    Destroy,
    /// Takes away what is in it.
    Flush,
    /// Gives a chain another name.
    Rename,
    /// `list`, `reset`, `monitor`, `describe`…: leaves the ruleset as it is.
    Look,
}

impl Verb {
    /// The words of the language, each with what it does.
    pub const WORDS: [(&str, Self); 14] = [
        ("add", Self::Add),
        ("create", Self::Create),
        ("insert", Self::Insert),
        ("replace", Self::Replace),
        ("delete", Self::Delete),
        ("destroy", Self::Destroy),
        ("flush", Self::Flush),
        ("rename", Self::Rename),
        ("list", Self::Look),
        ("reset", Self::Look),
        ("get", Self::Look),
        ("export", Self::Look),
        ("monitor", Self::Look),
        ("describe", Self::Look),
    ];

    /// The verb of that word.
    pub fn from_keyword(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, verb)| *verb)
    }
}
