//! `-m tcp` (extensions/libxt_tcp.c, `tcp_save`).

use std::fmt;

use super::super::extension::{Context, Extension, Field, Given, Only, Opt, Value};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::value::{PortRange, Within, drop_every_port};

/// TCP flags by name, in the order of iptables-save.
const FLAGS: [(&str, u8); 6] =
    [("FIN", 0x01), ("SYN", 0x02), ("RST", 0x04), ("PSH", 0x08), ("ACK", 0x10), ("URG", 0x20)];

/// Which TCP flags count, and which of these must be set: the bits of the TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags {
    /// Those that count.
    pub mask: u8,
    /// Those of them that must be set.
    pub set: u8,
}

impl TcpFlags {
    /// What `--syn` stands for: a packet that begins a connection.
    pub const SYN: Self = Self { mask: 0x17, set: 0x02 };
}

impl Value for TcpFlags {
    const EXPECTED: &'static str = "the flags that count, and those that must be set, as `SYN,ACK SYN`";
    const WORDS: usize = 2;

    fn read([mask, set]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let flag = |word: &str| match word {
            _ if word.eq_ignore_ascii_case("ALL") => Some(0x3f),
            _ if word.eq_ignore_ascii_case("NONE") => Some(0),
            _ => FLAGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, bit)| *bit),
        };
        let read = |words: &str| words.split(',').map(flag).try_fold(0, |bits, bit| Some(bits | bit?));
        Some(Self { mask: read(mask)?, set: read(set)? })
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let print = |f: &mut fmt::Formatter<'_>, bits: u8| {
            let mut separator = "";
            for (name, _) in FLAGS.iter().filter(|(_, bit)| bits & bit != 0) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
            if bits == 0 { f.write_str("NONE") } else { Ok(()) }
        };
        print(f, self.mask)?;
        f.write_str(" ")?;
        print(f, self.set)
    }
}

/// What a TCP packet must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tcp {
    /// The ports one of which it must come from.
    pub sport: Option<Criterion<PortRange>>,
    /// The ports one of which it must go to.
    pub dport: Option<Criterion<PortRange>>,
    /// The option it must have.
    pub option: Option<Criterion<Within<1, 255>>>,
    /// Its flags.
    pub flags: Option<Criterion<TcpFlags>>,
}

impl Tcp {
    /// To one of these ports.
    pub fn to(ports: PortRange) -> Self {
        Self { dport: Some(Criterion::is(ports)), ..Self::default() }
    }
}

impl Extension for Tcp {
    const NAMES: &'static [&'static str] = &["tcp"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--sport", "--source-port"]).or_not(),
        Opt::word(&["--dport", "--destination-port"]).or_not(),
        Opt::word(&["--tcp-option"]).or_not(),
        Opt::word(&["--tcp-flags"]).two_words().or_not(),
        Opt::flag(&["--syn"]).or_not(),
    ];
    const ONLY: Only = Only::ANYWHERE.protocols(&[Protocol::TCP]);

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let mut tcp = Self {
            sport: given.criterion(0)?,
            dport: given.criterion(1)?,
            option: given.criterion(2)?,
            flags: given.criterion(3)?,
        };
        if let Some(syn) = given.one_of(&[3, 4])?.filter(|flags| flags.option == 4) {
            tcp.flags = Some(Criterion { inverted: syn.inverted, value: TcpFlags::SYN });
        }
        tcp.flags.take_if(|flags| !flags.inverted && flags.value.mask == 0 && flags.value.set == 0);
        drop_every_port(&mut tcp.sport);
        drop_every_port(&mut tcp.dport);
        Ok(tcp)
    }
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Field::print(&self.sport, f, "--sport")?;
        Field::print(&self.dport, f, "--dport")?;
        Field::print(&self.option, f, "--tcp-option")?;
        Field::print(&self.flags, f, "--tcp-flags")
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn ports_round_trip() {
        round_trips(&["-p tcp -m tcp --dport 80", "-p tcp -m tcp --sport 1:1023 ! --dport 80", "-p tcp -m tcp"]);
        prints_as("-p tcp -m tcp --destination-port 1024: --sport :9", "-p tcp -m tcp --sport 0:9 --dport 1024:65535");
        prints_as("-p tcp -m tcp --dport :", "-p tcp -m tcp");
        prints_as("-p tcp --dport http", "-p tcp -m tcp --dport 80");
        is_refused(&["-p tcp --dport 9:1", "-p tcp --dport 1 --dport 2", "-p tcp --dport 65536", "-m tcp"]);
    }

    #[test]
    fn flags_and_options_round_trip() {
        round_trips(&[
            "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
            "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
            "-p tcp -m tcp --tcp-option 7 --tcp-flags SYN SYN",
        ]);
        prints_as("-p tcp --syn", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN");
        prints_as("-p tcp ! --syn", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN");
        prints_as("-p tcp --tcp-flags all syn", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG SYN");
        is_refused(&["-p tcp --tcp-flags SYN", "-p tcp --tcp-flags ODD SYN", "-p tcp --tcp-option 0"]);
    }
}
