/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It ends in the middle.
    #[error("the message ends too early")]
    Truncated,
    /// Something follows it.
    #[error("something follows the message at byte {at}")]
    Trailing {
        /// Where it begins.
        at: usize,
    },
    /// It breaks the rules of the format.
    #[error("not {format} at byte {at}: {why}")]
    Syntax {
        /// The format.
        format: &'static str,
        /// Where.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    Utf8,
    /// Half of a character beyond U+FFFF, which is no text. aiomas would take it.
    #[error("an unpaired surrogate in a text")]
    Surrogate,
    /// Lists and maps in each other, too many.
    #[error("deeper than {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Too many values.
    #[error("more than {max} values")]
    TooManyItems {
        /// The limit.
        max: usize,
    },
    /// It is not a list of a type, an id and a content.
    #[error("not a message of exactly three items")]
    NotAMessage,
    /// Its type is none of 0, 1 and 2.
    #[error("Invalid message type {0}")]
    Kind(String),
    /// Its id is no integer.
    #[error("a message id that is no integer")]
    Id,
    /// It has an object of a type that is not registered: aiomas' KeyError.
    #[error("an object of the unknown type {0}")]
    UnknownType(String),
    /// A map's key that Python could not have as one.
    #[error("a map's key cannot be a {0}")]
    Key(&'static str),
    /// A value that the format does not have: aiomas' SerializationError.
    #[error("No serializer found for type \"{0}\"")]
    Unencodable(&'static str),
    /// A user's serializer, or serde's, refused.
    #[error("{0}")]
    Refused(String),
}

impl ::serde::ser::Error for CodecError {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self::Refused(why.to_string())
    }
}

impl ::serde::de::Error for CodecError {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self::Refused(why.to_string())
    }
}
