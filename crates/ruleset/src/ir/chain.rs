//! Chains, and where base chains hook into the kernel.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ChainName, Comment, DeviceName, Family, HasName, Rule};

/// A point on a packet's way where base chains are called.
///
/// nft(8), CHAINS; linux/netfilter.h `enum nf_inet_hooks`, linux/netfilter_arp.h, linux/netfilter.h
/// `enum nf_dev_hooks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// To this machine.
    Input,
    /// Through this machine.
    Forward,
    /// From this machine.
    Output,
    /// After routing.
    Postrouting,
    /// As a device receives.
    Ingress,
    /// As a device sends.
    Egress,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 7] =
        [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting, Self::Ingress, Self::Egress];

    /// The keyword of nft.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// The kernel's number of the hook in that family; `None` where the family does not have it.
    pub const fn number(self, family: Family) -> Option<u32> {
        Some(match (family, self) {
            (Family::Netdev, Self::Ingress) => 0,
            (Family::Netdev, Self::Egress) => 1,
            (Family::Netdev, _) => return None,
            (Family::Arp, Self::Input) => 0,
            (Family::Arp, Self::Output) => 1,
            (Family::Arp, _) => return None,
            (_, Self::Prerouting) => 0,
            (_, Self::Input) => 1,
            (_, Self::Forward) => 2,
            (_, Self::Output) => 3,
            (_, Self::Postrouting) => 4,
            (Family::Inet, Self::Ingress) => 5,
            (_, Self::Ingress | Self::Egress) => return None,
        })
    }

    /// The hook of that number in that family.
    pub fn from_number(family: Family, number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.number(family) == Some(number))
    }

    /// The hook of that keyword.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.keyword() == keyword)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// What a base chain may do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainType {
    /// Judge it.
    Filter,
    /// Rewrite addresses; sees only the first packet of a connection.
    Nat,
    /// Have it routed again when its header or mark changed.
    Route,
}

impl ChainType {
    /// The keyword of nft, which is also the kernel's name.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
            Self::Route => "route",
        }
    }

    /// The type of that keyword.
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        [Self::Filter, Self::Nat, Self::Route].into_iter().find(|chain_type| chain_type.keyword() == keyword)
    }
}

impl fmt::Display for ChainType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// The order of base chains at one hook: lower runs first.
///
/// A nat chain's priority orders it among nat chains only: the kernel runs all of them at −100 (destination) or 100
/// (source).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub i32);

impl Priority {
    /// `raw` (`NF_IP_PRI_RAW`).
    pub const RAW: Self = Self(-300);
    /// `mangle` (`NF_IP_PRI_MANGLE`).
    pub const MANGLE: Self = Self(-150);
    /// `dstnat` (`NF_IP_PRI_NAT_DST`).
    pub const DSTNAT: Self = Self(-100);
    /// `filter` (`NF_IP_PRI_FILTER`).
    pub const FILTER: Self = Self(0);
    /// `security` (`NF_IP_PRI_SECURITY`).
    pub const SECURITY: Self = Self(50);
    /// `srcnat` (`NF_IP_PRI_NAT_SRC`).
    pub const SRCNAT: Self = Self(100);

    /// The names of priorities in that family (nft(8), table "Standard priority names").
    pub const fn names(family: Family) -> &'static [(&'static str, Self)] {
        match family {
            Family::Bridge => {
                &[("dstnat", Self(-300)), ("filter", Self(-200)), ("out", Self(100)), ("srcnat", Self(300))]
            }
            Family::Arp | Family::Netdev => &[("filter", Self(0))],
            Family::Ip | Family::Ip6 | Family::Inet => &[
                ("raw", Self::RAW),
                ("mangle", Self::MANGLE),
                ("dstnat", Self::DSTNAT),
                ("filter", Self::FILTER),
                ("security", Self::SECURITY),
                ("srcnat", Self::SRCNAT),
            ],
        }
    }

    /// Whether nft takes the name at that hook: `dstnat` and `srcnat` are limited (nft 1.0.6: `dstnat` in prerouting,
    /// `srcnat` in postrouting, the bridge's `out` in output; nft 1.1 also takes `dstnat` in output, `srcnat` in
    /// input).
    pub fn name_is_legal(family: Family, hook: Hook, name: &str) -> bool {
        match (family, name) {
            (_, "dstnat") => hook == Hook::Prerouting,
            (_, "srcnat") => hook == Hook::Postrouting,
            (Family::Bridge, "out") => hook == Hook::Output,
            _ => Self::names(family).iter().any(|(known, _)| *known == name),
        }
    }

    /// The priority of that name, without any offset, in that family.
    pub fn from_name(family: Family, name: &str) -> Option<Self> {
        Self::names(family).iter().find(|(known, _)| *known == name).map(|(_, priority)| *priority)
    }
}

/// What happens to a packet that no rule of a base chain decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// It goes on.
    #[default]
    Accept,
    /// It is lost.
    Drop,
}

impl Policy {
    /// The keyword of nft.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// Why a base chain cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseChainError {
    /// The family does not have that hook.
    #[error("family `{family}` has no hook `{hook}`")]
    Hook {
        /// The family.
        family: Family,
        /// The hook.
        hook: Hook,
    },
    /// That type of chain cannot be called there.
    #[error("a chain of type `{chain_type}` cannot be at hook `{hook}` in family `{family}`")]
    Type {
        /// The family.
        family: Family,
        /// The hook.
        hook: Hook,
        /// The type.
        chain_type: ChainType,
    },
    /// A nat chain must come after conntrack (`nft_chain_validate_hooks`, net/netfilter/nf_tables_api.c).
    #[error("a nat chain's priority must be above -200 (conntrack), not {}", priority.0)]
    Priority {
        /// The priority asked for.
        priority: Priority,
    },
    /// Devices were given for a hook that has none, or none where one is needed.
    #[error("hook `{hook}` in family `{family}` {}", if *.needed { "needs a device" } else { "takes no device" })]
    Devices {
        /// The family.
        family: Family,
        /// The hook.
        hook: Hook,
        /// Whether a device is needed there.
        needed: bool,
    },
}

/// Where a base chain hooks in: only legal combinations exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawBaseChain", into = "RawBaseChain")]
pub struct BaseChain {
    family: Family,
    hook: Hook,
    chain_type: ChainType,
    priority: Priority,
    policy: Policy,
    devices: Vec<DeviceName>,
}

impl BaseChain {
    /// A base chain that accepts what its rules do not decide.
    ///
    /// # Errors
    /// Where the kernel would refuse the combination (`nft_chain_parse_hook`, net/netfilter/nf_tables_api.c). Devices
    /// are checked by [`Self::with_devices`], so an ingress chain without one is legal here.
    pub fn new(family: Family, hook: Hook, chain_type: ChainType, priority: Priority) -> Result<Self, BaseChainError> {
        if hook.number(family).is_none() {
            return Err(BaseChainError::Hook { family, hook });
        }
        let inet_like = matches!(family, Family::Ip | Family::Ip6 | Family::Inet);
        let legal = match chain_type {
            ChainType::Filter => true,
            ChainType::Nat => inet_like && !matches!(hook, Hook::Forward | Hook::Ingress | Hook::Egress),
            ChainType::Route => inet_like && hook == Hook::Output,
        };
        if !legal {
            return Err(BaseChainError::Type { family, hook, chain_type });
        }
        if chain_type == ChainType::Nat && priority.0 <= -200 {
            return Err(BaseChainError::Priority { priority });
        }
        Ok(Self { family, hook, chain_type, priority, policy: Policy::Accept, devices: Vec::new() })
    }

    /// The same with another policy.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same, bound to devices.
    ///
    /// # Errors
    /// Only the ingress and egress hooks have devices.
    pub fn with_devices(self, devices: Vec<DeviceName>) -> Result<Self, BaseChainError> {
        let takes = matches!(self.hook, Hook::Ingress | Hook::Egress);
        if !takes && !devices.is_empty() {
            return Err(BaseChainError::Devices { family: self.family, hook: self.hook, needed: false });
        }
        Ok(Self { devices, ..self })
    }

    /// The family it was checked for.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The hook.
    pub fn hook(&self) -> Hook {
        self.hook
    }

    /// The type.
    pub fn chain_type(&self) -> ChainType {
        self.chain_type
    }

    /// The priority.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The devices, empty but for ingress and egress.
    pub fn devices(&self) -> &[DeviceName] {
        &self.devices
    }
}

#[derive(Serialize, Deserialize)]
struct RawBaseChain {
    family: Family,
    hook: Hook,
    #[serde(rename = "type")]
    chain_type: ChainType,
    priority: Priority,
    #[serde(default)]
    policy: Policy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<DeviceName>,
}

impl TryFrom<RawBaseChain> for BaseChain {
    type Error = BaseChainError;
    fn try_from(raw: RawBaseChain) -> Result<Self, BaseChainError> {
        Self::new(raw.family, raw.hook, raw.chain_type, raw.priority)?.with_policy(raw.policy).with_devices(raw.devices)
    }
}

impl From<BaseChain> for RawBaseChain {
    fn from(base: BaseChain) -> Self {
        let BaseChain { family, hook, chain_type, priority, policy, devices } = base;
        Self { family, hook, chain_type, priority, policy, devices }
    }
}

/// A chain: a list of rules, called by a hook (base chain) or by a jump (regular chain).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chain {
    /// Its name.
    pub name: ChainName,
    /// Where it hooks in; `None` for a regular chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseChain>,
    /// Asks the device to do the work (`flags offload`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offload: bool,
    /// What people wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Its rules, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Chain {
    /// A regular chain without rules.
    pub fn new(name: ChainName) -> Self {
        Self { name, base: None, offload: false, comment: None, rules: Vec::new() }
    }

    /// A base chain without rules.
    pub fn base(name: ChainName, base: BaseChain) -> Self {
        Self { base: Some(base), ..Self::new(name) }
    }

    /// The same with one more rule at the end.
    #[must_use]
    pub fn with(mut self, rule: impl Into<Rule>) -> Self {
        self.rules.push(rule.into());
        self
    }
}

impl HasName for Chain {
    type Name = ChainName;
    type Key = ChainName;
    fn name(&self) -> &ChainName {
        &self.name
    }
    fn key(&self) -> ChainName {
        self.name().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_triples_cannot_be_built() {
        let base = BaseChain::new;
        assert!(base(Family::Ip, Hook::Prerouting, ChainType::Nat, Priority::DSTNAT).is_ok());
        assert!(base(Family::Ip, Hook::Forward, ChainType::Nat, Priority::FILTER).is_err());
        assert!(base(Family::Arp, Hook::Forward, ChainType::Filter, Priority::FILTER).is_err());
        assert!(base(Family::Bridge, Hook::Output, ChainType::Route, Priority::FILTER).is_err());
        assert_eq!(
            base(Family::Ip6, Hook::Output, ChainType::Nat, Priority(-200)),
            Err(BaseChainError::Priority { priority: Priority(-200) })
        );
    }

    #[test]
    fn an_illegal_triple_does_not_come_in_through_serde() {
        let text = r#"{"family":"ip","hook":"forward","type":"nat","priority":0}"#;
        let error = serde_json::from_str::<BaseChain>(text).unwrap_err().to_string();
        assert!(error.contains("cannot be at hook `forward`"), "{error}");
    }
}
