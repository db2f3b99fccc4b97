//! Foreign programs as children that never outlive a test.
#![allow(
    dead_code,
    reason = "several test programs share it, each uses its part"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::Signal;

use crate::programs::{Served, example};

/// How long any program may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A child process with its output read by a thread; killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Program {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let stdout = child.stdout.take().expect("it is piped");
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            name: name.to_owned(),
        }
    }

    /// The next line of its output; none at the end of it.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{}: silent for {PATIENCE:?}", self.name),
        }
    }

    /// Waits for its end: whether it went well, and the rest of its output.
    pub(crate) fn finish(mut self) -> (bool, String) {
        let mut rest = String::new();
        while let Some(line) = self.line() {
            rest.push_str(&line);
            rest.push('\n');
        }
        let ended = self.child.wait().expect("a child can be waited for");
        (ended.success(), rest)
    }

    /// Asks it to end as a service manager would.
    pub(crate) fn terminate(&self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(asked.expect("kill exists").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the crate's echo server on loopback, or where `args` say.
pub(crate) fn echo_server(args: &[&str]) -> Served {
    let anywhere = ["--addr", "127.0.0.1:0"];
    Served::echo(if args.is_empty() { &anywhere } else { args })
}

/// Ends an echo server by a signal; it must end well.
pub(crate) fn end_well(server: Served) {
    let (status, said) = server.stop(Signal::TERM);
    assert!(
        status.success(),
        "the server ended with {status} and said: {said}"
    );
}

/// Runs the crate's echo client: whether it went well, and what it said.
pub(crate) fn echo_client(args: &[&str]) -> (bool, String) {
    Program::start(
        "echo_client",
        Command::new(example("echo_client")).args(args),
    )
    .finish()
}

/// A script below `tests/interop`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(name)
}

/// A Python that has hio 0.6.10: named by `HIO_PYTHON`, or made by `tests/interop/setup.sh`.
pub(crate) fn hio_python() -> Option<PathBuf> {
    let named = std::env::var_os("HIO_PYTHON").map(PathBuf::from);
    // target/debug/examples/NAME
    let target = example("any").ancestors().nth(3).map(Path::to_owned);
    let made = target.map(|target| target.join("interop-venv/bin/python"));
    let found = named
        .into_iter()
        .chain(made)
        .find(|python| runs(python, "import hio.core.tcp"));
    if found.is_none() {
        println!("skipped: no Python with hio; tests/interop/setup.sh makes one");
    }
    found
}

/// A Python that has aiohttp and httpx: named by `HTTP_PYTHON`, or made by `tests/interop/setup_http.sh`.
pub(crate) fn http_python() -> Option<PathBuf> {
    let named = std::env::var_os("HTTP_PYTHON").map(PathBuf::from);
    let target = example("any").ancestors().nth(3).map(Path::to_owned);
    let made = target.map(|target| target.join("http-venv/bin/python"));
    let found = named
        .into_iter()
        .chain(made)
        .find(|python| runs(python, "import aiohttp, httpx, h11"));
    if found.is_none() {
        println!(
            "skipped: no Python with aiohttp and httpx; tests/interop/setup_http.sh makes one"
        );
    }
    found
}

/// Any Python 3.
pub(crate) fn plain_python() -> Option<PathBuf> {
    let found = ["python3", "python"].map(PathBuf::from);
    let found = found
        .into_iter()
        .find(|python| runs(python, "import socket, selectors"));
    if found.is_none() {
        println!("skipped: no Python 3");
    }
    found
}

fn runs(python: &Path, program: &str) -> bool {
    let tried = Command::new(python)
        .args(["-c", program])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Whether a program is there: it can be started with `argument`.
pub(crate) fn has(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let found = command.status().is_ok();
    if !found {
        println!("skipped: no {program} here");
    }
    found
}
