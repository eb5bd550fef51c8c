//! Names the kernel takes: one checked newtype per kind, cheap to clone.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name the kernel would take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no character.
    #[error("a {kind} name must not be empty")]
    Empty {
        /// What the name was for, as in the message: `table`, `chain`, …
        kind: &'static str,
    },
    /// The name is longer than the kernel keeps.
    #[error("{kind} name `{name}` has {len} bytes, the kernel keeps at most {max}")]
    TooLong {
        /// What the name was for.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The longest the kernel takes, in bytes.
        max: usize,
    },
    /// A character that would end or break the name on its way to the kernel.
    #[error("{kind} name {name:?} holds the character {found:?}")]
    Character {
        /// What the name was for.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The first offending character.
        found: char,
    },
}

/// Checks a name, or a `free` text: one that may be empty and hold what names may not.
fn check(kind: &'static str, name: &str, max: usize, free: bool) -> Result<(), NameError> {
    if name.is_empty() && !free {
        return Err(NameError::Empty { kind });
    }
    if name.len() > max {
        return Err(NameError::TooLong { kind, name: name.to_owned(), len: name.len(), max });
    }
    match name.chars().find(|c| *c == '\0' || (!free && c.is_control())) {
        Some(found) => Err(NameError::Character { kind, name: name.to_owned(), found }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:expr, $free:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest name the kernel takes, in bytes.
            pub const MAX: usize = $max;

            /// Checks a text against the kernel's limits.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                let name = name.as_ref();
                check($kind, name, Self::MAX, $free)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;
            fn try_from(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name! {
    /// The name of a table (`NFT_TABLE_MAXNAMELEN`, linux/netfilter/nf_tables.h).
    TableName, "table", 255, false
}
name! {
    /// The name of a chain (`NFT_CHAIN_MAXNAMELEN`).
    ChainName, "chain", 255, false
}
name! {
    /// The name of a set or map (`NFT_SET_MAXNAMELEN`).
    SetName, "set", 255, false
}
name! {
    /// The name of a stateful object or flowtable (`NFT_OBJ_MAXNAMELEN`).
    ObjectName, "object", 255, false
}
name! {
    /// The name of a network interface, possibly a pattern ending in `*` (`IFNAMSIZ` - 1).
    DeviceName, "device", 15, false
}
name! {
    /// A comment on a table, chain, set, element, object or rule.
    ///
    /// 128 bytes is what nft takes (`NFTNL_UDATA_COMMENT_MAXLEN`, libnftnl/udata.h); the kernel keeps 256 bytes of
    /// user data in all.
    Comment, "comment", 128, true
}
