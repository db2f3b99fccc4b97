use std::io::{self, Write};

use super::{Layer, Net, NetError, Sid};

/// Writes down what passes on the streams of a net, as text: a line `<<< …` for each that was read
/// and `>>> …` for each that was written.
///
/// What is not ASCII is shown as U+FFFD, one for each byte. What one read or write brought is split
/// into lines where Python's `splitlines` does: at `\n`, `\r`, `\r\n`, `\x0b`, `\x0c` and `\x1c` to
/// `\x1e`. Below TLS it sees ciphertext.
///
/// A writer that fails never disturbs the transport: recording ends with the first failure, which
/// [`failure`](Self::failure) tells. A writer that blocks does delay the program.
///
/// ```
/// use hio::link::NetworkBackend;
/// use hio::net::{Recording, Script, Scripted};
/// let script = Script::to("10.0.0.1:80".parse()?).expects("GET / HTTP/1.0\r\n\r\n").sends("hi");
/// let net = Recording::new(Scripted::alone().with(script), Vec::new());
/// let mut backend = NetworkBackend::new(net);
/// let mut stream = backend.connect("10.0.0.1", 80)?;
/// stream.write(b"GET / HTTP/1.0\r\n\r\n")?;
/// stream.read()?;
/// drop(stream);
/// assert_eq!(backend.net().writer(), b">>> GET / HTTP/1.0\n>>> \n<<< hi\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recording<N, W> {
    net: N,
    writer: W,
    failure: Option<io::ErrorKind>,
    missed: u64,
    line: Vec<u8>,
}

impl<N, W: Write> Recording<N, W> {
    /// Records what passes on `net` to `writer`, unbuffered.
    #[must_use]
    pub const fn new(net: N, writer: W) -> Self {
        Self {
            net,
            writer,
            failure: None,
            missed: 0,
            line: Vec::new(),
        }
    }

    /// Where it is written to.
    #[must_use]
    pub const fn writer(&self) -> &W {
        &self.writer
    }

    /// Why recording has ended, if it has.
    #[must_use]
    pub const fn failure(&self) -> Option<io::ErrorKind> {
        self.failure
    }

    /// Lines that were not written, or not as a whole, as recording has ended.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// The net below and the writer.
    pub fn into_parts(self) -> (N, W) {
        (self.net, self.writer)
    }

    fn record(&mut self, prefix: &str, data: &[u8]) {
        for text in lines(data) {
            if self.failure.is_some() {
                self.missed += 1;
                continue;
            }
            self.line.clear();
            self.line.extend_from_slice(prefix.as_bytes());
            for &byte in text {
                match byte.is_ascii() {
                    true => self.line.push(byte),
                    false => self.line.extend_from_slice("\u{fffd}".as_bytes()),
                }
            }
            self.line.push(b'\n');
            if let Err(why) = self.writer.write_all(&self.line) {
                log::debug!("recording has ended: {why}");
                self.failure = Some(why.kind());
                self.missed += 1;
            }
        }
    }
}

impl<N: Net, W: Write> Layer for Recording<N, W> {
    type Below = N;
    fn below(&self) -> &N {
        &self.net
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let got = self.net.read(sid, buf)?;
        self.record("<<< ", &buf[..got.unwrap_or(0)]);
        Ok(got)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let took = self.net.write(sid, data)?;
        self.record(">>> ", &data[..took]);
        Ok(took)
    }
}

/// The lines of `data`, without their ends, as `str.splitlines` has them. A last one without an
/// end is one, too; an empty one is not.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1e);
        let Some(end) = rest.iter().position(ends) else {
            return Some(std::mem::take(&mut rest));
        };
        let len = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        let line = &rest[..end];
        rest = &rest[end + len..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(data: &[u8]) -> Vec<&[u8]> {
        lines(data).collect()
    }

    /// The results are those of Python 3.12: `data.decode("ascii", "replace").splitlines()`.
    #[test]
    fn lines_are_those_of_python() {
        let none: [&[u8]; 0] = [];
        assert_eq!(split(b""), none);
        assert_eq!(split(b"a"), [b"a"]);
        assert_eq!(split(b"a\r\nb\n\nc\r"), [&b"a"[..], b"b", b"", b"c"]);
        assert_eq!(split(b"\n\r"), [b"", b""]);
        assert_eq!(
            split(b"a\x0bb\x0cc\x1cd\x1de\x1ef"),
            [b"a", b"b", b"c", b"d", b"e", b"f"]
        );
        assert_eq!(split(b"tab\there\x1f\x00"), [b"tab\there\x1f\x00"]);
        assert_eq!(
            split(b"\x85\xc2\x85"),
            [b"\x85\xc2\x85"],
            "not ASCII: no line end"
        );
    }

    /// Takes some bytes, then none.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(data.len()) {
                Some(left) => self.0 = left,
                None => return Err(io::ErrorKind::StorageFull.into()),
            }
            Ok(data.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_first_failure_of_the_writer_ends_the_record_and_is_told() {
        let mut recording = Recording::new((), Full(9));
        recording.record("<<< ", b"four\nfive");
        assert_eq!(recording.failure(), Some(io::ErrorKind::StorageFull));
        recording.record(">>> ", b"a\nb");
        assert_eq!(recording.missed(), 3);
    }

    #[test]
    fn what_is_not_ascii_is_replaced_byte_by_byte() {
        let mut recording = Recording::new((), Vec::new());
        recording.record("<<< ", "é\n".as_bytes());
        assert_eq!(recording.writer(), "<<< \u{fffd}\u{fffd}\n".as_bytes());
    }
}
