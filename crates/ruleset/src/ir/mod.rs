//! The intermediate representation: rulesets as people mean them.
//!
//! Words are the kernel's and nft's own. Constructors return the proof: a [`BaseChain`] exists only for a legal
//! family, hook, type and priority; a name exists only if the kernel takes it. What no part of this crate understands
//! stays as [`Opaque`]: verbatim, printable, never executed.
//!
//! This module uses nothing of the rest of the crate but [`crate::text`].

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
mod bytes;
mod chain;
pub mod check;
mod clock;
mod datatype;
mod element;
mod expression;
mod exthdr;
mod family;
mod interfaces;
mod name;
mod named;
mod normal;
mod object;
mod opaque;
mod order;
mod payload;
pub(crate) mod protocols;
mod rule;
mod ruleset;
mod set;
mod spread;
mod statement;
pub mod symbol;
mod table;
mod typing;
mod value;
mod verb;

pub use bytes::Packed;
pub use chain::{BaseChain, BaseChainError, Chain, ChainType, Hook, Policy, Priority};
pub use clock::Zone;
pub use datatype::{ByteOrder, DataType};
pub use element::{Data, Element, ElementExtra, Elements, Key};
pub use expression::{
    AnonymousSet, BinaryOp, CtDirection, CtKey, Expression, FibFlags, FibResult, Hash, IpsecDirection, IpsecKey,
    MetaKey, Numgen, NumgenMode, OsfTtl, RtKey, SocketKey, TunnelKey,
};
pub use exthdr::{Exthdr, ExthdrCarrier, ExthdrHeader};
pub use family::Family;
pub use interfaces::UnknownInterface;
pub use name::{ChainName, Comment, DeviceName, NameError, ObjectName, SetName, TableName};
pub use named::{HasName, Named};
pub use normal::normal;
pub use object::{Flowtable, Object, ObjectKind, ObjectType, Quota, timeouts};
pub use opaque::{Dialect, Opaque};
pub use payload::{FieldSpec, Header, Payload, PayloadBase, PayloadField};
pub use rule::{Provenance, Rule};
pub use ruleset::{Ruleset, TableId};
pub use set::{
    AnySet, DataKind, ElementError, Field, KeyType, Map, ObjectMap, Set, SetFlags, SetPolicy, SetSpec, VerdictMap,
};
pub use spread::has_prefixes;
pub use statement::{
    Counter, Limit, LimitUnit, Log, Meter, Nat, NatFlags, NatKind, Reject, RelationalOp, SetUpdate, SetUpdateOp,
    Statement, Synproxy, TimeUnit, Verdict,
};
pub use table::{Table, TableFlags};
pub use value::Value;
pub use verb::Verb;
