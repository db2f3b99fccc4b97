//! Child processes: pinned to a core, told to serve, measured from outside, ended.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::CpuSet;

use crate::measure::now;

/// The core of the servers.
pub(crate) const SERVER_CORE: usize = 0;
/// The core of the load.
pub(crate) const LOAD_CORE: usize = 1;

/// A server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    /// Where it listens.
    pub(crate) addr: String,
}

impl Served {
    /// Starts a program and waits for its line `listening on ADDR`.
    ///
    /// With `wait` a wrapper such as valgrind gets the time it needs.
    pub(crate) fn start(command: &[String], wait: Duration) -> Result<Self, String> {
        pinned(SERVER_CORE, || Self::unpinned(command, wait))
    }

    /// As [`start`](Self::start), on all cores.
    pub(crate) fn unpinned(command: &[String], wait: Duration) -> Result<Self, String> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", command[0]))?;
        let Some(out) = child.stdout.take() else {
            return Err("no standard output".to_owned());
        };
        // A server that never says its line would hang the reader: the killer ends both.
        let line = within(wait, &mut child, out)?;
        let addr = line
            .trim()
            .strip_prefix("listening on ")
            .ok_or_else(|| format!("said {line:?}"))?;
        Ok(Self {
            addr: addr.to_owned(),
            child,
        })
    }

    /// The process to look at.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits for that.
    pub(crate) fn stop(mut self) {
        terminate(self.child.id());
        self.join();
    }

    /// Asks the processes below it to end (those that a tracer started) and waits for it.
    pub(crate) fn stop_traced(mut self) {
        let pid = self.child.id();
        let below = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        for child in below.unwrap_or_default().split_whitespace() {
            terminate(child.parse().unwrap_or(0));
        }
        self.join();
    }

    fn join(&mut self) {
        for _ in 0..1000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(10));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// The first line of `out`, or an error when it does not come in time.
fn within(
    wait: Duration,
    child: &mut Child,
    out: std::process::ChildStdout,
) -> Result<String, String> {
    let reader = thread::spawn(move || {
        let mut line = String::new();
        let mut out = BufReader::new(out);
        drop(out.read_line(&mut line));
        line
    });
    let start = now();
    while !reader.is_finished() {
        if now().duration_since(start) > wait {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("did not serve within {wait:?}"));
        }
        pause(Duration::from_millis(5));
    }
    reader.join().map_err(|_| "the reader failed".to_owned())
}

/// Runs `start` on a core; a child inherits it.
pub(crate) fn pinned<T>(core: usize, start: impl FnOnce() -> T) -> T {
    let before = rustix::thread::sched_getaffinity(None).ok();
    let mut one = CpuSet::new();
    one.set(core);
    // A machine without that core measures unpinned.
    let _ = rustix::thread::sched_setaffinity(None, &one);
    let done = start();
    if let Some(before) = before {
        let _ = rustix::thread::sched_setaffinity(None, &before);
    }
    done
}

fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

/// As many descriptors as the process may have; children inherit the limit.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = rustix::process::setrlimit(Resource::Nofile, all);
    limit.maximum.unwrap_or(u64::MAX)
}

/// What the system knows of a process: its processor time, and the time it waited for a core.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    /// Nanoseconds on a core.
    pub(crate) ran: u64,
    /// Nanoseconds runnable, but with the core given to others.
    pub(crate) waited: u64,
}

/// Sums over the threads of a process.
pub(crate) fn schedule(pid: u32) -> Schedule {
    let mut sum = Schedule::default();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return sum;
    };
    for task in tasks.flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let mut fields = text.split_whitespace().map(|f| f.parse().unwrap_or(0));
        sum.ran += fields.next().unwrap_or(0);
        sum.waited += fields.next().unwrap_or(0);
    }
    sum
}

/// Bytes of a process that are in memory.
pub(crate) fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = text
        .split_whitespace()
        .nth(1)
        .and_then(|p| p.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Waits. The children work meanwhile.
#[expect(clippy::disallowed_methods, reason = "a benchmark waits in real time")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
