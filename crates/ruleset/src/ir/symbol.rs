//! Names for values: nft's tables, both ways, shared by every front end.
//!
//! nft prints the first name of a number and takes any. Sources: `nft describe` of each type, the kernel's uapi
//! headers, IANA's registries for protocols and services. Files a machine may change (`/etc/services`,
//! `/etc/iproute2/*`) stand here with the entries every machine has, so that the same text means the same everywhere.

use super::DataType;

/// How a number without a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberBase {
    /// In decimal digits.
    Decimal,
    /// In hexadecimal digits, with as many as the type is long.
    Hexadecimal,
}

/// The names of a type's values, in nft's order. Services are not here, see [`service_port`]: nft takes their names and
/// prints their numbers.
pub const fn symbols(datatype: DataType) -> &'static [(&'static str, u64)] {
    match datatype {
        DataType::Nfproto => &[("ipv4", 2), ("ipv6", 10)],
        DataType::EtherType => ETHER_TYPE,
        DataType::ArpOp => ARP_OP,
        DataType::InetProto => INET_PROTO,
        DataType::IcmpType => ICMP_TYPE,
        DataType::Icmpv6Type => ICMPV6_TYPE,
        DataType::IgmpType => IGMP_TYPE,
        DataType::IcmpCode => ICMP_CODE,
        DataType::Icmpv6Code => ICMPV6_CODE,
        DataType::IcmpxCode => ICMPX_CODE,
        DataType::TcpFlag => TCP_FLAG,
        DataType::DccpPkttype => DCCP_PKTTYPE,
        DataType::MhType => MH_TYPE,
        DataType::IfType => IFACE_TYPE,
        DataType::CtState => CT_STATE,
        DataType::CtDir => &[("original", 0), ("reply", 1)],
        DataType::CtStatus => CT_STATUS,
        DataType::CtEvent => CT_EVENT,
        DataType::Pkttype => PKTTYPE,
        DataType::Dscp => DSCP,
        DataType::Ecn => &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)],
        DataType::FibAddrType => FIB_ADDRTYPE,
        DataType::Boolean => &[("exists", 1), ("missing", 0)],
        DataType::Day => DAY,
        DataType::Realm => &[("cosmos", 0)],
        DataType::DevGroup => &[("default", 0)],
        DataType::ClassId => &[("none", 0), ("root", 0xffff_ffff)],
        _ => &[],
    }
}

/// The name nft prints for that value.
pub fn name_of(datatype: DataType, number: u64) -> Option<&'static str> {
    symbols(datatype).iter().find(|(_, value)| *value == number).map(|(name, _)| *name)
}

/// The value of that name, as nft takes it: symbols and, for ports, services.
pub fn number_of(datatype: DataType, name: &str) -> Option<u64> {
    match datatype {
        DataType::InetService => service_port(name).map(u64::from),
        // `getprotobyname` also knows aliases and names in capitals; nft's own listing has neither.
        DataType::InetProto => INET_PROTO
            .iter()
            .chain(INET_PROTO_ALIASES)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value),
        // Days may be shortened to three letters and more.
        DataType::Day => DAY
            .iter()
            .find(|(known, _)| {
                name.len() >= 3 && known.get(..name.len()).is_some_and(|part| part.eq_ignore_ascii_case(name))
            })
            .map(|(_, value)| *value),
        _ => symbols(datatype).iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
    }
}

/// Whether a value is a set of bits, each with a name of its own.
pub const fn is_bitmask(datatype: DataType) -> bool {
    matches!(
        datatype,
        DataType::TcpFlag | DataType::CtState | DataType::CtStatus | DataType::CtLabel | DataType::CtEvent
    )
}

/// Whether nft puts the names of that type's values in quotes: those that come from files.
pub const fn is_quoted(datatype: DataType) -> bool {
    matches!(
        datatype,
        DataType::Realm | DataType::DevGroup | DataType::Day | DataType::IfIndex | DataType::IfName | DataType::String
    )
}

/// How a value of that type without a name is written.
pub const fn number_base(datatype: DataType) -> NumberBase {
    match datatype {
        DataType::Bitmask
        | DataType::EtherType
        | DataType::TcpFlag
        | DataType::Mark
        | DataType::Dscp
        | DataType::Ecn
        | DataType::CtState
        | DataType::CtStatus
        | DataType::CtEvent => NumberBase::Hexadecimal,
        _ => NumberBase::Decimal,
    }
}

/// The port of that service, whatever its protocol.
pub fn service_port(name: &str) -> Option<u16> {
    SERVICES.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
}

/// Names that nft takes at that place, for messages about unknown ones.
pub fn names(datatype: DataType) -> impl Iterator<Item = &'static str> {
    let services = if datatype == DataType::InetService { SERVICES } else { &[] };
    symbols(datatype).iter().map(|(name, _)| *name).chain(services.iter().map(|(name, _)| *name))
}

/// The name of a syslog level (`log level`); 8 is `audit`.
pub fn syslog_level(level: u8) -> Option<&'static str> {
    SYSLOG_LEVELS.get(usize::from(level)).copied()
}

/// The number of that syslog level; `emergency` and `warning` are spellings nft does not have.
pub fn syslog_level_number(name: &str) -> Option<u8> {
    SYSLOG_LEVELS.iter().position(|known| *known == name).map(|level| level as u8)
}

/// A span of time as nft writes it: `1d2h3m4s5ms`.
pub fn duration(milliseconds: u64) -> String {
    use std::fmt::Write as _;
    let seconds = milliseconds / 1000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let mut text = String::new();
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        write!(text, "{number}{unit}").expect("a string takes all text");
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A moment as nft writes it, in UTC: `2026-01-31 12:00:00`. It is counted in nanoseconds since 1970.
pub fn date(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days, after Howard Hinnant's algorithm: years that begin in March make leap days come last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", second % 60)
}

/// The moment in nanoseconds since 1970 of such a text; the time of day may be left out, or its seconds.
pub fn parse_date(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some()
        || !(1970..=2500).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
    {
        return None;
    }
    let shifted_year = year - u64::from(month <= 2);
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some((days * 86_400 + parse_hour(time.trim())?) * 1_000_000_000)
}

/// A time of day as nft writes it, in UTC: `17:00`, or `17:00:30`.
pub fn hour(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// The seconds since midnight of such a text.
pub fn parse_hour(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok().filter(|_| part.len() <= 2));
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    (parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60)
        .then_some(hours * 3600 + minutes * 60 + seconds)
}

const SYSLOG_LEVELS: [&str; 9] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"];

/// linux/if_ether.h.
const ETHER_TYPE: &[(&str, u64)] =
    &[("ip", 0x0800), ("arp", 0x0806), ("ip6", 0x86dd), ("8021q", 0x8100), ("8021ad", 0x88a8), ("vlan", 0x8100)];

/// linux/if_arp.h.
const ARP_OP: &[(&str, u64)] =
    &[("request", 1), ("reply", 2), ("rrequest", 3), ("rreply", 4), ("inrequest", 8), ("inreply", 9), ("nak", 10)];

/// linux/if_arp.h, hardware types.
const IFACE_TYPE: &[(&str, u64)] =
    &[("ether", 1), ("ppp", 512), ("ipip", 768), ("ipip6", 769), ("loopback", 772), ("sit", 776), ("ipgre", 778)];

/// RFC 792, linux/icmp.h.
const ICMP_TYPE: &[(&str, u64)] = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

const ICMP_CODE: &[(&str, u64)] = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
    ("frag-needed", 4),
];

/// RFC 4443, RFC 4861, linux/icmpv6.h.
const ICMPV6_TYPE: &[(&str, u64)] = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];

const ICMPV6_CODE: &[(&str, u64)] = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// linux/netfilter/nf_tables.h `enum nft_reject_inet_code`.
const ICMPX_CODE: &[(&str, u64)] =
    &[("port-unreachable", 1), ("admin-prohibited", 3), ("no-route", 0), ("host-unreachable", 2)];

const IGMP_TYPE: &[(&str, u64)] = &[
    ("membership-query", 0x11),
    ("membership-report-v1", 0x12),
    ("membership-report-v2", 0x16),
    ("membership-report-v3", 0x22),
    ("leave-group", 0x17),
];

/// RFC 9293, RFC 3168.
const TCP_FLAG: &[(&str, u64)] = &[
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ecn", 0x40),
    ("cwr", 0x80),
];

/// RFC 4340.
const DCCP_PKTTYPE: &[(&str, u64)] = &[
    ("request", 0),
    ("response", 1),
    ("data", 2),
    ("ack", 3),
    ("dataack", 4),
    ("closereq", 5),
    ("close", 6),
    ("reset", 7),
    ("sync", 8),
    ("syncack", 9),
];

/// RFC 6275 and IANA's registry of mobility headers.
const MH_TYPE: &[(&str, u64)] = &[
    ("binding-refresh-request", 0),
    ("home-test-init", 1),
    ("careof-test-init", 2),
    ("home-test", 3),
    ("careof-test", 4),
    ("binding-update", 5),
    ("binding-acknowledgement", 6),
    ("binding-error", 7),
    ("fast-binding-update", 8),
    ("fast-binding-acknowledgement", 9),
    ("fast-binding-advertisement", 10),
    ("experimental-mobility-header", 11),
    ("home-agent-switch-message", 12),
];

/// linux/netfilter/nf_conntrack_common.h `NF_CT_STATE_BIT`.
const CT_STATE: &[(&str, u64)] = &[("invalid", 1), ("new", 8), ("established", 2), ("related", 4), ("untracked", 64)];

/// linux/netfilter/nf_conntrack_common.h `enum ip_conntrack_status`.
const CT_STATUS: &[(&str, u64)] = &[
    ("expected", 0x001),
    ("seen-reply", 0x002),
    ("assured", 0x004),
    ("confirmed", 0x008),
    ("snat", 0x010),
    ("dnat", 0x020),
    ("dying", 0x200),
];

/// linux/netfilter/nf_conntrack_common.h `enum ip_conntrack_events`.
const CT_EVENT: &[(&str, u64)] = &[
    ("new", 0x001),
    ("related", 0x002),
    ("destroy", 0x004),
    ("reply", 0x008),
    ("assured", 0x010),
    ("protoinfo", 0x020),
    ("helper", 0x040),
    ("mark", 0x080),
    ("seqadj", 0x100),
    ("secmark", 0x200),
    ("label", 0x400),
];

/// linux/if_packet.h.
const PKTTYPE: &[(&str, u64)] = &[("host", 0), ("unicast", 0), ("broadcast", 1), ("multicast", 2), ("other", 3)];

/// RFC 2474, 2597, 3246, 5865, 8622.
const DSCP: &[(&str, u64)] = &[
    ("cs0", 0x00),
    ("cs1", 0x08),
    ("cs2", 0x10),
    ("cs3", 0x18),
    ("cs4", 0x20),
    ("cs5", 0x28),
    ("cs6", 0x30),
    ("cs7", 0x38),
    ("df", 0x00),
    ("be", 0x00),
    ("lephb", 0x01),
    ("af11", 0x0a),
    ("af12", 0x0c),
    ("af13", 0x0e),
    ("af21", 0x12),
    ("af22", 0x14),
    ("af23", 0x16),
    ("af31", 0x1a),
    ("af32", 0x1c),
    ("af33", 0x1e),
    ("af41", 0x22),
    ("af42", 0x24),
    ("af43", 0x26),
    ("va", 0x2c),
    ("ef", 0x2e),
];

/// linux/rtnetlink.h `RTN_*`.
const FIB_ADDRTYPE: &[(&str, u64)] = &[
    ("unspec", 0),
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];

const DAY: &[(&str, u64)] =
    &[("Sunday", 0), ("Monday", 1), ("Tuesday", 2), ("Wednesday", 3), ("Thursday", 4), ("Friday", 5), ("Saturday", 6)];

/// IANA's protocol numbers under the names machines have in /etc/protocols.
#[rustfmt::skip]
const INET_PROTO: &[(&str, u64)] = &[
    ("ip", 0), ("hopopt", 0), ("icmp", 1), ("igmp", 2), ("ggp", 3), ("ipencap", 4), ("st", 5), ("tcp", 6),
    ("egp", 8), ("igp", 9), ("pup", 12), ("udp", 17), ("hmp", 20), ("xns-idp", 22), ("rdp", 27), ("iso-tp4", 29),
    ("dccp", 33), ("xtp", 36), ("ddp", 37), ("idpr-cmtp", 38), ("ipv6", 41), ("ipv6-route", 43), ("ipv6-frag", 44),
    ("idrp", 45), ("rsvp", 46), ("gre", 47), ("esp", 50), ("ah", 51), ("skip", 57), ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59), ("ipv6-opts", 60), ("rspf", 73), ("vmtp", 81), ("eigrp", 88), ("ospf", 89), ("ax.25", 93),
    ("ipip", 94), ("etherip", 97), ("encap", 98), ("pim", 103), ("ipcomp", 108), ("vrrp", 112), ("l2tp", 115),
    ("isis", 124), ("sctp", 132), ("fc", 133), ("mobility-header", 135), ("udplite", 136), ("mpls-in-ip", 137),
    ("manet", 138), ("hip", 139), ("shim6", 140), ("wesp", 141), ("rohc", 142), ("ethernet", 143),
];

/// Names nft takes but does not print.
const INET_PROTO_ALIASES: &[(&str, u64)] =
    &[("icmpv6", 58), ("comp", 108), ("ipv6-auth", 51), ("ipv6-crypt", 50), ("ospfigp", 89), ("ospf-igp", 89)];

/// IANA's service names, of any protocol, as machines have them in /etc/services.
#[rustfmt::skip]
const SERVICES: &[(&str, u16)] = &[
    ("rtmp", 1), ("tcpmux", 1), ("nbp", 2), ("zip", 6), ("echo", 7), ("discard", 9), ("null", 9), ("sink", 9),
    ("systat", 11), ("users", 11), ("daytime", 13), ("netstat", 15), ("qotd", 17), ("quote", 17), ("chargen", 19),
    ("source", 19), ("ttytst", 19), ("ftp-data", 20), ("fsp", 21), ("fspd", 21), ("ftp", 21), ("ssh", 22),
    ("telnet", 23), ("mail", 25), ("smtp", 25), ("time", 37), ("timserver", 37), ("nicname", 43), ("whois", 43),
    ("tacacs", 49), ("domain", 53), ("bootps", 67), ("bootpc", 68), ("tftp", 69), ("gopher", 70), ("finger", 79),
    ("http", 80), ("www", 80), ("kerberos", 88), ("kerberos-sec", 88), ("kerberos5", 88), ("krb5", 88),
    ("iso-tsap", 102), ("tsap", 102), ("acr-nema", 104), ("dicom", 104), ("poppassd", 106), ("pop-3", 110),
    ("pop3", 110), ("portmapper", 111), ("sunrpc", 111), ("auth", 113), ("authentication", 113), ("ident", 113),
    ("tap", 113), ("nntp", 119), ("readnews", 119), ("untp", 119), ("ntp", 123), ("epmap", 135), ("loc-srv", 135),
    ("netbios-ns", 137), ("netbios-dgm", 138), ("netbios-ssn", 139), ("imap", 143), ("imap2", 143), ("snmp", 161),
    ("snmp-trap", 162), ("snmptrap", 162), ("cmip-man", 163), ("cmip-agent", 164), ("mailq", 174), ("xdmcp", 177),
    ("bgp", 179), ("smux", 199), ("qmtp", 209), ("wais", 210), ("z3950", 210), ("ipx", 213), ("ptp-event", 319),
    ("ptp-general", 320), ("pawserv", 345), ("zserv", 346), ("rpc2portmap", 369), ("codaauth2", 370),
    ("Clearcase", 371), ("clearcase", 371), ("ldap", 389), ("svrloc", 427), ("https", 443), ("snpp", 444),
    ("microsoft-ds", 445), ("kpasswd", 464), ("smtps", 465), ("ssmtp", 465), ("submissions", 465), ("urd", 465),
    ("saft", 487), ("isakmp", 500), ("biff", 512), ("comsat", 512), ("exec", 512), ("login", 513), ("who", 513),
    ("whod", 513), ("cmd", 514), ("shell", 514), ("syslog", 514), ("printer", 515), ("spooler", 515), ("talk", 517),
    ("ntalk", 518), ("route", 520), ("routed", 520), ("router", 520), ("gdomap", 538), ("uucp", 540),
    ("uucpd", 540), ("klogin", 543), ("krcmd", 544), ("kshell", 544), ("dhcpv6-client", 546),
    ("dhcpv6-server", 547), ("afpovertcp", 548), ("rtsp", 554), ("nntps", 563), ("snntp", 563), ("submission", 587),
    ("nqs", 607), ("asf-rmcp", 623), ("qmqp", 628), ("ipp", 631), ("ldaps", 636), ("ldp", 646), ("tinc", 655),
    ("silc", 706), ("kerberos-adm", 749), ("kdc", 750), ("kerberos-iv", 750), ("kerberos4", 750),
    ("kerberos-master", 751), ("kerberos_master", 751), ("passwd-server", 752), ("passwd_server", 752),
    ("hprop", 754), ("krb-prop", 754), ("krb5_prop", 754), ("krb_prop", 754), ("moira-db", 775), ("moira_db", 775),
    ("moira-update", 777), ("moira_update", 777), ("moira-ureg", 779), ("moira_ureg", 779), ("spamd", 783),
    ("domain-s", 853), ("supfilesrv", 871), ("rsync", 873), ("ftps-data", 989), ("ftps", 990), ("telnets", 992),
    ("imaps", 993), ("pop3s", 995), ("socks", 1080), ("proofd", 1093), ("rootd", 1094), ("rmiregistry", 1099),
    ("supfiledbg", 1127), ("skkserv", 1178), ("openvpn", 1194), ("predict", 1210), ("rmtcfg", 1236), ("xtel", 1313),
    ("xtelw", 1314), ("lotusnote", 1352), ("lotusnotes", 1352), ("ms-sql-s", 1433), ("ms-sql-m", 1434),
    ("ingreslock", 1524), ("datametrics", 1645), ("old-radius", 1645), ("old-radacct", 1646), ("sa-msg-port", 1646),
    ("kermit", 1649), ("groupwise", 1677), ("l2f", 1701), ("l2tp", 1701), ("radius", 1812), ("radacct", 1813),
    ("radius-acct", 1813), ("cisco-sccp", 2000), ("nfs", 2049), ("gnunet", 2086), ("rtcm-sc104", 2101),
    ("zephyr-srv", 2102), ("zephyr-clt", 2103), ("zephyr-hm", 2104), ("gsigatekeeper", 2119), ("iprop", 2121),
    ("gris", 2135), ("cvspserver", 2401), ("venus", 2430), ("venus-se", 2431), ("codasrv", 2432),
    ("codasrv-se", 2433), ("mon", 2583), ("zebrasrv", 2600), ("zebra", 2601), ("ripd", 2602), ("ripngd", 2603),
    ("ospfd", 2604), ("bgpd", 2605), ("ospf6d", 2606), ("ospfapi", 2607), ("isisd", 2608), ("dict", 2628),
    ("f5-globalsite", 2792), ("gsiftp", 2811), ("gpsd", 2947), ("gds-db", 3050), ("gds_db", 3050), ("icp", 3130),
    ("icpv2", 3130), ("isns", 3205), ("iscsi-target", 3260), ("mysql", 3306), ("ms-wbt-server", 3389),
    ("nut", 3493), ("distcc", 3632), ("daap", 3689), ("subversion", 3690), ("svn", 3690), ("suucp", 4031),
    ("sysrqd", 4094), ("sieve", 4190), ("f5-iquery", 4353), ("epmd", 4369), ("remctl", 4373), ("ntske", 4460),
    ("ipsec-nat-t", 4500), ("fax", 4557), ("hylafax", 4559), ("iax", 4569), ("mtn", 4691), ("radmin-port", 4899),
    ("lrrd", 4949), ("munin", 4949), ("sip", 5060), ("sip-tls", 5061), ("jabber-client", 5222),
    ("xmpp-client", 5222), ("jabber-server", 5269), ("xmpp-server", 5269), ("cfengine", 5308), ("mdns", 5353),
    ("llmnr", 5355), ("postgres", 5432), ("postgresql", 5432), ("rplay", 5555), ("freeciv", 5556), ("rptp", 5556),
    ("nrpe", 5666), ("nsca", 5667), ("amqps", 5671), ("amqp", 5672), ("canna", 5680), ("x11", 6000),
    ("x11-0", 6000), ("x11-1", 6001), ("x11-2", 6002), ("x11-3", 6003), ("x11-4", 6004), ("x11-5", 6005),
    ("x11-6", 6006), ("x11-7", 6007), ("gnutella-svc", 6346), ("gnutella-rtr", 6347), ("redis", 6379),
    ("sge-qmaster", 6444), ("sge_qmaster", 6444), ("sge-execd", 6445), ("sge_execd", 6445), ("mysql-proxy", 6446),
    ("syslog-tls", 6514), ("sane", 6566), ("sane-port", 6566), ("saned", 6566), ("ircd", 6667), ("babel", 6696),
    ("ircs-u", 6697), ("afs3-fileserver", 7000), ("bbs", 7000), ("afs3-callback", 7001), ("afs3-prserver", 7002),
    ("afs3-vlserver", 7003), ("afs3-kaserver", 7004), ("afs3-volser", 7005), ("afs3-bos", 7007),
    ("afs3-update", 7008), ("afs3-rmtsys", 7009), ("font-service", 7100), ("xfs", 7100), ("zope-ftp", 8021),
    ("http-alt", 8080), ("webcache", 8080), ("tproxy", 8081), ("omniorb", 8088), ("puppet", 8140),
    ("clc-build-daemon", 8990), ("xinetd", 9098), ("bacula-dir", 9101), ("bacula-fd", 9102), ("bacula-sd", 9103),
    ("git", 9418), ("xmms2", 9667), ("zope", 9673), ("webmin", 10000), ("zabbix-agent", 10050),
    ("zabbix-trapper", 10051), ("amanda", 10080), ("kamanda", 10081), ("amandaidx", 10082), ("amidxtape", 10083),
    ("nbd", 10809), ("hkp", 11371), ("sgi-cmsd", 17001), ("sgi-crsd", 17002), ("sgi-gcd", 17003),
    ("sgi-cad", 17004), ("db-lsp", 17500), ("dcap", 22125), ("gsidcap", 22128), ("wnn6", 22273), ("binkp", 24554),
    ("asp", 27374), ("csync2", 30865), ("dircproxy", 57000), ("tfido", 60177), ("fido", 60179),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_name_leads_back_to_its_number() {
        for datatype in DataType::ALL {
            for (_, number) in symbols(*datatype) {
                let name = name_of(*datatype, *number).unwrap();
                assert_eq!(number_of(*datatype, name), Some(*number), "{datatype} {name}");
            }
        }
    }

    #[test]
    fn spans_and_moments_are_written_as_nft_does_and_read_back() {
        assert_eq!(duration(93_784_005), "1d2h3m4s5ms");
        assert_eq!(duration(0), "0s");
        assert_eq!(hour(45_240), "12:34");
        for text in ["1970-01-01 00:00:00", "2000-02-29 23:59:59", "2026-11-22 16:20:00", "2100-03-01 00:00:01"] {
            assert_eq!(date(parse_date(text).unwrap()), text);
        }
        assert_eq!(parse_date("2020-01-01"), Some(1_577_836_800_000_000_000));
        for odd in ["", "2020", "2020-13-01", "2020-01-01 25:00", "é", "99999999999999999999-01-01"] {
            assert_eq!(parse_date(odd), None, "{odd}");
        }
    }

    #[test]
    fn services_and_short_days_are_taken() {
        assert_eq!(number_of(DataType::InetService, "https"), Some(443));
        assert_eq!(name_of(DataType::InetService, 443), None);
        assert_eq!(number_of(DataType::Day, "tue"), Some(2));
        assert_eq!(number_of(DataType::Day, "t"), None);
        assert_eq!(number_of(DataType::Day, "é"), None);
    }
}
