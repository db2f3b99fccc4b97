use std::fmt;
use std::net::IpAddr;

use super::der::{Der, INTEGER, OID, SEQUENCE, SET, dotted};

/// What a certificate says about its subject: RFC 5280 §4.
///
/// Only read, not verified: for a peer's certificate the handshake has done that before. Bytes of
/// any kind can be offered; the bound on work is their length.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    der: &'a [u8],
    serial: &'a [u8],
    issuer: Name<'a>,
    subject: Name<'a>,
    /// The content of the subject alternative names; empty without any.
    names: Der<'a>,
}

/// A distinguished name: RFC 5280 §4.1.2.4.
///
/// Shown as OpenSSL does, in the order of the certificate: `C=NL, O=Example, CN=x`.
#[derive(Clone, Copy)]
pub struct Name<'a>(Der<'a>);

/// One attribute of a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The kind: `CN`, `O`, `OU`, `C`, `ST`, `L` and the like, else the object identifier.
    pub kind: String,
    /// The value. What is no text becomes hexadecimal digits after a `#`.
    pub value: String,
}

/// One subject alternative name: RFC 5280 §4.2.1.6.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AltName {
    /// A host name, perhaps with a wildcard.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A mail address.
    Email(String),
    /// A URI.
    Uri(String),
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER. None when it is none.
    #[must_use]
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut signed = Der(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
        let _version = signed.take(0xa0);
        let serial = signed.take(INTEGER)?;
        let _algorithm = signed.take(SEQUENCE)?;
        let issuer = Name(signed.enter(SEQUENCE)?);
        let _validity = signed.take(SEQUENCE)?;
        let subject = Name(signed.enter(SEQUENCE)?);
        let _key = signed.take(SEQUENCE)?;
        let _issuer_id = signed.take(0x81);
        let _subject_id = signed.take(0x82);
        let extensions = signed
            .enter(0xa3)
            .and_then(|mut outer| outer.enter(SEQUENCE));
        Some(Self {
            der,
            serial,
            issuer,
            subject,
            names: extensions.and_then(alt_names).unwrap_or(Der(&[])),
        })
    }

    /// The certificate itself.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Whom it is about.
    #[must_use]
    pub const fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// Who says so.
    #[must_use]
    pub const fn issuer(&self) -> Name<'a> {
        self.issuer
    }

    /// The issuer's number for it: big-endian two's complement, without leading zeros but one
    /// that keeps it positive.
    #[must_use]
    pub const fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// The number in decimal, as Python's `cryptography` and others show it.
    #[must_use]
    pub fn serial_decimal(&self) -> String {
        decimal(self.serial)
    }

    /// The names that count for verification. Kinds that are not in [`AltName`] are left out.
    pub fn alt_names(&self) -> impl Iterator<Item = AltName> + use<'a> {
        let mut rest = self.names;
        std::iter::from_fn(move || rest.next()).filter_map(|(tag, content)| match tag {
            0x81 => ascii(content).map(AltName::Email),
            0x82 => ascii(content).map(AltName::Dns),
            0x86 => ascii(content).map(AltName::Uri),
            0x87 => address(content).map(AltName::Ip),
            _ => None,
        })
    }
}

impl<'a> Name<'a> {
    /// Its attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> + use<'a> {
        let mut sets = self.0;
        let mut set = Der(&[]);
        std::iter::from_fn(move || {
            while set.is_empty() {
                set = sets.enter(SET)?;
            }
            let mut pair = set.enter(SEQUENCE)?;
            let kind = pair.take(OID)?;
            let (tag, value) = pair.next()?;
            Some(Attribute {
                kind: kind_of(kind)?,
                value: text(tag, value),
            })
        })
    }

    /// The first common name.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        let mut all = self.attributes();
        all.find(|a| a.kind == "CN").map(|a| a.value)
    }

    /// The name in DER, without its outermost tag and length: equal names are equal bytes.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.0.0
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Attribute { kind, value }) in self.attributes().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Finds the subject alternative names among the extensions: RFC 5280 §4.2.
fn alt_names(mut extensions: Der<'_>) -> Option<Der<'_>> {
    const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    while let Some(mut extension) = extensions.enter(SEQUENCE) {
        if extension.take(OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let _critical = extension.take(0x01);
        return extension.enter(0x04)?.enter(SEQUENCE);
    }
    None
}

/// RFC 4514 §3 and what else is common.
fn kind_of(oid: &[u8]) -> Option<String> {
    let short = match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 4] => "SN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "street",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x55, 4, 12] => "title",
        [0x55, 4, 42] => "GN",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        _ => return dotted(oid),
    };
    Some(short.to_owned())
}

/// A DirectoryString or IA5String as text.
fn text(tag: u8, value: &[u8]) -> String {
    let read = match tag {
        // UTF8String, NumericString, PrintableString, IA5String.
        0x0c | 0x12 | 0x13 | 0x16 => std::str::from_utf8(value).ok().map(str::to_owned),
        // TeletexString: in practice Latin-1.
        0x14 => Some(value.iter().map(|&b| char::from(b)).collect()),
        // BMPString.
        0x1e if value.len() % 2 == 0 => {
            let units = value
                .chunks_exact(2)
                .map(|c| u16::from_be_bytes([c[0], c[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    };
    read.unwrap_or_else(|| {
        let hex: String = value.iter().map(|b| format!("{b:02x}")).collect();
        format!("#{hex}")
    })
}

fn ascii(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    text.is_ascii().then(|| text.to_owned())
}

fn address(content: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(content) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(content).ok().map(IpAddr::from)
}

/// Long division by ten. Serial numbers have at most 20 bytes (RFC 5280 §4.1.2.2); of longer ones
/// only the hexadecimal digits are shown.
fn decimal(serial: &[u8]) -> String {
    if serial.len() > 64 {
        return text(0, serial);
    }
    let negative = serial.first().is_some_and(|b| b & 0x80 != 0);
    let mut number = serial.to_vec();
    if negative {
        // Two's complement.
        let mut carry = true;
        for byte in number.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let mut digits = Vec::new();
    while number.iter().any(|&b| b != 0) {
        let mut left = 0_u16;
        for byte in &mut number {
            let part = left << 8 | u16::from(*byte);
            *byte = (part / 10).to_le_bytes()[0];
            left = part % 10;
        }
        digits.push(char::from(b'0' + left.to_le_bytes()[0]));
    }
    if digits.is_empty() {
        digits.push('0');
    } else if negative {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["*.example.org".into()]).unwrap();
        params.serial_number = Some(rcgen::SerialNumber::from(vec![1, 0, 0, 0, 0, 0, 0, 0, 0]));
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CountryName, "NL");
        name.push(rcgen::DnType::CommonName, "käse");
        params.subject_alt_names.extend([
            rcgen::SanType::IpAddress("127.0.0.1".parse().unwrap()),
            rcgen::SanType::IpAddress("::1".parse().unwrap()),
            rcgen::SanType::URI("urn:x".try_into().unwrap()),
            rcgen::SanType::Rfc822Name("a@b".try_into().unwrap()),
        ]);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn reads_what_is_inside() {
        let der = example();
        let certificate = Certificate::read(&der).unwrap();
        assert_eq!(certificate.subject().to_string(), "C=NL, CN=käse");
        assert_eq!(certificate.subject().common_name().as_deref(), Some("käse"));
        assert_eq!(certificate.issuer().der(), certificate.subject().der());
        assert_eq!(certificate.serial_decimal(), "18446744073709551616");
        let names: Vec<_> = certificate.alt_names().collect();
        assert_eq!(
            names,
            [
                AltName::Dns("*.example.org".into()),
                AltName::Ip("127.0.0.1".parse().unwrap()),
                AltName::Ip("::1".parse().unwrap()),
                AltName::Uri("urn:x".into()),
                AltName::Email("a@b".into()),
            ]
        );
    }

    #[test]
    fn numbers() {
        for (bytes, wanted) in [
            (&[][..], "0"),
            (&[0], "0"),
            (&[0, 0xff], "255"),
            (&[0xff], "-1"),
            (&[0x80], "-128"),
            (&[1, 0], "256"),
        ] {
            assert_eq!(decimal(bytes), wanted);
        }
        assert_eq!(decimal(&[1; 65]).len(), 131);
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_survived() {
        let der = example();
        for len in 0..der.len() {
            look(&der[..len]);
            let mut changed = der.clone();
            for value in [0, 1, 0x7f, 0x80, 0xff, der[len] ^ 1] {
                changed[len] = value;
                look(&changed);
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            look(&bytes);
        }
    }

    fn look(der: &[u8]) {
        if let Some(certificate) = Certificate::read(der) {
            let _ = certificate.subject().to_string() + &certificate.issuer().to_string();
            let _ = certificate.serial_decimal();
            let _ = certificate.alt_names().count();
        }
    }
}
