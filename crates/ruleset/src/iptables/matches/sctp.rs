//! `-m sctp` (extensions/libxt_sctp.c, `sctp_save`).

use std::fmt;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{PortRange, drop_every_port};

/// Chunk types by name, and the flags of each that may be asked for, as letters by bit.
const CHUNKS: &[(&str, u8, &str)] = &[
    ("DATA", 0, "----IUBE"),
    ("INIT", 1, "--------"),
    ("INIT_ACK", 2, "--------"),
    ("SACK", 3, "--------"),
    ("HEARTBEAT", 4, "--------"),
    ("HEARTBEAT_ACK", 5, "--------"),
    ("ABORT", 6, "-------T"),
    ("SHUTDOWN", 7, "--------"),
    ("SHUTDOWN_ACK", 8, "--------"),
    ("ERROR", 9, "--------"),
    ("COOKIE_ECHO", 10, "--------"),
    ("COOKIE_ACK", 11, "--------"),
    ("ECN_ECNE", 12, "--------"),
    ("ECN_CWR", 13, "--------"),
    ("SHUTDOWN_COMPLETE", 14, "-------T"),
    ("I_DATA", 64, "----IUBE"),
    ("RE_CONFIG", 130, "--------"),
    ("PAD", 132, "--------"),
    ("ASCONF", 193, "--------"),
    ("ASCONF_ACK", 128, "--------"),
    ("FORWARD_TSN", 192, "--------"),
    ("I_FORWARD_TSN", 194, "--------"),
];

/// How the chunks of a packet are compared with those asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunkScope {
    /// It has one of them.
    Any,
    /// It has all of them.
    All,
    /// It has no others.
    Only,
}

/// A chunk type, and which of its flags must be set or clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chunk {
    /// The type.
    pub kind: u8,
    /// The flags that count.
    pub mask: u8,
    /// Those of them that must be set.
    pub set: u8,
}

/// Chunks a packet must have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chunks {
    /// How they are compared.
    pub scope: ChunkScope,
    /// The chunks by type; all 256 types where `None`.
    pub chunks: Option<Vec<Chunk>>,
}

fn chunk(text: &str) -> Option<Chunk> {
    let (name, letters) = text.split_once(':').map_or((text, ""), |(name, letters)| (name, letters));
    let (_, kind, flags) = CHUNKS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    let (mut mask, mut set) = (0, 0);
    for letter in letters.chars() {
        let place = flags.chars().position(|flag| flag != '-' && flag == letter.to_ascii_uppercase())?;
        let bit = 0x80_u8 >> place;
        mask |= bit;
        if letter.is_ascii_uppercase() {
            set |= bit;
        }
    }
    Some(Chunk { kind: *kind, mask, set })
}

impl Value for Chunks {
    const EXPECTED: &'static str = "`any`, `all` or `only`, and chunk types as `INIT,DATA:Be`";
    const WORDS: usize = 2;

    fn read([scope, chunks]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let scope = match *scope {
            _ if scope.eq_ignore_ascii_case("any") => ChunkScope::Any,
            _ if scope.eq_ignore_ascii_case("all") => ChunkScope::All,
            _ if scope.eq_ignore_ascii_case("only") => ChunkScope::Only,
            _ => return None,
        };
        match *chunks {
            "ALL" => Some(Self { scope, chunks: None }),
            "NONE" => Some(Self { scope, chunks: Some(Vec::new()) }),
            _ => {
                let mut chunks = chunks.split(',').map(chunk).collect::<Option<Vec<_>>>()?;
                chunks.sort();
                chunks.dedup_by_key(|chunk| chunk.kind);
                Some(Self { scope, chunks: Some(chunks) })
            }
        }
    }
}

impl fmt::Display for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scope {
            ChunkScope::Any => "any ",
            ChunkScope::All => "all ",
            ChunkScope::Only => "only ",
        })?;
        let Some(chunks) = &self.chunks else { return f.write_str("ALL") };
        if chunks.is_empty() {
            return f.write_str("NONE");
        }
        for (index, chunk) in chunks.iter().enumerate() {
            let Some((name, _, flags)) = CHUNKS.iter().find(|(_, kind, _)| *kind == chunk.kind) else { continue };
            write!(f, "{}{name}", if index == 0 { "" } else { "," })?;
            if chunk.mask == 0 {
                continue;
            }
            f.write_str(":")?;
            for (place, letter) in flags.chars().enumerate() {
                let bit = 0x80_u8 >> place;
                match (chunk.mask & bit != 0, chunk.set & bit != 0) {
                    (true, true) => write!(f, "{letter}")?,
                    (true, false) => write!(f, "{}", letter.to_ascii_lowercase())?,
                    (false, _) => {}
                }
            }
        }
        Ok(())
    }
}

extension! {
    /// What a SCTP packet must be.
    Sctp, "sctp", Only::ANYWHERE.protocols(&[132]);
    /// The ports one of which it must come from.
    sport: Option<Criterion<PortRange>>, "--sport" | "--source-port";
    /// The ports one of which it must go to.
    dport: Option<Criterion<PortRange>>, "--dport" | "--destination-port";
    /// The chunks it must have.
    chunks: Option<Criterion<Chunks>>, "--chunk-types";
    => Sctp::settle;
}

impl Sctp {
    /// To one of these ports.
    pub fn to(ports: PortRange) -> Self {
        Self { sport: None, dport: Some(Criterion::is(ports)), chunks: None }
    }

    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_port(&mut self.sport);
        drop_every_port(&mut self.dport);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, prints_as, round_trips};

    #[test]
    fn ports_and_chunks_round_trip() {
        round_trips(&[
            "-p sctp -m sctp --dport 80",
            "-p sctp -m sctp --sport 1:1023 ! --dport 80 --chunk-types any DATA:Be,INIT",
            "-p sctp -m sctp ! --chunk-types only ALL",
            "-p sctp -m sctp",
        ]);
        prints_as("-p sctp --chunk-types all init,data", "-p sctp -m sctp --chunk-types all DATA,INIT");
        is_refused(&["-m sctp --dport 80", "-p sctp --chunk-types all ODD", "-p sctp --chunk-types all DATA:T"]);
    }
}
