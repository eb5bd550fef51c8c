//! Service maps: virtual IP:port → endpoints, and the layouts they compile to.

mod chains;
mod check;
mod compile;
mod finding;
mod frontend;
mod health;
mod map;
mod maps;
mod network;
mod node_ports;
mod pods;
mod read;
mod report;
mod route;
mod served;
mod stale;
mod target;
mod usable;

pub use chains::{CompiledIptables, iptables};
pub use check::{check, check_node, check_service, quarantine, quarantine_service};
pub use compile::{CompileOptions, Compiled, DEFAULT_TABLE, Layout, TABLE_COMMENT, compile};
pub use finding::{Finding, FindingKind, Severity};
pub use frontend::Frontend;
pub use health::Health;
pub use map::{
    Balance, Endpoint, Hints, NodePortAddresses, NodeSettings, Protocol, Refusal, Service, ServiceMap, ServiceName,
    ServicePort, TrafficPolicy,
};
pub use maps::{Change, Edit, Tracker, align};
pub use read::{Input, NodeOverrides, json_schema, looks_like, print, read};
pub use served::{frontends, frontends_of_chains, served, served_by_iptables};
pub use stale::{ExpectedFlows, Stale};
