//! Work that costs what it costs: a hash that is taken again and again.

/// Hashes some bytes `rounds` times, each time from where the last one ended. Nothing of it can be
/// left out or done at once: every step needs the one before.
pub(crate) fn hash(bytes: &[u8], rounds: u32) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for _ in 0..rounds {
        for byte in bytes {
            // FNV-1a.
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
