//! What a front end or the compiler has to say about a map, beside the rules.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something was left out on purpose.
    Info,
    /// Something may not work as meant.
    Warning,
    /// A service or part of one was left out because it is wrong; the rest was compiled.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A feature of a service that this version does not compile.
    NotSupported,
    /// An object or part of one that does not concern the rules (headless services, foreign kinds).
    Ignored,
    /// A part of an object that cannot be meant so.
    Invalid,
    /// Two services claim the same address, protocol and port.
    DuplicateFrontend,
    /// Two of the node, pod and service networks overlap.
    OverlappingNetworks,
    /// An address is in a network where it cannot be meant to be.
    MisplacedAddress,
    /// A service port has no usable endpoint: connections are rejected.
    NoEndpoints,
    /// Nothing tells pods from other clients, so none is masqueraded.
    NoPodNetwork,
    /// A limit of the kernel.
    Limit,
}

/// Something a front end or the compiler found in a map. Never a reason to lose the rest of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: FindingKind,
    /// What it is about, by name: `service shop/cart`, `node node1`.
    pub subject: String,
    /// What was found, one sentence without a full stop.
    pub message: String,
}

/// `warning: service shop/cart: message [kind]`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity, self.subject, self.message)
    }
}
