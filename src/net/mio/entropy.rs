//! Randomness from the system.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

/// The system's source, kept open once it was needed.
#[derive(Debug, Default)]
pub(super) struct Entropy {
    source: Option<File>,
}

impl Entropy {
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        if !self.read(out) {
            stir(out);
        }
    }

    /// Whether the system's device filled all of `out`.
    fn read(&mut self, out: &mut [u8]) -> bool {
        if !cfg!(unix) {
            return false;
        }
        if self.source.is_none() {
            self.source = File::open("/dev/urandom").ok();
        }
        let source = self.source.as_mut();
        source.is_some_and(|device| device.read_exact(out).is_ok())
    }
}

/// Entropy by way of the keys that the standard library draws for its hash tables: SipHash under
/// a fresh key for each 8 bytes. Good for jitter and for seeds, and the only source to be had
/// without `unsafe` where there is no device; keys for cryptography come from the TLS provider.
fn stir(out: &mut [u8]) {
    for chunk in out.chunks_mut(8) {
        let word = RandomState::new().hash_one(0_u64).to_ne_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_fill_everything_and_differ() {
        for fill in [|out: &mut [u8]| Entropy::default().fill(out), stir] {
            for len in [1, 7, 8, 9, 33] {
                let draws: Vec<Vec<u8>> = (0..64)
                    .map(|_| {
                        let mut out = vec![0; len];
                        fill(&mut out);
                        out
                    })
                    .collect();
                for place in 0..len {
                    assert!(draws.iter().any(|draw| draw[place] != draws[0][place]));
                }
            }
        }
    }
}
