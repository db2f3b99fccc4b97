use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

use super::sink::{Lost, Sink, for_owner};
use super::{Pcapng, WireLogError};

/// Logs the keys of TLS sessions, so that a capture of them can be read.
///
/// **Whoever has the log can read and forge all that these sessions carry.** It is written for
/// those configurations only that are [given](crate::link::tls::ServerTlsBuilder::key_log) one, and
/// no environment variable switches it on. A new file can be read by its owner only.
///
/// Lines are those of NSS, `LABEL CLIENT_RANDOM SECRET` in hexadecimal, which Wireshark, tshark
/// and others take. Each is written at once, as somebody may be reading.
///
/// ```
/// use hio::wire::{KeyLogger, Pcapng};
/// use std::sync::Arc;
///
/// let capture = Pcapng::new(std::io::sink());
/// let keys = Arc::new(KeyLogger::new().with_pcapng(&capture));
/// let builder = hio::link::tls::ServerTls::builder().key_log(keys);
/// # drop(builder);
/// ```
#[derive(Debug, Default)]
pub struct KeyLogger {
    file: Option<Mutex<Sink>>,
    pcapng: Option<Pcapng>,
}

impl KeyLogger {
    /// One that logs nowhere yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            file: None,
            pcapng: None,
        }
    }

    /// Logs into a file, behind what is there already.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn with_file(mut self, path: impl AsRef<Path>) -> Result<Self, WireLogError> {
        let path = path.as_ref();
        let file = for_owner(path, OpenOptions::new().append(true));
        let file = file.map_err(|why| WireLogError::file(path, &why))?;
        let sink = Sink::new(path.display().to_string(), Box::new(file));
        self.file = Some(Mutex::new(sink));
        Ok(self)
    }

    /// Logs into a capture, which holds its latest packets back until the next ones from now on, so
    /// that each key stands before the packets that it is for.
    #[must_use]
    pub fn with_pcapng(mut self, capture: &Pcapng) -> Self {
        capture.expect_secrets();
        self.pcapng = Some(capture.clone());
        self
    }

    /// What could not be written into the file.
    #[must_use]
    pub fn lost(&self) -> Lost {
        let lost = |file: &Mutex<Sink>| file.lock().unwrap_or_else(PoisonError::into_inner).lost;
        self.file.as_ref().map(lost).unwrap_or_default()
    }
}

impl KeyLog for KeyLogger {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", Hex(client_random), Hex(secret));
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.put(line.as_bytes());
            file.flush();
        }
        if let Some(pcapng) = &self.pcapng {
            pcapng.secrets(&line);
        }
    }
}

/// Bytes in hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
