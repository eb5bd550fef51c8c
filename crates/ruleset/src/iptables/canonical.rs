//! One form for rules that mean the same, to compare texts of different versions and writers.

use super::matches::{Conntrack, Match};
use super::protocol::Protocol;
use super::rule::Rule;
use super::save::{Line, SaveText};

/// Matches that only look: asking them in another order, or not at all, changes nothing else. All others count, keep
/// lists or draw lots, and so keep their places.
const LOOKING: &[&str] = &[
    "addrtype",
    "ah",
    "bpf",
    "cgroup",
    "cluster",
    "comment",
    "connbytes",
    "connmark",
    "conntrack",
    "cpu",
    "dccp",
    "devgroup",
    "dscp",
    "dst",
    "ecn",
    "esp",
    "eui64",
    "frag",
    "hbh",
    "helper",
    "hl",
    "icmp",
    "icmp6",
    "ipcomp",
    "iprange",
    "ipv6header",
    "ipvs",
    "length",
    "mac",
    "mark",
    "mh",
    "multiport",
    "owner",
    "physdev",
    "pkttype",
    "policy",
    "realm",
    "rpfilter",
    "rt",
    "sctp",
    "srh",
    "state",
    "tcp",
    "tcpmss",
    "time",
    "tos",
    "ttl",
    "u32",
    "udp",
];

/// Brings a rule into the form in which rules that mean the same are equal and print the same:
///
/// - protocols by their names, where they have one;
/// - `-m state` as `-m conntrack`, Ethernet addresses in small letters;
/// - no `-m tcp` without an option, nor one of another protocol, for `-p` says that already;
/// - matches that only look at the packet by name, as far as no other match stands between them. The order of two of the
///   same name stays.
///
/// Masks and options that say what is so anyway have one form as soon as they are read.
#[must_use]
pub fn canonical(mut rule: Rule) -> Rule {
    if let Some(protocol) = &mut rule.protocol {
        protocol.value = Protocol::of(protocol.value.number());
    }
    let matches = std::mem::take(&mut rule.matches);
    rule.matches = matches.into_iter().map(newer).filter(|criterion| !is_implied(criterion)).collect();
    let looks = |criterion: &Match| criterion.name().is_some_and(|name| LOOKING.contains(&name));
    for run in rule.matches.chunk_by_mut(|a, b| looks(a) && looks(b)) {
        run.sort_by_key(Match::name);
    }
    rule
}

/// The match of today that says the same.
fn newer(criterion: Match) -> Match {
    match criterion {
        Match::State(state) => Conntrack::of_states(state.states).into(),
        Match::Mac(mut mac) => {
            mac.source.value.capitals = false;
            mac.into()
        }
        other => other,
    }
}

/// Whether it asks for nothing but the protocol that `-p` says.
fn is_implied(criterion: &Match) -> bool {
    let without_options = |name: &str| criterion.to_string().len() == "-m ".len() + name.len();
    criterion
        .name()
        .is_some_and(|name| matches!(name, "tcp" | "udp" | "sctp" | "dccp" | "esp" | "mh") && without_options(name))
}

impl SaveText {
    /// The same with every rule in its [`canonical`] form, and without counters.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for line in &mut self.lines {
            match line {
                Line::Rule { counters, command } => {
                    *counters = None;
                    if let Some(rule) = command.rule_mut() {
                        *rule = canonical(std::mem::take(rule));
                    }
                }
                Line::Chain { counters, .. } => *counters = None,
                _ => {}
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::extension::Extension;
    use crate::iptables::{Family, parse};

    #[track_caller]
    fn is(written: &str, form: &str) {
        let text = |rule: &str| parse("-", &format!("*filter\n[1:2] -A A {rule}\n"), Family::Ip).text.canonical();
        assert_eq!(text(written).to_string(), format!("*filter\n-A A {form}\n"));
        assert_eq!(text(form), text(written));
    }

    #[test]
    fn rules_that_mean_the_same_have_one_form() {
        is("-p 47 -j ACCEPT", "-p gre -j ACCEPT");
        is("-m mac --mac-source 02:00:5E:10:00:01", "-m mac --mac-source 02:00:5e:10:00:01");
        is("-p tcp -m tcp -j ACCEPT", "-p tcp -j ACCEPT");
        is("-m state --state ESTABLISHED,RELATED", "-m conntrack --ctstate RELATED,ESTABLISHED");
        is("-p tcp -m tcp --dport 80 -m comment --comment x", "-p tcp -m comment --comment x -m tcp --dport 80");
    }

    #[test]
    fn matches_that_count_keep_their_places() {
        is(
            "-m mark --mark 0x1 -m limit --limit 1/sec -m addrtype --dst-type LOCAL",
            "-m mark --mark 0x1 -m limit --limit 1/sec -m addrtype --dst-type LOCAL",
        );
        is(
            "-m mark --mark 0x1 -m odd --x -m comment --comment x",
            "-m mark --mark 0x1 -m odd --x -m comment --comment x",
        );
    }

    #[test]
    fn every_match_that_looks_is_one_we_know() {
        for name in LOOKING {
            assert!(Match::DECLARED.iter().any(|declared| declared.names[0] == *name), "{name}");
        }
        assert!(!LOOKING.contains(&<crate::iptables::matches::Limit as Extension>::NAMES[0]));
    }
}
