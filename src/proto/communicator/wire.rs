//! What the Python package puts into HTTP, without HTTP: cookies, network ids, answers.

use super::Rejection;

/// The cookie that tells the port of the sender's own server.
pub(super) const COOKIE: &str = "server_port";

/// What the cookie `server_port` says; of several the last. The name is case-sensitive, the value
/// may be quoted.
pub(super) fn server_port(cookies: &str) -> Option<String> {
    let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
    let mut ours = pairs.filter(|(name, _)| name.trim() == COOKIE);
    ours.next_back().map(|(_, value)| unquoted(value.trim()))
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            out.push(c);
        }
    }
    out
}

/// Whether two network ids `HOST:PORT` are those of one peer. This machine's three names are the
/// same; else both are compared as text.
pub(super) fn same_peer(a: &str, b: &str) -> bool {
    let parts = |id: &str| {
        let (host, port) = id.rsplit_once(':').unwrap_or((id, ""));
        let here = matches!(host, "localhost" | "127.0.0.1" | "::1");
        let host = if here { "localhost" } else { host };
        (host.to_owned(), port.to_owned())
    };
    parts(a) == parts(b)
}

/// How a packet is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// `None` for the usual one.
    pub(super) reason: Option<String>,
    pub(super) body: String,
    /// The connection is closed after it.
    pub(super) closes: bool,
}

impl Reply {
    fn usual(status: u16, phrase: &str) -> Self {
        Self {
            status,
            reason: None,
            body: format!("{status}: {phrase}"),
            closes: false,
        }
    }

    pub(super) fn text(body: &str) -> Self {
        Self {
            status: 200,
            reason: None,
            body: body.to_owned(),
            closes: false,
        }
    }

    /// No cookie.
    pub(super) fn bad_request() -> Self {
        Self::usual(400, "Bad Request")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::usual(405, "Method Not Allowed")
    }

    /// What tno's server says when something inside of it fails.
    pub(super) fn trouble() -> Self {
        Self {
            status: 500,
            reason: None,
            body: "500 Internal Server Error\n\nServer got itself in trouble".to_owned(),
            closes: true,
        }
    }

    /// Of what the receiver made of a packet.
    pub(super) fn of(how: &Result<(), Rejection>) -> Self {
        let (status, reason) = match how {
            Ok(()) => return Self::text("Message received"),
            Err(Rejection::UnknownSender) => (401, Rejection::UnknownSender.to_string()),
            Err(Rejection::Failed(why)) => {
                (400, format!("Failed processing received message: '{why}'"))
            }
        };
        // A line end cannot be in a status line: tno's own server fails there. So does ours for
        // what else HTTP does not allow.
        match reason.chars().any(|c| c.is_ascii_control() && c != '\t') {
            true => Self::trouble(),
            false => Self {
                status,
                body: format!("{status}: {reason}"),
                reason: Some(reason),
                closes: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        for (text, port) in [
            ("server_port=8001", Some("8001")),
            ("a=1; server_port=8001; b=2", Some("8001")),
            ("server_port=\"8001\"", Some("8001")),
            ("server_port=\"8\\\"1\"", Some("8\"1")),
            ("server_port=1; server_port=2", Some("2")),
            ("server_port=08001", Some("08001")),
            ("Server_Port=8001", None),
            ("server_ports=1", None),
            ("server_port", None),
            ("", None),
            ("server_port=", Some("")),
        ] {
            assert_eq!(server_port(text).as_deref(), port, "{text}");
        }
    }

    #[test]
    fn ids() {
        assert!(same_peer("127.0.0.1:80", "localhost:80"));
        assert!(same_peer("::1:80", "127.0.0.1:80"));
        assert!(!same_peer("::1:80", "127.0.0.1:81"));
        assert!(!same_peer("127.0.0.1:80", "127.0.0.1:080"));
        assert!(!same_peer("127.0.0.10:80", "127.0.0.1:80"));
        assert!(same_peer("10.0.0.1:80", "10.0.0.1:80"));
        assert!(same_peer("root:17", "root:17"));
    }

    #[test]
    fn answers() {
        let reply = Reply::of(&Err(Rejection::failed("no good")));
        assert_eq!(
            reply.body,
            "400: Failed processing received message: 'no good'"
        );
        let reply = Reply::of(&Err(Rejection::UnknownSender));
        assert_eq!(reply.body, "401: Server did not recognize sender.");
        let broken = Reply::of(&Err(Rejection::failed("two\r\nlines")));
        assert_eq!((broken.status, broken.closes), (500, true));
        assert_eq!(Reply::of(&Ok(())).body, "Message received");
        assert_eq!(Reply::bad_request().body, "400: Bad Request");
    }
}
