//! What a head says to the connection itself.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Version};

use super::head::has_token;

/// The few fields of a head that the connection acts on, noted in one go over all of them. Most
/// heads have one or two, and looking a field up costs more than all else there is to do with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) host: Field<'a>,
    pub(super) length: Field<'a>,
    pub(super) coding: Field<'a>,
    /// There is a `Connection`.
    pub(super) connection: bool,
    /// There is an `Expect`.
    pub(super) expects: bool,
    /// There is an `Upgrade`.
    pub(super) upgrades: bool,
}

/// How often a field is there, and what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Field<'a> {
    #[default]
    None,
    One(&'a [u8]),
    Many,
}

impl<'a> Field<'a> {
    const fn note(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::None => Self::One(value),
            _ => Self::Many,
        };
    }

    pub(super) const fn is_there(&self) -> bool {
        !matches!(self, Self::None)
    }
}

impl<'a> Said<'a> {
    /// What the fields of a map say.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            said.note(name, value.as_bytes());
        }
        said
    }

    /// Notes one field.
    #[inline]
    pub(super) fn note(&mut self, name: &HeaderName, value: &'a [u8]) {
        if *name == HOST {
            self.host.note(value);
        } else if *name == CONTENT_LENGTH {
            self.length.note(value);
        } else if *name == TRANSFER_ENCODING {
            self.coding.note(value);
        }
        self.connection |= *name == CONNECTION;
        self.expects |= *name == EXPECT;
        self.upgrades |= *name == UPGRADE;
    }

    /// Whether another message may follow this one (RFC 9112 §9.3).
    pub(super) fn keeps_alive(&self, headers: &HeaderMap, version: Version) -> bool {
        match (self.connection, version) {
            (false, version) => version == Version::HTTP_11,
            (true, _) if has_token(headers, &CONNECTION, "close") => false,
            (true, Version::HTTP_11) => true,
            (true, _) => has_token(headers, &CONNECTION, "keep-alive"),
        }
    }
}
