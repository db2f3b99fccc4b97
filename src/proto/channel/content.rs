//! What requests and replies say, before it is decoded.

use std::fmt;
use std::sync::Arc;

use super::{Codec, CodecError, Value};

/// What a request or a reply says, still encoded. It was checked when it came, so that decoding
/// fails for nothing but a wrong type.
#[derive(Clone)]
pub struct Content {
    encoded: Bytes,
    codec: Arc<dyn Codec>,
}

/// Most contents are short, and short ones lie in their place: storage of its own would cost as
/// much as all else that is done for such a request.
#[derive(Clone)]
enum Bytes {
    Short(u8, [u8; SHORT_BYTES]),
    Long(Box<[u8]>),
}

impl Content {
    #[inline]
    pub(super) fn new(encoded: &[u8], codec: &Arc<dyn Codec>) -> Self {
        let mut place = [0; SHORT_BYTES];
        let encoded = match (place.get_mut(..encoded.len()), u8::try_from(encoded.len())) {
            (Some(taken), Ok(len)) => {
                taken.copy_from_slice(encoded);
                Bytes::Short(len, place)
            }
            _ => Bytes::Long(encoded.into()),
        };
        Self {
            encoded,
            codec: Arc::clone(codec),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// Only a codec of one's own has any.
    pub fn value(&self) -> Result<Value, CodecError> {
        self.codec.decode(self.encoded())
    }

    /// It as a type of one's own.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn to<T: ::serde::de::DeserializeOwned>(&self) -> Result<T, CodecError> {
        super::from_value(self.value()?)
    }

    /// The bytes, in the format of the channel's codec.
    #[must_use]
    #[inline]
    pub fn encoded(&self) -> &[u8] {
        match &self.encoded {
            Bytes::Short(len, place) => &place[..usize::from(*len)],
            Bytes::Long(bytes) => bytes,
        }
    }

    /// Whether its bytes are of the format of that codec.
    pub(super) fn is_of(&self, codec: &Arc<dyn Codec>) -> bool {
        Arc::ptr_eq(&self.codec, codec) || self.codec.name() == codec.name()
    }
}

/// What peers send is not shown.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, codec) = (self.encoded().len(), self.codec.name());
        write!(f, "Content({len} bytes of {codec})")
    }
}

/// Up to so many bytes are short: 64 and what stands before them in any format.
const SHORT_BYTES: usize = 70;

#[cfg(test)]
mod tests {
    use super::super::MsgPack;
    use super::*;

    #[test]
    fn short_and_long_ones_are_what_they_were() {
        let codec: Arc<dyn Codec> = Arc::new(MsgPack);
        for len in [
            0,
            1,
            SHORT_BYTES - 1,
            SHORT_BYTES,
            SHORT_BYTES + 1,
            255,
            256,
            70_000,
        ] {
            let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
            let content = Content::new(&bytes, &codec);
            assert_eq!(content.encoded(), bytes);
            assert_eq!(content.clone().encoded(), bytes);
            assert_eq!(matches!(content.encoded, Bytes::Long(_)), len > SHORT_BYTES);
        }
    }
}
