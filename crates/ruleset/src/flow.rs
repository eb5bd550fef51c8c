//! Flows: what connection tracking knows of a conversation (`struct nf_conn`, include/net/netfilter/nf_conntrack.h).

use std::fmt;
use std::net::IpAddr;

/// A tracked conversation: how its first packet came, how answers come, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The first packet, as it came.
    pub original: Tuple,
    /// Answers, as they come. Where the source is not the original destination, the destination was translated.
    pub reply: Tuple,
    /// What is known of it.
    pub status: Status,
    /// Its mark (`ct mark`).
    pub mark: u32,
    /// The zone it is in.
    pub zone: Zone,
    /// How long it is kept without a further packet, in seconds. `None` for one that hardware forwards, and while it is
    /// being made.
    pub timeout: Option<u32>,
    /// How far the protocol got: `enum tcp_conntrack`, `enum sctp_conntrack`.
    pub state: Option<u8>,
    /// The kernel's number for it, made of its place in memory and its tuples (`nf_ct_get_id`): another flow of the same
    /// tuples has another one, unless it came to the same place.
    pub id: u32,
}

/// Addresses and ports of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Where packets come from.
    pub source: IpAddr,
    /// Where they go.
    pub destination: IpAddr,
    /// The protocol's number above IP.
    pub protocol: u8,
    /// What of the protocol tells flows apart.
    pub ends: Ends,
}

/// What of a protocol tells flows between two hosts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ends {
    /// The ports of TCP, UDP, SCTP and others; the call IDs of GRE.
    Ports {
        /// That packets come from.
        source: u16,
        /// That they go to.
        destination: u16,
    },
    /// The message of ICMP and ICMPv6.
    Icmp {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// Its identifier.
        id: u16,
    },
    /// Nothing.
    None,
}

impl Ends {
    /// The port packets come from, where there is one.
    pub fn source_port(self) -> Option<u16> {
        if let Self::Ports { source, .. } = self { Some(source) } else { None }
    }

    /// The port packets go to, where there is one.
    pub fn destination_port(self) -> Option<u16> {
        if let Self::Ports { destination, .. } = self { Some(destination) } else { None }
    }
}

/// Where a flow is looked for: packets of different zones never meet, even if their tuples are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zone {
    /// That of both directions; 0 is that of all who asked for none.
    Both(u16),
    /// That of the original direction; answers are in zone 0.
    Original(u16),
    /// That of answers; the original direction is in zone 0.
    Reply(u16),
    /// Zone 0.
    #[default]
    Default,
}

impl Zone {
    /// Its number; 0 for the default.
    pub fn number(self) -> u16 {
        match self {
            Self::Both(zone) | Self::Original(zone) | Self::Reply(zone) => zone,
            Self::Default => 0,
        }
    }
}

/// What is known of a flow: bits of `enum ip_conntrack_status` (linux/netfilter/nf_conntrack_common.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub u32);

impl Status {
    /// An answer was seen.
    pub const SEEN_REPLY: Self = Self(1 << 1);
    /// It is not given up early when the table is full.
    pub const ASSURED: Self = Self(1 << 2);
    /// Its first packet left.
    pub const CONFIRMED: Self = Self(1 << 3);
    /// The source was translated.
    pub const SOURCE_NAT: Self = Self(1 << 4);
    /// The destination was translated.
    pub const DESTINATION_NAT: Self = Self(1 << 5);
    /// It is in a flowtable.
    pub const OFFLOAD: Self = Self(1 << 14);
    /// It is in the flowtable of a device.
    pub const HARDWARE_OFFLOAD: Self = Self(1 << 15);

    /// Whether all those bits are set.
    pub const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl Flow {
    /// Whether answers come from elsewhere than the first packet went to.
    pub fn is_destination_translated(&self) -> bool {
        (self.reply.source, self.reply.ends.source_port())
            != (self.original.destination, self.original.ends.destination_port())
    }
}

/// As `conntrack -L` shows it, but for the count of users:
/// `udp      17 28 src=192.0.2.2 dst=10.96.0.10 sport=4711 dport=53 [UNREPLIED] src=10.244.0.11 … mark=0`.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.original.protocol;
        write!(f, "{:<8} {protocol}", protocol_name(protocol))?;
        let is_offloaded = self.status.has(Status::OFFLOAD);
        if let Some(timeout) = self.timeout.filter(|_| !is_offloaded) {
            write!(f, " {timeout}")?;
        }
        if let Some(state) = self.state.and_then(|state| state_name(protocol, state)).filter(|_| !is_offloaded) {
            write!(f, " {state}")?;
        }
        write!(f, " {}", self.original)?;
        if let Zone::Original(zone) = self.zone {
            write!(f, " zone-orig={zone}")?;
        }
        if !self.status.has(Status::SEEN_REPLY) {
            f.write_str(" [UNREPLIED]")?;
        }
        write!(f, " {}", self.reply)?;
        if let Zone::Reply(zone) = self.zone {
            write!(f, " zone-reply={zone}")?;
        }
        if self.status.has(Status::HARDWARE_OFFLOAD) {
            f.write_str(" [HW_OFFLOAD]")?;
        } else if is_offloaded {
            f.write_str(" [OFFLOAD]")?;
        } else if self.status.has(Status::ASSURED) {
            f.write_str(" [ASSURED]")?;
        }
        write!(f, " mark={}", self.mark)?;
        if let Zone::Both(zone) = self.zone {
            write!(f, " zone={zone}")?;
        }
        Ok(())
    }
}

/// `src=192.0.2.2 dst=10.96.0.10 sport=4711 dport=53`.
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src={} dst={}", self.source, self.destination)?;
        match self.ends {
            Ends::Ports { source, destination } if self.protocol == GRE => {
                write!(f, " srckey=0x{source:x} dstkey=0x{destination:x}")
            }
            Ends::Ports { source, destination } => write!(f, " sport={source} dport={destination}"),
            Ends::Icmp { kind, code, id } => write!(f, " type={kind} code={code} id={id}"),
            Ends::None => Ok(()),
        }
    }
}

const TCP: u8 = 6;
const GRE: u8 = 47;
const SCTP: u8 = 132;

fn protocol_name(number: u8) -> &'static str {
    match number {
        1 => "icmp",
        2 => "igmp",
        TCP => "tcp",
        17 => "udp",
        33 => "dccp",
        GRE => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        SCTP => "sctp",
        136 => "udplite",
        _ => "unknown",
    }
}

fn state_name(protocol: u8, state: u8) -> Option<&'static str> {
    // `enum tcp_conntrack` (linux/netfilter/nf_conntrack_tcp.h), `enum sctp_conntrack` (…/nf_conntrack_sctp.h).
    const TCP_STATES: [&str; 10] = [
        "NONE",
        "SYN_SENT",
        "SYN_RECV",
        "ESTABLISHED",
        "FIN_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "TIME_WAIT",
        "CLOSE",
        "SYN_SENT2",
    ];
    const SCTP_STATES: [&str; 10] = [
        "NONE",
        "CLOSED",
        "COOKIE_WAIT",
        "COOKIE_ECHOED",
        "ESTABLISHED",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECD",
        "SHUTDOWN_ACK_SENT",
        "HEARTBEAT_SENT",
        "HEARTBEAT_ACKED",
    ];
    let names = match protocol {
        TCP => &TCP_STATES,
        SCTP => &SCTP_STATES,
        _ => return None,
    };
    names.get(usize::from(state)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) -> Tuple {
        let ends = Ends::Ports { source: ports.0, destination: ports.1 };
        Tuple { source: source.into(), destination: destination.into(), protocol: 17, ends }
    }

    #[test]
    fn a_flow_reads_as_conntrack_lists_it() {
        let mut flow = Flow {
            original: tuple([192, 0, 2, 2], [10, 96, 0, 10], (4711, 53)),
            reply: tuple([10, 244, 0, 11], [192, 0, 2, 2], (5353, 4711)),
            status: Status::CONFIRMED,
            mark: 7,
            zone: Zone::Both(3),
            timeout: Some(28),
            state: None,
            id: 1,
        };
        assert_eq!(
            flow.to_string(),
            "udp      17 28 src=192.0.2.2 dst=10.96.0.10 sport=4711 dport=53 [UNREPLIED] src=10.244.0.11 dst=192.0.2.2 \
             sport=5353 dport=4711 mark=7 zone=3"
        );
        assert!(flow.is_destination_translated());
        flow.reply = tuple([10, 96, 0, 10], [192, 0, 2, 2], (53, 61_000));
        assert!(!flow.is_destination_translated());
    }
}
