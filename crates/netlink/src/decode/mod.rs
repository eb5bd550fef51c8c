//! What a kernel holds, from the messages of its dumps.
//!
//! Decoding is total: no message makes it fail. What is not understood stays with its bytes.

mod beyond;
pub(crate) mod elements;
pub(crate) mod expr;
pub(crate) mod object;
pub(crate) mod set;
