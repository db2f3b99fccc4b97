//! The head of a frequent entry: a few bytes, made without looking after a vector.

use super::repeat::Short;
use crate::net::Sid;

/// Up to 32 bytes, filled up with zeros.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Head {
    bytes: [u8; LEN_MAX],
    len: usize,
}

/// A tag and at most three numbers of ten bytes each.
const LEN_MAX: usize = 32;

impl Head {
    #[inline]
    pub(super) const fn new(tag: u8) -> Self {
        let mut bytes = [0; LEN_MAX];
        bytes[0] = tag;
        Self { bytes, len: 1 }
    }

    #[inline]
    pub(super) const fn tag(&self) -> u8 {
        self.bytes[0]
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len.min(LEN_MAX)]
    }

    #[inline]
    const fn push(mut self, byte: u8) -> Self {
        self.bytes[self.len % LEN_MAX] = byte;
        self.len += 1;
        self
    }

    /// As `put_number`.
    #[inline]
    pub(super) const fn number(mut self, mut n: u64) -> Self {
        while n >= 0x80 {
            self = self.push(n.to_le_bytes()[0] | 0x80);
            n >>= 7;
        }
        self.push(n.to_le_bytes()[0])
    }

    #[inline]
    pub(super) const fn sid(self, sid: Sid) -> Self {
        self.number(sid.index() as u64)
            .number(sid.generation() as u64)
    }

    #[inline]
    pub(super) const fn hash(self, hash: u32) -> Self {
        let [a, b, c, d] = hash.to_le_bytes();
        self.push(a).push(b).push(c).push(d)
    }

    #[inline]
    pub(super) fn short(&self) -> Option<Short> {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes;
        Short::of_padded([a, b, c, d, e, f, g, h], self.len)
    }

    /// Appends it in one go, shortened then: so no length has to be looked at.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::{put_number, put_sid};
    use super::*;

    #[test]
    fn is_what_a_vector_would_be() {
        let sid = Sid::new(u32::MAX, u32::MAX);
        for n in [0, 1, 127, 128, 1 << 40, u64::MAX] {
            let head = Head::new(9).sid(sid).number(n).number(n);
            let mut plain = vec![9];
            put_sid(&mut plain, sid);
            put_number(&mut plain, n);
            put_number(&mut plain, n);
            assert_eq!(head.as_slice(), plain);
            let mut out = vec![1];
            head.put(&mut out);
            assert_eq!(out[1..], plain);
            assert_eq!(head.short(), Short::of(&plain));
        }
        let short = Head::new(0x80).number(5);
        assert_eq!(short.short(), Short::of(&[0x80, 5]));
        assert_eq!(Head::new(1).hash(0x0403_0201).as_slice(), [1, 1, 2, 3, 4]);
    }
}
