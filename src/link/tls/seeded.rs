//! Cryptography for simulations: all that is drawn follows from a seed, so that the same run sends
//! the same bytes. **Its keys can be guessed**; sessions begin in simulated nets only.
//!
//! Known to differ from run to run otherwise: ECDSA and RSA-PSS signatures (they contain a random),
//! key shares of ring and aws-lc-rs (which take the system's randomness only), the keys of their
//! ticketers. So there is one group, our own, and only Ed25519 keys are taken.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, SharedSecret,
    SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use super::{asker, provider};

/// The ordinary provider's ciphers, with randoms from the session that asks.
pub(super) fn seeded_provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![&X25519],
        secure_random: &Random,
        key_provider: &Keys,
        ..(*provider()).clone()
    })
}

/// The numbers that follow from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Stream(pub(super) u64);

impl Stream {
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        match asker::fill(out) {
            true => Ok(()),
            false => Err(GetRandomFailed),
        }
    }
}

/// X25519 of RFC 7748 with scalars from the session that asks.
#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut scalar = [0; 32];
        Random.fill(&mut scalar)?;
        let public = x25519(scalar, X25519_BASEPOINT_BYTES);
        Ok(Box::new(Exchange { scalar, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    scalar: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let bad = PeerMisbehaved::InvalidKeyShare;
        let peer = <[u8; 32]>::try_from(peer).map_err(|_| bad.clone())?;
        let secret = x25519(self.scalar, peer);
        // RFC 8446 §7.4.2: the peer's key is of small order.
        if secret == [0; 32] {
            return Err(bad.into());
        }
        Ok(secret[..].into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Loads keys that sign the same message with the same bytes.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let key = provider().key_provider.load_private_key(der)?;
        match key.algorithm() {
            SignatureAlgorithm::ED25519 => Ok(key),
            _ => Err(Error::General(
                "a simulation needs an Ed25519 key: others sign differently each time".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
