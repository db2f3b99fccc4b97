//! The example programs as processes: built once, started, looked at from outside, ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};

/// Reads the clock: these tests are about real time.
#[expect(clippy::disallowed_methods, reason = "tests of real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "tests of real time")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The path of an example, built like this test. Cargo keeps two of these apart.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--examples", "--manifest-path"]);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        assert!(command.status().unwrap().success(), "the examples build");
        let mut dir = std::env::current_exe().unwrap();
        dir.pop(); // the test's own file
        dir.pop(); // deps
        dir.join("examples")
    });
    dir.join(name)
}

/// Whether a tool is there. A test that needs it is skipped, and says so, where it is not.
pub(crate) fn has(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

/// Raises the limit of descriptors as far as it goes; gives it.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, all).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

/// A server in a process of its own. Killed when dropped.
pub(crate) struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it says it listens on.
    pub(crate) addr: String,
    /// The server itself, when `child` is a tracer.
    pid: u32,
}

impl Served {
    /// Starts `echo_server` with these arguments.
    pub(crate) fn echo(args: &[&str]) -> Self {
        Self::command(&[], "echo_server", args)
    }

    /// Starts the server that has much to say, `tests/programs/feed_server.rs`.
    pub(crate) fn feed(args: &[&str]) -> Self {
        Self::command(&[], "feed_server", args)
    }

    /// Starts any example that says `listening on ADDR`.
    pub(crate) fn example(name: &str, args: &[&str]) -> Self {
        Self::command(&[], name, args)
    }

    /// An echo server below `strace -f -o LOG` with further options.
    pub(crate) fn traced(log: &Path, options: &[&str], args: &[&str]) -> Self {
        let log = log.to_str().unwrap();
        let mut tool = vec!["strace", "-f", "-o", log];
        tool.extend(options);
        Self::command(&tool, "echo_server", args)
    }

    fn command(tool: &[&str], name: &str, args: &[&str]) -> Self {
        let server = example(name);
        let mut words: Vec<&str> = tool.to_vec();
        words.push(server.to_str().unwrap());
        words.extend(args);
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on ");
        let addr = addr.unwrap_or_else(|| panic!("the server said {line:?}"));
        let pid = match tool.is_empty() {
            true => child.id(),
            false => below(child.id()),
        };
        Self {
            addr: addr.to_owned(),
            child,
            out,
            pid,
        }
    }

    /// Its process.
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Asks it to end; gives how it did and what else it printed.
    pub(crate) fn stop(self, signal: Signal) -> (ExitStatus, String) {
        self.signal(signal);
        self.ended()
    }

    /// Waits for its end; gives how it did and what else it printed.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }

    /// Nanoseconds of processor time it has used.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.pid)).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Bytes it has in memory.
    pub(crate) fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid)).unwrap();
        let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64
    }

    /// Descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let dir = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        dir.count()
    }

    /// Limits its descriptors from now on.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap());
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::prlimit(pid, Resource::Nofile, limit).unwrap();
    }

    /// A connection that gives up on a read after ten seconds.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// The same over a Unix socket.
    pub(crate) fn connect_unix(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.addr).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        stream
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if self.pid != self.child.id() {
                self.signal(Signal::KILL);
            }
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// The process that a tracer started.
fn below(pid: u32) -> u32 {
    let file = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(file).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

/// Sends bytes and takes them back; gives how long that took.
pub(crate) fn echo(stream: &mut (impl Read + Write), message: &[u8]) -> Duration {
    let start = now();
    stream.write_all(message).unwrap();
    let mut back = vec![0; message.len()];
    stream.read_exact(&mut back).unwrap();
    let took = now().duration_since(start);
    assert!(back == message, "what comes back is what was sent");
    took
}

/// A path in the temporary directory that no other test uses.
pub(crate) fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hio-{}-{name}", std::process::id()))
}
