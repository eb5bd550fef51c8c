//! The chains layout in iptables' words.
//!
//! ```text
//! nat     PREROUTING, OUTPUT ─► SERVICES ─► [NET-…] ─► [FW-…] ─► [EXT-…] ─► SVC-…, SVL-… ─► SEP-… ─► DNAT
//!                                  └─► NODEPORTS ─► [NP-…] ─► EXT-…
//!         POSTROUTING ─► POSTROUTING: masquerades what is marked
//! filter  INPUT, FORWARD, OUTPUT, what was not translated ─► UNSERVED ─► [NET-…]: rejects and drops
//! ```
//!
//! What is in brackets is there where it is needed. The names are followed by a hash, and our prefix is before them.

mod dispatch;
mod filter;
mod nat;
mod words;

use crate::iptables::{Family, IptablesRuleset, TableName};
use crate::service::{Balance, CompileOptions, Finding, FindingKind, ServiceMap, Severity};

use super::layout::ServiceChains;
use super::{layout_of, sort};

/// What a map compiles to for iptables or ip6tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledIptables {
    /// Our chains, and our rules in built-in chains; empty if the map has no virtual address of the family.
    pub ruleset: IptablesRuleset,
    /// What was left out or looks wrong, sorted.
    pub findings: Vec<Finding>,
}

/// Compiles a service map for iptables or ip6tables. The layout is always [`super::super::Layout::Chains`]; the name of
/// the table has no meaning here.
///
/// The text of the result is for an empty state. To bring a state there that already holds rules of ours,
/// [`crate::iptables::plan()`].
pub fn iptables(map: &ServiceMap, _options: &CompileOptions, family: Family) -> CompiledIptables {
    let mut findings = Vec::new();
    let mut ruleset = IptablesRuleset::default();
    if let Some(layout) = layout_of(map, family.into(), &mut findings) {
        findings.extend(layout.services.iter().filter_map(unbalanced));
        ruleset.tables.insert(TableName::Filter, filter::table(&layout, family));
        ruleset.tables.insert(TableName::Nat, nat::table(&layout));
    }
    sort(&mut findings);
    CompiledIptables { ruleset, findings }
}

/// That a service asks for a choice which iptables cannot make.
fn unbalanced(service: &ServiceChains) -> Option<Finding> {
    (service.balance != Balance::Random).then(|| Finding {
        severity: Severity::Warning,
        kind: FindingKind::NotSupported,
        subject: format!("service {}", service.identity.service),
        message: "iptables knows no other balance than Random: each connection goes to any endpoint".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::shop;
    use super::*;
    use crate::iptables::{IptablesPlan, SaveText, parse, plan};

    fn compiled(map: &ServiceMap, family: Family) -> IptablesRuleset {
        iptables(map, &CompileOptions::default(), family).ruleset
    }

    #[test]
    fn the_rules_of_a_shop() {
        let map = shop();
        insta::assert_snapshot!("shop-ip", SaveText::from(&compiled(&map, Family::Ip)));
        insta::assert_snapshot!("shop-ip6", SaveText::from(&compiled(&map, Family::Ip6)));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for family in [Family::Ip, Family::Ip6] {
            let ruleset = compiled(&shop(), family);
            let parsed = parse("-", &SaveText::from(&ruleset).to_string(), family);
            assert_eq!(parsed.problems, []);
            assert_eq!(parsed.text.ruleset(), ruleset);
        }
    }

    fn step(before: &ServiceMap, after: &ServiceMap) -> IptablesPlan {
        plan(&compiled(before, Family::Ip), &compiled(after, Family::Ip)).unwrap()
    }

    #[test]
    fn an_endpoint_that_goes_changes_its_own_chain_and_that_of_its_service() {
        let mut fewer = shop();
        fewer.services[0].ports[0].endpoints.remove(1);
        insta::assert_snapshot!(step(&shop(), &fewer), @r#"
        table nat
          - chain RULECTL-SEP-XYY4I5GNBW3SQJM3
            - -s 10.128.0.6/32 -m comment --comment "shop/cart:http" -j RULECTL-MARK-MASQ
            - -p tcp -m comment --comment "shop/cart:http" -j DNAT --to-destination 10.128.0.6:8080
          ~ chain RULECTL-SVC-DCFBO4CX3U3D36E7
            - -m comment --comment "shop/cart:http -> 10.128.0.5:8080" -m statistic --mode random --probability 0.50000000000 -j RULECTL-SEP-XX2OME5EJGSWE3Q3
            - -m comment --comment "shop/cart:http -> 10.128.0.6:8080" -m statistic --mode random --probability 0.50000000000 -j RULECTL-SEP-XYY4I5GNBW3SQJM3
            + -m comment --comment "shop/cart:http -> 10.128.0.5:8080" -m statistic --mode random --probability 0.66666666651 -j RULECTL-SEP-XX2OME5EJGSWE3Q3
        "#);
    }

    #[test]
    fn a_change_of_the_pod_networks_changes_only_chains_that_tell_pods() {
        let mut other = shop();
        other.node.pod_cidrs.clear();
        insta::assert_snapshot!(step(&shop(), &other), @r#"
        table nat
          ~ chain RULECTL-EXT-FANZ2JIC76JCGY7M
            - -s 10.128.0.0/14 -m comment --comment "pods to shop/mail:smtp" -j RULECTL-SVC-FANZ2JIC76JCGY7M
          ~ chain RULECTL-MARK-OUTSIDE
            - -s 10.128.0.0/14 -j RETURN
        "#);
    }
}
