//! Goal: SIGINT and SIGTERM end a run in order, whenever they come; the second one ends the
//! process. Method: real signals, to this process or to a child that runs one test of it.
#![cfg(all(unix, feature = "signals"))]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::net::{MioNet, NetError};
use rustix::process::{Pid, Signal, getpid, kill_process};

/// Signals are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Counts what it was told to do.
#[derive(Default)]
struct Witness {
    ceased: bool,
    exited: bool,
}

impl Doer for Witness {
    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        Ok(Park(Tyme::NEVER))
    }

    fn cease(&mut self, _cx: &mut Cx<'_>) {
        self.ceased = true;
    }

    fn exit(&mut self, _cx: &mut Cx<'_>) {
        self.exited = true;
    }
}

/// Runs a Doist with a limit of ten seconds that gets `signal` at `tyme`, or before it runs.
fn run(signal: Signal, at: Option<Duration>) -> Outcome {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(()).with_limit(Duration::from_secs(10));
    let witness = doist.add(Witness::default());
    doist.add(SignalDoer::new(&mut net).unwrap());
    match at {
        None => kill_process(getpid(), signal).unwrap(),
        Some(at) => {
            let mut waited = false;
            doist.add(doify(move |_tyme, _cx: &mut Cx<'_>| {
                if waited {
                    kill_process(getpid(), signal)?;
                    return Ok(Done(true));
                }
                waited = true;
                Ok(After(at))
            }));
        }
    }
    let outcome = doist.run(&mut net).unwrap();
    let witness = doist.get(witness).unwrap();
    assert!(witness.ceased && witness.exited, "all doers are closed");
    outcome
}

#[test]
fn a_signal_while_parked_stops_the_run() {
    let _alone = ALONE.lock();
    for signal in [Signal::TERM, Signal::INT] {
        assert_eq!(
            run(signal, Some(Duration::from_millis(40))),
            Outcome::Drained
        );
    }
}

#[test]
fn a_signal_before_the_run_is_not_lost() {
    let _alone = ALONE.lock();
    assert_eq!(run(Signal::TERM, None), Outcome::Drained);
}

#[test]
fn a_signal_that_cannot_be_handled_is_refused() {
    let _alone = ALONE.lock();
    let mut net = MioNet::new().unwrap();
    let kill = Signal::KILL.as_raw();
    assert_eq!(
        SignalDoer::watching(&mut net, &[kill]).unwrap_err(),
        NetError::Invalid
    );
}

/// The child of the test below: a program that does not end by itself when it is told to.
#[test]
#[ignore = "is run by the_second_signal_ends_the_process"]
fn child_that_does_not_stop() {
    let mut net = MioNet::new().unwrap();
    let doer = SignalDoer::new(&mut net).unwrap();
    println!("\nready");
    std::thread::park_timeout(Duration::from_secs(20));
    drop(doer);
}

#[test]
fn the_second_signal_ends_the_process() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_does_not_stop",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    wait(Duration::from_millis(200));
    assert!(
        child.try_wait().unwrap().is_none(),
        "the first one only asks"
    );
    kill_process(pid, Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(Signal::TERM.as_raw())
    );
}

#[expect(clippy::disallowed_methods, reason = "the child needs real time")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
