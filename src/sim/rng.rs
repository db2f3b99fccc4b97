//! Random streams by purpose, so that a draw in one place moves no other (law D3).

use crate::net::Draws;

/// What a stream is for. The numbers are part of what a seed means: they never change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The seed of a node's Doist, anew at each boot.
    Node = 1,
    /// What a node gets from `Net::entropy`, anew at each boot.
    Entropy = 2,
    /// Latency, loss and the like of one direction between two nodes.
    Link = 3,
    /// Which bits a link flips.
    Flip = 4,
    /// Which reads and writes of a node are shortened.
    ShortIo = 5,
    /// Which sockets of a node are marked for nothing.
    Spurious = 6,
    /// Whether a named fault point of a node fires.
    Point = 7,
    /// Which families of faults a seed has, and the faults of each family.
    Swarm = 8,
}

/// The stream for a purpose, told apart by `keys`.
pub(super) fn stream(seed: u64, purpose: Purpose, keys: &[&[u8]]) -> Draws {
    let start = Draws::new(seed).keyed(purpose as u64);
    keys.iter().fold(start, |draws, key| draws.keyed_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_streams_of_unlike_keys_have_nothing_to_do_with_each_other() {
        let mut firsts = std::collections::BTreeSet::new();
        for seed in 0..4 {
            for purpose in [Purpose::Node, Purpose::Link, Purpose::Flip] {
                for keys in [&[b"a".as_slice(), b"b"], &[b"b", b"a"], &[b"ab", b""]] {
                    firsts.insert(stream(seed, purpose, keys).next_u64());
                }
            }
        }
        assert_eq!(firsts.len(), 4 * 3 * 3);
    }
}
