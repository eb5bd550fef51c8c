//! What chains are called.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use crate::service::frontend::Claim;
use crate::service::{Protocol, ServiceName, ServicePort};

/// What a service port is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// `namespace/name`, or the name alone.
    pub service: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port's name, or its number.
    pub port_name: String,
    /// What tells it from every other service port's chains.
    pub hash: ChainHash,
}

impl Identity {
    /// That of the service port that claims.
    pub(super) fn of(claim: &Claim<'_>, names: &mut Names) -> Self {
        let ServicePort { name, protocol, port, .. } = claim.port;
        let ServiceName { namespace, name: service_name } = &claim.service.name;
        let label = name.as_deref().unwrap_or_default();
        Self {
            hash: names.hash(format!("{namespace}\0{service_name}\0{protocol}\0{port}\0{label}")),
            service: claim.service.name.to_string(),
            protocol: *protocol,
            port_name: name.as_ref().map_or_else(|| port.to_string(), ToString::to_string),
        }
    }

    /// The hash of the chain of one of its endpoints.
    pub(super) fn endpoint(&self, address: SocketAddr, names: &mut Names) -> ChainHash {
        names.hash(format!("{}\0{address}", self.hash.as_str()))
    }

    /// `namespace/name:port`, for people.
    pub(super) fn label(&self) -> String {
        format!("{}:{}", self.service, self.port_name)
    }
}

/// Bits of a SHA-256, as upper-case characters of base 32 (RFC 4648), 16 of them for 80 bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChainHash(String);

impl ChainHash {
    /// The hash of a text. Names of which no two may be the same come from [`Names`].
    pub(super) fn of(text: &str) -> Self {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits = Sha256::digest(text)[..10].iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |at: u32| char::from(ALPHABET[(bits >> (75 - 5 * at)) as usize & 31]);
        Self((0..16).map(digit).collect())
    }

    /// The characters.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The hashes that are taken, each with the text it was made of. Two texts never get the same.
#[derive(Debug)]
pub(super) struct Names {
    taken: BTreeMap<ChainHash, String>,
    of: fn(&str) -> ChainHash,
}

impl Names {
    /// None is taken.
    pub(super) fn new() -> Self {
        Self { taken: BTreeMap::new(), of: ChainHash::of }
    }

    /// The hash for a text: the same each time it is asked for.
    ///
    /// Which of two texts gets the hash both have depends on who asks first: ask in an order that does not change.
    fn hash(&mut self, text: String) -> ChainHash {
        let mut hash = (self.of)(&text);
        for attempt in 1.. {
            match self.taken.get(&hash) {
                Some(owner) if *owner != text => hash = (self.of)(&format!("{text}\0{attempt}")),
                _ => break,
            }
        }
        self.taken.insert(hash.clone(), text);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_base_32_of_sha_256() {
        // `printf a | sha256sum | xxd -r -p | base32 | cut -c-16`
        assert_eq!(ChainHash::of("a").as_str(), "ZKLYCEWKDO64V6WC");
    }

    #[test]
    fn texts_of_one_hash_get_names_of_their_own() {
        // A hash that tells texts apart by their length alone.
        let mut names = Names { of: |text| ChainHash(text.len().to_string()), ..Names::new() };
        let [a, b, again] = ["a", "b", "a"].map(|text| names.hash(text.to_owned()));
        assert_ne!(a, b);
        assert_eq!(a, again);
    }
}
