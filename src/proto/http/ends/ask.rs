use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::exchange::Outgoing;
use super::url;
use crate::proto::http::{Length, RequestHead};

/// A request to a URL, being made up.
///
/// ```
/// use hio::proto::http::Ask;
/// let ask = Ask::get("http://localhost:8080/hello".parse()?).query(&[("name", "you & me")]);
/// assert_eq!(ask.url.to_string(), "http://localhost:8080/hello?name=you+%26+me");
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is to be done.
    pub method: Method,
    /// On what: an absolute `http` or `https` URL.
    pub url: Uri,
    /// Fields; Host and lengths are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Outgoing,
    /// How long all of it may take, redirects and attempts included.
    pub within: Option<Duration>,
    /// Hands the body over piece by piece instead of collecting it.
    pub streams: bool,
}

impl Ask {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, url: Uri) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Outgoing::Nothing,
            within: None,
            streams: false,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: Uri) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST, whose body is still to be said.
    #[must_use]
    pub fn post(url: Uri) -> Self {
        Self::new(Method::POST, url)
    }

    /// One more field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds pairs to the query.
    #[must_use]
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let before = self
            .url
            .query()
            .map(|q| format!("{q}&"))
            .unwrap_or_default();
        let path = self.url.path();
        let target = format!("{path}?{before}{}", url::encode(pairs));
        let mut parts = self.url.clone().into_parts();
        // What is escaped is a query, whatever the pairs were.
        parts.path_and_query = target.parse().ok();
        if let Ok(url) = Uri::from_parts(parts) {
            self.url = url;
        }
        self
    }

    /// Bytes of some type.
    #[must_use]
    pub fn bytes(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = Outgoing::Bytes(body.into());
        self
    }

    /// Pairs as a form.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        self.bytes("application/x-www-form-urlencoded", url::encode(pairs))
    }

    /// JSON, which is already text.
    #[must_use]
    pub fn json(self, text: impl Into<Vec<u8>>) -> Self {
        self.bytes("application/json", text)
    }

    /// Parts as `multipart/form-data` (RFC 7578). `boundary` is a line that occurs in none of
    /// them, of at most 70 characters that need no quotes; whoever asks has a random stream.
    #[must_use]
    pub fn multipart(mut self, boundary: &str, parts: &[Part<'_>]) -> Self {
        let mut body = Vec::new();
        for part in parts {
            part.write(boundary, &mut body);
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let told = format!("multipart/form-data; boundary={boundary}");
        if let Ok(told) = HeaderValue::from_str(&told) {
            self.headers.insert(CONTENT_TYPE, told);
        }
        self.body = Outgoing::Bytes(body);
        self
    }

    /// How long all of it may take.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.within = Some(span);
        self
    }

    /// Sends the body piece by piece.
    #[must_use]
    pub fn streaming_out(mut self, length: Length) -> Self {
        self.body = Outgoing::Stream(length);
        self
    }

    /// Receives the body piece by piece.
    #[must_use]
    pub const fn streaming(mut self) -> Self {
        self.streams = true;
        self
    }

    /// The head that goes to the origin: origin form, with a Host.
    pub(super) fn head(&self) -> RequestHead {
        let target = self.url.path_and_query().map(ToString::to_string);
        let target = target
            .and_then(|t| t.parse().ok())
            .unwrap_or_else(|| Uri::from_static("/"));
        let mut head = RequestHead::new(self.method.clone(), target);
        head.headers.clone_from(&self.headers);
        if !head.headers.contains_key(HOST) {
            // Credentials in a URL are nobody else's business.
            let authority = self.url.authority().map_or("", |a| a.as_str());
            let host = authority.rsplit('@').next().unwrap_or_default();
            if let Ok(host) = HeaderValue::from_str(host) {
                head.headers.insert(HOST, host);
            }
        }
        head
    }
}

/// A part of a form with files.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The field's name.
    pub name: &'a str,
    /// The file's name, if it is one.
    pub file: Option<&'a str>,
    /// The type of the content, if it is not plain text.
    pub content_type: Option<&'a str>,
    /// The content.
    pub data: &'a [u8],
}

impl Part<'_> {
    fn write(&self, boundary: &str, out: &mut Vec<u8>) {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"");
        quote(self.name, &mut head);
        if let Some(file) = self.file {
            head.push_str("\"; filename=\"");
            quote(file, &mut head);
        }
        head.push('"');
        if let Some(content_type) = self.content_type {
            head.push_str("\r\nContent-Type: ");
            head.extend(content_type.chars().filter(|c| !c.is_control()));
        }
        head.push_str("\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(self.data);
        out.extend_from_slice(b"\r\n");
    }
}

/// As browsers do (HTML Living Standard, multipart/form-data): nothing ends the quotes or the line.
fn quote(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c => out.push(c),
        }
    }
}

/// What a redirect makes of a request (RFC 9110 §15.4).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// It is none.
    No,
    /// The same again, elsewhere.
    Same,
    /// A GET (or HEAD) without a body.
    Get,
}

impl Redirect {
    pub(super) fn of(status: StatusCode, method: &Method) -> Self {
        let safe = [Method::GET, Method::HEAD].contains(method);
        match status.as_u16() {
            307 | 308 => Self::Same,
            303 if *method == Method::HEAD => Self::Same,
            303 => Self::Get,
            301 | 302 if safe => Self::Same,
            301 | 302 if *method == Method::POST => Self::Get,
            301 | 302 => Self::Same,
            _ => Self::No,
        }
    }
}

/// Fields that stay with the origin they were meant for.
pub(super) fn at_home() -> [HeaderName; 4] {
    use http::header::{COOKIE, PROXY_AUTHORIZATION};
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST]
}
