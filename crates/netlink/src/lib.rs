//! The kernel seam of rulectl: nf_tables over netlink.
//!
//! Everything unsafe, every socket and every namespace is here, and nowhere else. [`Kernel`] is the seam: the real
//! kernel ([`NetlinkKernel`]) and the fake one keep the same laws.

mod attr;
pub mod clock;
pub mod conntrack;
mod decode;
mod encode;
mod explain;
pub mod fake;
mod ffi;
#[cfg(test)]
mod figures;
pub mod interfaces;
pub mod kernel;
mod listen;
mod locate;
mod message;
pub mod netns;
mod read;
mod real;
pub mod reconcile;
mod socket;
mod stateful;
mod uapi;
pub mod watch;
mod writers;
pub mod xtables;

pub use conntrack::Conntrack;
pub use explain::Explanation;
pub use fake::FakeKernel;
pub use kernel::{Applied, CommitError, Kernel, ReadError, Refusal, Scope};
pub use netns::{Netns, NetnsError};
pub use real::{NetlinkKernel, batch_size};
pub use reconcile::{ReconcileError, Reconciled, Reconciler};
pub use watch::{Event, Watch};
