//! All extensions of iptables, and what nft has for each.

use super::Translate;
use super::{connection, icmp, ipv6, marks, nat, packet, ports, rate, recent, report, route, time};

/// An extension.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name after `-m` or `-j`, and other spellings.
    pub names: &'static [&'static str],
    /// What nft has for it.
    pub(super) how: How,
}

/// What nft has for an extension.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// Words of nft, and what writes them.
    As(&'static str, Translate),
    /// Nothing, and why.
    Not(&'static str),
}

impl Entry {
    /// Its words in nft.
    pub fn nft(&self) -> Option<&'static str> {
        match self.how {
            How::As(words, _) => Some(words),
            How::Not(_) => None,
        }
    }

    /// Why it has none.
    pub fn reason(&self) -> Option<&'static str> {
        match self.how {
            How::As(..) => None,
            How::Not(reason) => Some(reason),
        }
    }
}

const fn to(names: &'static [&'static str], words: &'static str, translate: Translate) -> Entry {
    Entry { names, how: How::As(words, translate) }
}

const fn not(names: &'static [&'static str], reason: &'static str) -> Entry {
    Entry { names, how: How::Not(reason) }
}

/// Nothing is asked of a comment: it is kept as that of the rule.
fn comment(asked: &mut super::asked::Asked, _: &mut super::draft::Draft<'_>) -> super::Told<()> {
    asked.take(&["--comment"]);
    Ok(())
}

/// Matches (`-m`).
pub const MATCHES: &[Entry] = &[
    to(&["addrtype"], "fib saddr type, fib daddr type", route::addrtype),
    to(&["ah"], "ah spi (IPv4)", packet::ah),
    not(&["bpf"], "nft takes no programs of BPF"),
    to(&["cgroup"], "meta cgroup (by class)", packet::cgroup),
    to(&["cluster"], "jhash ct original ip saddr (IPv4)", connection::cluster),
    to(&["comment"], "comment", comment),
    to(&["connbytes"], "ct packets, ct bytes, ct avgpkt", connection::connbytes),
    to(&["connlabel"], "ct label (by number)", connection::connlabel),
    to(&["connlimit"], "ct count in a set that the rule fills", rate::connlimit),
    to(&["connmark"], "ct mark", packet::connmark),
    to(&["conntrack"], "ct state, status, direction, expiration, original and reply tuples", connection::conntrack),
    to(&["cpu"], "meta cpu", packet::cpu),
    to(&["dccp"], "dccp sport, dport, type; dccp option", ports::dccp),
    to(&["devgroup"], "meta iifgroup, oifgroup", packet::devgroup),
    to(&["dscp"], "ip dscp, ip6 dscp", packet::dscp),
    to(&["dst"], "dst hdrlength, exthdr dst (IPv6)", ipv6::dst),
    to(&["ecn"], "ip ecn, ip6 ecn, tcp flags", ports::ecn),
    to(&["esp"], "esp spi", packet::esp),
    not(&["eui64"], "nft does not compare an address with a part of another"),
    to(&["frag"], "frag id, frag-off, more-fragments (IPv6)", ipv6::frag),
    to(&["hashlimit"], "limit in a set that rules fill", rate::hashlimit),
    to(&["hbh"], "hbh hdrlength, exthdr hbh (IPv6)", ipv6::hbh),
    to(&["helper"], "ct helper (by name)", connection::helper),
    to(&["hl"], "ip6 hoplimit", packet::hl),
    to(&["icmp"], "icmp type, icmp code", icmp::icmp),
    to(&["icmp6", "icmpv6", "ipv6-icmp"], "icmpv6 type, icmpv6 code", icmp::icmp6),
    to(&["ipcomp"], "comp cpi", packet::ipcomp),
    to(&["iprange"], "ip saddr, ip daddr and a range", packet::iprange),
    to(&["ipv6header"], "exthdr (with --soft)", ipv6::ipv6header),
    not(&["ipvs"], "nft does not know what a connection is to IPVS"),
    to(&["length"], "meta length", packet::length),
    to(&["limit"], "limit rate", rate::limit),
    to(&["mac"], "ether saddr", packet::mac),
    to(&["mark"], "meta mark", packet::mark),
    to(&["mh"], "mh type (IPv6)", ipv6::mh),
    to(&["multiport"], "tcp dport { … } and the like; sport . dport", ports::multiport),
    to(&["nfacct"], "counter name", rate::nfacct),
    to(&["osf"], "osf name", packet::osf),
    to(&["owner"], "meta skuid, meta skgid", packet::owner),
    not(&["physdev"], "nft sees the port of a bridge only in tables of family bridge"),
    to(&["pkttype"], "meta pkttype", packet::pkttype),
    to(&["policy"], "meta ipsec, rt ipsec", route::policy),
    to(&["quota"], "quota", rate::quota),
    not(&["rateest"], "nft does not estimate rates"),
    to(&["realm"], "meta rtclassid", packet::realm),
    to(&["recent"], "a set that rules fill (without --hitcount and --rttl)", recent::recent),
    to(&["rpfilter"], "fib saddr oif", route::rpfilter),
    to(&["rt"], "rt type, seg-left, hdrlength (IPv6)", ipv6::rt),
    to(&["sctp"], "sctp sport, dport; sctp chunk", ports::sctp),
    not(&["set"], "the set is one of ipset, whose type and elements are not here"),
    to(&["socket"], "socket wildcard, transparent, mark", packet::socket),
    not(&["srh"], "nft does not look at the length and segments of a routing header together"),
    to(&["state"], "ct state", connection::state),
    to(&["statistic"], "meta random, numgen inc", rate::statistic),
    not(&["string"], "nft does not search for text in packets"),
    to(&["tcp"], "tcp sport, dport, flags; tcp option", ports::tcp),
    to(&["tcpmss"], "tcp option maxseg size", packet::tcpmss),
    to(&["time"], "meta time, hour, day", time::time),
    to(&["tos"], "ip dscp, or @nh bits", packet::tos),
    to(&["ttl"], "ip ttl", packet::ttl),
    not(&["u32"], "nft does not follow offsets that it reads in a packet"),
    to(&["udp"], "udp sport, dport", ports::udp),
];

/// Targets (`-j`).
pub const TARGETS: &[Entry] = &[
    to(&["AUDIT"], "log level audit", report::audit),
    not(&["CHECKSUM"], "nft does not fill in checksums"),
    to(&["CLASSIFY"], "meta priority set", marks::classify),
    not(&["CLUSTERIP"], "nft does not answer ARP for a cluster"),
    to(&["CONNMARK"], "ct mark set, meta mark set", marks::connmark),
    to(&["CONNSECMARK"], "ct secmark set, meta secmark set", marks::connsecmark),
    to(&["CT"], "notrack, ct zone set", report::ct),
    to(&["DNAT"], "dnat to", nat::dnat),
    not(&["DNPT"], "nft does not translate prefixes without a connection"),
    to(&["DSCP"], "ip dscp set, ip6 dscp set", marks::dscp),
    not(&["ECN"], "nft does not take single flags out of a TCP header"),
    to(&["HL"], "ip6 hoplimit set", marks::hl),
    not(&["HMARK"], "nft makes another hash of a packet"),
    not(&["IDLETIMER"], "nft tells nobody that no packet came"),
    not(&["LED"], "nft switches no lights"),
    to(&["LOG"], "log", report::log),
    to(&["MARK"], "meta mark set", marks::mark),
    to(&["MASQUERADE"], "masquerade", nat::masquerade),
    to(&["NETMAP"], "snat prefix to, dnat prefix to", nat::netmap),
    to(&["NFLOG"], "log group", report::nflog),
    to(&["NFQUEUE", "QUEUE"], "queue", report::nfqueue),
    to(&["NOTRACK"], "notrack", report::notrack),
    not(&["RATEEST"], "nft does not estimate rates"),
    to(&["REDIRECT"], "redirect", nat::redirect),
    to(&["REJECT"], "reject", report::reject),
    not(&["SECMARK"], "a security context has a number only while its policy is loaded"),
    not(&["SET"], "the set is one of ipset, whose type is not here"),
    to(&["SNAT"], "snat to", nat::snat),
    not(&["SNPT"], "nft does not translate prefixes without a connection"),
    to(&["SYNPROXY"], "synproxy", report::synproxy),
    to(&["TCPMSS"], "tcp option maxseg size set", report::tcpmss),
    to(&["TCPOPTSTRIP"], "reset tcp option", report::tcpoptstrip),
    to(&["TEE"], "dup to", report::tee),
    to(&["TOS"], "ip dscp set, ip ecn set", marks::tos),
    to(&["TPROXY"], "tproxy to, and a second rule that drops", nat::tproxy),
    to(&["TRACE"], "meta nftrace set 1", marks::trace),
    to(&["TTL"], "ip ttl set", marks::ttl),
];
