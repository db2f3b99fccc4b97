//! Reads DER, as far as certificates need it: X.690 §8 and §10.1. Nothing here panics or allocates.

/// Bytes of which values are taken away at the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'a> Der<'a> {
    /// Takes the next value: its tag and content. None at the end, and when it is malformed or
    /// longer than what is there.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes do not occur in certificates.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let mut len = usize::from(first & 0x7f);
        if first & 0x80 != 0 {
            // X.690 §10.1: definite, in as few bytes as possible. Four are 4 GiB.
            if len == 0 || len > 4 || len > rest.len() {
                return None;
            }
            let (digits, after) = rest.split_at(len);
            if digits[0] == 0 {
                return None;
            }
            len = digits.iter().fold(0, |n, &d| n << 8 | usize::from(d));
            if len < 0x80 {
                return None;
            }
            rest = after;
        }
        if len > rest.len() {
            return None;
        }
        let (content, after) = rest.split_at(len);
        self.0 = after;
        Some((tag, content))
    }

    /// Takes the next value if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, content) = ahead.next()?;
        if found != tag {
            return None;
        }
        *self = ahead;
        Some(content)
    }

    /// Takes the next value, a SEQUENCE or whatever `tag` says, to look into it.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// An object identifier in dotted decimal. None when it is malformed.
pub(super) fn dotted(content: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut arc: u64 = 0;
    let mut begun = false;
    for &byte in content {
        if arc > u64::MAX >> 7 || (!begun && byte == 0x80) {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        begun = byte & 0x80 != 0;
        if begun {
            continue;
        }
        if text.is_empty() {
            let first = (arc / 40).min(2);
            text = format!("{first}.{}", arc - first * 40);
        } else {
            text.push('.');
            text.push_str(&arc.to_string());
        }
        arc = 0;
    }
    (!begun && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths() {
        let long = [&[0x30, 0x81, 0x80][..], &[7; 128]].concat();
        assert_eq!(Der(&long).next(), Some((0x30, &[7; 128][..])));
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 0x7f],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 0x81, 0],
        ] {
            assert_eq!(Der(bad).next(), None, "{bad:?}");
        }
    }

    #[test]
    fn what_has_another_tag_stays() {
        let mut der = Der(&[INTEGER, 1, 5, OID, 1, 0x2a]);
        assert_eq!(der.take(OID), None);
        assert_eq!(der.take(INTEGER), Some(&[5][..]));
        assert_eq!(der.take(OID), Some(&[0x2a][..]));
        assert!(der.is_empty());
    }

    #[test]
    fn identifiers() {
        assert_eq!(dotted(&[0x55, 4, 3]).as_deref(), Some("2.5.4.3"));
        let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        assert_eq!(dotted(&rsa).as_deref(), Some("1.2.840.113549.1.1.1"));
        assert_eq!(dotted(&[0x88, 0x37]).as_deref(), Some("2.999"));
        for bad in [&[][..], &[0x80, 1], &[0x2a, 0x86], &[0xff; 30]] {
            assert_eq!(dotted(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut der = Der(&bytes);
            while let Some((_, content)) = der.next() {
                prop_assert!(content.len() < bytes.len());
                let _ = dotted(content);
            }
        }
    }
}
