//! The format of a log's records: hio's format strings, as far as a wire log has use for them.

use super::WireLogError;

/// A format string, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// `Rx` or `Tx`.
    Dx,
    /// The peer.
    Who,
    Data,
}

/// What may stand in a format, longest first where one begins another.
const FIELDS: [(&[u8], Piece); 10] = [
    (b"%(dx)b", Piece::Dx),
    (b"%(dx)s", Piece::Dx),
    (b"%(who)b", Piece::Who),
    (b"%(who)s", Piece::Who),
    (b"%(data)b", Piece::Data),
    (b"%(data)s", Piece::Data),
    (b"%data", Piece::Data),
    (b"%who", Piece::Who),
    (b"%dx", Piece::Dx),
    (b"%%", Piece::Text(Vec::new())),
];

impl Default for Format {
    /// hio's: `"\n%(dx)b %(who)b:\n%(data)b\n"`.
    fn default() -> Self {
        let text = |text: &[u8]| Piece::Text(text.to_vec());
        Self(vec![
            text(b"\n"),
            Piece::Dx,
            text(b" "),
            Piece::Who,
            text(b":\n"),
            Piece::Data,
            text(b"\n"),
        ])
    }
}

impl Format {
    pub(super) fn parse(text: &[u8]) -> Result<Self, WireLogError> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let (mut rest, fields) = (text, FIELDS);
        while let Some((&first, after)) = rest.split_first() {
            if first != b'%' {
                plain.push(first);
                rest = after;
                continue;
            }
            let found = fields.iter().find(|(field, _)| rest.starts_with(field));
            let Some((field, piece)) = found else {
                return Err(WireLogError::Format {
                    at: text.len() - rest.len(),
                });
            };
            rest = &rest[field.len()..];
            if let Piece::Text(_) = piece {
                plain.push(b'%');
                continue;
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece.clone());
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Writes a record into `out`, in place of what was there.
    pub(super) fn write(&self, dx: &[u8], who: &[u8], data: &[u8], out: &mut Vec<u8>) {
        out.clear();
        for piece in &self.0 {
            out.extend_from_slice(match piece {
                Piece::Text(text) => text,
                Piece::Dx => dx,
                Piece::Who => who,
                Piece::Data => data,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(format: &str) -> String {
        let mut out = Vec::new();
        let format = Format::parse(format.as_bytes()).unwrap();
        format.write(b"Rx", b"me", b"%dx", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_default_is_hios() {
        let format = Format::parse(b"\n%(dx)b %(who)b:\n%(data)b\n");
        assert_eq!(format, Ok(Format::default()));
    }

    #[test]
    fn fields_are_replaced_once() {
        assert_eq!(record("\n%(dx)b %(who)b:\n%(data)b\n"), "\nRx me:\n%dx\n");
        assert_eq!(record("\n%dx %who:\n%data\n"), "\nRx me:\n%dx\n");
        assert_eq!(record("100%% %(data)s%(data)s"), "100% %dx%dx");
        assert_eq!(record(""), "");
    }

    #[test]
    fn what_is_no_field_is_refused_where_it_stands() {
        for (format, at) in [("%", 0), ("ab%(why)b", 2), ("%(data)d", 0), ("%%%", 2)] {
            let refused = Format::parse(format.as_bytes());
            assert_eq!(refused, Err(WireLogError::Format { at }), "{format}");
        }
    }
}
