use std::fmt;

/// A rolling hash of what happened, in order: equal runs have equal hashes, on every machine, in
/// debug and release. Prints as `trace-hash HEX events N`.
///
/// Each word is folded in by a multiplication of 64 x 64 bits whose halves are added, as in
/// wyhash (Wang Yi, 2019). It finds differences, it does not withstand an adversary.
///
/// ```
/// use hio::net::TraceHash;
/// let (mut one, mut other) = (TraceHash::default(), TraceHash::default());
/// one.event(&[1, 2], b"hello");
/// other.event(&[1, 2], b"hellO");
/// assert_ne!(one, other);
/// assert!(one.to_string().ends_with("events 1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash {
    state: u64,
    events: u64,
}

impl TraceHash {
    /// Takes in one event: its numbers and its bytes.
    pub fn event(&mut self, words: &[u64], bytes: &[u8]) {
        self.events += 1;
        self.fold(words.len() as u64 ^ (bytes.len() as u64) << 8);
        for word in words {
            self.fold(*word);
        }
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(word));
        }
    }

    /// Takes in several events that were hashed together.
    pub(crate) const fn many(&mut self, events: u64, hash: u64) {
        self.events += events;
        self.fold(events);
        self.fold(hash);
    }

    /// The hash so far.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.state
    }

    /// How many events it has taken in.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
    const fn fold(&mut self, word: u64) {
        let wide = ((self.state ^ word) as u128 | 1) * ODD as u128;
        // The rotation keeps what the low bit above threw away.
        self.state = (wide as u64 ^ (wide >> 64) as u64).wrapping_add(word.rotate_left(32));
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        Self {
            state: ODD.rotate_left(17),
            events: 0,
        }
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace-hash {:016x} events {}", self.state, self.events)
    }
}

const ODD: u64 = 0xa076_1d64_78bd_642f;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(events: &[(&[u64], &[u8])]) -> u64 {
        let mut hash = TraceHash::default();
        for (words, bytes) in events {
            hash.event(words, bytes);
        }
        hash.value()
    }

    #[test]
    fn order_lengths_and_each_bit_count() {
        let base = of(&[(&[1, 2], b"ab"), (&[3], b"")]);
        assert_eq!(base, of(&[(&[1, 2], b"ab"), (&[3], b"")]));
        assert_ne!(base, of(&[(&[3], b""), (&[1, 2], b"ab")]));
        assert_ne!(base, of(&[(&[2, 1], b"ab"), (&[3], b"")]));
        assert_ne!(base, of(&[(&[1, 2], b"ab\0"), (&[3], b"")]));
        assert_ne!(base, of(&[(&[1, 2], b"ab")]));
        for bit in 0..64 {
            assert_ne!(
                of(&[(&[7], b"")]),
                of(&[(&[7 ^ 1 << bit], b"")]),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn d1_the_value_is_the_same_everywhere() {
        let mut hash = TraceHash::default();
        hash.event(&[1, u64::MAX], b"hello, world");
        let text = hash.to_string();
        assert_eq!(text, "trace-hash 9e9a0e52c27752c7 events 1");
    }
}
