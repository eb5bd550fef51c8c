//! Harness of the kernel tests: private network namespaces, a small cluster in them, and real packets.
//!
//! Nothing here touches the namespace the tests were started in. Everything works as root, and as an ordinary user
//! where user namespaces are allowed.

mod cluster;
mod command;
pub mod laws;
mod listing;
mod privilege;
mod sctp;
mod spread;
mod topology;
mod traffic;

pub use cluster::Cluster;
pub use command::{Output, STATE, binary, rulectl, run, try_run};
pub use listing::in_order;
pub use privilege::{kernel_tests, prepare};
pub use spread::{Spread, chi_squared_bound};
pub use topology::{Host, Topology};
pub use traffic::{Answer, Conversation, Failure, Transport};
