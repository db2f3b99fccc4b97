//! Files below a folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LAST_MODIFIED, RANGE,
};
use http::{Method, StatusCode};

use super::conditions::{Range, is_another, is_unchanged, may_be_partial, parse_range};
use super::date;
use super::message::{Answer, Request, Response};
use super::source::Source;
use crate::proto::http::{Length, RequestHead};

/// Answers GET and HEAD with the files below a folder, and never with others.
///
/// A path is taken apart, decoded, and looked up segment by segment: `..`, hidden names, control
/// characters and whatever leads out of the folder, symbolic links included, are not found. A
/// folder is answered with its `index.html`. Conditions (`If-Match`, `If-None-Match`,
/// `If-Modified-Since`, `If-Unmodified-Since`, `If-Range`) and one range of bytes are kept to (RFC 9110 §13, §14).
///
/// A file is opened once and read as the peer takes it, as a [`Source`]: what is held in memory does not
/// depend on its size. One that becomes shorter meanwhile breaks its connection off; one that is
/// replaced by another of its name is sent as it was. Opening and reading are calls to the file system, made
/// where the handler is asked and where the server sends: a disk that takes long is waited for, a
/// piece at a time.
///
/// Each file that is being sent is a descriptor. So there is a limit to them
/// ([`with_open_max`](Self::with_open_max)); beyond it, and when the system has no more, 503 is the answer.
///
/// ```
/// use hio::proto::http::{Files, Request, RequestId, Router};
/// let files = Files::below(std::env::temp_dir())?;
/// let router = Router::new().get("/*", move |_: RequestId, request: Request| files.answer(&request));
/// # let _ = router;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
    bytes_max: u64,
    open_max: usize,
    /// How many are being sent; the clones share it.
    open: Arc<AtomicUsize>,
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
                bytes_max: u64::MAX,
                open_max: 512,
                open: Arc::default(),
            }),
            false => Err(io::Error::new(ErrorKind::NotADirectory, "no folder")),
        }
    }

    /// Sets the size of the largest file, or range, in bytes that is answered with; 501 is the answer
    /// to more. There is none by default.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Sets how many files are sent at a time, by this and all its clones; 503 is the answer to more.
    /// Default 512: half of the descriptors that a process usually has.
    #[must_use]
    pub const fn with_open_max(mut self, files: usize) -> Self {
        self.open_max = files;
        self
    }

    /// How many files are being sent, by this and all its clones.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Answers a request for a path below the folder.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let head = &request.head;
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            let allow = HeaderValue::from_static("GET, HEAD");
            return Answer::Now(
                Response::status(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, allow),
            );
        }
        let opened = match self.locate(head.target.path()) {
            Some(path) => open(&path).map(|(file, meta)| (path, file, meta)),
            None => Err(StatusCode::NOT_FOUND),
        };
        match opened {
            Ok((path, file, meta)) => self.found(&path, file, &meta, head),
            Err(status) => Answer::Now(Response::status(status)),
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

    fn found(&self, path: &Path, file: File, meta: &fs::Metadata, head: &RequestHead) -> Answer {
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
            return Answer::Now(Response::status(StatusCode::PRECONDITION_FAILED));
        }
        if is_unchanged(asked, &tag, modified) {
            response.head.status = StatusCode::NOT_MODIFIED;
            return Answer::Now(response);
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
                return Answer::Now(no);
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
            return Answer::Now(Response::status(StatusCode::NOT_IMPLEMENTED));
        }
        if head.method == Method::HEAD {
            return Answer::Read(response.head, Length::Known(len), Source::new(io::empty()));
        }
        match self.part(file, from, len) {
            Ok(source) => Answer::Read(response.head, Length::Known(len), source),
            Err(status) => Answer::Now(Response::status(status)),
        }
    }

    /// What is sent of a file.
    fn part(&self, mut file: File, from: u64, len: u64) -> Result<Source, StatusCode> {
        if self.open() >= self.open_max {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let sought = file.seek(SeekFrom::Start(from));
        sought.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Source::new(Part {
            rest: file.take(len),
            open: Arc::clone(&self.open),
        }))
    }
}

/// A part of an open file, counted while it is there.
struct Part {
    rest: Take<File>,
    open: Arc<AtomicUsize>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Read for Part {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buf)
    }
}

/// Opens a file, and says what it is then; or the status for what it is not.
fn open(path: &Path) -> Result<(File, fs::Metadata), StatusCode> {
    let status = |why: io::Error| match why.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => StatusCode::NOT_FOUND,
        // Out of descriptors, mostly: another moment may have one.
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let is_file = |meta: fs::Metadata| match meta.is_file() {
        true => Ok(meta),
        false => Err(StatusCode::NOT_FOUND),
    };
    // Looked at first: opening a named pipe would wait for its other end.
    fs::metadata(path).map_err(status).and_then(is_file)?;
    let file = File::open(path).map_err(status)?;
    let meta = file.metadata().map_err(status).and_then(is_file)?;
    Ok((file, meta))
}

fn since_1970(at: SystemTime) -> Option<Duration> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// Size and time tell versions of a file apart, as far as the file system does.
fn tag(len: u64, modified: Option<Duration>) -> String {
    let nanos = modified.map_or(0, |at| at.as_nanos());
    format!("\"{len:x}-{nanos:x}\"")
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
