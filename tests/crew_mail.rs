//! Goal: messages between members arrive in order, are bounded, and wake whoever waits, without a
//! lost wake-up and without spinning.
//! Method: mailboxes on one net by hand, and between threads of a crew; what is received is counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hio::crew::{Crew, Letter, MailDoer, Mailbox, Post, Refused};
use hio::doing::prelude::*;
use hio::net::{MioNet, NetError, Owner, Record, RecordedRun, Replay, ReplayEnd, Tape};

fn woken(net: &mut dyn Net, until: Tyme) -> Vec<Owner> {
    let mut out = Vec::new();
    net.poll(until).expect("the poll");
    net.woken(&mut out);
    out
}

#[test]
fn full_gives_back_and_order_is_kept() {
    let mut mailbox = Mailbox::new(2);
    let (mut post, net) = (mailbox.post(), &mut NullNet::default());
    assert_eq!(post.send(net, 1), Ok(()));
    assert_eq!(post.clone().send(net, 2), Ok(()));
    assert_eq!(post.send(net, 3), Err(Refused::Full(3)));
    assert_eq!((mailbox.take(net), mailbox.len()), (Some(1), 1));
    assert_eq!(post.send(net, 3), Ok(()));
    assert_eq!(mailbox.take(net), Some(2));
    assert_eq!(mailbox.take(net), Some(3));
    assert_eq!(mailbox.take(net), None);
    assert!(!mailbox.is_over());
    drop(post);
    assert!(mailbox.is_over());
    assert_eq!(Mailbox::<u8>::new(0).capacity(), 1, "at least one");
}

#[test]
fn a_mailbox_that_is_gone_says_so_and_a_clone_keeps_it() {
    let mailbox = Mailbox::new(4);
    let (mut post, net) = (mailbox.post(), &mut NullNet::default());
    assert!(post.send(net, "kept").is_ok());
    let mut again = mailbox.clone();
    drop(mailbox);
    assert_eq!(again.take(net), Some("kept"));
    drop(again);
    let refused = post.send(net, "back").unwrap_err();
    assert!(!refused.is_full());
    assert_eq!(
        refused.to_string(),
        "the mailbox is gone: its member has ended"
    );
    assert_eq!(refused.into_inner(), "back");
}

#[test]
fn what_waits_in_a_mailbox_is_dropped_with_it() {
    let (mailbox, held) = (Mailbox::new(4), Arc::new(()));
    let mut post = mailbox.post();
    let sent = post.send(&mut NullNet::default(), Arc::clone(&held));
    assert!(sent.is_ok());
    drop(mailbox);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_ring_wakes_the_owner_and_a_mark_is_taken_once() {
    let mut net = MioNet::new().expect("a net");
    let mut mailbox = Mailbox::new(8);
    let mut post = mailbox.post();
    post.send(&mut net, 0).expect("room");
    mailbox.open(&mut net, Owner(5)).expect("it wakes");
    assert_eq!(
        woken(&mut net, Tyme::ZERO),
        [Owner(5)],
        "for what came before"
    );
    assert_eq!(mailbox.take(&mut net), Some(0));
    assert_eq!(mailbox.take(&mut net), None);
    assert_eq!(woken(&mut net, Tyme::ZERO), []);
    for n in 1..4 {
        post.send(&mut net, n).expect("room");
    }
    assert_eq!(woken(&mut net, Tyme::NEVER), [Owner(5)]);
    assert_eq!(mailbox.take(&mut net), Some(1));
    mailbox.leave(&mut net);
    assert_eq!(woken(&mut net, Tyme::ZERO), [], "left for later");
    assert_eq!(mailbox.take(&mut net), Some(2));
    mailbox.close(&mut net);
    post.send(&mut net, 4).expect("room");
    assert_eq!(woken(&mut net, Tyme::ZERO), [], "closed");
    assert_eq!(mailbox.len(), 2, "but kept");
}

#[test]
fn who_found_it_full_is_woken_when_there_is_room_and_only_then() {
    let mut net = MioNet::new().expect("a net");
    let mut mailbox = Mailbox::new(1);
    let mut post = mailbox.post();
    post.open(&mut net, Owner(9)).expect("it wakes");
    assert_eq!(woken(&mut net, Tyme::ZERO), []);
    post.send(&mut net, 1).expect("room");
    for _ in 0..100 {
        assert_eq!(post.send(&mut net, 2), Err(Refused::Full(2)));
    }
    assert_eq!(woken(&mut net, Tyme::ZERO), []);
    assert_eq!(mailbox.take(&mut net), Some(1));
    assert_eq!(woken(&mut net, Tyme::NEVER), [Owner(9)]);
    post.send(&mut net, 2).expect("room");
    assert_eq!(woken(&mut net, Tyme::ZERO), [], "the mark was taken");
    assert_eq!(post.send(&mut net, 3), Err(Refused::Full(3)));
    post.forget(&mut net);
    assert_eq!(mailbox.take(&mut net), Some(2));
    assert_eq!(woken(&mut net, Tyme::ZERO), [], "forgotten");
    assert!(post.send(&mut net, 3).is_ok());
    assert_eq!(post.send(&mut net, 4), Err(Refused::Full(4)));
    drop(mailbox);
    assert_eq!(woken(&mut net, Tyme::NEVER), [Owner(9)], "told of its end");
    assert_eq!(post.send(&mut net, 4), Err(Refused::Gone(4)));
}

#[test]
fn a_net_that_wakes_nobody_says_so() {
    let net = &mut NullNet::default();
    let mut mailbox: Mailbox<u8> = Mailbox::new(1);
    assert_eq!(mailbox.open(net, Owner(1)), Err(NetError::Unsupported));
    assert_eq!(
        mailbox.post().open(net, Owner(1)),
        Err(NetError::Unsupported)
    );
}

/// A parked reader that says what it got, and how often it ran.
fn reader(mailbox: Mailbox<u64>, got: mpsc::Sender<u64>, runs: Arc<AtomicUsize>) -> Crew {
    Crew::new().member("reader", move |_seat| {
        let mut doist = Doist::new(());
        let (got, runs) = (got.clone(), Arc::clone(&runs));
        let mut mailbox = mailbox.clone();
        let mut opened = false;
        doist.add(doify(move |_, cx: &mut Cx<'_>| {
            if !std::mem::replace(&mut opened, true) {
                mailbox.open(cx.net, cx.ask.owner())?;
            }
            runs.fetch_add(1, Ordering::Relaxed);
            while let Some(n) = mailbox.take(cx.net) {
                got.send(n)?;
            }
            Ok(match mailbox.is_over() {
                true => Done(true),
                false => Park(Tyme::NEVER),
            })
        }));
        Ok(doist)
    })
}

#[test]
fn a_parked_doer_on_another_thread_is_woken_each_time() {
    let (mailbox, (got, heard)) = (Mailbox::new(4), mpsc::channel());
    let runs = Arc::new(AtomicUsize::new(0));
    let mut post = mailbox.post();
    let crew = reader(mailbox, got, Arc::clone(&runs))
        .start()
        .expect("a thread");
    let net = &mut NullNet::default();
    for n in 0..200 {
        post.send(net, n).expect("room");
        // The next one is sent when this one has come: each finds it parked, or about to park.
        assert_eq!(heard.recv_timeout(Duration::from_secs(20)), Ok(n));
    }
    drop(post);
    assert!(crew.wait().is_well());
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs <= 450, "{runs} runs for 200 messages: it spins");
}

/// Sends numbers up to `count` and waits for room whenever there is none.
fn writer(post: &Post<(usize, u64)>, of: usize, count: u64) -> Doist<()> {
    let (mut post, mut next, mut opened) = (post.clone(), 0, false);
    let mut doist = Doist::new(());
    doist.add(doify(move |_, cx: &mut Cx<'_>| {
        if !std::mem::replace(&mut opened, true) {
            post.open(cx.net, cx.ask.owner())?;
        }
        while next < count {
            match post.send(cx.net, (of, next)) {
                Ok(()) => next += 1,
                Err(Refused::Full(_)) => return Ok(Park(Tyme::NEVER)),
                Err(why) => return Err(why.into()),
            }
        }
        Ok(Done(true))
    }));
    doist
}

#[test]
fn no_wake_up_is_lost_under_stress() {
    const EACH: u64 = 20_000;
    let mailbox = Mailbox::new(3); // full all the time, empty all the time
    let post = mailbox.post();
    let mut crew = Crew::new();
    for of in 0..3 {
        let post = post.clone();
        crew = crew.member(&format!("writer-{of}"), move |_| {
            Ok(writer(&post, of, EACH))
        });
    }
    drop(post);
    let done = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&done);
    let crew = crew.member("reader", move |_seat| {
        let counted = Arc::clone(&counted);
        let mut doist = Doist::new([0u64; 3]);
        let each = move |(of, n): (usize, u64), cx: &mut Cx<'_, [u64; 3]>| {
            if cx.app[of] != n {
                return Err(Fault::msg(format!("{n} of {of} after {}", cx.app[of])));
            }
            cx.app[of] += 1;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        doist.add(MailDoer::new(mailbox.clone(), each));
        Ok(doist)
    });
    // A wake-up that is lost would leave two of them waiting for each other for ever.
    let (running, late) = (crew.start().expect("threads"), mpsc::channel::<()>());
    let handle = running.handle();
    let watch = std::thread::spawn(move || {
        if late.1.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
            handle.stop();
        }
    });
    let report = running.wait();
    drop(late.0);
    watch.join().expect("the watch");
    assert!(report.is_well(), "{report}");
    assert_eq!(done.load(Ordering::Relaxed) as u64, 3 * EACH, "{report}");
}

/// A reader that adds up, and a post for it: both with this tape.
fn adding(tape: &Tape) -> (Doist<(u64, Vec<String>)>, Post<u64>) {
    let mailbox: Mailbox<u64> = Mailbox::new(2);
    let outside = mailbox.post();
    let other: Mailbox<String> = Mailbox::new(1);
    let mut answers = other.post().with_tape(tape);
    let mut mailbox = mailbox.with_tape(tape);
    let mut doist = Doist::new((0, Vec::new()));
    let mut opened = false;
    doist.add(doify(move |_, cx: &mut Cx<'_, (u64, Vec<String>)>| {
        let _whole = &other; // lives as long as the doer
        if !std::mem::replace(&mut opened, true) {
            mailbox.open(cx.net, cx.ask.owner())?;
        }
        while let Some(n) = mailbox.take(cx.net) {
            cx.app.0 += n;
            let sent = answers.send(cx.net, n.to_string());
            cx.app.1.push(format!("{sent:?}"));
        }
        Ok(match mailbox.is_over() {
            true => Done(true),
            false => Park(Tyme::NEVER),
        })
    }));
    (doist, outside)
}

#[test]
fn a_run_with_mail_on_a_tape_is_replayed() {
    let path = std::env::temp_dir().join(format!("hio-crew-mail-{}.rec", std::process::id()));
    let tape = Tape::recording();
    let (mut doist, mut post) = adding(&tape);
    let file = std::fs::File::create(&path).expect("a file");
    let net = MioNet::new().expect("a net");
    let mut net = Record::new(net, file, "adding").with_tape(&tape);
    let sender = std::thread::spawn(move || {
        for n in 1..=20 {
            while post.send(&mut NullNet::default(), n).is_err() {
                std::thread::yield_now();
            }
        }
    });
    doist.run(&mut net).expect("it runs");
    sender.join().expect("the sender");
    let (recorded, app) = (net.finish(), doist.app);
    assert_eq!((app.0, recorded.lost), (210, 0));
    assert_eq!(app.1[..2], ["Ok(())", "Err(Full(..))"]);

    let tape = Tape::replaying();
    let run = RecordedRun::open(std::fs::File::open(&path).expect("it")).expect("a recording");
    let mut replay = Replay::new(run).expect("its beginning").with_tape(&tape);
    let (mut doist, post) = adding(&tape);
    drop(post);
    doist.run(&mut replay).expect("it runs");
    assert_eq!(replay.finish(), ReplayEnd::Complete);
    assert_eq!((replay.hash(), doist.app), (recorded.hash, app));
    std::fs::remove_file(path).expect("it was there");
}

#[test]
fn letters_of_wrong_bytes_are_refused() {
    assert_eq!(u32::read(&[1, 2, 3]), None);
    assert_eq!(String::read(&[0xff]), None);
    assert_eq!(<()>::read(&[0]), None);
    let mut out = Vec::new();
    (-7i64).write(&mut out);
    assert_eq!(i64::read(&out), Some(-7));
    assert!(hio::crew::Handed::read(&[9, 0, 0, 0, 1]).is_none());
}
