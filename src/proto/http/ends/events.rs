//! Server-sent events (HTML Living Standard §9.2), both directions.

use std::time::Duration;

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::proto::http::ResponseHead;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSent {
    /// Its type; empty for `message`.
    pub event: String,
    /// Its data; lines are separated by `\n`.
    pub data: String,
    /// Its id, which a client sends back as `Last-Event-ID` when it comes again.
    pub id: Option<String>,
    /// How long a client waits before it comes again.
    pub retry: Option<Duration>,
}

impl ServerSent {
    /// An event with data only.
    #[must_use]
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// The head of a response that is a stream of events. Its body goes in chunks.
    #[must_use]
    pub fn head() -> ResponseHead {
        let mut head = ResponseHead::new(StatusCode::OK);
        let kind = HeaderValue::from_static("text/event-stream");
        head.headers.insert(CONTENT_TYPE, kind);
        let cache = HeaderValue::from_static("no-store");
        head.headers.insert(CACHE_CONTROL, cache);
        head
    }

    /// The text of the event. Line ends in its type and id are left out: they would begin another
    /// field.
    ///
    /// ```
    /// use hio::proto::http::ServerSent;
    /// assert_eq!(ServerSent::new("a\nb").to_text(), "data: a\ndata: b\n\n");
    /// ```
    #[must_use]
    pub fn to_text(&self) -> String {
        let plain = |text: &str| text.replace(['\r', '\n', '\0'], "");
        let mut out = String::new();
        if !self.event.is_empty() {
            out.push_str(&format!("event: {}\n", plain(&self.event)));
        }
        if let Some(id) = &self.id {
            out.push_str(&format!("id: {}\n", plain(id)));
        }
        if let Some(retry) = self.retry {
            out.push_str(&format!("retry: {}\n", retry.as_millis()));
        }
        for line in self.data.replace("\r\n", "\n").split(['\n', '\r']) {
            out.push_str(&format!("data: {line}\n"));
        }
        out.push('\n');
        out
    }
}

/// Reads events from the body of a response, in whatever pieces it comes.
///
/// ```
/// use hio::proto::http::EventReader;
/// let mut reader = EventReader::default();
/// let mut events = reader.feed(b"id: 7\ndata: hel")?;
/// events.extend(reader.feed(b"lo\n\n")?);
/// assert_eq!((events[0].data.as_str(), reader.last_id()), ("hello", "7"));
/// # Ok::<(), hio::proto::http::EventTooLarge>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventReader {
    line: Vec<u8>,
    /// A CR was the last byte: an LF after it belongs to it.
    after_cr: bool,
    /// Not at the first line, which may begin with a byte order mark.
    begun: bool,
    next: ServerSent,
    has_data: bool,
    size: usize,
    last_id: String,
    retry: Option<Duration>,
}

/// An event larger than [`EventReader::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {} bytes", EventReader::BYTES_MAX)]
pub struct EventTooLarge;

impl EventReader {
    /// Bytes of the largest event that is read: 1 MiB.
    pub const BYTES_MAX: usize = 1024 * 1024;

    /// The id of the last event, for `Last-Event-ID` when the stream is asked for again.
    #[must_use]
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// How long the server wants its clients to wait before they come again.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The stream begins anew on another connection: what is unfinished is forgotten, the id of the
    /// last event is not.
    pub fn restart(&mut self) {
        *self = Self {
            last_id: std::mem::take(&mut self.last_id),
            retry: self.retry,
            ..Self::default()
        };
    }

    /// Takes bytes in, and gives the events that they complete.
    ///
    /// # Errors
    /// An event is too large. The reader is to be [restarted](Self::restart).
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<ServerSent>, EventTooLarge> {
        let mut found = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    found.extend(self.end_of_line());
                }
                byte => {
                    self.line.push(byte);
                    self.size += 1;
                    if self.size > Self::BYTES_MAX {
                        return Err(EventTooLarge);
                    }
                }
            }
        }
        Ok(found)
    }

    fn end_of_line(&mut self) -> Option<ServerSent> {
        let bytes = std::mem::take(&mut self.line);
        let bytes = match (self.begun, bytes.strip_prefix(b"\xef\xbb\xbf")) {
            (false, Some(rest)) => rest,
            _ => &bytes[..],
        };
        self.begun = true;
        if bytes.is_empty() {
            return self.end_of_event();
        }
        let text = String::from_utf8_lossy(bytes);
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.next.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.next.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                let wait = value.parse().ok().map(Duration::from_millis);
                self.retry = wait.or(self.retry);
                self.next.retry = wait;
            }
            _ => {} // a comment, or a field that nobody knows
        }
        None
    }

    fn end_of_event(&mut self) -> Option<ServerSent> {
        self.size = 0;
        if let Some(id) = &self.next.id {
            self.last_id.clone_from(id);
        }
        let event = std::mem::take(&mut self.next);
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the standard, and what it says in words.
    #[test]
    fn streams_are_read_as_the_standard_says() {
        for (text, wanted) in [
            ("data: a\n\ndata: b\n\n", vec![("", "a"), ("", "b")]),
            ("data: a\r\rdata: b\r\n\r\n", vec![("", "a"), ("", "b")]),
            (
                "data: YHOO\ndata: +2\ndata: 10\n\n",
                vec![("", "YHOO\n+2\n10")],
            ),
            (
                ": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
                vec![("", "first"), ("", "second"), ("", " third")],
            ),
            ("data\n\ndata\ndata\n\ndata:", vec![("", ""), ("", "\n")]),
            (
                "data:test\n\ndata: test\n\n",
                vec![("", "test"), ("", "test")],
            ),
            (
                "event: add\ndata: 7\n\nevent: nothing\n\n",
                vec![("add", "7")],
            ),
            ("\u{feff}data: x\n\n", vec![("", "x")]),
            ("data: unfinished\n", vec![]),
        ] {
            let mut whole = EventReader::default();
            let all = whole.feed(text.as_bytes()).expect("small");
            let all: Vec<_> = all
                .iter()
                .map(|e| (e.event.as_str(), e.data.as_str()))
                .collect();
            assert_eq!(all, wanted, "{text:?}");
            let mut bytes = EventReader::default();
            let mut found = Vec::new();
            for byte in text.as_bytes() {
                found.extend(bytes.feed(&[*byte]).expect("small"));
            }
            assert_eq!(found.len(), wanted.len(), "{text:?}");
        }
        let mut reader = EventReader::default();
        reader
            .feed(b"id: 5\nretry: 250\ndata: x\n\nid: 6\n\nretry: no\n")
            .expect("small");
        assert_eq!(
            (reader.last_id(), reader.retry()),
            ("6", Some(Duration::from_millis(250)))
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let event = ServerSent {
            event: "a\nb".to_owned(),
            data: "x\r\ny\rz\n".to_owned(),
            id: Some("7\r".to_owned()),
            retry: Some(Duration::from_secs(1)),
        };
        let mut reader = EventReader::default();
        let found = reader.feed(event.to_text().as_bytes()).expect("small");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].event.as_str(), found[0].data.as_str()),
            ("ab", "x\ny\nz\n")
        );
        assert_eq!(found[0].id.as_deref(), Some("7"));
    }

    #[test]
    fn l1_an_event_is_bounded() {
        let mut reader = EventReader::default();
        let line = [b'a'; 4096];
        let over = (0..300).find_map(|_| reader.feed(&line).err());
        assert_eq!(over, Some(EventTooLarge));
    }
}
