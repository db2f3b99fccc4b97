//! Goal: a crew starts a named thread a member and no other, restarts what fails or stops by policy,
//! stops in order within its limit, and leaves neither threads nor descriptors behind.
//! Method: crews of small members; what they did is told through a list under a lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::crew::{Crew, CrewError, Left, Mailbox, OnFailure, OnStop, Refused, Report};
use hio::doing::prelude::*;

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, text: impl Into<String>) {
    log.lock().expect("no panic under it").push(text.into());
}

fn said(log: &Log) -> Vec<String> {
    log.lock().expect("no panic under it").clone()
}

/// Parks until it is closed, and says so.
struct Waits(Log, String);

impl Doer for Waits {
    fn recur(&mut self, _: Tyme, _: &mut Cx<'_>) -> Result<Next, Fault> {
        Ok(Park(Tyme::NEVER))
    }
    fn cease(&mut self, _: &mut Cx<'_>) {
        say(&self.0, &self.1);
    }
}

fn waiting(crew: Crew, name: &str, log: &Log) -> Crew {
    let log = Arc::clone(log);
    crew.member(name, move |seat| {
        let mut doist = Doist::new(());
        doist.add(Waits(Arc::clone(&log), seat.name.to_owned()));
        Ok(doist)
    })
}

fn left(report: &Report, name: &str) -> String {
    let member = report.member(name).expect("a member");
    match &member.left {
        Left::Ended(outcome) => format!("{outcome:?} {}", member.restarts),
        Left::Failed(fault) => {
            let path: Vec<&str> = fault.path().collect();
            format!("{} {}", path.join("/"), member.restarts)
        }
        other => format!("{other:?} {}", member.restarts),
    }
}

#[test]
fn a_member_has_a_thread_of_its_name_and_its_seat_tells_who_it_is() {
    let log = Log::default();
    let mut crew = Crew::new().with_seed(7);
    for name in ["first", "second"] {
        let log = Arc::clone(&log);
        crew = crew.member(name, move |seat| {
            let thread = std::thread::current();
            let named = thread.name() == Some(seat.name);
            say(
                &log,
                format!("{} {}/{} {named}", seat.name, seat.index, seat.members),
            );
            say(&log, format!("{} seed {}", seat.name, seat.seed));
            Ok(Doist::new(()))
        });
    }
    let report = crew.run().expect("threads");
    assert!(report.is_well());
    assert_eq!(left(&report, "first"), "Done 0");
    let mut said = said(&log);
    said.sort();
    assert_eq!(
        (&*said[0], &*said[2]),
        ("first 0/2 true", "second 1/2 true")
    );
    assert_ne!(said[1][6..], said[3][7..], "seeds differ");
}

#[test]
fn a_crew_that_makes_no_sense_does_not_start() {
    let member = |crew: Crew, name: &str| crew.member(name, |_| Ok(Doist::new(())));
    let refused = |crew: Crew| crew.run().map(drop).unwrap_err();
    assert_eq!(refused(Crew::new()), CrewError::Empty);
    for name in ["", "a b", "a#b", "a->b", "a\0b", &"n".repeat(254)] {
        let why = refused(member(Crew::new(), name));
        assert_eq!(why, CrewError::Name(name.to_owned()));
    }
    let twice = member(member(Crew::new(), "a"), "A");
    assert_eq!(refused(twice).to_string(), "two members are called \"A\"");
}

#[test]
fn a_stop_goes_from_the_last_to_the_first() {
    let log = Log::default();
    let mut crew = Crew::new();
    for name in ["a", "b", "c"] {
        crew = waiting(crew, name, &log);
    }
    let running = crew.start().expect("threads");
    assert!(!running.handle().is_stopping());
    // Whether they have begun by now or not.
    let report = running.stop();
    assert!(report.is_well(), "{report}");
    let mut order = said(&log);
    order.reverse();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_stop_from_a_member_or_before_the_start_stops_all() {
    let log = Log::default();
    let crew = waiting(waiting(Crew::new(), "a", &log), "b", &log).member("c", |_| {
        let mut doist = Doist::new(());
        doist.add(doify(|_, cx: &mut Cx<'_>| {
            cx.ask.stop(); // as a SignalDoer does
            Ok(Again)
        }));
        Ok(doist)
    });
    let report = crew.run().expect("threads");
    assert_eq!(left(&report, "c"), "Stopped 0");
    assert!(report.is_well(), "{report}");

    let crew = waiting(Crew::new(), "a", &log);
    crew.handle().stop();
    assert_eq!(left(&crew.run().expect("threads"), "a"), "Stopped 0");
}

#[test]
fn a_member_may_stop_alone_by_policy() {
    let others = Arc::new(AtomicBool::new(false));
    let ran = Arc::clone(&others);
    let gone = Mailbox::<()>::new(1);
    let mut post = gone.post();
    let other = gone.post();
    let crew = Crew::new()
        .on_stop(OnStop::Member)
        .member("stops", move |_| {
            let _held = &gone;
            let mut doist = Doist::new(());
            doist.add(doify(|_, cx: &mut Cx<'_>| {
                cx.ask.stop();
                Ok(Again)
            }));
            Ok(doist)
        })
        .member("goes-on", move |_| {
            let ran = Arc::clone(&ran);
            let mut other = other.clone();
            let mut doist = Doist::new(()).with_tock(Duration::from_millis(1));
            doist.add(doify(move |_, cx: &mut Cx<'_>| {
                ran.store(true, Ordering::Relaxed);
                // It is there until the other member has ended for good.
                Ok(match other.send(cx.net, ()) {
                    Err(Refused::Gone(())) => Done(true),
                    _ => Again,
                })
            }));
            Ok(doist)
        });
    let report = crew.run().expect("threads");
    assert_eq!(left(&report, "stops"), "Stopped 0");
    assert_eq!(left(&report, "goes-on"), "Done 0");
    assert!(others.load(Ordering::Relaxed));
    assert_eq!(
        post.send(&mut NullNet::default(), ()),
        Err(Refused::Gone(()))
    );
}

/// Fails so often, in this way, and is done then.
fn failing(times: usize, how: &'static str, builds: &Arc<AtomicUsize>) -> Crew {
    let builds = Arc::clone(builds);
    Crew::new().member("fails", move |seat| {
        let build = builds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(build, seat.restarts as usize);
        let fails = build < times;
        match how {
            "builder" if fails => return Err(Fault::msg("no")),
            "panic" if fails => panic!("in the builder"),
            _ => {}
        }
        let mut doist = Doist::new(());
        doist
            .named("worker")
            .add(doify(move |_, _: &mut Cx<'_>| match how {
                "doer" if fails => Err(Fault::msg("no")),
                "doer-panic" if fails => panic!("in the doer"),
                _ => Ok(Done(true)),
            }));
        Ok(doist)
    })
}

#[test]
fn what_failed_is_built_again_and_too_often_stops_the_crew() {
    for how in ["builder", "panic", "doer", "doer-panic"] {
        let builds = Arc::new(AtomicUsize::new(0));
        let report = failing(1, how, &builds).run().expect("a thread");
        assert_eq!(left(&report, "fails"), "Done 1", "{how}");
        let builds = Arc::new(AtomicUsize::new(0));
        let log = Log::default();
        let crew = waiting(failing(9, how, &builds), "waits", &log);
        let report = crew.run().expect("threads");
        let path = if how.starts_with("doer") {
            "fails/worker 1"
        } else {
            "fails 1"
        };
        assert_eq!(left(&report, "fails"), path, "{how}");
        assert_eq!(left(&report, "waits"), "Stopped 0", "{how}");
        assert_eq!(builds.load(Ordering::Relaxed), 2, "{how}");
        let why = report.into_result().unwrap_err();
        assert_eq!(why.path().next(), Some("fails"));
    }
    let builds = Arc::new(AtomicUsize::new(0));
    let crew = failing(9, "doer", &builds).on_failure(OnFailure::Stop);
    assert_eq!(
        left(&crew.run().expect("a thread"), "fails"),
        "fails/worker 0"
    );
    let policy = OnFailure::Restart {
        most: 5,
        within: Duration::from_secs(3600),
    };
    let builds = Arc::new(AtomicUsize::new(0));
    let crew = failing(9, "doer", &builds).on_failure(policy);
    assert_eq!(
        left(&crew.run().expect("a thread"), "fails"),
        "fails/worker 5"
    );
}

#[test]
fn mail_waits_for_a_member_that_is_restarted() {
    let mailbox = Mailbox::new(4);
    let mut post = mailbox.post();
    for n in 0..3 {
        post.send(&mut NullNet::default(), n).expect("room");
    }
    drop(post);
    let log = Log::default();
    let told = Arc::clone(&log);
    let crew = Crew::new().member("reads", move |seat| {
        let (mut mailbox, told, life) = (mailbox.clone(), Arc::clone(&told), seat.restarts);
        let mut doist = Doist::new(());
        doist.add(doify(move |_, cx: &mut Cx<'_>| {
            while let Some(n) = mailbox.take(cx.net) {
                say(&told, format!("{n} in {life}"));
                if n == 1 {
                    return Err(Fault::msg("one"));
                }
            }
            Ok(Done(true))
        }));
        Ok(doist)
    });
    assert!(crew.run().expect("a thread").is_well());
    assert_eq!(said(&log), ["0 in 0", "1 in 0", "2 in 1"]);
}

#[test]
fn who_does_not_stop_in_time_is_reported_and_can_be_joined() {
    let log = Log::default();
    let (held, begun) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let (until, begins) = (Arc::clone(&held), Arc::clone(&begun));
    let crew = waiting(Crew::new(), "a", &log)
        .with_stop_limit(Duration::from_millis(200))
        .member("stuck", move |_| {
            let (until, begins) = (Arc::clone(&until), Arc::clone(&begins));
            let mut doist = Doist::new(());
            doist.add(doify(move |_, _: &mut Cx<'_>| {
                begins.store(true, Ordering::Release);
                while until.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                Ok(Again)
            }));
            Ok(doist)
        });
    let running = crew.start().expect("threads");
    while !begun.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    let mut report = running.stop();
    assert_eq!(left(&report, "stuck"), "Straggling 0");
    assert_eq!(
        left(&report, "a"),
        "Stopped 0",
        "others got their share of the time"
    );
    assert!(!report.is_well());
    assert!(
        report
            .to_string()
            .contains("stuck: did not stop within the limit")
    );
    held.store(false, Ordering::Release);
    report.join_stragglers();
    assert!(
        report
            .into_result()
            .unwrap_err()
            .to_string()
            .contains("stuck did not stop")
    );
}

#[test]
fn a_net_that_cannot_be_made_is_a_failure_of_the_member() {
    let crew = waiting(Crew::new(), "a", &Log::default())
        .with_net(|name| Err(Fault::msg(format!("no net for {name}"))));
    let report = crew.run().expect("a thread");
    assert_eq!(left(&report, "a"), "a 1");
    assert!(report.to_string().contains("no net for a"), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn dropping_a_running_crew_joins_it_and_nothing_is_left() {
    let names = ["leak-test-a", "leak-test-b"];
    // Threads of this name: other tests of this process have theirs.
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
        let comms = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
        comms.filter(|comm| comm.starts_with("leak-test")).count()
    };
    let mailbox = Mailbox::<u8>::new(1);
    let log = Log::default();
    let mut crew = Crew::new();
    for name in names {
        let (mailbox, log) = (mailbox.clone(), Arc::clone(&log));
        crew = crew.member(name, move |_| {
            let mut doist = Doist::new(());
            let (mut mailbox, log) = (mailbox.clone(), Arc::clone(&log));
            let mut opened = false;
            doist.add(doify(move |_, cx: &mut Cx<'_>| {
                if !std::mem::replace(&mut opened, true) {
                    mailbox.open(cx.net, cx.ask.owner())?;
                    say(&log, "up");
                }
                Ok(Park(Tyme::NEVER))
            }));
            Ok(doist)
        });
    }
    assert_eq!(threads(), 0, "none before it is started");
    let running = crew.start().expect("threads");
    while said(&log).len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(threads(), 2);
    drop(running);
    assert_eq!(threads(), 0);
}
