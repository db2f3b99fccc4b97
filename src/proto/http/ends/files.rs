//! Files below a folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    RANGE,
};
use http::{Method, StatusCode};

use super::date;
use super::message::{Request, Response};
use crate::proto::http::RequestHead;

/// Answers GET and HEAD with the files below a folder, and never with others.
///
/// A path is taken apart, decoded, and looked up segment by segment: `..`, hidden names, control
/// characters and whatever leads out of the folder, symbolic links included, are not found. A
/// folder is answered with its `index.html`. Conditions (`If-Match`, `If-None-Match`,
/// `If-Modified-Since`, `If-Unmodified-Since`, `If-Range`) and one range of bytes are kept to (RFC 9110 §13, §14). A file
/// is read whole, up to a limit, because nothing here waits: very large ones are for somebody
/// else.
///
/// ```
/// use hio::proto::http::Files;
/// let files = Files::below(std::env::temp_dir())?;
/// # let _ = files;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
    bytes_max: u64,
}

impl Files {
    /// The files below `root`, which must be a folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn below(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        match root.is_dir() {
            true => Ok(Self {
                root,
                bytes_max: 64 * 1024 * 1024,
            }),
            false => Err(io::Error::new(io::ErrorKind::NotADirectory, "no folder")),
        }
    }

    /// Sets the size of the largest file, or range, that is answered with. Default 64 MiB.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Answers a request for a path below the folder.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let head = &request.head;
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            let allow = HeaderValue::from_static("GET, HEAD");
            return Response::status(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, allow);
        }
        let found = self.locate(head.target.path()).and_then(|path| {
            // Looked at first: opening a named pipe would wait for its other end.
            fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            let file = File::open(&path).ok()?;
            let meta = file.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((path, file, meta))
        });
        match found {
            Some((path, file, meta)) => self.found(&path, file, &meta, head),
            None => Response::status(StatusCode::NOT_FOUND),
        }
    }

    /// The file that a path of a URL stands for.
    fn locate(&self, path: &str) -> Option<PathBuf> {
        let mut file = self.root.clone();
        for segment in path.strip_prefix('/')?.split('/').filter(|s| !s.is_empty()) {
            let name = decode(segment)?;
            let foreign = |c: char| c.is_control() || "/\\:".contains(c);
            if name.starts_with('.') || name.contains(foreign) {
                return None;
            }
            file.push(name);
        }
        match file.is_dir() {
            true => file.push("index.html"),
            // What ends in a slash names a folder.
            false if path.ends_with('/') => return None,
            false => {}
        }
        // A link may lead anywhere: what counts is where it ends.
        let real = file.canonicalize().ok()?;
        let inside = real.strip_prefix(&self.root).ok()?;
        let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
        let shown = !inside.iter().any(hidden);
        shown.then_some(real)
    }

    fn found(&self, path: &Path, file: File, meta: &fs::Metadata, head: &RequestHead) -> Response {
        let asked = &head.headers;
        let modified = meta.modified().ok().and_then(since_1970);
        let tag = tag(meta.len(), modified);
        let mut response = Response::new(StatusCode::OK);
        let mut say = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.head.headers.insert(name, value);
            }
        };
        say(ETAG, &tag);
        say(ACCEPT_RANGES, "bytes");
        say(CONTENT_TYPE, content_type(path));
        if let Some(modified) = modified {
            say(LAST_MODIFIED, &date::to_text(modified));
        }
        if is_another(asked, &tag, modified) {
            return Response::status(StatusCode::PRECONDITION_FAILED);
        }
        if is_unchanged(asked, &tag, modified) {
            response.head.status = StatusCode::NOT_MODIFIED;
            return response;
        }
        // RFC 9110 §14.2: of all methods, only GET has ranges.
        let range = asked
            .get(RANGE)
            .filter(|_| head.method == Method::GET)
            .filter(|_| may_be_partial(asked, &tag, modified));
        let range = range.and_then(|value| parse_range(value.to_str().ok()?, meta.len()));
        let (from, len) = match range {
            None => (0, meta.len()),
            Some(Range::Unsatisfiable) => {
                let mut no = Response::status(StatusCode::RANGE_NOT_SATISFIABLE);
                let told = format!("bytes */{}", meta.len());
                if let Ok(value) = HeaderValue::from_str(&told) {
                    no.head.headers.insert(CONTENT_RANGE, value);
                }
                return no;
            }
            Some(Range::Part { from, len }) => {
                let last = from + len - 1;
                say(
                    CONTENT_RANGE,
                    &format!("bytes {from}-{last}/{}", meta.len()),
                );
                response.head.status = StatusCode::PARTIAL_CONTENT;
                (from, len)
            }
        };
        if len > self.bytes_max {
            return Response::status(StatusCode::NOT_IMPLEMENTED);
        }
        match read(file, from, len) {
            Ok(body) => {
                response.body = body;
                response
            }
            // It became shorter, or the disk failed: what was said of it is no longer true.
            Err(_) => Response::status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

fn read(mut file: File, from: u64, len: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    file.seek(SeekFrom::Start(from))?;
    let mut body = vec![0; size];
    file.read_exact(&mut body)?;
    Ok(body)
}

fn since_1970(at: SystemTime) -> Option<Duration> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// Size and time tell versions of a file apart, as far as the file system does.
fn tag(len: u64, modified: Option<Duration>) -> String {
    let nanos = modified.map_or(0, |at| at.as_nanos());
    format!("\"{len:x}-{nanos:x}\"")
}

/// Whether the file is not the one that is wanted (RFC 9110 §13.1.1, §13.1.4).
fn is_another(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    if asked.contains_key(IF_MATCH) {
        let mut tags = tags(asked, IF_MATCH);
        return !tags.any(|one| one == b"*" || one == tag.as_bytes());
    }
    let since = asked
        .get(IF_UNMODIFIED_SINCE)
        .and_then(|v| date::parse(v.to_str().ok()?));
    let (Some(since), Some(modified)) = (since, modified) else {
        return false;
    };
    modified.as_secs() > since.as_secs()
}

/// The entity tags of a field, as they are written.
fn tags(asked: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = asked.get_all(name).iter();
    values.flat_map(|v| v.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii))
}

/// RFC 9110 §13.2.2: a tag counts more than a date.
fn is_unchanged(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        return tags(asked, IF_NONE_MATCH)
            .any(|one| one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag.as_bytes());
    }
    let since = asked
        .get(IF_MODIFIED_SINCE)
        .and_then(|v| date::parse(v.to_str().ok()?));
    let (Some(since), Some(modified)) = (since, modified) else {
        return false;
    };
    modified.as_secs() <= since.as_secs()
}

/// RFC 9110 §13.1.5: a range of another version is of no use.
fn may_be_partial(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    let Some(condition) = asked.get(IF_RANGE) else {
        return true;
    };
    let Ok(text) = condition.to_str() else {
        return false;
    };
    match date::parse(text) {
        Some(at) => modified.is_some_and(|modified| modified.as_secs() == at.as_secs()),
        None => text == tag,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Part { from: u64, len: u64 },
    Unsatisfiable,
}

/// One range of bytes (RFC 9110 §14.1.2); `None` for several, or what is none: then the whole is
/// sent.
fn parse_range(text: &str, len: u64) -> Option<Range> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (from, end) = match (number(first), last) {
        (None, last) if first.is_empty() => {
            let wanted = number(last)?;
            (len - wanted.min(len), if wanted == 0 { 0 } else { len })
        }
        (Some(from), "") => (from, len),
        (Some(from), last) => {
            let last = number(last)?;
            if last < from {
                return None;
            }
            (from, last.saturating_add(1).min(len))
        }
        (None, _) => return None,
    };
    match from < end {
        true => Some(Range::Part {
            from,
            len: end - from,
        }),
        false => Some(Range::Unsatisfiable),
    }
}

/// Percent-decoding of one segment; `None` when it is not UTF-8 after it.
fn decode(segment: &str) -> Option<String> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(out).ok()
}

fn content_type(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "md" | "log" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" | "map" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |from, len| Some(Range::Part { from, len });
        for (text, wanted) in [
            ("bytes=0-4", part(0, 5)),
            ("bytes=2-", part(2, 8)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=5-50", part(5, 5)),
            ("bytes=9-9", part(9, 1)),
            ("bytes=10-", Some(Range::Unsatisfiable)),
            ("bytes=-0", Some(Range::Unsatisfiable)),
            ("bytes=4-2", None),
            ("bytes=1-2,4-5", None),
            ("bytes=+1-2", None),
            ("bytes=-", None),
            ("lines=1-2", None),
            ("bytes=99999999999999999999-", Some(Range::Unsatisfiable)),
        ] {
            assert_eq!(parse_range(text, 10), wanted, "{text}");
        }
        assert_eq!(parse_range("bytes=0-0", 0), Some(Range::Unsatisfiable));
    }
}
