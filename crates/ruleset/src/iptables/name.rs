//! Names of chains.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::ir::NameError;

/// The name of a chain, built in or not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainName(Arc<str>);

impl ChainName {
    /// The longest name in bytes (`XT_EXTENSION_MAXNAMELEN` - 1, linux/netfilter/x_tables.h).
    pub const MAX: usize = 28;

    /// Checks a text against what iptables takes.
    ///
    /// # Errors
    /// Empty, longer than [`Self::MAX`], with a space or control character, or with a first character that makes it an
    /// option (`-`) or a negation (`!`) (`validate_chain_name`, iptables/xshared.c).
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(NameError::Empty { kind: "chain" });
        }
        if name.len() > Self::MAX {
            return Err(NameError::TooLong { kind: "chain", name: name.to_owned(), len: name.len(), max: Self::MAX });
        }
        let odd = name.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '"');
        match odd.or_else(|| name.chars().next().filter(|first| matches!(first, '-' | '!'))) {
            Some(found) => Err(NameError::Character { kind: "chain", name: name.to_owned(), found }),
            None => Ok(Self(name.into())),
        }
    }

    /// Whether the kernel calls the chain of that name in some table.
    pub fn is_built_in(&self) -> bool {
        matches!(self.as_str(), "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ChainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::borrow::Borrow<str> for ChainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_iptables_refuses_cannot_be_built() {
        assert!(ChainName::new("RULECTL-SVC-ABCDEFGHIJKLMNOP").is_ok());
        for refused in ["", "RULECTL-SVC-ABCDEFGHIJKLMNOPQ", "A B", "-A", "!A", "A\n", "A\"B"] {
            assert!(ChainName::new(refused).is_err(), "{refused:?}");
        }
    }
}
