//! Names that nft takes.

use std::collections::HashSet;

use crate::ir::ChainName;

/// A name for a chain that nft reads back: the same if nft can, else one that is like it and not `taken`.
///
/// nft(8): a name begins with a letter or `_` and goes on with letters, digits, `/`, `\`, `_`, `.` and `-`; words of the
/// language are none.
pub(super) fn chain(name: &str, taken: &HashSet<ChainName>) -> ChainName {
    let plain = plain(name);
    let numbered = (1_u32..).map(|number| if number == 1 { plain.clone() } else { format!("{plain}_{number}") });
    let mut free = numbered.filter_map(|name| ChainName::new(name).ok()).filter(|name| !taken.contains(name));
    free.next().expect("there are more numbers than chains")
}

/// Whether nft reads that name.
pub(super) fn is_plain(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && KEYWORDS.binary_search(&name).is_err()
}

fn plain(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/') { c } else { '_' };
    let text: String = name.chars().map(legal).collect();
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text != name {
        text
    } else {
        format!("_{text}")
    }
}

/// The words of nft that are no names, in their order (src/scanner.l).
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "accept", "add", "ah", "all", "and", "arp", "auto-merge", "bridge", "cgroup", "chain", "comment", "comp",
    "constant", "continue", "counter", "cpu", "create", "ct", "day", "dccp", "define", "delete", "describe",
    "destroy", "device", "devices", "dnat", "drop", "dst", "dup", "dynamic", "ecn", "element", "elements", "eq",
    "esp", "ether", "exists", "expires", "export", "exthdr", "fib", "flags", "flow", "flowtable", "flush", "frag",
    "fwd", "gc-interval", "ge", "geneve", "get", "goto", "gre", "gretap", "gt", "handle", "hbh", "hook", "hour",
    "ibriport", "ibrname", "icmp", "icmpv6", "igmp", "iif", "iifgroup", "iifname", "iiftype", "import", "include",
    "index", "inet", "inner", "insert", "interval", "ip", "ip6", "ipsec", "jhash", "jump", "last", "le", "limit",
    "list", "log", "lshift", "lt", "map", "mark", "masquerade", "meta", "meter", "mh", "missing", "monitor", "ne",
    "netdev", "nftrace", "not", "notrack", "numgen", "obriport", "obrname", "offload", "oif", "oifgroup", "oifname",
    "oiftype", "or", "osf", "pkttype", "policy", "position", "priority", "queue", "quota", "random", "redefine",
    "redirect", "reject", "rename", "replace", "reset", "return", "rshift", "rt", "rt0", "rt2", "rtclassid", "rule",
    "ruleset", "sctp", "secmark", "set", "size", "skgid", "skuid", "snat", "socket", "srh", "symhash", "synproxy",
    "table", "tcp", "th", "time", "timeout", "tproxy", "type", "typeof", "udp", "udplite", "undefine", "update",
    "vlan", "vmap", "vxlan", "xor", "xt",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nft_takes_stays_and_another_is_made_like_it() {
        assert!(KEYWORDS.is_sorted());
        let mut taken = HashSet::new();
        for (name, expected) in
            [("DOCKER-USER", "DOCKER-USER"), ("tcp", "_tcp"), ("a:b", "a_b"), ("a b", "a_b_2"), ("9x", "_9x")]
        {
            let made = chain(name, &taken);
            assert_eq!(made.as_str(), expected);
            assert!(is_plain(made.as_str()), "{made}");
            taken.insert(made);
        }
    }
}
