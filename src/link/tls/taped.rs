//! Cryptography that can be recorded and replayed: every random, key share, shared secret and
//! signature goes through the [`Tape`] of the session that asks, and in replay comes from there,
//! without the private operation. What is computed from them (the key schedule, the ciphers) is
//! computed again.
//!
//! Private keys are not on the tape, and a replay needs none.

use std::sync::Arc;

use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider,
    SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{
    Error, NamedGroup, PeerMisbehaved, ProtocolVersion, SignatureAlgorithm, SignatureScheme,
};

use super::asker;
use super::{Source, TlsError, provider};
use crate::net::Tape;

/// The ordinary provider, through tapes.
pub(super) fn taped_provider() -> Arc<CryptoProvider> {
    let ordinary = provider();
    let names = ordinary.kx_groups.iter().map(|group| group.name());
    Arc::new(CryptoProvider {
        kx_groups: names.filter_map(taped_group).collect(),
        secure_random: &Random,
        key_provider: &Keys,
        ..(*ordinary).clone()
    })
}

/// What a configuration is made of, kept on the tape, so that a replay needs no files. Not for
/// private keys.
pub(super) fn taped_source(
    tape: Option<&Tape>,
    what: &'static str,
    source: &Source,
) -> Result<Source, TlsError> {
    let Some(tape) = tape else {
        return Ok(source.clone());
    };
    if tape.is_replaying() {
        let given = tape.take(what, Vec::new);
        let missing = || TlsError::Refused(format!("there is no {what} on the tape"));
        return given.map(Source::Bytes).ok_or_else(missing);
    }
    let bytes = source.read(what)?;
    tape.take(what, || bytes);
    Ok(source.clone()) // which errors can name
}

/// Passes what a source gives through the tape of the session that asks, failures included.
fn taped(what: &str, source: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let entry = asker::tape()?.take(what, || match source() {
        Some(mut given) => {
            given.push(GIVEN);
            given
        }
        None => vec![FAILED],
    });
    let mut given = entry?;
    (given.pop()? == GIVEN).then_some(given)
}

const GIVEN: u8 = 1;
const FAILED: u8 = 0;

/// Whether the session that asks is replayed: then sources are not asked.
fn replaying() -> bool {
    asker::tape().is_some_and(|tape| tape.is_replaying())
}

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        let len = out.len();
        let source = || {
            let mut drawn = vec![0; len];
            provider().secure_random.fill(&mut drawn).ok()?;
            Some(drawn)
        };
        let given = taped("random", source).filter(|given| given.len() == len);
        out.copy_from_slice(&given.ok_or(GetRandomFailed)?);
        Ok(())
    }
}

/// A group of the ordinary provider, by its name.
#[derive(Debug)]
struct Group(NamedGroup);

const fn taped_group(name: NamedGroup) -> Option<&'static dyn SupportedKxGroup> {
    match name {
        NamedGroup::X25519 => Some(&Group(NamedGroup::X25519)),
        NamedGroup::secp256r1 => Some(&Group(NamedGroup::secp256r1)),
        NamedGroup::secp384r1 => Some(&Group(NamedGroup::secp384r1)),
        NamedGroup::X25519MLKEM768 => Some(&Group(NamedGroup::X25519MLKEM768)),
        _ => None,
    }
}

impl Group {
    fn ordinary(&self) -> Option<&'static dyn SupportedKxGroup> {
        let all = provider();
        all.kx_groups.iter().find(|g| g.name() == self.0).copied()
    }
}

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut inner = None;
        let source = || {
            let started = self.ordinary()?.start().ok()?;
            let key = started.pub_key().to_vec();
            inner = Some(started);
            Some(key)
        };
        let public = taped("key share", source).ok_or(GetRandomFailed)?;
        let part = || {
            let (name, key) = inner.as_ref()?.hybrid_component()?;
            Some([&u16::from(name).to_be_bytes(), key].concat())
        };
        let hybrid = match self.0 {
            NamedGroup::X25519MLKEM768 => taped("hybrid part", part).and_then(|part| {
                let (name, key) = part.split_first_chunk()?;
                Some((NamedGroup::from(u16::from_be_bytes(*name)), key.to_vec()))
            }),
            _ => None,
        };
        Ok(Box::new(Exchange {
            group: self.0,
            public,
            hybrid,
            inner,
        }))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let mut secret = None;
        let source = || {
            let completed = self.ordinary()?.start_and_complete(peer).ok()?;
            secret = Some(completed.secret.secret_bytes().to_vec());
            Some(completed.pub_key)
        };
        let bad = || PeerMisbehaved::InvalidKeyShare;
        let public = taped("key share", source).ok_or_else(bad)?;
        let secret = taped("shared secret", || secret).ok_or_else(bad)?;
        Ok(CompletedKeyExchange {
            group: self.0,
            pub_key: public,
            secret: secret.into(),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.0
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        let ordinary = self.ordinary();
        ordinary.is_none_or(|group| group.usable_for_version(version))
    }
}

/// An exchange that has begun.
struct Exchange {
    group: NamedGroup,
    public: Vec<u8>,
    hybrid: Option<(NamedGroup, Vec<u8>)>,
    /// None in replay.
    inner: Option<Box<dyn ActiveKeyExchange>>,
}

type Complete = fn(Box<dyn ActiveKeyExchange>, &[u8]) -> Result<SharedSecret, Error>;

impl Exchange {
    fn agree(self, peer: &[u8], complete: Complete) -> Result<SharedSecret, Error> {
        let source = || {
            let secret = complete(self.inner?, peer).ok()?;
            Some(secret.secret_bytes().to_vec())
        };
        let secret = taped("shared secret", source).ok_or(PeerMisbehaved::InvalidKeyShare)?;
        Ok(secret.into())
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.agree(peer, |inner, peer| inner.complete(peer))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        let (name, key) = self.hybrid.as_ref()?;
        Some((*name, key))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.agree(peer, |inner, peer| inner.complete_hybrid_component(peer))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}

/// Loads keys whose signatures go through tapes.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let inner = match replaying() {
            true => None,
            false => Some(provider().key_provider.load_private_key(der)?),
        };
        let kind = || Some(vec![u8::from(inner.as_ref()?.algorithm())]);
        let off = || Error::General("the tape has no key here".into());
        let kind = taped("kind of key", kind).ok_or_else(off)?;
        let kind = SignatureAlgorithm::from(*kind.first().ok_or_else(off)?);
        Ok(Arc::new(Key { kind, inner }))
    }
}

#[derive(Debug)]
struct Key {
    kind: SignatureAlgorithm,
    /// None in replay.
    inner: Option<Arc<dyn SigningKey>>,
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut inner = None;
        let source = || {
            inner = Some(self.inner.as_ref()?.choose_scheme(offered)?);
            let scheme = inner.as_ref()?.scheme();
            Some(u16::from(scheme).to_be_bytes().to_vec())
        };
        let scheme = taped("scheme", source)?;
        let scheme = u16::from_be_bytes(*scheme.first_chunk()?).into();
        Some(Box::new(Signature { scheme, inner }))
    }

    fn public_key(&self) -> Option<rustls::pki_types::SubjectPublicKeyInfoDer<'_>> {
        self.inner.as_ref()?.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.kind
    }
}

#[derive(Debug)]
struct Signature {
    scheme: SignatureScheme,
    /// None in replay.
    inner: Option<Box<dyn Signer>>,
}

impl Signer for Signature {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let source = || self.inner.as_ref()?.sign(message).ok();
        taped("signature", source).ok_or_else(|| Error::General("no signature".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_group_that_the_ordinary_provider_has() {
        let names =
            |p: &CryptoProvider| -> Vec<_> { p.kx_groups.iter().map(|g| g.name()).collect() };
        let (ordinary, taped) = (provider(), taped_provider());
        assert_eq!(names(&ordinary), names(&taped));
        assert_eq!(ordinary.cipher_suites, taped.cipher_suites);
    }

    #[test]
    fn without_a_tape_nothing_is_given() {
        let mut out = [1; 4];
        assert!(Random.fill(&mut out).is_err());
        assert_eq!(out, [1; 4]);
        assert!(Group(NamedGroup::X25519).start().is_err());
    }
}
