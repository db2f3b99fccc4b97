use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Format, WireLog, WireLogError};

/// Builds a [`WireLog`]: hio's parameters, and limits.
#[derive(Clone, Debug)]
#[must_use]
pub struct WireLogBuilder {
    pub(super) rxed: bool,
    pub(super) txed: bool,
    samed: bool,
    format: Option<Vec<u8>>,
    /// What `format` says, once it is built.
    pub(super) parsed: Format,
    pub(super) place: Place,
    pub(super) limit: Option<usize>,
    pub(super) keep: u32,
    file: Option<PathBuf>,
    head: Option<PathBuf>,
    temp: bool,
    prefix: String,
    name: String,
    wall: Option<Duration>,
}

/// Where a log is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory {
        apart: bool,
    },
    File {
        path: PathBuf,
        apart: bool,
    },
    Dir {
        dir: PathBuf,
        name: String,
        apart: bool,
        temp: bool,
    },
}

impl Default for WireLogBuilder {
    fn default() -> Self {
        Self {
            rxed: true,
            txed: true,
            samed: false,
            format: None,
            parsed: Format::default(),
            place: Place::Memory { apart: true },
            limit: None,
            keep: KEPT,
            file: None,
            head: None,
            temp: false,
            prefix: "hio".to_owned(),
            name: "main".to_owned(),
            wall: None,
        }
    }
}

impl WireLogBuilder {
    /// Whether what is received is logged. Default: yes.
    pub const fn rxed(mut self, on: bool) -> Self {
        self.rxed = on;
        self
    }

    /// Whether what is sent is logged. Default: yes.
    pub const fn txed(mut self, on: bool) -> Self {
        self.txed = on;
        self
    }

    /// Whether both directions go to one file or ring, in the order of events. Default: no.
    pub const fn samed(mut self, on: bool) -> Self {
        self.samed = on;
        self
    }

    /// How a record is written: hio's format strings with `%(dx)b`, `%(who)b` and `%(data)b`, each
    /// as often as wished, or `%dx`, `%who` and `%data` for short; `%%` is a percent sign. Checked
    /// by [`build`](Self::build).
    pub fn format(mut self, format: impl Into<Vec<u8>>) -> Self {
        self.format = Some(format.into());
        self
    }

    /// Bytes of a ring, by default 1 MiB, or of a file before it is put aside, by default 16 MiB.
    /// One record always fits into a file.
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// How many older files are kept, `NAME.1` being the latest. Default 4; with 0 a full file
    /// begins anew.
    pub const fn keep(mut self, files: u32) -> Self {
        self.keep = files;
        self
    }

    /// Logs into this file, which is emptied; with the directions apart into `PATH.rx` and
    /// `PATH.tx`. A pipe that nobody reads would hold the whole program up: give it files.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Logs into files as hio names them: `HEAD/PREFIX/wirelogs/NAME.rx.log`, `….tx.log`, or
    /// `NAME.log` for both. hio's `filed` and `headDirPath`. There is no other directory that is
    /// fallen back to.
    pub fn filed(mut self, head: impl Into<PathBuf>) -> Self {
        self.head = Some(head.into());
        self
    }

    /// Logs into files as [`filed`](Self::filed) does, in a new directory among the system's
    /// temporary ones, which goes when the log is closed or dropped.
    pub const fn temp(mut self, on: bool) -> Self {
        self.temp = on;
        self
    }

    /// The directory between head and `wirelogs`. Default `hio`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The name in file names. Default `main`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Puts the time into file names, as hio does: `NAME.2026-01-31_23-59-59_000000.rx.log`. It is
    /// to be told what the time is: [`Net::wall`](crate::net::Net::wall) knows.
    pub const fn dated(mut self, wall: Duration) -> Self {
        self.wall = Some(wall);
        self
    }

    /// Makes the files, if it is to be files.
    ///
    /// # Errors
    /// The format has something else after a `%`; places that contradict each other; a name that
    /// leads out of the directory; a file or directory that cannot be made.
    pub fn build(mut self) -> Result<WireLog, WireLogError> {
        if let Some(format) = &self.format {
            self.parsed = Format::parse(format)?;
        }
        self.place = self.place()?;
        WireLog::open(self)
    }

    fn place(&self) -> Result<Place, WireLogError> {
        let apart = !self.samed;
        if self.limit == Some(0) {
            return Err(WireLogError::NoRoom);
        }
        let (head, temp) = match (&self.file, &self.head, self.temp) {
            (None, None, false) => return Ok(Place::Memory { apart }),
            (Some(path), None, false) => {
                let path = path.clone();
                return Ok(Place::File { path, apart });
            }
            (None, Some(head), false) => (head.clone(), false),
            (None, None, true) => (std::env::temp_dir(), true),
            _ => return Err(WireLogError::Places),
        };
        for name in [&self.prefix, &self.name] {
            let mut parts = Path::new(name).components();
            let plain = matches!(parts.next(), Some(std::path::Component::Normal(_)));
            if !plain || parts.next().is_some() {
                return Err(WireLogError::Name(name.clone()));
            }
        }
        let name = match self.wall {
            None => self.name.clone(),
            Some(wall) => format!("{}.{}", self.name, date(wall)),
        };
        let dir = head.join(&self.prefix).join("wirelogs");
        Ok(Place::Dir {
            dir,
            name,
            apart,
            temp,
        })
    }
}

/// The files of a log: one for all, or that of what is received and that of what is sent.
type Paths = (PathBuf, Option<PathBuf>);

impl Place {
    /// Whether the directions are kept apart.
    pub(super) const fn apart(&self) -> bool {
        match self {
            Self::Memory { apart } | Self::File { apart, .. } | Self::Dir { apart, .. } => *apart,
        }
    }

    /// Makes the directories; gives the files, and the directory that is to go.
    pub(super) fn make(&self) -> Result<(Option<Paths>, Option<PathBuf>), WireLogError> {
        let paths = |stem: &Path, end: &str, apart: bool| {
            let with = |more: &str| {
                let mut path = stem.as_os_str().to_owned();
                path.push(more);
                path.push(end);
                PathBuf::from(path)
            };
            match apart {
                true => (with(".rx"), Some(with(".tx"))),
                false => (with(""), None),
            }
        };
        match self {
            Self::Memory { .. } => Ok((None, None)),
            Self::File { path, apart } => Ok((Some(paths(path, "", *apart)), None)),
            Self::Dir {
                dir,
                name,
                apart,
                temp,
            } => {
                std::fs::create_dir_all(dir).map_err(|why| WireLogError::file(dir, &why))?;
                let own = match temp {
                    true => Some(new_dir(dir)?),
                    false => None,
                };
                let stem = own.as_ref().unwrap_or(dir).join(name);
                Ok((Some(paths(&stem, ".log", *apart)), own))
            }
        }
    }
}

/// A directory that was not there before.
fn new_dir(dir: &Path) -> Result<PathBuf, WireLogError> {
    let mut n = 0_u32;
    loop {
        let new = dir.join(format!("test_{n}_temp"));
        match std::fs::create_dir(&new) {
            Ok(()) => return Ok(new),
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists && n < TRIED => n += 1,
            Err(why) => return Err(WireLogError::file(&new, &why)),
        }
    }
}

/// A moment in UTC as hio has it in file names.
fn date(wall: Duration) -> String {
    let (days, secs) = (wall.as_secs() / 86_400, wall.as_secs() % 86_400);
    // Years that begin in March end with the day that some of them have more.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, more) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + more;
    let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
    let micros = wall.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}_{micros:06}")
}

/// Older files kept by default.
const KEPT: u32 = 4;
/// Temporary directories tried.
const TRIED: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        for (secs, micros, text) in [
            (0, 0, "1970-01-01_00-00-00_000000"),
            (951_782_400, 5, "2000-02-29_00-00-00_000005"),
            (1_078_099_199, 999_999, "2004-02-29_23-59-59_999999"),
            (1_795_195_200, 0, "2026-11-20_17-20-00_000000"),
            (4_107_542_400, 0, "2100-03-01_00-00-00_000000"),
        ] {
            let wall = Duration::new(secs, micros * 1_000);
            assert_eq!(date(wall), text);
        }
    }
}
